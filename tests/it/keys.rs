//! Signing keys: published, rotated in stages, forgotten when their last token has ended.
use auth_service::keys::Stage;
use reqwest::Method;
use serde_json::Value;

use crate::support::{PASSWORD, Person, Setup, TestApp, jwt};

const DAY: i64 = 86_400;

async fn published(app: &TestApp) -> Vec<Value> {
    let set = app.json(app.request(Method::GET, "/oauth2/jwks"), 200).await;
    set["keys"].as_array().unwrap().clone()
}

async fn published_ids(app: &TestApp) -> Vec<String> {
    let mut ids: Vec<_> =
        published(app).await.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

fn signer(user: &Person) -> String {
    jwt::decode(&user.tokens.access).0["kid"].as_str().unwrap().to_owned()
}

/// The key that is to sign next.
fn next(app: &TestApp) -> String {
    let keys = app.app.keys.list();
    keys.into_iter().find(|(_, _, stage)| *stage == Stage::Next).unwrap().0
}

#[tokio::test]
async fn the_public_keys_are_published_and_nothing_else_of_them() {
    let app = TestApp::start().await;
    let keys = published(&app).await;
    assert_eq!(keys.len(), 2, "the one that signs and the one that will");
    for key in &keys {
        let mut names: Vec<_> = key.as_object().unwrap().keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x", "y"]);
        assert_eq!(
            (&key["alg"], &key["use"], &key["crv"]),
            (&"ES256".into(), &"sig".into(), &"P-256".into())
        );
    }
}

#[tokio::test]
async fn a_published_key_verifies_our_tokens() {
    for algorithm in ["ES256", "RS256", "EdDSA"] {
        let app = Setup::default().with("tokens.algorithm", algorithm).start().await;
        let token = app.user("ann").await.tokens.access;
        let header = jsonwebtoken::decode_header(&token).unwrap();
        let keys = published(&app).await;
        let key = keys.iter().find(|key| key["kid"] == header.kid.clone().unwrap().as_str()).unwrap();
        let key = jsonwebtoken::DecodingKey::from_jwk(&serde_json::from_value(key.clone()).unwrap()).unwrap();
        let mut validation = jsonwebtoken::Validation::new(header.alg);
        validation.set_audience(&[format!("http://localhost:{}", app.address.port())]);
        validation.validate_exp = false;
        let decoded = jsonwebtoken::decode::<Value>(&token, &key, &validation).unwrap();
        assert_eq!(decoded.claims["username"], "ann", "{algorithm}");
    }
}

#[tokio::test]
async fn a_rotation_goes_in_stages_and_logs_nobody_out() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let (first, second) = (signer(&ann), next(&app));
    let mut before = vec![first.clone(), second.clone()];
    before.sort();
    assert_eq!(published_ids(&app).await, before);

    app.app.keys.rotate(auth_service::rbac::Initiator::host()).await.unwrap();
    assert_eq!(ann.status().await, 200, "what the old key signed is still taken");
    let bob = app.user("bob").await;
    assert_eq!(signer(&bob), second, "others knew this key before it signed");
    assert_eq!(published_ids(&app).await.len(), 3);
    let ann_again = ann.refreshed().await;
    assert_eq!(signer(&ann_again), second);

    app.app.keys.rotate(auth_service::rbac::Initiator::host()).await.unwrap();
    for person in [&ann, &bob, &ann_again] {
        assert_eq!(person.status().await, 200);
    }
    assert!(published_ids(&app).await.contains(&first));
}

#[tokio::test]
async fn an_old_key_goes_when_its_last_token_has_ended_and_not_before() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let first = signer(&ann);
    app.app.keys.rotate(auth_service::rbac::Initiator::host()).await.unwrap();
    app.clock.advance_secs(899);
    app.app.keys.rotate(auth_service::rbac::Initiator::host()).await.unwrap();
    assert!(published_ids(&app).await.contains(&first));
    assert_eq!(ann.status().await, 200);
    // What lasts longest is an ID token.
    app.clock.advance_secs(3600 - 899);
    app.app.keys.rotate(auth_service::rbac::Initiator::host()).await.unwrap();
    assert!(published_ids(&app).await.contains(&first));
    app.clock.advance_secs(1);
    app.app.keys.rotate(auth_service::rbac::Initiator::host()).await.unwrap();
    assert!(!published_ids(&app).await.contains(&first));
    app.fails(ann.bearer(Method::GET, "/auth/me"), 401, "TOKEN_EXPIRED").await;
    assert_eq!(ann.refreshed().await.status().await, 200, "the session goes on");
}

