//! Logging out as a client wants it (OpenID Connect RP-Initiated Logout 1.0).
use reqwest::Method;
use serde_json::{Value, json};

use super::{Browser, Fields, Page, Party};
use crate::support::TestApp;

const BYE: &str = "https://photos.example/bye";

fn hint(tokens: &Value) -> Fields {
    Fields(Vec::new()).with("id_token_hint", tokens["id_token"].as_str().unwrap())
}

fn path(fields: &Fields) -> String {
    format!("/oauth2/logout?{}", fields.text())
}

async fn party(app: &TestApp) -> Party<'_> {
    let root = app.superuser("root").await;
    app.register("ann").await;
    Party::register(&root, json!({"first_party": true, "post_logout_redirect_uris": [BYE]})).await
}

async fn is_signed_in(browser: &mut Browser<'_>, photos: &Party<'_>) -> bool {
    let asked = photos.asks().with("prompt", "none");
    let answer = photos.checked(&browser.send(Method::GET, &asked.path(), &[]).await);
    answer.contains_key("code")
}

#[tokio::test]
async fn a_client_that_shows_its_id_token_signs_its_user_out_and_gets_it_back() {
    let app = TestApp::start().await;
    let photos = party(&app).await;
    for method in [Method::GET, Method::POST] {
        let mut browser = Browser::new(&app);
        let tokens = photos.log_in(&mut browser, "ann").await;
        let fields = hint(&tokens).with("post_logout_redirect_uri", BYE).with("state", "s & t");
        // Its time may be over.
        app.clock.advance_secs(3700);
        let page = match method {
            Method::GET => browser.send(Method::GET, &path(&fields), &[]).await,
            _ => {
                // A browser holds back our cookies where another site posts, and sends them where it is led to.
                let cookies = std::mem::take(&mut browser.cookies);
                let led = browser.send(Method::POST, "/oauth2/logout", &fields.0).await;
                browser.cookies = cookies;
                browser.follow(led).await
            }
        };
        assert_eq!(page.location().as_deref(), Some("https://photos.example/bye?state=s+%26+t"));
        assert!(!is_signed_in(&mut browser, &photos).await);
        assert!(!photos.are_good(&tokens).await);
    }
}

#[tokio::test]
async fn without_a_state_none_comes_back_and_without_an_address_nobody_is_led_away() {
    let app = TestApp::start().await;
    let photos = party(&app).await;
    let mut browser = Browser::new(&app);
    let tokens = photos.log_in(&mut browser, "ann").await;
    let fields = hint(&tokens).with("post_logout_redirect_uri", BYE);
    let page = browser.send(Method::GET, &path(&fields), &[]).await;
    assert_eq!(page.location().as_deref(), Some(BYE));
    let tokens = photos.log_in(&mut browser, "ann").await;
    let page = browser.send(Method::GET, &path(&hint(&tokens).with("state", "x")), &[]).await;
    assert!(page.status == 200 && page.text.contains("You are signed out"), "{page:?}");
    page.is_shielded();
    assert!(!is_signed_in(&mut browser, &photos).await);
}

#[tokio::test]
async fn an_address_that_nobody_vouches_for_leads_nowhere() {
    let app = TestApp::start().await;
    let photos = party(&app).await;
    let mut browser = Browser::new(&app);
    let tokens = photos.log_in(&mut browser, "ann").await;
    let text = tokens["id_token"].as_str().unwrap();
    let modified = format!("{}A{}", &text[..text.len() - 9], &text[text.len() - 8..]);
    let none = || Fields(Vec::new());
    for fields in [
        hint(&tokens).with("post_logout_redirect_uri", "https://evil.example/"),
        hint(&tokens).with("post_logout_redirect_uri", "https://photos.example/bye?x=1"),
        hint(&tokens).with("post_logout_redirect_uri", "https://photos.example/bye/"),
        none().with("post_logout_redirect_uri", BYE),
        none().with("post_logout_redirect_uri", BYE).with("client_id", &photos.id),
        none().with("post_logout_redirect_uri", BYE).with("id_token_hint", &modified),
        none().with("post_logout_redirect_uri", BYE).with("id_token_hint", "x"),
        hint(&tokens).with("post_logout_redirect_uri", BYE).with("client_id", "another"),
    ] {
        let page = browser.send(Method::GET, &path(&fields), &[]).await;
        page.is_error_page("");
        assert!(is_signed_in(&mut browser, &photos).await, "{}", fields.text());
    }
}

fn is_asked(page: &Page) {
    assert!(page.status == 200 && page.has_form("sign-out"), "{page:?}");
    page.is_shielded();
}

#[tokio::test]
async fn whoever_merely_links_to_the_page_signs_nobody_out() {
    let app = TestApp::start().await;
    let photos = party(&app).await;
    let mut browser = Browser::new(&app);
    photos.log_in(&mut browser, "ann").await;
    let other = photos.log_in(&mut Browser::new(&app), "ann").await;
    let none = || Fields(Vec::new());
    for fields in [none(), none().with("state", "x"), none().with("id_token_hint", "x"), hint(&other)] {
        is_asked(&browser.send(Method::GET, &path(&fields), &[]).await);
        assert!(is_signed_in(&mut browser, &photos).await);
    }
    for forged in [none().with("answer", "yes"), none().with("answer", "yes").with("form", "x")] {
        browser.send(Method::GET, &path(&forged), &[]).await.is_error_page("another browser");
        browser.send(Method::POST, "/oauth2/logout", &forged.0).await.is_error_page("another browser");
        assert!(is_signed_in(&mut browser, &photos).await);
    }
    // Who says yes is out, and led to where its client's token vouches for.
    let fields = hint(&other).with("post_logout_redirect_uri", BYE).with("state", "x");
    let page = browser.send(Method::GET, &path(&fields), &[]).await;
    is_asked(&page);
    let page = browser.submit(&page, "sign-out", &[("answer", "yes")]).await;
    assert_eq!(page.location().as_deref(), Some("https://photos.example/bye?state=x"));
    assert!(!is_signed_in(&mut browser, &photos).await);
    assert!(photos.are_good(&other).await, "the other browser stays");
}

#[tokio::test]
async fn whoever_is_signed_out_already_is_told_so() {
    let app = TestApp::start().await;
    let photos = party(&app).await;
    let tokens = photos.log_in(&mut Browser::new(&app), "ann").await;
    let mut browser = Browser::new(&app);
    let page = browser.open("/oauth2/logout").await;
    assert!(page.status == 200 && page.text.contains("You are signed out"), "{page:?}");
    let fields = hint(&tokens).with("post_logout_redirect_uri", BYE);
    let page = browser.send(Method::GET, &path(&fields), &[]).await;
    assert_eq!(page.location().as_deref(), Some(BYE));
    assert!(photos.are_good(&tokens).await, "the session is another browser's");
}
