//! Programs that hold rights: nobody makes one that may do more than they do, and none is a person.
use auth_service::rbac::Initiator;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{PASSWORD, Person, TestApp};

fn create(who: &Person, body: &Value) -> RequestBuilder {
    who.bearer(Method::POST, "/service-accounts").json(body)
}

async fn made(who: &Person<'_>, name: &str, roles: &[&str]) -> String {
    let made = who.app.json(create(who, &json!({"name": name, "roles": roles})), 201).await;
    made["id"].as_str().unwrap().to_owned()
}

fn of(who: &Person, method: Method, id: &str, rest: &str) -> RequestBuilder {
    who.bearer(method, &format!("/service-accounts/{id}{rest}"))
}

fn change(who: &Person, id: &str, body: &Value) -> RequestBuilder {
    of(who, Method::PATCH, id, "").json(body)
}

fn give(who: &Person, id: &str, roles: &[&str]) -> RequestBuilder {
    of(who, Method::PUT, id, "/roles").json(&json!({"roles": roles}))
}

/// A new key of a service account: its id and its text.
async fn key(who: &Person<'_>, id: &str, body: &Value) -> (String, String) {
    let made = who.app.json(of(who, Method::POST, id, "/api-keys").json(body), 201).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&made["api_key"]["id"]), text(&made["key"]))
}

fn with(app: &TestApp, key: &str, method: Method, path: &str) -> RequestBuilder {
    app.request(method, path).header("X-API-Key", key)
}

async fn admin<'a>(app: &'a TestApp, name: &str) -> Person<'a> {
    let admin = app.user(name).await;
    app.app.accounts.set_roles(Initiator::host(), admin.id(), &["admin".to_owned()]).await.unwrap();
    admin
}

async fn role(root: &Person<'_>, name: &str, permissions: &[&str]) {
    let body = json!({"name": name, "permissions": permissions});
    root.app.json(root.bearer(Method::POST, "/roles").json(&body), 201).await;
}

fn everything() -> Value {
    json!({"name": "all", "unrestricted": true})
}

#[tokio::test]
async fn a_service_account_is_made_read_changed_and_deleted() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let body = json!({"name": "invoicer", "description": " Sends invoices ", "roles": ["admin", "admin"]});
    let made = app.json(create(&root, &body), 201).await;
    let id = made["id"].as_str().unwrap();
    let expected = json!({
        "id": id, "name": "invoicer", "description": "Sends invoices", "roles": ["admin"], "is_active": true,
        "created_at": "2027-01-15T08:00:00Z", "updated_at": "2027-01-15T08:00:00Z",
    });
    assert_eq!(made, expected);
    assert_eq!(app.json(of(&root, Method::GET, id, ""), 200).await, expected);
    app.clock.advance_secs(60);
    let more = json!({"name": "biller", "description": null, "id": "x", "roles": ["x"], "created_at": "x"});
    let changed = app.json(change(&root, id, &more), 200).await;
    assert_eq!(
        (&changed["name"], &changed["description"], &changed["roles"], &changed["updated_at"]),
        (&json!("biller"), &json!("Sends invoices"), &json!(["admin"]), &json!("2027-01-15T08:01:00Z"))
    );
    let list = app.json(root.bearer(Method::GET, "/service-accounts"), 200).await;
    assert_eq!(list, json!({"items": [changed], "next_cursor": null}));
    app.done(of(&root, Method::DELETE, id, "")).await;
    for request in [
        of(&root, Method::GET, id, ""),
        of(&root, Method::DELETE, id, ""),
        change(&root, id, &json!({})),
        give(&root, id, &[]),
        of(&root, Method::GET, id, "/api-keys"),
        of(&root, Method::POST, id, "/api-keys").json(&everything()),
    ] {
        app.fails(request, 404, "NOT_FOUND").await;
    }
    app.refuses(of(&root, Method::GET, "invoicer", ""), "id").await;
}

