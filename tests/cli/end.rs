//! How a server ends: what runs is finished, what idles is closed, and nothing keeps it for ever.
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use auth_service::base::Tick;
use rustix::process::Signal;

use crate::support::{PASSWORD, Place, Server};

/// Far below the time-outs of a connection and far above what an end takes.
const SOON: Duration = Duration::from_secs(5);

/// Begins a registration and leaves its body open; returns once the server runs it.
fn begin_registration(server: &Server, name: &str) -> (BufReader<TcpStream>, String) {
    let body = format!(r#"{{"username":"{name}","email":"{name}@example.com","password":"{PASSWORD}"}}"#);
    let head = format!(
        "POST /auth/register HTTP/1.1\r\nHost: id.test\r\nContent-Type: application/json\r\n\
         Expect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = BufReader::new(server.connect(&head));
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    assert_eq!(line, "HTTP/1.1 100 Continue\r\n");
    stream.read_line(&mut line).unwrap();
    (stream, body)
}

/// Waits until nobody is let in any more.
fn wait_for_closed_door(server: &Server) {
    for _ in 0..2000 {
        match TcpStream::connect(server.address) {
            Err(refused) if refused.kind() == ErrorKind::ConnectionRefused => return,
            _ => thread::sleep(Duration::from_millis(5)),
        }
    }
    panic!("the server goes on listening");
}

fn a_running_request_is_finished(signal: Signal) {
    let place = Place::new();
    let server = place.start();
    let (mut stream, body) = begin_registration(&server, "ann");
    server.signal(signal);
    wait_for_closed_door(&server);
    stream.get_mut().write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 Created\r\n"), "{answer}");
    let (code, written) = server.wait();
    assert_eq!(code, 0, "{written}");
    assert!(written.contains("stopped") && !written.contains("cut off"), "{written}");
    let checked = place.run(&["check"]).text();
    assert!(checked.ends_with("\n0 problems\n"), "{checked}");
    assert_eq!(place.json(&["--json", "user", "show", "ann"])["id"], 1);
}

#[test]
fn sigterm_lets_a_running_request_finish() {
    a_running_request_is_finished(Signal::TERM);
}

#[test]
fn sigint_lets_a_running_request_finish() {
    a_running_request_is_finished(Signal::INT);
}

/// The client's thread goes on while the test waits, as a client's would.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn connections_that_wait_for_their_next_request_hold_up_nothing() {
    let mut server = Place::new().start();
    let user = server.user("ann").await;
    let _of_http_1 = server.http.clone();
    server.http = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    assert_eq!(server.me(&user).await, 200);
    let begun = Tick::now();
    server.stop();
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
}

#[test]
fn a_connection_that_has_sent_nothing_or_half_a_head_holds_up_nothing() {
    let server = Place::new().start();
    let _silent = server.connect("");
    let _half = server.connect("GET /health HTTP/1.1\r\nHos");
    thread::sleep(Duration::from_millis(50));
    let begun = Tick::now();
    let written = server.stop();
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    assert!(!written.contains("cut off"), "{written}");
}

#[test]
fn what_does_not_end_is_cut_off_when_its_time_is_up() {
    let place = Place::new().with("http.shutdown_timeout_secs", "1");
    let server = place.start();
    // A second request of which half the head comes, and a body that never ends.
    let mut half = BufReader::new(server.connect("GET /health/live HTTP/1.1\r\nHost: id.test\r\n\r\n"));
    let mut line = String::new();
    half.read_line(&mut line).unwrap();
    assert_eq!(line, "HTTP/1.1 200 OK\r\n");
    half.get_mut().write_all(b"GET /health/live HTTP/1.1\r\nHos").unwrap();
    let (_endless, _) = begin_registration(&server, "ann");
    let begun = Tick::now();
    let written = server.stop();
    assert!((Duration::from_secs(1)..SOON).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    assert!(written.contains("cut off"), "{written}");
    assert!(place.run(&["check"]).text().ends_with("\n0 problems\n"));
}

#[test]
fn a_second_signal_changes_nothing() {
    let place = Place::new().with("http.shutdown_timeout_secs", "1");
    let server = place.start();
    let (_endless, _) = begin_registration(&server, "ann");
    server.signal(Signal::INT);
    server.signal(Signal::TERM);
    server.signal(Signal::INT);
    let (code, written) = server.wait();
    assert_eq!(code, 0, "{written}");
    assert!(written.contains("stopped"), "{written}");
}
