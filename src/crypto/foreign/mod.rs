//! Password hashes that other systems have made, verified in their own form until a login renews them.
//!
//! What a hash costs is bounded when it is parsed, before any work: whoever brings hashes in decides what every
//! later login with them costs this server.
mod argon;
mod bcrypt;
mod pbkdf2;
mod scrypt;
mod sha_crypt;
mod text;

use std::fmt;

use ::argon2::Block;

use self::argon::Argon;
use self::bcrypt::Bcrypt;
use self::pbkdf2::Pbkdf2;
use self::scrypt::Scrypt;
use self::sha_crypt::ShaCrypt;
use crate::base::{Error, Result, Secret};

/// The longest text that is looked at; the known forms stay well below it.
const MAX_TEXT_BYTES: usize = 512;

/// A hash of a known form whose cost is bearable.
#[derive(Clone, PartialEq, Eq)]
pub struct ForeignHash(Form);

#[derive(Clone, PartialEq, Eq)]
enum Form {
    Argon(Argon),
    Bcrypt(Bcrypt),
    Pbkdf2(Pbkdf2),
    Scrypt(Scrypt),
    ShaCrypt(ShaCrypt),
}

impl ForeignHash {
    /// Reads a stored hash, by the fields between its dollar signs. The forms:
    ///
    /// - `$argon2id$`, `$argon2i$`, `$argon2d$` (PHC), and Django's `argon2$argon2id$…`
    /// - `$2a$`, `$2b$`, `$2x$`, `$2y$` (bcrypt), and Django's `bcrypt$$2b$…`, `bcrypt_sha256$$2b$…`
    /// - `$scrypt$ln=…,r=…,p=…$salt$hash` (PHC), and Django's `scrypt$N$salt$r$p$hash`
    /// - `$pbkdf2-sha256$i=…,l=…$salt$hash` (PHC), passlib's `$pbkdf2-sha256$rounds$salt$hash`, and Django's
    ///   `pbkdf2_sha256$iterations$salt$hash`; with SHA-1 and SHA-512 too where they have it
    /// - `$5$`, `$6$` (SHA-crypt)
    ///
    /// # Errors
    /// `Error::Invalid` for the field `password_hash`, with a reason that does not repeat the hash: the form is not
    /// known, the hash is damaged, or to verify it would cost too much.
    pub fn parse(text: &str) -> Result<Self> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(text::unknown());
        }
        let fields: Vec<&str> = text.split('$').collect();
        let form = match fields[..] {
            ["", "argon2i" | "argon2d" | "argon2id", ..] => Form::Argon(Argon::phc(text)?),
            ["argon2", ..] => Form::Argon(Argon::django(text)?),
            ["", version @ ("2a" | "2b" | "2x" | "2y"), cost, data] => {
                Form::Bcrypt(Bcrypt::crypt(version, cost, data)?)
            }
            ["bcrypt", "", version, cost, data] => Form::Bcrypt(Bcrypt::crypt(version, cost, data)?),
            ["bcrypt_sha256", "", version, cost, data] => {
                Form::Bcrypt(Bcrypt::of_sha256(version, cost, data)?)
            }
            ["", "scrypt", params, salt, hash] => Form::Scrypt(Scrypt::phc(params, salt, hash)?),
            ["scrypt", n, salt, r, p, hash] => Form::Scrypt(Scrypt::django([n, r, p], salt, hash)?),
            ["", name, params, salt, hash] if name.starts_with("pbkdf2") && params.contains('=') => {
                Form::Pbkdf2(Pbkdf2::phc(name, params, salt, hash)?)
            }
            ["", name, rounds, salt, hash] if name.starts_with("pbkdf2") => {
                Form::Pbkdf2(Pbkdf2::passlib(name, rounds, salt, hash)?)
            }
            [name, iterations, salt, hash] if name.starts_with("pbkdf2_") => {
                Form::Pbkdf2(Pbkdf2::django(name, iterations, salt, hash)?)
            }
            ["", name @ ("5" | "6"), rounds, salt, hash] => {
                Form::ShaCrypt(ShaCrypt::with_rounds(name, rounds, salt, hash)?)
            }
            ["", name @ ("5" | "6"), salt, hash] => Form::ShaCrypt(ShaCrypt::new(name, salt, hash)?),
            _ => return Err(text::unknown()),
        };
        Ok(Self(form))
    }

    /// Whether a password is the one that the hash was made of.
    ///
    /// No password with a NUL fits: crypt(3) ends there, bcrypt and HMAC (RFC 2104 section 2) fill keys up with it, so
    /// that "secret\0" would pass for "secret". The work is done all the same, to take as long.
    ///
    /// `memory` is used where it is enough for Argon2. It does not grow: what one costly hash needs is given back.
    ///
    /// # Errors
    /// `Error::Internal` if a library refuses what was parsed, which it has no reason to.
    pub fn verify(&self, password: &Secret, memory: &mut [Block]) -> Result<bool> {
        let bytes = password.expose().as_bytes();
        let fits = match &self.0 {
            Form::Argon(hash) => hash.verify(bytes, memory)?,
            Form::Bcrypt(hash) => hash.verify(bytes),
            Form::Pbkdf2(hash) => hash.verify(bytes),
            Form::Scrypt(hash) => hash.verify(bytes)?,
            Form::ShaCrypt(hash) => hash.verify(bytes)?,
        };
        Ok(fits && !bytes.contains(&0))
    }

    fn family(&self) -> &'static str {
        match self.0 {
            Form::Argon(_) => "argon2",
            Form::Bcrypt(_) => "bcrypt",
            Form::Pbkdf2(_) => "pbkdf2",
            Form::Scrypt(_) => "scrypt",
            Form::ShaCrypt(_) => "sha-crypt",
        }
    }
}

