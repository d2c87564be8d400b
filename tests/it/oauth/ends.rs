//! What ends with what: revocation (RFC 7009), introspection (RFC 7662), and the ends of sessions, users and clients.
use reqwest::Method;
use serde_json::{Value, json};

use super::{Browser, Fields, Party, is_refused};
use crate::support::{PASSWORD, Person, TestApp};

/// A user whose browser has given a client tokens.
struct World<'a> {
    root: Person<'a>,
    photos: Party<'a>,
    browser: Browser<'a>,
    id: u64,
}

impl<'a> World<'a> {
    async fn new(app: &'a TestApp) -> World<'a> {
        let root = app.superuser("root").await;
        let photos = Party::ours(&root).await;
        let id = app.user("ann").await.id();
        World { root, photos, browser: Browser::new(app), id }
    }

    async fn tokens(&mut self) -> Value {
        self.photos.log_in(&mut self.browser, "ann").await
    }

    async fn offline_tokens(&mut self) -> Value {
        self.photos.log_in_for(&mut self.browser, "ann", "openid offline_access").await
    }

    async fn revoke(&self, by: &Party<'_>, token: &Value) -> reqwest::Response {
        let fields = Fields(Vec::new()).with("token", token.as_str().unwrap());
        by.request("/oauth2/revoke", fields).send().await.unwrap()
    }
}

#[tokio::test]
async fn a_refresh_token_that_is_given_back_ends_the_grant_and_an_access_token_itself_alone() {
    let app = TestApp::start().await;
    let mut world = World::new(&app).await;
    let tokens = world.tokens().await;
    let answer = world.revoke(&world.photos, &tokens["access_token"]).await;
    assert_eq!((answer.status().as_u16(), answer.text().await.unwrap()), (200, String::new()));
    is_refused(world.photos.userinfo(&tokens).send().await.unwrap(), 401, "invalid_token").await;
    let next = world.photos.tokens(world.photos.refreshes(&tokens)).await;
    assert_eq!(world.photos.userinfo(&next).send().await.unwrap().status(), 200);
    // One that was used before is as good for this.
    assert_eq!(world.revoke(&world.photos, &tokens["refresh_token"]).await.status(), 200);
    assert!(!world.photos.are_good(&next).await);
    // What is none, and what is none any more, is good for nothing already.
    for nothing in [json!("x"), json!("asg_x"), tokens["refresh_token"].clone(), next["access_token"].clone()]
    {
        assert_eq!(world.revoke(&world.photos, &nothing).await.status(), 200);
    }
}

#[tokio::test]
async fn a_client_gives_back_only_what_is_its_own_and_proves_who_it_is() {
    let app = TestApp::start().await;
    let mut world = World::new(&app).await;
    let tokens = world.tokens().await;
    let other = Party::ours(&world.root).await;
    for name in ["access_token", "refresh_token"] {
        let answer = world.revoke(&other, &tokens[name]).await;
        is_refused(answer, 400, "unauthorized_client").await;
    }
    let fields = Fields(Vec::new()).with("token", tokens["refresh_token"].as_str().unwrap());
    let nobody = fields.clone().with("client_id", &world.photos.id).post(&app, "/oauth2/revoke");
    is_refused(nobody.send().await.unwrap(), 401, "invalid_client").await;
    let nothing = world.photos.request("/oauth2/revoke", Fields(Vec::new()));
    is_refused(nothing.send().await.unwrap(), 400, "invalid_request").await;
    assert!(world.photos.are_good(&tokens).await);
}

#[tokio::test]
async fn a_client_learns_what_its_own_tokens_are_worth() {
    let app = TestApp::start().await;
    let mut world = World::new(&app).await;
    let tokens = world.tokens().await;
    let photos = &world.photos;
    let told = photos.introspect(&tokens["access_token"]).await;
    assert_eq!((&told["active"], &told["username"]), (&json!(true), &json!("ann")));
    assert_eq!((&told["client_id"], &told["token_type"]), (&json!(photos.id), &json!("Bearer")));
    assert_eq!((&told["scope"], &told["sub"]), (&tokens["scope"], &json!(world.id.to_string())));
    assert!(told["exp"].as_i64().unwrap() - told["iat"].as_i64().unwrap() == 900 && told["aud"].is_array());
    let told = photos.introspect(&tokens["refresh_token"]).await;
    assert_eq!((&told["active"], &told["client_id"]), (&json!(true), &json!(photos.id)));
    assert!(told.get("token_type").is_none());
    let dead = json!({"active": false});
    for token in [json!("x"), json!("asg_x"), tokens["id_token"].clone(), json!(world.root.tokens.access)] {
        assert_eq!(photos.introspect(&token).await, dead, "{token}");
    }
    world.photos.tokens(world.photos.refreshes(&tokens)).await;
    assert_eq!(photos.introspect(&tokens["refresh_token"]).await, dead, "it was used");
    app.clock.advance_secs(900);
    assert_eq!(photos.introspect(&tokens["access_token"]).await, dead, "it is over");
}

#[tokio::test]
async fn of_tokens_of_others_learns_only_who_may() {
    let app = TestApp::start().await;
    let mut world = World::new(&app).await;
    let tokens = world.tokens().await;
    let curious = Party::ours(&world.root).await;
    let also = json!({"introspect": true, "grant_types": ["client_credentials"]});
    let api = Party::register(&world.root, also).await;
    assert_eq!(curious.introspect(&tokens["access_token"]).await, json!({"active": false}));
    assert_eq!(api.introspect(&tokens["access_token"]).await["username"], "ann");
    assert_eq!(
        api.introspect(&tokens["refresh_token"]).await,
        json!({"active": false}),
        "its client's alone"
    );
    let public = Party::register(&world.root, json!({"token_endpoint_auth_method": "none"})).await;
    let fields = Fields(Vec::new()).with("token", tokens["access_token"].as_str().unwrap());
    let asks = public.request("/oauth2/introspect", fields.clone());
    is_refused(asks.send().await.unwrap(), 400, "unauthorized_client").await;
    let nobody = fields.post(&app, "/oauth2/introspect").send().await.unwrap();
    is_refused(nobody, 401, "invalid_client").await;
}

#[tokio::test]
async fn what_came_of_a_session_ends_with_it_but_for_what_is_for_when_the_user_is_away() {
    let app = TestApp::start().await;
    let mut world = World::new(&app).await;
    let (tokens, offline) = (world.tokens().await, world.offline_tokens().await);
    let code = world.photos.code(&mut world.browser, "ann").await;
    let sid = crate::support::jwt::claims(tokens["id_token"].as_str().unwrap())["sid"].clone();
    let path = format!("/auth/sessions/{}", sid.as_str().unwrap());
    let ann = app.log_in("ann", PASSWORD).await;
    app.done(ann.bearer(Method::DELETE, &path)).await;
    assert!(!world.photos.are_good(&tokens).await);
    world.photos.fails(world.photos.redeems(&code), 400, "invalid_grant").await;
    assert!(world.photos.are_good(&offline).await);
    assert!(world.browser.open(&world.photos.asks().path()).await.has_form("sign-in"));
}

#[tokio::test]
async fn a_changed_password_ends_what_was_granted_elsewhere_also_for_when_the_user_is_away() {
    let app = TestApp::start().await;
    let mut world = World::new(&app).await;
    let (tokens, offline) = (world.tokens().await, world.offline_tokens().await);
    let ann = app.log_in("ann", PASSWORD).await;
    let body = json!({"current_password": PASSWORD, "new_password": "staple 17 of the donkey"});
    let changed = ann.bearer(Method::POST, "/auth/password/change").json(&body).send().await.unwrap();
    assert!(changed.status().is_success(), "{}", changed.text().await.unwrap());
    assert!(!world.photos.are_good(&tokens).await);
    assert!(!world.photos.are_good(&offline).await);
}

#[tokio::test]
async fn a_user_who_is_switched_off_or_deleted_stands_behind_no_token() {
    let app = TestApp::start().await;
    let mut world = World::new(&app).await;
    let (tokens, offline) = (world.tokens().await, world.offline_tokens().await);
    let path = format!("/users/{}", world.id);
    let off = world.root.bearer(Method::PATCH, &path).json(&json!({"is_active": false}));
    app.json(off, 200).await;
    assert!(!world.photos.are_good(&tokens).await && !world.photos.are_good(&offline).await);
    assert_eq!(world.photos.introspect(&offline["access_token"]).await, json!({"active": false}));
    let on = world.root.bearer(Method::PATCH, &path).json(&json!({"is_active": true}));
    app.json(on, 200).await;
    let tokens = world.offline_tokens().await;
    let gone = world.root.bearer(Method::DELETE, &path).send().await.unwrap();
    assert!(gone.status().is_success());
    assert!(!world.photos.are_good(&tokens).await);
}

#[tokio::test]
async fn a_client_that_is_switched_off_or_deleted_has_nothing() {
    let app = TestApp::start().await;
    let mut world = World::new(&app).await;
    let tokens = world.tokens().await;
    let path = format!("/oauth-clients/{}", world.photos.id);
    let switch = |on: bool| world.root.bearer(Method::PATCH, &path).json(&json!({"is_active": on}));
    app.json(switch(false), 200).await;
    is_refused(world.photos.userinfo(&tokens).send().await.unwrap(), 401, "invalid_token").await;
    world.photos.fails(world.photos.refreshes(&tokens), 401, "invalid_client").await;
    world.browser.open(&world.photos.asks().path()).await.is_error_page("client_id");
    app.json(switch(true), 200).await;
    assert!(world.photos.are_good(&tokens).await);
    app.done(world.root.bearer(Method::DELETE, &path)).await;
    is_refused(world.photos.userinfo(&tokens).send().await.unwrap(), 401, "invalid_token").await;
    // One that is made anew under the same name has nothing of the one before.
    app.clock.advance_secs(1);
    let also = json!({"client_id": world.photos.id, "first_party": true});
    let anew = Party::register(&world.root, also).await;
    is_refused(anew.userinfo(&tokens).send().await.unwrap(), 401, "invalid_token").await;
    anew.fails(anew.refreshes(&tokens), 400, "invalid_grant").await;
}

#[tokio::test]
async fn signing_in_again_in_the_same_browser_keeps_what_was_granted() {
    let app = TestApp::start().await;
    let mut world = World::new(&app).await;
    let tokens = world.tokens().await;
    app.clock.advance_secs(2);
    let page = world.browser.open(&world.photos.asks().with("prompt", "login").path()).await;
    let page = world.browser.sign_in(&page, "ann").await;
    assert!(world.photos.checked(&page).contains_key("code"));
    assert!(world.photos.are_good(&tokens).await);
    // Another user in the same browser ends the session, and what belongs to it.
    app.register("bob").await;
    let tokens = world.tokens().await;
    app.clock.advance_secs(2);
    let page = world.browser.open(&world.photos.asks().with("prompt", "login").path()).await;
    let page = world.browser.sign_in(&page, "bob").await;
    assert!(world.photos.checked(&page).contains_key("code"));
    assert!(!world.photos.are_good(&tokens).await);
}
