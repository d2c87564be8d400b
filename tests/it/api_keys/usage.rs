//! How often keys were used.
use reqwest::Method;
use serde_json::{Value, json};

use super::{Key, make, me, of, reader, status, with};
use crate::support::{PASSWORD, Person, Setup, TestApp};

const DAY: i64 = 24 * 3600;

async fn statistics(who: &Person<'_>, query: &str) -> Value {
    who.app.json(who.bearer(Method::GET, &format!("/auth/api-keys/usage{query}")), 200).await
}

async fn use_key(app: &TestApp, key: &Key, times: usize, expected: u16) {
    for _ in 0..times {
        assert_eq!(status(app, &key.text).await, expected);
    }
}

#[tokio::test]
async fn uses_are_counted_by_day_and_survive_a_restart() {
    let setup = || Setup::default().at("http://id.example").with("trusted_proxies", "127.0.0.0/8");
    let app = setup().start().await;
    let ann = app.user("ann").await;
    let key = make(&ann, &reader("one")).await;
    let before = app.json(of(&ann, Method::GET, &key.id, ""), 200).await;
    assert_eq!((&before["last_used_at"], &before["last_used_address"]), (&Value::Null, &Value::Null));
    use_key(&app, &key, 3, 200).await;
    app.app.tend().await;
    app.clock.advance_secs(DAY);
    app.json(me(&app, &key.text).header("X-Forwarded-For", "::ffff:203.0.113.9"), 200).await;
    app.app.finish().await;
    let app = app.restart(setup()).await;
    let ann = app.log_in("ann", PASSWORD).await;
    let shown = app.json(of(&ann, Method::GET, &key.id, ""), 200).await;
    assert_eq!(
        (&shown["last_used_at"], &shown["last_used_address"]),
        (&json!("2027-01-16T08:00:00Z"), &json!("203.0.113.9"))
    );
    let expected = |days: &[(&str, u64)]| {
        let day = |(date, accepted): &(&str, u64)| json!({"date": date, "accepted": accepted, "refused": 0});
        json!(days.iter().map(day).collect::<Vec<_>>())
    };
    let both = expected(&[("2027-01-15", 3), ("2027-01-16", 1)]);
    for (query, days, sum) in [
        ("", &both, 4),
        ("?days=90", &both, 4),
        ("?days=2", &both, 4),
        ("?days=1", &expected(&[("2027-01-16", 1)]), 1),
    ] {
        let one = &statistics(&ann, query).await["items"][0];
        assert_eq!((&one["days"], &one["accepted"]), (days, &json!(sum)), "{query}");
    }
    for bad in ["0", "91", "-1", "x", "99999999999"] {
        app.refuses(ann.bearer(Method::GET, &format!("/auth/api-keys/usage?days={bad}")), "days").await;
    }
}

#[tokio::test]
async fn days_that_are_long_over_are_forgotten() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let key = make(&ann, &reader("one")).await;
    use_key(&app, &key, 2, 200).await;
    app.app.tend().await;
    app.clock.advance_secs(89 * DAY);
    app.app.tend().await;
    let ann = app.log_in("ann", PASSWORD).await;
    assert_eq!(statistics(&ann, "?days=90").await["items"][0]["accepted"], 2);
    app.clock.advance_secs(2 * DAY);
    app.app.tend().await;
    let findings = app.app.store.verify(&auth_service::app::CHECKS.concat()).unwrap();
    assert_eq!((findings.problems, findings.tables["api_key.uses"]), (vec![], 0));
}

#[tokio::test]
async fn a_refused_use_of_a_good_text_is_counted_as_one() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let tied = json!({"name": "tied", "permissions": ["account:read"], "networks": ["10.0.0.0/8"]});
    let tied = make(&ann, &tied).await;
    let limited = json!({"name": "limited", "permissions": ["account:read"], "requests_per_hour": 2});
    app.clock.advance_secs(1);
    let limited = make(&ann, &limited).await;
    app.clock.advance_secs(1);
    let revoked = make(&ann, &reader("revoked")).await;
    use_key(&app, &tied, 3, 403).await;
    use_key(&app, &limited, 2, 200).await;
    use_key(&app, &limited, 4, 429).await;
    use_key(&app, &revoked, 1, 200).await;
    app.json(of(&ann, Method::POST, &revoked.id, "/revoke"), 200).await;
    // Without the right text it is no use at all, or anybody could count for others.
    let forged = format!("{}{}", &tied.text[..38], &revoked.text[38..102]);
    let forged = format!("{forged}_{:08x}", crc32fast::hash(forged.as_bytes()));
    app.fails(me(&app, &forged), 401, "INVALID_TOKEN").await;
    // One that lacks the permission is a use.
    app.fails(with(&app, &revoked.text, Method::GET, "/users"), 401, "TOKEN_REVOKED").await;
    let items = statistics(&ann, "").await["items"].clone();
    let counts: Vec<_> = items
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (&one["name"], &one["accepted"], &one["refused"]))
        .collect();
    let expected = [("tied", 0, 3), ("limited", 2, 4), ("revoked", 1, 1)];
    let expected = expected.map(|(name, accepted, refused)| (json!(name), json!(accepted), json!(refused)));
    assert_eq!(counts, expected.iter().map(|(a, b, c)| (a, b, c)).collect::<Vec<_>>());
    assert_eq!(items[0]["last_used_at"], Value::Null, "{items}");
}

#[tokio::test]
async fn statistics_are_the_owners_alone_and_come_in_pages() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    for n in 0..3 {
        use_key(&app, &make(&ann, &reader(&format!("a{n}"))).await, n, 200).await;
        app.clock.advance_secs(1);
    }
    assert_eq!(statistics(&bob, "").await["items"], json!([]));
    let first = statistics(&ann, "?limit=2").await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = statistics(&ann, &format!("?limit=2&cursor={cursor}")).await;
    let names = |page: &Value| {
        page["items"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect::<Vec<_>>()
    };
    assert_eq!((names(&first), names(&second)), (vec![json!("a0"), json!("a1")], vec![json!("a2")]));
    assert_eq!((&second["items"][0]["accepted"], &second["next_cursor"]), (&json!(2), &Value::Null));
    let of_another = format!("/auth/api-keys/usage?cursor={cursor}");
    app.refuses(bob.bearer(Method::GET, &of_another), "cursor").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_use_is_lost_while_uses_are_written() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let key = make(&ann, &reader("one")).await;
    let uses = async || use_key(&app, &key, 40, 200).await;
    let writes = async {
        for _ in 0..20 {
            app.app.write_gathered().await;
        }
    };
    futures_util::join!(futures_util::future::join_all((0..5).map(|_| uses())), writes);
    assert_eq!(statistics(&ann, "").await["items"][0]["accepted"], 200);
}

#[tokio::test]
async fn uses_that_are_not_written_yet_do_not_bring_a_deleted_key_back() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let key = make(&ann, &reader("one")).await;
    use_key(&app, &key, 3, 200).await;
    app.done(of(&ann, Method::DELETE, &key.id, "")).await;
    app.app.tend().await;
    let findings = app.app.store.verify(&auth_service::app::CHECKS.concat()).unwrap();
    assert_eq!(findings.problems, Vec::<String>::new());
    // How many were made in this hour is still to be known.
    let of_keys = |table: &str| table.starts_with("api_key") && table != "api_key.made";
    let left = findings.tables.iter().filter(|(table, rows)| of_keys(table) && **rows > 0);
    assert_eq!(left.count(), 0, "{:?}", findings.tables);
}
