//! Guesses at passwords and codes: counted before they are hashed, slowed down, and never in the owner's way for long.
use futures_util::future::join_all;
use reqwest::header::COOKIE;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::support::{PASSWORD, Setup, TestApp, set_cookie};

const WRONG: &str = "wrong horse 81 battery";

fn guess(app: &TestApp, name: &str, password: &str) -> RequestBuilder {
    app.request(Method::POST, "/auth/token").json(&json!({"username": name, "password": password}))
}

fn from(request: RequestBuilder, address: &str) -> RequestBuilder {
    request.header("X-Forwarded-For", address)
}

async fn behind_a_proxy() -> TestApp {
    Setup::default().with("trusted_proxies", "127.0.0.0/8").start().await
}

async fn status(request: RequestBuilder) -> u16 {
    request.send().await.unwrap().status().as_u16()
}

/// How long a refused guess has to wait.
async fn wait(app: &TestApp, request: RequestBuilder) -> i64 {
    let answer = request.send().await.unwrap();
    let wait = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    app.failure(Method::POST, answer, 429, "TOO_MANY_ATTEMPTS").await;
    wait
}

fn device_of(answer: &Response) -> String {
    let cookie = set_cookie(answer.headers(), "known_device_cookie");
    assert!(cookie.contains("HttpOnly; SameSite=Lax; Path=/; Max-Age=31536000"), "{cookie}");
    cookie.split(';').next().unwrap().split_once('=').unwrap().1.to_owned()
}

