//! A proof that whoever sends a request holds a key (RFC 9449 section 4), and every rule that it has to keep. Pure.
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Number, Value};
use url::Url;

use crate::base::Timestamp;
use crate::crypto::{Algorithm, PublicKey, Thumbprint, sha256};

/// The media type of a proof (section 4.2).
const TYPE: &str = "dpop+jwt";
/// More than a proof with the largest key that is taken.
const MAX_BYTES: usize = 8192;
const MAX_JTI: usize = 256;
/// Seconds that a client's clock may be ahead, or behind where it says itself when a proof ends.
pub const AHEAD_SECS: i64 = 10;

/// What a proof has to be about.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'e> {
    pub method: &'e str,
    /// Without query and fragment.
    pub uri: &'e Url,
    /// The one that the request brings along, where it does.
    pub access_token: Option<&'e str>,
    /// Seconds that a proof may be old.
    pub window: i64,
}

/// A proof that keeps every rule but those that need a memory: whether it is new, and whether its nonce is one of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    pub key: Thumbprint,
    /// What no other proof of the key is called.
    pub id: String,
    pub made_at: Timestamp,
    pub nonce: Option<String>,
}

#[derive(Deserialize)]
struct Header {
    typ: String,
    alg: String,
    jwk: Value,
    crit: Option<Value>,
}

#[derive(Deserialize)]
struct Claims {
    jti: String,
    htm: String,
    htu: String,
    iat: Number,
    exp: Option<Number>,
    nbf: Option<Number>,
    ath: Option<String>,
    nonce: Option<String>,
}

/// Reads a proof and looks at every rule, in the order of section 4.3.
///
/// # Errors
/// The first rule that is broken.
pub fn read(text: &str, expected: &Expected<'_>, now: Timestamp) -> Result<Proof, &'static str> {
    let (key, claims) = verified(text)?;
    check_target(&claims, expected)?;
    let made_at = check_times(&claims, expected.window, now)?;
    check_access_token(&claims, expected.access_token)?;
    if !(1..=MAX_JTI).contains(&claims.jti.len()) {
        return Err("jti must have 1 to 256 bytes");
    }
    Ok(Proof { key: key.thumbprint(), id: claims.jti, made_at, nonce: claims.nonce })
}

/// What a proof says, signed by the key that it says: neither `kid` nor any URL in it leads to another one.
fn verified(text: &str) -> Result<(PublicKey, Claims), &'static str> {
    const FORM: &str = "the proof is no signed JWT with all that it has to have";
    if text.len() > MAX_BYTES {
        return Err("the proof is too long");
    }
    let (message, signature) = text.rsplit_once('.').ok_or(FORM)?;
    let (header, payload) = message.split_once('.').ok_or(FORM)?;
    let header: Header = part(header).ok_or(FORM)?;
    if !header.typ.eq_ignore_ascii_case(TYPE) {
        return Err("typ must be dpop+jwt");
    }
    if header.crit.is_some() {
        return Err("crit has something that is not known here");
    }
    // Neither none nor what is signed with a shared secret is in the list.
    let algorithm = Algorithm::public_key(&header.alg).ok_or("alg must be ES256, EdDSA, RS256 or PS256")?;
    let key = PublicKey::parse(&header.jwk)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| FORM)?;
    if !key.has_signed(algorithm, message.as_bytes(), &signature) {
        return Err("the signature is not of the key in the proof");
    }
    Ok((key, part(payload).ok_or(FORM)?))
}

fn part<T: DeserializeOwned>(encoded: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(encoded).ok()?).ok()
}

