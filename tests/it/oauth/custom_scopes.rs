//! Scopes of one's own, and those for telephone and address (OpenID Connect Core section 5.4).
use auth_service::rbac::Initiator;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Browser, Party};
use crate::support::{Person, Setup, TestApp, jwt};

async fn with_scopes() -> TestApp {
    let scopes = json!([
        {
            "name": "billing",
            "description": "see your bills",
            "claims": {"groups": "roles", "login": "username", "may": "permissions"},
            "claims_in": ["userinfo", "id_token", "access_token"],
            "permissions": ["billing:*:read", "audit:read"],
        },
        {"name": "quiet", "description": "do nothing"},
    ]);
    Setup::default().with("oauth.scopes", &scopes.to_string()).start().await
}

async fn set_roles(app: &TestApp, user: &Value, roles: &[String]) {
    app.app.accounts.set_roles(Initiator::host(), user["id"].as_u64().unwrap(), roles).await.unwrap();
}

/// Makes a role and gives it to a user.
async fn give(root: &Person<'_>, user: &Value, role: &str, permissions: &[&str]) {
    for name in permissions.iter().filter(|name| name.starts_with("billing")) {
        let body = json!({"name": name, "description": ""});
        root.bearer(Method::POST, "/permissions").json(&body).send().await.unwrap();
    }
    let body = json!({"name": role, "permissions": permissions});
    root.app.json(root.bearer(Method::POST, "/roles").json(&body), 201).await;
    set_roles(root.app, user, &[role.to_owned()]).await;
}

fn access(tokens: &Value) -> Value {
    jwt::claims(tokens["access_token"].as_str().unwrap())
}

#[tokio::test]
async fn a_scope_of_ones_own_tells_its_claims_where_it_says() {
    let app = with_scopes().await;
    let root = app.superuser("root").await;
    let ann = app.register("ann").await;
    give(&root, &ann, "clerk", &["billing:invoices:read", "billing:invoices:write"]).await;
    let photos = Party::register(&root, json!({"scope": "openid billing quiet"})).await;
    let mut browser = Browser::new(&app);
    let page = browser.open(&photos.asks().with("scope", "openid billing").path()).await;
    let page = browser.sign_in(&page, "ann").await;
    assert!(page.text.contains("see your bills"), "{page:?}");
    let answer = photos.checked(&browser.agree(&page).await);
    let tokens = photos.tokens(photos.redeems(&answer["code"])).await;
    let about = app.json(photos.userinfo(&tokens), 200).await;
    let id = jwt::claims(tokens["id_token"].as_str().unwrap());
    for told in [&about, &id, &access(&tokens)] {
        assert_eq!((&told["groups"], &told["login"]), (&json!(["clerk", "user"]), &json!("ann")), "{told}");
        let may = told["may"].as_array().unwrap();
        assert!(may.contains(&json!("billing:invoices:write")), "{told}");
    }
    // Without the scope, and with one that says nothing, nothing of it is told.
    for scope in ["openid", "openid quiet"] {
        let tokens = photos.log_in_for(&mut browser, "ann", scope).await;
        let about = app.json(photos.userinfo(&tokens), 200).await;
        let id = jwt::claims(tokens["id_token"].as_str().unwrap());
        for told in [&about, &id, &access(&tokens)] {
            assert!(told.get("groups").is_none() && told.get("permissions").is_none(), "{scope} {told}");
        }
    }
    // Nor when a refresh asks for less.
    let tokens = photos.log_in_for(&mut browser, "ann", "openid billing").await;
    let less = photos.tokens(photos.refreshes(&tokens).with("scope", "openid")).await;
    assert!(access(&less).get("groups").is_none() && access(&less).get("permissions").is_none());
}

