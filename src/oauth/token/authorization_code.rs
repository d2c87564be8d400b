//! A code for tokens, once (RFC 6749 section 4.1.3, RFC 7636, OpenID Connect Core section 3.1.3).
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::service::{TokenAnswer, TokenEndpoint, TokenRequest, aimed, required};
use crate::base::{Id, Result, Secret, Timestamp, constant_time_eq};
use crate::crypto::refresh_token::Holder;
use crate::crypto::{Thumbprint, sha256};
use crate::http::ProtocolFailure;
use crate::oauth::claims;
use crate::oauth::client::Client;
use crate::oauth::client::model::GrantType;
use crate::oauth::error::{invalid_grant, invalid_request};
use crate::oauth::grant::change::{self, Redeemed};
use crate::oauth::grant::live::LiveGrant;
use crate::oauth::grant::model::{Code, Grant};
use crate::oauth::grant::table;
use crate::oauth::grant::tokens::Terms;
use crate::oauth::scope::OFFLINE_ACCESS;
use crate::rbac::Initiator;
use crate::store::WriteTx;

/// RFC 7636 section 4.1.
const VERIFIER: std::ops::RangeInclusive<usize> = 43..=128;

impl TokenEndpoint {
    /// Spends a code and mints what it is worth, in this order: should minting fail, the code is worth nothing any more.
    pub(super) async fn redeem_code(
        &self,
        by: Initiator,
        client: Arc<Client>,
        request: TokenRequest,
    ) -> Result<TokenAnswer, ProtocolFailure> {
        let hash = sha256(&[required(request.code.as_ref(), "code")?.as_bytes()]);
        let code = self.store.get(|tx| table::code(tx, &hash))?.ok_or_else(worthless)?;
        if code.client != client.id {
            return Err(invalid_grant("the code was given to another client"));
        }
        if code.redeemed.is_some() {
            self.end_what_came_of(by, hash).await?;
            return Err(worthless());
        }
        let now = self.env.now();
        check(&code, &request, now)?;
        let resources = aimed(request.resources, &code.consented.resources)?;
        let (grant, refresh_token) = self.grant_of(&client, (&code, request.key), now);
        let (live, written, known) = (self.grants.clone(), grant.clone(), code.clone());
        let change = move |tx: &mut WriteTx| change::redeem(tx, &live, (&hash, &known), &written, (&by, now));
        match self.store.write(change).await? {
            Redeemed::Once(live) => self.answer(&client, &live, (&resources, request.key), refresh_token),
            Redeemed::Again | Redeemed::Worthless => Err(worthless()),
        }
    }

    async fn end_what_came_of(&self, by: Initiator, hash: [u8; 32]) -> Result<()> {
        let (live, now) = (self.grants.clone(), self.env.now());
        self.store.write(move |tx: &mut WriteTx| change::end_reused(tx, &live, &hash, (&by, now))).await
    }

    pub(super) fn grant_of(
        &self,
        client: &Client,
        (code, key): (&Code, Option<Thumbprint>),
        now: Timestamp,
    ) -> (Grant, Option<Secret>) {
        let id = Id::new(now, self.env.entropy.as_ref());
        let is_offline = code.consented.scopes.has(OFFLINE_ACCESS);
        let refresh = client.may(GrantType::RefreshToken).then(|| self.minter.refresh_token(id, 0));
        let lifetimes = &self.minter.lifetimes;
        // Without a refresh token it ends with its access token.
        let lasts = if refresh.is_some() { lifetimes.refresh.min(lifetimes.grant) } else { lifetimes.access };
        let grant = Grant {
            id,
            client: code.client.clone(),
            user: code.user,
            proof: code.proof.clone(),
            is_offline,
            consented: code.consented.clone(),
            nonce: code.nonce.clone(),
            created_at: now,
            refreshed_at: now,
            expires_at: now.plus_secs(lasts),
            bound_to: key.filter(|_| !client.is_confidential()),
            refresh: refresh.as_ref().map(|token| (0, token.hash())),
        };
        (grant, refresh.map(|token| token.reveal(Holder::Client)))
    }