fn on_device(request: RequestBuilder, device: &str) -> RequestBuilder {
    request.header(COOKIE, format!("known_device_cookie={device}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_thousand_guesses_at_the_same_time_ten_come_through() {
    let app = Setup::default().with("password.queue", "2000").start().await;
    app.register("ann").await;
    for name in ["ann", "nobody"] {
        let all = join_all((0..1000).map(|_| status(guess(&app, name, WRONG)))).await;
        let count = |wanted: u16| all.iter().filter(|status| **status == wanted).count();
        assert_eq!((count(401), count(429)), (10, 990), "{name}");
    }
    // The right one has to wait like the others.
    assert_eq!(status(guess(&app, "ann", PASSWORD)).await, 429);
}

#[tokio::test]
async fn each_guess_waits_twice_as_long_as_the_one_before_and_time_forgets() {
    let app = TestApp::start().await;
    app.register("ann").await;
    for _ in 0..10 {
        app.fails(guess(&app, "ann", WRONG), 401, "INVALID_CREDENTIALS").await;
    }
    for expected in [1, 2, 4, 8, 16] {
        assert_eq!(wait(&app, guess(&app, "ANN", WRONG)).await, expected);
        app.clock.advance_secs(expected - 1);
        assert_eq!(wait(&app, guess(&app, "ann", PASSWORD)).await, 1);
        app.clock.advance_secs(1);
        app.fails(guess(&app, "ann", WRONG), 401, "INVALID_CREDENTIALS").await;
    }
    app.clock.advance_secs(3 * 3600);
    for _ in 0..10 {
        app.fails(guess(&app, "ann", WRONG), 401, "INVALID_CREDENTIALS").await;
    }
    assert!(wait(&app, guess(&app, "ann", WRONG)).await > 0);
}

#[tokio::test]
async fn an_address_has_one_count_however_it_is_spelled() {
    let app = TestApp::start().await;
    let body = json!({"username": "ann", "email": "ann@b\u{fc}cher.example", "password": PASSWORD});
    assert_eq!(status(app.request(Method::POST, "/auth/register").json(&body)).await, 201);
    let spellings = [
        "ann@b\u{fc}cher.example",
        "ANN@B\u{dc}CHER.example",
        "ann@xn--bcher-kva.example",
        " ann@b\u{fc}cher.example ",
        "ann@b\u{fc}\u{ad}cher.example",
        "ann@bu\u{308}cher.example",
        "ann@b\u{fc}\u{3164}cher.example",
        "ann@b\u{fc}\u{ffa0}cher.ex\u{115f}ample",
    ];
    let mut known = 0;
    for spelling in spellings {
        known += usize::from(status(guess(&app, spelling, PASSWORD)).await == 200);
    }
    assert!(known >= 4, "{known}");
    for _ in 0..10 {
        app.fails(guess(&app, spellings[0], WRONG), 401, "INVALID_CREDENTIALS").await;
    }
    for spelling in spellings {
        assert_ne!(status(guess(&app, spelling, PASSWORD)).await, 200, "{spelling:?}");
    }
}

#[tokio::test]
async fn what_was_refused_keeps_nobody_waiting() {
    let setup = Setup::default().with("trusted_proxies", "127.0.0.0/8");
    let app = setup.with("throttle.free_guesses_of_network", "1").start().await;
    app.register("ann").await;
    for n in 0..30 {
        let request = from(guess(&app, "ann", WRONG), &format!("203.0.113.{n}"));
        app.fails(request, 401, "INVALID_CREDENTIALS").await;
    }
    // A network that may guess no more holds up nobody who may.
    app.clock.advance_secs(1);
    app.fails(from(guess(&app, "bob", WRONG), "203.0.113.1"), 401, "INVALID_CREDENTIALS").await;
    for _ in 0..20 {
        wait(&app, from(guess(&app, "ann", WRONG), "203.0.113.1")).await;
    }
    assert_eq!(status(from(guess(&app, "ann", PASSWORD), "198.51.100.7")).await, 200);
}

#[tokio::test]
async fn the_right_password_forgets_the_wrong_ones() {
    let app = TestApp::start().await;
    app.register("ann").await;
    for _ in 0..5 {
        for _ in 0..9 {
            app.fails(guess(&app, "ann", WRONG), 401, "INVALID_CREDENTIALS").await;
        }
        assert_eq!(status(guess(&app, "ann", PASSWORD)).await, 200);
    }
}

#[tokio::test]
async fn a_header_that_anybody_can_write_resets_nothing() {
    let app = TestApp::start().await;
    app.register("ann").await;
    for n in 0..10 {
        let request = from(guess(&app, "ann", WRONG), &format!("203.0.113.{n}"));
        app.fails(request.header("Forwarded", format!("for=203.0.113.{n}")), 401, "INVALID_CREDENTIALS")
            .await;
    }
    assert_eq!(wait(&app, from(guess(&app, "ann", WRONG), "203.0.113.99")).await, 1);
}

#[tokio::test]
async fn a_guesser_with_many_machines_is_slowed_and_a_known_browser_is_not() {
    let app = behind_a_proxy().await;
    app.register("ann").await;
    let answer = from(guess(&app, "ann", PASSWORD), "198.51.100.7").send().await.unwrap();
    let device = device_of(&answer);
    for n in 0..30 {
        let request = from(guess(&app, "ann", WRONG), &format!("203.0.113.{n}"));
        app.fails(request, 401, "INVALID_CREDENTIALS").await;
    }
    assert_eq!(wait(&app, from(guess(&app, "ann", WRONG), "203.0.113.99")).await, 1);
    assert_eq!(wait(&app, from(guess(&app, "ann", PASSWORD), "198.51.100.7")).await, 1);
    // Her browser, from anywhere; and it says nothing else than that.
    let hers = |password| on_device(from(guess(&app, "ann", password), "198.51.100.8"), &device);
    let answer = hers(PASSWORD).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let again = answer.headers().get_all("set-cookie").iter();
    assert!(again.map(|value| value.to_str().unwrap()).all(|cookie| !cookie.starts_with("known_device")));
    // A stolen one has ten guesses, too.
    for _ in 0..10 {
        app.fails(hers(WRONG), 401, "INVALID_CREDENTIALS").await;
    }
    assert_eq!(wait(&app, hers(PASSWORD)).await, 1);
    // It is hers alone, and none when it was made up.
    app.register("bob").await;
    for n in 0..30 {
        let request = from(guess(&app, "bob", WRONG), &format!("203.0.113.{n}"));
        app.fails(request, 401, "INVALID_CREDENTIALS").await;
    }
    for cookie in [device.as_str(), "", "AAAA", &"A".repeat(32)] {
        let request = on_device(from(guess(&app, "bob", PASSWORD), "198.51.100.9"), cookie);
        assert_eq!(wait(&app, request).await, 1, "{cookie}");
    }
}

#[tokio::test]
async fn another_password_knows_no_browser() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let device = device_of(&guess(&app, "ann", PASSWORD).send().await.unwrap());
    app.clock.advance_secs(1);
    let body = json!({"current_password": PASSWORD, "new_password": "staple 17 of the donkey"});
    let changed = ann.bearer(Method::POST, "/auth/password/change").json(&body).send().await.unwrap();
    assert_eq!(changed.status(), 204);
    let renewed = device_of(&changed);
    for _ in 0..10 {
        app.fails(guess(&app, "ann", WRONG), 401, "INVALID_CREDENTIALS").await;
    }
    assert_eq!(wait(&app, on_device(guess(&app, "ann", WRONG), &device)).await, 1);
    // But for the browser in which it was chosen.
    let answer = on_device(guess(&app, "ann", "staple 17 of the donkey"), &renewed);
    assert_eq!(status(answer).await, 200);
}

#[tokio::test]
async fn a_recovery_makes_its_browser_known() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    app.clock.advance_secs(1);
    let start = app.app.recoveries.start(auth_service::rbac::Initiator::host(), ann.id()).await;
    let new = "staple 17 of the donkey";
    let body = json!({"token": start.unwrap().0.expose(), "new_password": new});
    let device = device_of(&app.post("/auth/recover", &body).await);
    for _ in 0..10 {
        app.fails(guess(&app, "ann", WRONG), 401, "INVALID_CREDENTIALS").await;
    }
    assert_eq!(wait(&app, guess(&app, "ann", new)).await, 1);
    assert_eq!(status(on_device(guess(&app, "ann", new), &device)).await, 200);
}

