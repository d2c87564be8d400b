//! Accounts as administrators see and change them.
use auth_service::app::SCHEMA;
use auth_service::store::{Map, Options, Store, WriteTx};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{PASSWORD, Person, Setup, TestApp};

const DAY: i64 = 24 * 3600;

fn of(who: &Person, method: Method, id: u64, rest: &str) -> RequestBuilder {
    who.bearer(method, &format!("/users/{id}{rest}"))
}

fn change(who: &Person, id: u64, body: &Value) -> RequestBuilder {
    of(who, Method::PATCH, id, "").json(body)
}

fn give(who: &Person, id: u64, roles: &[&str]) -> RequestBuilder {
    of(who, Method::PUT, id, "/roles").json(&json!({"roles": roles}))
}

/// The user names of all pages of a list.
async fn listed(who: &Person<'_>, query: &str) -> Vec<String> {
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = who.app.json(who.bearer(Method::GET, &format!("/users?{query}{cursor}")), 200).await;
        names.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|user| user["username"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next_cursor"].as_str() else { return names };
        cursor = format!("&cursor={next}");
    }
}

#[tokio::test]
async fn accounts_are_found_by_what_their_names_and_addresses_begin_with() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    for name in ["anna", "Annabel", "annal", "bob", "mann", "rnann"] {
        app.register(name).await;
    }
    for (query, names) in [
        ("username=ann", vec!["anna", "Annabel", "annal"]),
        ("username=ANNA", vec!["anna", "Annabel", "annal"]),
        ("username=annal", vec!["annal"]),
        ("username=rn", vec!["rnann"]),
        ("username=m", vec!["mann"]),
        ("username=x", vec![]),
        ("email=bob@", vec!["bob"]),
        ("email=ann", vec!["anna", "Annabel", "annal"]),
        ("role=superuser", vec!["root"]),
        ("role=admin", vec![]),
    ] {
        for paged in [String::new(), "&limit=1".to_owned(), "&limit=2".to_owned()] {
            let mut found = listed(&root, &format!("{query}{paged}")).await;
            found.sort();
            let mut names = names.clone();
            names.sort_unstable();
            assert_eq!(found, names, "{query}{paged}");
        }
    }
    assert_eq!(listed(&root, "limit=3").await.len(), 7);
    app.refuses(root.bearer(Method::GET, "/users?username=a&email=b"), "email").await;
    app.refuses(root.bearer(Method::GET, "/users?username=a&role=b"), "role").await;
    app.refuses(root.bearer(Method::GET, "/users?is_active=maybe"), "is_active").await;
    let long = "x".repeat(3000);
    app.refuses(root.bearer(Method::GET, &format!("/users?username={long}")), "username").await;
    for query in
        ["username=ann&cursor=AAAA", "cursor=AAAA", "role=admin&cursor=AAAAAAAAAAE", "email=a&cursor=Yg"]
    {
        app.refuses(root.bearer(Method::GET, &format!("/users?{query}")), "cursor").await;
    }
}

#[tokio::test]
async fn an_administrator_changes_what_is_not_above() {
    let app = TestApp::start().await;
    let (root, admin, ann) = (app.superuser("root").await, app.user("admin").await, app.user("ann").await);
    app.json(give(&root, admin.id(), &["admin"]), 200).await;
    let body = json!({"first_name": "Ann", "last_name": null, "email": "new@example.com"});
    let changed = app.json(change(&admin, ann.id(), &body), 200).await;
    assert_eq!((&changed["first_name"], &changed["email"]), (&json!("Ann"), &json!("new@example.com")));
    assert_eq!(ann.profile().await["email"], "new@example.com");
    app.refuses(change(&admin, ann.id(), &json!({"email": "root@example.com"})), "email").await;
    // What cannot be set is ignored, like any field that is not known.
    let more =
        json!({"is_superuser": true, "id": 9, "roles": ["superuser"], "password": "x", "username": "x"});
    let same = app.json(change(&admin, ann.id(), &more), 200).await;
    assert_eq!((&same["is_superuser"], &same["username"]), (&json!(false), &json!("ann")));
    // A superuser is above an administrator.
    for request in [
        change(&admin, root.id(), &json!({"email": "mine@example.com"})),
        change(&admin, root.id(), &json!({"is_active": false})),
        of(&admin, Method::DELETE, root.id(), ""),
        of(&admin, Method::DELETE, root.id(), "/sessions"),
        give(&admin, root.id(), &[]),
        give(&admin, admin.id(), &["superuser"]),
        give(&admin, ann.id(), &["superuser"]),
    ] {
        app.fails(request, 403, "FORBIDDEN").await;
    }
    assert_eq!(root.status().await, 200);
    for request in [change(&root, 99, &json!({})), of(&root, Method::GET, 99, ""), give(&root, 99, &[])] {
        app.fails(request, 404, "NOT_FOUND").await;
    }
    app.fails(root.bearer(Method::GET, "/users/me"), 404, "NOT_FOUND").await;
}