#[tokio::test]
async fn keys_rotate_by_time() {
    let app = Setup::default().with("keys.rotation_days", "7").start().await;
    let first = published_ids(&app).await;
    app.clock.advance_secs(7 * DAY - 1);
    app.app.tend().await;
    assert_eq!(published_ids(&app).await, first);
    app.clock.advance_secs(1);
    let user = app.user("ann").await;
    app.app.tend().await;
    assert_eq!(published_ids(&app).await.len(), 3);
    app.app.tend().await;
    assert_eq!(published_ids(&app).await.len(), 3, "once is enough");
    assert_eq!(user.status().await, 200);
}

#[tokio::test]
async fn without_a_time_keys_rotate_only_by_hand() {
    let app = Setup::default().with("keys.rotation_days", "0").start().await;
    let first = published_ids(&app).await;
    app.clock.advance_secs(3650 * DAY);
    app.app.tend().await;
    assert_eq!(published_ids(&app).await, first);
}

#[tokio::test]
async fn keys_and_their_stages_outlive_a_restart() {
    let setup = || Setup::default().at("http://id.example");
    let app = setup().start().await;
    let ann = app.user("ann").await.tokens;
    app.app.keys.rotate(auth_service::rbac::Initiator::host()).await.unwrap();
    let bob = app.user("bob").await.tokens;
    let before = published_ids(&app).await;
    let app = app.restart(setup()).await;
    assert_eq!(published_ids(&app).await, before);
    assert_eq!((app.person(ann).status().await, app.person(bob.clone()).status().await), (200, 200));
    assert_eq!(signer(&app.log_in("ann", PASSWORD).await), signer(&app.person(bob)));
}

#[tokio::test]
async fn another_algorithm_is_a_rotation_to_it() {
    let setup =
        |algorithm: &str| Setup::default().at("http://id.example").with("tokens.algorithm", algorithm);
    let app = setup("ES256").start().await;
    let ann = app.user("ann").await.tokens;
    let app = app.restart(setup("EdDSA")).await;
    let ann = app.person(ann);
    assert_eq!(ann.status().await, 200);
    let next = ann.refreshed().await;
    assert_eq!(jwt::decode(&next.tokens.access).0["alg"], "EdDSA");
    assert_eq!((ann.status().await, next.status().await), (200, 200));
}

#[tokio::test]
async fn private_keys_lie_in_the_store_encrypted() {
    let app = TestApp::start().await;
    let master = app.data_dir.path().join("master.key");
    let file = std::fs::read(app.data_dir.path().join("auth.redb")).unwrap();
    // Every PKCS#8 key of ours begins like this (RFC 5208, version and algorithm of P-256).
    let start = [0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
    assert!(!file.windows(start.len()).any(|part| part == start));
    let data_dir = app.stop().await;
    std::fs::remove_file(&master).unwrap();
    let options = auth_service::store::Options::in_directory(data_dir.path(), auth_service::app::SCHEMA);
    let store = auth_service::store::Store::open(data_dir.path(), options).unwrap();
    let flags = auth_service::config::Flags {
        data_dir: data_dir.path().to_str().map(str::to_owned),
        ..auth_service::config::Flags::default()
    };
    let (config, _) = auth_service::config::load(&flags, std::iter::empty()).unwrap();
    let opened = auth_service::app::App::open(config, auth_service::base::Env::system(), store).await;
    assert!(opened.is_err(), "without the master key there is no start");
    assert!(!master.exists(), "and no other one is made");
}

#[tokio::test]
async fn what_is_over_is_swept() {
    let app = Setup::default().with("tokens.refresh_lifetime_secs", "1000").start().await;
    let rows = |table: &'static str| {
        let findings = app.app.store.verify(&auth_service::app::CHECKS.concat()).unwrap();
        assert_eq!(findings.problems, Vec::<String>::new());
        findings.tables.get(table).copied().unwrap_or_default()
    };
    let user = app.user("ann").await.refreshed().await;
    app.log_in("ann", PASSWORD).await.log_out().await;
    app.log_in("ann", PASSWORD).await;
    assert_eq!((rows("session"), rows("revoked_token")), (2, 1));
    app.clock.advance_secs(899);
    app.app.tend().await;
    assert_eq!((rows("session"), rows("revoked_token")), (2, 1));
    app.clock.advance_secs(1);
    app.app.tend().await;
    assert_eq!((rows("session"), rows("revoked_token")), (2, 0));
    let user = user.refreshed().await;
    app.clock.advance_secs(100);
    app.app.tend().await;
    assert_eq!(rows("session"), 1, "the one that was refreshed goes on");
    assert_eq!(user.status().await, 200);
    app.clock.advance_secs(900);
    app.app.tend().await;
    for table in ["session", "session.by_user", "session.exchange", "revoked_token", "store.expiry"] {
        assert_eq!(rows(table), 0, "{table}");
    }
    assert_eq!(rows("user"), 1);
}
