//! What others have signed (RFC 7515, compact), verified by keys that we know them by. Where its header says that a key is to be
//! found (`jku`, `jwk`, `x5u`, `x5c`) is never looked at.
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::jwk::VerifyingKey;
use super::signing::Algorithm;

/// A signed text taken apart. Nothing in it is true before [`Jws::verify`] has said so.
pub struct Jws<'t> {
    header: Map<String, Value>,
    /// What it says.
    pub claims: Map<String, Value>,
    message: &'t str,
    signature: Vec<u8>,
}

/// Whose signature it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Good,
    /// None of the keys can have made it: there may be newer ones.
    NoKey,
    Bad,
}

impl<'t> Jws<'t> {
    /// Takes a text apart; `None` for what has not the form.
    #[must_use]
    pub fn read(token: &'t str) -> Option<Self> {
        let (message, signature) = token.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        let part = |text: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok();
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        Some(Self { header: part(header)?, claims: part(claims)?, message, signature })
    }

    /// The algorithm that it says it was signed by, if we know it.
    #[must_use]
    pub fn algorithm(&self) -> Option<Algorithm> {
        let name = self.text("alg")?;
        Algorithm::public_key(name).or_else(|| (name == "HS256").then_some(Algorithm::Hs256))
    }

    /// Whether it says that nobody has signed it.
    #[must_use]
    pub fn is_unsigned(&self) -> bool {
        self.text("alg").is_some_and(|name| name.eq_ignore_ascii_case("none"))
    }

    /// Whether it is of one of some media types, or of none that it tells (RFC 8725 section 3.11). A type may begin with
    /// `application/` (RFC 7515 section 4.1.9).
    #[must_use]
    pub fn is_typed(&self, types: &[&str]) -> bool {
        match self.header.get("typ") {
            None => true,
            Some(Value::String(given)) => {
                let given = given.to_ascii_lowercase();
                let given = given.strip_prefix("application/").unwrap_or(&given);
                types.iter().any(|one| one.eq_ignore_ascii_case(given))
            }
            Some(_) => false,
        }
    }

