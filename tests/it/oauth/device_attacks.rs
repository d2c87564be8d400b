//! What others try with the codes of devices (RFC 8628 section 5).
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::device::{Device, GRANT, asks, enter, says};
use super::{Browser, Party};
use crate::support::{Setup, TestApp};

/// A code that nobody has, with overwhelming likelihood.
fn guessed(number: usize) -> String {
    const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
    let letter = |place: u32| char::from(LETTERS[number / 20_usize.pow(place) % 20]);
    format!("{}-ZZZZ", (0..4).map(letter).collect::<String>())
}

#[tokio::test]
async fn user_codes_can_be_guessed_ten_times_and_then_ever_more_slowly() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let device = Device::on(&root, json!({})).await;
    let mut browser = Browser::new(&app);
    for number in 0..10 {
        enter(&mut browser, &guessed(number), "ann").await.is_error_page("no such code");
    }
    // The right one has to wait like the others, and another browser or another session is no way around.
    let page = enter(&mut browser, device.user_code(), "ann").await;
    assert_eq!(page.status, 429, "{page:?}");
    assert!(!page.text.contains("Television"));
    let page = enter(&mut Browser::new(&app), device.user_code(), "ann").await;
    assert_eq!(page.status, 429, "{page:?}");
    app.clock.advance_secs(1);
    assert!(enter(&mut browser, device.user_code(), "ann").await.has_form("device-confirm"));
}

#[tokio::test]
async fn a_device_of_ones_own_gives_no_more_guesses() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let own = Device::on(&root, json!({})).await;
    let mut browser = Browser::new(&app);
    for number in 0..10 {
        enter(&mut browser, &guessed(number), "ann").await.is_error_page("no such code");
        if number < 9 {
            assert!(enter(&mut browser, own.user_code(), "ann").await.has_form("device-confirm"));
        }
    }
    assert_eq!(enter(&mut browser, &guessed(11), "ann").await.status, 429);
}

#[tokio::test]
async fn many_accounts_behind_one_address_have_a_hundred_guesses_together() {
    let app = TestApp::start().await;
    let mut refused = 0;
    for user in 0..12 {
        let name = format!("user{user}");
        app.register(&name).await;
        let mut browser = Browser::new(&app);
        for number in 0..9 {
            refused +=
                usize::from(enter(&mut browser, &guessed(100 * user + number), &name).await.status == 429);
        }
    }
    assert!(refused >= 12 * 9 - 100, "{refused} were refused");
}

#[tokio::test]
async fn nobody_guesses_who_is_not_signed_in() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let device = Device::on(&root, json!({})).await;
    let mut browser = Browser::new(&app);
    let page = browser.open("/device").await;
    for code in [device.user_code(), &guessed(1)] {
        let asked = browser.submit(&page, "device", &[("user_code", code)]).await;
        assert!(asked.has_form("sign-in") && !asked.text.contains("Television"), "{asked:?}");
    }
}

#[tokio::test]
async fn a_link_alone_looks_no_code_up() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let device = Device::on(&root, json!({})).await;
    let mut browser = Browser::new(&app);
    enter(&mut browser, device.user_code(), "ann").await;
    for number in 0..30 {
        let page = browser.open(&format!("/device?user_code={}", guessed(number))).await;
        assert!(page.status == 200 && page.has_form("device"), "{page:?}");
    }
    let page = browser.open(&format!("/device?user_code={}", device.user_code())).await;
    assert!(!page.text.contains("Television"), "{page:?}");
    assert!(enter(&mut browser, device.user_code(), "ann").await.has_form("device-confirm"));
}

