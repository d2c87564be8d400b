//! What all pages have: their policy, their looks, their language, and what they say when something is wrong.
use reqwest::Method;
use serde_json::json;

use crate::oauth::{Browser, Party};
use crate::support::{PASSWORD, Setup, TestApp};

#[tokio::test]
async fn a_page_runs_scripts_of_this_server_alone() {
    let app = TestApp::start().await;
    let page = app.get("/account/passkeys").await;
    assert_eq!(page.status(), 200);
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    for part in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "form-action 'self' ;"]
    {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    let text = page.text().await.unwrap();
    assert!(text.contains("autocomplete=\"username webauthn\""));
    for inline in ["<style", "onclick", "style=\"", "javascript:"] {
        assert!(!text.contains(inline), "{inline}");
    }
    // Everything that it asks for is there.
    for name in ["style.css", "passkeys.js"] {
        assert!(text.contains(&format!("\"/account/{name}\"")), "{name}");
        assert_eq!(app.get(&format!("/account/{name}")).await.status(), 200, "{name}");
    }
    let nothing = app.get("/account/nothing").await;
    app.failure(reqwest::Method::GET, nothing, 404, "NOT_FOUND").await;
}

#[tokio::test]
async fn a_page_is_found_below_the_path_of_the_public_url() {
    let app = Setup::default().at("https://home.example/id").start().await;
    let page = app.get("/id/account/passkeys").await;
    assert_eq!(page.status(), 200);
    let script = app.get("/id/account/passkeys.js").await.text().await.unwrap();
    assert!(script.contains("`../auth/${path}`"), "what it asks is found from where it is");
    assert_eq!(app.post("/id/auth/passkeys/login/start", &json!({})).await.status(), 200);
}

/// Every page that can be opened without more ado.
const PAGES: [&str; 8] = [
    "/account/register",
    "/account/forgot-password",
    "/account/reset-password",
    "/account/verify-email",
    "/account/sign-in",
    "/oauth2/sign-in?continue=%2Faccount%2Fpasskeys",
    "/oauth2/logout",
    "/account/passkeys",
];

#[tokio::test]
async fn a_page_stays_out_of_frames_and_caches_and_says_whose_language_it_speaks() {
    let app = TestApp::start().await;
    for path in PAGES {
        for (wanted, tag) in [("de-AT, en;q=0.5", "de"), ("fr", "en"), ("en", "en")] {
            let answer =
                app.request(Method::GET, path).header("Accept-Language", wanted).send().await.unwrap();
            let page = Browser::read(answer).await;
            assert_eq!(page.status, 200, "{path}");
            page.is_shielded();
            assert_eq!(page.headers["content-language"], tag);
            assert_eq!(page.headers["vary"], "accept-language");
            assert!(page.text.contains(&format!("<html lang=\"{tag}\">")), "{path}");
            is_accessible(&page.text);
        }
    }
}

/// What assistive technology and small screens need.
fn is_accessible(text: &str) {
    for part in ["<main>", "name=\"viewport\"", "color-scheme", "<header", "<h1>"] {
        assert_eq!(text.matches(part).count(), 1, "{part}: {text}");
    }
    for unsafe_part in ["style=\"", "<style", "onclick", "javascript:", "<script>"] {
        assert!(!text.contains(unsafe_part), "{unsafe_part}");
    }
    let mut ids: Vec<_> = text.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "an id comes twice: {text}");
    for input in text.split("<input ").skip(1).map(|rest| rest.split('>').next().unwrap()) {
        let attribute =
            |name: &str| input.split(&format!("{name}=\"")).nth(1).and_then(|r| r.split('"').next());
        if attribute("type") == Some("hidden") {
            continue;
        }
        let id = attribute("id").unwrap();
        assert!(text.contains(&format!("<label for=\"{id}\">")), "{id} has no label");
        assert!(attribute("autocomplete").is_some() || attribute("type") == Some("checkbox"), "{input}");
        for named in attribute("aria-describedby").into_iter().flat_map(|ids| ids.split(' ')) {
            assert!(ids.contains(&named), "{named} is described nowhere");
        }
    }
}

#[tokio::test]
async fn the_language_that_the_application_wants_comes_first() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let photos = Party::register(&root, json!({})).await;
    let mut browser = Browser::new(&app);
    let page = browser.open(&photos.asks().with("ui_locales", "fr de en").path()).await;
    assert!(page.text.contains("<html lang=\"de\">") && page.text.contains("Anmelden"), "{}", page.text);
    let page = browser.submit(&page, "sign-in", &[("username", "ann"), ("password", "wrong")]).await;
    assert!(page.text.contains("Benutzername oder Passwort ist falsch"), "{}", page.text);
    let page = browser.sign_in(&page, "root").await;
    assert!(page.has_form("consent") && page.text.contains("wissen, wer Sie sind"), "{}", page.text);
    let known = app.json(app.request(Method::GET, "/.well-known/openid-configuration"), 200).await;
    assert_eq!(known["ui_locales_supported"], json!(["en", "de"]));
}