    /// Whether one of some keys has signed it, by an algorithm that is taken. Without `kid` it has to be clear which one could
    /// have (OpenID Connect Core section 10.1); of what its header has to have understood (`crit`), we understand nothing.
    #[must_use]
    pub fn verify(&self, keys: &[VerifyingKey], taken: impl Fn(Algorithm) -> bool) -> Verdict {
        let Some(algorithm) = self.algorithm().filter(|algorithm| taken(*algorithm)) else {
            return Verdict::Bad;
        };
        if self.header.contains_key("crit") {
            return Verdict::Bad;
        }
        let fitting: Vec<_> = keys.iter().filter(|key| key.takes(algorithm)).collect();
        let candidates: Vec<_> = match self.header.get("kid") {
            None if fitting.len() > 1 => return Verdict::Bad,
            None => fitting,
            Some(Value::String(kid)) => {
                fitting.into_iter().filter(|key| key.kid().is_none_or(|known| known == kid)).collect()
            }
            Some(_) => return Verdict::Bad,
        };
        if candidates.is_empty() {
            return Verdict::NoKey;
        }
        let message = self.message.as_bytes();
        if candidates.iter().any(|key| key.verifies(algorithm, message, &self.signature)) {
            Verdict::Good
        } else {
            Verdict::Bad
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.header.get(name)?.as_str()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::crypto::signing::{SigningKey, generate};

    fn made(kid: Option<&str>) -> (SigningKey, VerifyingKey) {
        let key = SigningKey::parse(Algorithm::Es256, &generate(Algorithm::Es256).unwrap()).unwrap();
        let mut jwk = serde_json::to_value(key.public().unwrap()).unwrap();
        jwk["kid"] = json!(kid);
        (key, VerifyingKey::parse(&jwk).unwrap())
    }

    fn signed(key: &SigningKey, header: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(&json!({"a": 1})));
        let signature = URL_SAFE_NO_PAD.encode(key.sign(message.as_bytes()).unwrap());
        format!("{message}.{signature}")
    }

    fn verdict(token: &str, keys: &[VerifyingKey]) -> Verdict {
        Jws::read(token).map_or(Verdict::Bad, |jws| jws.verify(keys, |_| true))
    }

    #[test]
    fn the_name_of_a_key_says_which_one_it_is() {
        let ((one, a), (two, b)) = (made(Some("a")), made(Some("b")));
        let keys = [a, b];
        let by = |key, kid: Value| verdict(&signed(key, &json!({"alg": "ES256", "kid": kid})), &keys);
        assert_eq!(by(&one, json!("a")), Verdict::Good);
        assert_eq!(by(&two, json!("a")), Verdict::Bad, "named another one");
        assert_eq!(by(&one, json!("c")), Verdict::NoKey);
        assert_eq!(by(&one, json!(["a"])), Verdict::Bad);
        let unnamed = signed(&one, &json!({"alg": "ES256"}));
        assert_eq!(verdict(&unnamed, &keys), Verdict::Bad, "it is not clear which");
        assert_eq!(verdict(&unnamed, &keys[..1]), Verdict::Good);
        assert_eq!(verdict(&unnamed, &keys[1..]), Verdict::Bad);
        assert_eq!(verdict(&unnamed, &[]), Verdict::NoKey);
    }

    #[test]
    fn nobody_chooses_the_algorithm_or_brings_a_key_along() {
        let (key, known) = made(None);
        let keys = [known];
        let header = |also: Value| {
            let mut header = json!({"alg": "ES256"});
            header.as_object_mut().unwrap().extend(also.as_object().unwrap().clone());
            verdict(&signed(&key, &header), &keys)
        };
        assert_eq!(header(json!({})), Verdict::Good);
        for also in [json!({"crit": ["exp"]}), json!({"crit": []}), json!({"alg": "none"})] {
            assert_eq!(header(also.clone()), Verdict::Bad, "{also}");
        }
        for alg in ["HS256", "RS256", "EdDSA"] {
            assert_eq!(header(json!({"alg": alg})), Verdict::NoKey, "{alg}");
        }
        let token = signed(&key, &json!({"alg": "ES256"}));
        assert_eq!(Jws::read(&token).unwrap().verify(&keys, |one| one == Algorithm::EdDsa), Verdict::Bad);
        let (stranger, _) = made(None);
        let jwk = serde_json::to_value(stranger.public().unwrap()).unwrap();
        let brought = json!({"alg": "ES256", "jwk": jwk, "jku": "https://evil.example/", "x5c": ["x"]});
        assert_eq!(verdict(&signed(&stranger, &brought), &keys), Verdict::Bad);
    }

    #[test]
    fn what_is_meant_for_something_else_is_told_by_its_type() {
        let (key, _) = made(None);
        let typed = |typ: Value| {
            let token = signed(&key, &json!({"alg": "ES256", "typ": typ}));
            Jws::read(&token).unwrap().is_typed(&["JWT", "client-authentication+jwt"])
        };
        for good in ["JWT", "jwt", "client-authentication+jwt", "application/client-authentication+jwt"] {
            assert!(typed(json!(good)), "{good}");
        }
        for bad in [json!("at+jwt"), json!("dpop+jwt"), json!(""), json!(1), json!(null)] {
            assert!(!typed(bad.clone()), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_changed_text_is_not_signed(at: prop::sample::Index, to in "[A-Za-z0-9_-]") {
            let (key, known) = made(None);
            let token = signed(&key, &json!({"alg": "ES256"}));
            let at = at.index(token.len());
            let mut changed = token.clone();
            changed.replace_range(at..=at, &to);
            // The last character of a part has bits that say nothing, and one that is set there is refused.
            if changed != token {
                prop_assert_ne!(verdict(&changed, &[known]), Verdict::Good);
            }
        }

        #[test]
        fn garbage_is_nothing(token in "\\PC{0,100}|[A-Za-z0-9_-]{0,20}\\.[A-Za-z0-9_-]{0,20}\\.[A-Za-z0-9_-]{0,20}") {
            prop_assert_ne!(verdict(&token, &[VerifyingKey::shared(&[1; 32])]), Verdict::Good);
        }
    }
}
