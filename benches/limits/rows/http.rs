//! What the service costs beside bare hyper, and whether hashing disturbs anyone.

use std::io;

use crate::accounts::{self, Credential, Each, Repeat, Session};
use crate::bench::Bench;
use crate::compare::two_servers;
use crate::load::{Figures, Fleet};
use crate::process::Server;
use crate::report::Report;

/// `GET /health` and `GET /auth/me` beside a bare hyper server.
pub async fn overhead(bench: &Bench, report: &mut Report) -> io::Result<()> {
    let server = bench.start("overhead", &[])?;
    if bench.options.wants("health") {
        beside_bare(bench, report, &server, ("health", accounts::get("/health", Credential::Nobody))).await?;
    }
    if bench.options.wants("me") {
        let session = Session::create(server.address, 0).await?;
        let request = accounts::get("/auth/me", Credential::Bearer(&session.access));
        beside_bare(bench, report, &server, ("me", request)).await?;
    }
    server.stop()
}

/// The CPU of a bare hyper server that gives the same answer, as a part of ours.
pub async fn beside_bare(
    bench: &Bench,
    report: &mut Report,
    server: &Server,
    (name, request): (&'static str, Vec<u8>),
) -> io::Result<()> {
    let bare = bench.start_bare(server, &request).await?;
    let mut ours = Fleet::new(server.address, vec![Repeat(request.clone()); 64]);
    let mut theirs = Fleet::new(bare.address, vec![Repeat(request); 64]);
    let (ours, bare) = two_servers(bench, (server, &mut ours), (&bare, &mut theirs)).await?;
    report.note(format!("{name}: bare hyper {bare}"));
    report.ratio(name, bare.cpu / ours.cpu, ours);
    Ok(())
}

/// `GET /auth/me` with and without logins that keep every hashing thread busy.
pub async fn tail(bench: &Bench, report: &mut Report) -> io::Result<()> {
    let server = bench.start("tail", &[])?;
    let session = Session::create(server.address, 0).await?;
    let request = accounts::get("/auth/me", Credential::Bearer(&session.access));
    let mut readers = Fleet::new(server.address, vec![Repeat(request); 16]);
    // Users of their own: a user may have so many sessions, and the reader's would be the first to go.
    Fleet::new(server.address, [Each::registers(1..17)]).drain(&server).await?;
    let mut logins = Fleet::new(server.address, (1..17).map(|number| Repeat(accounts::login(number))));
    let (mut quiet, mut loaded, mut beside) = (Vec::new(), Vec::new(), Vec::new());
    let window = bench.options.window();
    for _ in 0..bench.options.rounds() {
        quiet.push(readers.round(window, &server).await?);
        let (reads, hashes) = tokio::join!(readers.round(window, &server), logins.round(window, &server));
        loaded.push(reads?);
        beside.push(hashes?);
    }
    let (quiet, loaded) = (Figures::of(&quiet), Figures::of(&loaded));
    report.note(format!("tail: without logins {quiet}"));
    report.note(format!("tail: logins at the same time {:.0}/s", Figures::of(&beside).rate));
    // The server's CPU time is that of the logins, too, so there is none to show for one read.
    report.ratio("tail", loaded.p99 / quiet.p99, Figures { cpu: f64::NAN, ..loaded });
    server.stop()
}