#[tokio::test]
async fn a_name_is_one_accounts_alone_until_it_is_free_again() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let (one, two) = (made(&root, "one", &[]).await, made(&root, "two", &[]).await);
    app.refuses(create(&root, &json!({"name": "one"})), "name").await;
    app.refuses(change(&root, &two, &json!({"name": "one"})), "name").await;
    app.json(change(&root, &one, &json!({"name": "one"})), 200).await;
    app.json(change(&root, &one, &json!({"name": "uno"})), 200).await;
    app.json(change(&root, &two, &json!({"name": "one"})), 200).await;
    app.refuses(create(&root, &json!({"name": "uno"})), "name").await;
    made(&root, "two", &[]).await;
    app.done(of(&root, Method::DELETE, &one, "")).await;
    made(&root, "uno", &[]).await;
    // A person may be called the same.
    app.register("uno").await;
    let all =
        futures_util::future::join_all((0..8).map(|_| create(&root, &json!({"name": "race"})).send())).await;
    assert_eq!(all.into_iter().filter(|answer| answer.as_ref().unwrap().status() == 201).count(), 1);
    for (bad, field) in [
        (json!({}), "name"),
        (json!({"name": ""}), "name"),
        (json!({"name": "Big"}), "name"),
        (json!({"name": "a b"}), "name"),
        (json!({"name": "\u{430}dmin"}), "name"),
        (json!({"name": "x".repeat(65)}), "name"),
        (json!({"name": "x", "description": "a\u{1b}[0m"}), "description"),
        (json!({"name": "x", "description": "x".repeat(501)}), "description"),
        (json!({"name": "x", "roles": ["superuser"]}), "roles"),
        (json!({"name": "x", "roles": ["user"]}), "roles"),
        (json!({"name": "x", "roles": ["nope"]}), "roles"),
        (json!({"name": "x", "roles": vec!["admin"; 101]}), "roles"),
    ] {
        app.refuses(create(&root, &bad), field).await;
    }
    for roles in [&["superuser"][..], &["admin", "user"], &["nope"]] {
        app.refuses(give(&root, &two, roles), "roles").await;
    }
    let findings = app.app.store.verify(&auth_service::app::CHECKS.concat()).unwrap();
    assert_eq!(findings.problems, Vec::<String>::new());
}

#[tokio::test]
async fn a_key_of_a_service_account_may_do_what_its_roles_allow() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    role(&root, "reader", &["users:read"]).await;
    let id = made(&root, "x", &["reader"]).await;
    let (_, all) = key(&root, &id, &everything()).await;
    let (_, none) = key(&root, &id, &json!({"name": "none"})).await;
    let users = |key: &str| with(&app, key, Method::GET, "/users");
    app.json(users(&all), 200).await;
    app.fails(users(&none), 403, "FORBIDDEN").await;
    app.fails(with(&app, &all, Method::GET, "/roles"), 403, "FORBIDDEN").await;
    for _ in 0..3 {
        app.json(give(&root, &id, &[]), 200).await;
        app.fails(users(&all), 403, "FORBIDDEN").await;
        app.json(give(&root, &id, &["reader"]), 200).await;
        app.json(users(&all), 200).await;
        app.json(change(&root, &id, &json!({"is_active": false})), 200).await;
        app.fails(users(&all), 401, "TOKEN_REVOKED").await;
        app.json(change(&root, &id, &json!({"is_active": true})), 200).await;
        app.json(users(&all), 200).await;
    }
    // Rights above the account's are none of its keys'.
    for body in
        [json!({"name": "x", "permissions": ["roles:read"]}), json!({"name": "x", "roles": ["admin"]})]
    {
        app.fails(of(&root, Method::POST, &id, "/api-keys").json(&body), 403, "FORBIDDEN").await;
    }
    app.done(of(&root, Method::DELETE, &id, "")).await;
    app.fails(users(&all), 401, "INVALID_TOKEN").await;
    let findings = app.app.store.verify(&auth_service::app::CHECKS.concat()).unwrap();
    assert!(findings.problems.is_empty() && findings.tables["api_key"] == 0, "{findings:?}");
}

