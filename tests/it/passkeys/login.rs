//! Logging in with passkeys, and answers that let nobody in.
use auth_service::base::{Clock, Error};
use auth_service::passkey::change::spend;
use auth_service::passkey::{Purpose, Reply};
use auth_service::rbac::Initiator;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    asked_for_login, asked_for_new, device, events, listed, log_in, logged_in, login, refusal, register,
    was_refused_for,
};
use crate::support::{Authenticator, Setup, TestApp, bytes, jwt, set_cookie, text};

#[tokio::test]
async fn a_passkey_is_a_whole_login_without_any_name() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut device = device(&app);
    let made = register(&ann, &mut device).await;
    app.clock.advance_secs(60);
    let answer = log_in(&app, &mut device).await;
    assert!(set_cookie(answer.headers(), "access_token_cookie").contains("HttpOnly"));
    let again = app.person(crate::support::Tokens::from(answer).await);
    assert_eq!(again.profile().await["username"], "ann");
    let claims = jwt::claims(&again.tokens.access);
    assert_eq!((&claims["amr"], &claims["acr"]), (&json!(["pop", "user", "mfa"]), &json!("aal2")));
    assert_eq!(claims["auth_time"], 1_800_000_060);
    let shown = listed(&again).await.pop().unwrap();
    assert_eq!(
        (&shown["last_used_at"], &shown["last_used_address"]),
        (&json!("2027-01-15T08:01:00Z"), &json!("127.0.0.1"))
    );
    let event = events(&app, "passkey.used").await.pop().unwrap();
    assert!(event.details.contains(&("passkey".to_owned(), made["id"].as_str().unwrap().to_owned())));
    // And the next time, and with a device that does not count.
    logged_in(&app, &mut device).await;
    let mut synchronised = Authenticator::synchronised(&device.origin);
    register(&again, &mut synchronised).await;
    logged_in(&app, &mut synchronised).await;
    logged_in(&app, &mut synchronised).await;
}

#[tokio::test]
async fn what_is_asked_is_the_same_for_everybody() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    register(&ann, &mut device(&app)).await;
    app.register("bob").await;
    let mut seen = Vec::new();
    for username in [json!("ann"), json!("bob"), json!("nobody"), Value::Null] {
        let request = app.request(Method::POST, "/auth/passkeys/login/start");
        let mut asked = app.json(request.json(&json!({"username": username})), 200).await;
        assert_eq!(asked["options"]["allowCredentials"], json!([]));
        assert_eq!(bytes(&asked["options"]["challenge"]).len(), 32);
        let length = asked["challenge_id"].as_str().unwrap().len();
        asked["options"]["challenge"] = Value::Null;
        asked["challenge_id"] = json!(length);
        seen.push(asked);
    }
    assert!(seen.windows(2).all(|two| two[0] == two[1]), "{seen:?}");
}

#[tokio::test]
async fn asking_writes_nothing() {
    let app = TestApp::start().await;
    let before = app.app.store.get(|tx| Ok(tx.commit())).unwrap();
    for _ in 0..50 {
        asked_for_login(&app).await;
    }
    assert_eq!(app.app.store.get(|tx| Ok(tx.commit())).unwrap(), before);
}

#[tokio::test]
async fn an_answer_is_good_once_even_eight_times_at_once() {
    let app = TestApp::start().await;
    let mut device = Authenticator::synchronised(&device(&app).origin);
    register(&app.user("ann").await, &mut device).await;
    let asked = asked_for_login(&app).await;
    let credential = device.get(&asked["options"]);
    // Fewer than are taken for guesses.
    let all = (0..8).map(|_| login(&app, &asked, &credential).send());
    let answers = futures_util::future::join_all(all).await;
    let good = answers.into_iter().filter(|answer| answer.as_ref().unwrap().status() == 200).count();
    assert_eq!(good, 1);
    app.refuses(login(&app, &asked, &credential), "challenge_id").await;
    let refused = events(&app, "session.refused").await;
    let mut details = refused.iter().flat_map(|event| &event.details);
    assert!(details.any(|(name, value)| name == "reason" && value == "passkey_challenge_used"));
}

