//! Making an account, and having another password, on pages.
use reqwest::Method;
use serde_json::json;

use crate::mail::{mail, mails, with_mail};
use crate::oauth::{Browser, Party};
use crate::support::{PASSWORD, Setup, TestApp};

const ANN: &str = "ann@example.com";
const NEW: &str = "staple 17 of the donkey";

const TYPED: [(&str, &str); 3] = [("username", "ann"), ("email", ANN), ("password", PASSWORD)];

#[tokio::test]
async fn whoever_makes_an_account_goes_on_to_the_application() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let photos = Party::ours(&root).await;
    let mut browser = Browser::new(&app);
    let first = browser.open(&photos.asks().path()).await;
    let page = browser.open(&first.link("register")).await;
    assert!(page.has_form("register"), "{page:?}");
    page.is_shielded();
    // Browsers hold the whole way of a form against the policy of its page.
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("form-action 'self' https://photos.example;"), "{policy}");
    let done = browser.submit(&page, "register", &TYPED).await;
    let code = photos.checked(&done)["code"].clone();
    assert!(photos.tokens(photos.redeems(&code)).await["id_token"].is_string());
    // Sent twice: it is there already, and is not made again.
    let again = browser.submit(&page, "register", &TYPED).await;
    assert!(again.status == 400 && again.text.contains("Somebody has this already"), "{again:?}");
}

#[tokio::test]
async fn what_is_wrong_stands_at_its_field_and_what_was_typed_stays() {
    let app = TestApp::start().await;
    app.register("bob").await;
    let mut browser = Browser::new(&app);
    let page = browser.open("/account/register").await;
    for (name, email, password, field, words) in [
        ("b b", ANN, PASSWORD, "username", "It may have letters, digits"),
        ("", ANN, PASSWORD, "username", "It must have 1 to 64 characters"),
        ("bob", ANN, PASSWORD, "username", "Somebody has this already"),
        ("ann", "bob@example.com", PASSWORD, "email", "Somebody has this already"),
        ("ann", "nowhere", PASSWORD, "email", "This is not an e-mail address"),
        ("ann", ANN, "seven77", "password", "It must have 8 to 256 characters"),
        ("ann", ANN, "password1234", "password", "It is one of the most common passwords"),
        ("correct-horse", ANN, "correct-horse 7", "password", "It must not hold the user name"),
    ] {
        let typed = [("username", name), ("email", email), ("password", password)];
        let page = browser.submit(&page, "register", &typed).await;
        assert_eq!(page.status, 400, "{words}");
        let said = format!("<p class=\"wrong\" id=\"{field}-error\" role=\"alert\">{words}");
        assert!(page.text.contains(&said), "{said}: {}", page.text);
        assert_eq!(page.text.matches("role=\"alert\"").count(), 1, "{}", page.text);
        assert!(page.text.contains(&format!("aria-describedby=\"{field}-error")), "{}", page.text);
        for kept in [name, email].into_iter().filter(|text| !text.is_empty()) {
            assert!(page.text.contains(&format!("value=\"{kept}\"")), "{kept}: {}", page.text);
        }
        assert!(!page.text.contains(&format!("value=\"{password}\"")), "{}", page.text);
    }
    assert!(!browser.cookies.contains_key("session_cookie"));
}

#[tokio::test]
async fn a_form_without_its_cookie_or_of_another_browser_does_nothing() {
    let app = with_mail().start().await;
    let (mut browser, mut other) = (Browser::new(&app), Browser::new(&app));
    for (path, id, typed) in [
        ("/account/register", "register", TYPED.to_vec()),
        ("/account/forgot-password", "forgot-password", vec![("email", ANN)]),
        ("/account/reset-password", "reset-password", vec![("token", "asp_x"), ("new_password", NEW)]),
        ("/account/recover", "recover", vec![("token", "asc_x")]),
    ] {
        let page = browser.open(path).await;
        other.submit(&page, id, &typed).await.is_error_page("cookies are off");
        let without = Browser::new(&app).submit(&page, id, &typed).await;
        without.is_error_page("cookies are off");
    }
    let login = json!({"username": "ann", "password": PASSWORD});
    app.fails(app.request(Method::POST, "/auth/token").json(&login), 401, "INVALID_CREDENTIALS").await;
    assert!(mails(&app).await.is_empty());
}

#[tokio::test]
async fn where_administrators_alone_make_accounts_there_is_no_form() {
    let app = Setup::default().with("registration", "closed").start().await;
    let mut browser = Browser::new(&app);
    browser.open("/account/register").await.is_error_page("administrators");
    browser.send(Method::POST, "/account/register", &[]).await.is_error_page("administrators");
    let page = browser.open("/oauth2/sign-in?continue=%2Faccount%2Fpasskeys").await;
    assert!(!page.text.contains("id=\"register\""), "{}", page.text);
    // No mail leaves, so none is promised.
    assert!(!page.text.contains("id=\"forgot\""), "{}", page.text);
}

