//! When a user is asked, and when not: prompt, max_age, id_token_hint (OpenID Connect Core section 3.1.2).
use reqwest::Method;
use serde_json::{Value, json};

use super::{Browser, Fields, Party};
use crate::support::{TestApp, jwt};

async fn id_token(party: &Party<'_>, code: &str) -> Value {
    let tokens = party.tokens(party.redeems(code)).await;
    jwt::claims(tokens["id_token"].as_str().unwrap())
}

#[tokio::test]
async fn prompt_none_shows_no_page_whatever_would_have_to_be_asked() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = Party::register(&root, json!({})).await;
    let silent = photos.asks().with("prompt", "none");
    let mut browser = Browser::new(&app);
    let answer = |page| photos.checked(&page);
    let got = answer(browser.send(Method::GET, &silent.path(), &[]).await);
    assert_eq!(got["error"], "login_required");
    let page = browser.open(&photos.asks().path()).await;
    let page = browser.sign_in(&page, "ann").await;
    let got = answer(browser.send(Method::GET, &silent.path(), &[]).await);
    assert_eq!(got["error"], "consent_required");
    let first = photos.checked(&browser.agree(&page).await)["code"].clone();
    let first = id_token(&photos, &first).await;
    app.clock.advance_secs(5);
    let got = answer(browser.send(Method::GET, &silent.path(), &[]).await);
    let second = id_token(&photos, &got["code"]).await;
    assert_eq!((&first["auth_time"], &first["sub"]), (&second["auth_time"], &second["sub"]));
}

/// Opens a request that must ask for the password again, though the user is signed in.
async fn asks_again(browser: &mut Browser<'_>, photos: &Party<'_>, asked: &Fields) -> Value {
    let page = browser.open(&asked.path()).await;
    assert!(page.has_form("sign-in"), "{}: {page:?}", asked.text());
    // To go back does not help, nor does the address with which one comes back.
    let back = page.form("sign-in").fields.into_iter().find(|(name, _)| name == "continue").unwrap().1;
    assert!(browser.open(&back).await.has_form("sign-in"), "{back}");
    photos.app.clock.advance_secs(2);
    let answer = photos.checked(&browser.sign_in(&page, "ann").await);
    id_token(photos, &answer["code"]).await
}

#[tokio::test]
async fn prompt_login_and_an_old_login_ask_again_once() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = Party::ours(&root).await;
    let mut browser = Browser::new(&app);
    let code = photos.code(&mut browser, "ann").await;
    let mut last = id_token(&photos, &code).await;
    for (name, value) in [("prompt", "login"), ("max_age", "1"), ("max_age", "0")] {
        app.clock.advance_secs(2);
        let next = asks_again(&mut browser, &photos, &photos.asks().with(name, value)).await;
        assert!(next["auth_time"].as_i64() > last["auth_time"].as_i64(), "{name} {value}");
        assert_eq!(next["sub"], last["sub"]);
        last = next;
    }
    let asked = photos.asks().with("max_age", "10000");
    let page = browser.send(Method::GET, &asked.path(), &[]).await;
    let again = id_token(&photos, &photos.checked(&page)["code"]).await;
    assert_eq!(again["auth_time"], last["auth_time"], "young enough");
    app.clock.advance_secs(10_001);
    let late = asked.with("prompt", "none");
    let page = browser.send(Method::GET, &late.path(), &[]).await;
    assert_eq!(photos.checked(&page)["error"], "login_required");
}

#[tokio::test]
async fn prompt_consent_asks_what_was_agreed_to_before() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = Party::register(&root, json!({})).await;
    let mut browser = Browser::new(&app);
    photos.code(&mut browser, "ann").await;
    let asked = photos.asks().with("prompt", "consent");
    let page = browser.open(&asked.path()).await;
    assert!(page.has_form("consent"), "{page:?}");
    assert!(photos.checked(&browser.agree(&page).await).contains_key("code"));
    assert!(browser.open(&asked.path()).await.has_form("consent"), "each time");
    app.clock.advance_secs(2);
    let both = photos.asks().with("prompt", "login consent");
    let page = browser.open(&both.path()).await;
    let page = browser.sign_in(&page, "ann").await;
    assert!(page.has_form("consent"), "first one, then the other: {page:?}");
    assert!(photos.checked(&browser.agree(&page).await).contains_key("code"));
}

#[tokio::test]
async fn an_id_token_hint_is_about_whoever_is_signed_in() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    app.register("bob").await;
    let photos = Party::ours(&root).await;
    let (mut ann, mut bob) = (Browser::new(&app), Browser::new(&app));
    let tokens = photos.log_in(&mut ann, "ann").await;
    let hint = tokens["id_token"].as_str().unwrap();
    photos.log_in(&mut bob, "bob").await;
    let asked = photos.asks().with("prompt", "none").with("id_token_hint", hint);
    // Its time may be over (OpenID Connect Core section 3.1.2.1).
    app.clock.advance_secs(7200);
    let page = ann.send(Method::GET, &asked.path(), &[]).await;
    assert!(photos.checked(&page).contains_key("code"));
    let page = bob.send(Method::GET, &asked.path(), &[]).await;
    assert_eq!(photos.checked(&page)["error"], "login_required");
    let page = ann.send(Method::GET, &asked.with("id_token_hint", "no.ne.").path(), &[]).await;
    assert_eq!(photos.checked(&page)["error"], "login_required");
}

#[tokio::test]
async fn another_time_of_beginning_is_not_believed() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = Party::ours(&root).await;
    let mut browser = Browser::new(&app);
    let page = browser.open(&photos.asks().path()).await;
    let back = page.form("sign-in").fields.into_iter().find(|(name, _)| name == "continue").unwrap().1;
    let began = back.rsplit_once("began=").unwrap().1.to_owned();
    browser.sign_in(&page, "ann").await;
    for mark in [began.as_str(), "", "AAAA"] {
        // One that was made for another request says nothing of this one.
        let asked = photos.asks().with("prompt", "login").with("began", mark);
        assert!(browser.open(&asked.path()).await.has_form("sign-in"), "{mark}");
    }
}

#[tokio::test]
async fn what_was_begun_in_another_browser_is_not_gone_on_with() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = Party::ours(&root).await;
    let asked = photos.asks().with("prompt", "login");
    let page = Browser::new(&app).open(&asked.path()).await;
    let begun = page.form("sign-in").fields.into_iter().find(|(name, _)| name == "continue").unwrap().1;
    app.clock.advance_secs(2);
    // Whoever signs in afterwards, for something else, was not asked for this.
    let mut ann = Browser::new(&app);
    photos.code(&mut ann, "ann").await;
    assert!(ann.open(&begun).await.has_form("sign-in"));
    // In a browser of its own the same is enough.
    let page = ann.open(&asked.path()).await;
    app.clock.advance_secs(2);
    assert!(photos.checked(&ann.sign_in(&page, "ann").await).contains_key("code"));
}
