//! What a token is for (RFC 8707), as far as its client may ask for it.
use serde_json::{Value, json};

use super::{Browser, Fields, Party, is_refused, issuer};
use crate::support::{TestApp, jwt};

const API: &str = "https://api.example/v1";
const OTHER: &str = "https://other.example/";

fn audience(tokens: &Value) -> Value {
    jwt::claims(tokens["access_token"].as_str().unwrap())["aud"].clone()
}

#[tokio::test]
async fn a_token_is_for_what_was_asked_for_and_can_be_narrowed() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let also = json!({"resources": [API, OTHER], "first_party": true});
    let photos = Party::register(&root, also).await;
    let mut browser = Browser::new(&app);
    let asked = photos.asks().and("resource", API).and("resource", OTHER);
    let code = photos.answer(&mut browser, &asked, "ann").await["code"].clone();
    let both = photos.tokens(photos.redeems(&code)).await;
    // Who asks about a login asks this server about its user, too.
    assert_eq!(audience(&both), json!([API, OTHER, issuer(&app)]));
    assert_eq!(photos.userinfo(&both).send().await.unwrap().status(), 200);
    let one = photos.tokens(photos.refreshes(&both).with("resource", API)).await;
    assert_eq!(audience(&one), json!([API, issuer(&app)]));
    let more = photos.refreshes(&one).with("resource", "https://third.example/");
    photos.fails(more, 400, "invalid_target").await;

    let asked = photos.asks().with("scope", "email").with("resource", API);
    let code = photos.answer(&mut browser, &asked, "ann").await["code"].clone();
    photos.fails(photos.redeems(&code).with("resource", OTHER), 400, "invalid_target").await;
    let tokens = photos.tokens(photos.redeems(&code)).await;
    assert_eq!(audience(&tokens), API);
    is_refused(photos.userinfo(&tokens).send().await.unwrap(), 403, "insufficient_scope").await;
}

#[tokio::test]
async fn a_consent_for_one_resource_is_none_for_another() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = Party::register(&root, json!({"resources": [API, OTHER]})).await;
    let mut browser = Browser::new(&app);
    photos.answer(&mut browser, &photos.asks().with("resource", API), "ann").await;
    let page = browser.open(&photos.asks().with("resource", OTHER).path()).await;
    assert!(page.has_form("consent") && page.text.contains("other.example"), "{page:?}");
    let page = browser.open(&photos.asks().with("resource", API).path()).await;
    assert!(photos.checked(&page).contains_key("code"));
}

#[tokio::test]
async fn a_client_that_acts_for_itself_asks_for_what_it_may() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let also = json!({"resources": [API], "grant_types": ["client_credentials"]});
    let machine = Party::register(&root, also).await;
    let asks = || Fields(Vec::new()).with("grant_type", "client_credentials");
    assert_eq!(audience(&machine.tokens(asks().with("resource", API)).await), API);
    assert_eq!(audience(&machine.tokens(asks()).await), issuer(&app));
    machine.fails(asks().with("resource", OTHER), 400, "invalid_target").await;
}
