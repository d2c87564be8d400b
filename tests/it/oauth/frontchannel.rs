//! What browsers open when their users sign out (OpenID Connect Front-Channel Logout 1.0).
use reqwest::Method;
use serde_json::{Value, json};

use super::{Browser, Fields, Page, Party, issuer};
use crate::support::{Person, TestApp, jwt};

const BYE: &str = "https://photos.example/bye";

/// A client of our own with a page that signs out.
async fn with_frame<'a>(root: &Person<'a>, host: &str, uri: &str) -> Party<'a> {
    let body = json!({
        "first_party": true,
        "redirect_uris": [super::CALLBACK, format!("https://{host}/cb")],
        "post_logout_redirect_uris": [BYE],
        "frontchannel_logout_uri": uri,
        "frontchannel_logout_session_required": true,
    });
    Party::register(root, body).await
}

async fn sign_out(browser: &mut Browser<'_>, tokens: &Value, also: &[(&str, &str)]) -> Page {
    let fields = Fields(Vec::new()).with("id_token_hint", tokens["id_token"].as_str().unwrap());
    let fields = also.iter().fold(fields, |fields, (name, value)| fields.with(name, value));
    browser.send(Method::GET, &format!("/oauth2/logout?{}", fields.text()), &[]).await
}

fn frames(page: &Page) -> Vec<String> {
    let frames = page.text.split("<iframe src=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    frames.map(|uri| uri.replace("&#x2f;", "/").replace("&amp;", "&")).collect()
}

fn policy(page: &Page) -> String {
    page.headers["content-security-policy"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_page_opens_what_the_clients_of_the_session_want_with_issuer_and_session() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = with_frame(&root, "photos.example", "https://photos.example/frame?x=1").await;
    let notes = with_frame(&root, "notes.example:8443", "https://notes.example:8443/frame").await;
    let never = with_frame(&root, "never.example", "https://never.example/frame").await;
    Party::ours(&root).await.log_in(&mut Browser::new(&app), "ann").await;
    let mut browser = Browser::new(&app);
    let tokens = photos.log_in(&mut browser, "ann").await;
    notes.log_in(&mut browser, "ann").await;
    never.log_in(&mut Browser::new(&app), "ann").await;
    let page = sign_out(&mut browser, &tokens, &[]).await;
    page.is_shielded();
    assert!(page.status == 200 && page.text.contains("You are signed out"), "{page:?}");
    let sid = jwt::claims(tokens["id_token"].as_str().unwrap())["sid"].as_str().unwrap().to_owned();
    let mut own = Fields(Vec::new()).with("iss", &issuer(&app)).with("sid", &sid).text();
    own.insert(0, '&');
    let mut opened = frames(&page);
    opened.sort();
    let wanted = [
        format!("https://notes.example:8443/frame?{}", &own[1..]),
        format!("https://photos.example/frame?x=1{own}"),
    ];
    assert_eq!(opened, wanted);
    assert_eq!(page.text.matches(" hidden></iframe>").count(), 2);
    // Frames of those origins, and of no others, on this page alone.
    assert!(
        policy(&page).ends_with("; frame-src https://notes.example:8443 https://photos.example"),
        "{page:?}"
    );
    assert!(!page.text.contains("http-equiv"), "nobody said where to go");
    let again = browser.open("/oauth2/logout").await;
    assert!(frames(&again).is_empty() && !policy(&again).contains("frame-src"), "{again:?}");
    let page = browser.open(&photos.asks().path()).await;
    assert!(page.has_form("sign-in") && !policy(&page).contains("frame-src"));
}

#[tokio::test]
async fn the_way_back_leads_over_the_page_without_any_script() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = with_frame(&root, "photos.example", "https://photos.example/frame").await;
    let mut browser = Browser::new(&app);
    let tokens = photos.log_in(&mut browser, "ann").await;
    let page =
        sign_out(&mut browser, &tokens, &[("post_logout_redirect_uri", BYE), ("state", "\"><s>; url=x")])
            .await;
    page.is_shielded();
    assert_eq!((page.status, page.location(), frames(&page).len()), (200, None, 1));
    let to = "https://photos.example/bye?state=%22%3E%3Cs%3E%3B+url%3Dx";
    let escaped = to.replace('/', "&#x2f;");
    assert!(
        page.text.contains(&format!("<meta http-equiv=\"refresh\" content=\"3; url={escaped}\">")),
        "{}",
        page.text
    );
    assert!(page.text.contains(&format!("<a href=\"{escaped}\" id=\"go-on\">")), "{}", page.text);
    assert!(!page.text.contains("<script"), "{}", page.text);
    let asked = photos.asks().with("prompt", "none");
    assert_eq!(browser.open(&asked.path()).await.answer(super::CALLBACK)["error"], "login_required");
    // Without anything to open it is as short as ever.
    let plain =
        Party::register(&root, json!({"first_party": true, "post_logout_redirect_uris": [BYE]})).await;
    let tokens = plain.log_in(&mut browser, "ann").await;
    let page = sign_out(&mut browser, &tokens, &[("post_logout_redirect_uri", BYE)]).await;
    assert_eq!((page.status, page.location().as_deref()), (303, Some(BYE)));
}

#[tokio::test]
async fn a_frame_is_of_the_origin_of_a_redirect_uri() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let photos = Party::ours(&root).await;
    let path = format!("/oauth-clients/{}", photos.id);
    for bad in [
        "https://other.example/frame",
        "https://photos.example:8443/frame",
        "http://photos.example/frame",
        "https://a.photos.example/frame",
        "https://photos.example/frame#x",
        "/frame",
        "javascript:alert(1)",
    ] {
        let change = root.bearer(Method::PATCH, &path).json(&json!({"frontchannel_logout_uri": bad}));
        app.refuses(change, "frontchannel_logout_uri").await;
    }
    let good = json!({"frontchannel_logout_uri": "https://photos.example:443/frame?x=1"});
    let changed = app.json(root.bearer(Method::PATCH, &path).json(&good), 200).await;
    assert_eq!(changed["frontchannel_logout_uri"], "https://photos.example:443/frame?x=1");
    // Nor may the address move away from under it.
    let away =
        root.bearer(Method::PATCH, &path).json(&json!({"redirect_uris": ["https://other.example/cb"]}));
    app.refuses(away, "frontchannel_logout_uri").await;
    let document: Value = app.get("/.well-known/openid-configuration").await.json().await.unwrap();
    assert_eq!(document["frontchannel_logout_supported"], true);
    assert_eq!(document["frontchannel_logout_session_supported"], true);
}
