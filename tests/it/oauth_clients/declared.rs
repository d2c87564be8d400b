//! Clients that stand in the configuration file.
use std::fs;

use auth_service::config::Flags;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Person, Setup, TestApp};

const SECRET: &str = "3c2a9e7f61b04d58a1c9e2f7d6b3a405";
const OTHER: &str = "9b1f0c7e2d3a4586b7c8d9e0f1a2b3c4";

fn client(also: Value) -> Value {
    let mut body = json!({
        "client_id": "machine",
        "client_name": "Machine",
        "client_secret": SECRET,
        "grant_types": ["client_credentials"],
        "scope": "read write",
        "id_token_signed_response_alg": "ES256",
    });
    body.as_object_mut().unwrap().extend(also.as_object().unwrap().clone());
    body
}

fn with(clients: &[Value]) -> Setup {
    let setup = Setup::default().at("http://localhost:8000");
    setup.with("oauth.clients", &json!(clients).to_string())
}

async fn shown(root: &Person<'_>, id: &str) -> Value {
    root.app.json(root.bearer(Method::GET, &format!("/oauth-clients/{id}")), 200).await
}

/// The status of a token that it asks for.
async fn token(app: &TestApp, id: &str, secret: &str) -> u16 {
    let request = app.request(Method::POST, "/oauth2/token").basic_auth(id, Some(secret));
    let form = request.header("Content-Type", "application/x-www-form-urlencoded");
    form.body("grant_type=client_credentials").send().await.unwrap().status().as_u16()
}

