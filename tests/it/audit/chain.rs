//! The chain of hashes: anybody can check it, and nobody breaks it unseen.
use auth_service::audit::table::Chain;
use auth_service::audit::{Entry, Event};
use auth_service::crypto::sha256;
use auth_service::rbac::Initiator;
use auth_service::store::{Map, WriteTx};
use reqwest::Method;
use serde_json::{Value, json};

use super::{all_is_well, exported, write_events};
use crate::support::{PASSWORD, Person, START, Setup, TestApp};

const ENTRIES: Map<Entry> = Map::new("audit");
const CHAIN: Map<Chain> = Map::new("audit.chain");

type Change = fn(&mut Entry);

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Checks each line's hash from its bytes alone, and gives the last one.
fn recomputed(text: &str, before: [u8; 32]) -> [u8; 32] {
    text.lines().fold(before, |before, line| {
        let (plain, hash) = line.rsplit_once(",\"hash\":\"").unwrap();
        let (plain, previous) = plain.rsplit_once(",\"previous_hash\":\"").unwrap();
        assert_eq!(previous, hex(&before) + "\"", "{line}");
        let expected = sha256(&[&before, plain.as_bytes(), b"}"]);
        assert_eq!(hash, hex(&expected) + "\"}", "{line}");
        expected
    })
}

async fn some_life(app: &TestApp) -> Person<'_> {
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    let key = ann.key(json!({"name": "\u{1f511} \" \\ / <x>", "unrestricted": true})).await;
    let wrong =
        app.request(Method::GET, "/users").header("X-API-Key", key).header("User-Agent", "a\"b\\c\u{e9}");
    app.fails(wrong, 403, "FORBIDDEN").await;
    app.fails(
        app.request(Method::POST, "/auth/token").json(&json!({"username": "?", "password": "x"})),
        401,
        "INVALID_CREDENTIALS",
    )
    .await;
    app.json(root.bearer(Method::POST, "/service-accounts").json(&json!({"name": "robot"})), 201).await;
    app.json(root.bearer(Method::DELETE, "/auth/sessions"), 200).await;
    app.app.audit.write_failures().await.unwrap();
    root
}

async fn problem(app: &TestApp) -> Option<String> {
    app.app.audit.verify(None).await.unwrap().problem
}

fn key(seq: u64) -> [u8; 8] {
    seq.to_be_bytes()
}

#[tokio::test]
async fn the_hashes_of_an_export_follow_from_its_bytes() {
    let app = TestApp::start().await;
    let root = some_life(&app).await;
    let answer = root.bearer(Method::GET, "/audit/export").send().await.unwrap();
    assert!(answer.headers()["content-type"].to_str().unwrap().contains("json"));
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let text = answer.text().await.unwrap();
    let head = recomputed(&text, [0; 32]);
    let verdict = app.app.audit.verify(None).await.unwrap();
    assert_eq!((verdict.first, verdict.last, verdict.head), (1, text.lines().count() as u64, head));
    let shown = app.json(root.bearer(Method::GET, "/audit?limit=1"), 200).await;
    assert_eq!(shown["items"][0]["hash"], hex(&head));
    for (n, line) in text.lines().enumerate() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["seq"], n as u64 + 1);
    }
    // From the middle, with the hash before it.
    let rest = exported(&root, "seq=4").await;
    let before = text.lines().nth(2).unwrap();
    let before: Value = serde_json::from_str(before).unwrap();
    let before = before["hash"].as_str().unwrap();
    let bytes: Vec<u8> =
        (0..32).map(|n| u8::from_str_radix(&before[2 * n..2 * n + 2], 16).unwrap()).collect();
    recomputed(&rest, bytes.try_into().unwrap());
    // That somebody took the trail away is an event, too, and the last one.
    let (old, new) = rest.trim_end().rsplit_once('\n').unwrap();
    assert!(text.ends_with(&format!("{old}\n")) && new.contains("\"action\":\"audit.exported\""), "{new}");
    for past in ["seq=1000000", "seq=18446744073709551615", "from=9999-01-01T00:00:00Z"] {
        assert_eq!(exported(&root, past).await, "", "{past}");
    }
    assert!(exported(&root, "seq=0").await.starts_with(&text));
    all_is_well(&app).await;
}