#[tokio::test]
async fn a_program_that_changes_a_password_gets_no_cookie() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let key = ann.key(json!({"name": "all", "unrestricted": true})).await;
    let body = json!({"current_password": PASSWORD, "new_password": "staple 17 of the donkey"});
    let change = app.request(Method::POST, "/auth/password/change").header("X-API-Key", key).json(&body);
    let answer = change.send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers().get("set-cookie")), (204, None));
}

#[tokio::test]
async fn a_network_that_tries_many_accounts_is_slowed_and_others_are_not() {
    let app = behind_a_proxy().await;
    app.register("ann").await;
    let stuff = |n: usize| from(guess(&app, &format!("user{n}"), WRONG), "2001:db8:7::1");
    for n in 0..100 {
        app.fails(stuff(n), 401, "INVALID_CREDENTIALS").await;
    }
    assert_eq!(wait(&app, stuff(100)).await, 1);
    // One customer has all of a /64.
    assert_eq!(wait(&app, from(guess(&app, "ann", PASSWORD), "2001:db8:7::ffff")).await, 1);
    assert_eq!(status(from(guess(&app, "ann", PASSWORD), "2001:db8:8::1")).await, 200);
    // It never waits for longer than a minute.
    for _ in 0..10 {
        let left = wait(&app, stuff(200)).await;
        assert!(left <= 60, "{left}");
        app.clock.advance_secs(left);
        app.fails(stuff(200), 401, "INVALID_CREDENTIALS").await;
    }
}

#[tokio::test]
async fn whoever_has_a_whole_site_of_networks_is_slowed_too() {
    let setup = Setup::default().with("trusted_proxies", "127.0.0.0/8");
    let app = setup.with("throttle.free_guesses_of_network", "5").start().await;
    app.register("ann").await;
    let stuff = |n: usize| from(guess(&app, &format!("user{n}"), WRONG), &format!("2001:db8:7:{n:x}::1"));
    for n in 0..20 {
        app.fails(stuff(n), 401, "INVALID_CREDENTIALS").await;
    }
    assert_eq!(wait(&app, stuff(20)).await, 1);
    let of_ann = |address| from(guess(&app, "ann", PASSWORD), address);
    assert_eq!(wait(&app, of_ann("2001:db8:7:ffff::1")).await, 1);
    assert_eq!(status(of_ann("2001:db8:8::1")).await, 200);
    // A right password there is no guess, as elsewhere.
    app.clock.advance_secs(61);
    for _ in 0..10 {
        assert_eq!(status(of_ann("2001:db8:7:ffff::1")).await, 200);
    }
}

