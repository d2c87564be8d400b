//! What links in mails lead to: nothing happens before a form is sent, and no token stands where others read it.
use auth_service::rbac::Initiator;
use reqwest::Method;
use serde_json::json;

use crate::mail::{forget, mail, mails, with_mail};
use crate::oauth::Browser;
use crate::support::{PASSWORD, TestApp};

const ANN: &str = "ann@example.com";
const NEW: &str = "staple 17 of the donkey";

#[tokio::test]
async fn a_program_that_opens_every_link_of_a_mail_uses_up_nothing() {
    let app = with_mail().start().await;
    app.register("ann").await;
    mails(&app).await;
    forget(&app, ANN).await;
    let sent = mail(&app, ANN).await;
    let token = sent.token("asp_");
    let link = sent.text.lines().find(|line| line.starts_with("http")).unwrap();
    let (page, behind) = link.split_once('#').unwrap();
    assert!(!page.contains(&token) && behind == format!("token={token}"), "{link}");
    let path = page.split_once("/account/").unwrap().1;
    for _ in 0..3 {
        // Even by one that sends what browsers keep to themselves.
        for query in [String::new(), format!("?token={token}")] {
            let page = app.get(&format!("/account/{path}{query}")).await;
            assert_eq!(page.status(), 200);
            assert!(!page.text().await.unwrap().contains(&token), "it is not taken from a query");
        }
    }
    let mut browser = Browser::new(&app);
    let page = browser.open("/account/reset-password").await;
    let done = browser
        .submit(&page, "reset-password", &[("token", &format!(" {token} ")), ("new_password", NEW)])
        .await;
    assert!(done.status == 200 && !done.text.contains(&token), "{done:?}");
    app.log_in("ann", NEW).await;
}

#[tokio::test]
async fn an_address_is_changed_by_the_form_of_the_mailed_page() {
    let app = with_mail().start().await;
    let ann = app.user("ann").await;
    mails(&app).await;
    let change = json!({"email": "new@example.com", "current_password": PASSWORD});
    app.json(ann.bearer(Method::PATCH, "/auth/me").json(&change), 200).await;
    let all = mails(&app).await;
    let token = all.iter().find(|mail| mail.to == "new@example.com").unwrap().token("ase_");
    let mut browser = Browser::new(&app);
    let page = browser.open("/account/confirm-email").await;
    let page = browser.submit(&page, "confirm-email", &[("token", &token)]).await;
    assert!(page.text.contains("Your account has this address now"), "{page:?}");
    assert_eq!(ann.profile().await["email"], "new@example.com");
}

#[tokio::test]
async fn a_recovery_begins_a_session_and_shows_the_way_to_what_is_to_be_set_in_order() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let (token, _) = app.app.recoveries.start(Initiator::host(), ann.id()).await.unwrap();
    let mut browser = Browser::new(&app);
    let page = browser.open("/account/recover").await;
    let empty = browser.submit(&page, "recover", &[]).await;
    assert!(empty.status == 400 && empty.text.contains("Please fill this in"), "{empty:?}");
    let done = browser.submit(&page, "recover", &[("token", token.expose())]).await;
    assert_eq!((done.status, done.link("next").as_str()), (200, "/account/passkeys"));
    assert!(
        browser.cookies.contains_key("session_cookie") && browser.cookies.contains_key("access_token_cookie")
    );
    ann.is_out("TOKEN_REVOKED").await;
    // The password is the old one, for none was typed.
    app.log_in("ann", PASSWORD).await;
}

#[tokio::test]
async fn whoever_is_signed_in_has_the_mail_sent_again() {
    let app = with_mail().start().await;
    app.register("ann").await;
    let first = mail(&app, ANN).await.token("asv_");
    let mut browser = Browser::new(&app);
    assert!(!browser.open("/account/verify-email").await.has_form("resend"), "nobody is signed in");
    let page = browser.open("/oauth2/sign-in?continue=%2Faccount%2Fpasskeys").await;
    browser.sign_in(&page, "ann").await;
    let page = browser.open("/account/verify-email").await;
    let sent = browser.submit(&page, "resend", &[("answer", "resend")]).await;
    assert!(sent.status == 200 && sent.text.contains(ANN), "{sent:?}");
    let second = mail(&app, ANN).await.token("asv_");
    let wrong = browser.submit(&page, "verify-email", &[("token", &first)]).await;
    assert_eq!(wrong.status, 400, "{wrong:?}");
    let done = browser.submit(&page, "verify-email", &[("token", &second)]).await;
    assert!(done.text.contains("The address is confirmed"), "{done:?}");
    let again = browser.submit(&page, "resend", &[("answer", "resend")]).await;
    assert!(again.text.contains("The address is confirmed"), "{again:?}");
    // Nobody sends mails by a forged form.
    browser.cookies.remove("form_cookie");
    browser.submit(&page, "resend", &[("answer", "resend")]).await.is_error_page("cookies are off");
}