/// Each proof is for one method and one URI; query and fragment say nothing.
fn check_target(claims: &Claims, expected: &Expected<'_>) -> Result<(), &'static str> {
    if claims.htm != expected.method {
        return Err("htm is not the method of the request");
    }
    let mut uri = Url::parse(&claims.htu).map_err(|_| "htu must be a URL")?;
    uri.set_query(None);
    uri.set_fragment(None);
    if uri == *expected.uri { Ok(()) } else { Err("htu is not the URL of the request") }
}

fn check_times(claims: &Claims, window: i64, now: Timestamp) -> Result<Timestamp, &'static str> {
    let made_at = at(&claims.iat).ok_or("iat must be a time")?;
    let age = now.secs().saturating_sub(made_at.secs());
    if age > window || age < -AHEAD_SECS {
        return Err("iat is too long ago, or yet to come");
    }
    let time =
        |number: &Option<Number>| number.as_ref().map(|number| at(number).ok_or("exp and nbf must be times"));
    let (end, begin) = (time(&claims.exp).transpose()?, time(&claims.nbf).transpose()?);
    if end.is_some_and(|end| now >= end.plus_secs(AHEAD_SECS)) {
        return Err("the proof is over (exp)");
    }
    if begin.is_some_and(|begin| now.plus_secs(AHEAD_SECS) < begin) {
        return Err("the proof is not good yet (nbf)");
    }
    Ok(made_at)
}

/// Seconds, which need not be whole (RFC 7519 section 2).
fn at(number: &Number) -> Option<Timestamp> {
    const LATEST: f64 = 1e12;
    let seconds = number.as_f64().filter(|seconds| (0.0..LATEST).contains(seconds))?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "it is within bounds, and what is below a second says nothing"
    )]
    Some(Timestamp::from_secs(seconds as i64))
}

