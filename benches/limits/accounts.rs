//! What the clients say to the service: the requests of people who register, log in and stay logged in.

use core::sync::atomic::{AtomicU64, Ordering};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::load::Client;
use crate::wire::{Answer, Connection};

/// Everybody's.
pub const PASSWORD: &str = "correct horse 81 battery";

/// How a caller says who it is.
#[derive(Clone, Copy)]
pub enum Credential<'a> {
    /// Not at all.
    Nobody,
    /// With an access token.
    Bearer(&'a str),
    /// With an API key.
    Key(&'a str),
}

/// Its header, if it has one.
impl core::fmt::Display for Credential<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Nobody => Ok(()),
            Self::Bearer(token) => write!(f, "Authorization: Bearer {token}\r\n"),
            Self::Key(key) => write!(f, "X-API-Key: {key}\r\n"),
        }
    }
}

/// A request without a body.
pub fn get(path: &str, credential: Credential<'_>) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{credential}\r\n").into_bytes()
}

/// A request with a body.
pub fn send(method: &str, path: &str, credential: Credential<'_>, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{credential}Content-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// The user with this number registers.
pub fn register(number: u64) -> Vec<u8> {
    let body = json!({
        "username": name(number),
        "email": format!("{}@example.org", name(number)),
        "password": PASSWORD,
        "first_name": "Ada",
        "last_name": "Lovelace",
    });
    send("POST", "/auth/register", Credential::Nobody, &body)
}

/// The user with this number logs in.
pub fn login(number: u64) -> Vec<u8> {
    login_as(&name(number))
}

/// The user with this name logs in.
fn login_as(name: &str) -> Vec<u8> {
    send("POST", "/auth/token", Credential::Nobody, &json!({ "username": name, "password": PASSWORD }))
}

/// Somebody at the address with this number guesses at the password of the user with that one, behind a proxy.
pub fn guess(user: u64, address: u64) -> Vec<u8> {
    let body = json!({ "username": name(user), "password": "wrong" }).to_string();
    let [.., a, b, c] = address.to_be_bytes();
    let length = body.len();
    format!(
        "POST /auth/token HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 10.{a}.{b}.{c}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

fn name(number: u64) -> String {
    format!("person{number:07}")
}

/// What a login or a refresh hands out.
#[derive(Clone)]
pub struct Session {
    /// The access token, for the `Authorization` header.
    pub access: String,
    /// The cookie that pages know its browser by.
    pub browser: String,
    refresh: String,
    csrf: String,
}

impl Session {
    /// Registers the user with this number and logs in.
    pub async fn create(address: SocketAddr, number: u64) -> io::Result<Self> {
        let mut connection = Connection::open(address).await?;
        expect(&connection.exchange(&register(number)).await?, 201)?;
        Self::open(&mut connection, &name(number)).await
    }

    /// Logs in as the user with this name.
    pub async fn open(connection: &mut Connection, name: &str) -> io::Result<Self> {
        let answer = connection.exchange(&login_as(name)).await?;
        expect(&answer, 200)?;
        let body: Value = serde_json::from_slice(answer.body)?;
        let access = body["access_token"].as_str().unwrap_or_default().to_owned();
        let mut session =
            Self { access, browser: String::new(), refresh: String::new(), csrf: String::new() };
        session.take_cookies(&answer);
        if session.refresh.is_empty() {
            Err(io::Error::other("a login without cookies"))
        } else {
            Ok(session)
        }
    }

    fn take_cookies(&mut self, answer: &Answer<'_>) {
        let cookies = answer.headers().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
        for (_, cookie) in cookies {
            let pair = cookie.split(';').next().unwrap_or_default();
            match pair.split_once('=') {
                Some(("refresh_token_cookie", value)) => value.clone_into(&mut self.refresh),
                Some(("csrf_access_token", value)) => value.clone_into(&mut self.csrf),
                Some(("session_cookie", value)) => value.clone_into(&mut self.browser),
                _ => {}
            }
        }
    }
}

/// What an answer has put into a cookie.
pub fn cookie(answer: &Answer<'_>, wanted: &str) -> Option<String> {
    let cookies = answer.headers().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
    let mut pairs = cookies.filter_map(|(_, cookie)| cookie.split(';').next()?.split_once('='));
    pairs.find(|(name, _)| *name == wanted).map(|(_, value)| value.to_owned())
}

/// The session renews its access token again and again.
impl Client for Session {
    fn request(&mut self, out: &mut Vec<u8>) -> bool {
        let Self { refresh, csrf, .. } = self;
        for part in [
            "POST /auth/token/refresh HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nX-CSRF-Token: ",
            csrf,
            "\r\nCookie: refresh_token_cookie=",
            refresh,
            "; csrf_access_token=",
            csrf,
            "\r\n\r\n",
        ] {
            out.extend_from_slice(part.as_bytes());
        }
        true
    }

    fn answered(&mut self, answer: &Answer<'_>) -> io::Result<()> {
        expect(answer, 200)?;
        self.take_cookies(answer);
        Ok(())
    }
}

/// The same request over and over.
#[derive(Clone)]
pub struct Repeat(pub Vec<u8>);

impl Client for Repeat {
    fn request(&mut self, out: &mut Vec<u8>) -> bool {
        out.extend_from_slice(&self.0);
        true
    }

    fn answered(&mut self, answer: &Answer<'_>) -> io::Result<()> {
        expect(answer, 200)
    }
}

/// Several requests, one after the other, and then from the start.
pub struct InTurn {
    requests: Vec<Vec<u8>>,
    next: usize,
}

impl InTurn {
    /// The users with these numbers log in, again and again.
    pub fn log_in(numbers: impl Iterator<Item = u64>) -> Self {
        Self { requests: numbers.map(login).collect(), next: 0 }
    }
}

impl Client for InTurn {
    fn request(&mut self, out: &mut Vec<u8>) -> bool {
        out.extend_from_slice(&self.requests[self.next]);
        self.next = (self.next + 1) % self.requests.len();
        true
    }

    fn answered(&mut self, answer: &Answer<'_>) -> io::Result<()> {
        expect(answer, 200)
    }
}

/// A list of users, each of whom does the same thing once; several clients share one list.
#[derive(Clone)]
pub struct Each {
    next: Arc<AtomicU64>,
    end: u64,
    request: fn(u64) -> Vec<u8>,
    status: u16,
}

impl Each {
    /// The users with these numbers register.
    pub fn registers(numbers: core::ops::Range<u64>) -> Self {
        Self {
            next: Arc::new(AtomicU64::new(numbers.start)),
            end: numbers.end,
            request: register,
            status: 201,
        }
    }

    /// The users with these numbers log in.
    pub fn logs_in(numbers: core::ops::Range<u64>) -> Self {
        Self { request: login, status: 200, ..Self::registers(numbers) }
    }

    /// The number of the user who comes next, which is also how far the work has come.
    pub fn reached(&self) -> u64 {
        self.next.load(Ordering::Relaxed).min(self.end)
    }
}

impl Client for Each {
    fn request(&mut self, out: &mut Vec<u8>) -> bool {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        if number < self.end {
            out.extend_from_slice(&(self.request)(number));
        }
        number < self.end
    }

    fn answered(&mut self, answer: &Answer<'_>) -> io::Result<()> {
        expect(answer, self.status)
    }
}

/// The JSON of an answer that has to have this status.
pub fn read(answer: &Answer<'_>, status: u16) -> io::Result<Value> {
    expect(answer, status)?;
    Ok(serde_json::from_slice(answer.body)?)
}

fn expect(answer: &Answer<'_>, status: u16) -> io::Result<()> {
    if answer.status == status { Ok(()) } else { Err(answer.unexpected(status)) }
}