#[tokio::test]
async fn of_two_answers_that_were_found_good_at_the_same_time_one_counts() {
    let app = TestApp::start().await;
    let mut device = Authenticator::synchronised(&device(&app).origin);
    register(&app.user("ann").await, &mut device).await;
    let asked = asked_for_login(&app).await;
    let credential = device.get(&asked["options"]);
    let (by, now) = (Initiator::default(), app.clock.now());
    let reply = || Reply {
        challenge_id: asked["challenge_id"].as_str().unwrap().to_owned(),
        credential: credential.clone(),
    };
    let judge = async || app.app.passkeys.judge(&by, Purpose::Login, reply(), None).await.unwrap();
    let (one, other) = (judge().await, judge().await);
    app.app.store.write(move |tx| spend(tx, &one, now)).await.unwrap();
    let refused = app.app.store.write(move |tx| spend(tx, &other, now)).await.unwrap_err();
    assert!(matches!(refused, Error::Invalid(wrong) if wrong.field == "challenge_id"));
}

#[tokio::test]
async fn a_challenge_is_over_after_five_minutes_and_its_mark_with_it() {
    let app = TestApp::start().await;
    let mut device = device(&app);
    register(&app.user("ann").await, &mut device).await;
    let (good, late) = (asked_for_login(&app).await, asked_for_login(&app).await);
    app.clock.advance_secs(299);
    app.json(login(&app, &good, &device.get(&good["options"])), 200).await;
    app.clock.advance_secs(1);
    app.refuses(login(&app, &late, &device.get(&late["options"])), "challenge_id").await;
    assert_eq!(refusal(&app).await, "passkey_challenge");
    let spent = || app.app.store.verify(auth_service::app::CHECKS.concat().as_slice()).unwrap().tables["passkey.spent"];
    assert!(spent() > 0);
    app.clock.advance_secs(2);
    app.app.tend().await;
    assert_eq!(spent(), 0);
}

#[tokio::test]
async fn an_answer_to_something_else_lets_nobody_in() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut good = device(&app);
    register(&ann, &mut good).await;
    let refused = async |credential: &Value, asked: &Value, reason: &str| {
        app.fails(login(&app, asked, credential), 401, "INVALID_CREDENTIALS").await;
        assert_eq!(refusal(&app).await, reason);
    };
    let asked = asked_for_login(&app).await;
    let origin = std::mem::replace(&mut good.origin, "https://evil.example".to_owned());
    refused(&good.get(&asked["options"]), &asked, "passkey_other_origin").await;
    good.origin = origin;
    good.rp_id = Some("evil.example".to_owned());
    refused(&good.get(&asked["options"]), &asked, "passkey_other_relying_party").await;
    good.rp_id = None;
    good.verifies = false;
    refused(&good.get(&asked["options"]), &asked, "passkey_user_not_verified").await;
    good.verifies = true;
    good.is_present = false;
    refused(&good.get(&asked["options"]), &asked, "passkey_user_not_present").await;
    good.is_present = true;
    let other = asked_for_login(&app).await;
    refused(&good.get(&other["options"]), &asked, "passkey_other_challenge").await;
    // A challenge that was made for a new passkey.
    let new = asked_for_new(&ann).await;
    app.refuses(login(&app, &new, &good.get(&asked["options"])), "challenge_id").await;
    app.json(login(&app, &asked, &good.get(&asked["options"])), 200).await;
}

