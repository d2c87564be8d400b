//! The end of sessions: at once, for every credential, under load.
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use reqwest::Method;
use serde_json::json;

use crate::support::{PASSWORD, Person, Setup, TestApp, set_cookie};

#[tokio::test]
async fn a_logout_reads_as_the_contract_shows_and_clears_the_cookies() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    let answer = user.page(Method::POST, "/auth/logout").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    for (name, path) in [
        ("access_token_cookie", "Path=/;"),
        ("refresh_token_cookie", "Path=/auth/token/refresh;"),
        ("csrf_access_token", "Path=/;"),
    ] {
        let cookie = set_cookie(answer.headers(), name);
        assert!(cookie.starts_with(&format!("{name}=; ")) && cookie.ends_with("Max-Age=0"), "{cookie}");
        assert!(cookie.contains(path), "{cookie}");
    }
    assert_eq!(answer.text().await.unwrap(), r#"{"message":"Logout successful"}"#);
    user.is_out("TOKEN_REVOKED").await;
}

#[tokio::test]
async fn a_logout_ends_every_token_of_its_session_and_no_other() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    let (later, other) = (user.refreshed().await, app.log_in("ann", PASSWORD).await);
    assert_eq!((user.status().await, later.status().await), (200, 200));
    user.log_out().await;
    user.is_out("TOKEN_REVOKED").await;
    later.is_out("TOKEN_REVOKED").await;
    assert_eq!(other.status().await, 200);
    app.fails(user.bearer(Method::POST, "/auth/logout"), 401, "TOKEN_REVOKED").await;
}

#[tokio::test]
async fn a_logout_lasts_over_a_restart() {
    let setup = || Setup::default().at("http://id.example");
    let app = setup().start().await;
    let user = app.user("ann").await;
    user.log_out().await;
    let tokens = user.tokens;
    let app = app.restart(setup()).await;
    app.person(tokens).is_out("TOKEN_REVOKED").await;
}

#[tokio::test]
async fn a_logout_needs_no_body_and_minds_none() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    let request = user.bearer(Method::POST, "/auth/logout").header("Content-Type", "text/plain").body("{");
    app.json(request, 200).await;
}

/// What the many who use a session's token have seen.
#[derive(Default)]
struct Seen {
    /// The answer to the request that ends the session has come.
    over: AtomicBool,
    taken: AtomicUsize,
    refused: AtomicUsize,
}

/// Uses a token until its session has been over for a while.
async fn use_up(user: &Person<'_>, seen: &Seen) {
    while seen.refused.load(Ordering::SeqCst) < 100 {
        let began_after = seen.over.load(Ordering::SeqCst);
        match (user.status().await, began_after) {
            (200, false) => drop(seen.taken.fetch_add(1, Ordering::SeqCst)),
            (401, true) => drop(seen.refused.fetch_add(1, Ordering::SeqCst)),
            (401, false) => {}
            (status, _) => panic!("{status} after the answer"),
        }
    }
}

/// Ends sessions while their tokens are in use, and checks that from the moment of the answer on nobody gets
/// through any more.
async fn end_under_load(user: &Person<'_>, end: impl Future<Output = ()>) {
    let seen = Seen::default();
    let all = futures_util::future::join_all((0..16).map(|_| use_up(user, &seen)));
    let end = async {
        while seen.taken.load(Ordering::SeqCst) < 50 {
            tokio::task::yield_now().await;
        }
        end.await;
        seen.over.store(true, Ordering::SeqCst);
    };
    futures_util::join!(all, end);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_was_logged_out_is_never_taken_after_the_answer() {
    let app = TestApp::start().await;
    app.register("ann").await;
    for _ in 0..5 {
        let user = app.log_in("ann", PASSWORD).await;
        end_under_load(&user, user.log_out()).await;
        user.is_out("TOKEN_REVOKED").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_another_one_ended_is_never_taken_after_the_answer() {
    let app = TestApp::start().await;
    let owner = app.user("ann").await;
    for _ in 0..5 {
        let user = app.log_in("ann", PASSWORD).await;
        let path = format!("/auth/sessions/{}", user.session());
        end_under_load(&user, app.done(owner.bearer(Method::DELETE, &path))).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disabled_user_is_never_taken_after_the_answer() {
    let app = TestApp::start().await;
    app.register("ann").await;
    for _ in 0..5 {
        let user = app.log_in("ann", PASSWORD).await;
        let disable = async {
            drop(app.app.accounts.set_active(auth_service::rbac::Initiator::host(), 1, false).await.unwrap());
        };
        end_under_load(&user, disable).await;
        app.app.accounts.set_active(auth_service::rbac::Initiator::host(), 1, true).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refreshes_that_race_with_a_logout_leave_no_live_session() {
    let app = TestApp::start().await;
    app.register("ann").await;
    for _ in 0..10 {
        let user = app.log_in("ann", PASSWORD).await;
        let refreshes = (0..8).map(|_| user.refresh_request().send());
        let (answers, ()) = futures_util::join!(futures_util::future::join_all(refreshes), user.log_out());
        for answer in answers {
            let answer = answer.unwrap();
            if answer.status() == 200 {
                let next = app.person(crate::support::Tokens::from(answer).await);
                next.is_out("TOKEN_REVOKED").await;
            } else {
                app.failure(Method::POST, answer, 401, "TOKEN_REVOKED").await;
            }
        }
    }
}

#[tokio::test]
async fn logins_that_race_with_a_password_change_leave_no_session_of_the_old_password() {
    let app = crate::support::Setup::default().with("throttle.state", "off").start().await;
    let user = app.user("ann").await;
    let mut current = PASSWORD.to_owned();
    for round in 0..10 {
        let (new, over, logins) =
            (format!("{PASSWORD} {round}"), AtomicBool::new(false), AtomicUsize::new(0));
        let log_in_until_over = async || {
            let body = json!({"username": "ann", "password": current});
            while !over.load(Ordering::SeqCst) {
                let status = app.post("/auth/token", &body).await.status();
                assert!(status == 200 || status == 401);
                logins.fetch_add(1, Ordering::SeqCst);
            }
        };
        let change = async {
            while logins.load(Ordering::SeqCst) < 5 {
                tokio::task::yield_now().await;
            }
            let body = json!({"current_password": current, "new_password": new});
            app.done(user.bearer(Method::POST, "/auth/password/change").json(&body)).await;
            over.store(true, Ordering::SeqCst);
        };
        let all = futures_util::future::join_all((0..4).map(|_| log_in_until_over()));
        futures_util::join!(all, change);
        let sessions = app.json(user.bearer(Method::GET, "/auth/sessions"), 200).await;
        assert_eq!(sessions["items"].as_array().unwrap().len(), 1, "round {round}");
        current = new;
    }
}
