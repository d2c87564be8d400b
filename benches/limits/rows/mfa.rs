//! What a second factor costs: the code of an app, checked and durably used up, after the password.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;
use tokio::task::JoinSet;
use totp_rs::{Builder, Secret, Totp};

use crate::accounts::{self, Credential, Repeat, Session};
use crate::bench::{Bench, WEAK_HASHES};
use crate::load::{Client, Figures, Fleet};
use crate::report::{Report, grouped};
use crate::wire::{Answer, Connection};

const CONNECTIONS: usize = 64;
/// Seconds for which an app shows the same code.
const STEP: u64 = 30;

/// Verifications a round. Everybody verifies once in the whole run: a code is good once, and the next one comes in half a
/// minute.
fn in_a_round(bench: &Bench) -> u64 {
    if bench.options.quick { 512 } else { 2048 }
}

/// The CPU of verifications at 64 connections beside that of requests to a bare hyper server. The passwords, which cost far
/// more, are compared before the clock runs.
pub async fn verify(bench: &Bench, report: &mut Report) -> io::Result<()> {
    let server = bench.start("mfa", &WEAK_HASHES)?;
    let (address, each) = (server.address, in_a_round(bench));
    let rounds = bench.options.rounds();
    let mut apps = at_once(0..each * rounds as u64, move |number| App::enrol(address, number)).await?;
    report.note(format!("mfa-verify: {} users with an app", grouped(apps.len() as u64)));
    // The code with which an app was turned on is used up, and those before it.
    tokio::time::sleep(Duration::from_secs(STEP - now() % STEP)).await;
    let health = accounts::get("/health", Credential::Nobody);
    let bare = bench.start_bare(&server, &health).await?;
    let mut theirs = Fleet::new(bare.address, vec![Repeat(health); CONNECTIONS]);
    let (mut samples, mut raw) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let of_round = apps.split_off(apps.len() - each as usize);
        let waiting = at_once(of_round, move |app| app.log_in(address)).await?;
        samples.push(Fleet::new(address, Verifying::share(waiting)).drain(&server).await?);
        raw.push(theirs.round(bench.options.window(), &bare).await?);
    }
    let (ours, bare) = (Figures::of(&samples), Figures::of(&raw));
    report.note(format!("mfa-verify: bare hyper, answering /health, {bare}"));
    report.ratio("mfa-verify", ours.cpu / bare.cpu, ours);
    server.stop()
}

/// Does something for each of many, 64 at a time.
async fn at_once<I, T, F>(
    items: impl IntoIterator<Item = I>,
    work: impl Fn(I) -> F + Clone + Send + 'static,
) -> io::Result<Vec<T>>
where
    I: Send + 'static,
    T: Send + 'static,
    F: Future<Output = io::Result<T>> + Send,
{
    let mut parts: Vec<Vec<I>> = (0..CONNECTIONS).map(|_| Vec::new()).collect();
    for (at, item) in items.into_iter().enumerate() {
        parts[at % CONNECTIONS].push(item);
    }
    let mut running = JoinSet::new();
    for part in parts {
        let work = work.clone();
        running.spawn(async move {
            let mut done = Vec::with_capacity(part.len());
            for item in part {
                done.push(work(item).await?);
            }
            Ok::<_, io::Error>(done)
        });
    }
    let mut all = Vec::new();
    while let Some(ended) = running.join_next().await {
        all.extend(ended.map_err(io::Error::other)??);
    }
    Ok(all)
}

/// The app of a user.
struct App {
    number: u64,
    totp: Totp,
}

impl App {
    /// Registers the user with this number, and turns an app on.
    async fn enrol(address: SocketAddr, number: u64) -> io::Result<Self> {
        let session = Session::create(address, number).await?;
        let mut connection = Connection::open(address).await?;
        let bearer = Credential::Bearer(&session.access);
        let set_up = accounts::send("POST", "/auth/mfa/setup", bearer, &json!({}));
        let shown = accounts::read(&connection.exchange(&set_up).await?, 200)?;
        let secret = shown["secret"].as_str().unwrap_or_default();
        let totp = Builder::new().with_secret(Secret::try_from_base32(secret).unwrap()).build().unwrap();
        let app = Self { number, totp };
        let enable = accounts::send("POST", "/auth/mfa/enable", bearer, &json!({ "code": app.code() }));
        accounts::read(&connection.exchange(&enable).await?, 200)?;
        Ok(app)
    }

    /// Logs in with the password, after which the code is asked for.
    async fn log_in(self, address: SocketAddr) -> io::Result<Waiting> {
        let mut connection = Connection::open(address).await?;
        let asked = accounts::read(&connection.exchange(&accounts::login(self.number)).await?, 401)?;
        let token = asked["error"]["details"]["mfa_token"].as_str().map(str::to_owned);
        let token =
            token.ok_or_else(|| io::Error::other(format!("no second factor is asked for: {asked}")))?;
        Ok(Waiting { token, app: self })
    }

    fn code(&self) -> String {
        self.totp.generate(now()).to_string()
    }
}

/// A login that waits for its second factor.
struct Waiting {
    token: String,
    app: App,
}

/// Finishes the logins that wait, each once.
struct Verifying(Vec<Waiting>);

impl Verifying {
    /// Gives each connection its part of them.
    fn share(waiting: Vec<Waiting>) -> Vec<Self> {
        let mut parts: Vec<_> = (0..CONNECTIONS).map(|_| Self(Vec::new())).collect();
        for (at, login) in waiting.into_iter().enumerate() {
            parts[at % CONNECTIONS].0.push(login);
        }
        parts
    }
}

impl Client for Verifying {
    fn request(&mut self, out: &mut Vec<u8>) -> bool {
        let Some(Waiting { token, app }) = self.0.pop() else { return false };
        let body = json!({ "mfa_token": token, "code": app.code() });
        out.extend_from_slice(&accounts::send("POST", "/auth/mfa/verify", Credential::Nobody, &body));
        true
    }

    fn answered(&mut self, answer: &Answer<'_>) -> io::Result<()> {
        if answer.status == 200 { Ok(()) } else { Err(answer.unexpected(200)) }
    }
}

/// Seconds since the epoch.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
