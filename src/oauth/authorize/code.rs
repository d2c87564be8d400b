//! The text of an authorization code, and what says when a request came for the first time.
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::base::{Entropy, Secret, Timestamp, constant_time_eq, entropy};
use crate::crypto::sha256;

/// Secret scanners find leaked ones by it.
const PREFIX: &str = "asz_";
const MARK_BYTES: usize = 16;
/// How long a page may stay open, in seconds.
const PATIENCE: i64 = 3600;

/// A new code, and the hash that is stored of it.
#[must_use]
pub fn generate(rng: &dyn Entropy) -> (Secret, [u8; 32]) {
    let random = Zeroizing::new(entropy::bytes::<32>(rng));
    let text = Secret::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(&random[..])));
    let hash = sha256(&[text.expose().as_bytes()]);
    (text, hash)
}

/// Says of a request that it came at a time from a browser, so that nobody else can say so of another one: whoever was shown
/// a page is whoever goes on.
#[must_use]
pub fn mark(mac: &hmac::Key, (query, browser): (&str, &str), began: Timestamp) -> String {
    let began = began.secs().to_be_bytes();
    let length = (browser.len() as u64).to_be_bytes();
    let tag = hmac::sign(mac, &[&began[..], &length, browser.as_bytes(), query.as_bytes()].concat());
    URL_SAFE_NO_PAD.encode([&began[..], &tag.as_ref()[..MARK_BYTES]].concat())
}

/// When a request came for the first time from a browser, by its mark; `None` for a mark of another one, or an old one.
#[must_use]
pub fn began(mac: &hmac::Key, about: (&str, &str), marked: &str, now: Timestamp) -> Option<Timestamp> {
    let raw = URL_SAFE_NO_PAD.decode(marked).ok()?;
    let began = Timestamp::from_secs(i64::from_be_bytes(*raw.first_chunk::<8>()?));
    let is_ours = constant_time_eq(mark(mac, about, began).as_bytes(), marked.as_bytes());
    (is_ours && (0..=PATIENCE).contains(&now.secs_since(began))).then_some(began)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_good_for_its_own_request_and_browser_and_an_hour() {
        let (mac, at) = (hmac::Key::new(hmac::HMAC_SHA256, &[1; 32]), Timestamp::from_secs);
        let marked = mark(&mac, ("a=1", "b"), at(100));
        assert_eq!(began(&mac, ("a=1", "b"), &marked, at(3700)), Some(at(100)));
        assert_eq!(began(&mac, ("a=1", "b"), &marked, at(3701)), None);
        assert_eq!(began(&mac, ("a=1", "b"), &marked, at(99)), None);
        assert_eq!(began(&mac, ("a=2", "b"), &marked, at(100)), None);
        assert_eq!(began(&mac, ("a=1", "c"), &marked, at(100)), None);
        assert_eq!(began(&mac, ("=1", "ba"), &marked, at(100)), None);
        assert_eq!(began(&hmac::Key::new(hmac::HMAC_SHA256, &[2; 32]), ("a=1", "b"), &marked, at(100)), None);
        assert_eq!(began(&mac, ("a=1", "b"), "", at(100)), None);
    }
}