/// What is sent with an access token is about this very token (section 4.3, check 11).
fn check_access_token(claims: &Claims, token: Option<&str>) -> Result<(), &'static str> {
    let Some(token) = token else { return Ok(()) };
    let hash = URL_SAFE_NO_PAD.encode(sha256(&[token.as_bytes()]));
    if claims.ath.as_deref() == Some(hash.as_str()) {
        Ok(())
    } else {
        Err("ath is not the hash of the access token")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::crypto::signing::{SigningKey, generate};

    const NOW: Timestamp = Timestamp::from_secs(1_562_262_616);
    const WINDOW: i64 = 60;
    const URI: &str = "https://server.example.com/token";
    /// The proof of RFC 9449 section 5.
    const EXAMPLE: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";

    fn key() -> SigningKey {
        SigningKey::parse(Algorithm::Es256, &generate(Algorithm::Es256).unwrap()).unwrap()
    }

    fn header(key: &SigningKey) -> Value {
        json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": key.public().unwrap()})
    }

    fn claims() -> Value {
        json!({"jti": "j", "htm": "POST", "htu": URI, "iat": NOW.secs()})
    }

    fn signed(key: &SigningKey, header: &Value, claims: &Value) -> String {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", encode(header), encode(claims));
        let signature = key.sign(message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn check(text: &str, access_token: Option<&str>) -> Result<Proof, &'static str> {
        let uri = Url::parse(URI).unwrap();
        read(text, &Expected { method: "POST", uri: &uri, access_token, window: WINDOW }, NOW)
    }

    #[test]
    fn the_proof_of_the_specification_is_good() {
        let proof = check(EXAMPLE, None).unwrap();
        assert_eq!(proof.key.to_string(), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
        assert_eq!((proof.id.as_str(), proof.made_at), ("-BwC3ESc6acc2lTc", NOW));
    }

    #[test]
    fn every_header_that_is_not_as_it_has_to_be_is_refused() {
        let key = key();
        let good = header(&key);
        assert!(check(&signed(&key, &good, &claims()), None).is_ok());
        let mut with_secret = good["jwk"].clone();
        with_secret["d"] = json!("AAAA");
        for (name, value) in [
            ("typ", json!("JWT")),
            ("typ", json!("at+jwt")),
            ("typ", Value::Null),
            ("alg", json!("none")),
            ("alg", json!("HS256")),
            ("alg", json!("ES384")),
            ("alg", json!("EdDSA")),
            ("alg", Value::Null),
            ("jwk", Value::Null),
            ("jwk", with_secret),
            ("jwk", json!({"kty": "oct", "k": "AAAA"})),
            ("jwk", json!("https://a.example/key")),
            ("jwk", header(&self::key())["jwk"].clone()),
            ("crit", json!(["exp"])),
        ] {
            let mut header = good.clone();
            header[name] = value.clone();
            assert!(check(&signed(&key, &header, &claims()), None).is_err(), "{name} {value}");
        }
    }

    #[test]
    fn every_claim_that_is_not_as_it_has_to_be_is_refused() {
        let key = key();
        for (name, value) in [
            ("jti", Value::Null),
            ("jti", json!("")),
            ("jti", json!("x".repeat(257))),
            ("jti", json!(1)),
            ("htm", json!("GET")),
            ("htm", json!("post")),
            ("htm", Value::Null),
            ("htu", json!("https://server.example.com/token/")),
            ("htu", json!("https://server.example.com/other")),
            ("htu", json!("http://server.example.com/token")),
            ("htu", json!("https://other.example.com/token")),
            ("htu", json!("https://server.example.com:8443/token")),
            ("htu", json!("https://u@server.example.com/token")),
            ("htu", json!("/token")),
            ("htu", Value::Null),
            ("iat", json!(NOW.secs() - WINDOW - 1)),
            ("iat", json!(NOW.secs() + AHEAD_SECS + 1)),
            ("iat", json!("1562262616")),
            ("iat", json!(-1)),
            ("iat", json!(1e300)),
            ("iat", Value::Null),
            ("exp", json!(NOW.secs() - AHEAD_SECS)),
            ("exp", json!("soon")),
            ("nbf", json!(NOW.secs() + AHEAD_SECS + 1)),
            ("nonce", json!(1)),
        ] {
            let mut claims = claims();
            claims[name] = value.clone();
            assert!(check(&signed(&key, &header(&key), &claims), None).is_err(), "{name} {value}");
        }
    }

    #[test]
    fn a_url_is_compared_by_what_it_means_without_query_and_fragment() {
        let key = key();
        for (name, value) in [
            ("htu", json!("https://server.example.com/token?a=b#c")),
            ("htu", json!("HTTPS://SERVER.example.com:443/a/../token")),
            ("iat", json!(NOW.secs() - WINDOW)),
            ("iat", json!(NOW.secs() + AHEAD_SECS)),
            ("iat", json!(1_562_262_616.5)),
            ("exp", json!(NOW.secs() + 1)),
            ("nbf", json!(NOW.secs() + AHEAD_SECS)),
            ("unknown", json!({"a": 1})),
        ] {
            let mut claims = claims();
            claims[name] = value.clone();
            assert!(check(&signed(&key, &header(&key), &claims), None).is_ok(), "{name} {value}");
        }
    }

    #[test]
    fn with_an_access_token_a_proof_is_about_this_very_one() {
        let key = key();
        let ath = |token: &str| URL_SAFE_NO_PAD.encode(sha256(&[token.as_bytes()]));
        for (value, is_good) in
            [(json!(ath("t")), true), (json!(ath("T")), false), (json!("t"), false), (json!(null), false)]
        {
            let mut claims = claims();
            claims["ath"] = value.clone();
            let read = check(&signed(&key, &header(&key), &claims), Some("t"));
            assert_eq!(read.is_ok(), is_good, "{value}");
        }
    }

    proptest! {
        #[test]
        fn a_damaged_proof_is_refused(at: prop::sample::Index, bit in 0..7_u8) {
            let mut bytes = EXAMPLE.as_bytes().to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            if let Ok(text) = String::from_utf8(bytes) {
                prop_assert!(check(&text, None).is_err());
            }
        }

        #[test]
        fn garbage_is_refused(text in "\\PC{0,200}|[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,40}") {
            prop_assert!(check(&text, None).is_err());
        }
    }
}
