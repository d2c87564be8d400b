//! Codes of authenticator apps (RFC 6238): SHA-1, six digits, steps of thirty seconds. Every app knows this form, and
//! many know no other. What is asked of SHA-1 here is that HMAC over it cannot be guessed, which holds.
use totp_rs::{Builder, Totp};
use zeroize::Zeroizing;

use crate::base::{Entropy, Error, Result, Secret, Timestamp, entropy};

/// Bytes of a secret: as many as the hash has (RFC 4226 section 4, R6).
pub const SECRET_BYTES: usize = 20;
const DIGITS: usize = 6;
/// Steps before and after the present one whose code is taken, for clocks that differ (RFC 6238 section 5.2).
const SKEW: u16 = 1;

/// What an app and this server share.
pub struct TotpSecret(Zeroizing<[u8; SECRET_BYTES]>);

impl TotpSecret {
    /// A new one of 160 random bits.
    pub fn generate(rng: &dyn Entropy) -> Self {
        Self(Zeroizing::new(entropy::bytes(rng)))
    }

    /// One that was stored.
    ///
    /// # Errors
    /// `Error::Internal` for another number of bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let secret = bytes.try_into().map_err(|_| Error::internal("no secret of an authenticator app"))?;
        Ok(Self(Zeroizing::new(secret)))
    }

    /// What is stored, sealed.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0[..]
    }

    /// What a person types into an app that cannot scan.
    ///
    /// # Errors
    /// `Error::Internal` if the library refuses, which it has no reason to.
    pub fn base32(&self) -> Result<Secret> {
        Ok(Secret::new(self.totp("", "")?.secret().to_base32()))
    }

    /// The `otpauth://` URI that apps scan; a colon in either name would end it and is left out.
    ///
    /// # Errors
    /// As [`TotpSecret::base32`].
    pub fn uri(&self, issuer: &str, account: &str) -> Result<Secret> {
        self.totp(issuer, account)?.to_url().map(Secret::new).map_err(Error::internal)
    }

    /// The step whose code this is, if it is one of those that are taken `now`. Each step may be used once: that is for
    /// the caller to see to.
    ///
    /// # Errors
    /// As [`TotpSecret::base32`].
    pub fn matched_step(&self, code: &str, now: Timestamp) -> Result<Option<u64>> {
        let now = u64::try_from(now.secs()).unwrap_or_default();
        Ok(self.totp("", "")?.check(code, now))
    }

    fn totp(&self, issuer: &str, account: &str) -> Result<Totp> {
        let plain = |text: &str| text.replace(':', " ");
        let builder = Builder::new().with_secret(self.0.to_vec()).with_skew(SKEW);
        let builder = builder.with_account_name(plain(account)).with_issuer(Some(plain(issuer)));
        builder.build().map_err(Error::internal)
    }
}

/// Whether a text has the form of a code, spaces apart: so it can be told from a recovery code.
#[must_use]
pub fn read_code(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|c| !c.is_whitespace()).take(DIGITS + 1).collect();
    (digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::SeededEntropy;

    /// The secret of the test vectors in RFC 6238, appendix B.
    fn rfc() -> TotpSecret {
        TotpSecret::from_bytes(b"12345678901234567890").unwrap()
    }

    #[test]
    fn the_vectors_of_rfc_6238_are_taken_at_their_times() {
        // The last six of the eight digits in the appendix.
        for (secs, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
        ] {
            let step = rfc().matched_step(code, Timestamp::from_secs(secs)).unwrap();
            assert_eq!(step, Some(secs.unsigned_abs() / 30), "{secs}");
        }
    }

    #[test]
    fn a_code_is_taken_one_step_early_and_late_and_no_more() {
        let at = |secs| rfc().matched_step("287082", Timestamp::from_secs(secs)).unwrap();
        assert_eq!([at(30), at(59), at(89)], [Some(1); 3]);
        assert_eq!([at(0), at(29), at(90)], [Some(1), Some(1), None]);
        assert_eq!(at(120), None);
    }

    #[test]
    fn the_uri_names_issuer_and_account_and_cannot_be_broken_out_of() {
        let uri = rfc().uri("Acme: Ltd", "ann&x=y@example.com").unwrap();
        assert_eq!(
            uri.expose(),
            "otpauth://totp/Acme%20%20Ltd:ann%26x%3Dy%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Acme%20%20Ltd"
        );
    }

    #[test]
    fn secrets_differ_and_codes_are_six_digits() {
        let rng = SeededEntropy::new(1);
        assert_ne!(TotpSecret::generate(&rng).as_bytes(), TotpSecret::generate(&rng).as_bytes());
        assert_eq!(read_code(" 123 456"), Some("123456".to_owned()));
        for other in ["", "12345", "1234567", "12345a", "１２３４５６", "ABCDE-FGHJK"] {
            assert_eq!(read_code(other), None, "{other}");
        }
    }
}
