//! What shuts the next request, through caches that are warm.
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::{cookie, gets, guarding, key, signed_in, status, usual, whole};
use crate::oauth::Browser;
use crate::support::{PASSWORD, Person, TestApp};

/// Passes three times: what can be remembered is remembered.
async fn warm(request: impl Fn() -> RequestBuilder) {
    for _ in 0..3 {
        assert_eq!(status(request()).await, 200);
    }
}

async fn patch(root: &Person<'_>, user: &Person<'_>, body: Value) {
    let path = format!("/users/{}", user.id());
    root.app.json(root.bearer(Method::PATCH, &path).json(&body), 200).await;
}

async fn give(root: &Person<'_>, user: &Person<'_>, roles: Value) {
    let path = format!("/users/{}/roles", user.id());
    root.app.json(root.bearer(Method::PUT, &path).json(&json!({"roles": roles})), 200).await;
}

#[tokio::test]
async fn a_revoked_session_shuts_the_next_request() {
    let app = guarding(&usual()).start().await;
    let ann = app.user("ann").await;
    let cookie = cookie(&app, "ann").await;
    let page = || gets(&app, "/a").header("Cookie", &cookie);
    warm(page).await;
    let sessions = app.json(ann.bearer(Method::GET, "/auth/sessions"), 200).await;
    let other = sessions["items"].as_array().unwrap().iter().find(|one| one["current"] == false).unwrap();
    app.done(ann.bearer(Method::DELETE, &format!("/auth/sessions/{}", other["id"].as_str().unwrap()))).await;
    app.fails(page(), 401, "TOKEN_REVOKED").await;
    let token = || gets(&app, "/a").bearer_auth(&ann.tokens.access);
    warm(token).await;
    app.json(ann.bearer(Method::DELETE, "/auth/sessions"), 200).await;
    warm(token).await;
}

#[tokio::test]
async fn a_logout_here_shuts_the_next_request_everywhere() {
    let app = guarding(&usual()).start().await;
    app.register("ann").await;
    let mut browser = Browser::new(&app);
    let cookie = signed_in(&mut browser, "ann").await;
    let page = || gets(&app, "/a").header("Cookie", &cookie);
    warm(page).await;
    let (access, csrf) = (&browser.cookies["access_token_cookie"].1, &browser.cookies["csrf_access_token"].1);
    let logout = app.request(Method::POST, "/auth/logout").header("X-CSRF-Token", csrf);
    assert!(
        logout
            .header("Cookie", format!("access_token_cookie={access}"))
            .send()
            .await
            .unwrap()
            .status()
            .is_success()
    );
    app.fails(page(), 401, "TOKEN_REVOKED").await;
}

#[tokio::test]
async fn a_session_that_is_over_shuts_the_next_request() {
    let app = guarding(&usual()).with("tokens.refresh_lifetime_secs", "600").start().await;
    app.register("ann").await;
    let cookie = cookie(&app, "ann").await;
    let page = || gets(&app, "/a").header("Cookie", &cookie);
    warm(page).await;
    app.clock.advance_secs(599);
    warm(page).await;
    app.clock.advance_secs(1);
    app.fails(page(), 401, "TOKEN_EXPIRED").await;
}

#[tokio::test]
async fn a_user_who_is_switched_off_is_shut_out_at_once_with_cookie_token_and_key() {
    let app = guarding(&usual()).start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    let (key, cookie) = (key(&ann, &whole()).await, cookie(&app, "ann").await);
    let pages = || {
        let page = || gets(&app, "/a");
        [
            page().header("Cookie", &cookie),
            page().header("X-API-Key", &key),
            page().bearer_auth(&ann.tokens.access),
        ]
    };
    for at in 0..3 {
        warm(|| pages().into_iter().nth(at).unwrap()).await;
    }
    patch(&root, &ann, json!({"is_active": false})).await;
    for page in pages() {
        assert_eq!(status(page).await, 401);
    }
}

#[tokio::test]
async fn a_role_that_was_taken_shuts_the_next_request() {
    let rules = json!([{"host": "wiki.example.org", "roles": ["editor"]}]);
    let app = guarding(&rules).start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    let role = json!({"name": "editor"});
    app.json(root.bearer(Method::POST, "/roles").json(&role), 201).await;
    let (key, cookie) = (key(&ann, &whole()).await, cookie(&app, "ann").await);
    let by_cookie = || gets(&app, "/a").header("Cookie", &cookie);
    let by_key = || gets(&app, "/a").header("X-API-Key", &key);
    app.fails(by_cookie(), 403, "FORBIDDEN").await;
    give(&root, &ann, json!(["editor"])).await;
    warm(by_cookie).await;
    warm(by_key).await;
    give(&root, &ann, json!([])).await;
    app.fails(by_cookie(), 403, "FORBIDDEN").await;
    app.fails(by_key(), 403, "FORBIDDEN").await;
}

