//! Every kind of change, one after another: each leaves exactly one event, and it says who, whom, from where and what.
use auth_service::audit::{Filter, Outcome};
use auth_service::base::PageRequest;
use auth_service::rbac::Initiator;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::{all_is_well, events, exported};
use crate::support::{PASSWORD, Person, TestApp, Tokens};

const OTHER: &str = "staple 17 of the donkey";
const AGENT: &str = "story/1.0";

/// Who tells it, and how far they are.
struct Story<'a> {
    app: &'a TestApp,
    root: Person<'a>,
    step: usize,
    /// What must never be written down.
    secrets: Vec<String>,
}

impl<'a> Story<'a> {
    async fn begin(app: &'a TestApp) -> Self {
        let root = app.superuser("root").await;
        Self { app, root, step: 0, secrets: vec![PASSWORD.into(), OTHER.into()] }
    }

    fn remember(&mut self, tokens: &Tokens) {
        self.secrets.extend([tokens.access.clone(), tokens.refresh.clone(), tokens.csrf.clone()]);
    }

    async fn last(&self) -> Value {
        self.app.json(self.root.bearer(Method::GET, "/audit?limit=1"), 200).await["items"][0].clone()
    }

    /// Sends what is to leave one event, and gives the answer.
    async fn tell(&mut self, action: &str, names: (&str, &str), request: RequestBuilder) -> Value {
        let before = self.last().await["seq"].as_u64().unwrap();
        self.step += 1;
        let id = format!("step-{}", self.step);
        let request = request.header("User-Agent", AGENT).header("X-Request-Id", &id);
        let answer = request.send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{action}: {status} {text}");
        let event = self.last().await;
        let name = |party: &Value| party["name"].as_str().unwrap_or("-").to_owned();
        assert_eq!(event["seq"], before + 1, "{action}: {event}");
        assert_eq!(
            (event["action"].as_str().unwrap(), &*name(&event["actor"]), &*name(&event["subject"])),
            (action, names.0, names.1)
        );
        assert_eq!(
            (
                &event["outcome"],
                &event["count"],
                &event["address"],
                &event["user_agent"],
                &event["request_id"]
            ),
            (&json!("success"), &json!(1), &json!("127.0.0.1"), &json!(AGENT), &json!(id)),
            "{action}"
        );
        assert_eq!(event["via"].as_object().unwrap().is_empty(), names.0.is_empty(), "{event}");
        let answer: Value = serde_json::from_str(&text).unwrap_or_default();
        self.secrets.extend(answer["key"].as_str().map(|key| key[39..].to_owned()));
        answer
    }
}

fn send(who: &Person, method: Method, path: &str, body: &Value) -> RequestBuilder {
    who.bearer(method, path).json(body)
}

/// What people do with their own accounts.
async fn own_accounts(story: &mut Story<'_>) {
    let app = story.app;
    let new = json!({"username": "ann", "email": "ann@example.com", "password": PASSWORD});
    story.tell("user.created", ("", "ann"), app.request(Method::POST, "/auth/register").json(&new)).await;
    let login = json!({"username": "ann", "password": PASSWORD});
    story
        .tell("session.created", ("ann", "ann"), app.request(Method::POST, "/auth/token").json(&login))
        .await;
    let (ann, second) = (app.log_in("ann", PASSWORD).await, app.log_in("ann", PASSWORD).await);
    let mail = json!({"email": "new@example.com", "first_name": "Ann", "current_password": PASSWORD});
    let both = ("ann", "ann");
    story.tell("user.changed", both, send(&ann, Method::PATCH, "/auth/me", &mail)).await;
    let path = format!("/auth/sessions/{}", second.session());
    story.tell("session.revoked", both, ann.bearer(Method::DELETE, &path)).await;
    story.tell("session.all_revoked", both, ann.bearer(Method::DELETE, "/auth/sessions")).await;
    let passwords = json!({"current_password": PASSWORD, "new_password": OTHER});
    story
        .tell("user.password_changed", both, send(&ann, Method::POST, "/auth/password/change", &passwords))
        .await;
    let last = app.log_in("ann", OTHER).await;
    story.tell("session.ended", both, ann.bearer(Method::POST, "/auth/logout")).await;
    for person in [&ann, &second, &last] {
        story.remember(&person.tokens);
    }
    let delete = send(&last, Method::DELETE, "/auth/me", &json!({"password": OTHER}));
    story.tell("user.erased", both, delete).await;
}

