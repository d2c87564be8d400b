//! Rows that end by themselves.
use std::sync::atomic::{AtomicU64, Ordering};

use auth_service::base::{Error, Timestamp};
use auth_service::store::{Map, Sweep, expire_at};

use crate::support::{NOTES, keys, note, open, runtime};

const NOW: Timestamp = Timestamp::from_secs(1_000_000);

static ENDED: AtomicU64 = AtomicU64::new(0);

/// A note's text is the second at which it ends.
const SWEEPS: &[Sweep] = &[
    Sweep {
        table: NOTES.name(),
        end: |tx, key, now| {
            let Some(found) = NOTES.get(tx, key)? else { return Ok(None) };
            let ends = Timestamp::from_secs(found.text.parse().unwrap());
            if ends > now {
                return Ok(Some(ends));
            }
            NOTES.remove(tx, key);
            Ok(None)
        },
    },
    Sweep {
        table: "test.other",
        end: |_, key, _| {
            assert_eq!(key, b"\0o\0");
            ENDED.fetch_add(1, Ordering::SeqCst);
            Ok(None)
        },
    },
    Sweep { table: "test.broken", end: |_, _, _| Err(Error::internal("no such record")) },
];

#[test]
fn a_sweep_ends_what_is_due_files_again_what_moved_and_leaves_the_rest() {
    let (store, _dir) = open();
    let sweep =
        |secs: i64, limit| runtime().block_on(store.sweep(SWEEPS, NOW.plus_secs(secs), limit)).unwrap();
    let file = |key: &'static str, filed: i64, ends: i64| {
        store
            .write_blocking(move |tx| {
                NOTES.put(tx, key.as_bytes(), &note(&(NOW.secs() + ends).to_string()))?;
                expire_at(tx, NOTES.name(), key.as_bytes(), NOW.plus_secs(filed))
            })
            .unwrap();
    };
    file("due", 10, 10);
    file("moved", 10, 30);
    file("later", 20, 20);
    file("gone", 10, 10);
    file("twice", 5, 10);
    file("twice", 10, 10);
    store
        .write_blocking(|tx| {
            NOTES.remove(tx, b"gone");
            expire_at(tx, "test.other", b"\0o\0", NOW.plus_secs(10))?;
            expire_at(tx, "test.other", b"\0o\0", Timestamp::MAX)
        })
        .unwrap();
    let left = || keys(&store).into_iter().map(|key| String::from_utf8(key).unwrap()).collect::<Vec<_>>();
    assert_eq!(sweep(4, 100), 0);
    assert_eq!((sweep(9, 100), left().len()), (1, 4), "filed too early: looked at, and filed again");
    assert_eq!((sweep(10, 2), sweep(10, 100), sweep(10, 100)), (2, 3, 0), "in portions, and no row twice");
    assert_eq!((left(), ENDED.load(Ordering::SeqCst)), (vec!["later".to_owned(), "moved".to_owned()], 1));
    assert_eq!((sweep(20, 100), left()), (1, vec!["moved".to_owned()]));
    assert_eq!((sweep(29, 100), sweep(30, 100), left()), (0, 1, Vec::new()));
    assert_eq!(sweep(1_000_000_000, 100), 0, "what never ends is never due");
}

#[test]
fn what_cannot_be_ended_stands_in_nobodys_way_and_is_tried_again_a_day_later() {
    let (store, _dir) = open();
    store
        .write_blocking(|tx| {
            expire_at(tx, "test.broken", b"1", NOW)?;
            expire_at(tx, "test.unknown", b"2", NOW)?;
            NOTES.put(tx, b"due", &note("1"))?;
            expire_at(tx, NOTES.name(), b"due", NOW)
        })
        .unwrap();
    let sweep = |secs| runtime().block_on(store.sweep(SWEEPS, NOW.plus_secs(secs), 100)).unwrap();
    assert_eq!(sweep(0), 3);
    assert!(keys(&store).is_empty(), "the good one has ended");
    assert_eq!((sweep(24 * 3600 - 1), sweep(24 * 3600), sweep(24 * 3600)), (0, 2, 0));
}

#[test]
fn a_row_that_cannot_be_read_stops_no_sweep() {
    const RAW: Map<()> = Map::new("store.expiry");
    const WRONG: Map<u64> = Map::new("store.expiry");
    let (store, _dir) = open();
    store
        .write_blocking(|tx| {
            RAW.put(tx, b"short", &())?;
            RAW.put(tx, b"\0\0\0\0\0\0\0\0no table", &())?;
            WRONG.put(tx, b"\0\0\0\0\0\0\0\0", &7)?;
            NOTES.put(tx, b"due", &note("1"))?;
            expire_at(tx, NOTES.name(), b"due", NOW)
        })
        .unwrap();
    assert_eq!(store.verify(&[(NOTES.name(), |_, _, _| Ok(None))]).unwrap().problem_count, 3);
    let sweep = || runtime().block_on(store.sweep(SWEEPS, NOW, 100)).unwrap();
    assert_eq!((sweep(), sweep()), (4, 0));
    assert!(keys(&store).is_empty(), "the good one has ended");
}
