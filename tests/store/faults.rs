//! The disk runs full, or fails: writes are refused, nothing acknowledged is lost, reads go on where they can,
//! and the store takes writes again by itself.
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use auth_service::base::{Error, Result, Tick};
use auth_service::store::{Cache, ReadTx, Store};

use crate::disk::{Fault, SimDisk};
use crate::ledger::{ACCOUNTS, BALANCES, Heard, Transfer, audit, found};
use crate::support::{NOTES, Rng, for_seeds, in_one_batch, note, number, options, runtime, wait_until};

fn store_on(disk: &SimDisk, cache_bytes: usize) -> Store {
    Store::open_disk(Arc::new(disk.clone()), options(cache_bytes)).unwrap()
}

fn put(store: &Store, key: &'static str, text: &str) -> Result<()> {
    let note = note(text);
    store.write_blocking(move |tx| NOTES.put(tx, key.as_bytes(), &note))
}

fn read(store: &Store, key: &str) -> Result<Option<String>> {
    store.get(|tx| Ok(NOTES.get(tx, key.as_bytes())?.map(|note| note.text)))
}

fn is_unavailable<T>(answer: &Result<T>) -> bool {
    matches!(answer, Err(Error::Unavailable(_)))
}

fn wait_for_writes(store: &Store) {
    wait_until("the store takes writes again", || put(store, "again", "yes").is_ok());
    assert_eq!(store.vitals().failure, None);
}

#[test]
fn a_probe_notices_a_disk_that_cannot_be_read() {
    let disk = SimDisk::new(4);
    let store = store_on(&disk, 0);
    put(&store, "a", "kept").unwrap();
    assert_eq!(store.probe(), Ok(()));
    disk.fail(Fault::Read);
    wait_until("a probe fails", || store.probe().is_err());
}

#[test]
fn a_full_disk_refuses_writes_and_serves_reads_until_there_is_room() {
    let disk = SimDisk::new(1);
    let store = store_on(&disk, 1 << 20);
    put(&store, "a", "kept").unwrap();
    disk.fail(Fault::Full);
    for _ in 0..3 {
        assert!(is_unavailable(&put(&store, "a", "refused")));
        assert!(store.vitals().failure.unwrap().contains("no storage space"));
        assert_eq!(read(&store, "a").unwrap().unwrap(), "kept");
    }
    disk.heal();
    wait_for_writes(&store);
    assert_eq!(read(&store, "a").unwrap().unwrap(), "kept");
    store.close();
}

#[test]
fn a_failing_sync_refuses_writes_and_serves_reads_until_it_works() {
    let disk = SimDisk::new(2);
    let store = store_on(&disk, 1 << 20);
    put(&store, "a", "kept").unwrap();
    disk.fail(Fault::Sync);
    assert!(is_unavailable(&put(&store, "b", "open")));
    assert!(store.vitals().failure.unwrap().contains("the disk fails"));
    assert_eq!(read(&store, "a").unwrap().unwrap(), "kept");
    let whether = read(&store, "b").unwrap();
    assert!(whether.is_none() || whether.unwrap() == "open");
    disk.heal();
    wait_for_writes(&store);
    assert_eq!(read(&store, "a").unwrap().unwrap(), "kept");
    store.close();
}

#[test]
fn failing_reads_are_errors_and_the_store_comes_back_by_itself() {
    let disk = SimDisk::new(3);
    let store = store_on(&disk, 0);
    put(&store, "a", "kept").unwrap();
    disk.fail(Fault::Read);
    assert!(is_unavailable(&read(&store, "a")));
    assert!(store.vitals().failure.is_some());
    assert!(is_unavailable(&put(&store, "a", "refused")));
    assert!(is_unavailable(&read(&store, "a")));
    disk.heal();
    wait_until("the store is read again", || read(&store, "a").is_ok_and(|text| text.unwrap() == "kept"));
    wait_for_writes(&store);
    store.close();
}

#[test]
fn a_database_given_up_without_a_failed_read_or_commit_is_brought_back_by_the_next_write() {
    let disk = SimDisk::new(4);
    let store = store_on(&disk, 0);
    put(&store, "a", "kept").unwrap();
    disk.fail(Fault::Read);
    assert!(store.verify_file().is_err());
    disk.heal();
    wait_for_writes(&store);
    store.close();
}

#[test]
fn a_panic_below_a_commit_is_a_failure_like_any_other() {
    for good in [0, 1, 2, 5, 8, 9, 10] {
        let disk = SimDisk::new(good);
        let store = store_on(&disk, 400_000);
        put(&store, "a", "kept").unwrap();
        disk.fail_after(good, Fault::Panics);
        wait_until("a write fails", || put(&store, "b", "open").is_err());
        wait_until("the store is read again", || read(&store, "a").is_ok_and(|text| text.unwrap() == "kept"));
        assert!(is_unavailable(&put(&store, "a", "refused")));
        disk.heal();
        wait_for_writes(&store);
        assert_eq!(read(&store, "a").unwrap().unwrap(), "kept");
        store.close();
    }
}