    pub(super) fn answer(
        &self,
        client: &Client,
        live: &LiveGrant,
        (resources, key): (&[String], Option<Thumbprint>),
        refresh_token: Option<Secret>,
    ) -> Result<TokenAnswer, ProtocolFailure> {
        let grant = &live.grant;
        let scopes = &grant.consented.scopes;
        let terms = Terms { scopes, resources, key };
        let access_token = self.minter.access_token(client, grant, terms)?;
        let id_token = self.id_token(client, grant, live, &access_token)?;
        Ok(TokenAnswer {
            access_token: access_token.expose().to_owned(),
            token_type: terms.token_type().to_owned(),
            expires_in: self.minter.lifetimes.access,
            refresh_token: refresh_token.map(|token| token.expose().to_owned()),
            scope: Some(scopes.to_string()),
            id_token,
            issued_token_type: None,
        })
    }

    /// What a client that has asked for it learns of the login.
    pub(super) fn id_token(
        &self,
        client: &Client,
        grant: &Grant,
        live: &LiveGrant,
        access_token: &Secret,
    ) -> Result<Option<String>> {
        if !claims::is_openid(&grant.consented) {
            return Ok(None);
        }
        let about = claims::for_id_token(live.about(), &grant.consented);
        let token = self.minter.id_token(client, grant, about, access_token)?;
        Ok(Some(token.expose().to_owned()))
    }
}

/// One answer for whatever is wrong with a code itself.
fn worthless() -> ProtocolFailure {
    invalid_grant("the code is not one of ours, was redeemed already, or is over")
}

fn check(code: &Code, request: &TokenRequest, now: Timestamp) -> Result<(), ProtocolFailure> {
    if now >= code.expires_at {
        return Err(worthless());
    }
    let redirect_uri =
        request.redirect_uri.as_deref().ok_or_else(|| invalid_request("redirect_uri is required"))?;
    if redirect_uri != code.redirect_uri {
        return Err(invalid_grant("redirect_uri is not the one that the code was asked for with"));
    }
    check_verifier(code.challenge.as_deref(), request.code_verifier.as_ref())?;
    check_key(code.bound_to, request.key)
}

/// A code that was asked for with a key is good for whoever holds it (RFC 9449 section 10).
pub(super) fn check_key(
    bound_to: Option<Thumbprint>,
    key: Option<Thumbprint>,
) -> Result<(), ProtocolFailure> {
    match bound_to {
        Some(_) if bound_to != key => {
            Err(invalid_grant("it is bound to another key than the one of the header DPoP"))
        }
        _ => Ok(()),
    }
}

/// Whoever redeems a code is whoever has asked for it (RFC 7636 section 4.6); a verifier for a code without a challenge is
/// somebody's attempt to do without (RFC 9700 section 4.8.2).
fn check_verifier(challenge: Option<&str>, verifier: Option<&Secret>) -> Result<(), ProtocolFailure> {
    let (challenge, verifier) = match (challenge, verifier) {
        (None, None) => return Ok(()),
        (None, Some(_)) => return Err(invalid_grant("the code was asked for without a code_challenge")),
        (Some(_), None) => return Err(invalid_grant("code_verifier is required for this code")),
        (Some(challenge), Some(verifier)) => (challenge, verifier.expose()),
    };
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    if !VERIFIER.contains(&verifier.len()) || !verifier.bytes().all(allowed) {
        return Err(invalid_grant("code_verifier must be 43 to 128 letters, digits, '-', '.', '_' and '~'"));
    }
    let made = URL_SAFE_NO_PAD.encode(sha256(&[verifier.as_bytes()]));
    if constant_time_eq(made.as_bytes(), challenge.as_bytes()) {
        Ok(())
    } else {
        Err(invalid_grant("code_verifier does not belong to the code_challenge"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verifier_of_rfc_7636_belongs_to_its_challenge() {
        // Appendix B.
        let verifier = Secret::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        assert!(check_verifier(Some(challenge), Some(&verifier)).is_ok());
        let other = Secret::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXK");
        for (challenge, verifier) in [
            (Some(challenge), Some(&other)),
            (Some(challenge), None),
            (None, Some(&verifier)),
            (Some(other.expose()), Some(&other)),
        ] {
            assert_eq!(check_verifier(challenge, verifier).unwrap_err().error, "invalid_grant");
        }
        assert!(check_verifier(None, None).is_ok());
    }
}
