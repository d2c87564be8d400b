//! Tokens taken apart, and forged.
use auth_service::crypto::{Algorithm, SigningKey, signing};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// Header and claims of a token, its signature unchecked.
pub fn decode(token: &str) -> (Value, Value) {
    let parts: Vec<_> = token.split('.').collect();
    assert_eq!(parts.len(), 3, "{token}");
    let part = |text| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap();
    (part(parts[0]), part(parts[1]))
}

/// Claims alone.
pub fn claims(token: &str) -> Value {
    decode(token).1
}

/// A key that the server has never seen.
pub fn foreign_key(algorithm: Algorithm) -> SigningKey {
    SigningKey::parse(algorithm, &signing::generate(algorithm).unwrap()).unwrap()
}

/// A token with any header and any claims, signed with any key.
pub fn forge(key: &SigningKey, header: &Value, claims: &Value) -> String {
    let message = unsigned(header, claims);
    let signature = URL_SAFE_NO_PAD.encode(key.sign(message.as_bytes()).unwrap());
    format!("{message}.{signature}")
}

/// Header and claims as they are signed.
pub fn unsigned(header: &Value, claims: &Value) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", encode(header), encode(claims))
}