#[tokio::test]
async fn a_token_may_what_its_scopes_may_and_never_more_than_its_user() {
    let app = with_scopes().await;
    let root = app.superuser("root").await;
    let ann = app.register("ann").await;
    let photos = Party::register(&root, json!({"scope": "openid billing", "first_party": true})).await;
    let mut browser = Browser::new(&app);
    let nothing = photos.log_in_for(&mut browser, "ann", "openid billing").await;
    assert!(access(&nothing).get("permissions").is_none(), "she holds none of it");
    give(&root, &ann, "clerk", &["billing:invoices:read", "billing:invoices:write", "users:read"]).await;
    let tokens = photos.log_in_for(&mut browser, "ann", "openid billing").await;
    assert_eq!(access(&tokens)["permissions"], json!(["billing:invoices:read"]));
    let told = photos.introspect(&tokens["access_token"]).await;
    assert_eq!(told["permissions"], json!(["billing:invoices:read"]));
    let owner = photos.log_in_for(&mut Browser::new(&app), "root", "openid billing").await;
    assert_eq!(access(&owner)["permissions"], json!(["audit:read", "billing:*:read"]));
    // What was taken from her since is not in it any more, for whoever asks.
    set_roles(&app, &ann, &[]).await;
    assert!(photos.introspect(&tokens["access_token"]).await.get("permissions").is_none());
    let next = photos.tokens(photos.refreshes(&tokens)).await;
    assert!(access(&next).get("permissions").is_none());
}

#[tokio::test]
async fn a_scope_that_the_client_has_not_registered_is_passed_over() {
    let app = with_scopes().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = Party::register(&root, json!({"first_party": true})).await;
    let tokens = photos.log_in_for(&mut Browser::new(&app), "ann", "openid billing").await;
    assert_eq!(tokens["scope"], "openid");
    assert!(access(&tokens).get("groups").is_none());
    let found = app.json(app.request(Method::GET, "/.well-known/openid-configuration"), 200).await;
    for (list, names) in
        [("scopes_supported", ["billing", "phone"]), ("claims_supported", ["groups", "phone_number"])]
    {
        assert!(names.iter().all(|name| found[list].as_array().unwrap().contains(&json!(name))), "{found}");
    }
}

#[tokio::test]
async fn the_scopes_phone_and_address_tell_what_the_user_has_said() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let ann = app.user("ann").await;
    let photos = Party::ours(&root).await;
    let mut browser = Browser::new(&app);
    let tokens = photos.log_in_for(&mut browser, "ann", "openid phone address").await;
    let about = app.json(photos.userinfo(&tokens), 200).await;
    assert_eq!(about.as_object().unwrap().len(), 1, "nothing is known: {about}");
    let contact = json!({
        "phone_number": "+49 30 901820",
        "address": {"street_address": "Hauptstr. 1", "postal_code": "10115", "locality": "Berlin", "country": "DE"},
    });
    app.json(ann.bearer(Method::PUT, "/auth/me/contact").json(&contact), 200).await;
    let about = app.json(photos.userinfo(&tokens), 200).await;
    assert_eq!(
        (&about["phone_number"], &about["phone_number_verified"]),
        (&json!("+4930901820"), &json!(false))
    );
    assert_eq!(about["address"]["formatted"], "Hauptstr. 1\n10115 Berlin\nDE");
    assert_eq!((&about["address"]["locality"], about["address"].get("region")), (&json!("Berlin"), None));
    let only = photos.log_in_for(&mut browser, "ann", "openid phone").await;
    assert!(app.json(photos.userinfo(&only), 200).await.get("address").is_none());
    // Asked for one by one.
    let claims = json!({"id_token": {"phone_number": null}, "userinfo": {"address": null}}).to_string();
    let asked = photos.asks().with("scope", "openid").with("claims", &claims);
    let answer = photos.answer(&mut browser, &asked, "ann").await;
    let tokens = photos.tokens(photos.redeems(&answer["code"])).await;
    assert_eq!(jwt::claims(tokens["id_token"].as_str().unwrap())["phone_number"], "+4930901820");
    assert_eq!(app.json(photos.userinfo(&tokens), 200).await["address"]["country"], "DE");
    let _ = root;
}

