//! Reading: pages, scans inside a change, and bytes that are no record.
use auth_service::base::{Error, PageRequest, Result};
use auth_service::store::{Map, ReadTx, Record, Store, Tx, WriteTx, encode};

use crate::support::{NOTES, Note, Rng, keys, note, open};

#[test]
fn a_cursor_stays_good_while_rows_come_and_go() {
    let (store, _dir) = open();
    let key = |n: u64| [b"p", &n.to_be_bytes()[..]].concat();
    let put = |n: u64| {
        store.write_blocking(move |tx| NOTES.put(tx, &key(n), &note(&n.to_string()))).unwrap();
    };
    for (key, text) in [(&b"o"[..], "before"), (b"q", "behind")] {
        store.write_blocking(move |tx| NOTES.put(tx, key, &note(text))).unwrap();
    }
    (0..100).step_by(2).for_each(put);
    let mut rng = Rng::new(1);
    let (mut seen, mut cursor): (Vec<u64>, Option<String>) = (Vec::new(), None);
    loop {
        let request = PageRequest::parse(Some(7), cursor.as_deref()).unwrap();
        let page = store.get(|tx| NOTES.page(tx, b"p", &request)).unwrap();
        seen.extend(page.items.iter().map(|note| note.text.parse::<u64>().unwrap()));
        // What the cursor points at goes, and others come on both sides.
        let last = *seen.last().unwrap();
        let remove = move |tx: &mut WriteTx| {
            NOTES.remove(tx, &key(last));
            Ok(())
        };
        store.write_blocking(remove).unwrap();
        put(rng.below(100) / 2 * 2 + 1);
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert!(seen.is_sorted_by(|a, b| a < b), "in order, and none twice: {seen:?}");
    let stayed: Vec<u64> = seen.iter().copied().filter(|n| n % 2 == 0).collect();
    assert_eq!(stayed, (0..100).step_by(2).collect::<Vec<_>>(), "and none left out");
}

/// Notes that say their own key.
fn write_all(store: &Store, keys: &'static [&'static str]) {
    let put = |tx: &mut WriteTx| keys.iter().try_for_each(|key| NOTES.put(tx, key.as_bytes(), &note(key)));
    store.write_blocking(put).unwrap();
}

#[test]
fn a_cursor_of_another_list_shows_nothing_of_it() {
    let (store, _dir) = open();
    write_all(&store, &["a1", "a2", "b1", "c1"]);
    let page = |after: &[u8]| {
        let request = PageRequest { after: Some(after.to_vec()), limit: 10 };
        let page = store.get(|tx| NOTES.page(tx, b"b", &request)).unwrap();
        page.items.into_iter().map(|note| note.text).collect::<Vec<_>>()
    };
    assert_eq!(page(b""), ["b1"]);
    assert_eq!(page(b"a1"), ["b1"]);
    assert_eq!(page(b"b1"), [""; 0]);
    assert_eq!(page(b"c"), [""; 0]);
    assert_eq!(page(&[0xff; 300]), [""; 0]);
}

#[test]
fn a_scan_inside_a_change_sees_its_own_edits() {
    let (store, _dir) = open();
    write_all(&store, &["a", "b1", "b3", "b5", "b7", "c"]);
    let ran = store.write_blocking(|tx| {
        NOTES.put(tx, b"b2", &note("mine"))?;
        NOTES.put(tx, b"b3", &note("mine"))?;
        NOTES.remove(tx, b"b1");
        NOTES.remove(tx, b"b5");
        NOTES.put(tx, b"b9", &note("mine"))?;
        NOTES.remove(tx, b"b9");
        NOTES.put(tx, b"c1", &note("mine"))?;
        let all = [("b2", "mine"), ("b3", "mine"), ("b7", "b7")];
        for limit in 0..5 {
            assert_eq!(shown(tx, None, limit)?, all[..limit.min(3)], "limit {limit}");
        }
        assert_eq!(shown(tx, Some(b"b2"), 1)?, all[1..2]);
        assert_eq!(shown(tx, Some(b"b25"), 9)?, all[1..]);
        assert_eq!(shown(tx, Some(b"b1"), 9)?, all);
        assert_eq!(shown(tx, Some(b"a"), 9)?, all);
        assert_eq!(shown(tx, Some(b"b7"), 9)?, all[..0]);
        assert_eq!(NOTES.get(tx, b"b1")?, None);
        NOTES.put(tx, b"b1", &note("again"))?;
        assert_eq!(NOTES.get(tx, b"b1")?, Some(note("again")));
        Ok(())
    });
    ran.unwrap();
    assert_eq!(keys(&store), ["a", "b1", "b2", "b3", "b7", "c", "c1"].map(|key| key.as_bytes().to_vec()));
}

