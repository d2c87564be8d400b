//! Tokens for tokens (RFC 8693): who may, who is named, and that nobody gets more.
use reqwest::Method;
use serde_json::{Value, json};

use super::support::exchange::{ACCESS, API, BILLING, Chain, GRANT, JWT, asks, claims};
use super::{Browser, Fields, Holder, Party, is_refused, issuer};
use crate::support::TestApp;

#[tokio::test]
async fn a_client_acts_for_a_user_and_is_named_in_the_token() {
    let app = TestApp::start().await;
    let chain = Chain::new(&app, &["tokens:exchange"]).await;
    let (subject, given) = chain.exchanged().await;
    assert_eq!((&given["issued_token_type"], &given["token_type"]), (&json!(ACCESS), &json!("Bearer")));
    assert!(given.get("refresh_token").is_none() && given.get("id_token").is_none());
    assert_eq!((&given["scope"], &given["expires_in"]), (&json!("openid email"), &json!(900)));
    let (before, after) = (claims(&subject), claims(&given));
    for name in ["iss", "sub", "exp", "auth_time", "acr", "amr"] {
        assert_eq!(before[name], after[name], "{name}");
    }
    assert_eq!(after["client_id"], chain.api.id);
    assert_eq!(after["act"], json!({"sub": chain.api.id}));
    assert_eq!(after["aud"], json!([BILLING, issuer(&app)]));
    assert_ne!(before["jti"], after["jti"]);
    let told = chain.api.introspect(&given["access_token"]).await;
    // Without the scope `profile` nobody learns of a name.
    assert_eq!((&told["active"], told.get("username")), (&json!(true), None));
    assert_eq!((&told["act"], &told["client_id"]), (&after["act"], &json!(chain.api.id)));
    let events = app.json(chain.root.bearer(Method::GET, "/audit?action=oauth.token_exchanged"), 200).await;
    let event = &events["items"][0];
    assert_eq!(event["subject"]["name"], "ann", "{event}");
    let details = &event["details"];
    assert_eq!((&details["client"], &details["actor"]), (&json!(chain.api.id), &json!(chain.api.id)));
    assert_eq!((&details["subject_client"], &details["audience"]), (&json!(chain.spa.id), &json!(BILLING)));
    let known = app.json(app.request(Method::GET, "/.well-known/openid-configuration"), 200).await;
    assert!(known["grant_types_supported"].as_array().unwrap().contains(&json!(GRANT)));
}

#[tokio::test]
async fn only_who_may_impersonate_is_not_named() {
    let app = TestApp::start().await;
    let chain = Chain::new(&app, &["tokens:exchange", "tokens:impersonate"]).await;
    let (_, given) = chain.exchanged().await;
    assert!(claims(&given).get("act").is_none());
    assert!(chain.api.introspect(&given["access_token"]).await.get("act").is_none());
    // It can still say who it is.
    let itself = chain.api.tokens(Fields(Vec::new()).with("grant_type", "client_credentials")).await;
    let subject = chain.subject().await;
    let asked = asks(&subject).with("actor_token", itself["access_token"].as_str().unwrap());
    let named = chain.api.tokens(asked.with("actor_token_type", JWT)).await;
    assert_eq!(claims(&named)["act"], json!({"sub": chain.api.id}));
}

#[tokio::test]
async fn whoever_has_acted_before_stays_named() {
    let app = TestApp::start().await;
    let chain = Chain::new(&app, &["tokens:exchange"]).await;
    let (_, given) = chain.exchanged().await;
    let first = json!({"sub": chain.api.id});
    let next = chain.service(&["tokens:exchange"], &[&chain.api.id]).await;
    assert_eq!(claims(&next.tokens(asks(&given)).await)["act"], json!({"sub": next.id, "act": first}));
    let hidden = chain.service(&["tokens:*"], &[&chain.api.id]).await;
    assert_eq!(
        claims(&hidden.tokens(asks(&given)).await)["act"],
        first,
        "it does not hide who was before it"
    );
    // Five may act one for the other.
    let mut last = given;
    for depth in 2..=5 {
        last = chain.api.tokens(asks(&last)).await;
        let told = chain.api.introspect(&last["access_token"]).await;
        assert_eq!(told["act"].to_string().matches("sub").count(), depth);
    }
    chain.api.fails(asks(&last), 400, "invalid_request").await;
}

