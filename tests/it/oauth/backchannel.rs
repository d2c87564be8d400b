//! What clients are told of the ends of sessions (OpenID Connect Back-Channel Logout 1.0): which ends, whom, and in which words.
use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use super::{Browser, Fields, Party, Receiver, is_refused, jws};
use crate::mfa::with_app;
use crate::support::{PASSWORD, Person, Setup, TestApp, jwt};

/// A server that may go to clients on this machine.
pub async fn start() -> TestApp {
    Setup::default().with("outbound.allowed_networks", "127.0.0.0/8").start().await
}

/// A client of our own that is told of logouts, and more of it.
pub async fn told<'a>(root: &Person<'a>, receiver: &Receiver, also: Value) -> Party<'a> {
    let mut body = json!({"first_party": true, "backchannel_logout_uri": receiver.uri()});
    body.as_object_mut().unwrap().extend(also.as_object().unwrap().clone());
    Party::register(root, body).await
}

fn sid(tokens: &Value) -> String {
    jwt::claims(tokens["id_token"].as_str().unwrap())["sid"].as_str().unwrap().to_owned()
}

/// Ends the session that an ID token is about, as its user does in a list.
async fn end(who: &Person<'_>, tokens: &Value) {
    who.app.done(who.bearer(Method::DELETE, &format!("/auth/sessions/{}", sid(tokens)))).await;
}

