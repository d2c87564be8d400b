//! What a socket on the open internet gets to see.
use std::time::Duration;

use auth_service::base::Tick;
use serde_json::json;

use crate::support::{PASSWORD, Raw, Setup, TestApp, check_envelope};

const HEAD: &str = "POST /auth/register HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n";
const DRIP: Duration = Duration::from_millis(100);

/// A whole registration in two parts: all but its last byte, and that.
fn registration(name: &str) -> (String, &'static str) {
    let body = json!({"username": name, "email": format!("{name}@example.com"), "password": PASSWORD});
    let text = format!("{HEAD}Content-Length: {}\r\n\r\n{body}", body.to_string().len());
    (text[..text.len() - 1].to_owned(), "}")
}

/// A connection whose request runs: its body is not whole yet.
async fn busy(app: &TestApp, name: &str) -> Raw {
    let mut raw = app.raw().await;
    // The answer to this one proves that the server has read on.
    assert_eq!(raw.ask("GET", "/health/live", &[]).await.status, 200);
    let (most, _) = registration(name);
    let expecting = most.replacen("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n", 1);
    raw.send(expecting).await;
    assert_eq!(raw.answer().await.status, 100, "the handler waits for the body");
    raw
}

/// Sends a byte now and then until the server has had enough; gives how long that took.
async fn drip(raw: &mut Raw, byte: &str) -> Duration {
    let started = Tick::now();
    while !raw.is_closed() && started.elapsed() < Duration::from_secs(20) {
        raw.try_send(byte).await;
        tokio::time::sleep(DRIP).await;
    }
    started.elapsed()
}

fn is_about_a_second(took: Duration) {
    assert!(took >= Duration::from_millis(900) && took < Duration::from_secs(10), "{took:?}");
}

#[tokio::test]
async fn a_silent_connection_is_closed() {
    let app = Setup::default().with("http.header_timeout_secs", "1").start().await;
    let started = Tick::now();
    assert_eq!(app.raw().await.closed().await, "");
    is_about_a_second(started.elapsed());
}

#[tokio::test]
async fn a_head_that_drips_is_cut_off() {
    let app = Setup::default().with("http.header_timeout_secs", "1").start().await;
    let mut raw = app.raw().await;
    raw.send("GET /health HTTP/1.1\r\nHost: a\r\nX-Slow: ").await;
    is_about_a_second(drip(&mut raw, "x").await);
    // The preface of HTTP/2, and then nothing that it asks for.
    let mut raw = app.raw().await;
    raw.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    let started = Tick::now();
    raw.closed().await;
    is_about_a_second(started.elapsed());
}

#[tokio::test]
async fn a_connection_between_requests_is_closed_after_a_while() {
    let setup = Setup::default().with("http.header_timeout_secs", "1");
    let app = setup.with("http.idle_timeout_secs", "1").start().await;
    for start_of_next in ["", "GET /health HTTP/1.1\r\nX-Slow: "] {
        let mut raw = app.raw().await;
        assert_eq!(raw.ask("GET", "/health", &[]).await.status, 200);
        raw.send(start_of_next).await;
        is_about_a_second(drip(&mut raw, if start_of_next.is_empty() { "" } else { "x" }).await);
    }
}

#[tokio::test]
async fn a_body_that_drips_times_out() {
    let app = Setup::default().with("http.request_timeout_secs", "1").start().await;
    for framing in ["Content-Length: 5000", "Transfer-Encoding: chunked"] {
        let mut raw = app.raw().await;
        raw.send(format!("{HEAD}{framing}\r\n\r\n")).await;
        let started = Tick::now();
        let chunk = if framing.contains("chunked") { "1\r\n{\r\n" } else { "{" };
        for _ in 0..7 {
            raw.send(chunk).await;
            tokio::time::sleep(DRIP).await;
        }
        let answer = raw.answer().await;
        is_about_a_second(started.elapsed());
        assert_eq!(answer.status, 503);
        check_envelope(503, &answer.headers, &answer.body, "TIMEOUT");
        raw.closed().await;
    }
}

#[tokio::test]
async fn at_the_limit_an_idle_connection_makes_room() {
    let app = Setup::default().with("http.max_connections", "3").start().await;
    let mut open = Vec::new();
    for n in 0..6 {
        let mut raw = app.raw().await;
        assert_eq!(raw.ask("GET", "/health", &[]).await.status, 200, "{n}");
        open.push(raw);
    }
    let mut newest = open.pop().unwrap();
    let mut closed = 0;
    for raw in &mut open {
        closed += usize::from(raw.is_closed_soon().await);
    }
    assert_eq!(closed, 3, "as many as were too many");
    assert_eq!(newest.ask("GET", "/health", &[]).await.status, 200);
}

