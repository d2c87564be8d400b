//! Roles, permissions, and the question whether somebody may do something.
use auth_service::rbac::Initiator;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{Person, TestApp};

fn make(who: &Person, path: &str, body: &Value) -> RequestBuilder {
    who.bearer(Method::POST, path).json(body)
}

fn change(who: &Person, role: &str, body: &Value) -> RequestBuilder {
    who.bearer(Method::PATCH, &format!("/roles/{role}")).json(body)
}

/// Gives a user roles behind the API's back.
async fn give(app: &TestApp, name: &str, roles: &[&str]) {
    let roles: Vec<String> = roles.iter().map(|&role| role.to_owned()).collect();
    let id = app.app.accounts.find(name).unwrap().id;
    app.app.accounts.set_roles(Initiator::host(), id, &roles).await.unwrap();
}

async fn may(who: &Person<'_>, permission: &str) -> bool {
    let answer = who.app.json(make(who, "/auth/check", &json!({"permissions": [permission]})), 200).await;
    assert_eq!(answer["allowed"], answer["results"][permission]);
    answer["allowed"].as_bool().unwrap()
}

#[tokio::test]
async fn a_role_gives_what_it_holds_and_what_the_roles_that_it_includes_hold() {
    let app = TestApp::start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    app.json(
        make(&root, "/permissions", &json!({"name": "billing:invoices:read", "description": "Read"})),
        201,
    )
    .await;
    let reader = json!({"name": "reader", "permissions": ["billing:invoices:read"]});
    app.json(make(&root, "/roles", &reader), 201).await;
    let writer = json!({"name": "writer", "permissions": ["billing:invoices:*"], "includes": ["reader"]});
    let made = app.json(make(&root, "/roles", &writer), 201).await;
    assert_eq!((&made["permissions"], &made["built_in"]), (&json!(["billing:invoices:*"]), &json!(false)));
    give(&app, "ann", &["reader"]).await;
    assert!(may(&ann, "billing:invoices:read").await && !may(&ann, "billing:invoices:write").await);
    give(&app, "ann", &["writer"]).await;
    assert!(may(&ann, "billing:invoices:write").await && !may(&ann, "billing:write").await);
    let mine = app.json(ann.bearer(Method::GET, "/auth/me/permissions"), 200).await;
    assert_eq!(mine["roles"], json!(["writer", "user"]));
    let own = ["account:factors", "account:keys", "account:password", "account:read", "account:write"];
    let own = own.into_iter().chain(["billing:invoices:*"]);
    assert_eq!(mine["permissions"], json!(own.collect::<Vec<_>>()));
    assert_eq!(mine["subject"], json!({"type": "user", "id": "2", "name": "ann"}));
}

#[tokio::test]
async fn a_change_of_roles_holds_for_the_next_request_of_a_token_that_is_out() {
    let app = TestApp::start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    let roles = || ann.bearer(Method::GET, "/roles");
    let details = app.fails(roles(), 403, "FORBIDDEN").await;
    assert_eq!(details, json!({"permission": "roles:read"}));
    app.json(make(&root, "/roles", &json!({"name": "auditor", "permissions": ["roles:read"]})), 201).await;
    for _ in 0..3 {
        give(&app, "ann", &["auditor"]).await;
        app.json(roles(), 200).await;
        app.json(change(&root, "auditor", &json!({"permissions": []})), 200).await;
        app.fails(roles(), 403, "FORBIDDEN").await;
        app.json(change(&root, "auditor", &json!({"permissions": ["roles:*"]})), 200).await;
        app.json(roles(), 200).await;
        give(&app, "ann", &[]).await;
        app.fails(roles(), 403, "FORBIDDEN").await;
    }
    // What everyone has is a role, too.
    app.json(change(&root, "user", &json!({"permissions": ["roles:read"]})), 200).await;
    app.json(roles(), 200).await;
}

