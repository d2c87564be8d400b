//! Versions of the store: a new one, an older one, a newer one, and one that is already open.
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use auth_service::base::{Error, Result};
use auth_service::store::schema::Migration;
use auth_service::store::{FILE_NAME, Map, Options, Schema, Store, WriteTx};

use crate::disk::{Fault, SimDisk};
use crate::support::{NOTES, Note, Rng, for_seeds, note};

const FIRST: Schema = Schema { steps: &[] };
const THIRD: Schema = Schema { steps: &[to_2, to_3] };
/// Where version 2 keeps notes, and version 3.
const MOVED: Map<Note> = Map::new("test.moved");
const FINAL: Map<Note> = Map::new("test.final");

fn to_2(tx: &mut WriteTx) -> Result<()> {
    for (key, found) in NOTES.first(tx, &[], usize::MAX)? {
        NOTES.remove(tx, &key);
        MOVED.put(tx, &key, &note(&format!("{}, moved", found.text)))?;
    }
    Ok(())
}

fn to_3(tx: &mut WriteTx) -> Result<()> {
    for (key, found) in MOVED.first(tx, &[], usize::MAX)? {
        MOVED.remove(tx, &key);
        FINAL.put(tx, &key, &note(&format!("{} twice", found.text)))?;
    }
    Ok(())
}

fn fails(tx: &mut WriteTx) -> Result<()> {
    to_3(tx)?;
    Err(Error::internal("this step fails"))
}

fn panics(tx: &mut WriteTx) -> Result<()> {
    to_3(tx)?;
    panic!("a step of the test that panics")
}

fn open(dir: &Path, schema: Schema) -> Result<Store> {
    Store::open(dir, Options::in_directory(dir, schema))
}

/// A directory with a store of version 1 that holds some notes.
fn first() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), FIRST).unwrap();
    store.write_blocking(write_old).unwrap();
    store.close();
    dir
}

fn write_old(tx: &mut WriteTx) -> Result<()> {
    (0..100_u8).try_for_each(|n| NOTES.put(tx, &[n], &note(&n.to_string())))
}

fn texts(store: &Store, table: &Map<Note>) -> Vec<String> {
    let rows = store.get(|tx| table.first(tx, &[], usize::MAX)).unwrap();
    rows.into_iter().map(|(_, note)| note.text).collect()
}

fn is_old(store: &Store) -> bool {
    let old: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    texts(store, &NOTES) == old && texts(store, &MOVED).is_empty() && texts(store, &FINAL).is_empty()
}

fn is_new(store: &Store) -> bool {
    let new: Vec<String> = (0..100).map(|n| format!("{n}, moved twice")).collect();
    texts(store, &NOTES).is_empty() && texts(store, &MOVED).is_empty() && texts(store, &FINAL) == new
}

/// What a refusal says to the log.
fn refusal(opened: Result<Store>) -> String {
    match opened.map(|_| "it was opened") {
        Err(Error::Unavailable(why) | Error::Internal(why)) => why,
        other => panic!("{other:?}"),
    }
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[test]
fn a_new_store_starts_at_the_version_of_the_program_without_any_step() {
    const NEW: Schema = Schema { steps: &[panics, panics] };
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), NEW).unwrap();
    let version = store.get(|tx| Map::<u64>::new("store.meta").get(tx, b"schema"));
    assert_eq!(version, Ok(Some(NEW.version())));
    store.close();
    open(dir.path(), NEW).unwrap().close();
    assert!(!dir.path().join("backups").exists(), "there was nothing to copy");
    assert_eq!(mode(&dir.path().join(FILE_NAME)), 0o600);
}

#[test]
fn an_older_store_is_copied_and_then_migrated_in_one_change() {
    let dir = first();
    let store = open(dir.path(), THIRD).unwrap();
    assert!(is_new(&store));
    store.close();
    let store = open(dir.path(), THIRD).unwrap();
    assert!(is_new(&store), "and not once more");
    store.close();

    let backups = dir.path().join("backups");
    let copy = backups.join("auth-v1.redb");
    assert_eq!((mode(&backups), mode(&copy)), (0o700, 0o600));
    assert_eq!(backups.read_dir().unwrap().count(), 1, "nothing half-made is left");
    let restored = tempfile::tempdir().unwrap();
    std::fs::copy(copy, restored.path().join(FILE_NAME)).unwrap();
    let store = open(restored.path(), FIRST).unwrap();
    assert!(is_old(&store));
    assert_eq!(store.verify_file(), Ok(true));
    store.close();
}