/// Those that a client has been told of, once everything due was sent.
async fn sids(app: &TestApp, receiver: &Receiver) -> Vec<String> {
    app.app.backchannel.deliver_due().await.unwrap();
    let heard = receiver.heard();
    heard.iter().map(|one| jwt::claims(one.token())["sid"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_logout_token_says_who_is_out_and_where_and_nothing_else() {
    let app = start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    let receiver = Receiver::start().await;
    let photos = told(&root, &receiver, json!({"backchannel_logout_session_required": true})).await;
    let tokens = photos.log_in(&mut Browser::new(&app), "ann").await;
    end(&ann, &tokens).await;
    assert_eq!(app.app.backchannel.deliver_due().await.unwrap(), 1);
    let [heard] = &receiver.heard()[..] else { panic!("told once") };
    assert_eq!((heard.method.as_str(), heard.path.as_str()), ("POST", "/out?app=1"));
    assert_eq!(heard.content_type, "application/x-www-form-urlencoded");
    let (header, _) = jwt::decode(heard.token());
    assert_eq!((&header["typ"], header["kid"].is_string()), (&json!("logout+jwt"), true));
    let said = jws::verified(&app, heard.token(), "ES256").await;
    let id_token = jwt::claims(tokens["id_token"].as_str().unwrap());
    for same in ["iss", "sub", "aud", "sid"] {
        assert!(said[same].is_string() && said[same] == id_token[same], "{same}: {said} {id_token}");
    }
    assert_eq!(said["events"], json!({"http://schemas.openid.net/event/backchannel-logout": {}}));
    assert_eq!(said["iat"], 1_800_000_000);
    let lasts = said["exp"].as_i64().unwrap() - said["iat"].as_i64().unwrap();
    assert!((1..=120).contains(&lasts), "{lasts}");
    assert!(said["jti"].as_str().unwrap().len() >= 22, "{said}");
    let names: BTreeSet<_> = said.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        names,
        BTreeSet::from(["iss", "sub", "aud", "sid", "events", "iat", "exp", "jti"]),
        "no nonce"
    );
    assert_eq!(app.app.backchannel.deliver_due().await.unwrap(), 0, "it has heard");
    assert!(receiver.heard().is_empty());
}

#[tokio::test]
async fn it_is_signed_as_the_clients_id_tokens_are_and_about_the_name_that_the_client_knows() {
    let app = start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    for algorithm in ["ES256", "EdDSA", "RS256", "PS256"] {
        let receiver = Receiver::start().await;
        let also = json!({"id_token_signed_response_alg": algorithm, "subject_type": "pairwise"});
        let photos = told(&root, &receiver, also).await;
        let tokens = photos.log_in(&mut Browser::new(&app), "ann").await;
        end(&ann, &tokens).await;
        app.app.backchannel.deliver_due().await.unwrap();
        let heard = receiver.heard();
        let said = jws::verified(&app, heard[0].token(), algorithm).await;
        let id_token = jws::verified(&app, tokens["id_token"].as_str().unwrap(), algorithm).await;
        assert_eq!((&said["sub"], said["sub"].as_str().unwrap().len()), (&id_token["sub"], 43));
    }
}

#[tokio::test]
async fn a_logout_token_is_good_for_nothing_else() {
    let app = start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    let receiver = Receiver::start().await;
    let photos = told(&root, &receiver, json!({})).await;
    let mut browser = Browser::new(&app);
    let tokens = photos.log_in(&mut browser, "ann").await;
    end(&ann, &tokens).await;
    app.app.backchannel.deliver_due().await.unwrap();
    let heard = receiver.heard();
    let token = json!({"access_token": heard[0].token(), "refresh_token": heard[0].token()});
    is_refused(photos.userinfo(&token).send().await.unwrap(), 401, "invalid_token").await;
    assert_eq!(photos.introspect(&token["access_token"]).await, json!({"active": false}));
    app.fails(app.request(Method::GET, "/auth/me").bearer_auth(heard[0].token()), 401, "INVALID_TOKEN").await;
    photos.log_in(&mut browser, "ann").await;
    let fields = Fields(Vec::new()).with("id_token_hint", heard[0].token());
    let page = browser.send(Method::GET, &format!("/oauth2/logout?{}", fields.text()), &[]).await;
    assert!(page.has_form("sign-out"), "it is no hint: {page:?}");
}

#[tokio::test]
async fn only_clients_that_had_tokens_of_the_session_are_told_each_once() {
    let app = start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    let receivers = [Receiver::start().await, Receiver::start().await, Receiver::start().await];
    let photos = told(&root, &receivers[0], json!({})).await;
    let notes = told(&root, &receivers[1], json!({})).await;
    let never = told(&root, &receivers[2], json!({})).await;
    let silent = Party::ours(&root).await;
    let (mut one, mut other) = (Browser::new(&app), Browser::new(&app));
    let tokens = photos.log_in(&mut one, "ann").await;
    photos.log_in(&mut one, "ann").await;
    notes.log_in(&mut one, "ann").await;
    silent.log_in(&mut one, "ann").await;
    never.code(&mut one, "ann").await;
    let elsewhere = photos.log_in(&mut other, "ann").await;
    end(&ann, &tokens).await;
    assert_eq!(sids(&app, &receivers[0]).await, [sid(&tokens)]);
    assert_eq!(sids(&app, &receivers[1]).await, [sid(&tokens)]);
    assert!(sids(&app, &receivers[2]).await.is_empty(), "a code that nobody redeemed is no token");
    end(&ann, &elsewhere).await;
    assert_eq!(sids(&app, &receivers[0]).await, [sid(&elsewhere)]);
    assert!(sids(&app, &receivers[1]).await.is_empty());
}

/// Logs somebody in anew, has something done, and checks that the client was told of it at once or not.
async fn is_told<'a>(
    world: (&'a TestApp, &Party<'a>, &Receiver),
    what: &str,
    name: &str,
    done: impl AsyncFnOnce(&mut Browser<'a>, &Value),
) {
    let (app, photos, receiver) = world;
    let mut browser = Browser::new(app);
    let tokens = photos.log_in(&mut browser, name).await;
    assert!(sids(app, receiver).await.is_empty(), "{what}: before");
    done(&mut browser, &tokens).await;
    assert_eq!(sids(app, receiver).await, [sid(&tokens)], "{what}");
}

#[tokio::test]
async fn every_end_that_a_user_makes_is_told() {
    let app = start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    app.register("bob").await;
    let receiver = Receiver::start().await;
    let photos = told(&root, &receiver, json!({})).await;
    let world = (&app, &photos, &receiver);
    let ann = async || app.log_in("ann", PASSWORD).await;
    is_told(world, "the page of a client", "ann", async |browser, tokens| {
        let fields = Fields(Vec::new()).with("id_token_hint", tokens["id_token"].as_str().unwrap());
        browser.send(Method::GET, &format!("/oauth2/logout?{}", fields.text()), &[]).await;
    })
    .await;
    is_told(world, "the page, after a question", "ann", async |browser, _| {
        let page = browser.open("/oauth2/logout").await;
        browser.submit(&page, "sign-out", &[("answer", "yes")]).await;
    })
    .await;
    is_told(world, "POST /auth/logout", "ann", async |browser, _| {
        let cookies: Vec<_> =
            browser.cookies.iter().map(|(name, (_, value))| format!("{name}={value}")).collect();
        let request = app.request(Method::POST, "/auth/logout").header("Cookie", cookies.join("; "));
        let csrf = &browser.cookies["csrf_access_token"].1;
        app.json(request.header("X-CSRF-Token", csrf).header("Origin", app.url("")), 200).await;
    })
    .await;
    is_told(world, "one of the list", "ann", async |_, tokens| end(&ann().await, tokens).await).await;
    is_told(world, "all others", "ann", async |_, _| {
        app.json(ann().await.bearer(Method::DELETE, "/auth/sessions"), 200).await;
    })
    .await;
    is_told(world, "another user in the same browser", "ann", async |browser, _| {
        app.clock.advance_secs(2);
        let page = browser.open(&photos.asks().with("prompt", "login").path()).await;
        browser.sign_in(&page, "bob").await;
    })
    .await;
    is_told(world, "another password", "ann", async |_, _| {
        let body = json!({"current_password": PASSWORD, "new_password": PASSWORD.to_owned() + "!"});
        let request = ann().await.bearer(Method::POST, "/auth/password/change").json(&body);
        assert!(request.send().await.unwrap().status().is_success());
    })
    .await;
    is_told(world, "the account thrown away", "bob", async |_, _| {
        let bob = app.log_in("bob", PASSWORD).await;
        app.done(bob.bearer(Method::DELETE, "/auth/me").json(&json!({"password": PASSWORD}))).await;
    })
    .await;
}

#[tokio::test]
async fn every_end_that_an_administrator_makes_is_told() {
    let app = start().await;
    let root = app.superuser("root").await;
    let id = app.user("ann").await.id();
    let receiver = Receiver::start().await;
    let photos = told(&root, &receiver, json!({})).await;
    let world = (&app, &photos, &receiver);
    let path = format!("/users/{id}");
    is_told(world, "all sessions", "ann", async |_, _| {
        app.json(root.bearer(Method::DELETE, &format!("{path}/sessions")), 200).await;
    })
    .await;
    is_told(world, "switched off", "ann", async |_, _| {
        for is_active in [false, true] {
            app.json(root.bearer(Method::PATCH, &path).json(&json!({"is_active": is_active})), 200).await;
        }
    })
    .await;
    is_told(world, "deleted", "ann", async |_, _| {
        app.done(root.bearer(Method::DELETE, &path)).await;
    })
    .await;
}

#[tokio::test]
async fn ends_that_come_by_themselves_are_told() {
    let setup =
        Setup::default().with("outbound.allowed_networks", "127.0.0.0/8").with("sessions.max_per_user", "2");
    let app = setup.start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let receiver = Receiver::start().await;
    let photos = told(&root, &receiver, json!({})).await;
    let world = (&app, &photos, &receiver);
    is_told(world, "too many sessions", "ann", async |_, _| {
        for _ in 0..2 {
            app.clock.advance_secs(1);
            app.log_in("ann", PASSWORD).await;
        }
    })
    .await;
    is_told(world, "a refresh token presented twice", "ann", async |browser, _| {
        let refresh = browser.cookies["refresh_token_cookie"].1.clone();
        let csrf = browser.cookies["csrf_access_token"].1.clone();
        for status in [200, 401] {
            let request = app.request(Method::POST, "/auth/token/refresh");
            let request = request.header("Cookie", format!("refresh_token_cookie={refresh}"));
            assert_eq!(request.header("X-CSRF-Token", &csrf).send().await.unwrap().status(), status);
            app.clock.advance_secs(60);
        }
    })
    .await;
    is_told(world, "a session that nobody has refreshed", "ann", async |_, _| {
        app.clock.advance_secs(30 * 24 * 3600);
        assert!(receiver.heard().is_empty(), "it is over, and nobody has looked");
        app.app.tend().await;
    })
    .await;
}

#[tokio::test]
async fn a_change_of_the_factors_ends_other_sessions_and_is_told() {
    let app = start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    let receiver = Receiver::start().await;
    let photos = told(&root, &receiver, json!({})).await;
    is_told((&app, &photos, &receiver), "a second factor", "ann", async |_, _| with_app(&ann).await).await;
}

#[tokio::test]
async fn what_is_for_when_the_user_is_away_stays_and_its_client_is_told_all_the_same() {
    let app = start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    let receiver = Receiver::start().await;
    let photos = told(&root, &receiver, json!({})).await;
    let offline = photos.log_in_for(&mut Browser::new(&app), "ann", "openid offline_access").await;
    end(&ann, &offline).await;
    assert_eq!(sids(&app, &receiver).await, [sid(&offline)]);
    // Section 2.7: refresh tokens for when the user is away need not end with the session.
    assert!(photos.are_good(&offline).await);
}

#[tokio::test]
async fn whoever_signs_in_anew_in_the_same_browser_is_called_as_before_and_nobody_is_told_of_an_end() {
    let app = start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let receiver = Receiver::start().await;
    let photos = told(&root, &receiver, json!({})).await;
    let notes = told(&root, &receiver, json!({})).await;
    let mut browser = Browser::new(&app);
    let first = photos.log_in(&mut browser, "ann").await;
    let mut all = vec![first.clone()];
    for _ in 0..2 {
        app.clock.advance_secs(2);
        let page = browser.open(&photos.asks().with("prompt", "login").path()).await;
        let page = browser.sign_in(&page, "ann").await;
        all.push(photos.tokens(photos.redeems(&photos.checked(&page)["code"])).await);
    }
    all.push(notes.log_in(&mut browser, "ann").await);
    all.push(photos.tokens(photos.refreshes(&first)).await);
    for tokens in &all {
        assert_eq!(sid(tokens), sid(&first));
    }
    assert!(sids(&app, &receiver).await.is_empty());
    // And its first ID token is still of this session: nobody is asked.
    let fields = Fields(Vec::new()).with("id_token_hint", first["id_token"].as_str().unwrap());
    let page = browser.send(Method::GET, &format!("/oauth2/logout?{}", fields.text()), &[]).await;
    assert!(page.text.contains("You are signed out"), "{page:?}");
    assert_eq!(sids(&app, &receiver).await, [sid(&first), sid(&first)], "two clients, each once");
}

#[tokio::test]
async fn a_client_that_was_made_anew_or_wants_nothing_any_more_is_not_told() {
    let app = start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    let receiver = Receiver::start().await;
    let photos = told(&root, &receiver, json!({"client_id": "photos"})).await;
    let path = "/oauth-clients/photos";
    let (one, two, three) = (
        photos.log_in(&mut Browser::new(&app), "ann").await,
        photos.log_in(&mut Browser::new(&app), "ann").await,
        photos.log_in(&mut Browser::new(&app), "ann").await,
    );
    // Written, and not sent yet, when it changes its mind.
    end(&ann, &one).await;
    app.json(root.bearer(Method::PATCH, path).json(&json!({"backchannel_logout_uri": null})), 200).await;
    end(&ann, &two).await;
    assert!(sids(&app, &receiver).await.is_empty());
    let listed = app.json(root.bearer(Method::GET, &format!("{path}/logout-deliveries")), 200).await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(listed["items"][0]["status"], "given_up");
    app.done(root.bearer(Method::DELETE, path)).await;
    app.clock.advance_secs(1);
    told(&root, &receiver, json!({"client_id": "photos"})).await;
    end(&ann, &three).await;
    assert!(sids(&app, &receiver).await.is_empty());
    app.app.tend().await;
    let listed = app.json(root.bearer(Method::GET, &format!("{path}/logout-deliveries")), 200).await;
    assert_eq!(listed["items"], json!([]), "the one before has taken its own along");
}

#[tokio::test]
async fn where_it_is_told_is_said_at_registration_and_is_https_or_this_machine() {
    let app = start().await;
    let root = app.superuser("root").await;
    let photos =
        Party::register(&root, json!({"backchannel_logout_uri": "https://photos.example/out?x=1"})).await;
    let path = format!("/oauth-clients/{}", photos.id);
    let shown = app.json(root.bearer(Method::GET, &path), 200).await;
    assert_eq!(shown["backchannel_logout_uri"], "https://photos.example/out?x=1");
    assert_eq!(shown["backchannel_logout_session_required"], false);
    for bad in ["http://photos.example/out", "https://photos.example/out#x", "/out", "ftp://photos.example/"]
    {
        let change = root.bearer(Method::PATCH, &path).json(&json!({"backchannel_logout_uri": bad}));
        app.refuses(change, "backchannel_logout_uri").await;
    }
    let document: Value = app.get("/.well-known/openid-configuration").await.json().await.unwrap();
    assert_eq!(document["backchannel_logout_supported"], true);
    assert_eq!(document["backchannel_logout_session_supported"], true);
}
