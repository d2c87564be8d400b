//! What users have let clients have: they see it, and take it back at once.
use reqwest::Method;
use reqwest::header::COOKIE;
use serde_json::{Value, json};
use url::Url;

use super::{REDIRECT, is_whole, made, of, web, with};
use crate::support::{PASSWORD, Person, TestApp, set_cookie};

/// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A browser in which somebody is signed in.
struct Browser<'a> {
    app: &'a TestApp,
    cookie: String,
}

/// What a client has got.
struct Granted {
    access: String,
    refresh: String,
}

impl<'a> Browser<'a> {
    async fn of(app: &'a TestApp, name: &str) -> Self {
        let answer = app.post("/auth/token", &json!({"username": name, "password": PASSWORD})).await;
        let set = set_cookie(answer.headers(), "session_cookie");
        Self { app, cookie: set.split(';').next().unwrap().to_owned() }
    }

    /// Where a client's request leads to at first.
    async fn asks(&self, client: &str, scope: &str) -> String {
        let mut url = Url::parse(&self.app.url("/oauth2/authorize")).unwrap();
        url.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", client),
            ("redirect_uri", REDIRECT),
            ("scope", scope),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ]);
        let answer = self.app.client.get(url).header(COOKIE, &self.cookie).send().await.unwrap();
        assert_eq!(answer.status(), 303);
        answer.headers()["location"].to_str().unwrap().to_owned()
    }

    /// Lets a client have something, and gives the code that it gets.
    async fn agrees(&self, client: &str, scope: &str) -> String {
        let location = self.asks(client, scope).await;
        if location.starts_with(REDIRECT) {
            return code_in(&location);
        }
        assert!(location.starts_with("/oauth2/consent?"), "{location}");
        let page =
            self.app.request(Method::GET, &location).header(COOKIE, &self.cookie).send().await.unwrap();
        let form = set_cookie(page.headers(), "form_cookie").split(';').next().unwrap().to_owned();
        let value = form.split_once('=').unwrap().1.to_owned();
        let url = Url::parse(&self.app.url(&location)).unwrap();
        let back = url.query_pairs().find(|(name, _)| name == "continue").unwrap().1.into_owned();
        let fields = [("form", &*value), ("continue", &*back), ("answer", "agree")];
        let request = super::form(self.app.request(Method::POST, "/oauth2/consent"), &fields);
        let request = request.header(COOKIE, format!("{}; {form}", self.cookie));
        let answer = request.header("Origin", self.app.url("")).send().await.unwrap();
        assert_eq!(answer.status(), 303, "{}", answer.text().await.unwrap());
        code_in(answer.headers()["location"].to_str().unwrap())
    }

    /// The same, to the end.
    async fn lets(&self, client: &str, scope: &str) -> Granted {
        let code = self.agrees(client, scope).await;
        let answer = redeem(self.app, client, &code).await;
        let text = |name: &str| answer[name].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
        Granted { access: text("access_token"), refresh: text("refresh_token") }
    }
}

fn code_in(location: &str) -> String {
    let url = Url::parse(location).unwrap();
    let code = url.query_pairs().find(|(name, _)| name == "code");
    code.unwrap_or_else(|| panic!("{location}")).1.into_owned()
}

async fn post(app: &TestApp, client: &str, fields: &[(&str, &str)]) -> Value {
    let fields = [fields, &[("client_id", client)]].concat();
    let request = super::form(app.request(Method::POST, "/oauth2/token"), &fields);
    request.send().await.unwrap().json().await.unwrap()
}

async fn redeem(app: &TestApp, client: &str, code: &str) -> Value {
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ];
    post(app, client, &fields).await
}

impl Granted {
    /// Whether the access token opens anything, and the refresh token is worth another one.
    async fn is_good(&self, app: &TestApp, client: &str) -> (bool, bool) {
        let userinfo = app.request(Method::GET, "/oauth2/userinfo").bearer_auth(&self.access).send();
        let fields = [("grant_type", "refresh_token"), ("refresh_token", &*self.refresh)];
        let refreshed = post(app, client, &fields).await;
        assert!(
            refreshed["access_token"].is_string() || refreshed["error"] == "invalid_grant",
            "{refreshed}"
        );
        (userinfo.await.unwrap().status() == 200, refreshed["access_token"].is_string())
    }
}