#[tokio::test]
async fn keys_of_a_service_account_are_kept_by_those_who_hold_as_much() {
    let app = TestApp::start().await;
    let (root, admin) = (app.superuser("root").await, admin(&app, "boss").await);
    let (mine, other) = (made(&admin, "mine", &["admin"]).await, made(&admin, "other", &[]).await);
    let (id, text) = key(&admin, &mine, &json!({"name": "x", "permissions": ["users:read"]})).await;
    let path = |rest: &str| format!("/api-keys/{id}{rest}");
    let shown = app.json(of(&admin, Method::PATCH, &mine, &path("")).json(&json!({"name": "y"})), 200).await;
    assert_eq!(shown["name"], "y");
    let rotated = app.json(of(&admin, Method::POST, &mine, &path("/rotate")).json(&json!({})), 200).await;
    app.fails(with(&app, &text, Method::GET, "/users"), 401, "INVALID_TOKEN").await;
    let text = rotated["key"].as_str().unwrap();
    app.json(with(&app, text, Method::GET, "/users"), 200).await;
    // A key of one account is none of another's, nor of the own ones.
    for request in [
        of(&admin, Method::PATCH, &other, &path("")).json(&json!({"name": "z"})),
        of(&admin, Method::POST, &other, &path("/rotate")).json(&json!({})),
        of(&admin, Method::POST, &other, &path("/revoke")),
        of(&admin, Method::DELETE, &other, &path("")),
        root.bearer(Method::DELETE, &format!("/auth/api-keys/{id}")),
    ] {
        app.fails(request, 404, "NOT_FOUND").await;
    }
    app.json(of(&admin, Method::POST, &mine, &path("/revoke")), 200).await;
    app.fails(with(&app, text, Method::GET, "/users"), 401, "TOKEN_REVOKED").await;
    let list = app.json(of(&admin, Method::GET, &mine, "/api-keys"), 200).await;
    assert_eq!((list["items"].as_array().unwrap().len(), &list["items"][0]["name"]), (1, &json!("y")));
    app.done(of(&admin, Method::DELETE, &mine, &path(""))).await;
    app.fails(of(&admin, Method::DELETE, &mine, &path("")), 404, "NOT_FOUND").await;
}