#[tokio::test]
async fn a_device_code_is_good_for_its_own_client_alone() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let device = Device::on(&root, json!({})).await;
    let other = Device::client(&root, json!({})).await;
    other.fails(device.asks(), 400, "invalid_grant").await;
    let mut browser = Browser::new(&app);
    let page = enter(&mut browser, device.user_code(), "ann").await;
    says(&mut browser, &page, "agree").await;
    other.fails(device.asks(), 400, "invalid_grant").await;
    other.fails(asks("asd_x"), 400, "invalid_grant").await;
    other.fails(asks(device.user_code()), 400, "invalid_grant").await;
    other.fails(asks("").without("device_code"), 400, "invalid_request").await;
    device.party.tokens(device.asks()).await;
    // One that was made anew under the same name has nothing of the one before.
    let device = Device::ask(device.party, "openid").await;
    let page = enter(&mut browser, device.user_code(), "ann").await;
    says(&mut browser, &page, "agree").await;
    app.done(root.bearer(Method::DELETE, &format!("/oauth-clients/{}", device.party.id))).await;
    app.clock.advance_secs(1);
    Device::client(&root, json!({"client_id": device.party.id})).await;
    device.hears("invalid_grant").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_code_is_redeemed_once_however_many_ask_at_the_same_time() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let device = Device::on(&root, json!({})).await;
    let mut browser = Browser::new(&app);
    let page = enter(&mut browser, device.user_code(), "ann").await;
    says(&mut browser, &page, "agree").await;
    let ask = || async {
        let answer = device.party.request("/oauth2/token", device.asks()).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let all = join_all((0..20).map(|_| ask())).await;
    let (good, bad): (Vec<_>, Vec<_>) = all.into_iter().partition(|(status, _)| *status == 200);
    assert_eq!((good.len(), bad.len()), (1, 19));
    assert!(bad.iter().all(|(status, body)| *status == 400 && body["error"] == "invalid_grant"));
    // Somebody else has the code, too: what came of it is good for nothing.
    assert!(!device.party.are_good(&good[0].1).await);
}

#[tokio::test]
async fn a_device_code_that_comes_again_ends_what_came_of_it() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let device = Device::on(&root, json!({})).await;
    let mut browser = Browser::new(&app);
    let page = enter(&mut browser, device.user_code(), "ann").await;
    says(&mut browser, &page, "agree").await;
    let tokens = device.party.tokens(device.asks()).await;
    assert!(device.party.are_good(&tokens).await);
    // Not for who is not its client.
    let other = Device::client(&root, json!({})).await;
    other.fails(device.asks(), 400, "invalid_grant").await;
    let next = device.party.tokens(device.party.refreshes(&tokens)).await;
    device.hears("invalid_grant").await;
    assert!(!device.party.are_good(&next).await);
    let trail = app.json(root.bearer(Method::GET, "/audit?action=oauth.device_code_reused"), 200).await;
    assert_eq!(trail["items"].as_array().unwrap().len(), 1, "{trail}");
}

#[tokio::test]
async fn nobody_agrees_with_a_form_of_another_browser_or_another_site() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let device = Device::on(&root, json!({})).await;
    let mut browser = Browser::new(&app);
    let page = enter(&mut browser, device.user_code(), "ann").await;
    let form = page.form("device-confirm");
    let said = |fields: &[(String, String)], form: &str| {
        let mut fields: Vec<_> = fields.iter().filter(|(name, _)| name != "form").cloned().collect();
        fields.push(("form".to_owned(), form.to_owned()));
        fields.push(("answer".to_owned(), "agree".to_owned()));
        fields
    };
    for forged in ["", "x", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        let page = browser.send(Method::POST, "/device", &said(&form.fields, forged)).await;
        assert_eq!(page.status, 403, "{page:?}");
        page.is_error_page("another browser");
    }
    let cookies = browser.cookies.iter().map(|(name, (_, value))| format!("{name}={value}"));
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form.fields.iter().chain([&("answer".to_owned(), "agree".to_owned())]))
        .finish();
    let foreign = app
        .request(Method::POST, "/device")
        .header("Cookie", cookies.collect::<Vec<_>>().join("; "))
        .header("Origin", "https://evil.example")
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(body);
    assert_eq!(foreign.send().await.unwrap().status(), 403);
    // Nor by a link.
    let link = format!("/device?user_code={}&answer=agree", device.user_code());
    assert!(browser.open(&link).await.has_form("device"));
    device.hears("authorization_pending").await;
}