#[tokio::test]
async fn a_changed_event_is_found() {
    let app = TestApp::start().await;
    some_life(&app).await;
    let changes: [Change; 14] = [
        |entry| entry.event.at = START.plus_secs(1),
        |entry| entry.event.action.push('x'),
        |entry| entry.event.outcome = auth_service::audit::Outcome::Failure,
        |entry| entry.event.actor.name = "mallory".into(),
        |entry| entry.event.actor.kind = "host".into(),
        |entry| entry.event.actor.id = None,
        |entry| entry.event.via = None,
        |entry| entry.event.subject = None,
        |entry| entry.event.address = "10.0.0.1".into(),
        |entry| entry.event.user_agent.push('x'),
        |entry| entry.event.request_id.clear(),
        |entry| entry.event.count = 2,
        |entry| entry.event.details.push(("x".into(), "y".into())),
        |entry| entry.hash[31] ^= 1,
    ];
    for change in changes {
        let original = app
            .app
            .store
            .write(move |tx: &mut WriteTx| {
                let original = ENTRIES.get(tx, &key(5))?.unwrap();
                let mut changed = original.clone();
                change(&mut changed);
                assert_ne!(changed, original);
                ENTRIES.put(tx, &key(5), &changed)?;
                Ok(original)
            })
            .await
            .unwrap();
        assert!(problem(&app).await.unwrap().contains("entry 5 "));
        app.app.store.write(move |tx: &mut WriteTx| ENTRIES.put(tx, &key(5), &original)).await.unwrap();
        assert_eq!(problem(&app).await, None);
    }
}

#[tokio::test]
async fn a_row_that_is_missing_in_a_list_is_found() {
    let app = TestApp::start().await;
    some_life(&app).await;
    let robot = app.app.service_accounts.find("robot").unwrap();
    app.app.service_accounts.set_roles(Initiator::host(), robot.id, &["admin".to_owned()]).await.unwrap();
    all_is_well(&app).await;
    let hide = move |tx: &mut WriteTx| {
        let by_ann = [&[0][..], &2_u64.to_be_bytes(), &(!5_u64).to_be_bytes()].concat();
        Map::<()>::new("audit.by_party").remove(tx, &by_ann);
        Map::<()>::new("service_account.by_role")
            .remove(tx, &[b"admin\0", &robot.id.as_bytes()[..]].concat());
        Ok(())
    };
    app.app.store.write(hide).await.unwrap();
    let findings = app.app.store.verify(&auth_service::app::CHECKS.concat()).unwrap();
    assert_eq!(findings.problem_count, 2, "{:?}", findings.problems);
}

#[tokio::test]
async fn a_deleted_inserted_or_moved_event_is_found() {
    let app = TestApp::start().await;
    some_life(&app).await;
    let last = app.app.audit.verify(None).await.unwrap().last;
    for seq in [1, 4, last] {
        let remove = move |tx: &mut WriteTx| {
            let entry = ENTRIES.get(tx, &key(seq))?.unwrap();
            ENTRIES.remove(tx, &key(seq));
            Ok(entry)
        };
        let entry = app.app.store.write(remove).await.unwrap();
        assert!(problem(&app).await.is_some(), "{seq}");
        app.app.store.write(move |tx: &mut WriteTx| ENTRIES.put(tx, &key(seq), &entry)).await.unwrap();
    }
    let swap = |tx: &mut WriteTx| {
        let (one, two) = (ENTRIES.get(tx, &key(3))?.unwrap(), ENTRIES.get(tx, &key(4))?.unwrap());
        ENTRIES.put(tx, &key(3), &Entry { seq: 3, ..two })?;
        ENTRIES.put(tx, &key(4), &Entry { seq: 4, ..one })
    };
    app.app.store.write(swap).await.unwrap();
    assert!(problem(&app).await.unwrap().contains("entry 3 "));
    app.app.store.write(swap).await.unwrap();
    assert_eq!(problem(&app).await, None);
    let insert = move |tx: &mut WriteTx| {
        let event = Event::new(&Initiator::host(), "user.created", START);
        ENTRIES.put(tx, &key(last + 1), &Entry::after(&[0; 32], last + 1, event)?)
    };
    app.app.store.write(insert).await.unwrap();
    assert!(problem(&app).await.is_some());
}