#[tokio::test]
async fn nobody_acts_on_a_service_account_that_holds_more() {
    let app = TestApp::start().await;
    let (root, admin) = (app.superuser("root").await, admin(&app, "boss").await);
    role(&root, "high", &["roles:write"]).await;
    role(&root, "vault", &["roles:read"]).await;
    app.fails(create(&admin, &json!({"name": "x", "roles": ["high"]})), 403, "FORBIDDEN").await;
    let own = made(&admin, "own", &["vault"]).await;
    app.fails(give(&admin, &own, &["high"]), 403, "FORBIDDEN").await;
    let high = made(&root, "high", &["high"]).await;
    let (id, text) = key(&root, &high, &everything()).await;
    for request in [
        change(&admin, &high, &json!({"is_active": false})),
        change(&admin, &high, &json!({"name": "mine"})),
        give(&admin, &high, &[]),
        of(&admin, Method::DELETE, &high, ""),
        of(&admin, Method::POST, &high, "/api-keys").json(&everything()),
        of(&admin, Method::POST, &high, "/api-keys").json(&json!({"name": "x"})),
        of(&admin, Method::POST, &high, &format!("/api-keys/{id}/rotate")).json(&json!({})),
        of(&admin, Method::POST, &high, &format!("/api-keys/{id}/revoke")),
        of(&admin, Method::PATCH, &high, &format!("/api-keys/{id}")).json(&json!({"name": "mine"})),
        of(&admin, Method::DELETE, &high, &format!("/api-keys/{id}")),
    ] {
        app.fails(request, 403, "FORBIDDEN").await;
    }
    app.json(of(&admin, Method::GET, &high, ""), 200).await;
    // A role that grows puts the account out of reach, and one that holds it lifts nobody.
    let grow = root.bearer(Method::PATCH, "/roles/vault").json(&json!({"permissions": ["roles:*"]}));
    app.json(grow, 200).await;
    app.fails(of(&admin, Method::POST, &own, "/api-keys").json(&everything()), 403, "FORBIDDEN").await;
    app.fails(change(&admin, &own, &json!({"name": "x"})), 403, "FORBIDDEN").await;
    assert_eq!(with(&app, &text, Method::GET, "/users").send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn a_limited_key_gets_no_more_by_way_of_a_service_account() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let rights = json!({"name": "weak", "permissions": ["service-accounts:*", "users:read"]});
    let weak = root.key(rights).await;
    let high = made(&root, "high", &["admin"]).await;
    let post = |path: &str, body: &Value| with(&app, &weak, Method::POST, path).json(body);
    app.fails(post("/service-accounts", &json!({"name": "x", "roles": ["admin"]})), 403, "FORBIDDEN").await;
    let keys = format!("/service-accounts/{high}/api-keys");
    for body in [json!({"name": "x"}), json!({"name": "x", "permissions": ["users:read"]}), everything()] {
        app.fails(post(&keys, &body), 403, "FORBIDDEN").await;
    }
    // Of its own it makes one that grows as little as it does itself.
    role(&root, "reader", &["users:read"]).await;
    let own = app.json(post("/service-accounts", &json!({"name": "own", "roles": ["reader"]})), 201).await;
    let keys = format!("/service-accounts/{}/api-keys", own["id"].as_str().unwrap());
    app.fails(post(&keys, &everything()), 403, "FORBIDDEN").await;
    app.json(post(&keys, &json!({"name": "x", "permissions": ["users:read"]})), 201).await;
}

#[tokio::test]
async fn a_service_account_is_no_person() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    role(&root, "own", &["account:*", "users:read"]).await;
    let id = made(&root, "robot", &["own"]).await;
    let (_, text) = key(&root, &id, &everything()).await;
    let ask = |method: Method, path: &str| with(&app, &text, method, path);
    let body = json!({"first_name": "R", "password": PASSWORD, "current_password": PASSWORD, "new_password": "staple 17 of x"});
    for request in [
        ask(Method::GET, "/auth/me"),
        ask(Method::PATCH, "/auth/me").json(&body),
        ask(Method::DELETE, "/auth/me").json(&body),
        ask(Method::POST, "/auth/password/change").json(&body),
        ask(Method::GET, "/auth/sessions"),
        ask(Method::DELETE, "/auth/sessions"),
        ask(Method::DELETE, &format!("/auth/sessions/{}", root.session())),
    ] {
        app.fails(request, 403, "FORBIDDEN").await;
    }
    app.fails(ask(Method::POST, "/auth/logout"), 400, "MALFORMED_REQUEST").await;
    for name in ["robot", &id] {
        for password in [PASSWORD, "", &text] {
            let login = app
                .request(Method::POST, "/auth/token")
                .json(&json!({"username": name, "password": password}));
            app.fails(login, 401, "INVALID_CREDENTIALS").await;
        }
    }
    let mine = app.json(ask(Method::GET, "/auth/me/permissions"), 200).await;
    assert_eq!(mine["subject"], json!({"type": "service_account", "id": id, "name": "robot"}));
    // It reads what it did, and keeps its own keys.
    let made = app.json(ask(Method::POST, "/auth/api-keys").json(&everything()), 201).await;
    assert!(made["key"].as_str().unwrap().starts_with("asks_"));
    let activity = app.json(ask(Method::GET, "/auth/me/activity"), 200).await;
    let items = activity["items"].as_array().unwrap();
    let made = items.iter().find(|event| event["action"] == "api_key.created").unwrap();
    assert_eq!(made["actor"], json!({"type": "service_account", "id": id, "name": "robot"}));
    let asked = json!({"subject": id, "permissions": ["users:read", "users:write"]});
    let answer = app.json(root.bearer(Method::POST, "/auth/check").json(&asked), 200).await;
    assert_eq!(
        (&answer["subject"], &answer["results"]["users:read"], &answer["allowed"]),
        (&json!(id), &json!(true), &json!(false))
    );
}