#[tokio::test]
async fn nothing_in_an_answer_can_be_changed() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let (mut anns, mut bobs) = (device(&app), device(&app));
    register(&ann, &mut anns).await;
    register(&bob, &mut bobs).await;
    let asked = asked_for_login(&app).await;
    let (credential, theirs) = (anns.get(&asked["options"]), bobs.get(&asked["options"]));
    let with = |path: &str, value: Value| {
        let mut changed = credential.clone();
        *changed.pointer_mut(path).unwrap() = value;
        changed
    };
    let flipped = |path: &str, at: usize| {
        let mut raw = bytes(credential.pointer(path).unwrap());
        let at = at.min(raw.len() - 1);
        raw[at] ^= 1;
        with(path, json!(text(&raw)))
    };
    let mut swapped = credential.clone();
    swapped["id"] = theirs["id"].clone();
    swapped["rawId"] = theirs["rawId"].clone();
    let mut unknown = credential.clone();
    unknown["id"] = json!("AAAA");
    unknown["rawId"] = json!("AAAA");
    let mut nameless = credential.clone();
    nameless["response"].as_object_mut().unwrap().remove("userHandle");
    for (changed, reason) in [
        (flipped("/response/signature", 40), "passkey_signature"),
        (flipped("/response/authenticatorData", 36), "passkey_signature"),
        (with("/response/signature", theirs["response"]["signature"].clone()), "passkey_signature"),
        (with("/response/userHandle", theirs["response"]["userHandle"].clone()), "passkey_unknown"),
        (swapped, "passkey_unknown"),
        (unknown, "passkey_unknown"),
        (nameless, "passkey_unknown"),
    ] {
        app.fails(login(&app, &asked, &changed), 401, "INVALID_CREDENTIALS").await;
        assert_eq!(refusal(&app).await, reason, "{changed}");
    }
    app.json(login(&app, &asked, &credential), 200).await;
}

#[tokio::test]
async fn a_counter_that_goes_back_is_refused_and_flagged() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut device = device(&app);
    register(&ann, &mut device).await;
    device.keys[0].counter = 40;
    logged_in(&app, &mut device).await;
    // One below the last, and the last once more: each use adds one to what is set here.
    for before in [39, 40] {
        device.keys[0].counter = before;
        let answer = log_in(&app, &mut device).await;
        app.failure(Method::POST, answer, 401, "INVALID_CREDENTIALS").await;
        assert_eq!(device.keys[0].counter, before + 1);
    }
    let event = events(&app, "passkey.counter_went_back").await.pop().unwrap();
    let details: Vec<_> = event.details.iter().map(|(name, value)| (&**name, &**value)).collect();
    assert!(details.contains(&("counter", "41")) && details.contains(&("last", "41")), "{details:?}");
    assert_eq!(listed(&ann).await[0]["counter_went_back_at"], "2027-01-15T08:00:00Z");
    // Once it is beyond the last one, its owner gets in.
    logged_in(&app, &mut device).await;
}

#[tokio::test]
async fn a_removed_passkey_and_a_disabled_user_do_not_get_in() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut device = device(&app);
    let made = register(&ann, &mut device).await;
    app.app.accounts.set_active(Initiator::host(), ann.id(), false).await.unwrap();
    let answer = log_in(&app, &mut device).await;
    app.failure(Method::POST, answer, 403, "ACCOUNT_DISABLED").await;
    assert_eq!(refusal(&app).await, "account_disabled");
    app.app.accounts.set_active(Initiator::host(), ann.id(), true).await.unwrap();
    let again = logged_in(&app, &mut device).await;
    let path = format!("/auth/passkeys/{}", made["id"].as_str().unwrap());
    app.done(again.bearer(Method::DELETE, &path)).await;
    let answer = log_in(&app, &mut device).await;
    app.failure(Method::POST, answer, 401, "INVALID_CREDENTIALS").await;
    assert_eq!(refusal(&app).await, "passkey_unknown");
}

#[tokio::test]
async fn what_is_seen_of_backups_is_kept_up_to_date_and_must_not_be_taken_back() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut device = Authenticator { backup: (true, false), ..device(&app) };
    register(&ann, &mut device).await;
    device.backup = (true, true);
    logged_in(&app, &mut device).await;
    assert_eq!(listed(&ann).await[0]["backed_up"], true);
    device.backup = (false, false);
    let answer = log_in(&app, &mut device).await;
    app.failure(Method::POST, answer, 401, "INVALID_CREDENTIALS").await;
    assert_eq!(refusal(&app).await, "passkey_backup_state");
}

