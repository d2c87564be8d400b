//! One sign-in for all clients, what users agree to, and who may use a client at all.
use auth_service::rbac::Initiator;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Browser, Fields, Party, is_refused};
use crate::support::{PASSWORD, TestApp};

#[tokio::test]
async fn a_second_client_does_not_ask_who_it_is_again() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let (photos, mail) = (Party::register(&root, json!({})).await, Party::register(&root, json!({})).await);
    let mut browser = Browser::new(&app);
    photos.log_in(&mut browser, "ann").await;
    let page = browser.open(&mail.asks().path()).await;
    assert!(page.has_form("consent") && !page.has_form("sign-in"), "{page:?}");
    mail.checked(&browser.agree(&page).await);
    let ours = Party::ours(&root).await;
    let page = browser.send(Method::GET, &ours.asks().path(), &[]).await;
    assert!(ours.checked(&page).contains_key("code"), "no page at all");
}

#[tokio::test]
async fn what_was_agreed_to_is_remembered_and_what_is_more_is_asked_about() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = Party::register(&root, json!({})).await;
    let mut browser = Browser::new(&app);
    photos.answer(&mut browser, &photos.asks().with("scope", "openid email"), "ann").await;
    for less in ["openid email", "openid", "email openid"] {
        let page = browser.send(Method::GET, &photos.asks().with("scope", less).path(), &[]).await;
        assert!(photos.checked(&page).contains_key("code"), "{less}");
    }
    let page = browser.open(&photos.asks().path()).await;
    assert!(page.has_form("consent"), "profile is more");
    // Nor is it got around by asking for the claim instead of the scope.
    let claims = json!({"userinfo": {"name": null}}).to_string();
    let asked = photos.asks().with("scope", "openid").with("claims", &claims);
    let page = browser.open(&asked.path()).await;
    assert!(page.text.contains("see your name"), "{page:?}");
    // Another browser, another user: nothing of it holds.
    app.register("bob").await;
    let mut other = Browser::new(&app);
    let page = other.open(&photos.asks().path()).await;
    assert!(other.sign_in(&page, "bob").await.has_form("consent"));
}

#[tokio::test]
async fn whoever_does_not_agree_gives_nothing() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = Party::register(&root, json!({})).await;
    let mut browser = Browser::new(&app);
    for said in ["refuse", "", "AGREE"] {
        let mut page = browser.open(&photos.asks().path()).await;
        if page.has_form("sign-in") {
            page = browser.sign_in(&page, "ann").await;
        }
        let page = browser.submit(&page, "consent", &[("answer", said)]).await;
        let answer = photos.checked(&page);
        assert_eq!((answer["error"].as_str(), answer.get("code")), ("access_denied", None), "{said}");
    }
    assert!(browser.open(&photos.asks().path()).await.has_form("consent"), "nothing is remembered");
}

#[tokio::test]
async fn a_client_of_our_own_does_not_ask_for_consent_unless_it_wants_to() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let ours = Party::ours(&root).await;
    let mut browser = Browser::new(&app);
    let page = browser.open(&ours.asks().path()).await;
    let page = browser.sign_in(&page, "ann").await;
    assert!(ours.checked(&page).contains_key("code"));
    let page = browser.open(&ours.asks().with("prompt", "consent").path()).await;
    assert!(page.has_form("consent"));
    assert!(ours.checked(&browser.agree(&page).await).contains_key("code"));
}

#[tokio::test]
async fn users_without_a_role_of_the_client_are_kept_out() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let staff = Party::register(&root, json!({"roles": ["admin"]})).await;
    let bob = app.user("bob").await.id();
    app.app.accounts.set_roles(Initiator::host(), bob, &["admin".to_owned()]).await.unwrap();
    let mut browser = Browser::new(&app);
    let answer = staff.answer(&mut browser, &staff.asks(), "ann").await;
    assert_eq!((answer["error"].as_str(), answer.get("code")), ("access_denied", None));
    let answer = staff.answer(&mut Browser::new(&app), &staff.asks(), "bob").await;
    assert!(answer.contains_key("code"), "{answer:?}");
}

