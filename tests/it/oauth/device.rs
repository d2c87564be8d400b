//! Devices without a browser (RFC 8628), as the device and its user's browser see it.
use reqwest::Method;
use serde_json::{Value, json};

use super::{Browser, Fields, Page, Party, is_refused, issuer, jws};
use crate::support::{PASSWORD, Person, Setup, TestApp, jwt};

pub const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// A television that has asked.
pub struct Device<'a> {
    pub party: Party<'a>,
    pub codes: Value,
}

impl<'a> Device<'a> {
    /// A client of devices, but for what `also` says.
    pub async fn client(root: &Person<'a>, also: Value) -> Party<'a> {
        let mut body = json!({
            "client_name": "Television",
            "redirect_uris": [],
            "grant_types": [GRANT, "refresh_token"],
            "token_endpoint_auth_method": "none",
        });
        body.as_object_mut().unwrap().extend(also.as_object().unwrap().clone());
        Party::register(root, body).await
    }

    pub async fn ask(party: Party<'a>, scope: &str) -> Device<'a> {
        let fields = Fields(Vec::new()).with("scope", scope);
        let codes = party.app.json(party.request("/oauth2/device_authorization", fields), 200).await;
        Device { party, codes }
    }

    /// One that has asked for a login.
    pub async fn on(root: &Person<'a>, also: Value) -> Device<'a> {
        Self::ask(Self::client(root, also).await, "openid profile").await
    }

    pub fn user_code(&self) -> &str {
        self.codes["user_code"].as_str().unwrap()
    }

    pub fn asks(&self) -> Fields {
        asks(self.codes["device_code"].as_str().unwrap())
    }

    /// What the device hears as long as it gets nothing.
    pub async fn hears(&self, error: &str) {
        self.party.fails(self.asks(), 400, error).await;
    }
}

pub fn asks(device_code: &str) -> Fields {
    Fields(Vec::new()).with("grant_type", GRANT).with("device_code", device_code)
}

/// Types a code into the page, and signs in if it is asked to: the page that asks to confirm.
pub async fn enter(browser: &mut Browser<'_>, code: &str, user: &str) -> Page {
    let page = browser.open("/device").await;
    let page = browser.submit(&page, "device", &[("user_code", code)]).await;
    if !page.has_form("sign-in") {
        return page;
    }
    let page = browser.sign_in(&page, user).await;
    assert!(page.text.contains(&format!("value=\"{code}\"")), "the code is kept: {page:?}");
    browser.submit(&page, "device", &[("user_code", code)]).await
}

pub async fn says(browser: &mut Browser<'_>, page: &Page, answer: &str) -> Page {
    browser.submit(page, "device-confirm", &[("answer", answer)]).await
}

#[tokio::test]
async fn a_device_gets_tokens_once_its_user_has_agreed() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let ann = app.register("ann").await;
    let party = Device::client(&root, json!({})).await;
    let fields = Fields(Vec::new()).with("scope", "openid profile offline_access");
    let answer = party.request("/oauth2/device_authorization", fields).send().await.unwrap();
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let codes: Value = answer.json().await.unwrap();
    let (uri, code) = (format!("{}/device", issuer(&app)), codes["user_code"].as_str().unwrap().to_owned());
    assert_eq!((&codes["expires_in"], &codes["interval"]), (&json!(600), &json!(5)));
    assert_eq!(codes["verification_uri"], uri);
    assert_eq!(codes["verification_uri_complete"], format!("{uri}?user_code={code}"));
    assert!(codes["device_code"].as_str().unwrap().len() >= 43);
    let letters = |half: &str| half.len() == 4 && half.chars().all(|c| "BCDFGHJKLMNPQRSTVWXZ".contains(c));
    assert!(code.split_once('-').is_some_and(|(a, b)| letters(a) && letters(b)), "{code}");
    let device = Device { party, codes };

    device.hears("authorization_pending").await;
    let mut browser = Browser::new(&app);
    let page = enter(&mut browser, &code, "ann").await;
    page.is_shielded();
    for part in ["Television", "see your name", "<strong>ann</strong>", "127.0.0.1", &code] {
        assert!(page.text.contains(part), "{part}: {}", page.text);
    }
    app.clock.advance_secs(5);
    device.hears("authorization_pending").await;
    let page = says(&mut browser, &page, "agree").await;
    assert!(page.status == 200 && page.text.contains("Done"), "{page:?}");
    page.is_shielded();
    app.clock.advance_secs(5);
    let tokens = device.party.tokens(device.asks()).await;
    assert_eq!(tokens["scope"], "openid profile offline_access");
    let claims = jws::verified(&app, tokens["id_token"].as_str().unwrap(), "ES256").await;
    assert_eq!((&claims["sub"], &claims["aud"]), (&json!(ann["id"].to_string()), &json!(device.party.id)));
    assert_eq!(claims["amr"], json!(["pwd"]));
    let about = app.json(device.party.userinfo(&tokens), 200).await;
    assert_eq!(about["preferred_username"], "ann");
    assert!(device.party.are_good(&tokens).await);
}

#[tokio::test]
async fn the_user_code_is_taken_in_any_case_and_with_any_dashes() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let device = Device::on(&root, json!({})).await;
    let mut browser = Browser::new(&app);
    let page = enter(&mut browser, device.user_code(), "ann").await;
    assert!(page.has_form("device-confirm"));
    let bare = device.user_code().replace('-', "").to_lowercase();
    for typed in [bare.clone(), format!(" {} {} ", &bare[..4], &bare[4..]), device.user_code().to_lowercase()]
    {
        let page = enter(&mut browser, &typed, "ann").await;
        assert!(page.has_form("device-confirm") && page.text.contains(device.user_code()), "{typed}");
    }
    for none in ["", "BCDF", "1234-5678"] {
        let page = enter(&mut browser, none, "ann").await;
        assert_eq!(page.status, 400, "{none}");
        page.is_error_page("eight letters");
    }
}

#[tokio::test]
async fn a_device_that_asks_too_fast_has_to_wait_five_seconds_longer_from_then_on() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let device = Device::on(&root, json!({})).await;
    device.hears("authorization_pending").await;
    app.clock.advance_secs(4);
    device.hears("slow_down").await;
    app.clock.advance_secs(9);
    device.hears("slow_down").await;
    app.clock.advance_secs(15);
    device.hears("authorization_pending").await;
    app.clock.advance_secs(14);
    device.hears("slow_down").await;
    app.clock.advance_secs(20);
    device.hears("authorization_pending").await;
}