/// An application that cannot keep a secret.
fn native(id: &str) -> Value {
    let body = with(web(id), "token_endpoint_auth_method", json!("none"));
    let body = with(body, "scope", json!("openid profile email offline_access"));
    with(body, "grant_types", json!(["authorization_code", "refresh_token"]))
}

fn list(who: &Person, query: &str) -> reqwest::RequestBuilder {
    who.bearer(Method::GET, &format!("/auth/consents{query}"))
}

fn withdraw(who: &Person, client: &str) -> reqwest::RequestBuilder {
    let client = client.replace(':', "%3A").replace('/', "%2F");
    who.bearer(Method::DELETE, &format!("/auth/consents/{client}"))
}

#[tokio::test]
async fn a_user_sees_what_clients_have() {
    let app = TestApp::start().await;
    let (root, ann, bob) = (app.superuser("root").await, app.user("ann").await, app.user("bob").await);
    made(&root, &with(native("b"), "client_name", json!("Photo album"))).await;
    made(&root, &native("a")).await;
    made(&root, &with(native("own"), "first_party", json!(true))).await;
    assert_eq!(app.json(list(&ann, ""), 200).await, json!({"items": [], "next_cursor": null}));
    let browser = Browser::of(&app, "ann").await;
    browser.lets("b", "openid").await;
    app.clock.advance_secs(60);
    browser.lets("b", "openid email").await;
    browser.lets("a", "openid profile").await;
    // Nobody is asked for one of our own.
    browser.lets("own", "openid").await;
    let b = json!({"client_id": "b", "client_name": "Photo album", "scopes": ["openid", "email"],
        "resources": [], "created_at": "2027-01-15T08:00:00Z", "updated_at": "2027-01-15T08:01:00Z"});
    let mut all = app.json(list(&ann, ""), 200).await;
    assert_eq!(all["items"].as_array().unwrap().len(), 2, "{all}");
    assert_eq!(all["items"][1]["grants_total"], 2);
    assert_eq!(all["items"][1]["grants"][0]["scopes"], json!(["openid"]));
    let bare = |item: &mut Value| item.as_object_mut().unwrap().retain(|name, _| !name.starts_with("grants"));
    all["items"].as_array_mut().unwrap().iter_mut().for_each(bare);
    assert_eq!((&all["items"][0]["client_id"], &all["items"][1]), (&json!("a"), &b));
    let mut first = app.json(list(&ann, "?limit=1"), 200).await;
    bare(&mut first["items"][0]);
    assert_eq!(first["items"], json!([all["items"][0]]));
    let cursor = first["next_cursor"].as_str().unwrap();
    let mut next = app.json(list(&ann, &format!("?limit=1&cursor={cursor}")), 200).await;
    bare(&mut next["items"][0]);
    assert_eq!(next, json!({"items": [b], "next_cursor": null}));
    assert_eq!(app.json(list(&bob, ""), 200).await["items"], json!([]));
    app.refuses(list(&bob, &format!("?cursor={cursor}")), "cursor").await;
    is_whole(&app);
}

#[tokio::test]
async fn what_a_user_takes_back_is_over_at_once() {
    let app = TestApp::start().await;
    let (root, ann, _) = (app.superuser("root").await, app.user("ann").await, app.user("bob").await);
    made(&root, &native("https://a.example/app")).await;
    made(&root, &native("other")).await;
    let (anns, bobs) = (Browser::of(&app, "ann").await, Browser::of(&app, "bob").await);
    let client = "https://a.example/app";
    let mine = [
        anns.lets(client, "openid").await,
        anns.lets(client, "openid offline_access").await,
        Browser::of(&app, "ann").await.lets(client, "openid").await,
    ];
    let (others, strangers) = (anns.lets("other", "openid").await, bobs.lets(client, "openid").await);
    let pending = anns.agrees(client, "openid").await;
    for granted in &mine {
        assert!(granted.is_good(&app, client).await.0);
    }
    app.clock.advance_secs(1);
    app.done(withdraw(&ann, client)).await;
    for granted in &mine {
        assert_eq!(granted.is_good(&app, client).await, (false, false));
    }
    // Neither is a code that was not redeemed yet, not even when the user agrees anew.
    assert_eq!(redeem(&app, client, &pending).await["error"], "invalid_grant");
    assert!(anns.asks(client, "openid").await.starts_with("/oauth2/consent?"), "asked anew");
    let again = anns.lets(client, "openid").await;
    assert_eq!(redeem(&app, client, &pending).await["error"], "invalid_grant");
    assert_eq!(again.is_good(&app, client).await, (true, true));
    // Nobody else's, no other client's, and no session of ours.
    assert_eq!(others.is_good(&app, "other").await, (true, true));
    assert_eq!(strangers.is_good(&app, client).await, (true, true));
    assert_eq!(ann.status().await, 200);
    app.done(withdraw(&ann, client)).await;
    for gone in [client, "nobody", "42"] {
        app.fails(withdraw(&ann, gone), 404, "NOT_FOUND").await;
    }
    let events = app.json(root.bearer(Method::GET, "/audit?action=oauth.consent_withdrawn"), 200).await;
    let events = events["items"].as_array().unwrap();
    assert_eq!(events.len(), 2);
    assert_eq!(events[1]["details"], json!({"client": client, "grants_ended": "3"}));
    assert_eq!((&events[1]["actor"]["name"], &events[1]["subject"]["name"]), (&json!("ann"), &json!("ann")));
    is_whole(&app);
}

