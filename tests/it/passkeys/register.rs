//! Making passkeys, and answers that make none.
use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use super::{asked_for_new, device, events, listed, new_passkey, register};
use crate::support::{Authenticator, TestApp, bytes, text};

#[tokio::test]
async fn a_passkey_is_registered_and_listed_with_all_that_is_known_of_it() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let made = register(&ann, &mut Authenticator::synchronised(&device(&app).origin)).await;
    assert_eq!((&made["name"], &made["rp_id"]), (&json!("Laptop"), &json!("localhost")));
    assert_eq!(made["aaguid"], "a5a5a5a5-a5a5-a5a5-a5a5-a5a5a5a5a5a5");
    assert_eq!((&made["backup_eligible"], &made["backed_up"]), (&json!(true), &json!(true)));
    assert_eq!(made["transports"], json!(["internal", "hybrid"]));
    assert_eq!((&made["created_at"], &made["last_used_at"]), (&json!("2027-01-15T08:00:00Z"), &Value::Null));
    assert_eq!(listed(&ann).await, std::slice::from_ref(&made));
    let event = events(&app, "passkey.registered").await.pop().unwrap();
    assert!(event.details.contains(&("passkey".to_owned(), made["id"].as_str().unwrap().to_owned())));
}

#[tokio::test]
async fn a_user_is_known_to_authenticators_by_a_handle_that_says_nothing() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let handle = async |person| bytes(&asked_for_new(person).await["options"]["user"]["id"]);
    let (first, again, other) = (handle(&ann).await, handle(&ann).await, handle(&bob).await);
    assert_eq!((first.len(), &first), (16, &again));
    assert_ne!(first, other);
    assert!(!first.ends_with(&[ann.id() as u8]) || first[..8] != [0; 8]);
}

#[tokio::test]
async fn an_authenticator_that_has_a_passkey_already_is_told_so() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut device = device(&app);
    register(&ann, &mut device).await;
    let asked = asked_for_new(&ann).await;
    let expected =
        json!([{"type": "public-key", "id": text(&device.keys[0].id), "transports": ["internal", "hybrid"]}]);
    assert_eq!(asked["options"]["excludeCredentials"], expected);
}

#[tokio::test]
async fn nobody_registers_the_passkey_of_somebody_else() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let mut device = device(&app);
    register(&ann, &mut device).await;
    // The same key once more, for another account and for the same one.
    for who in [&bob, &ann] {
        let asked = asked_for_new(who).await;
        let credential = device.attest(&asked["options"], 0);
        let reason = app.refuses(new_passkey(who, &asked, &credential), "credential").await;
        assert_eq!(reason, "is registered already");
    }
    // Another key under its name.
    let asked = asked_for_new(&bob).await;
    let mut credential = Authenticator::new(&device.origin).create(&asked["options"]);
    credential["rawId"] = json!(text(&device.keys[0].id));
    credential["id"] = credential["rawId"].clone();
    let reason = app.refuses(new_passkey(&bob, &asked, &credential), "credential").await;
    assert_eq!(reason, "cannot be read");
    assert!(listed(&bob).await.is_empty() && listed(&ann).await.len() == 1);
}

#[tokio::test]
async fn a_challenge_is_good_once_for_its_session_and_for_five_minutes() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let again = app.log_in("ann", crate::support::PASSWORD).await;
    let mut device = device(&app);
    let asked = asked_for_new(&ann).await;
    let credential = device.create(&asked["options"]);
    for other in [&bob, &again] {
        app.refuses(new_passkey(other, &asked, &credential), "challenge_id").await;
    }
    app.clock.advance_secs(299);
    app.json(new_passkey(&ann, &asked, &credential), 201).await;
    app.refuses(new_passkey(&ann, &asked, &credential), "challenge_id").await;
    let late = asked_for_new(&ann).await;
    device.keys.clear();
    let credential = device.create(&late["options"]);
    app.clock.advance_secs(300);
    app.refuses(new_passkey(&ann, &late, &credential), "challenge_id").await;
    assert_eq!(listed(&ann).await.len(), 1);
    // A challenge for a login is none for this.
    let login = super::asked_for_login(&app).await;
    app.refuses(new_passkey(&ann, &login, &credential), "challenge_id").await;
}

