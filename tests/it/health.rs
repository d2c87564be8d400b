//! `/health`, in good days and bad.
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{FaultyDisk, PASSWORD, Person, Setup, TestApp};

/// The contract's 503, at the time when every test begins.
const UNHEALTHY: &str =
    r#"{"status":"unhealthy","error":"Database connection failed","timestamp":"2027-01-15T08:00:00.000000"}"#;

type Fault = fn(&FaultyDisk);

const WRITES: [Fault; 3] = [
    |disk| disk.fails_writes.store(true, Ordering::SeqCst),
    |disk| disk.fails_syncs.store(true, Ordering::SeqCst),
    |disk| {
        disk.fails_writes.store(true, Ordering::SeqCst);
        disk.fails_syncs.store(true, Ordering::SeqCst);
    },
];

async fn on_faulty_disk() -> (TestApp, Arc<FaultyDisk>) {
    let disk = FaultyDisk::new();
    let setup = Setup { disk: Some(disk.clone()), ..Setup::default() };
    (setup.start().await, disk)
}

fn registration(app: &TestApp, name: &str) -> RequestBuilder {
    let body = json!({"username": name, "email": format!("{name}@example.com"), "password": PASSWORD});
    app.request(Method::POST, "/auth/register").json(&body)
}

fn patch(user: &Person) -> RequestBuilder {
    user.bearer(Method::PATCH, "/auth/me").json(&json!({"first_name": "Ann"}))
}

async fn is_unhealthy(app: &TestApp) {
    for path in ["/health", "/health/ready"] {
        let answer = app.get(path).await;
        assert_eq!(answer.status(), 503, "{path}");
        assert_eq!(answer.headers()["content-type"], "application/json; charset=utf-8");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        assert_eq!(answer.text().await.unwrap(), UNHEALTHY, "{path}");
    }
    assert_eq!(app.get("/health/live").await.status(), 200, "a restart would not help");
}