#[tokio::test]
async fn a_login_ends_the_session_of_its_browser() {
    let app = TestApp::start().await;
    let mut device = device(&app);
    register(&app.user("ann").await, &mut device).await;
    let before = app.user("bob").await;
    let asked = asked_for_login(&app).await;
    let credential = device.get(&asked["options"]);
    let cookie = format!("access_token_cookie={}", before.tokens.access);
    app.json(login(&app, &asked, &credential).header("Cookie", cookie), 200).await;
    before.is_out("TOKEN_REVOKED").await;
}

#[tokio::test]
async fn answers_are_counted_before_they_are_looked_at_and_a_known_browser_gets_through() {
    let app = TestApp::start().await;
    let mut device = device(&app);
    register(&app.user("ann").await, &mut device).await;
    let known = set_cookie(log_in(&app, &mut device).await.headers(), "known_device_cookie");
    device.verifies = false;
    for _ in 0..10 {
        let answer = log_in(&app, &mut device).await;
        app.failure(Method::POST, answer, 401, "INVALID_CREDENTIALS").await;
    }
    device.verifies = true;
    let asked = asked_for_login(&app).await;
    let credential = device.get(&asked["options"]);
    app.fails(login(&app, &asked, &credential), 429, "TOO_MANY_ATTEMPTS").await;
    assert!(was_refused_for(&app, "too_many_attempts").await);
    let hers = login(&app, &asked, &credential).header("Cookie", known.split(';').next().unwrap());
    let answer = hers.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let again = answer.headers().get_all("set-cookie").iter();
    assert!(again.map(|value| value.to_str().unwrap()).all(|cookie| !cookie.starts_with("known_device")));
    // A password is another guess than a passkey is.
    app.log_in("ann", crate::support::PASSWORD).await;
    app.clock.advance_secs(1);
    logged_in(&app, &mut device).await;
    device.verifies = false;
    for _ in 0..9 {
        let answer = log_in(&app, &mut device).await;
        app.failure(Method::POST, answer, 401, "INVALID_CREDENTIALS").await;
    }
}

#[tokio::test]
async fn a_network_that_tries_many_passkeys_is_slowed() {
    let setup = Setup::default().with("throttle.free_guesses_of_network", "5");
    let app = setup.with("trusted_proxies", "127.0.0.0/8").start().await;
    let mut device = device(&app);
    register(&app.user("ann").await, &mut device).await;
    let asked = asked_for_login(&app).await;
    let credential = device.get(&asked["options"]);
    let guess = |n: usize| {
        let mut unknown = credential.clone();
        unknown["id"] = json!(text(&[n as u8; 16]));
        unknown["rawId"] = unknown["id"].clone();
        login(&app, &asked, &unknown).header("X-Forwarded-For", "203.0.113.7")
    };
    for n in 0..5 {
        app.fails(guess(n), 401, "INVALID_CREDENTIALS").await;
    }
    app.fails(guess(5), 429, "TOO_MANY_ATTEMPTS").await;
    // Passwords are counted with them.
    let body = json!({"username": "ann", "password": crate::support::PASSWORD});
    let password = app.request(Method::POST, "/auth/token").json(&body);
    app.fails(password.header("X-Forwarded-For", "203.0.113.7"), 429, "TOO_MANY_ATTEMPTS").await;
    app.json(login(&app, &asked, &credential).header("X-Forwarded-For", "203.0.113.8"), 200).await;
}

#[tokio::test]
async fn a_login_from_a_page_of_somebody_else_is_refused() {
    let app = TestApp::start().await;
    let mut device = device(&app);
    register(&app.user("ann").await, &mut device).await;
    let asked = asked_for_login(&app).await;
    let credential = device.get(&asked["options"]);
    let request = login(&app, &asked, &credential).header("Origin", "https://evil.example");
    app.fails(request, 403, "CSRF_FAILED").await;
}
