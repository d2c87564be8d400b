//! How clients are told of logouts: again until they answer, in their own time, within bounds, and over a restart.
use std::time::Duration;

use auth_service::base::{Clock, Id, PageRequest, Tick};
use auth_service::oauth::backchannel::view::DeliveryList;
use auth_service::oauth::backchannel::{Delivery, table};
use auth_service::oauth::client::ClientId;
use auth_service::oauth::logout::table::{Party as Told, note};
use auth_service::session::{Origin, Session};
use reqwest::Method;
use serde_json::{Value, json};

use super::backchannel::{start, told};
use super::{Browser, Party, Receiver, Says};
use crate::support::{PASSWORD, Setup, TestApp, jwt};

const DAY: i64 = 24 * 3600;

async fn deliver(app: &TestApp) -> usize {
    app.app.backchannel.deliver_due().await.unwrap()
}

/// Somebody logs in with a client, and out again.
async fn out(app: &TestApp, client: &Party<'_>) {
    client.log_in(&mut Browser::new(app), "ann").await;
    end_all(app).await;
}

async fn end_all(app: &TestApp) {
    app.log_in("ann", PASSWORD).await.log_out().await;
    let ann = app.log_in("ann", PASSWORD).await;
    app.json(ann.bearer(Method::DELETE, "/auth/sessions"), 200).await;
}

async fn log(app: &TestApp, client: &Party<'_>) -> Vec<Value> {
    let id = ClientId::parse(&client.id).unwrap();
    let page = app.app.backchannel.list(id, PageRequest::all()).await.unwrap();
    let listed = serde_json::to_value(DeliveryList::of(page)).unwrap();
    assert!(!listed.to_string().contains("eyJ"), "no tokens: {listed}");
    listed["items"].as_array().unwrap().clone()
}

/// The only one of the log: its status, attempts, status of the last answer, and what was wrong.
async fn only(app: &TestApp, client: &Party<'_>) -> (String, u64, Value, Value) {
    let mut log = log(app, client).await;
    assert_eq!(log.len(), 1, "{log:?}");
    let mut one = log.remove(0);
    let is_waiting = one["status"] == "waiting";
    assert_eq!(one["next_attempt_at"].is_string(), is_waiting, "{one}");
    let (status, attempts) = (one["status"].as_str().unwrap().to_owned(), one["attempts"].as_u64().unwrap());
    (status, attempts, one["last_http_status"].take(), one["last_error"].take())
}

fn is_whole(app: &TestApp) {
    let findings = app.app.store.verify(&auth_service::app::CHECKS.concat()).unwrap();
    assert_eq!(findings.problems, Vec::<String>::new());
}