#[tokio::test]
async fn a_user_who_refuses_is_heard_by_the_device() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let mut browser = Browser::new(&app);
    for said in ["refuse", "", "AGREE"] {
        let device = Device::on(&root, json!({"first_party": true})).await;
        let page = enter(&mut browser, device.user_code(), "ann").await;
        let page = says(&mut browser, &page, said).await;
        if said.is_empty() {
            // As if nothing was said.
            assert!(page.has_form("device-confirm"), "{page:?}");
            device.hears("authorization_pending").await;
            continue;
        }
        assert!(page.text.contains("Nothing was given"), "{page:?}");
        device.hears("access_denied").await;
        device.hears("access_denied").await;
        let page = enter(&mut browser, device.user_code(), "ann").await;
        page.is_error_page("no such code");
    }
}

#[tokio::test]
async fn what_nobody_answers_in_time_is_over() {
    let app = Setup::default().with("oauth.device_code_lifetime_secs", "60").start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let (device, late) = (Device::on(&root, json!({})).await, Device::on(&root, json!({})).await);
    assert_eq!(device.codes["expires_in"], 60);
    let mut browser = Browser::new(&app);
    let page = enter(&mut browser, device.user_code(), "ann").await;
    let agreed = enter(&mut browser, late.user_code(), "ann").await;
    says(&mut browser, &agreed, "agree").await;
    app.clock.advance_secs(60);
    device.hears("expired_token").await;
    late.hears("expired_token").await;
    says(&mut browser, &page, "agree").await.is_error_page("no such code");
    device.hears("expired_token").await;
    // An hour later nothing is left of it.
    app.clock.advance_secs(3600);
    app.app.tend().await;
    device.hears("invalid_grant").await;
    assert!(app.app.store.get(|tx| Ok(tx_is_empty(tx))).unwrap());
}

fn tx_is_empty(tx: &auth_service::store::ReadTx) -> bool {
    use auth_service::store::Tx;
    ["oauth.device", "oauth.device.by_user_code"]
        .iter()
        .all(|table| tx.rows(table, &[], None, 1).unwrap().is_empty())
}

#[tokio::test]
async fn even_a_client_of_our_own_and_one_that_was_agreed_to_before_waits_for_a_press_of_the_button() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let mut browser = Browser::new(&app);
    let ours = Device::client(&root, json!({"first_party": true})).await;
    let other = Device::client(&root, json!({})).await;
    for party in [ours, other] {
        let id = party.id.clone();
        let again = || Party { app: &app, id: id.clone(), secret: None, method: "none".to_owned() };
        for _ in 0..2 {
            let device = Device::ask(again(), "openid").await;
            let link = device.codes["verification_uri_complete"].as_str().unwrap();
            let mut page = browser.open(link.strip_prefix(&issuer(&app)).unwrap()).await;
            if page.has_form("sign-in") {
                page = browser.sign_in(&page, "ann").await;
            }
            assert!(page.text.contains(&format!("value=\"{}\"", device.user_code())), "{page:?}");
            device.hears("authorization_pending").await;
            let page = browser.submit(&page, "device", &[("user_code", device.user_code())]).await;
            app.clock.advance_secs(5);
            device.hears("authorization_pending").await;
            says(&mut browser, &page, "agree").await;
            device.party.tokens(device.asks()).await;
        }
    }
}

