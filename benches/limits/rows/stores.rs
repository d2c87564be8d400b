//! Starting, memory and disk: with an empty store, and with one full of users.

use core::ops::Range;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant};

use crate::accounts::Each;
use crate::bench::{Bench, WEAK_HASHES};
use crate::load::{Figures, Fleet};
use crate::process::Server;
use crate::report::{Report, grouped, median};
use crate::rows::lists;

/// The data directory of the store with all the users.
pub const FULL: &str = "full";

/// After so long a server without requests counts as idle.
const SETTLED: Duration = Duration::from_secs(1);

/// The first start in a fresh directory, and the memory of a server that has done nothing yet.
pub async fn empty(bench: &Bench, report: &mut Report) -> io::Result<()> {
    let (mut starts, mut memories) = (Vec::new(), Vec::new());
    for round in 0..bench.options.starts() {
        let server = bench.start(&format!("empty-{round}"), &[])?;
        starts.push(server.started_in);
        tokio::time::sleep(SETTLED).await;
        memories.push(megabytes(server.memory("VmRSS")?));
        server.stop()?;
    }
    enter_starts(report, "start-empty", &starts);
    report.value("memory-idle", median(memories));
    Ok(())
}

/// Everything that needs the full store, in an order in which each row finds it as it must be.
pub async fn full(bench: &Bench, report: &mut Report) -> io::Result<()> {
    fill(bench, report).await?;
    disk(bench, report)?;
    if bench.options.wants("start-clean") {
        let mut starts = Vec::new();
        for _ in 0..bench.options.starts() {
            let server = bench.start(FULL, &[])?;
            starts.push(server.started_in);
            server.stop()?;
        }
        enter_starts(report, "start-clean", &starts);
    }
    if bench.options.wants("memory-login") {
        logins(bench, report).await?;
    }
    lists::growth(bench, report).await?;
    if bench.options.wants("start-killed") {
        killed(bench, report).await?;
    }
    Ok(())
}

/// Registers every user over HTTP, so that the store is what it would be in service.
async fn fill(bench: &Bench, report: &mut Report) -> io::Result<()> {
    let server = bench.start(FULL, &WEAK_HASHES)?;
    let sample = all(&server, Each::registers(0..bench.options.users), 256).await?;
    report.note(format!("full store: registrations with weak hashes, 256 connections: {sample}"));
    tokio::time::sleep(SETTLED).await;
    enter_memory(report, "memory-users", &server)?;
    let start = Instant::now();
    server.stop()?;
    report.note(format!("full store: clean stop in {:.0} ms", start.elapsed().as_secs_f64() * 1e3));
    Ok(())
}

/// What the closed store takes on the disk, or as a file where that is more.
fn disk(bench: &Bench, report: &mut Report) -> io::Result<()> {
    let file = fs::metadata(bench.path(FULL).join("auth.redb"))?;
    let (length, allocated) = (file.len(), file.blocks() * 512);
    report.value("disk", length.max(allocated) as f64 / bench.options.users as f64);
    report.note(format!("disk: {} bytes long, {} allocated", grouped(length), grouped(allocated)));
    Ok(())
}

/// Logins of as many different users as there are, which is what fills caches most.
async fn logins(bench: &Bench, report: &mut Report) -> io::Result<()> {
    let server = bench.start(FULL, &[])?;
    let wanted = bench.options.logins();
    let (users, mut done) = (wanted.min(bench.options.users), 0);
    while done < wanted {
        let sample = all(&server, Each::logs_in(0..users.min(wanted - done)), 16).await?;
        done += users;
        report.note(format!("memory-login: {} logins at 16 clients: {sample}", grouped(wanted.min(users))));
    }
    tokio::time::sleep(SETTLED).await;
    enter_memory(report, "memory-login", &server)?;
    server.stop()
}

/// Starts after the server was killed in the middle of registrations.
async fn killed(bench: &Bench, report: &mut Report) -> io::Result<()> {
    let mut starts = Vec::new();
    // Numbers are never used twice, because nobody knows which of the last registrations were kept.
    let mut first = bench.options.users;
    for _ in 0..bench.options.starts() {
        let server = bench.start(FULL, &WEAK_HASHES)?;
        first = kill_while_registering(server, first..u64::MAX).await?;
        let server = bench.start(FULL, &[])?;
        starts.push(server.started_in);
        server.stop()?;
    }
    enter_starts(report, "start-killed", &starts);
    Ok(())
}

/// Kills the server while 64 connections register; returns the first number that was not asked for.
async fn kill_while_registering(server: Server, numbers: Range<u64>) -> io::Result<u64> {
    let each = Each::registers(numbers);
    let mut fleet = Fleet::new(server.address, vec![each.clone(); 64]);
    let crash = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        server.crash()
    };
    // The registrations end in an error, since the server goes away under them.
    let (_, crashed) = tokio::join!(fleet.drain(&server), crash);
    crashed.map(|()| each.reached())
}

/// Runs a list to its end and says now and then how far it has come.
async fn all(server: &Server, each: Each, connections: usize) -> io::Result<Figures> {
    let mut fleet = Fleet::new(server.address, vec![each.clone(); connections]);
    let progress = tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(10)).await;
            eprintln!("  {} done", grouped(each.reached()));
        }
    });
    let sample = fleet.drain(server).await;
    progress.abort();
    Ok(Figures::of(&[sample?]))
}

fn enter_starts(report: &mut Report, name: &'static str, starts: &[Duration]) {
    let milliseconds: Vec<f64> = starts.iter().map(|start| start.as_secs_f64() * 1e3).collect();
    let (least, most) = milliseconds.iter().fold((f64::MAX, 0.0_f64), |(a, b), ms| (a.min(*ms), b.max(*ms)));
    report.note(format!("{name}: {} starts, {least:.1} to {most:.1} ms", starts.len()));
    report.value(name, median(milliseconds));
}

fn enter_memory(report: &mut Report, name: &'static str, server: &Server) -> io::Result<()> {
    report.value(name, megabytes(server.memory("VmRSS")?));
    report.note(format!("{name}: {:.1} MB at the highest", megabytes(server.memory("VmHWM")?)));
    Ok(())
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