#[tokio::test]
async fn switching_off_and_ending_sessions_hold_at_once() {
    let app = TestApp::start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    let ended = app.json(of(&root, Method::DELETE, ann.id(), "/sessions"), 200).await;
    assert_eq!(ended["ended"], 1);
    ann.is_out("TOKEN_REVOKED").await;
    let ann = app.log_in("ann", PASSWORD).await;
    app.json(change(&root, ann.id(), &json!({"is_active": false})), 200).await;
    ann.is_out("TOKEN_REVOKED").await;
    assert_eq!(listed(&root, "is_active=false").await, ["ann"]);
    let login = json!({"username": "ann", "password": PASSWORD});
    app.fails(app.request(Method::POST, "/auth/token").json(&login), 403, "ACCOUNT_DISABLED").await;
    app.json(change(&root, ann.id(), &json!({"is_active": true})), 200).await;
    app.log_in("ann", PASSWORD).await;
    app.refuses(change(&root, root.id(), &json!({"is_active": false})), "is_active").await;
}

#[tokio::test]
async fn roles_are_given_and_taken() {
    let app = TestApp::start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    let given = app.json(give(&root, ann.id(), &["admin", "user", "admin"]), 200).await;
    assert_eq!(given["roles"], json!(["admin", "user"]));
    assert_eq!(listed(&ann, "role=admin").await, ["ann"], "with a token from before");
    let given = app.json(give(&root, ann.id(), &["superuser"]), 200).await;
    assert_eq!((&given["roles"], &given["is_superuser"]), (&json!(["superuser", "user"]), &json!(true)));
    app.json(give(&ann, root.id(), &[]), 200).await;
    app.fails(root.bearer(Method::GET, "/users"), 403, "FORBIDDEN").await;
    app.refuses(give(&ann, ann.id(), &[]), "roles").await;
    app.refuses(give(&ann, root.id(), &["nobody"]), "roles").await;
    app.refuses(give(&ann, root.id(), &["No Role"]), "roles").await;
    let many: Vec<&str> = vec!["admin"; 101];
    app.refuses(give(&ann, root.id(), &many), "roles").await;
}

#[tokio::test]
async fn a_deleted_account_can_be_restored_for_thirty_days() {
    let app = TestApp::start().await;
    let (root, ann, bob) = (app.superuser("root").await, app.user("ann").await, app.user("bob").await);
    for user in [&ann, &bob] {
        app.done(of(&root, Method::DELETE, user.id(), "")).await;
        user.is_out("TOKEN_REVOKED").await;
    }
    app.fails(of(&root, Method::DELETE, ann.id(), ""), 404, "NOT_FOUND").await;
    assert_eq!(listed(&root, "").await, ["root"]);
    assert_eq!(listed(&root, "deleted=true").await, ["ann", "bob"]);
    let login = json!({"username": "ann", "password": PASSWORD});
    assert_ne!(app.post("/auth/token", &login).await.status(), 200);
    let again = json!({"username": "ann", "email": "x@example.com", "password": PASSWORD});
    app.refuses(app.request(Method::POST, "/auth/register").json(&again), "username").await;
    app.clock.advance_secs(29 * DAY);
    app.app.tend().await;
    let root = app.log_in("root", PASSWORD).await;
    app.json(of(&root, Method::POST, ann.id(), "/restore").json(&json!({})), 200).await;
    app.refuses(of(&root, Method::POST, ann.id(), "/restore").json(&json!({})), "id").await;
    app.clock.advance_secs(2 * DAY);
    app.app.tend().await;
    let root = app.log_in("root", PASSWORD).await;
    assert_eq!(listed(&root, "").await, ["root", "ann"]);
    app.fails(of(&root, Method::GET, bob.id(), ""), 404, "NOT_FOUND").await;
    app.log_in("ann", PASSWORD).await;
    app.register("bob").await;
    app.refuses(of(&root, Method::DELETE, root.id(), ""), "id").await;
}

#[tokio::test]
async fn an_older_store_learns_who_holds_what() {
    const BY_ROLE: Map<()> = Map::new("user.by_role");
    const META: Map<u64> = Map::new("store.meta");
    let app = TestApp::start().await;
    app.superuser("root").await;
    let data_dir = app.stop().await;
    let store = Store::open(data_dir.path(), Options::in_directory(data_dir.path(), SCHEMA)).unwrap();
    let before_roles = |tx: &mut WriteTx| {
        BY_ROLE.remove(tx, b"superuser\0\0\0\0\0\0\0\0\x01");
        META.put(tx, b"schema", &1)
    };
    store.write(before_roles).await.unwrap();
    store.close();
    let app = TestApp::start_with(Setup { data_dir: Some(data_dir), ..Setup::default() }).await;
    let root = app.log_in("root", PASSWORD).await;
    assert_eq!(listed(&root, "role=superuser").await, ["root"]);
    assert!(app.data_dir.path().join("backups/auth-v1.redb").is_file(), "copied before");
}
