//! The audit trail: what it says of each change and each failure, and that nobody changes it unseen.
mod chain;
mod disk;
mod failures;
mod search;
mod story;

use auth_service::audit::Event;
use auth_service::base::Timestamp;
use auth_service::rbac::{Initiator, SubjectId};
use auth_service::store::WriteTx;
use reqwest::Method;
use serde_json::Value;

use crate::support::{Person, TestApp};

/// The events that a query of `/audit` has, the newest first, on one page.
async fn events(who: &Person<'_>, query: &str) -> Vec<Value> {
    let page = who.app.json(who.bearer(Method::GET, &format!("/audit?limit=200&{query}")), 200).await;
    assert!(page["next_cursor"].is_null());
    page["items"].as_array().unwrap().clone()
}

/// The text of an export.
async fn exported(who: &Person<'_>, query: &str) -> String {
    let answer = who.bearer(Method::GET, &format!("/audit/export?{query}")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.text().await.unwrap()
}

/// Writes so many events about a user past the API.
async fn write_events(app: &TestApp, at: Timestamp, count: usize, user: u64) {
    let change = move |tx: &mut WriteTx| {
        (0..count).try_for_each(|n| {
            let event =
                Event::new(&Initiator::host(), "test.event", at).about(SubjectId::User(user), "somebody");
            auth_service::audit::table::append(
                tx,
                event.with("n", n.to_string()).with("pad", "x".repeat(250)),
            )
        })
    };
    app.app.store.write(change).await.unwrap();
}

/// Checks that every row of the store is what it has to be, and that the trail is whole.
async fn all_is_well(app: &TestApp) {
    let findings = app.app.store.verify(&auth_service::app::CHECKS.concat()).unwrap();
    assert_eq!(findings.problems, Vec::<String>::new());
    assert_eq!(app.app.audit.verify(None).await.unwrap().problem, None);
}
