//! What is done for a name that nobody has is what would be done for one that somebody has: accounts from another system are not
//! told by the time that their hashes take.
use std::collections::BTreeMap;
use std::time::Duration;

use auth_service::account::table::hash_of_some;
use auth_service::base::Tick;
use reqwest::Method;
use serde_json::json;

use crate::support::{Setup, TestApp};

/// Of bcrypt at a cost that takes tens of milliseconds; of nobody's password.
const SLOW: &str = "$2b$10$eKBL1l4yeL28xZmcpc2fzeSFbU2Se0.JY6u63x4wyVc4oox21xEIm";

async fn import(app: &TestApp, names: impl Iterator<Item = String>) {
    let root = app.superuser("root").await;
    let rows = names.map(|name| {
        json!({"username": name, "email": format!("{name}@example.com"), "password_hash": SLOW}).to_string()
    });
    let body: String = rows.map(|row| row + "\n").collect();
    let request = root.bearer(Method::POST, "/users/import").header("Content-Type", "application/x-ndjson");
    let report = app.json(request.body(body), 200).await;
    assert_eq!(report["refused"], 0, "{report}");
}

/// The parts of some numbers for which the hash of somebody begins so.
fn parts(app: &TestApp) -> BTreeMap<String, usize> {
    let mut parts = BTreeMap::new();
    for seed in 0..2000_u64 {
        let seed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let hash = app.app.store.get(|tx| hash_of_some(tx, seed)).unwrap();
        assert_eq!(hash, app.app.store.get(|tx| hash_of_some(tx, seed)).unwrap());
        *parts.entry(hash.unwrap_or_default().chars().take(6).collect()).or_default() += 1;
    }
    parts
}

#[tokio::test]
async fn the_forms_of_hashes_are_as_many_as_there_are() {
    let app = TestApp::start().await;
    assert_eq!(app.app.store.get(|tx| hash_of_some(tx, 7)).unwrap(), None, "nobody is there");
    import(&app, (0..29).map(|n| format!("moved{n}"))).await;
    for n in 0..10 {
        app.register(&format!("new{n}")).await;
    }
    // 29 of 40.
    let shares = parts(&app);
    assert_eq!(shares.keys().collect::<Vec<_>>(), ["$2b$10", "$argon"]);
    assert!((1300..1600).contains(&shares["$2b$10"]), "{shares:?}");
    // A hole chooses whoever comes after it.
    for n in 0..9 {
        let user = app.app.accounts.find(&format!("new{n}")).unwrap();
        app.app.accounts.delete(auth_service::rbac::Initiator::host(), user.id).await.unwrap();
    }
    assert!(!parts(&app).contains_key(""));
}

#[tokio::test]
async fn nobodys_name_takes_as_long_as_that_of_an_account_from_elsewhere() {
    let app = Setup::default().with("throttle.state", "off").start().await;
    import(&app, (0..30).map(|n| format!("moved{n}"))).await;
    let least = async |name: &str| {
        let mut least = Duration::MAX;
        for _ in 0..3 {
            let body = json!({"username": name, "password": "wrong horse"});
            let began = Tick::now();
            app.fails(app.request(Method::POST, "/auth/token").json(&body), 401, "INVALID_CREDENTIALS").await;
            least = least.min(began.elapsed());
        }
        least
    };
    let known = least("moved7").await;
    let mut slow = 0;
    for n in 0..10 {
        slow += usize::from(least(&format!("nobody{n}")).await > known / 2);
    }
    assert!(slow >= 8, "{slow} of 10 names that nobody has take as long as an account from elsewhere");
}