#[tokio::test]
async fn a_role_that_a_service_account_holds_stays_and_a_superuser_remains() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    role(&root, "held", &["users:roles", "users:write", "users:delete"]).await;
    let id = made(&root, "x", &["held"]).await;
    let delete = || root.bearer(Method::DELETE, "/roles/held");
    app.refuses(delete(), "name").await;
    app.json(change(&root, &id, &json!({"is_active": false})), 200).await;
    app.refuses(delete(), "name").await;
    app.json(give(&root, &id, &["admin"]), 200).await;
    app.done(delete()).await;
    role(&root, "held", &["users:roles"]).await;
    app.json(give(&root, &id, &["held"]), 200).await;
    app.done(of(&root, Method::DELETE, &id, "")).await;
    app.done(delete()).await;
    // No program stands in for the last superuser.
    made(&root, "y", &["admin"]).await;
    let user = |method, rest: &str| root.bearer(method, &format!("/users/{}{rest}", root.id()));
    app.refuses(user(Method::PUT, "/roles").json(&json!({"roles": ["admin"]})), "roles").await;
    app.refuses(user(Method::PATCH, "").json(&json!({"is_active": false})), "is_active").await;
    app.refuses(user(Method::DELETE, ""), "id").await;
    let key = root.key(everything()).await;
    let own = with(&app, &key, Method::DELETE, "/auth/me").json(&json!({"password": PASSWORD}));
    app.refuses(own, "password").await;
    let roles =
        with(&app, &key, Method::PUT, &format!("/users/{}/roles", root.id())).json(&json!({"roles": []}));
    app.refuses(roles, "roles").await;
}

#[tokio::test]
async fn pages_of_service_accounts_stay_stable() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(made(&root, &format!("s{n}"), &[]).await);
        app.clock.advance_secs(1);
    }
    let page = |query: &str| app.json(root.bearer(Method::GET, &format!("/service-accounts?{query}")), 200);
    let first = page("limit=2").await;
    let cursor = first["next_cursor"].as_str().unwrap().to_owned();
    app.done(of(&root, Method::DELETE, &ids[1], "")).await;
    app.done(of(&root, Method::DELETE, &ids[2], "")).await;
    let next = page(&format!("limit=2&cursor={cursor}")).await;
    let names: Vec<_> = next["items"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
    assert_eq!((names, &next["next_cursor"]), (vec![json!("s3"), json!("s4")], &Value::Null));
    app.refuses(root.bearer(Method::GET, "/service-accounts?cursor=AAAA"), "cursor").await;
}

#[tokio::test]
async fn roles_at_its_making_and_unrestricted_keys_are_not_for_everyone_to_give() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    role(&root, "maker", &["service-accounts:write"]).await;
    let maker = app.user("maker").await;
    app.app.accounts.set_roles(Initiator::host(), maker.id(), &["maker".to_owned()]).await.unwrap();
    let ask = |roles: &[&str]| {
        maker.bearer(Method::POST, "/service-accounts").json(&json!({"name": "one", "roles": roles}))
    };
    let details = app.fails(ask(&["maker"]), 403, "FORBIDDEN").await;
    assert_eq!(details["permission"], "service-accounts:roles");
    let id = app.json(ask(&[]), 201).await["id"].as_str().unwrap().to_owned();
    let path = format!("/service-accounts/{id}/api-keys");
    let body = json!({"name": "grows", "unrestricted": true});
    // Roles that somebody else gives the account later would be in the maker's hands.
    let details = app.fails(maker.bearer(Method::POST, &path).json(&body), 403, "FORBIDDEN").await;
    assert_eq!(details["permission"], "*");
    app.json(root.bearer(Method::POST, &path).json(&body), 201).await;
}