#[tokio::test]
async fn a_permission_that_a_role_has_lost_shuts_the_next_request() {
    let rules = json!([{"host": "wiki.example.org", "permissions": ["wiki:write"]}]);
    let app = guarding(&rules).start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    app.json(root.bearer(Method::POST, "/permissions").json(&json!({"name": "wiki:write"})), 201).await;
    let role = json!({"name": "editor", "permissions": ["wiki:write"]});
    app.json(root.bearer(Method::POST, "/roles").json(&role), 201).await;
    give(&root, &ann, json!(["editor"])).await;
    let cookie = cookie(&app, "ann").await;
    let page = || gets(&app, "/a").header("Cookie", &cookie);
    warm(page).await;
    app.json(root.bearer(Method::PATCH, "/roles/editor").json(&json!({"permissions": []})), 200).await;
    app.fails(page(), 403, "FORBIDDEN").await;
}

#[tokio::test]
async fn a_revoked_key_shuts_the_next_request() {
    let app = guarding(&usual()).start().await;
    let ann = app.user("ann").await;
    let key = key(&ann, &whole()).await;
    let id = app.json(ann.bearer(Method::GET, "/auth/api-keys"), 200).await["items"][0]["id"].clone();
    warm(|| gets(&app, "/a").header("X-API-Key", &key)).await;
    warm(|| gets(&app, "/a").basic_auth("ann", Some(&key))).await;
    let revoke = ann.bearer(Method::DELETE, &format!("/auth/api-keys/{}", id.as_str().unwrap()));
    assert!(revoke.send().await.unwrap().status().is_success());
    for request in
        [gets(&app, "/a").header("X-API-Key", &key), gets(&app, "/a").basic_auth("ann", Some(&key))]
    {
        assert_eq!(status(request).await, 401);
    }
}

#[tokio::test]
async fn a_rule_that_was_changed_holds_for_the_next_request() {
    let app = guarding(&json!([])).start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    let page = || gets(&app, "/a").bearer_auth(&ann.tokens.access);
    app.fails(page(), 403, "FORBIDDEN").await;
    let made = root.bearer(Method::POST, "/forward-rules").json(&json!({"host": "wiki.example.org"}));
    let made = app.json(made, 201).await;
    let path = format!("/forward-rules/{}", made["id"].as_str().unwrap());
    warm(page).await;
    app.json(root.bearer(Method::PATCH, &path).json(&json!({"roles": ["admin"]})), 200).await;
    app.fails(page(), 403, "FORBIDDEN").await;
    app.json(root.bearer(Method::PATCH, &path).json(&json!({"roles": []})), 200).await;
    warm(page).await;
    let nobody = json!({"host": "wiki.example.org", "paths": ["/a"], "access": "nobody", "position": 1});
    app.json(root.bearer(Method::POST, "/forward-rules").json(&nobody), 201).await;
    app.fails(page(), 403, "FORBIDDEN").await;
    app.json(root.bearer(Method::PATCH, &path).json(&json!({"position": 1})), 200).await;
    warm(page).await;
    app.done(root.bearer(Method::DELETE, &path)).await;
    app.fails(page(), 403, "FORBIDDEN").await;
}

#[tokio::test]
async fn who_has_shown_more_gets_another_cookie_and_copies_of_the_old_one_are_worth_nothing() {
    let app = guarding(&usual()).start().await;
    app.register("ann").await;
    let mut browser = Browser::new(&app);
    let old = signed_in(&mut browser, "ann").await;
    warm(|| gets(&app, "/a").header("Cookie", &old)).await;
    app.clock.advance_secs(5);
    let (access, csrf) = (&browser.cookies["access_token_cookie"].1, &browser.cookies["csrf_access_token"].1);
    let again = app.request(Method::POST, "/auth/reauthenticate").header("X-CSRF-Token", csrf);
    let again =
        again.header("Cookie", format!("access_token_cookie={access}")).json(&json!({"password": PASSWORD}));
    assert_eq!(status(again).await, 200);
    app.fails(gets(&app, "/a").header("Cookie", &old), 401, "INVALID_TOKEN").await;
}

#[tokio::test]
async fn a_password_that_has_to_be_changed_first_keeps_its_owner_out() {
    let app: TestApp = guarding(&usual()).start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    let cookie = cookie(&app, "ann").await;
    let page = || gets(&app, "/a").header("Cookie", &cookie);
    warm(page).await;
    patch(&root, &ann, json!({"password_change_required": true})).await;
    assert!(matches!(status(page()).await, 401 | 403));
    let ann = app.log_in("ann", PASSWORD).await;
    app.fails(gets(&app, "/a").bearer_auth(&ann.tokens.access), 403, "FORBIDDEN").await;
}
