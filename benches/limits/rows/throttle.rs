//! What it costs to count guesses: for a login that is right, and in memory while very many accounts are attacked.

use core::sync::atomic::{AtomicU64, Ordering};
use std::io;
use std::sync::Arc;

use crate::accounts::{Each, InTurn, guess};
use crate::bench::{Bench, WEAK_HASHES};
use crate::compare::two_servers;
use crate::load::{Client, Fleet};
use crate::process::Server;
use crate::report::{Report, grouped};
use crate::wire::Answer;

const LOGIN_CLIENTS: usize = 16;
const USERS: u64 = 512;
const ATTACKERS: usize = 64;
/// Guesses from one address: fewer than are counted against a network as a whole.
const FROM_ONE_ADDRESS: u64 = 50;

/// The CPU of logins with the check beside that of logins without.
pub async fn cpu(bench: &Bench, report: &mut Report) -> io::Result<()> {
    let (with, mut checked) = logins(bench, "throttle-on", "on").await?;
    let (without, mut unchecked) = logins(bench, "throttle-off", "off").await?;
    let (ours, bare) = two_servers(bench, (&with, &mut checked), (&without, &mut unchecked)).await?;
    report.note(format!("throttle-cpu: a login without the check {bare}"));
    report.ratio("throttle-cpu", ours.cpu / bare.cpu, ours);
    with.stop()?;
    without.stop()
}

async fn logins(bench: &Bench, data: &str, state: &str) -> io::Result<(Server, Fleet<InTurn>)> {
    let server = bench.start(data, &[("AUTH_THROTTLE__STATE", state)])?;
    Fleet::new(server.address, vec![Each::registers(0..USERS); LOGIN_CLIENTS]).drain(&server).await?;
    let clients =
        (0..LOGIN_CLIENTS as u64).map(|client| InTurn::log_in((client..USERS).step_by(LOGIN_CLIENTS)));
    let fleet = Fleet::new(server.address, clients);
    Ok((server, fleet))
}

/// The memory of the whole server after a wrong guess at each of as many accounts as the full store has users.
pub async fn memory(bench: &Bench, report: &mut Report) -> io::Result<()> {
    let settings = [&WEAK_HASHES[..], &[("AUTH_TRUSTED_PROXIES", "127.0.0.0/8")]].concat();
    let server = bench.start("throttle-memory", &settings)?;
    let before = server.memory("VmRSS")?;
    let next = Arc::new(AtomicU64::new(0));
    let attackers = (0..ATTACKERS).map(|_| Attacker { next: Arc::clone(&next), end: bench.options.users });
    Fleet::new(server.address, attackers).drain(&server).await?;
    let after = server.memory("VmRSS")?;
    report.note(format!(
        "throttle-memory: {} attacked accounts; the server had {:.1} MB before",
        grouped(bench.options.users),
        before as f64 / 1e6
    ));
    report.value("throttle-memory", after as f64 / 1e6);
    server.stop()
}

/// Guesses once at each of many accounts; several share one list of them.
struct Attacker {
    next: Arc<AtomicU64>,
    end: u64,
}

impl Client for Attacker {
    fn request(&mut self, out: &mut Vec<u8>) -> bool {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        if number < self.end {
            out.extend_from_slice(&guess(number, number / FROM_ONE_ADDRESS));
        }
        number < self.end
    }

    /// A guess that was not counted would say nothing about memory.
    fn answered(&mut self, answer: &Answer<'_>) -> io::Result<()> {
        if answer.status == 401 { Ok(()) } else { Err(answer.unexpected(401)) }
    }
}
