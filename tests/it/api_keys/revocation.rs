//! The end of keys: at once, under load, and for good.
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use auth_service::rbac::Initiator;
use reqwest::Method;
use serde_json::json;

use super::{Key, make, me, of, patch, reader, status};
use crate::support::{Setup, TestApp};

#[tokio::test]
async fn a_revoked_key_stays_in_the_list_and_a_deleted_one_does_not() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let (one, two) = (make(&ann, &reader("one")).await, make(&ann, &reader("two")).await);
    let shown = app.json(of(&ann, Method::POST, &one.id, "/revoke"), 200).await;
    assert_eq!(shown["revoked_at"], "2027-01-15T08:00:00Z");
    app.clock.advance_secs(60);
    let again = app.json(of(&ann, Method::POST, &one.id, "/revoke"), 200).await;
    assert_eq!(again, shown);
    app.fails(me(&app, &one.text), 401, "TOKEN_REVOKED").await;
    app.done(of(&ann, Method::DELETE, &two.id, "")).await;
    app.fails(me(&app, &two.text), 401, "INVALID_TOKEN").await;
    app.fails(of(&ann, Method::DELETE, &two.id, ""), 404, "NOT_FOUND").await;
    app.fails(of(&ann, Method::GET, &two.id, ""), 404, "NOT_FOUND").await;
    let list = app.json(ann.bearer(Method::GET, "/auth/api-keys"), 200).await;
    assert_eq!((list["items"].as_array().unwrap().len(), &list["items"][0]["name"]), (1, &json!("one")));
    // No change brings it back.
    let all =
        json!({"name": "x", "unrestricted": true, "expires_at": null, "networks": [], "revoked_at": null});
    app.json(patch(&ann, &one.id, &all), 200).await;
    app.fails(me(&app, &one.text), 401, "TOKEN_REVOKED").await;
}

#[tokio::test]
async fn a_revocation_lasts_over_a_restart() {
    let app = Setup::default().at("http://id.example").start().await;
    let ann = app.user("ann").await;
    let (revoked, deleted) = (make(&ann, &reader("one")).await, make(&ann, &reader("two")).await);
    let (kept, rotated) = (make(&ann, &reader("three")).await, make(&ann, &reader("four")).await);
    app.json(of(&ann, Method::POST, &revoked.id, "/revoke"), 200).await;
    app.done(of(&ann, Method::DELETE, &deleted.id, "")).await;
    app.json(of(&ann, Method::POST, &rotated.id, "/rotate").json(&json!({})), 200).await;
    let app = app.restart(Setup::default().at("http://id.example")).await;
    app.fails(me(&app, &revoked.text), 401, "TOKEN_REVOKED").await;
    app.fails(me(&app, &deleted.text), 401, "INVALID_TOKEN").await;
    app.fails(me(&app, &rotated.text), 401, "INVALID_TOKEN").await;
    assert_eq!(status(&app, &kept.text).await, 200);
}

/// Uses a key while it is ended, and checks that from the moment of the answer on nobody gets through any more.
async fn end_under_load(app: &TestApp, key: &str, end: impl Future<Output = ()>) {
    let (over, taken) = (AtomicBool::new(false), AtomicUsize::new(0));
    let use_up = async || {
        let mut refused = 0;
        while refused < 60 {
            let began_after = over.load(Ordering::SeqCst);
            match (status(app, key).await, began_after) {
                (200, false) => drop(taken.fetch_add(1, Ordering::SeqCst)),
                (401 | 403, true) => refused += 1,
                (401 | 403, false) => {}
                (status, _) => panic!("{status} after the answer"),
            }
        }
    };
    let end = async {
        while taken.load(Ordering::SeqCst) < 50 {
            tokio::task::yield_now().await;
        }
        end.await;
        over.store(true, Ordering::SeqCst);
    };
    futures_util::join!(futures_util::future::join_all((0..12).map(|_| use_up())), end);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_was_ended_is_never_taken_after_the_answer() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    for _ in 0..3 {
        let keys =
            [make(&ann, &reader("1")).await, make(&ann, &reader("2")).await, make(&ann, &reader("3")).await];
        let [one, two, three] = keys;
        let revoke = async { drop(app.json(of(&ann, Method::POST, &one.id, "/revoke"), 200).await) };
        end_under_load(&app, &one.text, revoke).await;
        end_under_load(&app, &two.text, app.done(of(&ann, Method::DELETE, &two.id, ""))).await;
        let rotate = of(&ann, Method::POST, &three.id, "/rotate").json(&json!({}));
        end_under_load(&app, &three.text, async { drop(app.json(rotate, 200).await) }).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_lost_its_owner_or_its_rights_is_never_taken_after_the_answer() {
    let app = TestApp::start().await;
    app.register("ann").await;
    for _ in 0..3 {
        let ann = app.log_in("ann", crate::support::PASSWORD).await;
        let key = make(&ann, &reader("1")).await;
        let disable = async {
            drop(app.app.accounts.set_active(Initiator::host(), ann.id(), false).await.unwrap());
        };
        end_under_load(&app, &key.text, disable).await;
        app.app.accounts.set_active(Initiator::host(), ann.id(), true).await.unwrap();
        let ann = app.log_in("ann", crate::support::PASSWORD).await;
        let narrow = patch(&ann, &key.id, &json!({"permissions": []}));
        end_under_load(&app, &key.text, async { drop(app.json(narrow, 200).await) }).await;
        let key = make(&ann, &reader("2")).await;
        let tie = patch(&ann, &key.id, &json!({"networks": ["10.0.0.0/8"]}));
        end_under_load(&app, &key.text, async { drop(app.json(tie, 200).await) }).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotations_that_race_leave_one_good_text() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let key = make(&ann, &reader("one")).await;
    for _ in 0..5 {
        let all = (0..8).map(|_| app.json(of(&ann, Method::POST, &key.id, "/rotate").json(&json!({})), 200));
        let texts = futures_util::future::join_all(all).await;
        let mut good = 0;
        for made in &texts {
            good += usize::from(status(&app, &Key::of(made).text).await == 200);
        }
        assert_eq!((good, status(&app, &key.text).await), (1, 401));
    }
    // Nor does one that races with a revocation bring the key back.
    for _ in 0..5 {
        let key = make(&ann, &reader("one")).await;
        let rotations = (0..4)
            .map(|_| of(&ann, Method::POST, &key.id, "/rotate").json(&json!({"overlap_seconds": 60})).send());
        let revoke = app.json(of(&ann, Method::POST, &key.id, "/revoke"), 200);
        let (rotated, _) = futures_util::join!(futures_util::future::join_all(rotations), revoke);
        assert_eq!(status(&app, &key.text).await, 401);
        for answer in rotated.into_iter().map(Result::unwrap).filter(|answer| answer.status() == 200) {
            assert_eq!(status(&app, &Key::of(&answer.json().await.unwrap()).text).await, 401);
        }
    }
}