async fn events(app: &TestApp, action: &str) -> Vec<Value> {
    let root = app.log_in("root", PASSWORD).await;
    let path = format!("/audit?action={action}");
    let found = app.json(root.bearer(Method::GET, &path), 200).await;
    found["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_client_that_does_not_answer_well_is_told_again_with_another_token_until_it_does() {
    let app = start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let receiver = Receiver::start().await;
    let photos = told(&root, &receiver, json!({})).await;
    out(&app, &photos).await;
    assert_eq!(only(&app, &photos).await, ("waiting".into(), 0, Value::Null, Value::Null));
    let mut said = Vec::new();
    for (attempt, status) in [(1, 503), (2, 404), (3, 302)] {
        receiver.says(Says::Status(status));
        assert_eq!(deliver(&app).await, 0);
        said.push(jwt::claims(receiver.heard()[0].token()));
        assert_eq!(only(&app, &photos).await, ("waiting".into(), attempt, json!(status), Value::Null));
        assert_eq!(deliver(&app).await, 0, "not before its time");
        assert!(receiver.heard().is_empty());
        app.clock.advance_secs(60);
    }
    receiver.says(Says::Status(204));
    assert_eq!(deliver(&app).await, 1);
    said.push(jwt::claims(receiver.heard()[0].token()));
    assert_eq!(only(&app, &photos).await, ("delivered".into(), 4, json!(204), Value::Null));
    for (n, one) in said.iter().enumerate() {
        assert!(one["sid"] == said[0]["sid"] && one["sub"] == said[0]["sub"], "{one}");
        assert!(said[..n].iter().all(|other| other["jti"] != one["jti"]), "another token each time");
        assert_eq!(one["iat"].as_i64().unwrap(), 1_800_000_000 + 60 * n as i64, "of the time of the attempt");
    }
    app.clock.advance_secs(2 * DAY);
    app.app.tend().await;
    assert_eq!(deliver(&app).await, 0);
    assert_eq!(only(&app, &photos).await.0, "delivered");
    is_whole(&app);
}

#[tokio::test]
async fn a_client_that_says_no_is_not_told_again() {
    let app = start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let receiver = Receiver::start().await;
    let photos = told(&root, &receiver, json!({})).await;
    receiver.says(Says::No(r#"{"error": "invalid_request", "error_description": "<b>x</b>"}"#));
    out(&app, &photos).await;
    assert_eq!(deliver(&app).await, 0);
    assert_eq!(receiver.heard().len(), 1);
    assert_eq!(only(&app, &photos).await, ("refused".into(), 1, json!(400), json!("invalid_request")));
    app.clock.advance_secs(DAY);
    assert_eq!(deliver(&app).await, 0);
    assert!(receiver.heard().is_empty());
    let events = events(&app, "oauth.logout_refused").await;
    assert_eq!((events.len(), &events[0]["details"]["client"]), (1, &json!(photos.id)));
}

#[tokio::test]
async fn a_dead_client_is_given_up_after_a_day() {
    let app = start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let receiver = Receiver::start().await;
    let photos = told(&root, &receiver, json!({})).await;
    let dead = json!({"backchannel_logout_uri": "http://127.0.0.1:1/out"});
    app.json(root.bearer(Method::PATCH, &format!("/oauth-clients/{}", photos.id)).json(&dead), 200).await;
    out(&app, &photos).await;
    let mut hours = 0;
    while only(&app, &photos).await.0 == "waiting" {
        assert!(hours < 25, "{:?}", only(&app, &photos).await);
        deliver(&app).await;
        app.clock.advance_secs(3600);
        app.app.tend().await;
        hours += 1;
    }
    assert!(hours >= 22, "{hours}");
    let (status, attempts, http, why) = only(&app, &photos).await;
    assert_eq!(
        (status.as_str(), http, why.as_str()),
        ("given_up", Value::Null, Some("there is no connection to it that can be trusted"))
    );
    // Each hour it is looked whether its time has come.
    assert!((12..=26).contains(&attempts), "{attempts}");
    assert_eq!(events(&app, "oauth.logout_given_up").await.len(), 1);
    is_whole(&app);
}

#[tokio::test]
async fn nothing_goes_to_inner_addresses_that_were_not_named() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let receiver = Receiver::start().await;
    let photos = told(&root, &receiver, json!({})).await;
    for uri in [
        receiver.uri(),
        receiver.uri().replace("http:", "https:"),
        format!("https://localhost:{}/", receiver.address.port()),
    ] {
        let change = json!({"backchannel_logout_uri": uri});
        app.json(root.bearer(Method::PATCH, &format!("/oauth-clients/{}", photos.id)).json(&change), 200)
            .await;
        out(&app, &photos).await;
        assert_eq!(deliver(&app).await, 0);
        let log = log(&app, &photos).await;
        let last = log.last().unwrap();
        assert_eq!((&last["status"], &last["attempts"]), (&json!("waiting"), &json!(1)));
        assert!(last["last_http_status"].is_null() && last["last_error"].is_string(), "{last}");
        app.clock.advance_secs(1);
    }
    assert!(receiver.heard().is_empty());
}

#[tokio::test]
async fn a_redirect_leads_nowhere() {
    let app = start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let (receiver, elsewhere) = (Receiver::start().await, Receiver::start().await);
    let photos = told(&root, &receiver, json!({})).await;
    receiver.says(Says::Elsewhere(elsewhere.address));
    out(&app, &photos).await;
    assert_eq!(deliver(&app).await, 0);
    assert_eq!((receiver.heard().len(), elsewhere.heard().len()), (1, 0));
    assert_eq!(only(&app, &photos).await, ("waiting".into(), 1, json!(302), Value::Null));
}

#[tokio::test]
async fn a_slow_client_holds_up_neither_a_logout_nor_another_client() {
    let app = start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let (slow, quick) = (Receiver::start().await, Receiver::start().await);
    let slow_one = told(&root, &slow, json!({})).await;
    let quick_one = told(&root, &quick, json!({})).await;
    slow.says(Says::Nothing);
    let running = tokio::spawn(app.app.backchannel.as_ref().clone().run());
    for n in 0..6 {
        let mut browser = Browser::new(&app);
        slow_one.log_in(&mut browser, "ann").await;
        quick_one.log_in(&mut browser, "ann").await;
        let ann = app.log_in("ann", PASSWORD).await;
        let began = Tick::now();
        app.json(ann.bearer(Method::DELETE, "/auth/sessions"), 200).await;
        assert!(began.elapsed() < Duration::from_millis(1500), "the {n}th logout took {:?}", began.elapsed());
        quick.hears(1, Duration::from_secs(3)).await;
    }
    assert!(!slow.heard().is_empty() && slow.most_at_once() <= 4, "{}", slow.most_at_once());
    running.abort();
}

#[tokio::test]
async fn what_was_to_be_told_is_told_after_a_restart_and_after_a_crash() {
    let setup = || Setup::default().with("outbound.allowed_networks", "127.0.0.0/8").at("http://id.example");
    let app = setup().start().await;
    let receiver = Receiver::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let also = json!({"first_party": true, "backchannel_logout_uri": receiver.uri(), "redirect_uris": [super::CALLBACK]});
    let photos = Party::register(&root, also).await;
    let mut browser = Browser::new(&app);
    let page = browser.through(&photos.asks().path(), "ann").await;
    photos.tokens(photos.redeems(&page.answer(super::CALLBACK)["code"])).await;
    end_all(&app).await;
    // What is on the disk once the logout was answered is what a crash leaves.
    let crashed = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(app.data_dir.path()).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), crashed.path().join(entry.file_name())).unwrap();
        }
    }
    let now = app.clock.now();
    let after_crash = Setup { data_dir: Some(crashed), now, ..setup() }.start().await;
    assert_eq!(deliver(&after_crash).await, 1);
    assert_eq!(jwt::claims(receiver.heard()[0].token())["iss"], "http://id.example");
    receiver.says(Says::Status(500));
    assert_eq!(deliver(&app).await, 0);
    assert_eq!(receiver.heard().len(), 1);
    let app = app.restart(setup()).await;
    receiver.says(Says::Status(200));
    assert_eq!(deliver(&app).await, 0, "its time has not come");
    app.clock.advance_secs(15);
    assert_eq!(deliver(&app).await, 1);
    assert_eq!(receiver.heard().len(), 1);
    is_whole(&app);
}