#[tokio::test]
async fn at_the_limit_no_running_request_is_cut_off() {
    let app = Setup::default().with("http.max_connections", "3").start().await;
    let mut running = Vec::new();
    for name in ["ann", "bob", "cat"] {
        running.push((name, busy(&app, name).await));
    }
    let mut refused = app.raw().await;
    refused.try_send("GET /health HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(refused.closed().await, "", "all places are taken");
    for (name, raw) in &mut running {
        raw.send(registration(name).1).await;
        assert_eq!(raw.answer().await.status, 201, "{name}");
    }
    assert_eq!(app.raw().await.ask("GET", "/health", &[]).await.status, 200);
}

#[tokio::test]
async fn garbage_is_refused_and_harms_nobody() {
    let app = TestApp::start().await;
    let mut polite = app.raw().await;
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"[..],
        b"\x00\x00\x00\x00\x00\x00\x00\x00\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /health\r\n\r\n",
        b"GET /health HTTP/3.0\r\n\r\n",
        b"GET /health HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\r\nX-A: b\0c\r\n\r\n",
        b"GET /hea\0lth HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\r\nX-A : b\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
    ] {
        let mut raw = app.raw().await;
        raw.send(garbage).await;
        let answer = raw.closed().await;
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{garbage:?}: {answer}");
        assert_eq!(polite.ask("GET", "/health", &[]).await.status, 200);
    }
    // HTTP/2 with a frame of the largest length there is.
    let mut raw = app.raw().await;
    raw.send([&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &[0xff; 64]].concat()).await;
    raw.closed().await;
    assert_eq!(polite.ask("GET", "/health", &[]).await.status, 200);
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let app = TestApp::start().await;
    let many: String = (0..101).map(|n| format!("X-{n}: a\r\n")).collect();
    // As many bytes as the server takes; with more, its answer might be lost over what it has not read.
    let fill = |start: &str| format!("{start}{}", "a".repeat(64 * 1024 - start.len()));
    for head in [
        fill("GET /health HTTP/1.1\r\nHost: a\r\nX-A: "),
        fill("GET /"),
        fill("G"),
        format!("GET /health HTTP/1.1\r\nHost: a\r\n{many}\r\n"),
        format!("GET /health HTTP/1.1\r\nHost: a\r\n{}\r\n", "X-A: b\r\n".repeat(1000)),
    ] {
        let mut raw = app.raw().await;
        raw.send(&head).await;
        let answer = raw.closed().await;
        let refused = ["HTTP/1.1 431 ", "HTTP/1.1 400 "].iter().any(|start| answer.starts_with(start));
        assert!(refused, "{}: {answer}", &head[..20]);
    }
    let mut flood = app.raw().await;
    flood.send("GET /health HTTP/1.1\r\nHost: a\r\n").await;
    let line = format!("X-A: {}\r\n", "a".repeat(4000));
    let mut sent = 0;
    while flood.try_send(&line).await {
        sent += line.len();
        assert!(sent < 1 << 30, "there is no end to it");
    }
    let large = format!("X-A: {}", "a".repeat(30_000));
    assert_eq!(app.raw().await.ask("GET", "/health", &[&large]).await.status, 200);
    assert_eq!(app.raw().await.ask("GET", &format!("/{}", "a".repeat(30_000)), &[]).await.status, 404);
}

#[tokio::test]
async fn a_client_that_is_done_sending_gets_what_is_ready_and_the_end() {
    let app = TestApp::start().await;
    let mut raw = app.raw().await;
    raw.send("GET /health HTTP/1.1\r\nHost: a\r\n\r\n").await;
    raw.half_close().await;
    assert_eq!(raw.answer().await.status, 200);
    assert_eq!(raw.closed().await, "");
    let mut raw = app.raw().await;
    raw.half_close().await;
    assert_eq!(raw.closed().await, "");
    // The end of what a client sends is how one that has gone looks: its hash is not worth the work.
    let mut raw = app.raw().await;
    let (most, last) = registration("ann");
    raw.send(most + last).await;
    raw.half_close().await;
    raw.closed().await;
    assert_eq!(app.get("/health").await.status(), 200);
}

#[tokio::test]
async fn requests_in_one_go_are_all_answered_in_their_order() {
    let app = TestApp::start().await;
    let mut raw = app.raw().await;
    let paths = [("/health", 200), ("/nope", 404), ("/auth/me", 401)];
    let request = |n: usize| {
        let (path, _) = paths[n % 3];
        format!("GET {path} HTTP/1.1\r\nHost: a\r\nX-Request-Id: n{n}\r\n\r\n")
    };
    raw.send((0..30).map(request).collect::<String>()).await;
    for n in 0..30 {
        let answer = raw.answer().await;
        assert_eq!(answer.status, paths[n % 3].1);
        assert_eq!(answer.headers["x-request-id"], format!("n{n}").as_str());
    }
    // A body between them ends where it says.
    let (most, last) = registration("ann");
    raw.send(request(0) + &most + last + &request(1)).await;
    for status in [200, 201, 404] {
        assert_eq!(raw.answer().await.status, status);
    }
}

#[tokio::test]
async fn who_leaves_without_waiting_harms_nobody() {
    let app = TestApp::start().await;
    for n in 0..20 {
        let mut raw = app.raw().await;
        let (most, last) = registration(&format!("user{n}"));
        raw.send(most + last).await;
        drop(raw);
    }
    assert_eq!(app.get("/health").await.status(), 200);
    app.user("ann").await;
}

#[tokio::test]
async fn a_stop_lets_running_requests_finish() {
    let app = TestApp::start().await;
    let mut running = busy(&app, "ann").await;
    let mut idle = app.raw().await;
    assert_eq!(idle.ask("GET", "/health", &[]).await.status, 200);
    let mut silent = app.raw().await;
    let address = app.address;
    let finish = async {
        assert_eq!((idle.closed().await, silent.closed().await), (String::new(), String::new()));
        let refused = tokio::net::TcpStream::connect(address).await;
        assert!(refused.is_err(), "nobody new is let in");
        running.send(registration("ann").1).await;
        let answer = running.answer().await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(running.closed().await, "");
    };
    let (data_dir, ()) = futures_util::join!(app.stop(), finish);
    let app = Setup { data_dir: Some(data_dir), ..Setup::default() }.start().await;
    app.log_in("ann", PASSWORD).await;
}

#[tokio::test]
async fn a_stop_takes_a_bounded_time() {
    let app = Setup::default().with("http.shutdown_timeout_secs", "1").start().await;
    let _running = busy(&app, "ann").await;
    let mut half = app.raw().await;
    half.send("GET /health HT").await;
    let started = Tick::now();
    app.stop().await;
    is_about_a_second(started.elapsed());
}
