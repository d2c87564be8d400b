//! What the clients say to the service: the requests of people who register, log in and stay logged in.

use core::sync::atomic::{AtomicU64, Ordering};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::load::Client;
use crate::wire::{Answer, Connection};

const PASSWORD: &str = "correct horse 81 battery";

/// A GET, with a bearer token if there is one.
pub fn get(path: &str, token: Option<&str>) -> Vec<u8> {
    let credential = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{credential}\r\n").into_bytes()
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
    post("/auth/register", &body)
}

/// The user with this number logs in.
pub fn login(number: u64) -> Vec<u8> {
    post("/auth/token", &json!({ "username": name(number), "password": PASSWORD }))
}

fn name(number: u64) -> String {
    format!("person{number:07}")
}

fn post(path: &str, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// What a login or a refresh hands out.
#[derive(Clone)]
pub struct Session {
    /// The access token, for the `Authorization` header.
    pub access: String,
    refresh: String,
    csrf: String,
}

impl Session {
    /// Registers the user with this number and logs in.
    pub async fn create(address: SocketAddr, number: u64) -> io::Result<Self> {
        let mut connection = Connection::open(address).await?;
        expect(&connection.exchange(&register(number)).await?, 201)?;
        let answer = connection.exchange(&login(number)).await?;
        expect(&answer, 200)?;
        let body: Value = serde_json::from_slice(answer.body)?;
        let access = body["access_token"].as_str().unwrap_or_default().to_owned();
        let mut session = Self { access, refresh: String::new(), csrf: String::new() };
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
                _ => {}
            }
        }
    }
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

fn expect(answer: &Answer<'_>, status: u16) -> io::Result<()> {
    if answer.status == status { Ok(()) } else { Err(answer.unexpected(status)) }
}