/// What is done with keys, by a session and by a key.
async fn keys(story: &mut Story<'_>) {
    let app = story.app;
    let bob = app.user("bob").await;
    story.remember(&bob.tokens);
    let both = ("bob", "bob");
    let all = json!({"name": "deploy", "unrestricted": true});
    let made = story.tell("api_key.created", both, send(&bob, Method::POST, "/auth/api-keys", &all)).await;
    let id = made["api_key"]["id"].as_str().unwrap();
    let event = story.last().await;
    assert_eq!(event["details"], json!({"api_key": id, "name": "deploy", "rights": "unrestricted"}));
    assert_eq!(event["via"], json!({"session": bob.session()}));
    let path = |rest: &str| format!("/auth/api-keys/{id}{rest}");
    let narrow = json!({"permissions": ["account:keys"], "roles": ["user"]});
    story.tell("api_key.changed", both, send(&bob, Method::PATCH, &path(""), &narrow)).await;
    assert_eq!(story.last().await["details"]["rights"], "account:keys, role user");
    let rotate = send(&bob, Method::POST, &path("/rotate"), &json!({"overlap_seconds": 60}));
    let rotated = story.tell("api_key.rotated", both, rotate).await;
    let text = rotated["key"].as_str().unwrap();
    let by_key = |method, path: &str| app.request(method, path).header("X-API-Key", text);
    let another = by_key(Method::POST, "/auth/api-keys").json(&json!({"name": "x"}));
    story.tell("api_key.created", both, another).await;
    assert_eq!(story.last().await["via"], json!({"api_key": id}));
    story.tell("api_key.revoked", both, by_key(Method::POST, &path("/revoke"))).await;
    story.tell("api_key.deleted", both, bob.bearer(Method::DELETE, &path(""))).await;
}

/// What is done with programs and their keys.
async fn programs(story: &mut Story<'_>) {
    let root = story.root.clone();
    let robot = ("root", "robot");
    let new = json!({"name": "robot", "roles": ["reader"]});
    let made = story
        .tell("service_account.created", robot, send(&root, Method::POST, "/service-accounts", &new))
        .await;
    let path = |rest: &str| format!("/service-accounts/{}{rest}", made["id"].as_str().unwrap());
    for (action, body) in [
        ("service_account.changed", json!({"description": "x"})),
        ("service_account.disabled", json!({"is_active": false})),
        ("service_account.enabled", json!({"is_active": true})),
    ] {
        story.tell(action, robot, send(&root, Method::PATCH, &path(""), &body)).await;
    }
    let roles = send(&root, Method::PUT, &path("/roles"), &json!({"roles": []}));
    story.tell("service_account.roles_changed", robot, roles).await;
    assert_eq!(story.last().await["details"], json!({"from": "reader", "to": ""}));
    let all = json!({"name": "x", "unrestricted": true});
    let key = story.tell("api_key.created", robot, send(&root, Method::POST, &path("/api-keys"), &all)).await;
    let key = path(&format!("/api-keys/{}", key["api_key"]["id"].as_str().unwrap()));
    story.tell("api_key.changed", robot, send(&root, Method::PATCH, &key, &json!({"name": "y"}))).await;
    story
        .tell("api_key.rotated", robot, send(&root, Method::POST, &format!("{key}/rotate"), &json!({})))
        .await;
    story.tell("api_key.revoked", robot, root.bearer(Method::POST, &format!("{key}/revoke"))).await;
    story.tell("api_key.deleted", robot, root.bearer(Method::DELETE, &key)).await;
    story.tell("service_account.deleted", robot, root.bearer(Method::DELETE, &path(""))).await;
}

/// What is done with roles and permissions, and with programs between.
async fn roles_and_programs(story: &mut Story<'_>) {
    let root = story.root.clone();
    let permission = json!({"name": "billing:invoices:read"});
    let nobody = ("root", "-");
    story.tell("permission.defined", nobody, send(&root, Method::POST, "/permissions", &permission)).await;
    let role = json!({"name": "reader", "permissions": ["billing:invoices:*"], "includes": ["admin"]});
    story.tell("role.created", nobody, send(&root, Method::POST, "/roles", &role)).await;
    assert_eq!(
        story.last().await["details"],
        json!({"role": "reader", "permissions": "billing:invoices:*", "includes": "admin"})
    );
    story
        .tell("role.changed", nobody, send(&root, Method::PATCH, "/roles/reader", &json!({"includes": []})))
        .await;
    programs(story).await;
    story.tell("role.deleted", nobody, root.bearer(Method::DELETE, "/roles/reader")).await;
    story
        .tell("permission.deleted", nobody, root.bearer(Method::DELETE, "/permissions/billing:invoices:read"))
        .await;
}

/// What administrators do with accounts, and what ends by itself.
async fn other_accounts(story: &mut Story<'_>) {
    let (app, root) = (story.app, story.root.clone());
    let cy = app.user("cy").await;
    let path = |rest: &str| format!("/users/{}{rest}", cy.id());
    let both = ("root", "cy");
    for (action, body) in [
        ("user.changed", json!({"last_name": "Y", "password_change_required": true})),
        ("user.disabled", json!({"is_active": false})),
        ("user.enabled", json!({"is_active": true})),
    ] {
        story.tell(action, both, send(&root, Method::PATCH, &path(""), &body)).await;
    }
    let roles = json!({"roles": ["admin"]});
    story.tell("user.roles_changed", both, send(&root, Method::PUT, &path("/roles"), &roles)).await;
    assert_eq!(story.last().await["details"], json!({"from": "user", "to": "admin user"}));
    story.tell("session.all_revoked", both, root.bearer(Method::DELETE, &path("/sessions"))).await;
    story.tell("user.deleted", both, root.bearer(Method::DELETE, &path(""))).await;
    story.tell("user.restored", both, root.bearer(Method::POST, &path("/restore"))).await;
    story.tell("user.deleted", both, root.bearer(Method::DELETE, &path(""))).await;
    app.clock.advance_secs(31 * 24 * 3600);
    app.app.tend().await;
    story.root = app.log_in("root", PASSWORD).await;
    let erased = &events(&story.root, "action=user.erased").await[0];
    let (actor, subject) = (&erased["actor"], &erased["subject"]);
    assert_eq!(
        (&actor["type"], &subject["name"], &erased["address"]),
        (&json!("system"), &json!("cy"), &json!(""))
    );
}

