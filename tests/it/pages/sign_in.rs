//! Signing in on pages by the ways beside the password: passkeys, trusted devices, mails, and the account that is there.
use reqwest::Method;
use serde_json::json;

use crate::mail::{mail, with_mail};
use crate::mfa::WithApp;
use crate::oauth::{Browser, Page, Party};
use crate::passkeys::{asked_for_login, device, register};
use crate::support::{PASSWORD, Setup, TestApp, jwt};

const ANN: &str = "ann@example.com";

#[tokio::test]
async fn a_passkey_signs_in_by_the_form_of_the_page() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let mut key = device(&app);
    register(&app.user("ann").await, &mut key).await;
    let photos = Party::ours(&root).await;
    let mut browser = Browser::new(&app);
    let page = browser.open(&photos.asks().path()).await;
    assert!(page.text.contains("autocomplete=\"username webauthn\""), "{}", page.text);
    assert!(page.text.contains("data-start=\"/auth/passkeys/login/start\""), "{}", page.text);
    let asked = asked_for_login(&app).await;
    let credential = key.get(&asked["options"]).to_string();
    let challenge = asked["challenge_id"].as_str().unwrap();
    for bad in ["{", "{}", "[]", "\"<script>\""] {
        let page =
            browser.submit(&page, "sign-in", &[("challenge_id", challenge), ("credential", bad)]).await;
        assert!(page.status == 401 && page.has_form("sign-in"), "{bad}: {page:?}");
        assert_eq!(page.alert(), "The passkey was not accepted");
        assert!(!page.text.contains("<script>"), "{}", page.text);
    }
    let typed = [("challenge_id", challenge), ("credential", credential.as_str())];
    let done = browser.submit(&page, "sign-in", &typed).await;
    let tokens = photos.tokens(photos.redeems(&photos.checked(&done)["code"])).await;
    assert_eq!(jwt::claims(tokens["id_token"].as_str().unwrap())["acr"], "aal2");
    // What the authenticator has said is good once.
    let again = Browser::new(&app).open(&photos.asks().path()).await;
    assert!(again.has_form("sign-in"));
    let mut other = Browser::new(&app);
    let page = other.open(&photos.asks().path()).await;
    assert_eq!(other.submit(&page, "sign-in", &typed).await.alert(), "The passkey was not accepted");
}

#[tokio::test]
async fn a_passkey_is_a_second_factor_on_the_page() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let mut key = device(&app);
    let ann = WithApp::of(&app.user("ann").await).await;
    register(&ann.person, &mut key).await;
    let photos = Party::ours(&root).await;
    let mut browser = Browser::new(&app);
    let page = browser.open(&photos.asks().path()).await;
    let page = browser.sign_in(&page, "ann").await;
    assert!(
        page.text.contains("Use your passkey, or enter the code of your authenticator app"),
        "{}",
        page.text
    );
    assert!(page.text.contains("data-start=\"/auth/mfa/passkey/start\""), "{}", page.text);
    // One that says nothing is told so, and has guessed nothing.
    let empty = browser.submit(&page, "second-factor", &[]).await;
    assert!(empty.status == 400 && empty.alert() == "Please fill this in", "{empty:?}");
    assert!(empty.text.contains("data-start=\"/auth/mfa/passkey/start\""), "the ways are still there");
    let token =
        page.form("second-factor").fields.into_iter().find(|(name, _)| name == "mfa_token").unwrap().1;
    let ask = app.request(Method::POST, "/auth/mfa/passkey/start").json(&json!({"mfa_token": token}));
    let asked = app.json(ask, 200).await;
    let credential = key.get(&asked["options"]).to_string();
    let typed =
        [("challenge_id", asked["challenge_id"].as_str().unwrap()), ("credential", credential.as_str())];
    let done = browser.submit(&empty, "second-factor", &typed).await;
    assert!(photos.checked(&done).contains_key("code"));
}

#[tokio::test]
async fn a_recovery_code_is_a_second_factor_once_and_what_is_wrong_stands_at_its_field() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let ann = WithApp::of(&app.user("ann").await).await;
    let photos = Party::ours(&root).await;
    let code = ann.recovery_codes[0].clone();
    let mut browser = Browser::new(&app);
    let page = browser.open(&photos.asks().path()).await;
    let page = browser.sign_in(&page, "ann").await;
    let done = browser.submit(&page, "second-factor", &[("code", &code)]).await;
    assert!(photos.checked(&done).contains_key("code"));
    let mut other = Browser::new(&app);
    let page = other.open(&photos.asks().path()).await;
    let page = other.sign_in(&page, "ann").await;
    let page = other.submit(&page, "second-factor", &[("code", &code)]).await;
    assert_eq!((page.status, page.alert()), (401, "The code is wrong, or was used already"));
    for part in ["aria-invalid=\"true\" aria-describedby=\"code-error\"", "id=\"code-error\" role=\"alert\""]
    {
        assert!(page.text.contains(part), "{}", page.text);
    }
    assert!(!page.text.contains(&code), "what was typed is a secret");
}