#[tokio::test]
async fn a_user_of_the_client_can_be_the_one_who_acts_and_nobody_elses_token_says_who() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let (ann, bob) = (app.user("ann").await.id(), app.user("bob").await.id());
    let spa = Party::ours(&root).await;
    let desk = json!({"first_party": true, "grant_types": ["authorization_code", GRANT],
        "permissions": ["tokens:exchange"], "exchange_clients": [spa.id]});
    let desk = Party::register(&root, desk).await;
    let subject = spa.log_in(&mut Browser::new(&app), "ann").await;
    let actor = desk.log_in(&mut Browser::new(&app), "bob").await;
    let with = |token: &Value| asks(&subject).with("actor_token", token["access_token"].as_str().unwrap());
    let given = desk.tokens(with(&actor).with("actor_token_type", ACCESS)).await;
    let said = claims(&given);
    assert_eq!((&said["sub"], &said["act"]), (&json!(ann.to_string()), &json!({"sub": bob.to_string()})));
    let theirs = spa.log_in(&mut Browser::new(&app), "bob").await;
    for (fields, part) in [
        (with(&actor), "actor_token_type"),
        (with(&actor).with("actor_token_type", "urn:x"), "actor_token_type"),
        (asks(&subject).with("actor_token_type", ACCESS), "actor_token"),
        (with(&theirs).with("actor_token_type", ACCESS), "actor_token"),
        (with(&given).with("actor_token_type", ACCESS), "actor_token"),
        (with(&json!({"access_token": "x"})).with("actor_token_type", ACCESS), "actor_token"),
    ] {
        let why = desk.fails(fields, 400, "invalid_request").await;
        assert!(why.contains(part), "{part}: {why}");
    }
    // It ends when the one who acts would.
    app.clock.advance_secs(100);
    let fresh = spa.tokens(spa.refreshes(&subject)).await;
    let asked = asks(&fresh).with("actor_token", actor["access_token"].as_str().unwrap());
    let given = app.json(desk.request("/oauth2/token", asked.with("actor_token_type", ACCESS)), 200).await;
    assert_eq!((&given["expires_in"], &claims(&given)["exp"]), (&json!(800), &claims(&actor)["exp"]));
}

#[tokio::test]
async fn nobody_gets_more_than_what_the_token_that_is_shown_is_good_for() {
    let app = TestApp::start().await;
    let chain = Chain::new(&app, &["tokens:exchange"]).await;
    let subject = chain.subject().await;
    let api = &chain.api;
    for scope in ["openid email profile", "admin", "offline_access"] {
        api.fails(asks(&subject).with("scope", scope), 400, "invalid_scope").await;
    }
    let narrow = api.tokens(asks(&subject).with("scope", "email")).await;
    assert_eq!(
        (&narrow["scope"], &claims(&narrow)["aud"]),
        (&json!("email"), &json!(API)),
        "what it was for"
    );
    api.fails(asks(&narrow).with("scope", "openid"), 400, "invalid_scope").await;
    for name in ["audience", "resource"] {
        api.fails(asks(&subject).with(name, "https://other.example/"), 400, "invalid_target").await;
        let asked = asks(&narrow).and(name, BILLING).and(name, API);
        assert_eq!(claims(&api.tokens(asked).await)["aud"], json!([BILLING, API]));
    }
    app.clock.advance_secs(600);
    let late = app.json(api.request("/oauth2/token", asks(&subject)), 200).await;
    assert_eq!((&late["expires_in"], &claims(&late)["exp"]), (&json!(300), &claims(&subject)["exp"]));
    app.clock.advance_secs(300);
    assert_eq!(api.introspect(&late["access_token"]).await, json!({"active": false}));
    api.fails(asks(&subject), 400, "invalid_request").await;
}

#[tokio::test]
async fn what_a_client_has_registered_bounds_it_and_its_own_tokens_reach_no_further() {
    let app = TestApp::start().await;
    let chain = Chain::new(&app, &["tokens:exchange"]).await;
    let path = format!("/oauth-clients/{}", chain.api.id);
    let change = |body: Value| chain.root.bearer(Method::PATCH, &path).json(&body);
    app.json(change(json!({"scope": "email other"})), 200).await;
    let subject = chain.subject().await;
    assert_eq!(chain.api.tokens(asks(&subject)).await["scope"], "email");
    chain.api.fails(asks(&subject).with("scope", "openid"), 400, "invalid_scope").await;
    app.json(change(json!({"roles": ["admin"]})), 200).await;
    chain.api.fails(asks(&subject), 400, "invalid_request").await;
    // A client that may ask tokens for a resource has not asked this user.
    let also = json!({"first_party": true, "grant_types": ["authorization_code", GRANT],
        "permissions": ["tokens:exchange"], "resources": [API, BILLING]});
    let own = Party::register(&chain.root, also).await;
    let asked = own.asks().with("resource", API);
    let code = own.answer(&mut Browser::new(&app), &asked, "ann").await["code"].clone();
    let tokens = own.tokens(own.redeems(&code)).await;
    own.fails(asks(&tokens).with("audience", BILLING), 400, "invalid_target").await;
    let same = own.tokens(asks(&tokens).with("audience", API).with("scope", "email")).await;
    assert_eq!(claims(&same)["aud"], API);
}

