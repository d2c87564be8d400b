//! What the tests of the store share: numbers by a seed, options, a gate for the writer, patience.
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use auth_service::base::{Result, Tick};
use auth_service::store::{Map, Options, Record, Schema, Store};

/// A store that nobody has migrated.
pub const FIRST: Schema = Schema { steps: &[] };
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

/// Splitmix64: the same numbers for the same seed.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

/// The number in an environment variable.
pub fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

/// Runs `history` for `count` seeds (or for `AUTH_TEST_SEED` alone), on a few threads; a failure says its seed.
pub fn for_seeds(count: u64, threads: u64, history: impl Fn(u64) + Sync) {
    let seeds: Vec<u64> = match number("AUTH_TEST_SEED") {
        Some(seed) => vec![seed],
        None => (1..=count).collect(),
    };
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(seed) = seeds.get(next.fetch_add(1, std::sync::atomic::Ordering::SeqCst)) {
                    let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| history(*seed)));
                    if let Err(cause) = ran {
                        let text = cause.downcast_ref::<String>().map(String::as_str);
                        let text = text.or(cause.downcast_ref::<&str>().copied()).unwrap_or("no text");
                        panic!("{text}\n(again with AUTH_TEST_SEED={seed})");
                    }
                }
            });
        }
    });
}

/// Options for a store whose schema is the program's.
pub fn options(cache_bytes: usize) -> Options {
    Options { cache_bytes, schema: FIRST, backup_dir: PathBuf::from("/nonexistent/backups") }
}

/// A record for tests that want any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    pub text: String,
}

impl Record for Note {
    const VERSION: u8 = 3;

    /// Version 2 was the text alone.
    fn upgrade(version: u8, body: &[u8]) -> Result<Self> {
        match (version, std::str::from_utf8(body)) {
            (2, Ok(text)) => Ok(note(text)),
            _ => Err(auth_service::base::Error::internal("no such version of a note")),
        }
    }
}

pub const NOTES: Map<Note> = Map::new("test.note");

pub fn note(text: &str) -> Note {
    Note { text: text.to_owned() }
}

/// The keys of all notes.
pub fn keys(store: &Store) -> Vec<Vec<u8>> {
    store.get(|tx| Ok(NOTES.first(tx, &[], usize::MAX)?.into_iter().map(|(key, _)| key).collect())).unwrap()
}

/// A store in a directory of its own.
pub fn open() -> (Store, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (Store::open(dir.path(), Options::in_directory(dir.path(), FIRST)).unwrap(), dir)
}

/// Holds the writer while all of `changes` queue up behind it, so that they share one batch.
pub async fn in_one_batch<T>(store: &Store, changes: Vec<impl Future<Output = T>>) -> Vec<T> {
    let (release, held) = mpsc::channel::<()>();
    let gate = store.write(move |_| {
        // Ends when the sender is dropped.
        Ok(held.iter().count())
    });
    let release = async move { drop(release) };
    let (_, results, ()) = futures_util::join!(gate, join_all(changes), release);
    results
}

/// Waits until `done`, and says `what` when it takes too long.
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Tick::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(20), "in vain for 20 s: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Something to wait on in tests that are not async.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}