#[tokio::test]
async fn a_consent_form_of_another_browser_is_not_taken() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    app.register("eve").await;
    let photos = Party::register(&root, json!({})).await;
    let (mut ann, mut eve) = (Browser::new(&app), Browser::new(&app));
    let page = ann.open(&photos.asks().path()).await;
    ann.sign_in(&page, "ann").await;
    let page = eve.open(&photos.asks().path()).await;
    let of_eve = eve.sign_in(&page, "eve").await;
    let agreed = [("answer", "agree")];
    let answer = ann.submit(&of_eve, "consent", &agreed).await;
    answer.is_error_page("another browser");
    let mut without = of_eve.form("consent").fields;
    without.retain(|(name, _)| name != "form");
    without.push(("answer".into(), "agree".into()));
    ann.send(Method::POST, "/oauth2/consent", &without).await.is_error_page("another browser");
    assert!(ann.open(&photos.asks().path()).await.has_form("consent"), "nothing was agreed to");
}

#[tokio::test]
async fn a_user_sees_what_a_client_has_by_a_consent_since_when_and_from_where() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let ann = app.user("ann").await;
    let photos = Party::register(&root, json!({})).await;
    let (mut one, mut other) = (Browser::new(&app), Browser::new(&app));
    let list = async || app.json(ann.bearer(Method::GET, "/auth/consents"), 200).await["items"][0].clone();
    let mine = photos.log_in(&mut one, "ann").await;
    app.clock.advance_secs(60);
    let away = photos.log_in_for(&mut other, "ann", "openid offline_access").await;
    app.clock.advance_secs(60);
    photos.tokens(photos.refreshes(&mine)).await;
    let shown = list().await;
    assert_eq!(
        (&shown["grants_total"], shown["grants"].as_array().unwrap().len()),
        (&json!(2), 2),
        "{shown}"
    );
    let (first, second) = (&shown["grants"][0], &shown["grants"][1]);
    assert_eq!(first["scopes"], json!(["openid", "profile", "email"]));
    assert_eq!(
        (&first["created_at"], &first["last_used_at"]),
        (&json!("2027-01-15T08:00:00Z"), &json!("2027-01-15T08:02:00Z"))
    );
    assert_eq!((&first["offline"], &second["offline"]), (&json!(false), &json!(true)));
    let sid = crate::support::jwt::claims(mine["id_token"].as_str().unwrap())["sid"].clone();
    assert_eq!((&first["session"]["id"], &first["session"]["address"]), (&sid, &json!("127.0.0.1")));
    assert!(!shown.to_string().contains("asg_") && first["session"]["user_agent"].is_string(), "{shown}");
    // What ends with its session is gone with it; what is for when the user is away stays, without one.
    for session in [&sid, &second["session"]["id"]] {
        app.done(ann.bearer(Method::DELETE, &format!("/auth/sessions/{}", session.as_str().unwrap()))).await;
    }
    let shown = list().await;
    assert_eq!((&shown["grants_total"], &shown["grants"][0]["session"]), (&json!(1), &Value::Null));
    assert!(photos.are_good(&away).await);
    app.done(ann.bearer(Method::DELETE, &format!("/auth/consents/{}", photos.id))).await;
    assert!(!photos.are_good(&away).await);
    assert_eq!(list().await, Value::Null);
}