/// The status of a request to this server's own API with a client's token.
async fn asks(app: &TestApp, tokens: &Value, method: Method, path: &str) -> u16 {
    let token = tokens["access_token"].as_str().unwrap();
    app.request(method, path).bearer_auth(token).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn this_servers_own_api_takes_a_token_for_what_its_scopes_may_of_what_its_user_may() {
    let scopes = json!([
        {"name": "trail", "description": "read the trail", "permissions": ["audit:read", "account:read"]},
        {"name": "quiet", "description": "do nothing"},
    ]);
    let app = Setup::default().with("oauth.scopes", &scopes.to_string()).start().await;
    let root = app.superuser("root").await;
    let ann = app.register("ann").await;
    let also =
        json!({"scope": "openid trail quiet", "first_party": true, "resources": ["https://api.example/"]});
    let photos = Party::register(&root, also).await;
    let mut browser = Browser::new(&app);
    let tokens = photos.log_in_for(&mut browser, "ann", "openid trail").await;
    // Of what the scope may she may this, and not that; and what she may beside is not the scope's.
    assert_eq!(asks(&app, &tokens, Method::GET, "/auth/me").await, 200);
    assert_eq!(asks(&app, &tokens, Method::GET, "/audit").await, 403);
    assert_eq!(asks(&app, &tokens, Method::GET, "/auth/api-keys").await, 403);
    assert_eq!(asks(&app, &tokens, Method::PATCH, "/auth/me").await, 403);
    let owner = photos.log_in_for(&mut Browser::new(&app), "root", "openid trail").await;
    assert_eq!(asks(&app, &owner, Method::GET, "/audit").await, 200);
    assert_eq!(asks(&app, &owner, Method::GET, "/users").await, 403, "not even for a superuser");
    let mine =
        app.request(Method::GET, "/auth/me/permissions").bearer_auth(owner["access_token"].as_str().unwrap());
    assert_eq!(app.json(mine, 200).await["permissions"], json!(["account:read", "audit:read"]));
    // A scope without permissions, a token for somebody else, or one in a cookie: none of it is for this API.
    let quiet = photos.log_in_for(&mut browser, "ann", "openid quiet").await;
    assert_eq!(asks(&app, &quiet, Method::GET, "/auth/me").await, 401);
    let asked = photos.asks().with("scope", "trail").with("resource", "https://api.example/");
    let answer = photos.answer(&mut browser, &asked, "ann").await;
    let elsewhere = photos.tokens(photos.redeems(&answer["code"])).await;
    assert_eq!(asks(&app, &elsewhere, Method::GET, "/auth/me").await, 401);
    let cookie = format!("access_token_cookie={}", tokens["access_token"].as_str().unwrap());
    let in_cookie = app.request(Method::GET, "/auth/me").header("Cookie", cookie);
    assert_eq!(in_cookie.send().await.unwrap().status(), 401);
    // It ends with the grant.
    let ended = app.log_in("ann", crate::support::PASSWORD).await;
    let consents = format!("/auth/consents/{}", photos.id);
    app.done(ended.bearer(Method::DELETE, &consents)).await;
    assert_eq!(asks(&app, &tokens, Method::GET, "/auth/me").await, 401);
    let _ = ann;
}

#[tokio::test]
async fn what_a_client_does_in_somebodys_name_is_in_the_trail_and_no_more_than_it_was_let() {
    let scopes = json!([{"name": "helper", "description": "change your profile", "permissions": ["account:write", "roles:write"]}]);
    let app = Setup::default().with("oauth.scopes", &scopes.to_string()).start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = Party::register(&root, json!({"scope": "openid helper", "first_party": true})).await;
    let tokens = photos.log_in_for(&mut Browser::new(&app), "ann", "openid helper").await;
    let bearer = |tokens: &Value, method: Method, path: &str| {
        app.request(method, path).bearer_auth(tokens["access_token"].as_str().unwrap())
    };
    let body = json!({"phone_number": "+4930901820"});
    app.json(bearer(&tokens, Method::PUT, "/auth/me/contact").json(&body), 200).await;
    let trail = app.json(root.bearer(Method::GET, "/audit?action=user.contact_changed"), 200).await;
    assert_eq!(trail["items"][0]["actor"]["name"], "ann", "{trail}");
    assert!(trail.to_string().contains("oauth_grant"), "{trail}");
    let lines = root.bearer(Method::GET, "/audit/export").send().await.unwrap().text().await.unwrap();
    assert!(lines.contains("\"oauth_grant\""), "{lines}");
    // A role with more in it than the token may: nobody gives through a client what it was not let have.
    let owner = photos.log_in_for(&mut Browser::new(&app), "root", "openid helper").await;
    let role = json!({"name": "mighty", "permissions": ["users:write"]});
    let refused = bearer(&owner, Method::POST, "/roles").json(&role).send().await.unwrap();
    assert!([401, 403].contains(&refused.status().as_u16()), "{}", refused.status());
}
