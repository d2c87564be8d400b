//! The page that asks who somebody is: wrong passwords, second factors, forged forms, and where it leads.
use reqwest::Method;
use serde_json::json;

use super::{Browser, CALLBACK, Party};
use crate::mfa::WithApp;
use crate::support::{PASSWORD, TestApp};

#[tokio::test]
async fn a_wrong_password_is_said_on_the_page_and_whose_it_was_is_not() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = Party::ours(&root).await;
    let mut browser = Browser::new(&app);
    let first = browser.open(&photos.asks().path()).await;
    let mut said = Vec::new();
    for name in ["ann", "nobody", "\"><script>alert(1)</script>"] {
        let typed = [("username", name), ("password", "wrong horse 81 battery")];
        let page = browser.submit(&first, "sign-in", &typed).await;
        assert!(page.status == 401 && page.has_form("sign-in"), "{page:?}");
        page.is_shielded();
        assert!(!page.text.contains("<script>") && !page.text.contains("wrong horse"), "{}", page.text);
        let alert = page.text.split_once("role=\"alert\">").unwrap().1.split_once('<').unwrap().0.to_owned();
        said.push(alert);
    }
    assert!(said.iter().all(|one| *one == said[0]), "{said:?}");
    assert!(!browser.cookies.contains_key("session_cookie"));
    let page = browser.sign_in(&first, "ann").await;
    assert!(photos.checked(&page).contains_key("code"));
}

#[tokio::test]
async fn a_second_factor_is_asked_for_and_shows_in_the_tokens() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let photos = Party::ours(&root).await;
    let ann = WithApp::of(&app.user("ann").await).await;
    let mut browser = Browser::new(&app);
    let page = browser.open(&photos.asks().path()).await;
    let page = browser.sign_in(&page, "ann").await;
    assert!(page.has_form("second-factor") && !browser.cookies.contains_key("session_cookie"), "{page:?}");
    page.is_shielded();
    let good = ann.code();
    let bad = if good == "000000" { "111111" } else { "000000" };
    let page = browser.submit(&page, "second-factor", &[("code", bad)]).await;
    assert!(page.status == 401 && page.has_form("second-factor"), "{page:?}");
    let page = browser.submit(&page, "second-factor", &[("code", &good)]).await;
    let tokens = photos.tokens(photos.redeems(&photos.checked(&page)["code"])).await;
    let claims = crate::support::jwt::claims(tokens["id_token"].as_str().unwrap());
    assert_eq!(claims["acr"], "aal2");
    assert!(claims["amr"].as_array().unwrap().contains(&json!("otp")), "{claims}");
}

#[tokio::test]
async fn an_account_that_has_to_be_set_in_order_first_gets_no_code() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let photos = Party::ours(&root).await;
    let ann = app.user("ann").await;
    let body = json!({"password_change_required": true});
    app.json(root.bearer(Method::PATCH, &format!("/users/{}", ann.id())).json(&body), 200).await;
    let answer = photos.answer(&mut Browser::new(&app), &photos.asks(), "ann").await;
    assert_eq!((answer["error"].as_str(), answer.get("code")), ("interaction_required", None));
}

#[tokio::test]
async fn nobody_is_signed_in_by_a_form_of_another_site() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("eve").await;
    let photos = Party::ours(&root).await;
    let (mut browser, mut eve) = (Browser::new(&app), Browser::new(&app));
    browser.open(&photos.asks().path()).await;
    let of_eve = eve.open(&photos.asks().path()).await;
    browser.sign_in(&of_eve, "eve").await.is_error_page("another browser");
    let mut fields = of_eve.form("sign-in").fields;
    fields.retain(|(name, _)| name != "form");
    fields.push(("username".into(), "eve".into()));
    fields.push(("password".into(), PASSWORD.into()));
    browser.send(Method::POST, "/oauth2/sign-in", &fields).await.is_error_page("another browser");
    assert!(!browser.cookies.contains_key("session_cookie"));
}

#[tokio::test]
async fn the_way_back_leads_to_a_request_of_ours_and_nowhere_else() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = Party::ours(&root).await;
    let mut browser = Browser::new(&app);
    let first = browser.open(&photos.asks().path()).await;
    let form = first.form("sign-in");
    for to in [
        "https://evil.example/",
        "//evil.example/oauth2/authorize?x",
        "/\\evil.example",
        "\\\\evil.example/oauth2/authorize?x",
        "/\t/evil.example",
        "https:evil.example",
        "/oauth2/authorize",
        "/oauth2/authorize.evil.example?x",
        "/oauth2/logout?x",
        "@evil.example/oauth2/authorize?x",
        "",
    ] {
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("continue", to).finish();
        for page in ["sign-in", "consent", "select-account", "mail-sign-in"] {
            let page = browser.open(&format!("/oauth2/{page}?{query}")).await;
            page.is_error_page("opened by an application");
        }
        let mut fields = form.fields.clone();
        fields.retain(|(name, _)| name != "continue");
        let typed = [("continue", to), ("username", "ann"), ("password", PASSWORD)];
        fields.extend(typed.map(|(name, value)| (name.to_owned(), value.to_owned())));
        browser
            .send(Method::POST, "/oauth2/sign-in", &fields)
            .await
            .is_error_page("opened by an application");
    }
    assert!(!browser.cookies.contains_key("session_cookie"));
    for name in ["next", "return_to", "redirect", "url"] {
        let path = format!("{}&{name}=https%3A%2F%2Fevil.example", photos.asks().path());
        let location = browser.through(&path, "ann").await.location().unwrap();
        assert!(location.starts_with(CALLBACK), "{location}");
    }
}

#[tokio::test]
async fn what_breaks_a_line_on_the_way_back_breaks_out_of_no_header() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = Party::ours(&root).await;
    let mut browser = Browser::new(&app);
    let to = format!("{}\r\nSet-Cookie: session_cookie=eve", photos.asks().path());
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("continue", &to).finish();
    let page = browser.open(&format!("/oauth2/sign-in?{query}")).await;
    let page = browser.sign_in(&page, "ann").await;
    assert!(!page.text.contains("eve") && browser.cookies["session_cookie"].1 != "eve", "{page:?}");
    assert!(page.location().is_some_and(|uri| uri.starts_with(CALLBACK)), "{page:?}");
}