#[tokio::test]
async fn what_is_withdrawn_is_dead_everywhere_from_the_answer_on() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let ann = app.user("ann").await;
    let photos = Party::register(&root, json!({})).await;
    let api =
        Party::register(&root, json!({"introspect": true, "grant_types": ["client_credentials"]})).await;
    let mut all = Vec::new();
    for scope in ["openid profile", "openid offline_access"] {
        let mut browser = Browser::new(&app);
        all.push(photos.log_in_for(&mut browser, "ann", scope).await);
        let last = all.last().unwrap();
        assert_eq!(photos.introspect(&last["refresh_token"]).await["active"], true);
        // From memory, too.
        assert_eq!(photos.userinfo(last).send().await.unwrap().status(), 200);
        assert_eq!(api.introspect(&last["access_token"]).await["active"], true);
    }
    app.done(ann.bearer(Method::DELETE, &format!("/auth/consents/{}", photos.id))).await;
    for tokens in &all {
        is_refused(photos.userinfo(tokens).send().await.unwrap(), 401, "invalid_token").await;
        for by in [&photos, &api] {
            assert_eq!(by.introspect(&tokens["access_token"]).await, json!({"active": false}));
        }
        assert_eq!(photos.introspect(&tokens["refresh_token"]).await, json!({"active": false}));
        photos.fails(photos.refreshes(tokens), 400, "invalid_grant").await;
        let mine = app.request(Method::GET, "/auth/me").bearer_auth(tokens["access_token"].as_str().unwrap());
        assert_eq!(mine.send().await.unwrap().status(), 401);
    }
    // The browser stays signed in, and its client asks again.
    let mut browser = Browser::new(&app);
    let page = browser.open(&photos.asks().path()).await;
    assert!(browser.sign_in(&page, "ann").await.has_form("consent"));
    let nothing = Fields(Vec::new()).with("token", "x");
    assert_eq!(photos.request("/oauth2/revoke", nothing).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn what_a_deleted_client_was_given_is_swept_and_its_successors_is_not() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    app.register("bob").await;
    let rows = |table: &str| {
        let findings = app.app.store.verify(&auth_service::app::CHECKS.concat()).unwrap();
        assert_eq!(findings.problems, Vec::<String>::new());
        findings.tables.get(table).copied().unwrap_or_default()
    };
    let photos = Party::register(&root, json!({"client_id": "photos"})).await;
    let other = Party::register(&root, json!({"client_id": "photos2"})).await;
    for name in ["ann", "bob"] {
        photos.log_in(&mut Browser::new(&app), name).await;
    }
    other.log_in(&mut Browser::new(&app), "ann").await;
    assert_eq!((rows("oauth.consent"), rows("oauth.consent.by_client")), (3, 3));
    let root = app.log_in("root", PASSWORD).await;
    app.done(root.bearer(Method::DELETE, "/oauth-clients/photos")).await;
    app.clock.advance_secs(1);
    let anew = Party::register(&root, json!({"client_id": "photos"})).await;
    anew.log_in(&mut Browser::new(&app), "ann").await;
    app.app.tend().await;
    assert_eq!((rows("oauth.consent"), rows("oauth.consent.by_client")), (2, 2));
    let ann = app.log_in("ann", PASSWORD).await;
    let shown = app.json(ann.bearer(Method::GET, "/auth/consents"), 200).await;
    let names: Vec<_> =
        shown["items"].as_array().unwrap().iter().map(|one| one["client_id"].clone()).collect();
    assert_eq!(names, ["photos", "photos2"]);
}

#[tokio::test]
async fn whoever_loses_the_role_of_a_client_is_out_of_it_at_once() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let staff = Party::register(&root, json!({"roles": ["admin"], "first_party": true})).await;
    let bob = app.user("bob").await.id();
    let may = async |roles: &[String]| {
        app.app.accounts.set_roles(Initiator::host(), bob, roles).await.unwrap();
    };
    may(&["admin".to_owned()]).await;
    let mut browser = Browser::new(&app);
    let tokens = staff.log_in(&mut browser, "bob").await;
    let code = staff.code(&mut browser, "bob").await;
    assert_eq!(staff.userinfo(&tokens).send().await.unwrap().status(), 200);
    may(&[]).await;
    assert_eq!(staff.userinfo(&tokens).send().await.unwrap().status(), 401);
    staff.fails(staff.redeems(&code), 400, "invalid_grant").await;
    staff.fails(staff.refreshes(&tokens), 400, "invalid_grant").await;
}