#[tokio::test]
async fn a_hidden_registration_says_the_same_of_every_address_and_comes_back() {
    let app = with_mail().with("registration", "hidden").start().await;
    let root = app.superuser("root").await;
    let photos = Party::ours(&root).await;
    let mut said = Vec::new();
    for (name, email) in [("eve", "root@example.com"), ("ann", ANN)] {
        let mut browser = Browser::new(&app);
        let first = browser.open(&photos.asks().path()).await;
        let page = browser.open(&first.link("register")).await;
        let typed = [("username", name), ("email", email), ("password", PASSWORD)];
        let page = browser.submit(&page, "register", &typed).await;
        assert!(page.status == 200 && page.text.contains("Look into your mail"), "{page:?}");
        said.push(page.text.replace(email, "…").split("id=\"next\"").next().unwrap().to_owned());
        if name == "ann" {
            let all = mails(&app).await;
            let token = all.iter().find(|mail| mail.to == ANN).unwrap().token("asn_");
            let page = browser.open("/account/verify-email").await;
            let page = browser.submit(&page, "verify-email", &[("token", &token)]).await;
            assert!(page.text.contains("The address is confirmed"), "{page:?}");
            let page = browser.open(&page.link("next")).await;
            assert!(photos.checked(&browser.sign_in(&page, "ann").await).contains_key("code"));
        }
    }
    assert_eq!(said[0], said[1]);
}

#[tokio::test]
async fn where_addresses_are_verified_first_signing_in_waits_for_the_mail() {
    let app = with_mail().with("registration_verify", "required").start().await;
    let mut browser = Browser::new(&app);
    let page = browser.open("/account/register").await;
    let page = browser.submit(&page, "register", &TYPED).await;
    assert!(page.status == 200 && page.text.contains("Look into your mail"), "{page:?}");
    let first = mail(&app, ANN).await.token("asv_");
    let page = browser.open(&page.link("next")).await;
    let page = browser.sign_in(&page, "ann").await;
    assert!(page.status == 403 && page.text.contains("has to be verified first"), "{page:?}");
    // It was mailed once more, and what was mailed before is good for nothing.
    let second = mail(&app, ANN).await.token("asv_");
    let form = browser.open("/account/verify-email").await;
    let page = browser.submit(&form, "verify-email", &[("token", &first)]).await;
    assert!(page.status == 400 && page.text.contains("id=\"token-error\" role=\"alert\""), "{page:?}");
    let page = browser.submit(&form, "verify-email", &[("token", &second)]).await;
    assert!(page.text.contains("The address is confirmed"), "{page:?}");
    let page = browser.open(&page.link("next")).await;
    browser.sign_in(&page, "ann").await;
    assert!(browser.cookies.contains_key("session_cookie"));
}

#[tokio::test]
async fn whoever_has_forgotten_the_password_comes_back_with_another_one() {
    let app = with_mail().start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    mails(&app).await;
    let photos = Party::ours(&root).await;
    let mut browser = Browser::new(&app);
    let first = browser.open(&photos.asks().path()).await;
    let form = browser.open(&first.link("forgot")).await;
    let mut said = Vec::new();
    for email in ["nobody@example.com", ANN] {
        let page = browser.submit(&form, "forgot-password", &[("email", email)]).await;
        assert_eq!(page.status, 200);
        said.push(page.text.replace(email, "…"));
    }
    assert_eq!(said[0], said[1]);
    let token = mail(&app, ANN).await.token("asp_");
    let form = browser.open("/account/reset-password").await;
    let page =
        browser.submit(&form, "reset-password", &[("token", &token), ("new_password", "password1234")]).await;
    assert!(page.status == 400 && page.text.contains("id=\"new_password-error\""), "{page:?}");
    assert!(page.text.contains(&format!("value=\"{token}\"")), "it need not be copied again");
    assert!(!page.text.contains("value=\"password1234\""));
    let page = browser.submit(&page, "reset-password", &[("token", &token), ("new_password", NEW)]).await;
    assert!(page.status == 200 && page.text.contains("another one now"), "{page:?}");
    let sign_in = browser.open(&page.link("next")).await;
    assert!(sign_in.text.contains("Photo album"), "{sign_in:?}");
    assert!(browser.cookies.contains_key("begun_cookie"));
    let done = browser.submit(&sign_in, "sign-in", &[("username", "ann"), ("password", NEW)]).await;
    assert!(photos.checked(&done).contains_key("code"));
    assert!(!browser.cookies.contains_key("begun_cookie"), "what was begun went on");
    // Sent twice it says that it is done.
    let again = browser.submit(&form, "reset-password", &[("token", &token), ("new_password", NEW)]).await;
    assert!(again.status == 400 && again.text.contains("was used already"), "{again:?}");
}

#[tokio::test]
async fn what_a_browser_remembers_leads_nowhere_else() {
    let app = with_mail().start().await;
    app.register("ann").await;
    let mut browser = Browser::new(&app);
    for to in [
        "https://evil.example/",
        "//evil.example",
        "/oauth2/logout?x",
        "/account/passkeys/../x",
        "/account/passkeys?x",
    ] {
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("continue", to).finish();
        let page = browser.open(&format!("/account/forgot-password?{query}")).await;
        let page = browser.submit(&page, "forgot-password", &[("email", ANN)]).await;
        assert_eq!(page.link("next"), "/oauth2/sign-in?continue=%2Faccount%2Fpasskeys", "{to}");
        assert!(!browser.cookies.contains_key("begun_cookie"), "{to}");
    }
    // Somebody below the same domain may have set another one: it is a query of the authorization endpoint, and no more.
    browser.cookies.insert("begun_cookie".into(), ("/".into(), "x=1\\\\evil.example".into()));
    let page = browser.open("/account/verify-email").await;
    assert!(!page.text.contains(r"\\evil.example") && page.status == 200, "{page:?}");
    let page = browser.open("/account/forgot-password").await;
    assert!(page.link("back").starts_with("/oauth2/sign-in?continue=%2Foauth2%2Fauthorize%3F"), "{page:?}");
}