/// The family alone: with the rest one could guess passwords.
impl fmt::Debug for ForeignHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ForeignHash({})", self.family())
    }
}

/// Why a stored hash cannot be verified: for the log, since no client can mend it.
pub(super) fn stored(error: Error) -> Error {
    match error {
        Error::Invalid(wrong) => Error::internal(format!("a stored password hash {}", wrong.reason)),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::crypto::{Cost, Hasher};

    const DEFAULT: Cost = Cost { memory_kib: 19_456, iterations: 2, parallelism: 1 };

    struct Vector {
        password: Secret,
        text: &'static str,
    }

    fn vectors() -> Vec<Vector> {
        let lines = include_str!("vectors.txt").lines().filter(|line| !line.starts_with('#'));
        lines.map(vector).collect()
    }

    fn vector(line: &'static str) -> Vector {
        let fields: Vec<_> = line.split('\t').collect();
        let password = match fields[1] {
            "ascii" => "correct horse".to_owned(),
            "utf8" => "pässwörd ✓ 密码".to_owned(),
            "empty" => String::new(),
            "blank" => " ".to_owned(),
            "long" => "0123456789".repeat(10),
            other => panic!("{other}"),
        };
        Vector { password: Secret::new(password), text: fields[2] }
    }

    fn fits(text: &str, password: &str) -> bool {
        ForeignHash::parse(text).unwrap().verify(&Secret::new(password), &mut []).unwrap()
    }

    fn reason(text: &str) -> String {
        match ForeignHash::parse(text) {
            Err(Error::Invalid(wrong)) => wrong.reason.into_owned(),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn what_other_programs_have_made_verifies_and_wants_renewal() {
        let vectors = vectors();
        assert!(vectors.len() > 80, "{}", vectors.len());
        let mut hasher = Hasher::default();
        for Vector { password, text } in vectors {
            assert!(fits(text, password.expose()), "{text}");
            assert!(hasher.verify(text, &password).unwrap(), "{text}");
            assert!(DEFAULT.is_above(text), "{text}");
        }
    }

    #[test]
    fn no_other_password_verifies() {
        for Vector { password, text } in vectors() {
            let right = password.expose();
            if text.starts_with("$2x$") && right.starts_with("pä") {
                // The defect itself: what stands in a word before a byte above 127 does not count.
                assert!(
                    fits(text, &right.replacen('p', "x", 1)) && !fits(text, &right.replacen('d', "x", 1))
                );
                continue;
            }
            let first_changed = format!("x{}", right.get(1..).unwrap_or_default());
            for wrong in [&first_changed, &format!("{right}\0"), &format!("{right}\0{right}"), "wrong"] {
                assert!(!fits(text, wrong), "{text} {wrong:?}");
            }
        }
    }

    #[test]
    fn bcrypt_alone_forgets_what_is_past_72_bytes() {
        let long = "0123456789".repeat(10);
        for Vector { text, .. } in vectors().into_iter().filter(|v| v.password.expose() == long) {
            let forgets = text.starts_with("$2") || text.starts_with("bcrypt$");
            assert_eq!(fits(text, &long[..72]), forgets, "{text}");
            assert_eq!(fits(text, &format!("{long}more")), forgets, "{text}");
            assert!(!fits(text, &long[..71]), "{text}");
        }
    }

    /// One bit everywhere, which makes no cost of seconds; a lower one too in the hash itself.
    #[test]
    fn a_hash_with_a_damaged_byte_is_refused_or_fits_no_more() {
        let mut refused = 0;
        for Vector { text, .. } in vectors().iter().filter(|v| v.password.expose() == "correct horse") {
            let hash_at = text.rfind('$').unwrap();
            for (at, bit) in
                (0..text.len()).map(|at| (at, 8)).chain((hash_at + 1..text.len()).map(|at| (at, 1)))
            {
                let mut bytes = text.as_bytes().to_vec();
                bytes[at] ^= bit;
                let damaged = String::from_utf8(bytes).unwrap();
                match ForeignHash::parse(&damaged) {
                    Ok(_) => assert!(!fits(&damaged, "correct horse"), "{damaged}"),
                    Err(_) => refused += 1,
                }
            }
        }
        assert!(refused > 1000, "{refused}");
    }

    const SALT: &str = "c29tZXNhbHQxMjM0";
    const HASH: &str = "IEhD7KJfgpOwQAl3kFYSodUfcw+PQSXHPnVv7FbVZaM";
    const BCRYPT: &str = "eKBL1l4yeL28xZmcpc2fzeSFbU2Se0.JY6u63x4wyVc4oox21xEIm";

    #[test]
    fn what_costs_too_much_is_refused_before_any_work() {
        let sha_crypt = "qaLVTdWv9VFmuksWNkwDQNBuLRaFMn35Plz2SIW3297";
        let highest = [
            format!("$argon2id$v=19$m=262144,t=16,p=1${SALT}${HASH}"),
            format!("$2b$16${BCRYPT}"),
            format!("$scrypt$ln=17,r=8,p=16${SALT}${HASH}"),
            format!("$scrypt$ln=17,r=15,p=8${SALT}${HASH}"),
            format!("scrypt$131072$salt$8$16${HASH}="),
            format!("$pbkdf2-sha256$10000000${}${}", SALT.replace('+', "."), HASH.replace('+', ".")),
            format!("pbkdf2_sha1$5000000$salt${HASH}="),
            format!("$5$rounds=1000000$salt${sha_crypt}"),
        ];
        for text in &highest {
            assert!(ForeignHash::parse(text).is_ok(), "{text}");
        }
        let higher = [
            format!("$argon2id$v=19$m=262145,t=1,p=1${SALT}${HASH}"),
            format!("$argon2i$v=19$m=4294967295,t=4294967295,p=1${SALT}${HASH}"),
            format!("argon2$argon2d$v=19$m=262144,t=17,p=1${SALT}${HASH}"),
            format!("$2b$17${BCRYPT}"),
            format!("bcrypt$$2y$31${BCRYPT}"),
            format!("bcrypt_sha256$$2b$99${BCRYPT}"),
            format!("$scrypt$ln=17,r=8,p=17${SALT}${HASH}"),
            format!("$scrypt$ln=18,r=8,p=1${SALT}${HASH}"),
            format!("$scrypt$ln=1,r=1,p=4194304${SALT}${HASH}"),
            format!("$scrypt$ln=1,r=4294967295,p=4294967295${SALT}${HASH}"),
            format!("$scrypt$ln=64,r=1,p=1${SALT}${HASH}"),
            format!("$scrypt$ln=4294967296,r=1,p=1${SALT}${HASH}"),
            format!("scrypt$2147483648$salt$8$1${HASH}="),
            format!("$pbkdf2$i=1,l=32${SALT}${HASH}").replace("pbkdf2$i=1", "pbkdf2-sha1$i=5000001"),
            format!("$pbkdf2-sha512$10000001${SALT}${}", HASH.replace('+', ".")),
            format!("pbkdf2_sha256$99999999999999$salt${HASH}="),
            format!("$5$rounds=1000001$salt${sha_crypt}"),
        ];
        for text in &higher {
            assert_eq!(reason(text), "has too high a cost", "{text}");
        }
    }

    #[test]
    fn what_is_no_hash_is_refused_with_a_reason() {
        let long = format!("$5$salt${}", "a".repeat(600));
        let unknown = [
            "",
            "password",
            "$",
            "$1$salt$x",
            "$7$x$y",
            "md5$salt$x",
            "!$2b$04$x",
            "pbkdf2_md5$1$s$x",
            &long,
        ];
        for text in unknown {
            assert_eq!(reason(text), "is not a known form of password hash", "{text}");
        }
        let damaged = [
            "$argon2id$v=19$m=16,t=1,p=1".to_owned(),
            format!("$argon2id$v=18$m=16,t=1,p=1${SALT}${HASH}"),
            format!("$argon2id$v=19$m=16,t=1,p=1,keyid=c2VjcmV0${SALT}${HASH}"),
            format!("$2b$4${BCRYPT}"),
            format!("$2b$03${BCRYPT}"),
            format!("$2b$04${BCRYPT}x"),
            "$2b$04$ä".to_owned(),
            format!("$scrypt$ln=0,r=8,p=1${SALT}${HASH}"),
            format!("$scrypt$r=8,ln=4,p=1${SALT}${HASH}"),
            format!("scrypt$15$salt$8$1${HASH}="),
            format!("$pbkdf2-sha256$i=1000,l=31${SALT}${HASH}"),
            format!("pbkdf2_sha256$0$salt${HASH}="),
            format!("pbkdf2_sha256$+1$salt${HASH}="),
            "pbkdf2_sha256$1000$salt$".to_owned(),
            "$6$rounds=999$salt$x".to_owned(),
            "$6$salt$x".to_owned(),
        ];
        for text in &damaged {
            assert_eq!(reason(text), "is a damaged password hash", "{text}");
        }
    }

    #[test]
    fn a_stored_hash_that_cannot_be_verified_is_our_fault_and_is_not_told() {
        let error = Hasher::default().verify("$1$salt$secret", &Secret::new("x")).unwrap_err();
        assert_eq!(error, Error::internal("a stored password hash is not a known form of password hash"));
    }

    #[test]
    fn memory_that_is_enough_is_used_and_debug_tells_the_family_alone() {
        let text = vectors().into_iter().find(|v| v.text.starts_with("$argon2i$")).unwrap().text;
        let hash = ForeignHash::parse(text).unwrap();
        assert_eq!(format!("{hash:?}"), "ForeignHash(argon2)");
        for (blocks, is_used) in [(15, false), (16, true), (64, true)] {
            let mut memory = vec![Block::default(); blocks];
            // What an earlier password has left does not count.
            for _ in 0..2 {
                assert!(hash.verify(&Secret::new("correct horse"), &mut memory).unwrap());
            }
            assert_eq!(memory[0].as_ref().iter().any(|word| *word != 0), is_used, "{blocks}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in any::<String>()) {
            let _ = ForeignHash::parse(&text);
        }

        #[test]
        fn so_is_text_with_the_shape_of_a_hash(
            name in "[$]?(argon2|argon2id|2b|bcrypt[$]|scrypt|pbkdf2|pbkdf2-sha1|pbkdf2_sha256|5|6)",
            rest in "([$]([a-z0-9]{1,6}=[0-9]{0,11},?){0,4}|[$][0-9]{0,11}|[$]\\PC{0,60}|[$][./A-Za-z0-9+=]{16,86}){0,5}",
        ) {
            let _ = ForeignHash::parse(&format!("{name}{rest}"));
        }

        #[test]
        fn so_is_a_hash_with_a_piece_of_other_text(n in 0_usize..80, at in 0_usize..100, piece in "\\PC{0,4}") {
            let text = vectors()[n].text;
            let at = at.min(text.len());
            let end = (at + piece.len()).min(text.len());
            let _ = ForeignHash::parse(&format!("{}{piece}{}", &text[..at], &text[end..]));
        }
    }
}