#[tokio::test]
async fn a_page_that_was_left_open_answers_nothing_that_was_answered() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    app.register("eve").await;
    let device = Device::on(&root, json!({})).await;
    let (mut ann, mut eve) = (Browser::new(&app), Browser::new(&app));
    let (hers, page) =
        (enter(&mut eve, device.user_code(), "eve").await, enter(&mut ann, device.user_code(), "ann").await);
    says(&mut ann, &page, "agree").await;
    says(&mut eve, &hers, "agree").await.is_error_page("no such code");
    says(&mut eve, &hers, "refuse").await.is_error_page("no such code");
    let tokens = device.party.tokens(device.asks()).await;
    assert_eq!(app.json(device.party.userinfo(&tokens), 200).await["preferred_username"], "ann");
}

#[tokio::test]
async fn who_may_not_use_the_client_lets_no_device_in() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let device = Device::on(&root, json!({"roles": ["admin"]})).await;
    let mut browser = Browser::new(&app);
    let page = enter(&mut browser, device.user_code(), "ann").await;
    assert_eq!(page.status, 403);
    page.is_error_page("role");
    device.hears("authorization_pending").await;
    let mut browser = Browser::new(&app);
    let page = enter(&mut browser, device.user_code(), "root").await;
    assert_eq!(page.status, 403, "not even a superuser without the role: {page:?}");
}

#[tokio::test]
async fn a_storm_of_questions_is_cut_off_and_costs_well_behaved_devices_nothing() {
    let app = Setup::default().with("rate_limit.requests_per_hour", "60").start().await;
    let root = app.superuser("root").await;
    let (stormy, calm) = (Device::on(&root, json!({})).await, Device::on(&root, json!({})).await);
    let mut cut_off = 0;
    for _ in 0..100 {
        let answer = stormy.party.request("/oauth2/token", stormy.asks()).send().await.unwrap();
        cut_off += usize::from(answer.status() == 429);
    }
    assert!(cut_off > 30, "{cut_off}");
    for _ in 0..80 {
        app.clock.advance_secs(5);
        calm.hears("authorization_pending").await;
    }
    let unknown = Party { app: &app, id: calm.party.id.clone(), secret: None, method: "none".to_owned() };
    let answer = unknown.request("/oauth2/token", asks("asd_guess")).send().await.unwrap();
    assert_eq!(answer.status(), 429, "guessing device codes is counted, too");
}

#[tokio::test]
async fn no_code_stands_in_the_trail_and_every_step_does() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let mut browser = Browser::new(&app);
    let device = Device::on(&root, json!({})).await;
    let page = enter(&mut browser, device.user_code(), "ann").await;
    says(&mut browser, &page, "agree").await;
    device.party.tokens(device.asks()).await;
    let other = Device::on(&root, json!({})).await;
    let page = enter(&mut browser, other.user_code(), "ann").await;
    says(&mut browser, &page, "refuse").await;
    let trail = app.json(root.bearer(Method::GET, "/audit?limit=200"), 200).await;
    let items = trail["items"].as_array().unwrap();
    for action in
        ["oauth.device_asked", "oauth.device_approved", "oauth.device_refused", "oauth.grant_created"]
    {
        assert!(items.iter().any(|event| event["action"] == action), "{action}: {trail}");
    }
    let text = trail.to_string();
    let bare = device.user_code().replace('-', "");
    for secret in [device.codes["device_code"].as_str().unwrap(), device.user_code(), &bare] {
        assert!(!text.contains(secret), "{secret}");
    }
    let (status, body) = {
        let answer =
            device.party.request("/oauth2/token", device.asks().with("grant_type", &GRANT[..10])).send();
        let answer = answer.await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    assert_eq!((status, &body["error"]), (400, &json!("unsupported_grant_type")));
}