#[tokio::test]
async fn nobody_gives_what_they_do_not_hold() {
    let app = TestApp::start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    let keeper = json!({"name": "keeper", "permissions": ["roles:*", "users:read"]});
    app.json(make(&root, "/roles", &keeper), 201).await;
    app.json(make(&root, "/roles", &json!({"name": "high", "permissions": ["users:*"]})), 201).await;
    give(&app, "ann", &["keeper"]).await;
    app.json(make(&ann, "/roles", &json!({"name": "low", "permissions": ["users:read", "roles:read"]})), 201)
        .await;
    for (body, missing) in [
        (json!({"name": "x", "permissions": ["users:write"]}), "users:write"),
        (json!({"name": "x", "permissions": ["users:*"]}), "users:*"),
        (json!({"name": "x", "permissions": ["*:read"]}), "*:read"),
        (json!({"name": "x", "includes": ["high"]}), "users:*"),
        (json!({"name": "x", "includes": ["superuser"]}), "*"),
    ] {
        let details = app.fails(make(&ann, "/roles", &body), 403, "FORBIDDEN").await;
        assert_eq!(details["permission"], missing, "{body}");
    }
    // Nor does anybody take away from a role above them, or put more into their own.
    app.fails(change(&ann, "high", &json!({"permissions": []})), 403, "FORBIDDEN").await;
    app.fails(change(&ann, "keeper", &json!({"permissions": ["roles:*", "users:*"]})), 403, "FORBIDDEN")
        .await;
    app.fails(ann.bearer(Method::DELETE, "/roles/high"), 403, "FORBIDDEN").await;
    app.done(ann.bearer(Method::DELETE, "/roles/low")).await;
}

#[tokio::test]
async fn bad_roles_are_refused_and_named() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let too_many: Vec<String> = (0..501).map(|n| format!("a:*:x{n}")).collect();
    for (body, field) in [
        (json!({}), "name"),
        (json!({"name": "Big"}), "name"),
        (json!({"name": ""}), "name"),
        (json!({"name": "superuser"}), "name"),
        (json!({"name": "x", "permissions": ["users"]}), "permissions"),
        (json!({"name": "x", "permissions": ["*"]}), "permissions"),
        (json!({"name": "x", "permissions": ["no:such"]}), "permissions"),
        (json!({"name": "x", "permissions": "users:read"}), "permissions"),
        (json!({"name": "x", "permissions": too_many}), "permissions"),
        (json!({"name": "x", "includes": ["nobody"]}), "includes"),
        (json!({"name": "x", "includes": ["x"]}), "includes"),
        (json!({"name": "x", "description": "x".repeat(501)}), "description"),
        (json!({"name": "x", "description": "a\nb"}), "description"),
    ] {
        app.refuses(make(&root, "/roles", &body), field).await;
    }
    app.json(make(&root, "/roles", &json!({"name": "a"})), 201).await;
    app.refuses(make(&root, "/roles", &json!({"name": "a"})), "name").await;
    app.json(make(&root, "/roles", &json!({"name": "b", "includes": ["a"]})), 201).await;
    app.refuses(change(&root, "a", &json!({"includes": ["b"]})), "includes").await;
    app.refuses(change(&root, "superuser", &json!({"permissions": []})), "name").await;
    app.fails(change(&root, "nobody", &json!({})), 404, "NOT_FOUND").await;
    app.fails(root.bearer(Method::GET, "/roles/nobody"), 404, "NOT_FOUND").await;
}

#[tokio::test]
async fn a_role_in_use_or_built_in_is_not_deleted() {
    let app = TestApp::start().await;
    let (root, _ann) = (app.superuser("root").await, app.user("ann").await);
    for (role, includes) in [("a", vec![]), ("b", vec!["a"])] {
        app.json(make(&root, "/roles", &json!({"name": role, "includes": includes})), 201).await;
    }
    give(&app, "ann", &["b"]).await;
    for role in ["superuser", "admin", "user", "a", "b"] {
        app.refuses(root.bearer(Method::DELETE, &format!("/roles/{role}")), "name").await;
    }
    give(&app, "ann", &[]).await;
    app.done(root.bearer(Method::DELETE, "/roles/b")).await;
    app.done(root.bearer(Method::DELETE, "/roles/a")).await;
    app.fails(root.bearer(Method::DELETE, "/roles/a"), 404, "NOT_FOUND").await;
    let names = app.json(root.bearer(Method::GET, "/roles"), 200).await;
    let names: Vec<_> = names["items"].as_array().unwrap().iter().map(|role| role["name"].clone()).collect();
    assert_eq!(names, ["admin", "superuser", "user"]);
}

