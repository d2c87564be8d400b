//! The secrets of clients: shown once, kept as hashes, exchanged with time to spare.
use std::fs;

use reqwest::Method;
use serde_json::{Value, json};

use super::{by_basic, by_post, change, made, of, robot, rotate, secret_of, web, with};
use crate::support::TestApp;

#[tokio::test]
async fn a_secret_is_shown_once_and_kept_nowhere() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let one = secret_of(&made(&root, &with(robot("app"), "client_name", json!("Haystack"))).await);
    let two = secret_of(&app.json(rotate(&root, "app", 60), 200).await);
    assert_ne!(one, two);
    for secret in [&one, &two, "aso_wrong"] {
        by_basic(&app, "app", secret).await;
        by_post(&app, "app", secret).await;
    }
    let mut shown = String::new();
    for request in [
        of(&root, Method::GET, "app", ""),
        root.bearer(Method::GET, "/oauth-clients"),
        root.bearer(Method::GET, "/audit"),
        root.bearer(Method::GET, "/auth/me/activity"),
        change(&root, "app", &json!({"client_uri": "https://app.example/"})),
    ] {
        shown += &app.json(request, 200).await.to_string();
    }
    let id = auth_service::oauth::client::ClientId::parse("app").unwrap();
    let client = app.app.oauth_clients.read(&id).unwrap();
    shown += &format!("{client:?} {:?} {:?} {:?}", client.secrets, client.metadata, client.rules);
    let hash = client.secrets[0].hash;
    assert!(!shown.contains(&format!("{}, {}, {}", hash[0], hash[1], hash[2])), "{shown}");
    let data_dir = app.stop().await;
    let store = fs::read(data_dir.path().join("auth.redb")).unwrap();
    let holds = |needle: &[u8]| store.windows(needle.len()).any(|part| part == needle);
    for secret in [&one, &two] {
        let part = &secret[4..24];
        assert!(!shown.contains(part));
        for file in fs::read_dir(data_dir.path()).unwrap().map(|entry| entry.unwrap().path()) {
            let bytes = if file.is_file() { fs::read(&file).unwrap() } else { Vec::new() };
            assert!(!bytes.windows(part.len()).any(|one| one == part.as_bytes()), "{}", file.display());
        }
    }
    assert!(holds(b"Haystack") && holds(&hash), "the search finds what is there");
}

#[tokio::test]
async fn the_secret_before_is_good_for_its_overlap_and_no_longer() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let one = secret_of(&made(&root, &robot("app")).await);
    let two = secret_of(&app.json(rotate(&root, "app", 60), 200).await);
    let both = async || (by_basic(&app, "app", &one).await, by_basic(&app, "app", &two).await);
    assert_eq!(both().await, (200, 200));
    let shown = app.json(of(&root, Method::GET, "app", ""), 200).await;
    let secrets = json!([
        {"created_at": "2027-01-15T08:00:00Z", "expires_at": null},
        {"created_at": "2027-01-15T08:00:00Z", "expires_at": "2027-01-15T08:01:00Z"},
    ]);
    assert_eq!(shown["secrets"], secrets);
    app.clock.advance_secs(59);
    assert_eq!(both().await, (200, 200));
    app.clock.advance_secs(1);
    assert_eq!(both().await, (401, 200));
    // Without a word about an overlap there is none.
    let bare = of(&root, Method::POST, "app", "/secret").json(&json!({}));
    let three = secret_of(&app.json(bare, 200).await);
    assert_eq!(both().await, (401, 401));
    // Two at a time: the one before the last is worth nothing, whatever it was promised.
    let four = secret_of(&app.json(rotate(&root, "app", 2_592_000), 200).await);
    let five = secret_of(&app.json(rotate(&root, "app", 2_592_000), 200).await);
    for (secret, status) in [(&three, 401), (&four, 200), (&five, 200)] {
        assert_eq!(by_basic(&app, "app", secret).await, status);
    }
    for overlap in [-1, 2_592_001] {
        app.refuses(rotate(&root, "app", overlap), "overlap_seconds").await;
    }
    assert_eq!(by_basic(&app, "app", &five).await, 200, "what was refused has changed nothing");
}

#[tokio::test]
async fn a_client_proves_itself_in_the_way_that_it_has_registered_and_no_other() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let both = with(web("app"), "grant_types", json!(["authorization_code", "client_credentials"]));
    let one = secret_of(&made(&root, &both).await);
    let ways = async |secret: &str| (by_basic(&app, "app", secret).await, by_post(&app, "app", secret).await);
    assert_eq!(ways(&one).await, (200, 401));
    let by = |method: &str| change(&root, "app", &json!({"token_endpoint_auth_method": method}));
    // The secret stays, and the way is another.
    let changed = app.json(by("client_secret_post"), 200).await;
    assert_eq!(changed["client_secret"], Value::Null);
    assert_eq!(ways(&one).await, (401, 200));
    // Without a secret it cannot act for itself.
    app.refuses(by("none"), "grant_types").await;
    let public = json!({"token_endpoint_auth_method": "none", "grant_types": ["authorization_code"]});
    let changed = app.json(change(&root, "app", &public), 200).await;
    assert_eq!((&changed["client_secret"], &changed["secrets"]), (&Value::Null, &json!([])));
    assert_eq!(changed["require_pkce"], true);
    app.refuses(rotate(&root, "app", 0), "client_id").await;
    // And has another one when it needs one again; that from before is none.
    let again =
        json!({"token_endpoint_auth_method": "client_secret_basic", "grant_types": ["client_credentials"]});
    let changed = app.json(change(&root, "app", &again), 200).await;
    let two = secret_of(&changed);
    assert_eq!((ways(&one).await, ways(&two).await), ((401, 401), (200, 401)));
    assert_eq!(changed["response_types"], json!([]));
}

#[tokio::test]
async fn a_client_that_was_made_anew_has_nothing_of_the_one_before() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let one = secret_of(&made(&root, &robot("app")).await);
    app.done(of(&root, Method::DELETE, "app", "")).await;
    app.clock.advance_secs(1);
    let two = secret_of(&made(&root, &robot("app")).await);
    assert_eq!((by_basic(&app, "app", &one).await, by_basic(&app, "app", &two).await), (401, 200));
}