#[tokio::test]
async fn a_trail_that_was_written_anew_is_not_the_one_that_was_noted() {
    let app = TestApp::start().await;
    some_life(&app).await;
    let noted = app.app.audit.verify(None).await.unwrap();
    let (last, head) = (noted.last, hex(&noted.head));
    let noted = || Some((last, head.clone()));
    assert_eq!(app.app.audit.verify(noted()).await.unwrap().problem, None);
    // Whoever has the store can cut the end off and mend the chain: only what was noted elsewhere tells.
    let cut = move |tx: &mut WriteTx| {
        let (before, end) = (ENTRIES.get(tx, &key(last - 2))?.unwrap(), CHAIN.get(tx, &[])?.unwrap());
        let forged = Event::new(&Initiator::host(), "user.created", START);
        let forged = Entry::after(&before.hash, last - 1, forged)?;
        ENTRIES.put(tx, &key(last - 1), &forged)?;
        let second = Entry::after(&forged.hash, last, Event::new(&Initiator::host(), "x", START))?;
        ENTRIES.put(tx, &key(last), &second)?;
        CHAIN.put(tx, &[], &Chain { head: second.hash, ..end })
    };
    app.app.store.write(cut).await.unwrap();
    assert_eq!(problem(&app).await, None);
    let told = app.app.audit.verify(noted()).await.unwrap().problem.unwrap();
    assert!(told.contains("noted"), "{told}");
    let gone = app.app.audit.verify(Some((last + 9, head.clone()))).await.unwrap().problem.unwrap();
    assert!(gone.contains("noted"), "{gone}");
}

#[tokio::test]
async fn events_that_are_too_old_go_and_the_rest_can_be_checked() {
    let app = Setup::default().with("audit.retention_days", "10").start().await;
    let ann = app.user("ann").await.id();
    write_events(&app, START, 2500, ann).await;
    app.clock.advance_secs(5 * 24 * 3600);
    write_events(&app, START.plus_secs(5 * 24 * 3600), 30, ann).await;
    app.app.tend().await;
    assert_eq!(app.app.audit.verify(None).await.unwrap().first, 1);
    app.clock.advance_secs(5 * 24 * 3600 + 3601);
    app.app.tend().await;
    // What went is said in the trail.
    let verdict = app.app.audit.verify(None).await.unwrap();
    assert_eq!((verdict.first, verdict.last, verdict.problem), (2503, 2533, None));
    let root = app.superuser("root").await;
    let text = exported(&root, "").await;
    assert!(text.lines().count() == 34 && text.starts_with("{\"seq\":2503,"));
    assert!(text.contains("\"action\":\"audit.pruned\"") && text.contains("\"first_kept\":\"2503\""));
    // Anybody can check it, though what was before is gone.
    let first: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let anchor = first["previous_hash"].as_str().unwrap();
    let anchor: Vec<u8> =
        (0..32).map(|n| u8::from_str_radix(&anchor[2 * n..2 * n + 2], 16).unwrap()).collect();
    assert_ne!(anchor, [0; 32]);
    recomputed(&text, anchor.try_into().unwrap());
    let mine = app.json(root.bearer(Method::GET, &format!("/audit?limit=200&subject={ann}")), 200).await;
    assert_eq!((mine["items"].as_array().unwrap().len(), &mine["next_cursor"]), (30, &Value::Null));
    all_is_well(&app).await;
    // Everything may go; the numbers go on, and so does the chain.
    app.clock.advance_secs(30 * 24 * 3600);
    app.app.tend().await;
    let verdict = app.app.audit.verify(None).await.unwrap();
    assert_eq!((verdict.first, verdict.last, verdict.problem), (2537, 2537, None));
    app.log_in("root", PASSWORD).await;
    assert_eq!(app.app.audit.verify(None).await.unwrap().last, 2538);
    all_is_well(&app).await;
}

#[tokio::test]
async fn more_bytes_than_are_kept_go_at_the_old_end() {
    let app = Setup::default().with("audit.max_mib", "1").with("audit.retention_days", "0").start().await;
    let ann = app.user("ann").await.id();
    write_events(&app, START, 3600, ann).await;
    app.clock.advance_secs(60);
    app.app.tend().await;
    let verdict = app.app.audit.verify(None).await.unwrap();
    assert!(verdict.first > 100 && verdict.first < 3400, "{}", verdict.first);
    assert_eq!((verdict.last, verdict.problem), (3603, None));
    let chain = app.app.store.get(auth_service::audit::table::chain).unwrap();
    assert!(chain.bytes < 1 << 20 && chain.bytes > (1 << 20) / 100 * 94, "{}", chain.bytes);
    // So few events are no reason to begin again.
    app.app.tend().await;
    assert_eq!(app.app.audit.verify(None).await.unwrap().last, 3603);
    all_is_well(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_at_the_same_time_leave_no_gap() {
    let app = TestApp::start().await;
    let people = [app.user("ann").await, app.user("bob").await];
    let all = (0..40).map(|n| people[n % 2].key(json!({"name": format!("k{n}")})));
    let reads = async {
        for _ in 0..20 {
            assert_eq!(problem(&app).await, None);
        }
    };
    futures_util::join!(futures_util::future::join_all(all), reads);
    assert_eq!(app.app.audit.verify(None).await.unwrap().last, 44);
    all_is_well(&app).await;
}