#[tokio::test]
async fn every_change_leaves_one_event_that_says_all_but_the_secrets() {
    let app = TestApp::start().await;
    let mut story = Story::begin(&app).await;
    own_accounts(&mut story).await;
    keys(&mut story).await;
    roles_and_programs(&mut story).await;
    other_accounts(&mut story).await;
    let tokens = story.root.tokens.clone();
    story.remember(&tokens);
    let text = exported(&story.root, "").await;
    assert!(text.lines().count() > 45 && text.contains("\"user_agent\":\"story/1.0\""));
    for secret in &story.secrets {
        assert!(!text.contains(&secret[..secret.len().min(24)]), "{secret}");
    }
    for pattern in ["asku_", "asks_", "$argon2", "eyJ"] {
        assert!(!text.contains(pattern), "{pattern}");
    }
    all_is_well(&app).await;
}

#[tokio::test]
async fn what_the_host_does_is_the_hosts() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let ann = app.register("ann").await["id"].as_u64().unwrap();
    let accounts = &app.app.accounts;
    accounts.set_active(Initiator::host(), ann, false).await.unwrap();
    accounts.set_roles(Initiator::host(), ann, &["admin".to_owned()]).await.unwrap();
    accounts.set_password(Initiator::host(), ann, auth_service::base::Secret::new(OTHER)).await.unwrap();
    accounts.delete(Initiator::host(), ann).await.unwrap();
    let found = events(&root, &format!("subject={ann}")).await;
    let actions: Vec<_> = found.iter().map(|event| event["action"].as_str().unwrap()).collect();
    assert_eq!(
        actions,
        ["user.erased", "user.password_changed", "user.roles_changed", "user.disabled", "user.created"]
    );
    for event in &found[..4] {
        assert_eq!(
            (&event["actor"]["type"], &event["address"], &event["via"]),
            (&json!("host"), &json!(""), &json!({}))
        );
    }
    all_is_well(&app).await;
}

#[tokio::test]
async fn a_change_that_fails_leaves_no_event() {
    let app = TestApp::start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    // A wrong password is an event of its own, and a failure.
    let done = Filter { outcome: Some(Outcome::Success), ..Filter::default() };
    let count = async || app.app.audit.search(done.clone(), PageRequest::all()).await.unwrap().items.len();
    let before = count().await;
    let id = "0".repeat(32);
    for request in [
        send(&root, Method::POST, "/auth/api-keys", &json!({"name": "x", "roles": ["nope"]})),
        send(
            &root,
            Method::POST,
            "/auth/api-keys",
            &json!({"name": "x", "expires_at": "2020-01-01T00:00:00Z"}),
        ),
        send(&root, Method::PATCH, &format!("/auth/api-keys/{id}"), &json!({})),
        send(&root, Method::POST, &format!("/auth/api-keys/{id}/rotate"), &json!({})),
        root.bearer(Method::DELETE, &format!("/service-accounts/{id}")),
        send(&root, Method::POST, "/service-accounts", &json!({"name": "x", "roles": ["nope"]})),
        send(&root, Method::POST, "/roles", &json!({"name": "x", "permissions": ["no:such"]})),
        root.bearer(Method::DELETE, "/roles/admin"),
        root.bearer(Method::DELETE, &format!("/users/{}", root.id())),
        send(&root, Method::PUT, &format!("/users/{}/roles", ann.id()), &json!({"roles": ["nope"]})),
        send(
            &ann,
            Method::PATCH,
            "/auth/me",
            &json!({"email": "root@example.com", "current_password": PASSWORD}),
        ),
        send(
            &ann,
            Method::POST,
            "/auth/password/change",
            &json!({"current_password": "x", "new_password": OTHER}),
        ),
        send(&ann, Method::DELETE, "/auth/me", &json!({"password": "x"})),
        ann.bearer(Method::DELETE, &format!("/auth/sessions/{}", root.session())),
        app.request(Method::POST, "/auth/register")
            .json(&json!({"username": "ann", "email": "x@example.com", "password": PASSWORD})),
    ] {
        let status = request.send().await.unwrap().status().as_u16();
        assert!(matches!(status, 400 | 404), "{status}");
        assert_eq!(count().await, before);
    }
    all_is_well(&app).await;
}
