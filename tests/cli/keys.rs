//! How tokens are signed, and what a change of that does to those who are logged in.
use std::fs;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use serde_json::{Value, json};

use crate::support::{PASSWORD, Place, Tokens};

const SHARED_SECRET: &str = "a secret of 32 bytes, at the least";

fn with_shared_secret(place: Place) -> Place {
    let file = place.file("shared", &format!("{SHARED_SECRET}\n"));
    place.with("tokens.algorithm", "HS256").with("tokens.shared_secret_file", file.to_str().unwrap())
}

/// Verifies a token as another service does: with the published key that its header names.
fn verify(tokens: &Tokens, keys: &[Value], algorithm: &str) {
    let header = decode_header(&tokens.access).unwrap();
    assert_eq!(format!("{:?}", header.alg), algorithm);
    let key = keys.iter().find(|key| key["kid"] == header.kid.as_deref().unwrap()).unwrap();
    assert_eq!((&key["alg"], &key["use"]), (&json!(algorithm), &json!("sig")));
    let key: Jwk = serde_json::from_value(key.clone()).unwrap();
    let mut validation = Validation::new(header.alg);
    validation.set_audience(&["http://id.test"]);
    validation.set_issuer(&["http://id.test"]);
    let claims = decode::<Value>(&tokens.access, &DecodingKey::from_jwk(&key).unwrap(), &validation).unwrap();
    assert_eq!(claims.claims["username"], "ann");
}

async fn others_can_verify(algorithm: &str, key_type: &str) {
    let place = Place::new().with("tokens.algorithm", algorithm);
    let server = place.start();
    let user = server.user("ann").await;
    assert_eq!(server.me(&user).await, 200);
    let keys = server.keys().await;
    assert_eq!(keys.len(), 2, "the one that signs and the one that will");
    for key in &keys {
        assert_eq!(key["kty"], key_type);
        for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert!(key.get(private).is_none(), "{private}");
        }
    }
    verify(&user, &keys, algorithm);
    let listed = place.json(&["--json", "keys", "list"]);
    assert!(listed["items"].as_array().unwrap().iter().all(|key| key["algorithm"] == algorithm), "{listed}");
}

#[tokio::test]
async fn es256_tokens_can_be_verified_by_others() {
    others_can_verify("ES256", "EC").await;
}

#[tokio::test]
async fn rs256_tokens_can_be_verified_by_others() {
    others_can_verify("RS256", "RSA").await;
}

#[tokio::test]
async fn eddsa_tokens_can_be_verified_by_others() {
    others_can_verify("EdDSA", "OKP").await;
}

#[tokio::test]
async fn hs256_tokens_can_be_verified_by_those_who_share_the_secret() {
    let place = with_shared_secret(Place::new());
    let server = place.start();
    let user = server.user("ann").await;
    assert_eq!(server.me(&user).await, 200);
    assert_eq!(server.keys().await, [] as [Value; 0], "a secret is not published");
    let (signed, signature) = user.access.rsplit_once('.').unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SHARED_SECRET.as_bytes());
    hmac::verify(&key, signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
    let said = place.run(&["keys", "rotate"]).refusal(1);
    assert!(said.contains("changing its file"), "{said}");
}

#[test]
fn a_shared_secret_that_cannot_be_used_is_named() {
    let place = Place::new().with("tokens.algorithm", "HS256");
    assert!(place.run(&["serve"]).refusal(2).contains("tokens.shared_secret_file must name a file"));
    let nowhere = place.with("tokens.shared_secret_file", "nowhere");
    assert!(nowhere.run(&["serve", "--listen", "127.0.0.1:0"]).refusal(3).contains("shared secret nowhere"));
    let short = nowhere.file("short", "31 bytes are not enough for it.");
    let short = nowhere.with("tokens.shared_secret_file", short.to_str().unwrap());
    let said = short.run(&["serve", "--listen", "127.0.0.1:0"]).refusal(3);
    assert!(said.contains("must have at least 32 bytes"), "{said}");
}

#[tokio::test]
async fn another_algorithm_at_the_next_start_logs_nobody_out() {
    let mut place = Place::new();
    let server = place.start();
    let mut everyone = vec![server.user("ann").await];
    server.stop();
    for algorithm in ["EdDSA", "RS256", "ES256"] {
        place = place.with("tokens.algorithm", algorithm);
        let server = place.start();
        let user = server.log_in("ann", PASSWORD).await;
        verify(&user, &server.keys().await, algorithm);
        everyone.push(user);
        for user in &everyone {
            assert_eq!(server.me(user).await, 200, "{algorithm}");
        }
        server.stop();
    }
    let server = place.start();
    for user in &everyone {
        assert_eq!(server.refresh(user).await.status(), 200);
    }
}

#[tokio::test]
async fn another_shared_secret_ends_access_tokens_and_no_session() {
    let place = with_shared_secret(Place::new());
    let server = place.start();
    let user = server.user("ann").await;
    server.stop();
    fs::write(place.file("shared", ""), "another secret of 32 bytes or more").unwrap();
    let server = place.start();
    assert_eq!(server.me(&user).await, 401);
    let refreshed = server.refresh(&user).await;
    assert_eq!(refreshed.status(), 200);
    assert_eq!(server.me(&Tokens::from(&refreshed)).await, 200);
}