#[tokio::test]
async fn a_directory_adds_a_language_and_discovery_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let words = json!({"sign_in": "Se <connecter>", "signed_in_as": "Vous êtes <b>{}"}).to_string();
    std::fs::write(dir.path().join("fr.json"), words).unwrap();
    let app = Setup::default().with("pages.language_dir", dir.path().to_str().unwrap());
    let app = app.with("pages.language", "de").start().await;
    let known = app.json(app.request(Method::GET, "/.well-known/openid-configuration"), 200).await;
    assert_eq!(known["ui_locales_supported"], json!(["de", "en", "fr"]));
    let page = app.request(Method::GET, PAGES[5]).header("Accept-Language", "fr-CA").send().await.unwrap();
    let text = page.text().await.unwrap();
    assert!(text.contains("<html lang=\"fr\">") && text.contains("Se &lt;connecter&gt;"), "{text}");
    let page = app.request(Method::GET, PAGES[5]).header("Accept-Language", "nl").send().await.unwrap();
    assert!(page.text().await.unwrap().contains("<html lang=\"de\">"));
}

#[tokio::test]
async fn a_name_a_picture_and_colours_are_the_installations_own() {
    let dir = tempfile::tempdir().unwrap();
    let logo = dir.path().join("logo");
    let svg = "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";
    std::fs::write(&logo, svg).unwrap();
    let app = Setup::default()
        .with("pages.name", "Ann & <Sons>")
        .with("pages.logo", logo.to_str().unwrap())
        .with("pages.color", "#005f00")
        .with("pages.background_dark", "#000000");
    let app = app.start().await;
    let text = app.get("/account/register").await.text().await.unwrap();
    let shown = "<img src=\"/account/logo\" alt=\"Ann &amp; &lt;Sons&gt;\">";
    assert!(text.contains(shown) && text.contains("· Ann &amp; &lt;Sons&gt;</title>"), "{text}");
    let style = app.get("/account/style.css").await.text().await.unwrap();
    assert!(style.contains("--color: #005f00; --on-color: #ffffff;"), "{style}");
    assert!(style.contains("--ground: #000000; --text: #ffffff;"), "{style}");
    let answer = app.get("/account/logo").await;
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(
        (header("content-type").as_str(), header("x-content-type-options").as_str()),
        ("image/svg+xml", "nosniff")
    );
    let policy = header("content-security-policy");
    assert!(policy.contains("sandbox") && policy.contains("default-src 'none'"), "{policy}");
    assert_eq!(answer.text().await.unwrap(), svg);
    // Where there is none, nothing is found.
    let app = TestApp::start().await;
    let answer = app.get("/account/logo").await;
    assert_eq!(answer.status(), 404);
}

#[tokio::test]
async fn whoever_asks_too_often_is_told_on_a_page_when_to_come_again() {
    let app = Setup::default().with("rate_limit.requests_per_hour", "2").start().await;
    for _ in 0..2 {
        assert_eq!(app.get(PAGES[5]).await.status(), 200);
    }
    let page = Browser::read(app.get(PAGES[5]).await).await;
    assert_eq!(page.status, 429);
    assert_eq!(page.headers["retry-after"], "3600");
    page.is_error_page("Too many requests");
    let page = app.request(Method::POST, PAGES[0]).header("Accept-Language", "de").send().await.unwrap();
    Browser::read(page).await.is_error_page("Zu viele Anfragen");
    // Programs are told as ever.
    app.fails(app.request(Method::POST, "/auth/token").json(&json!({})), 429, "RATE_LIMITED").await;
}

#[tokio::test]
async fn a_form_that_another_site_sends_is_refused_on_a_page() {
    let app = TestApp::start().await;
    for path in ["/account/register", "/account/reset-password", "/oauth2/sign-in", "/oauth2/consent"] {
        let answer = app.request(Method::POST, path).header("Origin", "https://evil.example");
        Browser::read(answer.send().await.unwrap()).await.is_error_page("another origin");
    }
}

#[tokio::test]
async fn whoever_guesses_too_often_is_told_in_the_form_when_to_come_again() {
    let app = TestApp::start().await;
    app.register("ann").await;
    let mut browser = Browser::new(&app);
    let first = browser.open(PAGES[5]).await;
    let mut page = browser.submit(&first, "sign-in", &[("username", "ann"), ("password", "wrong")]).await;
    for _ in 0..10 {
        page = browser.submit(&page, "sign-in", &[("username", "ann"), ("password", "wrong")]).await;
    }
    assert!(page.status == 429 && page.has_form("sign-in"), "{page:?}");
    let wait: u64 = page.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!(page.text.contains(&format!("Try again in {wait} seconds")), "{}", page.text);
    assert!(page.text.contains("value=\"ann\"") && !page.text.contains("value=\"wrong\""), "{}", page.text);
    app.clock.advance_secs(wait.cast_signed() + 1);
    let page = browser.submit(&page, "sign-in", &[("username", "ann"), ("password", PASSWORD)]).await;
    assert!(page.status == 200 && browser.cookies.contains_key("session_cookie"), "{page:?}");
}

#[tokio::test]
async fn programs_that_only_look_whether_a_page_is_there_find_it() {
    let app = TestApp::start().await;
    for path in PAGES.into_iter().chain(["/account/style.css", "/account/passkeys", "/oauth2/consent"]) {
        let looked = app.request(Method::HEAD, path).send().await.unwrap();
        let read = app.get(path).await;
        assert_eq!(looked.status(), read.status(), "{path}");
        assert_eq!(looked.headers().get("content-type"), read.headers().get("content-type"), "{path}");
        assert_eq!(looked.text().await.unwrap(), "");
        let other = app.request(Method::DELETE, path).send().await.unwrap();
        assert_eq!(other.status(), 405, "{path}");
        assert!(other.headers()["allow"].to_str().unwrap().starts_with("GET, "), "{path}");
    }
}