#[tokio::test]
async fn roles_and_permissions_come_in_pages() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    for path in ["/roles", "/permissions"] {
        let all = app.json(root.bearer(Method::GET, path), 200).await["items"].clone();
        let (mut paged, mut query) = (Vec::new(), format!("{path}?limit=2"));
        loop {
            let page = app.json(root.bearer(Method::GET, &query), 200).await;
            paged.extend(page["items"].as_array().unwrap().clone());
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            query = format!("{path}?limit=2&cursor={cursor}");
        }
        assert!(paged.len() >= 3 && Value::Array(paged) == all, "{path}");
    }
}

#[tokio::test]
async fn permissions_are_defined_once_and_taken_back_when_no_role_names_them() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let read = json!({"name": "billing:read", "description": " Read invoices "});
    let made = app.json(make(&root, "/permissions", &read), 201).await;
    assert_eq!((&made["description"], &made["built_in"]), (&json!("Read invoices"), &json!(false)));
    app.refuses(make(&root, "/permissions", &read), "name").await;
    app.refuses(make(&root, "/permissions", &json!({"name": "users:read"})), "name").await;
    app.refuses(make(&root, "/permissions", &json!({"name": "billing:*"})), "name").await;
    app.json(make(&root, "/roles", &json!({"name": "a", "permissions": ["billing:read"]})), 201).await;
    app.refuses(root.bearer(Method::DELETE, "/permissions/billing:read"), "name").await;
    app.refuses(root.bearer(Method::DELETE, "/permissions/users:read"), "name").await;
    app.done(root.bearer(Method::DELETE, "/roles/a")).await;
    app.done(root.bearer(Method::DELETE, "/permissions/billing:read")).await;
    app.fails(root.bearer(Method::DELETE, "/permissions/billing:read"), 404, "NOT_FOUND").await;
}

#[tokio::test]
async fn about_others_one_may_ask_with_the_right_to() {
    let app = TestApp::start().await;
    let (root, ann, bob) = (app.superuser("root").await, app.user("ann").await, app.user("bob").await);
    let ask = |who: &Person, about: Value| {
        let mut body = json!({"permissions": ["users:read", "any:thing"]});
        body.as_object_mut().unwrap().extend(about.as_object().unwrap().clone());
        make(who, "/auth/check", &body)
    };
    let details = app.fails(ask(&ann, json!({"subject": "3"})), 403, "FORBIDDEN").await;
    assert_eq!(details["permission"], "auth:check");
    app.fails(ask(&ann, json!({"token": bob.tokens.access})), 403, "FORBIDDEN").await;
    app.json(make(&root, "/roles", &json!({"name": "gateway", "permissions": ["auth:check"]})), 201).await;
    give(&app, "ann", &["gateway"]).await;
    give(&app, "bob", &["admin"]).await;
    let some = json!({"any:thing": false, "users:read": true});
    let none = json!({"any:thing": false, "users:read": false});
    for (about, results, subject) in [
        (json!({"subject": "3"}), &some, json!("3")),
        (json!({"token": bob.tokens.access}), &some, json!("3")),
        (json!({"token": "junk"}), &none, Value::Null),
        (json!({"subject": "99"}), &none, Value::Null),
        (json!({}), &none, json!("2")),
    ] {
        let answer = app.json(ask(&ann, about.clone()), 200).await;
        assert_eq!((&answer["results"], &answer["subject"]), (results, &subject), "{about}");
        assert_eq!(answer["allowed"], false);
    }
    bob.log_out().await;
    let answer = app.json(ask(&ann, json!({"token": bob.tokens.access})), 200).await;
    assert_eq!((&answer["results"], &answer["subject"]), (&none, &Value::Null));
    app.app.accounts.set_active(Initiator::host(), 3, false).await.unwrap();
    assert_eq!(app.json(ask(&ann, json!({"subject": "3"})), 200).await["subject"], Value::Null);
    for none in ["ann", "+1", "01", " 1"] {
        app.refuses(ask(&ann, json!({"subject": none})), "subject").await;
    }
    // Everybody may ask about oneself, by name too.
    let carl = app.user("carl").await;
    let own = json!({"subject": carl.id().to_string(), "permissions": ["account:read"]});
    assert_eq!(app.json(carl.bearer(Method::POST, "/auth/check").json(&own), 200).await["allowed"], true);
    app.refuses(ask(&ann, json!({"subject": "1", "token": "x"})), "token").await;
    for bad in [json!([]), json!(["users"]), json!(vec!["a:b"; 101])] {
        app.refuses(make(&ann, "/auth/check", &json!({"permissions": bad})), "permissions").await;
    }
}

