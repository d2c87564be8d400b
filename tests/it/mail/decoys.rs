//! What is done for an address that nobody has: as much as for one that somebody has, and nothing comes of it.
use std::collections::BTreeMap;

use auth_service::app::CHECKS;
use auth_service::base::{Id, Timestamp};
use auth_service::mail::model::Queued;
use auth_service::mail::table::{self, DECOYS, MAILS, MOST_DECOYS};
use auth_service::store::Tx;
use reqwest::Method;
use serde_json::json;

use super::support::{MailServer, Mode};
use super::{events, mails, with_mail};
use crate::support::{Setup, TestApp};

/// By table and key.
type Rows = BTreeMap<(&'static str, Vec<u8>), Vec<u8>>;

const ANN: &str = "ann@example.com";
/// As long as that of somebody.
const NOBODY: &str = "eve@example.com";
/// What anybody may ask about an address.
const PATHS: [&str; 2] = ["/auth/password/forgot", "/auth/email-login/start"];

async fn start(setup: Setup) -> TestApp {
    let app = setup.start().await;
    app.register("ann").await;
    mails(&app).await;
    app
}

fn with_sign_in() -> Setup {
    with_mail().with("mail.sign_in", "true")
}

async fn ask(app: &TestApp, path: &str, email: &str) {
    assert_eq!(app.post(path, &json!({"email": email})).await.status(), 202);
}

/// All rows, and the number of the last commit.
fn rows(app: &TestApp) -> (Rows, u64) {
    let tables = CHECKS.concat().into_iter().map(|(table, _)| table).chain(["store.expiry"]);
    let read = |tx: &auth_service::store::ReadTx| {
        let mut all = BTreeMap::new();
        for table in tables {
            let rows = tx.rows(table, &[], None, usize::MAX)?;
            all.extend(rows.into_iter().map(|(key, value)| ((table, key), value)));
        }
        Ok((all, tx.commit()))
    };
    app.app.store.get(read).unwrap()
}

/// The commits of a request, the rows that each table had written, and their bytes.
async fn written(app: &TestApp, path: &str, email: &str) -> (u64, BTreeMap<String, usize>, usize) {
    let (before, first) = rows(app);
    ask(app, path, email).await;
    let (after, last) = rows(app);
    assert!(before.keys().all(|key| after.contains_key(key)), "nothing is taken out");
    let (mut tables, mut bytes) = (BTreeMap::new(), 0);
    for ((table, key), _) in after.iter().filter(|(key, value)| before.get(*key) != Some(*value)) {
        *tables.entry(table.replace("decoy_", "").replace("decoy", "queue")).or_default() += 1;
        bytes += table.len() + key.len() + after[&(*table, key.clone())].len();
    }
    (last - first, tables, bytes)
}

fn waiting(app: &TestApp) -> (u64, u64) {
    app.app.store.get(|tx| Ok((MAILS.count(tx)?, DECOYS.count(tx)?))).unwrap()
}

fn all_is_well(app: &TestApp) {
    let findings = app.app.store.verify(&CHECKS.concat()).unwrap();
    assert_eq!(findings.problems, Vec::<String>::new());
}

/// That of a test's own mail, by its number.
fn queued(number: u64) -> Queued {
    let at = Timestamp::from_secs(1_800_000_000);
    let id = [[0; 8], number.to_be_bytes()].concat().try_into().unwrap();
    Queued {
        id: Id::from_bytes(id),
        kind: 2,
        user: 0,
        created_at: at,
        expires_at: at.plus_secs(1800),
        attempts: 0,
        next_at: at,
        trouble: String::new(),
        sealed: vec![1],
    }
}

#[tokio::test]
async fn as_many_rows_as_large_are_written_whether_anybody_has_the_address_or_not() {
    for (setup, paths) in [(with_sign_in(), &PATHS[..]), (Setup::default(), &PATHS[..1])] {
        let app = start(setup).await;
        for path in paths {
            let (commits, tables, bytes) = written(&app, path, ANN).await;
            let (of_nobody, tables_of_nobody, bytes_of_nobody) = written(&app, path, NOBODY).await;
            assert_eq!((commits, of_nobody), (1, 1), "{path}");
            assert_eq!(tables, tables_of_nobody, "{path}");
            assert!(tables.len() >= 9, "{tables:?}");
            // The trail says a few words more.
            assert!(bytes.abs_diff(bytes_of_nobody) < bytes / 40, "{path}: {bytes} {bytes_of_nobody}");
            mails(&app).await;
        }
        all_is_well(&app);
    }
}

#[tokio::test]
async fn the_sixth_within_an_hour_costs_nothing_for_either() {
    let app = start(with_sign_in()).await;
    for path in PATHS {
        for email in [ANN, NOBODY] {
            for _ in 0..5 {
                assert_eq!(written(&app, path, email).await.0, 1, "{path} {email}");
            }
            for _ in 0..3 {
                let expected = (0, BTreeMap::new(), 0);
                assert_eq!(written(&app, path, email).await, expected, "{path} {email}");
            }
        }
    }
    assert_eq!(waiting(&app), (10, 10));
    assert_eq!(mails(&app).await.len(), 10);
    assert_eq!(waiting(&app), (0, 0));
    app.clock.advance_secs(3600);
    for path in PATHS {
        assert_eq!(written(&app, path, NOBODY).await.0, 1, "{path}: an hour later");
    }
}

#[tokio::test]
async fn nothing_of_it_leaves_or_is_seen_or_stays() {
    let app = start(with_sign_in()).await;
    for path in PATHS {
        ask(&app, path, NOBODY).await;
    }
    assert_eq!(waiting(&app), (0, 2));
    assert_eq!(app.app.mail.state().unwrap().waiting, 0);
    assert_eq!(app.app.mail.state().unwrap().oldest, None);
    let commit = rows(&app).1;
    assert_eq!(app.app.mail.deliver_due().await.unwrap(), 0);
    assert_eq!(rows(&app).1, commit + 1, "they are taken out like one that was sent");
    assert!(mails(&app).await.is_empty());
    assert_eq!(waiting(&app), (0, 0));
    all_is_well(&app);
    app.clock.advance_secs(3600);
    app.app.tend().await;
    let left = [
        "mail.decoy",
        "mail.decoy_due",
        "mail.turns",
        "password_reset",
        "password_reset.mailed",
        "email_login",
    ];
    let (rows, _) = rows(&app);
    let left: Vec<_> = rows.keys().filter(|(table, _)| left.contains(table)).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn where_mails_are_held_they_are_not_shown_and_end_by_themselves() {
    let app = start(Setup::default()).await;
    let root = app.superuser("root").await;
    ask(&app, PATHS[0], NOBODY).await;
    assert_eq!(app.json(root.bearer(Method::GET, "/mail"), 200).await["items"], json!([]));
    assert_eq!(app.app.mail.state().unwrap().waiting, 0);
    let (all, _) = rows(&app);
    let keys = all.keys().filter(|(table, _)| *table == "mail.decoy");
    let ids: Vec<_> =
        keys.map(|(_, key)| Id::<Queued>::from_bytes(key.as_slice().try_into().unwrap())).collect();
    assert_eq!(ids.len(), 1);
    app.fails(root.bearer(Method::GET, &format!("/mail/{}", ids[0])), 404, "NOT_FOUND").await;
    assert!(app.app.mail.retry(ids[0]).await.is_err());
    assert_eq!(waiting(&app), (0, 1));
    app.clock.advance_secs(30 * 60);
    app.app.tend().await;
    assert_eq!(waiting(&app), (0, 0));
    all_is_well(&app);
    assert!(events(&app, "mail.given_up").await.is_empty());
}

#[tokio::test]
async fn they_wait_for_no_mail_server() {
    let server = MailServer::start().await;
    let app = start(server.setup()).await;
    server.taken();
    server.set(Mode::Closes);
    for _ in 0..4 {
        ask(&app, PATHS[0], ANN).await;
        ask(&app, PATHS[0], NOBODY).await;
    }
    let connections = server.connections();
    assert_eq!(app.app.mail.deliver_due().await.unwrap(), 0);
    assert_eq!(waiting(&app), (4, 0));
    assert!(server.connections() > connections, "the others were tried");
    server.set(Mode::Takes);
    app.clock.advance_secs(60);
    assert_eq!(app.app.mail.deliver_due().await.unwrap(), 4);
    assert!(server.taken().iter().all(|mail| mail.to == ANN));
}

#[tokio::test]
async fn so_many_wait_and_one_more_takes_the_place_of_the_oldest() {
    let app = start(with_mail()).await;
    let store = &app.app.store;
    let all = MOST_DECOYS + 5;
    let fill = move |tx: &mut auth_service::store::WriteTx| {
        (0..all).try_for_each(|n| table::enqueue_decoy(tx, &queued(n)).map(|has_room| assert!(has_room)))
    };
    store.write(fill).await.unwrap();
    assert_eq!(waiting(&app), (0, MOST_DECOYS));
    let there = move |tx: &auth_service::store::ReadTx| {
        [0, 4, 5, all - 1]
            .map(|n| DECOYS.by_id(tx, queued(n).id).map(|found| found.is_some()))
            .into_iter()
            .collect()
    };
    let there: Vec<bool> = store.get(there).unwrap();
    assert_eq!(there, [false, false, true, true]);
    all_is_well(&app);
    // They take no room from those that leave; and where these have none, nor have they.
    let full = |tx: &mut auth_service::store::WriteTx| {
        let mut taken = 0;
        while table::enqueue(tx, &queued(taken))? {
            taken += 1;
        }
        assert_eq!(taken, 10_000);
        assert!(!table::enqueue_decoy(tx, &queued(taken))?);
        Ok(())
    };
    store.write(full).await.unwrap();
}

#[tokio::test]
async fn the_trail_says_that_nobody_has_the_address_and_not_which() {
    let app = start(with_sign_in()).await;
    for path in PATHS {
        ask(&app, path, "somebody.else@elsewhere.example").await;
    }
    for action in ["user.password_reset_started", "session.mail_asked"] {
        let found = events(&app, action).await;
        assert_eq!(found.len(), 1, "{action}");
        assert_eq!(
            (&found[0]["outcome"], &found[0]["subject"]["name"], &found[0]["details"]["reason"]),
            (&json!("failure"), &json!("-"), &json!("unknown_address"))
        );
        assert!(!found[0].to_string().contains("else"), "{}", found[0]);
    }
}

#[tokio::test]
async fn nobody_fills_the_trail_with_addresses_and_time_does_not_tell_when_it_has_no_room() {
    let app = start(with_mail().with("audit.failures_per_hour", "10")).await;
    let last = |app: &TestApp| app.app.store.get(auth_service::audit::table::chain).unwrap().last;
    let first = last(&app);
    // One network address has a fifth of the room.
    for n in 0..7 {
        let (commits, tables, _) = written(&app, PATHS[0], &format!("eve{n}@example.com")).await;
        let count = |table: &str| tables.get(table).copied().unwrap_or_default();
        assert_eq!(commits, 1);
        let in_trail = count("audit") + count("audit.by_party") + count("audit.chain");
        assert_eq!(in_trail, if n < 2 { 3 } else { 0 }, "{n}: {tables:?}");
        assert_eq!(count("audit.nowhere"), usize::from(n >= 2), "{n}: {tables:?}");
    }
    assert_eq!(last(&app), first + 2);
    let (all, _) = rows(&app);
    assert_eq!(all.keys().filter(|(table, _)| table.starts_with("audit.nowhere")).count(), 3);
    assert!(!all.iter().any(|((table, _), value)| {
        table.starts_with("audit.nowhere") && value.windows(9).any(|window| window == b"127.0.0.1")
    }));
    app.clock.advance_secs(300);
    app.app.audit.write_failures().await.unwrap();
    let rest = events(&app, "audit.more_failures").await;
    assert_eq!((rest.len(), &rest[0]["count"]), (1, &json!(5)));
    all_is_well(&app);
}
