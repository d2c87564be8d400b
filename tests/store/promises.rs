//! Changes: all or nothing, durable, each on its own.
use std::sync::{Arc, Mutex};

use auth_service::base::{Error, Result};
use auth_service::store::{Options, Store, WriteTx, next_id};

use crate::support::{FIRST, NOTES, in_one_batch, keys, note, open, runtime};

/// A panic is a failed change too; it takes any other path than an error.
fn end(n: u8) -> Result<u8> {
    assert!(!n.is_multiple_of(7), "a change of the test that panics");
    if n.is_multiple_of(3) { Err(Error::Forbidden("be divisible by three".into())) } else { Ok(n) }
}

#[test]
fn failed_and_panicking_changes_leave_no_trace_and_their_neighbours_stay() {
    let (store, _dir) = open();
    let log = Arc::new(Mutex::new(Vec::new()));
    let change = |n: u8| {
        let (store, log) = (store.clone(), Arc::clone(&log));
        async move {
            let effects = Arc::clone(&log);
            let answer = store.write(move |tx| {
                tx.when_settled(move |_| effects.lock().unwrap().push(("settled", n)));
                NOTES.put(tx, &[n], &note("new"))?;
                NOTES.put(tx, b"shared", &note(&n.to_string()))?;
                // Every change sees what those before it have done, and nothing of those that failed.
                assert_eq!(NOTES.get(tx, &[n.saturating_sub(1)])?.is_some(), n > 0 && end_is_well(n - 1));
                end(n)
            });
            let answer = answer.await;
            log.lock().unwrap().push(("heard", n));
            answer
        }
    };
    let answers = runtime().block_on(in_one_batch(&store, (0..200).map(change).collect()));
    let kept: Vec<u8> = (0..200).filter(|n| end_is_well(*n)).collect();
    for (n, answer) in (0..200).zip(answers) {
        let panics = n % 7 == 0;
        assert_eq!(answer.is_ok(), kept.contains(&n));
        assert_eq!(matches!(answer, Err(Error::Internal(_))), panics);
        assert_eq!(matches!(answer, Err(Error::Forbidden(_))), n % 3 == 0 && !panics);
    }
    let expected: Vec<Vec<u8>> = kept.iter().map(|n| vec![*n]).collect();
    let found = keys(&store);
    assert_eq!(found.iter().filter(|key| key.len() == 1).cloned().collect::<Vec<_>>(), expected);
    let shared = store.get(|tx| NOTES.get(tx, b"shared")).unwrap().unwrap();
    assert_eq!(shared.text, kept.last().unwrap().to_string());
    effects_come_first(&log.lock().unwrap(), &kept);
}

fn end_is_well(n: u8) -> bool {
    !n.is_multiple_of(3) && !n.is_multiple_of(7)
}

fn effects_come_first(log: &[(&str, u8)], kept: &[u8]) {
    let settled: Vec<u8> = log.iter().filter(|(what, _)| *what == "settled").map(|(_, n)| *n).collect();
    assert_eq!(settled, kept, "effects run once, for what succeeded, in order");
    for n in kept {
        let place = |what| log.iter().position(|entry| *entry == (what, *n)).unwrap();
        assert!(place("settled") < place("heard"), "an effect runs before its caller hears");
    }
}

#[test]
fn an_effect_sees_what_its_change_has_written() {
    let (store, _dir) = open();
    let seen = Arc::new(Mutex::new(None));
    let (theirs, out) = (store.clone(), Arc::clone(&seen));
    let change = move |tx: &mut WriteTx| {
        tx.when_settled(move |commit| {
            let read = theirs.get(|tx| Ok((tx.commit() >= commit, NOTES.get(tx, b"a")?)));
            *out.lock().unwrap() = Some(read);
        });
        tx.when_settled(|_| panic!("an effect of the test that panics"));
        NOTES.put(tx, b"a", &note("new"))
    };
    store.write_blocking(change).unwrap();
    assert_eq!(seen.lock().unwrap().take().unwrap(), Ok((true, Some(note("new")))));
    store.write_blocking(|tx| NOTES.put(tx, b"b", &note("after the panic"))).unwrap();
}

#[test]
fn what_was_written_is_there_after_close_and_reopen() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..5_u8 {
        let store = Store::open(dir.path(), Options::in_directory(dir.path(), FIRST)).unwrap();
        assert_eq!(keys(&store), (0..round).map(|n| vec![n]).collect::<Vec<_>>());
        store.write_blocking(move |tx| NOTES.put(tx, &[round], &note("kept"))).unwrap();
        store.close();
        assert!(matches!(store.get(|tx| NOTES.get(tx, &[round])), Err(Error::Unavailable(_))));
        let late = store.write_blocking(|tx| NOTES.put(tx, b"late", &note("lost")));
        assert!(matches!(late, Err(Error::Unavailable(_))));
    }
}

#[test]
fn changes_queued_before_the_close_are_finished() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), Options::in_directory(dir.path(), FIRST)).unwrap();
    let changes = (0..100_u8).map(|n| store.write(move |tx| NOTES.put(tx, &[n], &note("queued"))));
    let mut changes: Vec<_> = changes.map(Box::pin).collect();
    let mut idle = std::task::Context::from_waker(std::task::Waker::noop());
    for change in &mut changes {
        // Queues it.
        drop(change.as_mut().poll(&mut idle));
    }
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| store.close());
        }
    });
    drop(changes);
    let store = Store::open(dir.path(), Options::in_directory(dir.path(), FIRST)).unwrap();
    assert_eq!(keys(&store).len(), 100);
    store.close();
}

#[test]
fn numbers_are_given_once_and_failed_changes_claim_none() {
    let (store, _dir) = open();
    let given = Mutex::new(Vec::new());
    let claim = &|n: u8| {
        let ids = store.write_blocking(move |tx| {
            let id = next_id(tx, "test")?;
            let other = next_id(tx, "test.other")?;
            end(n)?;
            assert_eq!((next_id(tx, "test")?, next_id(tx, "test.other")?), (id + 1, other + 1));
            Ok([id, id + 1])
        });
        given.lock().unwrap().extend(ids.into_iter().flatten());
    };
    std::thread::scope(|scope| {
        (0..8_u8).for_each(|thread| drop(scope.spawn(move || (0..30).for_each(|n| claim(thread * 30 + n)))));
    });
    let mut given = given.into_inner().unwrap();
    given.sort_unstable();
    let count = (0..240).filter(|n| end_is_well(*n)).count() as u64;
    assert_eq!(given, (1..=2 * count).collect::<Vec<_>>(), "without a gap, and none twice");
    let next = store.write_blocking(|tx| Ok((next_id(tx, "test")?, next_id(tx, "new")?)));
    assert_eq!(next, Ok((2 * count + 1, 1)));
}