async fn events(root: &Person<'_>) -> Vec<String> {
    let trail = root.app.json(root.bearer(Method::GET, "/audit?limit=200"), 200).await;
    let actions = trail["items"].as_array().unwrap().iter().map(|event| event["action"].as_str().unwrap());
    actions.filter(|action| action.starts_with("oauth_client")).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_client_of_the_file_is_there_at_the_start_with_all_that_is_said_of_it() {
    let app =
        with(&[client(json!({"introspect": true, "resources": ["https://api.example/"]}))]).start().await;
    let root = app.superuser("root").await;
    let found = shown(&root, "machine").await;
    assert_eq!(found["registered_by"], "configuration");
    assert_eq!((&found["client_name"], &found["scope"]), (&json!("Machine"), &json!("read write")));
    assert_eq!((&found["introspect"], &found["resources"]), (&json!(true), &json!(["https://api.example/"])));
    assert!(!found.to_string().contains(SECRET));
    assert_eq!(token(&app, "machine", SECRET).await, 200);
    assert_eq!(token(&app, "machine", OTHER).await, 401);
    assert_eq!(events(&root).await, ["oauth_client.created"]);
}

#[tokio::test]
async fn a_restart_with_the_same_file_changes_nothing() {
    let setup = || with(&[client(json!({}))]);
    let app = setup().start().await;
    let before = {
        let root = app.superuser("root").await;
        shown(&root, "machine").await
    };
    app.clock.advance_secs(60);
    let app = app.restart(setup()).await;
    let root = app.log_in("root", crate::support::PASSWORD).await;
    assert_eq!(shown(&root, "machine").await, before);
    assert_eq!(events(&root).await, ["oauth_client.created"]);
    assert_eq!(token(&app, "machine", SECRET).await, 200);
}

#[tokio::test]
async fn what_is_changed_in_the_file_is_changed_at_the_next_start() {
    let app = with(&[client(json!({}))]).start().await;
    let made = {
        let root = app.superuser("root").await;
        shown(&root, "machine").await
    };
    app.clock.advance_secs(60);
    let app = app.restart(with(&[client(json!({"client_name": "Robot", "client_secret": OTHER}))])).await;
    let root = app.log_in("root", crate::support::PASSWORD).await;
    let changed = shown(&root, "machine").await;
    assert_eq!((&changed["client_name"], &changed["created_at"]), (&json!("Robot"), &made["created_at"]));
    assert_ne!(changed["updated_at"], made["updated_at"]);
    assert_eq!(changed["secrets"].as_array().unwrap().len(), 1);
    assert_eq!((token(&app, "machine", SECRET).await, token(&app, "machine", OTHER).await), (401, 200));
    assert_eq!(events(&root).await, ["oauth_client.changed", "oauth_client.created"]);
}

#[tokio::test]
async fn what_the_file_has_no_more_is_switched_off_and_comes_back_with_it() {
    let app = with(&[client(json!({}))]).start().await;
    app.superuser("root").await;
    let app = app.restart(with(&[])).await;
    {
        let root = app.log_in("root", crate::support::PASSWORD).await;
        assert_eq!(shown(&root, "machine").await["is_active"], false);
        assert_eq!(token(&app, "machine", SECRET).await, 401);
        assert_eq!(events(&root).await[0], "oauth_client.disabled");
    }
    let app = app.restart(with(&[client(json!({}))])).await;
    {
        let root = app.log_in("root", crate::support::PASSWORD).await;
        assert_eq!(token(&app, "machine", SECRET).await, 200);
        assert_eq!(events(&root).await[0], "oauth_client.enabled");
    }
    let app = app.restart(with(&[])).await;
    let root = app.log_in("root", crate::support::PASSWORD).await;
    app.done(root.bearer(Method::DELETE, "/oauth-clients/machine")).await;
    app.fails(root.bearer(Method::GET, "/oauth-clients/machine"), 404, "NOT_FOUND").await;
}

#[tokio::test]
async fn a_client_of_the_file_is_changed_nowhere_else() {
    let app = with(&[client(json!({}))]).start().await;
    let root = app.superuser("root").await;
    let path = "/oauth-clients/machine";
    let before = shown(&root, "machine").await;
    for request in [
        root.bearer(Method::PATCH, path).json(&json!({"client_name": "Mine"})),
        root.bearer(Method::PATCH, path).json(&json!({"is_active": false})),
        root.bearer(Method::POST, &format!("{path}/secret")).json(&json!({})),
        root.bearer(Method::DELETE, path),
    ] {
        let reason = app.refuses(request, "client_id").await;
        assert!(reason.contains("configuration file"), "{reason}");
    }
    let taken = json!({"client_id": "machine", "client_name": "Mine", "grant_types": ["client_credentials"]});
    app.refuses(root.bearer(Method::POST, "/oauth-clients").json(&taken), "client_id").await;
    assert_eq!(shown(&root, "machine").await, before);
    assert_eq!(token(&app, "machine", SECRET).await, 200);
}

#[tokio::test]
async fn a_secret_is_read_from_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    fs::write(&path, format!("{SECRET}\n")).unwrap();
    let mut declared = client(json!({"client_secret_file": path.to_str()}));
    declared.as_object_mut().unwrap().remove("client_secret");
    let app = with(&[declared]).start().await;
    assert_eq!(token(&app, "machine", SECRET).await, 200);
}

#[tokio::test]
async fn a_name_that_an_administrator_has_given_and_roles_that_are_not_there_are_refused() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let body = json!({"client_id": "machine", "client_name": "Mine", "grant_types": ["client_credentials"]});
    app.json(root.bearer(Method::POST, "/oauth-clients").json(&body), 201).await;
    let refusal = async |declared: Value| {
        let list = json!([declared]).to_string();
        let environment = [("AUTH_OAUTH__CLIENTS".to_owned(), list)];
        let (config, _) = auth_service::config::load(&Flags::default(), environment.into_iter()).unwrap();
        let clients = auth_service::oauth::client::declaration::read(&config.declared.clients.0).unwrap();
        match app.app.oauth_clients.declare(clients).await {
            Err(auth_service::base::Error::Invalid(wrong)) => wrong.field.into_owned(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refusal(client(json!({}))).await, "oauth.clients.machine.client_id");
    let roles = client(json!({"client_id": "other", "roles": ["nobodys"]}));
    assert_eq!(refusal(roles).await, "oauth.clients.other.roles");
    app.fails(root.bearer(Method::GET, "/oauth-clients/other"), 404, "NOT_FOUND").await;
}
