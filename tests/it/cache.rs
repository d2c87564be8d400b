//! What is kept in memory is never behind a change that its caller has heard of.
use auth_service::store::{Cache, Map, Options, Store};

const ROWS: Map<u64> = Map::new("test");
const KEY: u64 = 1;

fn read(store: &Store, cache: &Cache<u64, u64>) -> u64 {
    cache.get(store, KEY, |tx| Ok(ROWS.get(tx, b"row")?.unwrap())).unwrap()
}

fn write(store: &Store, cache: &Cache<u64, u64>, value: u64) {
    let cache = cache.clone();
    let change = move |tx: &mut auth_service::store::WriteTx| {
        cache.forget(tx, KEY);
        ROWS.put(tx, b"row", &value)
    };
    store.write_blocking(change).unwrap();
}

/// Fills the cache with what is asked for again and again, so that anything else is soon dropped from it.
fn crowd(store: &Store, cache: &Cache<u64, u64>) {
    for key in (0..50).flat_map(|_| 1000..1010).chain(2000..5000) {
        assert_eq!(cache.get(store, key, |_| Ok(key)).unwrap(), key);
    }
}

#[test]
fn a_slow_reader_does_not_bring_an_old_value_back() {
    let dir = tempfile::tempdir().unwrap();
    let store =
        Store::open(dir.path(), Options::in_directory(dir.path(), auth_service::app::SCHEMA)).unwrap();
    let cache = Cache::new(10);
    for is_crowded in [false, true] {
        write(&store, &cache, 1);
        crowd(&store, &cache);
        let slow = cache.get(&store, KEY, |tx| {
            let old = ROWS.get(tx, b"row")?.unwrap();
            write(&store, &cache, old + 1);
            if is_crowded {
                crowd(&store, &cache);
            }
            Ok(old)
        });
        assert_eq!(read(&store, &cache), slow.unwrap() + 1, "crowded: {is_crowded}");
    }
}

#[test]
fn a_value_is_read_once_until_it_changes() {
    let dir = tempfile::tempdir().unwrap();
    let store =
        Store::open(dir.path(), Options::in_directory(dir.path(), auth_service::app::SCHEMA)).unwrap();
    let cache = Cache::new(10);
    for value in 1..5 {
        write(&store, &cache, value);
        assert_eq!(read(&store, &cache), value);
        for _ in 0..3 {
            let kept = cache.get(&store, KEY, |_| panic!("it is in memory"));
            assert_eq!(kept, Ok(value));
        }
    }
}
