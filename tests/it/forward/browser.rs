//! A browser on its way through a proxy: to the sign-in, and back to the page that was asked for.
use reqwest::Method;
use serde_json::json;

use super::{HTML, gets, guarding, sign_in, signed_in, told, usual};
use crate::oauth::Browser;
use crate::support::{Setup, set_cookie};

#[tokio::test]
async fn a_browser_signs_in_and_comes_back_to_the_page_that_it_asked_for() {
    let app = guarding(&usual()).start().await;
    app.register("ann").await;
    let answer = gets(&app, "/a?b=c&d=%2F").header("Accept", HTML).send().await.unwrap();
    let way =
        answer.headers()["location"].to_str().unwrap().strip_prefix(super::PUBLIC_URL).unwrap().to_owned();
    let mut browser = Browser::new(&app);
    let page = browser.open(&way).await;
    assert!(
        page.has_form("sign-in") && page.text.contains("<strong>wiki.example.org</strong>"),
        "{}",
        page.text
    );
    let policy = page.headers["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("form-action 'self' http://wiki.example.org;"), "{policy}");
    let wrong = [("username", "ann"), ("password", "wrong horse 81 battery")];
    let page = browser.submit(&page, "sign-in", &wrong).await;
    assert!(page.status == 401 && !browser.cookies.contains_key("forward_cookie"));
    let page = browser.sign_in(&page, "ann").await;
    assert_eq!((page.status, page.location().as_deref()), (303, Some("http://wiki.example.org/a?b=c&d=%2F")));
    let cookie = format!("forward_cookie={}", browser.cookies["forward_cookie"].1);
    assert_eq!(told(gets(&app, "/a?b=c").header("Cookie", &cookie)).await[0], "ann");
    // Who is signed in is asked for nothing.
    let page = browser.send(Method::GET, &sign_in("http://wiki.example.org/other"), &[]).await;
    assert_eq!((page.status, page.location().as_deref()), (303, Some("http://wiki.example.org/other")));
}

#[tokio::test]
async fn the_cookie_is_for_all_hosts_below_the_domain_and_for_no_script() {
    for (url, domain, name, attributes) in [
        ("http://id.example.org", "example.org", "forward_cookie", "; Domain=example.org"),
        ("https://id.example.org", "example.org", "__Secure-forward_cookie", "; Domain=example.org"),
        ("https://id.example.org", "", "__Secure-forward_cookie", ""),
    ] {
        let host = if domain.is_empty() { "id.example.org" } else { "wiki.example.org" };
        let setup = guarding(&json!([{"host": host}])).at(url).with("forward.cookie_domain", domain);
        let app = setup.start().await;
        let ann = app.user("ann").await;
        let session = super::cookie_of_session(&app, "ann").await;
        let back = format!("{}://{host}/", url.split(':').next().unwrap());
        let page = app.request(Method::GET, &sign_in(&back)).header("Cookie", session).send().await.unwrap();
        assert_eq!(page.status(), 303);
        let set = set_cookie(page.headers(), "forward_cookie");
        assert!(set.starts_with(&format!("{name}=")), "{set}");
        let rest = set.split_once("; ").unwrap().1;
        let secure = if url.starts_with("https") { "; Secure" } else { "" };
        let expected = format!("HttpOnly; SameSite=Lax{secure}; Path=/{attributes}; Max-Age=");
        assert!(rest.starts_with(&expected), "{rest}");
        drop(ann);
    }
}

#[tokio::test]
async fn nobody_is_led_to_a_page_that_no_rule_guards() {
    let app = guarding(&usual()).start().await;
    app.register("ann").await;
    let mut browser = Browser::new(&app);
    signed_in(&mut browser, "ann").await;
    for bad in [
        "",
        "/",
        "//evil.example/",
        "\\\\evil.example",
        "/\\evil.example",
        "http:evil.example",
        "http:/evil.example",
        "https:evil",
        "http://evil.example/",
        "http://wiki.example.org@evil.example/",
        "http://u:p@wiki.example.org/",
        "http://wiki.example.org.evil.example/",
        "http://evil.example#wiki.example.org",
        "http://evil.example\\.example.org",
        "http://unknown.example.org/",
        "http://wiki.example.org:81/",
        "https://wiki.example.org/",
        "ftp://wiki.example.org/",
        "javascript:alert(1)",
        "http://wiki.example.org/%0d%0a\r\nX: y",
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://wiki.example.org\t/",
        "http://wiki.example.org\\@evil.example/",
        "http://id.example.org/",
    ] {
        let path = sign_in(bad);
        let page = browser.send(Method::GET, &path, &[]).await;
        assert!(page.status == 400 && page.location().is_none(), "{bad}: {page:?}");
        assert!(page.headers["content-type"].to_str().unwrap().starts_with("text/html"));
        let page = Browser::new(&app).send(Method::GET, &path, &[]).await;
        assert!(page.status == 400 && page.location().is_none(), "{bad}: {page:?}");
    }
    let twice = format!("{}&return_to=http%3A%2F%2Fevil.example", sign_in("http://wiki.example.org/"));
    assert_eq!(browser.send(Method::GET, &twice, &[]).await.status, 400);
    assert_eq!(browser.send(Method::GET, "/auth/forward/sign-in", &[]).await.status, 400);
    let port = browser.send(Method::GET, &sign_in("http://wiki.example.org:8443/a"), &[]).await;
    assert_eq!(port.location().as_deref(), Some("http://wiki.example.org:8443/a"));
}

#[tokio::test]
async fn the_sign_in_page_itself_leads_to_nothing_that_was_forged() {
    let app = guarding(&usual()).start().await;
    app.register("ann").await;
    let forged: String =
        form_urlencoded::byte_serialize(sign_in("http://evil.example/").as_bytes()).collect();
    let mut browser = Browser::new(&app);
    let page = browser.open(&format!("/oauth2/sign-in?continue={forged}")).await;
    assert!(!page.headers["content-security-policy"].to_str().unwrap().contains("evil"), "{page:?}");
    let page = browser.sign_in(&page, "ann").await;
    assert!(
        page.status == 400 && page.location().is_none() && !browser.cookies.contains_key("forward_cookie")
    );
}

#[tokio::test]
async fn a_link_signs_nobody_in_as_somebody_else() {
    let app = guarding(&usual()).start().await;
    app.register("mallory").await;
    app.register("ann").await;
    let mut attacker = Browser::new(&app);
    let theirs = signed_in(&mut attacker, "mallory").await;
    // The victim opens what the attacker has opened: it is asked who it is.
    let page = Browser::new(&app).open(&sign_in("http://wiki.example.org/")).await;
    assert!(page.has_form("sign-in"));
    // Nor does a form of the attacker's do for another browser.
    let mut victim = Browser::new(&app);
    victim.open(&sign_in("http://wiki.example.org/")).await;
    let planted = Browser::new(&app).open(&sign_in("http://wiki.example.org/")).await;
    let page = victim.sign_in(&planted, "mallory").await;
    assert!(page.status == 403 && !victim.cookies.contains_key("forward_cookie"), "{page:?}");
    // A cookie of the attacker's beside one's own is no guess.
    let own = signed_in(&mut victim, "ann").await;
    let both = gets(&app, "/a").header("Cookie", format!("{theirs}; {own}"));
    app.fails(both, 400, "MALFORMED_REQUEST").await;
}

#[tokio::test]
async fn where_nothing_can_be_led_back_to_nobody_is_led_away() {
    let app = guarding(&json!([{"host": "wiki.example.org"}, {"host": "wiki.example.com"}])).start().await;
    for url in ["http://wiki.example.com/", "https://wiki.example.org/", "http://wiki.example.org:81/"] {
        let page = super::asks(&app, "GET", url).header("Accept", HTML);
        app.fails(page, 401, "UNAUTHORIZED").await;
    }
    let page = super::asks(&app, "GET", "http://wiki.example.org:8443/")
        .header("Accept", HTML)
        .send()
        .await
        .unwrap();
    assert_eq!(page.status(), 302);
}

#[tokio::test]
async fn a_domain_that_cookies_cannot_be_set_for_is_refused_at_the_start() {
    for bad in ["org", "example.com", "xample.org", "a.id.example.org", ".example.org", "EXAMPLE.org"] {
        let settings = Setup::default().at(super::PUBLIC_URL).with("forward.cookie_domain", bad).settings;
        let environment = settings
            .iter()
            .map(|(key, value)| (format!("AUTH_{}", key.replace('.', "__").to_uppercase()), value.clone()));
        let refused = auth_service::config::load(&auth_service::config::Flags::default(), environment);
        assert!(refused.is_err(), "{bad}");
    }
}
