//! Keys that clients publish at an address of their own (`jwks_uri`).
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use auth_service::crypto::{Algorithm, SigningKey};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::Signer;
use super::support::signer::{changed, public};
use crate::support::{Setup, TestApp, jwt};

/// Where a client publishes something, and how often it was asked for.
struct Place {
    uri: String,
    says: Arc<Mutex<(u16, String)>>,
    asked: Arc<AtomicUsize>,
}

impl Place {
    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}/jwks", listener.local_addr().unwrap());
        let says = Arc::new(Mutex::new((200, String::new())));
        let asked = Arc::new(AtomicUsize::new(0));
        let (answer, count) = (says.clone(), asked.clone());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut buffer = vec![0; 4096];
                let _ = stream.read(&mut buffer).await;
                count.fetch_add(1, Ordering::SeqCst);
                let (status, body) = answer.lock().unwrap().clone();
                let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n\r\n", body.len());
                let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
            }
        });
        Self { uri, says, asked }
    }

    fn says(&self, status: u16, body: impl ToString) {
        *self.says.lock().unwrap() = (status, body.to_string());
    }

    fn shows(&self, keys: &[&SigningKey]) {
        self.says(200, json!({"keys": keys.iter().map(|key| public(key)).collect::<Vec<_>>()}));
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

async fn start() -> TestApp {
    Setup::default().with("outbound.allowed_networks", "127.0.0.1/32").start().await
}

async fn robot<'a>(app: &'a TestApp, uri: &str) -> Signer<'a> {
    let root = app.superuser("root").await;
    let also = json!({"jwks": null, "jwks_uri": uri});
    Signer::register(&root, Algorithm::Es256, also).await
}

/// With a `jti` of its own.
fn signed(signer: &Signer, jti: &str) -> String {
    signer.assertion_but(&json!({"jti": jti}))
}

#[tokio::test]
async fn keys_that_are_published_are_asked_for_and_kept_for_an_hour() {
    let (app, place) = (start().await, Place::open().await);
    let robot = robot(&app, &place.uri).await;
    assert_eq!(place.asked(), 0, "who registers is not asked");
    place.shows(&[&robot.key]);
    for _ in 0..3 {
        assert!(robot.is_taken(&robot.assertion()).await);
    }
    app.clock.advance_secs(3599);
    assert!(robot.is_taken(&robot.assertion()).await);
    assert_eq!(place.asked(), 1);
    app.clock.advance_secs(1);
    place.shows(&[&jwt::foreign_key(Algorithm::Es256)]);
    assert!(!robot.is_taken(&robot.assertion()).await, "it has been withdrawn");
    assert_eq!(place.asked(), 2, "which was seen just now: no need to ask again");
}

#[tokio::test]
async fn for_a_key_that_is_not_known_they_are_asked_for_again_once_and_not_too_often() {
    let (app, place) = (start().await, Place::open().await);
    let robot = robot(&app, &place.uri).await;
    place.shows(&[&robot.key]);
    assert!(robot.is_taken(&robot.assertion()).await);
    let new = Signer::known_as(&app, &robot.id, jwt::foreign_key(Algorithm::Es256));
    place.shows(&[&robot.key, &new.key]);
    assert!(!new.is_taken(&signed(&new, "early")).await);
    assert_eq!(place.asked(), 1, "asked a moment ago");
    app.clock.advance_secs(30);
    assert!(new.is_taken(&signed(&new, "a")).await);
    assert_eq!(place.asked(), 2);
    app.clock.advance_secs(30);
    let stranger = Signer::known_as(&app, &robot.id, jwt::foreign_key(Algorithm::Es256));
    for n in 0..20 {
        assert!(!stranger.is_taken(&signed(&stranger, &format!("x{n}"))).await);
    }
    assert_eq!(place.asked(), 3, "strangers make this server ask once in half a minute");
    assert!(robot.is_taken(&signed(&robot, "b")).await && new.is_taken(&signed(&new, "c")).await);
    // A known name with a bad signature is no reason to ask.
    app.clock.advance_secs(30);
    let header = changed(&stranger.header(), &json!({"kid": robot.key.kid()}));
    assert!(!robot.is_taken(&jwt::forge(&stranger.key, &header, &stranger.claims())).await);
    assert_eq!(place.asked(), 3);
}

#[tokio::test]
async fn keys_that_cannot_be_had_are_a_refusal_that_says_why() {
    let (app, place) = (start().await, Place::open().await);
    let robot = robot(&app, &place.uri).await;
    let key = public(&robot.key);
    let many: Vec<Value> = (0..51).map(|n| changed(&key, &json!({"kid": n.to_string()}))).collect();
    for (status, body, why) in [
        (404, String::new(), "status 404"),
        (302, String::new(), "status 302"),
        (200, "<html>".to_owned(), "no JSON"),
        (200, "[]".to_owned(), "no JWK set"),
        (200, json!({"keys": many}).to_string(), "too many keys"),
        (200, json!({"keys": [key], "more": "x".repeat(140_000)}).to_string(), "too large"),
        (200, json!({"keys": []}).to_string(), "no key"),
        (200, json!({"keys": [changed(&key, &json!({"use": "enc"}))]}).to_string(), "no key"),
    ] {
        app.clock.advance_secs(30);
        place.says(status, body);
        let said = super::is_refused(robot.sends(&robot.assertion()).await, 401, "invalid_client").await;
        assert!(said.contains(why), "{said}");
    }
    app.clock.advance_secs(30);
    place.shows(&[&robot.key]);
    assert!(robot.is_taken(&robot.assertion()).await, "afterwards all is well");
}

#[tokio::test]
async fn an_address_in_a_network_that_was_not_named_is_never_asked() {
    let (app, place) = (TestApp::start().await, Place::open().await);
    let robot = robot(&app, &place.uri).await;
    place.shows(&[&robot.key]);
    let said = super::is_refused(robot.sends(&robot.assertion()).await, 401, "invalid_client").await;
    assert!(said.contains("jwks_uri") && !said.contains("127.0.0.1"), "{said}");
    assert_eq!(place.asked(), 0);
}

#[tokio::test]
async fn keys_are_here_or_elsewhere_and_can_be_moved() {
    let (app, place) = (start().await, Place::open().await);
    let root = app.superuser("root").await;
    let robot = Signer::register(&root, Algorithm::Es256, json!({})).await;
    let path = format!("/oauth-clients/{}", robot.id);
    let change = |body: Value| app.json(root.bearer(Method::PATCH, &path).json(&body), 200);
    let moved = change(json!({"jwks_uri": place.uri})).await;
    assert_eq!((&moved["jwks"], &moved["jwks_uri"]), (&Value::Null, &json!(place.uri)));
    place.shows(&[&robot.key]);
    assert!(robot.is_taken(&robot.assertion()).await);
    assert_eq!(place.asked(), 1);
    // A change of something else leaves them, and what is said of the other place takes nothing away.
    let same = change(json!({"jwks": null, "client_uri": "https://a.example/"})).await;
    assert_eq!(same["jwks_uri"], json!(place.uri));
    app.refuses(root.bearer(Method::PATCH, &path).json(&json!({"jwks_uri": null})), "jwks").await;
    let back = change(json!({"jwks": {"keys": [public(&robot.key)]}})).await;
    assert_eq!(back["jwks_uri"], Value::Null);
}
