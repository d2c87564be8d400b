//! Signatures checked as a stranger would: by the keys that the server publishes, and by another library than its own.
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::support::{TestApp, jwt};

/// The claims of a token of one algorithm, once its signature was checked.
pub async fn verified(app: &TestApp, token: &str, algorithm: &str) -> Value {
    let (header, claims) = jwt::decode(token);
    assert_eq!(header["alg"], algorithm);
    let set: Value = app.get("/oauth2/jwks").await.json().await.unwrap();
    let fits = |key: &&Value| key["kid"] == header["kid"] && key["alg"] == algorithm;
    let key = set["keys"].as_array().unwrap().iter().find(fits).expect("a published key").clone();
    let (message, signature) = token.rsplit_once('.').unwrap();
    let part = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap();
    let (message, signature) = (message.as_bytes(), URL_SAFE_NO_PAD.decode(signature).unwrap());
    let is_good = match algorithm {
        "ES256" => {
            let point = [vec![4], part("x"), part("y")].concat();
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, &signature).is_ok()
        }
        "EdDSA" => UnparsedPublicKey::new(&ED25519, part("x")).verify(message, &signature).is_ok(),
        _ => {
            let scheme = match algorithm {
                "RS256" => &RSA_PKCS1_2048_8192_SHA256,
                _ => &RSA_PSS_2048_8192_SHA256,
            };
            let key = RsaPublicKeyComponents { n: part("n"), e: part("e") };
            key.verify(scheme, message, &signature).is_ok()
        }
    };
    assert!(is_good, "{algorithm}: the signature is not of the published key");
    claims
}
