//! Without a way for mails: links are held for administrators.
use auth_service::base::Error;
use reqwest::Method;
use serde_json::{Value, json};

use super::{events, forget, with_mail};
use crate::support::{Person, TestApp};

const NEW: &str = "staple 17 of the donkey";

async fn list(who: &Person<'_>) -> Vec<Value> {
    who.app.json(who.bearer(Method::GET, "/mail"), 200).await["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn an_administrator_hands_a_link_on() {
    let app = TestApp::start().await;
    app.register("ann").await;
    let root = app.superuser("root").await;
    forget(&app, "ann@example.com").await;
    forget(&app, "nobody@example.com").await;
    let held = list(&root).await;
    assert_eq!(held.len(), 1, "{held:?}");
    assert_eq!((&held[0]["to"], &held[0]["kind"]), (&json!("ann@example.com"), &json!("reset_password")));
    assert!(!held[0].to_string().contains("asp_"), "a list shows no link");
    let path = format!("/mail/{}", held[0]["id"].as_str().unwrap());
    let read = app.json(root.bearer(Method::GET, &path), 200).await;
    let text = read["text"].as_str().unwrap();
    let token = text.lines().find(|line| line.starts_with("asp_")).unwrap();
    let read = events(&app, "mail.read").await;
    assert_eq!((&read[0]["actor"]["name"], &read[0]["subject"]["name"]), (&json!("root"), &json!("ann")));
    let body = json!({"token": token, "new_password": NEW});
    assert_eq!(app.post("/auth/password/reset", &body).await.status(), 204);
    app.log_in("ann", NEW).await;
}

#[tokio::test]
async fn nobody_reads_a_link_to_an_account_that_holds_more() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.json(
        root.bearer(Method::POST, "/roles").json(&json!({"name": "reader", "permissions": ["mail:read"]})),
        201,
    )
    .await;
    let ann = app.user("ann").await;
    app.json(
        root.bearer(Method::PUT, &format!("/users/{}/roles", ann.id())).json(&json!({"roles": ["reader"]})),
        200,
    )
    .await;
    app.register("bob").await;
    forget(&app, "root@example.com").await;
    forget(&app, "bob@example.com").await;
    let (all, seen) = (list(&root).await, list(&ann).await);
    assert_eq!((all.len(), seen.len()), (2, 1));
    assert_eq!(seen[0]["to"], "bob@example.com");
    let roots = all.iter().find(|mail| mail["to"] == "root@example.com").unwrap();
    let path = format!("/mail/{}", roots["id"].as_str().unwrap());
    app.fails(ann.bearer(Method::GET, &path), 403, "FORBIDDEN").await;
    assert!(events(&app, "mail.read").await.is_empty());
}

#[tokio::test]
async fn a_held_link_ends_with_its_time() {
    let app = TestApp::start().await;
    app.register("ann").await;
    let root = app.superuser("root").await;
    forget(&app, "ann@example.com").await;
    let held = list(&root).await;
    let path = format!("/mail/{}", held[0]["id"].as_str().unwrap());
    app.clock.advance_secs(1800);
    let root = app.log_in("root", crate::support::PASSWORD).await;
    app.fails(root.bearer(Method::GET, &path), 404, "NOT_FOUND").await;
    app.app.tend().await;
    assert!(list(&root).await.is_empty());
}

#[tokio::test]
async fn where_mails_leave_nobody_reads_them() {
    let app = with_mail().start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    app.fails(root.bearer(Method::GET, "/mail"), 404, "NOT_FOUND").await;
    let host = auth_service::rbac::Initiator::host();
    let waiting = app.app.mail.list(host.clone(), auth_service::base::PageRequest::all()).await.unwrap();
    let id = waiting.items[0].queued.id;
    app.fails(root.bearer(Method::GET, &format!("/mail/{id}")), 404, "NOT_FOUND").await;
    // The host may, and may take it away.
    assert!(app.app.mail.read(host.clone(), id).await.unwrap().written.text.contains("asv_"));
    app.app.mail.discard(host.clone(), id).await.unwrap();
    assert_eq!(app.app.mail.discard(host, id).await, Err(Error::NotFound("mail")));
    assert_eq!(app.app.mail.retry(id).await, Err(Error::NotFound("mail")));
    assert_eq!(app.app.mail.deliver_due().await.unwrap(), 0);
    assert_eq!(events(&app, "mail.discarded").await.len(), 1);
}

#[tokio::test]
async fn notices_are_not_held_and_a_new_address_takes_effect_at_once() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let body = json!({"email": "new@example.com", "current_password": crate::support::PASSWORD});
    let changed = app.json(ann.bearer(Method::PATCH, "/auth/me").json(&body), 200).await;
    assert_eq!(changed["email"], "new@example.com");
    let change = json!({"current_password": crate::support::PASSWORD, "new_password": NEW});
    app.done(ann.bearer(Method::POST, "/auth/password/change").json(&change)).await;
    assert_eq!(app.app.mail.state().unwrap().waiting, 0);
}
