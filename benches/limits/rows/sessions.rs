//! Logging in, which is bound by hashing, and staying logged in, which is bound by the disk.

use std::io;

use crate::accounts::{self, Credential, Each, InTurn, Repeat, Session};
use crate::bench::Bench;
use crate::compare::{Comparison, two_servers, with_raw};
use crate::load::Fleet;
use crate::raw::{self, Commits};
use crate::report::{Report, median};

const LOGIN_CLIENTS: usize = 16;
/// So many that nobody has a hundred sessions, which is the most, and loses one at each login.
const USERS: u64 = 512;
const SESSIONS: u64 = 64;

/// Logins beside raw argon2.
pub async fn login(bench: &Bench, report: &mut Report) -> io::Result<()> {
    let server = bench.start("login", &[])?;
    Fleet::new(server.address, vec![Each::registers(0..USERS); LOGIN_CLIENTS]).drain(&server).await?;
    let clients =
        (0..LOGIN_CLIENTS as u64).map(|client| InTurn::log_in((client..USERS).step_by(LOGIN_CLIENTS)));
    let mut fleet = Fleet::new(server.address, clients);
    let time = bench.options.long_window().measured;
    let mut cpu = Vec::new();
    let raw = || {
        let hashing = raw::hash_on_all_cores(time);
        cpu.push(hashing.cpu);
        Ok(hashing.rate)
    };
    let Comparison { ratio, raw, figures } = with_raw(bench, &server, &mut fleet, raw).await?;
    report.note(format!("login: raw argon2 {raw:.1} hashes/s, {:.0} µs CPU for one", median(cpu)));
    report.ratio("login", ratio, figures);
    server.stop()
}

/// Refreshes beside single commits of bare redb, and beside a request to bare hyper.
pub async fn refresh(bench: &Bench, report: &mut Report) -> io::Result<()> {
    let server = bench.start("refresh", &[])?;
    let mut sessions = Vec::new();
    for number in 0..SESSIONS {
        sessions.push(Session::create(server.address, number).await?);
    }
    let mut fleet = Fleet::new(server.address, sessions);
    let health = accounts::get("/health", Credential::Nobody);
    if bench.options.wants("refresh") {
        let mut commits = Commits::create(&bench.path("commits.redb"))?;
        let time = bench.options.window().measured;
        let comparison = with_raw(bench, &server, &mut fleet, || commits.per_second(time)).await?;
        report.note(format!("refresh: bare redb {:.0} commits/s", comparison.raw));
        report.ratio("refresh", comparison.ratio, comparison.figures);
    }
    if bench.options.wants("refresh-cpu") {
        let bare = bench.start_bare(&server, &health).await?;
        let mut theirs = Fleet::new(bare.address, (0..SESSIONS).map(|_| Repeat(health.clone())));
        let (ours, bare) = two_servers(bench, (&server, &mut fleet), (&bare, &mut theirs)).await?;
        report.note(format!("refresh-cpu: bare hyper, answering /health, {bare}"));
        report.ratio("refresh-cpu", ours.cpu / bare.cpu, ours);
    }
    server.stop()
}