#[tokio::test]
async fn what_is_wrong_with_an_answer_is_said_and_is_in_the_trail() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let good = || device(&app);
    let cases: [(Authenticator, &str, &str); 7] = [
        (Authenticator { is_framed: true, ..good() }, "was made in a frame of another origin", "framed"),
        (
            Authenticator { origin: "https://evil.example".into(), ..good() },
            "was made for another origin",
            "other_origin",
        ),
        (
            Authenticator { rp_id: Some("evil.example".into()), ..good() },
            "was made for another relying party",
            "other_relying_party",
        ),
        (
            Authenticator { verifies: false, ..good() },
            "was made without verifying its user",
            "user_not_verified",
        ),
        (Authenticator { is_present: false, ..good() }, "was made without its user", "user_not_present"),
        (
            Authenticator { backup: (false, true), ..good() },
            "contradicts itself about backups",
            "backup_state",
        ),
        (
            Authenticator { origin: "http://localhost:1".into(), ..good() },
            "was made for another origin",
            "other_origin",
        ),
    ];
    for (mut device, reason, in_trail) in cases {
        let asked = asked_for_new(&ann).await;
        let credential = device.create(&asked["options"]);
        let said = app.refuses(new_passkey(&ann, &asked, &credential), "credential").await;
        assert!(said.starts_with(reason), "{said}");
        // What is wrong with an origin is mended by whoever reads it.
        let names = said.contains(&format!("{} instead of {}", device.origin, good().origin));
        assert_eq!(names, in_trail == "other_origin", "{said}");
        let event = events(&app, "passkey.registration_refused").await.pop().unwrap();
        assert_eq!(event.details[0], ("reason".to_owned(), in_trail.to_owned()));
    }
    // The answer to another challenge, and one to another question.
    let (asked, other) = (asked_for_new(&ann).await, asked_for_new(&ann).await);
    let mut device = good();
    let credential = device.create(&other["options"]);
    let reason = app.refuses(new_passkey(&ann, &asked, &credential), "credential").await;
    assert_eq!(reason, "answers another challenge");
    assert!(listed(&ann).await.is_empty());
}

#[tokio::test]
async fn what_an_answer_lacks_is_named() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let asked = asked_for_new(&ann).await;
    let credential = device(&app).create(&asked["options"]);
    for member in ["clientDataJSON", "attestationObject"] {
        let mut lacking = credential.clone();
        lacking["response"].as_object_mut().unwrap().remove(member);
        let reason = app.refuses(new_passkey(&ann, &asked, &lacking), "credential").await;
        assert!(reason.contains(&format!("response.{member}")), "{reason}");
    }
    for wrong in [json!(5), json!([]), json!("text"), json!({"id": 5})] {
        app.refuses(new_passkey(&ann, &asked, &wrong), "credential").await;
    }
    let body = json!({"challenge_id": "x", "credential": credential, "name": ""});
    let request = ann.bearer(Method::POST, "/auth/passkeys/register/finish").json(&body);
    assert_eq!(app.refuses(request, "name").await, "must have 1 to 100 characters");
}

#[tokio::test]
async fn an_account_has_room_for_so_many() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut device = device(&app);
    for _ in 0..20 {
        register(&ann, &mut device).await;
    }
    let request = ann.bearer(Method::POST, "/auth/passkeys/register/start").json(&json!({}));
    assert!(app.refuses(request, "passkeys").await.starts_with("are at most 20"));
}

#[tokio::test]
async fn challenges_are_long_and_never_the_same() {
    let app = TestApp::start().await;
    let (mut challenges, mut ids) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..1000 {
        let asked = app.app.passkeys.start_login().unwrap();
        assert!(bytes(&asked.options["challenge"]).len() >= 16);
        challenges.insert(asked.options["challenge"].as_str().unwrap().to_owned());
        ids.insert(asked.challenge_id);
    }
    assert_eq!((challenges.len(), ids.len()), (1000, 1000));
}

#[tokio::test]
async fn a_program_with_a_key_makes_no_passkeys() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let key = ann.key(json!({"name": "all", "unrestricted": true})).await;
    let request = app.request(Method::POST, "/auth/passkeys/register/start").header("X-API-Key", &key);
    let details = app.fails(request.json(&json!({})), 403, "FORBIDDEN").await;
    assert_eq!(details["permission"], "account:factors");
}

#[tokio::test]
async fn a_new_passkey_needs_a_recent_login() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let asked = asked_for_new(&ann).await;
    app.clock.advance_secs(899);
    let ann = ann.refreshed().await;
    asked_for_new(&ann).await;
    app.clock.advance_secs(2);
    let request = ann.bearer(Method::POST, "/auth/passkeys/register/start").json(&json!({}));
    app.fails(request, 403, "REAUTHENTICATION_REQUIRED").await;
    drop(asked);
}