#[tokio::test]
async fn a_device_that_is_trusted_on_the_page_asks_for_the_password_alone() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let ann = WithApp::of(&app.user("ann").await).await;
    let photos = Party::ours(&root).await;
    let mut browser = Browser::new(&app);
    let page = browser.open(&photos.asks().path()).await;
    let page = browser.sign_in(&page, "ann").await;
    assert!(page.text.contains("For 30 days, ask for the password alone"), "{}", page.text);
    let done = browser.submit(&page, "second-factor", &[("code", &ann.code()), ("trust", "yes")]).await;
    assert!(photos.checked(&done).contains_key("code"));
    let trusted = browser.cookies["trusted_device_cookie"].clone();
    let mut later = Browser::new(&app);
    later.cookies.insert("trusted_device_cookie".into(), trusted);
    let page = later.open(&photos.asks().path()).await;
    assert!(photos.checked(&later.sign_in(&page, "ann").await).contains_key("code"));
    // Where no device is trusted, nobody is asked.
    let app = Setup::default().with("mfa.trusted_device_days", "0").start().await;
    WithApp::of(&app.user("ann").await).await;
    let mut browser = Browser::new(&app);
    let page = browser.open("/oauth2/sign-in?continue=%2Faccount%2Fpasskeys").await;
    let page = browser.sign_in(&page, "ann").await;
    assert!(page.has_form("second-factor") && !page.text.contains("name=\"trust\""), "{}", page.text);
}

#[tokio::test]
async fn a_second_factor_that_is_sent_twice_leads_on_twice() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let ann = WithApp::of(&app.user("ann").await).await;
    let photos = Party::ours(&root).await;
    let mut browser = Browser::new(&app);
    let page = browser.open(&photos.asks().path()).await;
    let page = browser.sign_in(&page, "ann").await;
    let code = ann.code();
    for _ in 0..2 {
        let done = browser.submit(&page, "second-factor", &[("code", &code)]).await;
        assert!(photos.checked(&done).contains_key("code"));
    }
    // Whoever is not signed in begins anew.
    browser.cookies.retain(|name, _| name == "form_cookie");
    let again = browser.submit(&page, "second-factor", &[("code", &code)]).await;
    assert!(again.status == 401 && again.has_form("sign-in"), "{again:?}");
    assert!(again.alert().contains("begin again"), "{}", again.text);
}

#[tokio::test]
async fn a_mailed_code_signs_in_and_says_nothing_about_addresses() {
    let app = with_mail().with("mail.sign_in", "true").start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    crate::mail::mails(&app).await;
    let photos = Party::ours(&root).await;
    let mut browser = Browser::new(&app);
    let page = browser.open(&photos.asks().path()).await;
    let first = browser.open(&page.link("mail")).await;
    let wrong = browser.submit(&first, "mail-sign-in", &[("email", "nowhere")]).await;
    assert!(wrong.status == 400 && wrong.text.contains("value=\"nowhere\""), "{wrong:?}");
    assert_eq!(wrong.alert(), "This is not an e-mail address");
    let mut said = Vec::new();
    for email in ["nobody@example.com", ANN] {
        let page = browser.submit(&first, "mail-sign-in", &[("email", email)]).await;
        assert_eq!(page.status, 200);
        said.push(page.text.replace(email, "…"));
    }
    assert_eq!(said[0], said[1]);
    crate::mail::mails(&app).await;
    let sent = browser.submit(&first, "mail-sign-in", &[("email", ANN)]).await;
    let text = mail(&app, ANN).await.text;
    let code = text.lines().find(|line| line.len() == 8 && line.bytes().all(|b| b.is_ascii_digit())).unwrap();
    let wrong = if code == "00000000" { "11111111" } else { "00000000" };
    let page = browser.submit(&sent, "mail-sign-in", &[("code", wrong)]).await;
    assert!(page.status == 400 && page.alert().contains("not valid"), "{page:?}");
    let done = browser.submit(&page, "mail-sign-in", &[("code", code)]).await;
    assert!(photos.checked(&done).contains_key("code"));
    // Where it is off there is no such page, and no way to it.
    let app = TestApp::start().await;
    let own = "continue=%2Faccount%2Fpasskeys";
    Browser::new(&app).open(&format!("/oauth2/mail-sign-in?{own}")).await.is_error_page("no such page");
    let page = Browser::new(&app).open(&format!("/oauth2/sign-in?{own}")).await;
    assert!(!page.text.contains("id=\"mail\""), "{}", page.text);
}