#[test]
fn a_migration_that_fails_leaves_the_store_as_it_was() {
    const STEPS: [&[Migration]; 3] = [&[to_2, fails], &[fails, to_3], &[to_2, panics]];
    for steps in STEPS {
        let dir = first();
        let path = dir.path();
        let opened = std::panic::catch_unwind(|| open(path, Schema { steps }).map(|_| ()));
        assert!(!matches!(opened, Ok(Ok(()))));
        let store = open(path, FIRST).unwrap();
        assert!(is_old(&store), "the old program finds what it had");
        store.close();
        let store = open(path, THIRD).unwrap();
        assert!(is_new(&store), "and a better one can migrate it");
        store.close();
    }
}

#[test]
fn without_room_for_the_copy_nothing_is_migrated() {
    let dir = first();
    std::fs::write(dir.path().join("backups"), "a file where the directory should be").unwrap();
    let why = refusal(open(dir.path(), THIRD));
    assert!(why.contains("cannot copy the store to") && why.contains("auth-v1.redb"), "{why}");
    let store = open(dir.path(), FIRST).unwrap();
    assert!(is_old(&store));
    store.close();
}

#[test]
fn a_newer_store_is_refused_and_stays_as_it_is() {
    let dir = first();
    open(dir.path(), THIRD).unwrap().close();
    for _ in 0..2 {
        let why = refusal(open(dir.path(), FIRST));
        assert!(
            why.contains("version 3") && why.contains("up to 1") && why.contains("newer program"),
            "{why}"
        );
    }
    let store = open(dir.path(), THIRD).unwrap();
    assert!(is_new(&store));
    store.close();
}

#[test]
fn a_directory_takes_one_store_at_a_time() {
    let dir = first();
    let store = open(dir.path(), FIRST).unwrap();
    let why = refusal(open(dir.path(), FIRST));
    assert!(why.contains(&dir.path().join(FILE_NAME).display().to_string()), "{why}");
    assert!(why.contains("in use by another auth-service process"), "{why}");
    store.write_blocking(|tx| NOTES.put(tx, b"still", &note("good"))).unwrap();
    store.close();
    open(dir.path(), FIRST).unwrap().close();
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let why = refusal(open(Path::new("/nonexistent/directory"), FIRST));
    assert!(why.contains("/nonexistent/directory/auth.redb"), "{why}");
}

#[test]
fn a_file_that_is_no_store_is_refused_and_left_alone() {
    let text = b"a file of somebody else".to_vec();
    let behind_zeros = [vec![0; 100_000], text.clone()].concat();
    for content in [text, behind_zeros] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        std::fs::write(&path, &content).unwrap();
        refusal(open(dir.path(), FIRST));
        assert_eq!(std::fs::read(&path).unwrap(), content);
    }
}

#[test]
fn a_store_whose_making_was_cut_short_is_made_anew() {
    for len in [1, 9, 4096, 1 << 21] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE_NAME), vec![0; len]).unwrap();
        let store = open(dir.path(), FIRST).unwrap();
        store.write_blocking(write_old).unwrap();
        assert!(is_old(&store));
        store.close();
    }
}

#[test]
fn a_power_cut_during_a_migration_leaves_the_old_store_or_the_new_one() {
    let backups = tempfile::tempdir().unwrap();
    for_seeds(60, 2, |seed| {
        let mut rng = Rng::new(seed);
        let open = |disk: &SimDisk, schema| {
            let backup_dir = backups.path().join(seed.to_string());
            let options = Options { schema, backup_dir, cache_bytes: 1 << 20 };
            Store::open_disk(Arc::new(disk.clone()), options)
        };
        let mut disk = SimDisk::new(seed);
        let store = open(&disk, FIRST).unwrap();
        store.write_blocking(write_old).unwrap();
        store.close();
        for _ in 0..3 {
            disk.fail_after(rng.below(60), Fault::All);
            let opened = open(&disk, THIRD);
            disk = disk.power_cut();
            drop(opened.map(|store| store.close()));
            match open(&disk, FIRST) {
                Ok(store) => {
                    assert!(is_old(&store));
                    store.close();
                }
                Err(error) => assert!(format!("{error:?}").contains("newer program"), "{error:?}"),
            }
        }
        let store = open(&disk, THIRD).unwrap();
        assert!(is_new(&store));
        store.close();
    });
}