/// Waits until the store has come back by itself.
async fn recovered(app: &TestApp) {
    for _ in 0..200 {
        if app.get("/health").await.status() == 200 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the store does not come back");
}

#[tokio::test]
async fn health_reads_as_the_contract_shows() {
    let app = TestApp::start().await;
    let answer = app.get("/health").await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/json; charset=utf-8");
    let text = answer.text().await.unwrap();
    let uptime = serde_json::from_str::<Value>(&text).unwrap()["uptime"].as_str().unwrap().to_owned();
    assert!(uptime.parse::<u64>().unwrap() < 100 && !uptime.starts_with('+'), "{uptime}");
    assert_eq!(
        text,
        format!(
            r#"{{"status":"healthy","service":"auth_service","version":"2.1.0","uptime":"{uptime}","dependencies":{{"database":"connected","redis":"connected"}}}}"#
        )
    );
}

#[tokio::test]
async fn supervisors_get_short_answers() {
    let app = TestApp::start().await;
    assert_eq!(app.get("/health/live").await.text().await.unwrap(), r#"{"status":"alive"}"#);
    assert_eq!(app.get("/health/ready").await.text().await.unwrap(), r#"{"status":"ready"}"#);
}

#[tokio::test]
async fn anyone_may_ask_and_a_bad_credential_does_not_matter() {
    let app = TestApp::start().await;
    let request =
        app.request(Method::GET, "/health").bearer_auth("junk").header("Cookie", "access_token_cookie=x");
    app.json(request, 200).await;
    app.json(app.request(Method::GET, "/health?verbose=false"), 200).await;
}

#[tokio::test]
async fn an_administrator_may_ask_for_more() {
    const VERBOSE: &str = "/health?verbose=true";
    let app = TestApp::start().await;
    app.fails(app.request(Method::GET, VERBOSE), 401, "UNAUTHORIZED").await;
    let user = app.user("ann").await;
    let details = app.fails(user.bearer(Method::GET, VERBOSE), 403, "FORBIDDEN").await;
    assert_eq!(details["permission"], "health:read");
    let admin = app.superuser("root").await;
    let details = &app.json(admin.bearer(Method::GET, VERBOSE), 200).await["details"];
    for well in [&details["store"]["ok"], &details["cache"]["ok"]] {
        assert_eq!(well, true, "{details}");
    }
    assert!(details["cache"]["sessions"] == 2 && details["hashing"]["waiting"] == 0, "{details}");
    assert!(details["store"]["size_bytes"].as_u64() > Some(4096), "{details}");
    assert!(details["disk"]["total_bytes"].as_u64() >= details["disk"]["free_bytes"].as_u64(), "{details}");
    let keys = app.json(app.request(Method::GET, "/oauth2/jwks"), 200).await;
    assert!(keys["keys"].as_array().unwrap().iter().any(|key| key["kid"] == details["signing_key"]["kid"]));
    let reason = app.refuses(app.request(Method::GET, "/health?verbose=2"), "verbose").await;
    assert_eq!(reason, "must be true or false");
}

#[tokio::test]
async fn a_disk_that_takes_no_writes_refuses_changes_and_serves_the_rest() {
    for fault in WRITES {
        let (app, disk) = on_faulty_disk().await;
        let user = app.user("ann").await;
        let stranger = app.log_in("ann", PASSWORD).await;
        fault(&disk);
        app.fails(registration(&app, "bob"), 503, "SERVICE_UNAVAILABLE").await;
        is_unhealthy(&app).await;
        let login = json!({"username": "ann", "password": PASSWORD});
        let login = app.request(Method::POST, "/auth/token").json(&login);
        for request in [
            registration(&app, "cat"),
            login,
            patch(&user),
            user.refresh_request(),
            user.bearer(Method::POST, "/auth/logout"),
            user.bearer(Method::DELETE, "/auth/sessions"),
            user.bearer(Method::DELETE, "/auth/me").json(&json!({"password": PASSWORD})),
        ] {
            app.fails(request, 503, "SERVICE_UNAVAILABLE").await;
        }
        assert_eq!(user.profile().await["first_name"], Value::Null, "reads go on");
        assert_eq!(stranger.profile().await["username"], "ann", "also those that memory cannot answer");
        let sessions = app.json(user.bearer(Method::GET, "/auth/sessions"), 200).await;
        assert_eq!(sessions["items"].as_array().unwrap().len(), 2);
        app.json(app.request(Method::GET, "/oauth2/jwks"), 200).await;
    }
}

#[tokio::test]
async fn a_store_comes_back_by_itself_with_everything_it_has_acknowledged() {
    for fault in WRITES {
        let (app, disk) = on_faulty_disk().await;
        let user = app.user("ann").await;
        let gone = app.log_in("ann", PASSWORD).await;
        gone.log_out().await;
        fault(&disk);
        app.fails(registration(&app, "bob"), 503, "SERVICE_UNAVAILABLE").await;
        app.fails(patch(&user), 503, "SERVICE_UNAVAILABLE").await;
        disk.heal();
        recovered(&app).await;
        gone.is_out("TOKEN_REVOKED").await;
        assert_eq!(app.json(patch(&user), 200).await["first_name"], "Ann");
        let user = user.refreshed().await;
        assert_eq!(user.profile().await["first_name"], "Ann");
        let bob = registration(&app, "bob").send().await.unwrap();
        // Whether a change that failed is kept is open; whether a name is taken twice is not.
        assert!(matches!(bob.status().as_u16(), 201 | 400));
        app.log_in("bob", PASSWORD).await;
    }
}

#[tokio::test]
async fn a_logout_that_failed_is_said_to_have_failed() {
    let (app, disk) = on_faulty_disk().await;
    let user = app.user("ann").await;
    WRITES[0](&disk);
    app.fails(user.bearer(Method::POST, "/auth/logout"), 503, "SERVICE_UNAVAILABLE").await;
    assert_eq!(user.status().await, 200, "the session goes on");
    disk.heal();
    recovered(&app).await;
    user.log_out().await;
    user.is_out("TOKEN_REVOKED").await;
}

#[tokio::test]
async fn a_disk_that_cannot_even_be_read_serves_what_memory_has() {
    let (app, disk) = on_faulty_disk().await;
    let (user, admin) = (app.user("ann").await, app.superuser("root").await);
    assert_eq!(user.status().await, 200);
    disk.fails_reads.store(true, Ordering::SeqCst);
    WRITES[2](&disk);
    app.fails(registration(&app, "bob"), 503, "SERVICE_UNAVAILABLE").await;
    is_unhealthy(&app).await;
    app.fails(user.bearer(Method::GET, "/auth/sessions"), 503, "SERVICE_UNAVAILABLE").await;
    let login = json!({"username": "ann", "password": PASSWORD});
    app.fails(app.request(Method::POST, "/auth/token").json(&login), 503, "SERVICE_UNAVAILABLE").await;
    app.json(app.request(Method::GET, "/oauth2/jwks"), 200).await;
    // Nobody can say who asks for more; the answer is what everyone gets.
    let body = app.json(admin.bearer(Method::GET, "/health?verbose=true"), 503).await;
    assert_eq!((&body["status"], &body["details"]), (&json!("unhealthy"), &Value::Null));
    disk.heal();
    recovered(&app).await;
    assert_eq!(user.refreshed().await.status().await, 200);
    app.log_in("ann", PASSWORD).await;
}

#[tokio::test]
async fn a_disk_that_fails_again_and_again_comes_back_again_and_again() {
    let (app, disk) = on_faulty_disk().await;
    let mut user = app.user("ann").await;
    for round in 0..3 {
        WRITES[round % 3](&disk);
        app.fails(patch(&user), 503, "SERVICE_UNAVAILABLE").await;
        disk.heal();
        recovered(&app).await;
        user = user.refreshed().await;
        app.register(&format!("user{round}")).await;
    }
    assert_eq!(user.status().await, 200);
}

#[tokio::test]
async fn changes_that_wait_for_a_dying_disk_are_all_answered() {
    let (app, disk) = on_faulty_disk().await;
    app.register("ann").await;
    let all = (0..40).map(|n| {
        if n == 20 {
            WRITES[1](&disk);
        }
        registration(&app, &format!("user{n}")).send()
    });
    let answers = futures_util::future::join_all(all.collect::<Vec<_>>()).await;
    let statuses: Vec<_> = answers.into_iter().map(|answer| answer.unwrap().status().as_u16()).collect();
    assert!(
        statuses.iter().all(|status| matches!(status, 201 | 503)) && statuses.contains(&503),
        "{statuses:?}"
    );
    disk.heal();
    recovered(&app).await;
    for (n, _) in statuses.iter().enumerate().filter(|(_, status)| **status == 201) {
        app.log_in(&format!("user{n}"), PASSWORD).await;
    }
}