#[test]
fn a_reader_that_outlives_a_failure_does_not_make_the_store_fail_again() {
    let disk = SimDisk::new(5);
    let store = store_on(&disk, 0);
    put(&store, "a", "kept").unwrap();
    let ((begun, begins), (release, held)) = (mpsc::channel::<()>(), mpsc::channel::<()>());
    let old = store.clone();
    let reader = std::thread::spawn(move || {
        old.get(|tx| {
            drop(begun);
            assert_eq!(held.iter().count(), 0);
            NOTES.get(tx, b"a")
        })
    });
    assert_eq!(begins.iter().count(), 0);
    disk.fail_after(2, Fault::Flaky);
    wait_until("a write fails", || put(&store, "b", "open").is_err());
    disk.heal();
    wait_for_writes(&store);
    drop(release);
    let answer = reader.join().unwrap();
    assert!(is_unavailable(&answer) || answer.unwrap().unwrap().text == "kept");
    assert_eq!(store.vitals().failure, None, "an old reader's trouble is not the store's");
    put(&store, "c", "taken").unwrap();
    store.close();
}

#[test]
fn what_a_failed_batch_showed_its_changes_is_not_told_to_their_callers() {
    let disk = SimDisk::new(6);
    let store = store_on(&disk, 1 << 20);
    put(&store, "a", "free").unwrap();
    disk.fail(Fault::Sync);
    let claim = |_| {
        store.write(|tx| match NOTES.get(tx, b"a")?.unwrap().text.as_str() {
            "free" => NOTES.put(tx, b"a", &note("taken")),
            _ => Err(Error::NotFound("room")),
        })
    };
    let answers = runtime().block_on(in_one_batch(&store, (0..3).map(claim).collect()));
    assert!(answers.iter().all(is_unavailable), "nobody has durably taken it: {answers:?}");
    disk.heal();
    wait_for_writes(&store);
    store.close();
}

/// Each attempt to recover commits, and is told that it did not: what the next one writes must not lie under
/// the eyes of those who still read.
#[test]
fn reads_stay_right_while_attempts_to_recover_reach_the_disk_and_fail() {
    let syncs = syncs_of_a_recovery();
    for_seeds(8, 8, |seed| {
        let mut life = Life::new(seed, 0);
        life.rounds(6);
        life.disk.fail_after(syncs - 1, Fault::SyncOf(syncs));
        wait_until("a write fails", || life.round());
        for _ in 0..5 {
            let before = life.disk.syncs();
            wait_until("an attempt is made", || life.disk.syncs() >= before + syncs);
            std::thread::sleep(Duration::from_millis(30));
            life.audit();
            life.check_cache();
            assert!(life.store.vitals().failure.is_some(), "no attempt was to succeed");
        }
        life.disk.heal();
        life.recover();
        life.end();
    });
}

#[test]
fn readers_under_way_finish_when_the_store_takes_writes_again() {
    let syncs = syncs_of_a_recovery();
    let disk = SimDisk::new(8);
    let store = store_on(&disk, 4_000_000);
    put(&store, "a", "kept").unwrap();
    disk.fail(Fault::Sync);
    assert!(put(&store, "a", "refused").is_err());
    let read = store.get(|tx| {
        disk.heal();
        let before = disk.syncs();
        wait_until("the store recovers", || disk.syncs() >= before + syncs);
        std::thread::sleep(Duration::from_millis(50));
        NOTES.get(tx, b"a")
    });
    assert_eq!(read.unwrap().unwrap().text, "kept");
    wait_for_writes(&store);
    store.close();
}

/// What a successful attempt costs.
fn syncs_of_a_recovery() -> u64 {
    let disk = SimDisk::new(7);
    let store = store_on(&disk, 0);
    put(&store, "a", "kept").unwrap();
    disk.fail_after(1, Fault::SyncOf(2));
    assert!(put(&store, "a", "kept").is_err());
    let before = disk.syncs();
    disk.heal();
    wait_until("the store takes writes again", || store.vitals().failure.is_none());
    let after = disk.syncs();
    store.close();
    after - before
}

/// Whether a commit that failed is there can change with the page cache, for as long as the disk fails.
#[test]
fn no_cache_shows_a_failed_commit_longer_than_the_disk_does() {
    for_seeds(96, 48, |seed| {
        let mut life = Life::new(seed, 4_000_000);
        life.rounds(1);
        life.disk.fail_after(1, Fault::Sync);
        wait_until("a write fails", || life.round());
        life.check_cache();
        std::thread::sleep(Duration::from_millis(1100));
        life.disk.heal();
        life.recover();
        life.end();
    });
}

