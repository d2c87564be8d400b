//! The text in the cookie that passes reverse proxies: a session's, and what was proven in it. It is signed under a key of its
//! own, and no other endpoint takes it. Who has proven more since, or proven it again, gets another one: a copy of the old one
//! does not grow with it.
use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::base::{Id, Result, Secret, constant_time_eq};
use crate::crypto::MasterKey;
use crate::session::{AccessToken, Session};

/// Session and HMAC-SHA-256.
const BYTES: usize = 16 + 32;

/// Makes and judges those texts.
#[derive(Clone)]
pub struct ForwardTokens(Arc<hmac::Key>);

impl ForwardTokens {
    /// # Errors
    /// `Error::Internal` if no key can be derived.
    pub fn new(master: &MasterKey) -> Result<Self> {
        master.mac("forward sessions").map(|key| Self(Arc::new(key)))
    }

    /// The text of a session.
    #[must_use]
    pub fn text(&self, proven: &AccessToken) -> Secret {
        Secret::new(URL_SAFE_NO_PAD.encode(self.raw(proven)))
    }

    /// Which session a text claims to be of.
    #[must_use]
    pub fn session(text: &str) -> Option<Id<Session>> {
        Self::parse(text).and_then(|raw| raw.first_chunk::<16>().copied()).map(Id::from_bytes)
    }

    /// Whether a text is that of a session as it is now.
    #[must_use]
    pub fn is_of(&self, proven: &AccessToken, text: &str) -> bool {
        Self::parse(text).is_some_and(|raw| constant_time_eq(&raw, &self.raw(proven)))
    }

    fn parse(text: &str) -> Option<[u8; BYTES]> {
        let mut raw = [0; BYTES];
        // Without padding 48 bytes have one spelling.
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut raw).ok()?;
        (length == BYTES).then_some(raw)
    }

    fn raw(&self, proven: &AccessToken) -> [u8; BYTES] {
        let mut mac = hmac::Context::with_key(&self.0);
        mac.update(proven.session.as_bytes());
        mac.update(&proven.auth_time.to_be_bytes());
        for method in &proven.amr {
            mac.update(method.as_bytes());
            mac.update(b" ");
        }
        let mut raw = [0; BYTES];
        raw[..16].copy_from_slice(proven.session.as_bytes());
        raw[16..].copy_from_slice(mac.sign().as_ref());
        raw
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(byte: u8) -> ForwardTokens {
        ForwardTokens(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, &[byte; 32])))
    }

    fn proven(session: u8, auth_time: i64, amr: &[&str]) -> AccessToken {
        let amr = amr.iter().map(|method| (*method).to_owned()).collect();
        let session = Id::from_bytes([session; 16]);
        AccessToken { id: String::new(), session, user: 1, expires_at: 9, auth_time, amr }
    }

    #[test]
    fn a_text_is_good_for_its_session_and_what_was_proven_in_it() {
        let (ours, now) = (tokens(1), proven(7, 100, &["pwd"]));
        let text = ours.text(&now);
        let text = text.expose();
        assert_eq!((text.len(), ForwardTokens::session(text)), (64, Some(now.session)));
        assert!(ours.is_of(&now, text));
        for other in [proven(8, 100, &["pwd"]), proven(7, 101, &["pwd"]), proven(7, 100, &["pwd", "mfa"])] {
            assert!(!ours.is_of(&other, text), "{other:?}");
        }
        assert!(!ours.is_of(&proven(7, 100, &["p", "wd"]), text));
        assert!(!tokens(2).is_of(&now, text));
        for bad in ["", "x", &text[..63], &format!("{text}A"), &format!("{text}=")] {
            assert!(!ours.is_of(&now, bad) && ForwardTokens::session(bad).is_none(), "{bad}");
        }
        for at in 0..64 {
            let other = if &text[at..=at] == "A" { "B" } else { "A" };
            assert!(!ours.is_of(&now, &format!("{}{other}{}", &text[..at], &text[at + 1..])), "{at}");
        }
    }
}
