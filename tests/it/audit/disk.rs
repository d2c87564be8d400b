//! A disk that takes nothing: what was written can still be read, and what is to be counted is not lost.
use std::sync::atomic::Ordering;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::all_is_well;
use crate::support::{FaultyDisk, Setup};

#[tokio::test]
async fn keys_and_events_are_read_while_nothing_is_written_and_no_count_is_lost() {
    let disk = FaultyDisk::new();
    let app = Setup { disk: Some(disk.clone()), ..Setup::default() }.start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    let key = ann.key(json!({"name": "x", "permissions": ["account:read"]})).await;
    let by_key = |path: &str| app.request(Method::GET, path).header("X-API-Key", &key);
    disk.fails_writes.store(true, Ordering::SeqCst);
    for round in 0..3 {
        app.json(by_key("/auth/me"), 200).await;
        app.fails(by_key("/users"), 403, "FORBIDDEN").await;
        let keys = app.json(ann.bearer(Method::GET, "/auth/api-keys"), 200).await;
        let id = keys["items"][0]["id"].as_str().unwrap();
        assert_eq!(keys["items"][0]["last_used_at"], Value::Null);
        app.json(ann.bearer(Method::GET, &format!("/auth/api-keys/{id}")), 200).await;
        app.json(ann.bearer(Method::GET, "/auth/api-keys/usage"), 200).await;
        let events = app.json(root.bearer(Method::GET, "/audit"), 200).await;
        assert_eq!(events["items"][0]["action"], "api_key.created", "round {round}");
        app.json(ann.bearer(Method::GET, "/auth/me/activity"), 200).await;
        // What cannot be written down is not done.
        app.fails(ann.bearer(Method::DELETE, &format!("/auth/api-keys/{id}")), 503, "SERVICE_UNAVAILABLE")
            .await;
        app.app.write_gathered().await;
    }
    disk.heal();
    while app.get("/health").await.status() != 200 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let usage = app.json(ann.bearer(Method::GET, "/auth/api-keys/usage"), 200).await;
    assert_eq!(usage["items"][0]["accepted"], 6);
    let refused = &app.json(root.bearer(Method::GET, "/audit?outcome=failure"), 200).await["items"];
    assert_eq!((refused.as_array().unwrap().len(), &refused[0]["count"]), (1, &json!(3)));
    all_is_well(&app).await;
}