type Shown = Vec<(&'static str, &'static str)>;

fn shown(tx: &WriteTx, after: Option<&[u8]>, limit: usize) -> Result<Shown> {
    let request = PageRequest { after: after.map(<[u8]>::to_vec), limit };
    let texts: Vec<String> =
        NOTES.page(tx, b"b", &request)?.items.into_iter().map(|note| note.text).collect();
    let rows = tx.rows(NOTES.name(), b"b", after, limit)?;
    let known = ["b1", "b2", "b3", "b5", "b7", "b9"];
    let keys = rows.iter().map(|(key, _)| known.into_iter().find(|known| known.as_bytes() == key));
    let texts = texts.iter().map(|text| ["b7", "mine"].into_iter().find(|known| known == text).unwrap());
    Ok(keys.map(Option::unwrap).zip(texts).collect())
}

/// The same table without what [`Note`] knows of itself.
#[derive(serde::Serialize, serde::Deserialize)]
struct Raw<const VERSION: u8>(String, u8);

impl<const VERSION: u8> Record for Raw<VERSION> {
    const VERSION: u8 = VERSION;
}

fn decode(bytes: &[u8]) -> Result<Note> {
    NOTES.decode(bytes)
}

#[test]
fn bytes_that_are_no_record_are_an_error() {
    assert_eq!(decode(&encode(&note("good")).unwrap()), Ok(note("good")));
    let mut left_over = encode(&note("good")).unwrap();
    left_over.push(0);
    let huge = [&[3, 0xfd][..], &[0xff; 8]].concat();
    let large = [&[3, 0xfd][..], &(1_u64 << 40).to_le_bytes()].concat();
    for bytes in [&b""[..], &[3], &[3, 5, b'a'], &[3, 1, 0xff], &left_over, &huge, &large, &[4, 0], &[0]] {
        assert!(matches!(decode(bytes), Err(Error::Internal(_))), "{bytes:?}");
    }
    let mut rng = Rng::new(1);
    for _ in 0..20_000 {
        let bytes: Vec<u8> = (0..rng.below(40)).map(|_| rng.next() as u8).collect();
        let bytes = [&[3][..], &bytes].concat();
        if let Ok(note) = decode(&bytes) {
            assert_eq!(decode(&encode(&note).unwrap()), Ok(note));
        }
    }
}

#[test]
fn a_broken_row_is_an_error_for_whoever_reads_it_and_for_nobody_else() {
    const NEWER: Map<Raw<4>> = Map::new("test.note");
    const LONGER: Map<Raw<3>> = Map::new("test.note");
    let (store, _dir) = open();
    store
        .write_blocking(|tx| {
            NOTES.put(tx, b"good", &note("good"))?;
            LONGER.put(tx, b"longer", &Raw("text".to_owned(), 1))?;
            NEWER.put(tx, b"newer", &Raw("text".to_owned(), 1))
        })
        .unwrap();
    assert_eq!(store.get(|tx| NOTES.get(tx, b"good")), Ok(Some(note("good"))));
    for key in ["longer", "newer"] {
        assert!(matches!(store.get(|tx| NOTES.get(tx, key.as_bytes())), Err(Error::Internal(_))), "{key}");
    }
    assert!(matches!(store.get(|tx| NOTES.first(tx, &[], 9)), Err(Error::Internal(_))));
    assert!(matches!(store.write_blocking(|tx| NOTES.get(tx, b"newer")), Err(Error::Internal(_))));
    assert_eq!(store.vitals().failure, None);
    let findings =
        store.verify(&[(NOTES.name(), |_: &ReadTx, _, value| NOTES.decode(value).map(|_| None))]).unwrap();
    assert_eq!((findings.problem_count, findings.tables[NOTES.name()]), (2, 3), "{findings:?}");
}

#[test]
fn an_old_version_is_upgraded_and_written_back_as_the_new_one() {
    assert_eq!(decode(b"\x02plain text"), Ok(note("plain text")));
    assert_eq!(encode(&decode(b"\x02plain").unwrap()).unwrap(), b"\x03\x05plain");
}

#[test]
fn a_record_that_could_not_be_read_again_is_not_written() {
    let (store, _dir) = open();
    let write = |len: usize| store.write_blocking(move |tx| NOTES.put(tx, b"large", &note(&"x".repeat(len))));
    write(1_000_000).unwrap();
    assert!(matches!(write(2_000_000), Err(Error::Internal(_))));
    assert_eq!(store.get(|tx| NOTES.get(tx, b"large")).unwrap().unwrap().text.len(), 1_000_000);
}