#[tokio::test]
async fn a_house_full_of_people_who_know_their_passwords_is_never_slowed() {
    let app = Setup::default().with("throttle.free_guesses_of_network", "5").start().await;
    for n in 0..20 {
        let name = format!("user{n}");
        app.register(&name).await;
        app.fails(guess(&app, &name, WRONG), 401, "INVALID_CREDENTIALS").await;
        app.clock.advance_secs(60);
        for _ in 0..3 {
            assert_eq!(status(guess(&app, &name, PASSWORD)).await, 200);
        }
    }
}

#[tokio::test]
async fn what_was_counted_outlives_a_restart() {
    let app = TestApp::start().await;
    app.register("ann").await;
    for _ in 0..10 {
        app.fails(guess(&app, "ann", WRONG), 401, "INVALID_CREDENTIALS").await;
    }
    app.app.write_gathered().await;
    let app = app.restart(Setup::default()).await;
    assert_eq!(wait(&app, guess(&app, "ann", PASSWORD)).await, 1);
    app.clock.advance_secs(1);
    assert_eq!(status(guess(&app, "ann", PASSWORD)).await, 200);
    app.app.write_gathered().await;
    let app = app.restart(Setup::default()).await;
    app.fails(guess(&app, "ann", WRONG), 401, "INVALID_CREDENTIALS").await;
    // A day later nothing of it is left.
    app.app.write_gathered().await;
    app.clock.advance_secs(25 * 3600);
    app.app.tend().await;
    let findings = app.app.store.verify(&auth_service::app::CHECKS.concat()).unwrap();
    assert_eq!((findings.tables.get("throttle"), app.app.throttle.held()), (Some(&0), 0));
}

#[tokio::test]
async fn a_session_guesses_at_its_own_password_no_faster() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let body = json!({"current_password": WRONG, "new_password": "staple 17 of the donkey"});
    let change = || ann.bearer(Method::POST, "/auth/password/change").json(&body);
    for _ in 0..5 {
        app.refuses(change(), "current_password").await;
    }
    let prove = || ann.bearer(Method::POST, "/auth/reauthenticate").json(&json!({"password": WRONG}));
    for _ in 0..5 {
        app.fails(prove(), 401, "INVALID_CREDENTIALS").await;
    }
    assert_eq!(wait(&app, change()).await, 1);
    assert_eq!(wait(&app, prove()).await, 1);
    let delete = ann.bearer(Method::DELETE, "/auth/me").json(&json!({"password": PASSWORD}));
    app.fails(delete, 429, "TOO_MANY_ATTEMPTS").await;
    // Others log in meanwhile.
    assert_eq!(status(guess(&app, "ann", PASSWORD)).await, 200);
}

#[tokio::test]
async fn an_attack_is_in_the_trail_and_does_not_fill_it() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    for _ in 0..60 {
        guess(&app, "ann", WRONG).send().await.unwrap();
    }
    let list = app.json(root.bearer(Method::GET, "/audit?action=session.refused"), 200).await;
    let told: Vec<_> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| (&event["details"]["reason"], &event["count"], &event["subject"]["name"]))
        .collect();
    assert_eq!(told.len(), 2, "{told:?}");
    let expected: [(&str, Value); 2] = [("wrong_credentials", json!(10)), ("too_many_attempts", json!(50))];
    for (reason, count) in expected {
        assert!(told.contains(&(&json!(reason), &count, &json!("ann"))), "{told:?}");
    }
}

#[tokio::test]
async fn it_can_be_switched_off() {
    let app = Setup::default().with("throttle.state", "off").start().await;
    app.register("ann").await;
    for _ in 0..15 {
        app.fails(guess(&app, "ann", WRONG), 401, "INVALID_CREDENTIALS").await;
    }
}