#[tokio::test]
async fn consents_are_seen_and_taken_back_with_the_permissions_of_an_account() {
    let app = TestApp::start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    made(&root, &native("app")).await;
    Browser::of(&app, "ann").await.lets("app", "openid").await;
    let key = ann.key(json!({"name": "reader", "permissions": ["account:read"]})).await;
    let with_key = |method, path: &str| app.request(method, path).header("X-API-Key", &key);
    let seen = app.json(with_key(Method::GET, "/auth/consents"), 200).await;
    assert_eq!(seen["items"][0]["client_id"], "app");
    let details = app.fails(with_key(Method::DELETE, "/auth/consents/app"), 403, "FORBIDDEN").await;
    assert_eq!(details["permission"], "account:write");
    // Another one's are none of an administrator's.
    app.fails(withdraw(&root, "app"), 404, "NOT_FOUND").await;
    app.done(withdraw(&ann, "app")).await;
}

#[tokio::test]
async fn a_client_that_was_made_anew_has_no_consent_until_it_gets_one() {
    let app = TestApp::start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    made(&root, &native("app")).await;
    let browser = Browser::of(&app, "ann").await;
    let before = browser.lets("app", "openid email").await;
    app.done(of(&root, Method::DELETE, "app", "")).await;
    assert_eq!(app.json(list(&ann, ""), 200).await["items"], json!([]));
    app.clock.advance_secs(1);
    made(&root, &native("app")).await;
    assert_eq!(app.json(list(&ann, ""), 200).await["items"], json!([]));
    assert_eq!(before.is_good(&app, "app").await, (false, false));
    assert_eq!(browser.lets("app", "openid").await.is_good(&app, "app").await, (true, true));
    assert_eq!(app.json(list(&ann, ""), 200).await["items"][0]["scopes"], json!(["openid"]));
    assert!(browser.asks("app", "openid").await.starts_with(REDIRECT), "remembered");
}

#[tokio::test]
async fn what_an_erased_user_has_let_clients_have_goes_along() {
    let app = TestApp::start().await;
    let (root, ann, bob) = (app.superuser("root").await, app.user("ann").await, app.user("bob").await);
    made(&root, &native("app")).await;
    let mut granted = Vec::new();
    for name in ["ann", "bob", "root"] {
        granted.push(Browser::of(&app, name).await.lets("app", "openid offline_access").await);
    }
    let rows = |table: &str| {
        let findings = app.app.store.verify(&auth_service::app::CHECKS.concat()).unwrap();
        assert_eq!(findings.problems, Vec::<String>::new());
        findings.tables[table]
    };
    assert_eq!((rows("oauth.consent"), rows("oauth.grant")), (3, 3));
    app.done(ann.bearer(Method::DELETE, "/auth/me").json(&json!({"password": PASSWORD}))).await;
    assert_eq!((rows("oauth.consent"), rows("oauth.grant")), (2, 2));
    app.done(root.bearer(Method::DELETE, &format!("/users/{}", bob.id()))).await;
    for gone in &granted[..2] {
        assert_eq!(gone.is_good(&app, "app").await, (false, false));
    }
    app.clock.advance_secs(31 * 24 * 3600);
    app.app.tend().await;
    assert_eq!(rows("oauth.consent"), 1, "the recycle bin is empty by now");
}
