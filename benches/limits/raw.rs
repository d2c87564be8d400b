//! The raw limits of hashing and of the store: the libraries alone, as fast as they go.

use std::fs;
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use redb::{Database, TableDefinition};

const ROWS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("rows");

/// What hashing came to.
#[derive(Clone, Copy)]
pub struct Hashing {
    /// Password hashes a second, of all threads together.
    pub rate: f64,
    /// CPU time for one hash, in microseconds, which other work on the machine disturbs less.
    pub cpu: f64,
}

/// Hashes with the service's default parameters on as many threads as there are cores.
pub fn hash_on_all_cores(time: Duration) -> Hashing {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let each: Vec<Hashing> = thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(|| hash_for(time))).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let cpu = each.iter().map(|one| one.cpu).sum::<f64>() / threads as f64;
    Hashing { rate: each.iter().map(|one| one.rate).sum(), cpu }
}

/// Hashes on one thread, its memory allocated and touched before the clock runs.
fn hash_for(time: Duration) -> Hashing {
    let params = Params::new(19_456, 2, 1, Some(32)).unwrap();
    let mut memory = vec![Block::new(); params.block_count()];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let (password, salt, mut hash) = (b"correct horse 81 battery", b"0123456789abcdef", [0; 32]);
    let mut once =
        || argon2.hash_password_into_with_memory(password, salt, &mut hash, &mut memory[..]).unwrap();
    once();
    let (start, cpu) = (Instant::now(), own_cpu());
    let mut hashes = 0.0;
    while start.elapsed() < time {
        once();
        hashes += 1.0;
    }
    Hashing { rate: hashes / start.elapsed().as_secs_f64(), cpu: (own_cpu() - cpu) / hashes }
}

/// CPU time of this thread so far, in microseconds.
fn own_cpu() -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse::<f64>().ok()).map_or(f64::NAN, |ns| ns / 1e3)
}

/// CPU time for one ES256 signature of about as many bytes as a token has, in microseconds.
pub fn es256_signature_cpu(time: Duration) -> io::Result<f64> {
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(io::Error::other)?;
    let (start, cpu) = (Instant::now(), own_cpu());
    let mut signatures = 0.0;
    while start.elapsed() < time {
        key.sign(&random, &[7; 400]).map_err(io::Error::other)?;
        signatures += 1.0;
    }
    Ok((own_cpu() - cpu) / signatures)
}

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA256, bytes).as_ref().to_vec()
}

/// A redb file of its own into which one row at a time is committed.
pub struct Commits {
    database: Database,
    next: u64,
}

impl Commits {
    /// Creates the file.
    pub fn create(path: &Path) -> io::Result<Self> {
        Ok(Self { database: Database::create(path).map_err(io::Error::other)?, next: 0 })
    }

    /// Durable commits a second, one small row each, from one thread.
    pub fn per_second(&mut self, time: Duration) -> io::Result<f64> {
        let start = Instant::now();
        let mut commits = 0.0;
        while start.elapsed() < time {
            self.commit().map_err(io::Error::other)?;
            commits += 1.0;
        }
        Ok(commits / start.elapsed().as_secs_f64())
    }

    fn commit(&mut self) -> Result<(), redb::Error> {
        let change = self.database.begin_write()?;
        change.open_table(ROWS)?.insert(self.next, &[7; 100][..])?;
        change.commit()?;
        self.next += 1;
        Ok(())
    }
}