#[tokio::test]
async fn the_last_superuser_stays() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let accounts = &app.app.accounts;
    assert!(accounts.set_active(Initiator::host(), 1, false).await.is_err());
    assert!(accounts.delete(Initiator::host(), 1).await.is_err());
    assert!(accounts.set_roles(Initiator::host(), 1, &[]).await.is_err());
    let password = json!({"password": crate::support::PASSWORD});
    app.refuses(root.bearer(Method::DELETE, "/auth/me").json(&password), "password").await;
    let second = app.superuser("second").await;
    accounts.set_active(Initiator::host(), 2, false).await.unwrap();
    assert!(accounts.delete(Initiator::host(), 1).await.is_err(), "the other one is switched off");
    accounts.set_active(Initiator::host(), 2, true).await.unwrap();
    app.done(root.bearer(Method::DELETE, "/auth/me").json(&password)).await;
    assert!(accounts.set_roles(Initiator::host(), 2, &["admin".to_owned()]).await.is_err());
    second.is_out("TOKEN_REVOKED").await;
}

#[tokio::test]
async fn rights_that_were_taken_before_the_change_give_nothing() {
    use auth_service::base::Id;
    use auth_service::rbac::{RoleName, SubjectId, ViaId, Who, model::RoleChange};
    use auth_service::session::Session;
    let app = TestApp::start().await;
    app.superuser("root").await;
    let ann = app.user("ann").await;
    let session: Id<Session> = ann.session().parse().unwrap();
    let make = |name: &str| {
        let change = RoleChange {
            includes: Some(vec![RoleName::parse("includes", "admin").unwrap()]),
            ..Default::default()
        };
        let (id, name_of) = (SubjectId::User(ann.id()), "ann".to_owned());
        let who = Who::Subject { id, name: name_of, via: ViaId::Session(session) };
        let by = Initiator { who, ..Initiator::default() };
        app.app.roles.create(by, RoleName::parse("name", name).unwrap(), change)
    };
    give(&app, "ann", &["admin"]).await;
    make("first").await.unwrap();
    give(&app, "ann", &[]).await;
    assert!(make("second").await.is_err());
    give(&app, "ann", &["admin"]).await;
    app.app.accounts.set_active(Initiator::host(), ann.id(), false).await.unwrap();
    assert!(make("third").await.is_err());
}

#[tokio::test]
async fn what_roles_come_to_is_bounded() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let patterns = |role: usize| -> Vec<String> { (0..500).map(|n| format!("r{role}:p{n}:*")).collect() };
    let make = |name: String, permissions: Vec<String>, includes: Vec<String>| {
        let body = json!({"name": name, "permissions": permissions, "includes": includes});
        root.bearer(Method::POST, "/roles").json(&body)
    };
    for role in 0..5 {
        app.json(make(format!("r{role}"), patterns(role), vec![]), 201).await;
    }
    let names = |count: usize| (0..count).map(|n| format!("r{n}")).collect();
    app.refuses(make("all".into(), vec![], names(5)), "permissions").await;
    app.json(make("most".into(), vec![], names(4)), 201).await;
    let ann = app.user("ann").await;
    give(&app, "ann", &["most", "r4"]).await;
    let held = app.json(ann.bearer(Method::GET, "/auth/me/permissions"), 200).await;
    assert_eq!(held["permissions"].as_array().unwrap().len(), 2505);
}

#[tokio::test]
async fn a_superuser_who_cannot_log_in_does_not_stand_in_for_the_last_one() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let new = json!({"username": "spare", "email": "spare@example.com"});
    let spare = app.json(root.bearer(Method::POST, "/users").json(&new), 201).await;
    let path = format!("/users/{}/roles", spare["id"]);
    app.json(root.bearer(Method::PUT, &path).json(&json!({"roles": ["superuser"]})), 200).await;
    let password = json!({"password": crate::support::PASSWORD});
    app.refuses(root.bearer(Method::DELETE, "/auth/me").json(&password), "password").await;
}
