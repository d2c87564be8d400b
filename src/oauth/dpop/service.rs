//! Whether a request proves that its sender holds a key: once, now, and for this very request.
use std::sync::Arc;

use poem::Request;
use poem::http::HeaderName;
use url::Url;

use super::nonce::Nonces;
use super::proof::{AHEAD_SECS, Expected, Proof, read};
use super::seen::{Name, Seen, Verdict};
use crate::base::{Env, Error, Result, Timestamp};
use crate::crypto::{Thumbprint, sha256};
use crate::http::ProtocolFailure;
use crate::oauth::client::ClientId;

/// What brings a proof along.
const HEADER: HeaderName = HeaderName::from_static("dpop");

/// How proofs are judged.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Where clients find this server, whatever the header Host says.
    pub public_url: String,
    /// Seconds that a proof may be old.
    pub window_secs: i64,
    pub requires_nonce: bool,
}

/// Judges proofs; clones share what was seen.
#[derive(Clone)]
pub struct Dpop(Arc<Inner>);

struct Inner {
    env: Env,
    policy: Policy,
    nonces: Nonces,
    seen: Seen,
    started: Timestamp,
}

impl Dpop {
    #[must_use]
    pub fn new(env: Env, policy: Policy) -> Self {
        let (nonces, started) = (Nonces::new(env.entropy.as_ref()), env.now());
        Self(Arc::new(Inner { env, policy, nonces, seen: Seen::default(), started }))
    }

    /// The key that whoever sends a request of a client's proves to hold; `None` for a request without a proof.
    /// `access_token`: the one that it is sent with, where it is. Ask when it is known who the client is, and that it has not
    /// asked too often: the proof is used up.
    ///
    /// # Errors
    /// `invalid_dpop_proof`, `use_dpop_nonce`; `temporarily_unavailable` for a client that sends more proofs than can be
    /// remembered.
    pub fn key_of(
        &self,
        request: &Request,
        client: &ClientId,
        access_token: Option<&str>,
    ) -> Result<Option<Thumbprint>, ProtocolFailure> {
        let mut all = request.headers().get_all(HEADER).iter();
        let (Some(header), second) = (all.next(), all.next()) else { return Ok(None) };
        if second.is_some() {
            return Err(invalid_proof("the header DPoP came twice"));
        }
        let uri = self.uri_of(request)?;
        let expected = Expected {
            method: request.method().as_str(),
            uri: &uri,
            access_token,
            window: self.0.policy.window_secs,
        };
        let text = header.to_str().map_err(|_| invalid_proof("the header DPoP cannot be read"))?;
        let now = self.0.env.now();
        let proof = read(text, &expected, now).map_err(invalid_proof)?;
        self.check_nonce(&proof, now)?;
        self.use_up(&proof, client, now)?;
        Ok(Some(proof.key))
    }

    /// The nonce for the next proof, for a request that has brought one along (RFC 9449 section 8.2).
    #[must_use]
    pub fn nonce_for(&self, request: &Request) -> Option<String> {
        request.headers().contains_key(HEADER).then(|| self.nonce())
    }

    /// The nonce to use now.
    #[must_use]
    pub fn nonce(&self) -> String {
        self.0.nonces.current(self.0.env.now())
    }

    /// Where a request went, as its client knows it.
    fn uri_of(&self, request: &Request) -> Result<Url> {
        let base = self.0.policy.public_url.trim_end_matches('/');
        Url::parse(&format!("{base}{}", request.uri().path())).map_err(Error::internal)
    }

    /// One that is there has to be good, whether one is asked for or not. Proofs that this server may have seen before it was
    /// started anew need one: that it gave since.
    fn check_nonce(&self, proof: &Proof, now: Timestamp) -> Result<(), ProtocolFailure> {
        let Inner { policy, nonces, started, .. } = self.0.as_ref();
        let is_enough = match &proof.nonce {
            Some(nonce) => nonces.is_good(nonce, now),
            None => !policy.requires_nonce && proof.made_at >= started.plus_secs(AHEAD_SECS),
        };
        if is_enough {
            return Ok(());
        }
        let failure =
            ProtocolFailure::new("use_dpop_nonce", "the proof must have the nonce of the header DPoP-Nonce");
        Err(failure.with_dpop_nonce(self.nonce()))
    }

    fn use_up(&self, proof: &Proof, client: &ClientId, now: Timestamp) -> Result<(), ProtocolFailure> {
        let (id, owner) = (name(&[&proof.key.0, proof.id.as_bytes()]), name(&[client.as_str().as_bytes()]));
        let until = proof.made_at.plus_secs(self.0.policy.window_secs).secs();
        match self.0.seen.note(id, owner, until, now) {
            Verdict::Fresh => Ok(()),
            Verdict::Used => Err(invalid_proof("the proof was used before")),
            Verdict::NoRoom => Err(Error::Busy { retry_after_secs: AHEAD_SECS.unsigned_abs() }.into()),
        }
    }
}

fn name(parts: &[&[u8]]) -> Name {
    let mut name = [0; 16];
    name.copy_from_slice(&sha256(parts)[..16]);
    name
}

/// RFC 9449 section 5.
#[must_use]
pub fn invalid_proof(why: &'static str) -> ProtocolFailure {
    ProtocolFailure::new("invalid_dpop_proof", why)
}
