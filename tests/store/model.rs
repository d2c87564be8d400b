//! Whatever is done to it, the store is a sorted map.
use std::collections::BTreeMap;
use std::sync::Arc;

use auth_service::base::{Error, Page, PageRequest, Result};
use auth_service::store::{Map, Store, Tx};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::disk::SimDisk;
use crate::support::{Note, note, options};

/// Two tables, so that rows of one that show in the other are noticed.
const TABLES: [Map<Note>; 2] = [Map::new("test.a"), Map::new("test.a\0")];

type Key = Vec<u8>;
type Model = [BTreeMap<Key, Note>; 2];

#[derive(Debug, Clone)]
enum Edit {
    Put(usize, Key, String),
    Remove(usize, Key),
}

#[derive(Debug, Clone)]
struct Look {
    table: usize,
    prefix: Key,
    after: Option<Key>,
    limit: usize,
}

#[derive(Debug, Clone)]
enum Step {
    /// One change; it is looked at from inside after its edits.
    Change(Vec<Edit>, Look),
    /// A change that fails after its edits.
    Fail(Vec<Edit>),
    Panic(Vec<Edit>),
    Look(Look),
    Reopen,
}

/// Few and short, so that they meet, nest, and end at the end of the alphabet.
fn key() -> impl Strategy<Value = Key> {
    vec(prop_oneof![Just(0), Just(1), Just(0xff)], 0..4)
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let edit = prop_oneof![
        2 => (0..2_usize, key(), "[a-z]{0,4}").prop_map(|(table, key, text)| Edit::Put(table, key, text)),
        1 => (0..2_usize, key()).prop_map(|(table, key)| Edit::Remove(table, key)),
    ];
    vec(edit, 0..8)
}

fn look() -> impl Strategy<Value = Look> {
    let limit = prop_oneof![4 => 0..6_usize, 1 => Just(usize::MAX - 1)];
    (0..2_usize, key(), proptest::option::of(key()), limit).prop_map(|(table, prefix, after, limit)| Look {
        table,
        prefix,
        after,
        limit,
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (edits(), look()).prop_map(|(edits, look)| Step::Change(edits, look)),
        1 => edits().prop_map(Step::Fail),
        1 => edits().prop_map(Step::Panic),
        4 => look().prop_map(Step::Look),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_store_behaves_like_sorted_maps(steps in vec(step(), 0..40)) {
        let disk = SimDisk::new(1);
        let mut store = open(&disk);
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Reopen => {
                    store.close();
                    store = open(&disk);
                }
                step => play(&store, &mut model, step),
            }
        }
        for (table, model) in TABLES.iter().zip(&model) {
            let held = store.get(|tx| table.first(tx, &[], usize::MAX)).unwrap();
            prop_assert_eq!(held, model.clone().into_iter().collect::<Vec<_>>());
        }
        store.close();
    }
}

fn open(disk: &SimDisk) -> Store {
    Store::open_disk(Arc::new(disk.clone()), options(1 << 20)).unwrap()
}

fn play(store: &Store, model: &mut Model, step: Step) {
    match step {
        Step::Change(edits, look) => {
            edits.iter().for_each(|edit| imagine(model, edit));
            let expected = expect(model, &look);
            let seen = store.write_blocking(move |tx| {
                edits.into_iter().try_for_each(|edit| make(tx, edit))?;
                see(tx, &look)
            });
            assert_eq!(seen, Ok(expected));
        }
        Step::Fail(edits) => {
            let failed = store.write_blocking(move |tx| {
                edits.into_iter().try_for_each(|edit| make(tx, edit))?;
                Err::<(), _>(Error::Forbidden("succeed".into()))
            });
            assert_eq!(failed, Err(Error::Forbidden("succeed".into())));
        }
        Step::Panic(edits) => {
            let failed = store.write_blocking(move |tx| -> Result<()> {
                edits.into_iter().try_for_each(|edit| make(tx, edit))?;
                panic!("a change of the test that panics")
            });
            assert!(matches!(failed, Err(Error::Internal(_))));
        }
        Step::Look(look) => assert_eq!(store.get(|tx| see(tx, &look)), Ok(expect(model, &look))),
        Step::Reopen => {}
    }
}

fn make(tx: &mut auth_service::store::WriteTx, edit: Edit) -> Result<()> {
    match edit {
        Edit::Put(table, key, text) => TABLES[table].put(tx, &key, &note(&text)),
        Edit::Remove(table, key) => {
            TABLES[table].remove(tx, &key);
            Ok(())
        }
    }
}

fn imagine(model: &mut Model, edit: &Edit) {
    match edit {
        Edit::Put(table, key, text) => model[*table].insert(key.clone(), note(text)),
        Edit::Remove(table, key) => model[*table].remove(key),
    };
}

/// The row at the prefix, and a page of what begins with it.
type Seen = (Option<Note>, Page<Note>);

fn see(tx: &impl Tx, look: &Look) -> Result<Seen> {
    let request = PageRequest { after: look.after.clone(), limit: look.limit };
    let table = &TABLES[look.table];
    Ok((table.get(tx, &look.prefix)?, table.page(tx, &look.prefix, &request)?))
}

fn expect(model: &Model, look: &Look) -> Seen {
    let rows: Vec<_> = model[look.table]
        .iter()
        .filter(|(key, _)| {
            key.starts_with(&look.prefix) && look.after.as_ref().is_none_or(|after| *key > after)
        })
        .collect();
    let shown = &rows[..rows.len().min(look.limit)];
    let last = shown.last().filter(|_| rows.len() > shown.len());
    let items = shown.iter().map(|(_, note)| (*note).clone()).collect();
    let next_cursor = last.map(|(key, _)| URL_SAFE_NO_PAD.encode(key));
    (model[look.table].get(&look.prefix).cloned(), Page { items, next_cursor })
}
