//! What a key with an end, or tied to networks, hands on; and who ends the keys of others.
use auth_service::rbac::Initiator;
use reqwest::Method;
use serde_json::json;

use super::{make, me, post, with};
use crate::support::{TestApp, Tokens};

const END: &str = "2027-01-16T08:00:00Z";
const LATER: &str = "2027-01-16T08:00:01Z";

#[tokio::test]
async fn a_key_that_ends_or_is_tied_to_networks_makes_none_that_reaches_further() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let rights = json!(["account:keys", "account:read"]);
    let tied = json!({
        "name": "tied", "permissions": rights, "expires_at": END, "networks": ["127.0.0.0/8"],
    });
    let tied = make(&ann, &tied).await;
    let ask = |end: Option<&str>, networks: Option<&[&str]>| {
        let body = json!({"name": "x", "permissions": rights, "expires_at": end, "networks": networks});
        post(&app, &tied.text, "/auth/api-keys", &body)
    };
    let own = Some(&["127.0.0.1"][..]);
    app.json(ask(Some(END), own), 201).await;
    for end in [None, Some(LATER)] {
        app.refuses(ask(end, own), "expires_at").await;
    }
    for networks in [None, Some(&["0.0.0.0/0"][..]), Some(&["127.0.0.1", "10.0.0.1"])] {
        app.refuses(ask(Some(END), networks), "networks").await;
    }
    let patch =
        |body| with(&app, &tied.text, Method::PATCH, &format!("/auth/api-keys/{}", tied.id)).json(&body);
    app.refuses(patch(json!({"expires_at": null})), "expires_at").await;
    app.refuses(patch(json!({"expires_at": LATER})), "expires_at").await;
    app.refuses(patch(json!({"networks": []})), "networks").await;
    app.json(patch(json!({"name": "still tied"})), 200).await;
    app.json(super::patch(&ann, &tied.id, &json!({"expires_at": null, "networks": []})), 200).await;
    app.json(ask(None, None), 201).await;
}

#[tokio::test]
async fn an_administrator_ends_no_key_of_one_who_holds_more_however_weak_it_is() {
    let app = TestApp::start().await;
    let (root, admin) = (app.superuser("root").await, app.user("admin").await);
    app.app.accounts.set_roles(Initiator::host(), admin.id(), &["admin".to_owned()]).await.unwrap();
    let weak = make(&root, &json!({"name": "weak", "permissions": ["account:read"]})).await;
    let path = format!("/users/{}/api-keys/{}", root.id(), weak.id);
    app.fails(admin.bearer(Method::DELETE, &path), 403, "FORBIDDEN").await;
    app.fails(admin.bearer(Method::POST, &format!("{path}/revoke")), 403, "FORBIDDEN").await;
    app.json(me(&app, &weak.text), 200).await;
    let own = make(&admin, &json!({"name": "own", "permissions": ["account:read"]})).await;
    app.done(root.bearer(Method::DELETE, &format!("/users/{}/api-keys/{}", admin.id(), own.id))).await;
}

#[tokio::test]
async fn a_key_that_is_refused_is_shown_to_its_owner_and_an_administrators_address_is_not() {
    let app = TestApp::start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    let key =
        make(&ann, &json!({"name": "far", "permissions": ["account:read"], "networks": ["10.0.0.1"]})).await;
    app.fails(me(&app, &key.text), 403, "FORBIDDEN").await;
    let body = json!({"first_name": "Ann"});
    app.json(root.bearer(Method::PATCH, &format!("/users/{}", ann.id())).json(&body), 200).await;
    let activity = app.json(ann.bearer(Method::GET, "/auth/me/activity"), 200).await;
    let event = |action: &str| {
        let items = activity["items"].as_array().unwrap();
        items.iter().find(|event| event["action"] == action).unwrap_or_else(|| panic!("{action}: {activity}"))
    };
    let refused = event("api_key.refused");
    assert_eq!(refused["details"]["reason"], "network_not_allowed");
    assert_eq!((&refused["details"]["api_key"], &refused["address"]), (&json!(key.id), &json!("127.0.0.1")));
    let changed = event("user.changed");
    assert_eq!(
        (&changed["actor"]["name"], &changed["address"], &changed["via"]),
        (&json!("root"), &json!(""), &json!({}))
    );
    assert_eq!(event("session.created")["address"], "127.0.0.1", "one's own");
}

#[tokio::test]
async fn a_session_that_makes_room_for_another_leaves_an_event() {
    let app = crate::support::Setup::default().with("sessions.max_per_user", "1").start().await;
    let first: Tokens = app.user("ann").await.tokens;
    let ann = app.log_in("ann", crate::support::PASSWORD).await;
    app.person(first).is_out("TOKEN_REVOKED").await;
    let activity = app.json(ann.bearer(Method::GET, "/auth/me/activity"), 200).await;
    let ended =
        activity["items"].as_array().unwrap().iter().filter(|event| event["action"] == "session.revoked");
    let reasons: Vec<_> = ended.map(|event| event["details"]["reason"].clone()).collect();
    assert_eq!(reasons, ["too_many_sessions"]);
}
