//! What clients of the OAuth 2.0 server cost.

use core::sync::atomic::{AtomicU64, Ordering};
use std::io;
use std::sync::Arc;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::accounts::{self, Credential, Repeat, Session};
use crate::admin::Admin;
use crate::bench::Bench;
use crate::compare::{Comparison, with_raw};
use crate::load::{Client, Fleet};
use crate::process::Server;
use crate::raw::{self, Commits};
use crate::report::Report;
use crate::rows::http::beside_bare;
use crate::wire::{Answer, Connection};

const REDIRECT: &str = "https://app.example/callback";
const REDIRECT_ENCODED: &str = "https%3A%2F%2Fapp.example%2Fcallback";
/// Long enough for RFC 7636.
const VERIFIER: &str = "a-verifier-of-forty-three-letters-and-some-more";
const GRANTS: u64 = 64;
const BROWSERS: u64 = 16;

/// Documents, tokens and what they are worth, beside a bare hyper server.
pub async fn overhead(bench: &Bench, report: &mut Report) -> io::Result<()> {
    let server = bench.start("oauth", &[])?;
    let mut admin = Admin::create(bench, "oauth", &server).await?;
    let app = App::register(&mut admin).await?;
    if bench.options.wants("discovery") {
        let request = accounts::get("/.well-known/openid-configuration", Credential::Nobody);
        beside_bare(bench, report, &server, ("discovery", request)).await?;
    }
    if bench.options.wants("jwks") {
        let request = accounts::get("/oauth2/jwks", Credential::Nobody);
        beside_bare(bench, report, &server, ("jwks", request)).await?;
    }
    let session = Session::create(server.address, 0).await?;
    let tokens = app.log_in(&server, &session).await?;
    let access = tokens["access_token"].as_str().unwrap_or_default();
    if bench.options.wants("introspect") {
        let request = app.form("/oauth2/introspect", &[("token", access)]);
        beside_bare(bench, report, &server, ("introspect", request)).await?;
    }
    if bench.options.wants("userinfo") {
        let request = accounts::get("/oauth2/userinfo", Credential::Bearer(access));
        beside_bare(bench, report, &server, ("userinfo", request)).await?;
    }
    server.stop()
}

/// Tokens that clients get for themselves, beside the signature alone.
pub async fn client_credentials(bench: &Bench, report: &mut Report) -> io::Result<()> {
    let server = bench.start("machine", &[])?;
    let mut admin = Admin::create(bench, "machine", &server).await?;
    let app = App::register(&mut admin).await?;
    let request = app.form("/oauth2/token", &[("grant_type", "client_credentials")]);
    let mut fleet = Fleet::new(server.address, vec![Repeat(request); 64]);
    let mut samples = Vec::new();
    let mut signatures = Vec::new();
    for _ in 0..bench.options.rounds() {
        signatures.push(raw::es256_signature_cpu(bench.options.window().measured)?);
        samples.push(fleet.round(bench.options.window(), &server).await?);
    }
    let (figures, signature) = (crate::load::Figures::of(&samples), crate::report::median(signatures));
    report.note(format!("client-credentials: one ES256 signature {signature:.1} µs CPU"));
    report.ratio("client-credentials", signature / figures.cpu, figures);
    server.stop()
}

/// Refreshes of grants beside single commits of bare redb.
pub async fn refresh(bench: &Bench, report: &mut Report) -> io::Result<()> {
    let server = bench.start("grants", &[])?;
    let mut admin = Admin::create(bench, "grants", &server).await?;
    let app = App::register(&mut admin).await?;
    let mut grants = Vec::new();
    for number in 0..GRANTS {
        let session = Session::create(server.address, number).await?;
        let tokens = app.log_in(&server, &session).await?;
        grants.push(Grant { app: app.clone(), refresh: text(&tokens, "refresh_token")? });
    }
    let mut fleet = Fleet::new(server.address, grants);
    let mut commits = Commits::create(&bench.path("grants.redb"))?;
    let time = bench.options.window().measured;
    let Comparison { ratio, raw, figures } =
        with_raw(bench, &server, &mut fleet, || commits.per_second(time)).await?;
    report.note(format!("grant-refresh: bare redb {raw:.0} commits/s"));
    report.ratio("grant-refresh", ratio, figures);
    server.stop()
}

/// Whole flows of browsers that are signed in, and what their two requests take of the time.
pub async fn code_flow(bench: &Bench, report: &mut Report) -> io::Result<()> {
    let server = bench.start("flows", &[])?;
    let mut admin = Admin::create(bench, "flows", &server).await?;
    let app = App::register(&mut admin).await?;
    let spent = Arc::new(Spent::default());
    let mut flows = Vec::new();
    for number in 0..BROWSERS {
        let session = Session::create(server.address, number).await?;
        let (app, spent) = (app.clone(), Arc::clone(&spent));
        flows.push(Flow { app, session, code: None, asked: Instant::now(), spent });
    }
    let mut fleet = Fleet::new(server.address, flows);
    let mut samples = Vec::new();
    for _ in 0..bench.options.rounds() {
        samples.push(fleet.round(bench.options.window(), &server).await?);
    }
    let figures = crate::load::Figures::of(&samples);
    let [authorize, token] =
        [&spent.authorize, &spent.token].map(|nanos| nanos.load(Ordering::Relaxed) as f64);
    let share = 100.0 * authorize / (authorize + token);
    report.note(format!("code-flow: authorize takes {share:.0} % of the time, token {:.0} %", 100.0 - share));
    // Two requests make a flow.
    report.ratio("code-flow", figures.rate / 2.0, figures);
    server.stop()
}