#[tokio::test]
async fn only_clients_that_an_administrator_lets_exchange_tokens_and_of_whom() {
    let app = TestApp::start().await;
    let chain = Chain::new(&app, &["tokens:exchange"]).await;
    let subject = chain.subject().await;
    let without = chain.service(&["tokens:impersonate"], &[&chain.spa.id]).await;
    without.fails(asks(&subject), 400, "unauthorized_client").await;
    let stranger = chain.service(&["tokens:exchange"], &["another"]).await;
    stranger.fails(asks(&subject), 400, "invalid_request").await;
    chain.spa.fails(asks(&subject), 400, "unauthorized_client").await;
    let (_, given) = chain.exchanged().await;
    stranger.fails(asks(&given), 400, "invalid_request").await;
    // What cannot prove who it is may not have the grant, and nobody gives the permission who does not hold it.
    let public = json!({"client_name": "x", "grant_types": [GRANT], "token_endpoint_auth_method": "none"});
    app.refuses(chain.root.bearer(Method::POST, "/oauth-clients").json(&public), "grant_types").await;
    let admin = app.user("bob").await;
    let path = format!("/users/{}/roles", admin.id());
    app.json(chain.root.bearer(Method::PUT, &path).json(&json!({"roles": ["admin"]})), 200).await;
    for permission in ["tokens:exchange", "tokens:impersonate", "tokens:*"] {
        let body = json!({"client_name": "x", "grant_types": [GRANT], "permissions": [permission]});
        let details =
            app.fails(admin.bearer(Method::POST, "/oauth-clients").json(&body), 403, "FORBIDDEN").await;
        assert!(details["permission"].as_str().unwrap().starts_with("tokens:"), "{details}");
    }
}

#[tokio::test]
async fn what_is_no_good_token_of_a_user_is_exchanged_for_nothing() {
    let app = TestApp::start().await;
    let chain = Chain::new(&app, &["tokens:exchange"]).await;
    let subject = chain.subject().await;
    let itself = chain.api.tokens(Fields(Vec::new()).with("grant_type", "client_credentials")).await;
    let ann = app.log_in("ann", crate::support::PASSWORD).await;
    for token in [
        json!("x"),
        subject["id_token"].clone(),
        subject["refresh_token"].clone(),
        itself["access_token"].clone(),
        json!(ann.tokens.access),
    ] {
        let asked = asks(&json!({"access_token": token}));
        chain.api.fails(asked, 400, "invalid_request").await;
    }
    for (name, value) in [
        ("subject_token", ""),
        ("subject_token_type", ""),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:id_token"),
        ("requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token"),
        ("requested_token_type", "urn:ietf:params:oauth:token-type:saml2"),
    ] {
        let asked =
            if value.is_empty() { asks(&subject).without(name) } else { asks(&subject).with(name, value) };
        let why = chain.api.fails(asked, 400, "invalid_request").await;
        assert!(why.contains(name), "{name}: {why}");
    }
    let wanted = asks(&subject).with("requested_token_type", JWT).with("subject_token_type", JWT);
    assert_eq!(chain.api.tokens(wanted).await["issued_token_type"], JWT);
    let fields = Fields(Vec::new()).with("token", subject["access_token"].as_str().unwrap());
    chain.spa.request("/oauth2/revoke", fields).send().await.unwrap();
    chain.api.fails(asks(&subject), 400, "invalid_request").await;
}

