//! Refresh tokens: opaque to their holder, and to us a session, a generation, a secret and a proof that we made
//! them. The proof tells an old token of ours (which someone may have stolen) from one that was never any.
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::hash::sha256;
use super::seal::{KEY_BYTES, Sealer};
use crate::base::{Entropy, Error, Result, Secret, entropy};

/// Whose refresh token it is. Secret scanners find leaked tokens by what they begin with; changing that ends every session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// A browser or program of the user's, which has it in a cookie.
    Session,
    /// A client of the OAuth 2.0 server.
    Client,
}

impl Holder {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Session => "asr_",
            Self::Client => "asg_",
        }
    }
}

const SESSION: usize = 16;
const GENERATION: usize = SESSION + 4;
const SIGNED: usize = GENERATION + 32;
const TOTAL: usize = SIGNED + 16;

/// A token in the clear. Never stored; wiped when dropped.
pub struct RefreshToken(Zeroizing<[u8; TOTAL]>);

impl RefreshToken {
    /// The token of one generation of a session, with 256 random bits.
    pub fn generate(mac: &hmac::Key, rng: &dyn Entropy, session: &[u8; 16], generation: u32) -> Self {
        let mut raw = Zeroizing::new([0; TOTAL]);
        raw[..SESSION].copy_from_slice(session);
        raw[SESSION..GENERATION].copy_from_slice(&generation.to_be_bytes());
        raw[GENERATION..SIGNED].copy_from_slice(&*Zeroizing::new(entropy::bytes::<32>(rng)));
        let tag = hmac::sign(mac, &raw[..SIGNED]);
        raw[SIGNED..].copy_from_slice(&tag.as_ref()[..TOTAL - SIGNED]);
        Self(raw)
    }

    /// Reads a token that someone presents.
    ///
    /// # Errors
    /// `Error::InvalidToken` for one that this server did not make.
    pub fn parse(holder: Holder, mac: &hmac::Key, text: &str) -> Result<Self> {
        let body = text.strip_prefix(holder.prefix()).ok_or(Error::InvalidToken)?;
        let mut raw = Zeroizing::new([0; TOTAL]);
        let len = URL_SAFE_NO_PAD.decode_slice(body, raw.as_mut()).map_err(|_| Error::InvalidToken)?;
        let mut expected = Zeroizing::new([0; 32]);
        expected.copy_from_slice(hmac::sign(mac, &raw[..SIGNED]).as_ref());
        let genuine = crate::base::constant_time_eq(&raw[SIGNED..], &expected[..TOTAL - SIGNED]);
        if len == TOTAL && genuine { Ok(Self(raw)) } else { Err(Error::InvalidToken) }
    }

    /// The text that its holder gets.
    #[must_use]
    pub fn reveal(&self, holder: Holder) -> Secret {
        Secret::new(format!("{}{}", holder.prefix(), URL_SAFE_NO_PAD.encode(&self.0[..])))
    }

    #[must_use]
    pub fn session(&self) -> [u8; 16] {
        let mut session = [0; 16];
        session.copy_from_slice(&self.0[..SESSION]);
        session
    }

    /// How often the session was refreshed before this token was made.
    #[must_use]
    pub fn generation(&self) -> u32 {
        let mut generation = [0; 4];
        generation.copy_from_slice(&self.0[SESSION..GENERATION]);
        u32::from_be_bytes(generation)
    }

    /// What is stored of it: enough to know it again, and nothing to make it from.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        sha256(&[&self.0[..]])
    }

    /// Seals the answer that this token was exchanged for: whoever presents the token again can have it, and
    /// the store alone cannot read it.
    ///
    /// # Errors
    /// `Error::Internal` if the library refuses.
    pub fn sealer(&self) -> Result<Sealer> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        let secret = hmac::Key::new(hmac::HMAC_SHA256, &self.0[GENERATION..SIGNED]);
        key.copy_from_slice(hmac::sign(&secret, b"auth-service refresh answer").as_ref());
        Sealer::new(&key)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::SeededEntropy;

    fn mac(byte: u8) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &[byte; 32])
    }

    proptest! {
        #[test]
        fn a_token_parses_to_itself_and_nothing_else_parses(
            session: [u8; 16], generation: u32, seed: u64, at: prop::sample::Index, bit in 0..7_u8,
        ) {
            let token = RefreshToken::generate(&mac(1), &SeededEntropy::new(seed), &session, generation);
            let text = token.reveal(Holder::Session);
            let parsed = RefreshToken::parse(Holder::Session, &mac(1), text.expose()).unwrap();
            prop_assert_eq!((parsed.session(), parsed.generation()), (session, generation));
            prop_assert_eq!(parsed.hash(), token.hash());
            prop_assert!(RefreshToken::parse(Holder::Session, &mac(2), text.expose()).is_err(), "another server's key");
            let mut damaged = text.expose().as_bytes().to_vec();
            let at = at.index(damaged.len());
            damaged[at] ^= 1 << bit;
            if let Ok(damaged) = String::from_utf8(damaged) {
                prop_assert!(RefreshToken::parse(Holder::Session, &mac(1), &damaged).is_err());
            }
        }

        #[test]
        fn garbage_is_refused(text in "\\PC{0,120}|asr_[A-Za-z0-9_-]{85,95}") {
            prop_assert!(RefreshToken::parse(Holder::Session, &mac(1), &text).is_err());
        }
    }
}