#[tokio::test]
async fn a_mailed_link_comes_back_to_the_request_that_was_begun() {
    let app = with_mail().with("mail.sign_in", "true").start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    crate::mail::mails(&app).await;
    let photos = Party::ours(&root).await;
    let mut browser = Browser::new(&app);
    let page = browser.open(&photos.asks().path()).await;
    let back = page.form("sign-in").fields.into_iter().find(|(name, _)| name == "continue").unwrap().1;
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("continue", &back).finish();
    let page = browser.open(&format!("/oauth2/mail-sign-in?{query}")).await;
    browser.submit(&page, "mail-sign-in", &[("email", ANN)]).await;
    let token = mail(&app, ANN).await.token("asm_");
    let page = browser.open("/account/sign-in").await;
    assert!(!browser.cookies.contains_key("session_cookie"), "opening it signs nobody in");
    let done = browser.submit(&page, "sign-in", &[("token", &token)]).await;
    assert!(photos.checked(&done).contains_key("code"));
    let page = browser.open("/account/sign-in").await;
    let again = browser.submit(&page, "sign-in", &[("token", &token)]).await;
    assert!(again.status == 400 && again.alert().contains("not valid"), "{again:?}");
}

#[tokio::test]
async fn prompt_select_account_asks_whether_it_is_the_one_that_is_signed_in() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    app.register("bob").await;
    let photos = Party::register(&root, json!({})).await;
    let mut browser = Browser::new(&app);
    let asked = photos.asks().with("prompt", "select_account");
    let page = browser.open(&asked.path()).await;
    assert!(page.has_form("sign-in"), "nobody is signed in: {page:?}");
    let page = browser.sign_in(&page, "ann").await;
    assert!(page.has_form("consent"), "whoever has just signed in has chosen: {page:?}");
    app.clock.advance_secs(5);
    let page = browser.open(&asked.path()).await;
    assert!(page.has_form("select-account") && page.text.contains("Go on as ann"), "{page:?}");
    page.is_shielded();
    // A page of somebody else chooses nothing.
    let mut forged = page.form("select-account").fields;
    forged.retain(|(name, _)| name != "form");
    forged.push(("answer".into(), "this".into()));
    browser.send(Method::POST, "/oauth2/select-account", &forged).await.is_error_page("another browser");
    let chosen = browser.submit(&page, "select-account", &[("answer", "this")]).await;
    assert!(chosen.has_form("consent"), "{chosen:?}");
    assert!(photos.checked(&browser.agree(&chosen).await).contains_key("code"));
    // Each request asks anew, and what was chosen for one says nothing of another.
    let page = browser.open(&asked.path()).await;
    assert!(page.has_form("select-account"), "{page:?}");
    let page = browser.submit(&page, "select-account", &[("answer", "other")]).await;
    assert!(page.has_form("sign-in"), "{page:?}");
    let page = browser.submit(&page, "sign-in", &[("username", "bob"), ("password", PASSWORD)]).await;
    assert!(page.has_form("consent") && page.text.contains("<strong>bob</strong>"), "{page:?}");
    // Nor does what nobody of ours has written.
    for mark in ["x", "", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        let page = browser.open(&asked.clone().with("account", mark).path()).await;
        assert!(page.has_form("select-account"), "{mark}: {page:?}");
    }
}

#[tokio::test]
async fn what_is_reflected_is_no_markup() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let evil = "\"><img src=x onerror=alert(1)>'{{7*7}}";
    let photos = Party::register(&root, json!({"client_name": evil})).await;
    app.register("ann").await;
    let mut browser = Browser::new(&app);
    let asked = photos.asks().with("state", evil).with("login_hint", evil).with("ui_locales", evil);
    let page = browser.open(&asked.path()).await;
    let check = |page: &Page| {
        assert!(!page.text.contains("<img src=x") && !page.text.contains("49"), "{}", page.text);
        assert!(page.text.contains("onerror=alert(1)&gt;"), "it is shown, and as text: {}", page.text);
    };
    check(&page);
    check(&browser.submit(&page, "sign-in", &[("username", evil), ("password", evil)]).await);
    let page = browser.sign_in(&page, "ann").await;
    check(&page);
    let asked = asked.with("prompt", "select_account");
    app.clock.advance_secs(2);
    let page = browser.open(&asked.path()).await;
    check(&page);
    let page =
        browser.open(&photos.asks().with("response_mode", "form_post").with("state", evil).path()).await;
    check(&browser.agree(&page).await);
    let typed = [("username", evil), ("email", evil), ("password", evil)];
    let page = browser.open("/account/register").await;
    check(&browser.submit(&page, "register", &typed).await);
}