/// So many sessions of a user that a client has had tokens of, as if their user had logged in.
async fn sessions(app: &TestApp, user: u64, client: &Party<'_>, count: u16) {
    let (now, client) = (app.clock.now(), ClientId::parse(&client.id).unwrap());
    let change = move |tx: &mut auth_service::store::WriteTx| {
        for n in 0..count {
            let mut id = [7; 16];
            id[..2].copy_from_slice(&n.to_be_bytes());
            let session = Session {
                id: Id::from_bytes(id),
                user,
                created_at: now,
                auth_time: now,
                amr: vec!["pwd".into()],
                refreshed_at: now,
                expires_at: now.plus_secs(DAY),
                origin: Origin::default(),
                generation: 0,
                refresh_hash: [0; 32],
            };
            auth_service::session::table::insert(tx, &session)?;
            note(tx, session.id, &client, Told { user, since: now })?;
        }
        Ok(())
    };
    app.app.store.write(change).await.unwrap();
}

#[tokio::test]
async fn a_thousand_sessions_that_end_at_once_are_all_told_a_few_at_a_time() {
    let setup = Setup::default().with("outbound.allowed_networks", "127.0.0.0/8");
    let app = setup.with("sessions.max_per_user", "2000").start().await;
    let root = app.superuser("root").await;
    let id = app.user("ann").await.id();
    let (busy, other) = (Receiver::start().await, Receiver::start().await);
    let photos = told(&root, &busy, json!({})).await;
    let notes = told(&root, &other, json!({})).await;
    sessions(&app, id, &photos, 1000).await;
    notes.log_in(&mut Browser::new(&app), "ann").await;
    let running = tokio::spawn(app.app.backchannel.as_ref().clone().run());
    let began = Tick::now();
    let ended = app.json(root.bearer(Method::DELETE, &format!("/users/{id}/sessions")), 200).await;
    assert_eq!(ended["ended"], 1002);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    other.hears(1, Duration::from_secs(5)).await;
    let heard = busy.hears(1000, Duration::from_secs(60)).await;
    let sids: std::collections::BTreeSet<_> =
        heard.iter().map(|one| jwt::claims(one.token())["sid"].to_string()).collect();
    assert_eq!((heard.len(), sids.len()), (1000, 1000));
    assert!((2..=4).contains(&busy.most_at_once()), "{}", busy.most_at_once());
    running.abort();
}