#[tokio::test]
async fn what_ends_what_was_granted_ends_what_was_exchanged() {
    let app = TestApp::start().await;
    let chain = Chain::new(&app, &["tokens:exchange"]).await;
    let ann = app.log_in("ann", crate::support::PASSWORD).await;
    let root = &chain.root;
    let client = |party: &Party<'_>| format!("/oauth-clients/{}", party.id);
    let active = |is: bool| json!({"is_active": is});
    for end in ["session", "grant", "theirs", "own", "user"] {
        let (subject, given) = chain.exchanged().await;
        assert_eq!(chain.api.introspect(&given["access_token"]).await["active"], true, "{end}");
        match end {
            "session" => {
                let sid = crate::support::jwt::claims(subject["id_token"].as_str().unwrap())["sid"].clone();
                let path = format!("/auth/sessions/{}", sid.as_str().unwrap());
                app.done(ann.bearer(Method::DELETE, &path)).await;
            }
            "grant" => {
                let fields = Fields(Vec::new()).with("token", subject["refresh_token"].as_str().unwrap());
                assert_eq!(chain.spa.request("/oauth2/revoke", fields).send().await.unwrap().status(), 200);
            }
            "theirs" => {
                app.json(root.bearer(Method::PATCH, &client(&chain.spa)).json(&active(false)), 200).await;
            }
            "own" => {
                let fields = Fields(Vec::new()).with("token", given["access_token"].as_str().unwrap());
                assert_eq!(chain.api.request("/oauth2/revoke", fields).send().await.unwrap().status(), 200);
            }
            _ => {
                let path = format!("/users/{}", ann.id());
                app.json(root.bearer(Method::PATCH, &path).json(&active(false)), 200).await;
            }
        }
        assert_eq!(chain.api.introspect(&given["access_token"]).await, json!({"active": false}), "{end}");
        if end == "theirs" {
            app.json(root.bearer(Method::PATCH, &client(&chain.spa)).json(&active(true)), 200).await;
        }
    }
}

#[tokio::test]
async fn a_client_that_is_made_anew_has_nothing_of_what_the_one_before_has_exchanged() {
    let app = TestApp::start().await;
    let chain = Chain::new(&app, &["tokens:exchange"]).await;
    let (_, given) = chain.exchanged().await;
    app.done(chain.root.bearer(Method::DELETE, &format!("/oauth-clients/{}", chain.api.id))).await;
    app.clock.advance_secs(1);
    let also = json!({"client_id": chain.api.id, "grant_types": ["client_credentials"]});
    let anew = Party::register(&chain.root, also).await;
    assert_eq!(anew.introspect(&given["access_token"]).await, json!({"active": false}));
}

#[tokio::test]
async fn an_exchanged_token_tells_of_the_user_what_its_scopes_tell_and_no_more() {
    let app = TestApp::start().await;
    let chain = Chain::new(&app, &["tokens:exchange"]).await;
    let asked = chain.asked().with("claims", r#"{"userinfo": {"name": null}}"#);
    let code = chain.spa.answer(&mut Browser::new(&app), &asked, "ann").await["code"].clone();
    let subject = chain.spa.tokens(chain.spa.redeems(&code)).await;
    assert!(app.json(chain.spa.userinfo(&subject), 200).await.get("name").is_some());
    let given = chain.api.tokens(asks(&subject)).await;
    let told = app.json(chain.api.userinfo(&given), 200).await;
    assert_eq!((told.get("name"), &told["email"]), (None, &json!("ann@example.com")));
    let narrow = chain.api.tokens(asks(&subject).with("scope", "email")).await;
    is_refused(chain.api.userinfo(&narrow).send().await.unwrap(), 403, "insufficient_scope").await;
}

#[tokio::test]
async fn a_token_that_is_bound_to_a_key_becomes_none_that_is_not_in_the_hands_of_its_own_client() {
    let app = super::support::holder::start().await;
    let chain = Chain::new(&app, &["tokens:exchange"]).await;
    let (holder, thief) = (Holder::new(&app), Holder::new(&app));
    let given = holder.tokens(&chain.api, asks(&chain.subject().await)).await;
    chain.api.fails(asks(&given), 400, "invalid_request").await;
    let stolen = thief.request(&chain.api, asks(&given)).send().await.unwrap();
    is_refused(stolen, 400, "invalid_request").await;
    let again = holder.tokens(&chain.api, asks(&given)).await;
    app.json(holder.userinfo(&again), 200).await;
    // The next one, which it was sent to, has a key of its own.
    let next = chain.service(&["tokens:exchange"], &[&chain.api.id]).await;
    let theirs = thief.tokens(&next, asks(&given)).await;
    app.json(thief.userinfo(&theirs), 200).await;
    let itself = holder.tokens(&chain.api, Fields(Vec::new()).with("grant_type", "client_credentials")).await;
    let asked = asks(&chain.subject().await).with("actor_token", itself["access_token"].as_str().unwrap());
    let asked = asked.with("actor_token_type", ACCESS);
    chain.api.fails(asked.clone(), 400, "invalid_request").await;
    holder.tokens(&chain.api, asked).await;
}
