//! One sign-in for all clients, what users agree to, and who may use a client at all.
use auth_service::rbac::Initiator;
use reqwest::Method;
use serde_json::json;

use super::{Browser, Party};
use crate::support::TestApp;

#[tokio::test]
async fn a_second_client_does_not_ask_who_it_is_again() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let (photos, mail) = (Party::register(&root, json!({})).await, Party::register(&root, json!({})).await);
    let mut browser = Browser::new(&app);
    photos.log_in(&mut browser, "ann").await;
    let page = browser.open(&mail.asks().path()).await;
    assert!(page.has_form("consent") && !page.has_form("sign-in"), "{page:?}");
    mail.checked(&browser.agree(&page).await);
    let ours = Party::ours(&root).await;
    let page = browser.send(Method::GET, &ours.asks().path(), &[]).await;
    assert!(ours.checked(&page).contains_key("code"), "no page at all");
}

#[tokio::test]
async fn what_was_agreed_to_is_remembered_and_what_is_more_is_asked_about() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = Party::register(&root, json!({})).await;
    let mut browser = Browser::new(&app);
    photos.answer(&mut browser, &photos.asks().with("scope", "openid email"), "ann").await;
    for less in ["openid email", "openid", "email openid"] {
        let page = browser.send(Method::GET, &photos.asks().with("scope", less).path(), &[]).await;
        assert!(photos.checked(&page).contains_key("code"), "{less}");
    }
    let page = browser.open(&photos.asks().path()).await;
    assert!(page.has_form("consent"), "profile is more");
    // Nor is it got around by asking for the claim instead of the scope.
    let claims = json!({"userinfo": {"name": null}}).to_string();
    let asked = photos.asks().with("scope", "openid").with("claims", &claims);
    let page = browser.open(&asked.path()).await;
    assert!(page.text.contains("see your name"), "{page:?}");
    // Another browser, another user: nothing of it holds.
    app.register("bob").await;
    let mut other = Browser::new(&app);
    let page = other.open(&photos.asks().path()).await;
    assert!(other.sign_in(&page, "bob").await.has_form("consent"));
}

#[tokio::test]
async fn whoever_does_not_agree_gives_nothing() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = Party::register(&root, json!({})).await;
    let mut browser = Browser::new(&app);
    for said in ["refuse", "", "AGREE"] {
        let mut page = browser.open(&photos.asks().path()).await;
        if page.has_form("sign-in") {
            page = browser.sign_in(&page, "ann").await;
        }
        let page = browser.submit(&page, "consent", &[("answer", said)]).await;
        let answer = photos.checked(&page);
        assert_eq!((answer["error"].as_str(), answer.get("code")), ("access_denied", None), "{said}");
    }
    assert!(browser.open(&photos.asks().path()).await.has_form("consent"), "nothing is remembered");
}

#[tokio::test]
async fn a_client_of_our_own_does_not_ask_for_consent_unless_it_wants_to() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let ours = Party::ours(&root).await;
    let mut browser = Browser::new(&app);
    let page = browser.open(&ours.asks().path()).await;
    let page = browser.sign_in(&page, "ann").await;
    assert!(ours.checked(&page).contains_key("code"));
    let page = browser.open(&ours.asks().with("prompt", "consent").path()).await;
    assert!(page.has_form("consent"));
    assert!(ours.checked(&browser.agree(&page).await).contains_key("code"));
}

#[tokio::test]
async fn users_without_a_role_of_the_client_are_kept_out() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let staff = Party::register(&root, json!({"roles": ["admin"]})).await;
    let bob = app.user("bob").await.id();
    app.app.accounts.set_roles(Initiator::host(), bob, &["admin".to_owned()]).await.unwrap();
    let mut browser = Browser::new(&app);
    let answer = staff.answer(&mut browser, &staff.asks(), "ann").await;
    assert_eq!((answer["error"].as_str(), answer.get("code")), ("access_denied", None));
    let answer = staff.answer(&mut Browser::new(&app), &staff.asks(), "bob").await;
    assert!(answer.contains_key("code"), "{answer:?}");
}

#[tokio::test]
async fn a_consent_form_of_another_browser_is_not_taken() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    app.register("eve").await;
    let photos = Party::register(&root, json!({})).await;
    let (mut ann, mut eve) = (Browser::new(&app), Browser::new(&app));
    let page = ann.open(&photos.asks().path()).await;
    ann.sign_in(&page, "ann").await;
    let page = eve.open(&photos.asks().path()).await;
    let of_eve = eve.sign_in(&page, "eve").await;
    let agreed = [("answer", "agree")];
    let answer = ann.submit(&of_eve, "consent", &agreed).await;
    answer.is_error_page("another browser");
    let mut without = of_eve.form("consent").fields;
    without.retain(|(name, _)| name != "form");
    without.push(("answer".into(), "agree".into()));
    ann.send(Method::POST, "/oauth2/consent", &without).await.is_error_page("another browser");
    assert!(ann.open(&photos.asks().path()).await.has_form("consent"), "nothing was agreed to");
}
