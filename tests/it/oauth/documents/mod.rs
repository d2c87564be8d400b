//! Clients whose name is the URL of a document (draft-ietf-oauth-client-id-metadata-document).
mod attacks;

use reqwest::Method;
use serde_json::{Value, json};

use super::support::documents_host::Host;
use super::{Browser, CALLBACK, Page, Party, is_refused};
use crate::support::{Setup, TestApp};

fn party<'a>(app: &'a TestApp, host: &Host) -> Party<'a> {
    Party { app, id: host.id(), secret: None, method: "none".to_owned() }
}

/// What a browser without a session sees first.
async fn first(app: &TestApp, id: &str) -> Page {
    let asks = Party { app, id: id.to_owned(), secret: None, method: "none".to_owned() }.asks();
    Browser::new(app).open(&asks.path()).await
}

fn is_whole(app: &TestApp) {
    let findings = app.app.store.verify(&auth_service::app::CHECKS.concat()).unwrap();
    assert_eq!(findings.problems, Vec::<String>::new());
}

#[tokio::test]
async fn a_client_that_nobody_has_registered_logs_its_users_in() {
    let host = Host::start().await;
    host.says(&host.document());
    let app = host.setup().start().await;
    app.register("ann").await;
    let photos = party(&app, &host);
    let mut browser = Browser::new(&app);
    let page = browser.open(&photos.asks().path()).await;
    let page = browser.sign_in(&page, "ann").await;
    assert!(page.text.contains("id=\"published-at\"") && page.text.contains("<strong>localhost</strong>"));
    assert!(page.text.contains("id=\"own-word\""), "{page:?}");
    let answer = photos.checked(&browser.agree(&page).await);
    let tokens = photos.tokens(photos.redeems(&answer["code"])).await;
    assert!(photos.are_good(&tokens).await);
    // Agreed to once is not agreed to for ever.
    assert!(browser.open(&photos.asks().path()).await.has_form("consent"));
    is_whole(&app);
}

#[tokio::test]
async fn discovery_says_whether_documents_are_read_and_by_default_none_is() {
    let host = Host::start().await;
    host.says(&host.document());
    let about = async |setup: Setup| {
        let app = setup.start().await;
        let document: Value = app.get("/.well-known/openid-configuration").await.json().await.unwrap();
        (document["client_id_metadata_document_supported"].clone(), first(&app, &host.id()).await)
    };
    let (supported, page) = about(Setup::default()).await;
    assert_eq!(supported, Value::Null);
    page.is_error_page("client_id");
    assert_eq!(host.asked(), 0);
    let (supported, page) = about(host.setup()).await;
    assert_eq!(supported, json!(true));
    assert!(page.has_form("sign-in"), "{page:?}");
}

#[tokio::test]
async fn a_document_is_read_again_when_its_time_is_over_and_once_for_all_who_ask() {
    let host = Host::start().await;
    host.answers(
        "200 OK",
        "Content-Type: application/json\r\nCache-Control: max-age=600\r\n",
        host.document().to_string().as_bytes(),
    );
    let app = host.setup().start().await;
    let id = host.id();
    let pages = futures_util::future::join_all((0..8).map(|_| first(&app, &id))).await;
    assert!(pages.iter().all(|page| page.has_form("sign-in")));
    assert_eq!(host.asked(), 1);
    app.clock.advance_secs(599);
    first(&app, &id).await;
    assert_eq!(host.asked(), 1);
    app.clock.advance_secs(1);
    first(&app, &id).await;
    assert_eq!(host.asked(), 2);
}

#[tokio::test]
async fn what_a_document_says_later_holds_from_then_on() {
    let host = Host::start().await;
    host.says(&host.document());
    let app = host.setup().start().await;
    assert!(first(&app, &host.id()).await.has_form("sign-in"));
    let mut other = host.document();
    other["redirect_uris"] = json!(["https://other.example/cb"]);
    host.says(&other);
    assert!(first(&app, &host.id()).await.has_form("sign-in"), "it is believed yet");
    app.clock.advance_secs(3600);
    first(&app, &host.id()).await.is_error_page("redirect_uri");
    is_whole(&app);
}

#[tokio::test]
async fn a_client_whose_document_is_gone_is_gone_with_all_that_it_has() {
    let host = Host::start().await;
    host.says(&host.document());
    let app = host.setup().start().await;
    app.register("ann").await;
    let photos = party(&app, &host);
    let tokens = photos.log_in(&mut Browser::new(&app), "ann").await;
    app.clock.advance_secs(3600);
    // That its host is ill is no word of its.
    host.answers("503 Service Unavailable", "", b"");
    first(&app, &host.id()).await.is_error_page("another status");
    let fresh = photos.tokens(photos.refreshes(&tokens)).await;
    host.answers("404 Not Found", "", b"");
    first(&app, &host.id()).await.is_error_page("not there any more");
    assert_eq!(photos.userinfo(&fresh).send().await.unwrap().status(), 401);
    photos.fails(photos.refreshes(&fresh), 401, "invalid_client").await;
    is_whole(&app);
}

#[tokio::test]
async fn what_an_administrator_says_of_such_a_client_counts_more_than_its_document() {
    let host = Host::start().await;
    host.says(&host.document());
    let app = host.setup().start().await;
    let root = app.superuser("root").await;
    let mut body = host.document();
    body["redirect_uris"] = json!(["https://other.example/cb"]);
    app.json(root.bearer(Method::POST, "/oauth-clients").json(&body), 201).await;
    first(&app, &host.id()).await.is_error_page("redirect_uri");
    assert_eq!(host.asked(), 0);
}

#[tokio::test]
async fn one_that_is_switched_off_stays_off_and_a_token_of_it_manages_nothing() {
    let host = Host::start().await;
    host.says(&host.document());
    let app = host.setup().start().await;
    let root = app.superuser("root").await;
    assert!(first(&app, &host.id()).await.has_form("sign-in"));
    let path = format!("/oauth-clients/{}", host.id().replace(':', "%3A").replace('/', "%2F"));
    let shown = app.json(root.bearer(Method::GET, &path), 200).await;
    assert_eq!(shown["registered_by"], "document");
    let own = path.replace("/oauth-clients/", "/oauth2/register/");
    let request = app.request(Method::GET, &own).bearer_auth("asa_x");
    is_refused(request.send().await.unwrap(), 401, "invalid_token").await;
    for name in ["first_party", "introspect"] {
        let mut body = json!({});
        body[name] = json!(true);
        app.refuses(root.bearer(Method::PATCH, &path).json(&body), name).await;
    }
    app.json(root.bearer(Method::PATCH, &path).json(&json!({"is_active": false})), 200).await;
    app.clock.advance_secs(24 * 3600);
    first(&app, &host.id()).await.is_error_page("client_id");
    assert_eq!(host.asked(), 1);
}

#[tokio::test]
async fn one_that_nobody_uses_is_removed() {
    let host = Host::start().await;
    host.says(&host.document());
    let app = host.setup().with("client_registration.max_clients", "1").start().await;
    assert!(first(&app, &host.id()).await.has_form("sign-in"));
    app.clock.advance_secs(30 * 24 * 3600);
    app.app.tend().await;
    let id = auth_service::oauth::client::ClientId::parse(&host.id()).unwrap();
    assert!(app.app.oauth_clients.read(&id).is_err());
    is_whole(&app);
    assert_eq!(CALLBACK, host.document()["redirect_uris"][0]);
}