#[tokio::test]
async fn a_dead_client_with_many_is_left_alone_for_a_while_and_has_all_when_it_is_back() {
    let app = start().await;
    let root = app.superuser("root").await;
    let id = app.user("ann").await.id();
    let receiver = Receiver::start().await;
    let photos = told(&root, &receiver, json!({})).await;
    sessions(&app, id, &photos, 100).await;
    app.json(root.bearer(Method::DELETE, &format!("/users/{id}/sessions")), 200).await;
    receiver.says(Says::Status(503));
    assert_eq!(deliver(&app).await, 0);
    assert_eq!(receiver.heard().len(), 16, "not all are tried in vain");
    receiver.says(Says::Status(200));
    assert_eq!(deliver(&app).await, 84);
    app.clock.advance_secs(20);
    assert_eq!(deliver(&app).await, 16);
    is_whole(&app);
}

#[tokio::test]
async fn of_one_client_so_many_are_kept_and_the_oldest_go() {
    let app = start().await;
    let root = app.superuser("root").await;
    let (photos, other) = (Party::ours(&root).await, Party::ours(&root).await);
    let now = app.clock.now();
    let ids = [&photos.id, &other.id].map(|id| ClientId::parse(id).unwrap());
    let change = move |tx: &mut auth_service::store::WriteTx| {
        let session = |n: u64| Id::from_bytes([[0; 8], n.to_be_bytes()].concat().try_into().unwrap());
        let mut gone = Vec::new();
        for n in 0..table::MOST_OF_CLIENT + 3 {
            let at = now.plus_secs(n as i64);
            let one = Delivery::new((session(n), session(n)), ids[0].clone(), 1, at);
            gone.extend(table::insert(tx, &one)?.map(|gone| gone.sid));
        }
        let others = Delivery::new((session(0), session(0)), ids[1].clone(), 1, now);
        assert_eq!(table::insert(tx, &others)?, None);
        assert_eq!(gone, [session(0), session(1), session(2)]);
        Ok(())
    };
    app.app.store.write(change).await.unwrap();
    is_whole(&app);
    let path = format!("/oauth-clients/{}/logout-deliveries?limit=200", photos.id);
    let (mut count, mut cursor) = (0, String::new());
    loop {
        let page = app.json(root.bearer(Method::GET, &format!("{path}&cursor={cursor}")), 200).await;
        count += page["items"].as_array().unwrap().len() as u64;
        match page["next_cursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
    }
    assert_eq!(count, table::MOST_OF_CLIENT);
}

#[tokio::test]
async fn the_log_is_for_whoever_may_read_clients_and_is_forgotten_after_a_while() {
    let app = start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    let receiver = Receiver::start().await;
    let photos = told(&root, &receiver, json!({})).await;
    let other = Party::ours(&root).await;
    for _ in 0..3 {
        out(&app, &photos).await;
        app.clock.advance_secs(1);
    }
    deliver(&app).await;
    let path = format!("/oauth-clients/{}/logout-deliveries", photos.id);
    let ann = ann.app.log_in("ann", PASSWORD).await;
    let details = app.fails(ann.bearer(Method::GET, &path), 403, "FORBIDDEN").await;
    assert_eq!(details["permission"], "oauth-clients:read");
    app.fails(root.bearer(Method::GET, "/oauth-clients/nobody/logout-deliveries"), 404, "NOT_FOUND").await;
    let all = app.json(root.bearer(Method::GET, &path), 200).await["items"].as_array().unwrap().clone();
    assert_eq!(all, log(&app, &photos).await);
    assert_eq!(all.len(), 3);
    let heard: Vec<_> = receiver.heard().iter().map(|one| jwt::claims(one.token())["sid"].clone()).collect();
    for one in &all {
        assert!(one["status"] == "delivered" && one["attempts"] == 1 && heard.contains(&one["sid"]), "{one}");
        assert!(one["created_at"].as_str() < one["last_attempt_at"].as_str(), "{one}");
    }
    let first = app.json(root.bearer(Method::GET, &format!("{path}?limit=2")), 200).await;
    assert_eq!(first["items"], json!(all[..2]));
    let cursor = first["next_cursor"].as_str().unwrap();
    let next = app.json(root.bearer(Method::GET, &format!("{path}?limit=2&cursor={cursor}")), 200).await;
    assert_eq!(next, json!({"items": all[2..], "next_cursor": null}));
    let others = format!("/oauth-clients/{}/logout-deliveries", other.id);
    app.refuses(root.bearer(Method::GET, &format!("{others}?cursor={cursor}")), "cursor").await;
    assert!(log(&app, &other).await.is_empty());
    app.clock.advance_secs(29 * DAY);
    app.app.tend().await;
    assert_eq!(log(&app, &photos).await.len(), 3);
    app.clock.advance_secs(DAY);
    app.app.tend().await;
    assert!(log(&app, &photos).await.is_empty());
    is_whole(&app);
}
