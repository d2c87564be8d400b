//! What an administrator may read of the server's state: sizes, ages and how long the probes took.
use std::path::PathBuf;

use poem_openapi::Object;
use serde::Serialize;

use super::service::Health;
use crate::account::Passwords;
use crate::base::Tick;
use crate::keys::Keys;
use crate::mail::Mailer;
use crate::session::LiveSessions;

/// The parts that the report asks.
pub struct Parts {
    pub keys: Keys,
    pub live: LiveSessions,
    pub mail: Mailer,
    pub passwords: Passwords,
    pub data_dir: PathBuf,
}

/// The state of each dependency.
#[derive(Object, Default, Serialize)]
#[oai(read_only_all)]
pub struct Report {
    pub store: StoreReport,
    pub cache: CacheReport,
    pub disk: DiskReport,
    pub signing_key: KeyReport,
    pub hashing: HashingReport,
    pub mail: MailReport,
}

/// The embedded store.
#[derive(Object, Default, Serialize)]
#[oai(read_only_all)]
pub struct StoreReport {
    pub ok: bool,
    /// How long the probe took, in microseconds.
    pub latency_us: u64,
    /// The length of its file.
    pub size_bytes: Option<u64>,
    /// Since when the last change is durable, in milliseconds.
    pub last_commit_age_ms: u64,
    /// Why writes are refused, while they are.
    pub failure: Option<String>,
}

/// The cache before the store.
#[derive(Object, Default, Serialize)]
#[oai(read_only_all)]
pub struct CacheReport {
    pub ok: bool,
    /// How long a put and a get took, in microseconds.
    pub latency_us: u64,
    /// About how many sessions it holds.
    pub sessions: u64,
    /// About how many verified tokens it holds.
    pub tokens: u64,
}

/// The file system of the data directory; null where it cannot be asked.
#[derive(Object, Default, Serialize)]
#[oai(read_only_all)]
pub struct DiskReport {
    pub free_bytes: Option<u64>,
    pub total_bytes: Option<u64>,
}

/// The key that signs tokens now.
#[derive(Object, Default, Serialize)]
#[oai(read_only_all)]
pub struct KeyReport {
    pub kid: String,
    pub algorithm: String,
    /// How long it has signed, in seconds; null for a shared secret.
    pub age_secs: Option<i64>,
}

/// The threads that hash passwords.
#[derive(Object, Default, Serialize)]
#[oai(read_only_all)]
pub struct HashingReport {
    pub threads: u64,
    /// How many hashes wait for a thread.
    pub waiting: u64,
    /// How many may.
    pub queue: u64,
}

/// Mails.
#[derive(Object, Default, Serialize)]
#[oai(read_only_all)]
pub struct MailReport {
    /// `ok`; `degraded` while mails do not leave as they should; `off` where none leaves.
    pub status: String,
    /// Where they go.
    pub sink: String,
    /// How many wait.
    pub waiting: u64,
    /// How long the oldest has waited, in seconds; null when none waits.
    pub oldest_age_secs: Option<i64>,
    /// Why the oldest has not left.
    pub trouble: Option<String>,
}

impl Report {
    /// The state of everything now.
    #[must_use]
    pub fn of(health: &Health, parts: &Parts) -> Self {
        Self {
            store: StoreReport::of(health),
            cache: CacheReport::of(health, &parts.live),
            disk: DiskReport::of(parts),
            signing_key: KeyReport::of(health, &parts.keys),
            hashing: HashingReport::of(&parts.passwords),
            mail: MailReport::of(health, &parts.mail),
        }
    }
}

impl StoreReport {
    fn of(health: &Health) -> Self {
        let start = Tick::now();
        let ok = health.database_is_well();
        let latency_us = micros(start);
        let vitals = health.vitals();
        let last_commit_age_ms = u64::try_from(vitals.last_commit_age.as_millis()).unwrap_or(u64::MAX);
        Self { ok, latency_us, size_bytes: health.store_size(), last_commit_age_ms, failure: vitals.failure }
    }
}

impl CacheReport {
    fn of(health: &Health, live: &LiveSessions) -> Self {
        let start = Tick::now();
        let ok = health.cache_is_well();
        let latency_us = micros(start);
        let (sessions, tokens) = live.held();
        Self { ok, latency_us, sessions, tokens }
    }
}

impl DiskReport {
    fn of(parts: &Parts) -> Self {
        let Ok(found) = rustix::fs::statvfs(&parts.data_dir) else { return Self::default() };
        let bytes = |blocks: u64| Some(blocks.saturating_mul(found.f_frsize));
        Self { free_bytes: bytes(found.f_bavail), total_bytes: bytes(found.f_blocks) }
    }
}

impl KeyReport {
    fn of(health: &Health, keys: &Keys) -> Self {
        let (kid, algorithm, since) = keys.current();
        let age_secs = since.map(|since| health.now().secs_since(since));
        Self { kid, algorithm: algorithm.to_string(), age_secs }
    }
}

impl MailReport {
    /// A mail that has waited so long is in trouble, whether somebody has said so or not.
    const LONG_SECS: i64 = 600;

    fn of(health: &Health, mail: &Mailer) -> Self {
        let Ok(state) = mail.state() else {
            return Self { status: "degraded".to_owned(), ..Self::default() };
        };
        let oldest_age_secs = state.oldest.map(|oldest| health.now().secs_since(oldest));
        let is_late = oldest_age_secs.is_some_and(|age| age > Self::LONG_SECS);
        let status = match (mail.delivers(), state.trouble.is_some() || is_late) {
            (false, _) => "off",
            (true, true) => "degraded",
            (true, false) => "ok",
        };
        Self {
            status: status.to_owned(),
            sink: state.sink.to_owned(),
            waiting: state.waiting,
            oldest_age_secs,
            trouble: state.trouble,
        }
    }
}

impl HashingReport {
    fn of(passwords: &Passwords) -> Self {
        let load = passwords.load();
        Self { threads: load.threads as u64, waiting: load.waiting as u64, queue: load.queue as u64 }
    }
}

fn micros(start: Tick) -> u64 {
    u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX)
}
