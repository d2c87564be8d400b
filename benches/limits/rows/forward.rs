//! What it costs a reverse proxy to ask whether a request may pass, among a thousand rules.

use std::io;

use serde_json::json;

use crate::accounts::{self, Session};
use crate::admin::key_of;
use crate::bench::Bench;
use crate::report::Report;
use crate::rows::http::beside_bare;
use crate::wire::Connection;

const HOSTS: usize = 20;
/// Of each host.
const RULES: usize = 50;
/// Its rule is the last one but for that of the rest of its host.
const URL: (&str, &str) = ("app-19.example.org", "/area-48/reports/2027?page=2");

/// Questions about somebody with a cookie, a token and a key, beside a bare hyper server.
pub async fn overhead(bench: &Bench, report: &mut Report) -> io::Result<()> {
    let rules = rules();
    let settings = [
        ("AUTH_PUBLIC_URL", "http://id.example.org"),
        ("AUTH_TRUSTED_PROXIES", "127.0.0.1"),
        ("AUTH_FORWARD__COOKIE_DOMAIN", "example.org"),
        ("AUTH_FORWARD__RULES", rules.as_str()),
    ];
    let server = bench.start("forward", &settings)?;
    let session = Session::create(server.address, 0).await?;
    let mut connection = Connection::open(server.address).await?;
    if bench.options.wants("forward-cookie") {
        let cookie = format!("Cookie: theme=dark; {}", cookie(&mut connection, &session).await?);
        beside_bare(bench, report, &server, ("forward-cookie", question(&cookie))).await?;
    }
    if bench.options.wants("forward-bearer") {
        let token = format!("Authorization: Bearer {}", session.access);
        beside_bare(bench, report, &server, ("forward-bearer", question(&token))).await?;
    }
    if bench.options.wants("forward-key") {
        let body = json!({ "name": "deploy", "unrestricted": true });
        let key = format!("X-API-Key: {}", key_of(&mut connection, &session, &body).await?);
        beside_bare(bench, report, &server, ("forward-key", question(&key))).await?;
    }
    server.stop()
}

fn rules() -> String {
    let rule = |host: usize, path: String, role: &str| json!({ "host": format!("app-{host}.example.org"), "paths": [path], "roles": [role] });
    let of_host = |host| {
        let areas = (0..RULES - 1).map(move |area| rule(host, format!("/area-{area}/**"), "user"));
        areas.chain([rule(host, "/**".to_owned(), "admin")])
    };
    let all: Vec<_> = (0..HOSTS).flat_map(of_host).collect();
    json!(all).to_string()
}

/// What a proxy sends, with as much of a browser's as decides nothing.
fn question(credential: &str) -> Vec<u8> {
    let (host, uri) = URL;
    format!(
        "GET /auth/forward HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-Method: GET\r\nX-Forwarded-Proto: http\r\n\
         X-Forwarded-Host: {host}\r\nX-Forwarded-Uri: {uri}\r\nX-Forwarded-For: 192.0.2.7\r\n\
         Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\nAccept-Language: en\r\n{credential}\r\n\r\n"
    )
    .into_bytes()
}

/// The cookie that proxies are shown, as the browser of a session gets it.
async fn cookie(connection: &mut Connection, session: &Session) -> io::Result<String> {
    let (host, _) = URL;
    let path = format!("/auth/forward/sign-in?return_to=http%3A%2F%2F{host}%2F");
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nCookie: session_cookie={}\r\n\r\n",
        session.browser
    );
    let answer = connection.exchange(request.as_bytes()).await?;
    if answer.status != 303 {
        return Err(answer.unexpected(303));
    }
    accounts::cookie(&answer, "forward_cookie")
        .map(|value| format!("forward_cookie={value}"))
        .ok_or_else(|| io::Error::other("no cookie for proxies"))
}
