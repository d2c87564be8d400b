//! The rows of the table, in groups that share a server.

mod forward;
mod http;
mod lists;
mod mfa;
mod oauth;
mod rights;
mod sessions;
mod stores;
mod throttle;

use std::fs;
use std::io;

use crate::bench::Bench;
use crate::report::Report;

/// Measures every row that was asked for; one that fails does not keep the others from being measured.
pub async fn measure(bench: &Bench, report: &mut Report) {
    group(bench, report, &["health", "me"], http::overhead).await;
    group(bench, report, &["me-key", "verify", "check"], rights::overhead).await;
    group(bench, report, &["login"], sessions::login).await;
    group(bench, report, &["throttle-cpu"], throttle::cpu).await;
    group(bench, report, &["throttle-memory"], throttle::memory).await;
    group(bench, report, &["refresh", "refresh-cpu"], sessions::refresh).await;
    group(bench, report, &["mfa-verify"], mfa::verify).await;
    clients(bench, report).await;
    group(bench, report, &["tail"], http::tail).await;
    group(bench, report, &["start-empty", "memory-idle"], stores::empty).await;
    let full = [
        "start-clean",
        "start-killed",
        "memory-users",
        "memory-login",
        "disk",
        "list-first",
        "list-middle",
        "list-email",
    ];
    group(bench, report, &full, stores::full).await;
    group(bench, report, &["binary"], binary).await;
}

/// What applications ask, and proxies before them.
async fn clients(bench: &Bench, report: &mut Report) {
    let oauth = ["discovery", "jwks", "introspect", "userinfo"];
    group(bench, report, &oauth, oauth::overhead).await;
    let forward = ["forward-cookie", "forward-bearer", "forward-key"];
    group(bench, report, &forward, forward::overhead).await;
    group(bench, report, &["client-credentials"], oauth::client_credentials).await;
    group(bench, report, &["grant-refresh"], oauth::refresh).await;
    group(bench, report, &["code-flow"], oauth::code_flow).await;
}

async fn group(
    bench: &Bench,
    report: &mut Report,
    names: &[&'static str],
    run: impl AsyncFnOnce(&Bench, &mut Report) -> io::Result<()>,
) {
    let wanted: Vec<_> = names.iter().copied().filter(|name| bench.options.wants(name)).collect();
    if wanted.is_empty() {
        return;
    }
    eprintln!("{}", wanted.join(", "));
    if let Err(error) = run(bench, report).await {
        eprintln!("  failed: {error}");
        report.failed(&wanted, &error.to_string());
    }
}

async fn binary(bench: &Bench, report: &mut Report) -> io::Result<()> {
    let bytes = fs::metadata(&bench.binary)?.len();
    report.value("binary", bytes as f64 / 1e6);
    Ok(())
}
