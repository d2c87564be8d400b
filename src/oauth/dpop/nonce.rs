//! Nonces for proofs (RFC 9449 sections 8 and 9). Nothing of them is kept: each says when it was made, under a key of this
//! server's that is made anew whenever it starts.
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::base::{Entropy, Timestamp, constant_time_eq, entropy};

/// A new one each so many seconds.
const STEP_SECS: i64 = 60;
/// How many of them are good: for five minutes at least.
const GOOD_STEPS: i64 = 6;
const TAG_BYTES: usize = 16;

pub struct Nonces(hmac::Key);

impl Nonces {
    #[must_use]
    pub fn new(rng: &dyn Entropy) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, &entropy::bytes::<32>(rng)))
    }

    /// The one to use `now`.
    #[must_use]
    pub fn current(&self, now: Timestamp) -> String {
        self.of_step(now.secs().div_euclid(STEP_SECS))
    }

    /// Whether a text is one of ours, and not too old.
    #[must_use]
    pub fn is_good(&self, text: &str, now: Timestamp) -> bool {
        let Some(step) = step_of(text) else { return false };
        let age = now.secs().div_euclid(STEP_SECS).saturating_sub(step);
        let is_ours = constant_time_eq(self.of_step(step).as_bytes(), text.as_bytes());
        is_ours && (0..GOOD_STEPS).contains(&age)
    }

    fn of_step(&self, step: i64) -> String {
        let step = step.to_be_bytes();
        let tag = hmac::sign(&self.0, &step);
        URL_SAFE_NO_PAD.encode([&step[..], &tag.as_ref()[..TAG_BYTES]].concat())
    }
}

fn step_of(text: &str) -> Option<i64> {
    let raw = URL_SAFE_NO_PAD.decode(text).ok().filter(|raw| raw.len() == 8 + TAG_BYTES)?;
    raw.first_chunk::<8>().map(|step| i64::from_be_bytes(*step))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::SeededEntropy;

    #[test]
    fn a_nonce_is_good_for_five_minutes_and_of_its_own_server_alone() {
        let at = Timestamp::from_secs;
        let (ours, others) = (Nonces::new(&SeededEntropy::new(1)), Nonces::new(&SeededEntropy::new(2)));
        let nonce = ours.current(at(6059));
        assert_eq!(nonce, ours.current(at(6000)), "one for a while");
        assert_ne!(nonce, ours.current(at(6060)), "and then another");
        assert!(ours.is_good(&nonce, at(6059)) && ours.is_good(&nonce, at(6359)));
        assert!(!ours.is_good(&nonce, at(6360)), "it is over");
        assert!(!ours.is_good(&nonce, at(5999)), "it was not made yet");
        assert!(!others.is_good(&nonce, at(6059)));
        for wrong in ["", "x", &nonce[1..], &format!("{nonce}A")] {
            assert!(!ours.is_good(wrong, at(6059)), "{wrong}");
        }
        // RFC 9449 section 8.1: what a nonce may consist of.
        assert!(nonce.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
    }
}