#[test]
fn whatever_fails_and_for_how_long_nothing_acknowledged_is_lost() {
    for_seeds(number("AUTH_TEST_HISTORIES").unwrap_or(250) / 5, 25, |seed| {
        let mut rng = Rng::new(seed);
        let mut life = Life::new(seed, rng.pick(&[400_000, 4_000_000]));
        for _ in 0..=rng.below(2) {
            life.rounds(rng.below(4));
            life.episode(&mut rng);
        }
        life.end();
    });
}

/// A store on a disk that fails, its history, and a cache in front of it.
struct Life {
    rng: Rng,
    disk: SimDisk,
    store: Store,
    cache: Cache<u64, u64>,
    cache_bytes: usize,
    heard: Heard,
    clients: u64,
}

impl Life {
    fn new(seed: u64, cache_bytes: usize) -> Self {
        let disk = SimDisk::new(seed);
        let store = store_on(&disk, cache_bytes);
        store.write_blocking(found).unwrap();
        let (rng, cache) = (Rng::new(seed), Cache::new(100));
        Self { rng, disk, store, cache, cache_bytes, heard: Heard::default(), clients: 0 }
    }

    /// Rounds of changes; the caches are filled in between.
    fn rounds(&mut self, rounds: u64) {
        for _ in 0..rounds {
            self.round();
            self.check_cache();
        }
    }

    /// Some changes at the same time.
    ///
    /// # Returns
    /// Whether any was refused for the disk's sake.
    fn round(&mut self) -> bool {
        let count = 1 + self.rng.below(8);
        let transfers: Vec<_> =
            (0..count).map(|n| Transfer::random(&mut self.rng, self.clients + n)).collect();
        self.clients += count;
        let clients: Vec<_> = transfers.iter().map(|transfer| transfer.client).collect();
        let changes = transfers.into_iter().map(|transfer| {
            let cache = self.cache.clone();
            self.store.write(move |tx| {
                cache.forget(tx, transfer.from);
                cache.forget(tx, transfer.to);
                transfer.run(tx)
            })
        });
        let answers = runtime().block_on(in_one_batch(&self.store, changes.collect()));
        clients.iter().zip(&answers).for_each(|(client, answer)| self.heard.learn(*client, answer));
        answers.iter().any(is_unavailable)
    }

    /// The disk fails for a while; then it works again, or there is a power cut as well.
    fn episode(&mut self, rng: &mut Rng) {
        let fault = rng.pick(&[Fault::Full, Fault::Sync, Fault::Flaky, Fault::Read]);
        self.disk.fail_after(rng.pick(&[0, rng.clone().below(10), rng.clone().below(100)]), fault);
        let patience = Duration::from_millis(rng.pick(&[0, 20, 700, 1300]));
        let start = Tick::now();
        loop {
            let refused = self.round();
            assert!(
                !refused || fault == Fault::Flaky || self.store.vitals().failure.is_some(),
                "writes are refused and nobody knows why"
            );
            match audit(&self.store) {
                Ok(found) => self.heard.check(&found),
                Err(error) => assert!(fault == Fault::Read, "reads must go on: {error:?}"),
            }
            self.check_cache();
            if start.elapsed() >= patience {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        if rng.one_in(3) {
            self.cut();
        } else {
            self.disk.heal();
            self.recover();
        }
    }

    fn cut(&mut self) {
        self.disk = self.disk.power_cut();
        self.store.close();
        self.store = store_on(&self.disk, self.cache_bytes);
        self.cache = Cache::new(100);
        self.audit();
    }

    fn audit(&self) {
        self.heard.check(&audit(&self.store).unwrap());
    }

    /// After the disk was mended.
    fn recover(&mut self) {
        wait_for_writes(&self.store);
        self.audit();
        self.check_cache();
        assert!(!self.round(), "the disk works and a change was refused");
    }

    /// What the cache shows is what the store shows, as long as that stands still.
    fn check_cache(&self) {
        for account in 0..ACCOUNTS {
            let load = |tx: &ReadTx| BALANCES.get(tx, &account.to_be_bytes()).map(Option::unwrap);
            let before = self.store.get(load);
            let cached = self.cache.get(&self.store, account, load);
            let after = self.store.get(load);
            if before.is_ok() && before == after {
                assert_eq!(cached, before, "the cache shows what is not there");
            }
        }
    }

    fn end(mut self) {
        self.rounds(1);
        self.cut();
        self.rounds(1);
        self.store.close();
        self.store = store_on(&self.disk, self.cache_bytes);
        self.audit();
        assert_eq!(self.store.verify_file(), Ok(true), "the file is damaged");
        self.store.close();
    }
}