/// What all flows have waited for, in nanoseconds.
#[derive(Default)]
struct Spent {
    authorize: AtomicU64,
    token: AtomicU64,
}

/// A browser that is signed in, and the application that it comes from.
struct Flow {
    app: App,
    session: Session,
    /// What the browser has brought, and the application has not redeemed yet.
    code: Option<String>,
    asked: Instant,
    spent: Arc<Spent>,
}

impl Client for Flow {
    fn request(&mut self, out: &mut Vec<u8>) -> bool {
        match &self.code {
            None => out.extend_from_slice(self.app.authorize(&self.session).as_bytes()),
            Some(code) => out.extend_from_slice(&self.app.redeem(code)),
        }
        self.asked = Instant::now();
        true
    }

    fn answered(&mut self, answer: &Answer<'_>) -> io::Result<()> {
        let nanos = u64::try_from(self.asked.elapsed().as_nanos()).unwrap_or(u64::MAX);
        if self.code.take().is_some() {
            self.spent.token.fetch_add(nanos, Ordering::Relaxed);
            text(&accounts::read(answer, 200)?, "access_token")?;
        } else {
            self.spent.authorize.fetch_add(nanos, Ordering::Relaxed);
            self.code = Some(code_in(answer)?);
        }
        Ok(())
    }
}

/// The code that a browser brings back.
fn code_in(answer: &Answer<'_>) -> io::Result<String> {
    let place = answer.headers().find(|(name, _)| name.eq_ignore_ascii_case("location"));
    let code = place.and_then(|(_, place)| place.split("code=").nth(1)?.split('&').next());
    Ok(code.ok_or_else(|| answer.unexpected(303))?.to_owned())
}

/// An application that is registered, and asks nobody.
#[derive(Clone)]
struct App {
    id: String,
    basic: String,
}

impl App {
    async fn register(admin: &mut Admin) -> io::Result<Self> {
        let body = json!({
            "client_name": "Bench",
            "redirect_uris": [REDIRECT],
            "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
            "scope": "openid profile email",
            "id_token_signed_response_alg": "ES256",
            "first_party": true,
            "introspect": true,
            "requests_per_hour": 1_000_000_000,
        });
        let made = admin.ask("POST", "/oauth-clients", &body, 201).await?;
        let (id, secret) = (text(&made, "client_id")?, text(&made, "client_secret")?);
        let basic = STANDARD.encode(format!("{id}:{secret}"));
        Ok(Self { id, basic })
    }

    /// Code and tokens for whoever is signed in.
    async fn log_in(&self, server: &Server, session: &Session) -> io::Result<Value> {
        let mut connection = Connection::open(server.address).await?;
        let code = code_in(&connection.exchange(self.authorize(session).as_bytes()).await?)?;
        accounts::read(&connection.exchange(&self.redeem(&code)).await?, 200)
    }

    /// What the browser asks.
    fn authorize(&self, session: &Session) -> String {
        let challenge = URL_SAFE_NO_PAD.encode(raw::sha256(VERIFIER.as_bytes()));
        let (id, cookie) = (&self.id, &session.browser);
        format!(
            "GET /oauth2/authorize?client_id={id}&redirect_uri={REDIRECT_ENCODED}&response_type=code\
             &scope=openid+profile+email&code_challenge={challenge}&code_challenge_method=S256 HTTP/1.1\r\n\
             Host: localhost\r\nCookie: session_cookie={cookie}\r\n\r\n"
        )
    }

    /// What the application asks when the browser is back.
    fn redeem(&self, code: &str) -> Vec<u8> {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT_ENCODED),
            ("code_verifier", VERIFIER),
        ];
        self.form("/oauth2/token", &fields)
    }

    /// A request of the application's; what is in it needs no encoding.
    fn form(&self, path: &str, fields: &[(&str, &str)]) -> Vec<u8> {
        let pairs: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let (body, basic) = (pairs.join("&"), &self.basic);
        let length = body.len();
        format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {basic}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    }
}

/// A grant that is refreshed again and again.
struct Grant {
    app: App,
    refresh: String,
}

impl Client for Grant {
    fn request(&mut self, out: &mut Vec<u8>) -> bool {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", self.refresh.as_str())];
        out.extend_from_slice(&self.app.form("/oauth2/token", &fields));
        true
    }

    fn answered(&mut self, answer: &Answer<'_>) -> io::Result<()> {
        self.refresh = text(&accounts::read(answer, 200)?, "refresh_token")?;
        Ok(())
    }
}

fn text(value: &Value, name: &str) -> io::Result<String> {
    value[name]
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| io::Error::other(format!("an answer without {name}")))
}
