//! Closed-loop load: every connection sends its next request when the last answer is there.

use core::sync::atomic::{AtomicU8, Ordering};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::process::Server;
use crate::report::median;
use crate::wire::{Answer, Connection};

/// One caller: what it asks next, and what it makes of the answer.
pub trait Client: Send + 'static {
    /// Writes the next request into the empty buffer; false when there is nothing more to ask.
    fn request(&mut self, out: &mut Vec<u8>) -> bool;

    /// Checks the answer and remembers what the next request needs of it.
    fn answered(&mut self, answer: &Answer<'_>) -> io::Result<()>;
}

/// How long a round lasts.
#[derive(Clone, Copy)]
pub struct Window {
    /// Under load, but not yet counted.
    pub warm: Duration,
    /// Counted.
    pub measured: Duration,
}

/// What one round came to.
pub struct Sample {
    cpu: Duration,
    elapsed: Duration,
    /// Microseconds, ascending.
    latencies: Vec<u32>,
}

impl Sample {
    /// Requests answered a second.
    pub fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }

    fn cpu_micros(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.latencies.len() as f64
    }

    fn percentile(&self, percent: usize) -> f64 {
        let at = (self.latencies.len() * percent / 100).min(self.latencies.len().saturating_sub(1));
        self.latencies.get(at).map_or(f64::NAN, |micros| f64::from(*micros))
    }
}

/// The medians of several rounds.
pub struct Figures {
    /// CPU time of the server for one request, in microseconds.
    pub cpu: f64,
    /// Requests a second.
    pub rate: f64,
    /// Half of the requests took no longer, in microseconds.
    pub p50: f64,
    /// All but one in a hundred took no longer, in microseconds.
    pub p99: f64,
}

impl Figures {
    /// The medians of these rounds.
    pub fn of(samples: &[Sample]) -> Self {
        let of = |figure: fn(&Sample) -> f64| median(samples.iter().map(figure));
        Self {
            cpu: of(Sample::cpu_micros),
            rate: of(Sample::rate),
            p50: of(|sample| sample.percentile(50)),
            p99: of(|sample| sample.percentile(99)),
        }
    }

    /// The four columns of the table.
    pub fn columns(&self) -> String {
        let cpu = if self.cpu.is_nan() { String::new() } else { format!("{:.1}", self.cpu) };
        format!("{cpu} | {:.0} | {:.0} | {:.0}", self.rate, self.p50, self.p99)
    }
}

impl core::fmt::Display for Figures {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "{:.1} µs CPU, {:.0}/s, p50 {:.0} µs, p99 {:.0} µs",
            self.cpu, self.rate, self.p50, self.p99
        )
    }
}

const WARMING: u8 = 0;
const MEASURING: u8 = 1;
const OVER: u8 = 2;

/// Clients that ask one server, each over a connection of its own.
pub struct Fleet<C> {
    address: SocketAddr,
    clients: Vec<C>,
}

impl<C: Client> Fleet<C> {
    /// Clients that are not yet connected.
    pub fn new(address: SocketAddr, clients: impl IntoIterator<Item = C>) -> Self {
        Self { address, clients: clients.into_iter().collect() }
    }

    /// Asks for the length of the window, counting the server's CPU time beside the answers.
    pub async fn round(&mut self, window: Window, server: &Server) -> io::Result<Sample> {
        let phase = Arc::new(AtomicU8::new(WARMING));
        let running = self.launch(&phase);
        tokio::time::sleep(window.warm).await;
        let (start, cpu) = (Instant::now(), server.cpu());
        phase.store(MEASURING, Ordering::Relaxed);
        tokio::time::sleep(window.measured).await;
        let (elapsed, cpu) = (start.elapsed(), server.cpu().saturating_sub(cpu));
        phase.store(OVER, Ordering::Relaxed);
        Ok(Sample { cpu, elapsed, latencies: self.collect(running).await? })
    }

    /// Asks until no client has anything more to ask, or one fails.
    pub async fn drain(&mut self, server: &Server) -> io::Result<Sample> {
        let (start, cpu) = (Instant::now(), server.cpu());
        let running = self.launch(&Arc::new(AtomicU8::new(MEASURING)));
        let latencies = self.collect(running).await?;
        Ok(Sample { cpu: server.cpu().saturating_sub(cpu), elapsed: start.elapsed(), latencies })
    }

    fn launch(&mut self, phase: &Arc<AtomicU8>) -> JoinSet<io::Result<(C, Vec<u32>)>> {
        let address = self.address;
        self.clients.drain(..).map(|client| ask(address, client, Arc::clone(phase))).collect()
    }

    async fn collect(&mut self, mut running: JoinSet<io::Result<(C, Vec<u32>)>>) -> io::Result<Vec<u32>> {
        let mut latencies = Vec::new();
        while let Some(ended) = running.join_next().await {
            let (client, own) = ended.map_err(io::Error::other)??;
            self.clients.push(client);
            latencies.extend(own);
        }
        latencies.sort_unstable();
        Ok(latencies)
    }
}

async fn ask<C: Client>(
    address: SocketAddr,
    mut client: C,
    phase: Arc<AtomicU8>,
) -> io::Result<(C, Vec<u32>)> {
    let mut connection = Connection::open(address).await?;
    let (mut request, mut latencies) = (Vec::new(), Vec::new());
    while phase.load(Ordering::Relaxed) != OVER {
        request.clear();
        if !client.request(&mut request) {
            break;
        }
        let start = Instant::now();
        let answer = connection.exchange(&request).await?;
        let latency = start.elapsed();
        client.answered(&answer)?;
        if phase.load(Ordering::Relaxed) == MEASURING {
            latencies.push(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX));
        }
    }
    Ok((client, latencies))
}