#[tokio::test]
async fn what_a_device_was_given_is_a_consent_like_others_and_ends_with_it() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let ann = app.user("ann").await;
    let device = Device::on(&root, json!({})).await;
    let mut browser = Browser::new(&app);
    let page = enter(&mut browser, device.user_code(), "ann").await;
    says(&mut browser, &page, "agree").await;
    let given = app.json(ann.bearer(Method::GET, "/auth/consents"), 200).await;
    assert_eq!(given["items"][0]["client_id"], device.party.id);
    assert_eq!(given["items"][0]["scopes"], json!(["openid", "profile"]));
    let tokens = device.party.tokens(device.asks()).await;
    let path = format!("/auth/consents/{}", device.party.id);
    app.done(ann.bearer(Method::DELETE, &path)).await;
    assert!(!device.party.are_good(&tokens).await);
    // Taken back before the device came for it: it gets nothing.
    let device = Device::ask(device.party, "openid").await;
    let page = enter(&mut browser, device.user_code(), "ann").await;
    says(&mut browser, &page, "agree").await;
    app.done(ann.bearer(Method::DELETE, &path)).await;
    device.hears("invalid_grant").await;
}

#[tokio::test]
async fn a_device_that_was_let_in_without_offline_access_ends_with_the_session() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let device = Device::on(&root, json!({})).await;
    let mut browser = Browser::new(&app);
    let page = enter(&mut browser, device.user_code(), "ann").await;
    says(&mut browser, &page, "agree").await;
    let tokens = device.party.tokens(device.asks()).await;
    assert!(device.party.are_good(&tokens).await);
    let ann = app.log_in("ann", PASSWORD).await;
    let ended = app.json(ann.bearer(Method::DELETE, "/auth/sessions"), 200).await;
    assert_eq!(ended["ended"], 1);
    assert!(!device.party.are_good(&tokens).await);
}

#[tokio::test]
async fn scopes_and_resources_are_those_that_the_client_has_registered() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let also = json!({"scope": "openid email", "resources": ["https://api.example/"]});
    let party = Device::client(&root, also).await;
    let ask = |scope: &str, resource: &str| {
        let fields = Fields(Vec::new()).with("scope", scope).with("resource", resource);
        party.request("/oauth2/device_authorization", fields)
    };
    is_refused(ask("profile", "").send().await.unwrap(), 400, "invalid_scope").await;
    is_refused(ask("openid", "https://other.example/").send().await.unwrap(), 400, "invalid_target").await;
    let codes = app.json(ask("openid email profile", "https://api.example/"), 200).await;
    let device = Device { party, codes };
    let mut browser = Browser::new(&app);
    let page = enter(&mut browser, device.user_code(), "ann").await;
    assert!(
        page.text.replace("&#x2f;", "/").contains("https://api.example/")
            && page.text.contains("see your e-mail address")
    );
    assert!(!page.text.contains("see your name"));
    says(&mut browser, &page, "agree").await;
    let narrowed = device.asks().with("resource", "https://other.example/");
    device.party.fails(narrowed, 400, "invalid_target").await;
    let tokens = device.party.tokens(device.asks()).await;
    assert_eq!(tokens["scope"], "openid email");
    let claims = jwt::claims(tokens["access_token"].as_str().unwrap());
    assert_eq!(claims["aud"], json!(["https://api.example/", issuer(&app)]));
}

#[tokio::test]
async fn only_a_client_that_has_registered_the_grant_and_proves_who_it_is_begins() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let photos = Party::ours(&root).await;
    let path = "/oauth2/device_authorization";
    let ask = photos.request(path, Fields(Vec::new())).send().await.unwrap();
    is_refused(ask, 400, "unauthorized_client").await;
    photos.fails(asks("asd_x"), 400, "unauthorized_client").await;
    let also = json!({"token_endpoint_auth_method": "client_secret_basic"});
    let mut secretive = Device::client(&root, also).await;
    let codes = app.json(secretive.request(path, Fields(Vec::new())), 200).await;
    let nobody = Fields(Vec::new()).with("client_id", &secretive.id).post(&app, path);
    is_refused(nobody.send().await.unwrap(), 401, "invalid_client").await;
    let unproven = asks(codes["device_code"].as_str().unwrap()).with("client_id", &secretive.id);
    is_refused(unproven.post(&app, "/oauth2/token").send().await.unwrap(), 401, "invalid_client").await;
    secretive.secret = Some("aso_wrong".to_owned());
    let wrong = secretive.request(path, Fields(Vec::new())).send().await.unwrap();
    is_refused(wrong, 401, "invalid_client").await;
    let unsaid = Fields(Vec::new()).post(&app, path).send().await.unwrap();
    is_refused(unsaid, 401, "invalid_client").await;
    let found = app.json(app.request(Method::GET, "/.well-known/openid-configuration"), 200).await;
    assert_eq!(found["device_authorization_endpoint"], format!("{}{path}", issuer(&app)));
    assert!(found["grant_types_supported"].as_array().unwrap().contains(&json!(GRANT)));
}
