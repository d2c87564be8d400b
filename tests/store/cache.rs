//! A cache in front of the store never shows less than what was acknowledged.
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use auth_service::base::{Error, Result};
use auth_service::store::{Cache, Map, ReadTx, Single, Store};

use crate::disk::{Fault, SimDisk};
use crate::support::{Rng, options};

const NUMBERS: Map<u64> = Map::new("test.number");
const KEY: u64 = 7;

struct Shelf {
    store: Store,
    cache: Cache<u64, u64>,
    single: Single<u64>,
    acknowledged: AtomicU64,
    done: AtomicU64,
}

impl Shelf {
    fn new(disk: &SimDisk) -> Self {
        let store = Store::open_disk(Arc::new(disk.clone()), options(1 << 20)).unwrap();
        let (acknowledged, done) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { store, cache: Cache::new(10), single: Single::default(), acknowledged, done }
    }

    fn write(&self, number: u64) -> Result<()> {
        let (cache, single) = (self.cache.clone(), self.single.clone());
        self.store.write_blocking(move |tx| {
            cache.forget(tx, KEY);
            single.forget(tx);
            NUMBERS.put(tx, &KEY.to_be_bytes(), &number)
        })
    }

    fn read(&self) -> Result<u64> {
        let load = |tx: &ReadTx| Ok(NUMBERS.get(tx, &KEY.to_be_bytes())?.unwrap_or(0));
        self.cache.get(&self.store, KEY, load)
    }

    fn read_single(&self) -> Result<u64> {
        self.single.get(&self.store, |tx| Ok(NUMBERS.get(tx, &KEY.to_be_bytes())?.unwrap_or(0)))
    }

    /// Looks until the writer is done, and counts what it saw.
    fn watch(&self) -> u64 {
        let mut seen = 0;
        while self.done.load(Ordering::SeqCst) == 0 {
            let floor = self.acknowledged.load(Ordering::SeqCst);
            for read in [self.read(), self.read_single()] {
                match read {
                    Ok(number) => {
                        assert!(number >= floor, "{number} is shown after {floor} was acknowledged");
                    }
                    Err(error) => assert!(matches!(error, Error::Unavailable(_)), "{error:?}"),
                }
            }
            seen += 1;
        }
        seen
    }

    /// Writes the numbers to `end`, each until it is acknowledged.
    fn count_to(&self, end: u64, mut before: impl FnMut(u64)) {
        for number in self.acknowledged.load(Ordering::SeqCst) + 1..=end {
            before(number);
            while self.write(number).is_err() {
                std::thread::sleep(Duration::from_millis(1));
            }
            self.acknowledged.store(number, Ordering::SeqCst);
        }
    }
}

/// Runs `count` while three others look.
fn under_watch(shelf: &Shelf, count: impl FnOnce()) {
    std::thread::scope(|scope| {
        let watchers: Vec<_> = (0..3).map(|_| scope.spawn(|| shelf.watch())).collect();
        count();
        shelf.done.store(1, Ordering::SeqCst);
        for watcher in watchers {
            assert!(watcher.join().unwrap() > 0);
        }
    });
}

#[test]
fn a_cache_never_shows_less_than_what_was_acknowledged() {
    let shelf = Shelf::new(&SimDisk::new(1));
    under_watch(&shelf, || shelf.count_to(3000, |_| {}));
    assert_eq!(shelf.read(), Ok(3000));
    shelf.store.close();
}

#[test]
fn nor_when_the_writer_fails_in_between() {
    let disk = SimDisk::new(2);
    let shelf = Shelf::new(&disk);
    let mut rng = Rng::new(2);
    let mut trouble = |number: u64| {
        if number.is_multiple_of(100) {
            disk.fail_after(rng.below(4), rng.pick(&[Fault::Sync, Fault::Full, Fault::Flaky, Fault::Read]));
            let healer = disk.clone();
            let after = rng.pick(&[1, 30, 600]);
            drop(std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(after));
                healer.heal();
            }));
        }
    };
    under_watch(&shelf, || shelf.count_to(800, &mut trouble));
    assert_eq!(shelf.read(), Ok(800));
    shelf.store.close();
}

#[test]
fn a_change_that_fails_forgets_nothing_and_shows_nothing() {
    let shelf = Shelf::new(&SimDisk::new(3));
    shelf.count_to(1, |_| {});
    assert_eq!(shelf.read(), Ok(1));
    let cache = shelf.cache.clone();
    let failed = shelf.store.write_blocking(move |tx| {
        cache.forget(tx, KEY);
        NUMBERS.put(tx, &KEY.to_be_bytes(), &99)?;
        Err::<(), _>(Error::Forbidden("count".into()))
    });
    assert_eq!(failed, Err(Error::Forbidden("count".into())));
    let loaded = shelf.cache.get(&shelf.store, KEY, |_| panic!("it is in the cache"));
    assert_eq!(loaded, Ok(1));
    shelf.store.close();
}

#[test]
fn what_could_not_be_loaded_is_not_kept() {
    let shelf = Shelf::new(&SimDisk::new(4));
    let refused = shelf.cache.get(&shelf.store, KEY, |_| Err(Error::NotFound("number")));
    assert_eq!(refused, Err(Error::NotFound("number")));
    assert_eq!(shelf.read(), Ok(0));
    shelf.store.close();
}
