//! Clients that sign who they are: private_key_jwt and client_secret_jwt (RFC 7523, OpenID Connect Core section 9).
use auth_service::base::Clock;
use auth_service::crypto::{Algorithm, SigningKey};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::support::signer::{BEARER, changed, proving, public};
use super::{Fields, Signer, is_refused, issuer};
use crate::support::{TestApp, jwt};

const KINDS: [Algorithm; 3] = [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256];

#[tokio::test]
async fn a_client_is_whoever_has_its_key() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    for algorithm in KINDS {
        let robot = Signer::register(&root, algorithm, json!({})).await;
        assert!(robot.is_taken(&robot.assertion()).await, "{algorithm}");
        // Somebody else's key under the same name.
        let thief = Signer::known_as(&app, &robot.id, jwt::foreign_key(algorithm));
        let header = changed(&thief.header(), &json!({"kid": robot.key.kid()}));
        assert!(!robot.is_taken(&jwt::forge(&thief.key, &header, &thief.claims())).await, "{algorithm}");
        assert!(!robot.is_taken(&thief.assertion()).await, "{algorithm}");
    }
}

#[tokio::test]
async fn a_client_that_signs_with_its_secret_is_whoever_has_that() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let (robot, secret) = Signer::with_secret(&root).await;
    assert!(robot.is_taken(&robot.assertion()).await);
    let wrong = SigningKey::parse(Algorithm::Hs256, b"another secret, of somebody else").unwrap();
    let thief = Signer::known_as(&app, &robot.id, wrong);
    assert!(!robot.is_taken(&thief.assertion()).await);
    // The secret is to sign with, and never sent.
    let header = format!("Basic {}", STANDARD.encode(format!("{}:{secret}", robot.id)));
    let asks = || Fields(Vec::new()).with("grant_type", "client_credentials");
    let sent = asks().post(&app, "/oauth2/token").header("Authorization", header).send().await.unwrap();
    is_refused(sent, 401, "invalid_client").await;
    let posted = asks().with("client_id", &robot.id).with("client_secret", &secret);
    is_refused(posted.post(&app, "/oauth2/token").send().await.unwrap(), 401, "invalid_client").await;
    // While it is rotated, both sign; then the new one alone.
    let path = format!("/oauth-clients/{}/secret", robot.id);
    let rotate = root.bearer(Method::POST, &path).json(&json!({"overlap_seconds": 60}));
    let new = app.json(rotate, 200).await["client_secret"].as_str().unwrap().to_owned();
    let new = Signer::known_as(&app, &robot.id, SigningKey::parse(Algorithm::Hs256, new.as_bytes()).unwrap());
    assert!(robot.is_taken(&robot.assertion_but(&json!({"jti": "old"}))).await);
    assert!(new.is_taken(&new.assertion_but(&json!({"jti": "new"}))).await);
    app.clock.advance_secs(60);
    assert!(!robot.is_taken(&robot.assertion_but(&json!({"jti": "older"}))).await);
    assert!(new.is_taken(&new.assertion_but(&json!({"jti": "newer"}))).await);
}

#[tokio::test]
async fn a_secret_to_sign_with_is_in_the_store_and_nobody_can_read_it_there() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let (robot, secret) = Signer::with_secret(&root).await;
    assert!(robot.is_taken(&robot.assertion()).await);
    let id = auth_service::oauth::client::ClientId::parse(&robot.id).unwrap();
    let stored = app.app.oauth_clients.read(&id).unwrap();
    assert!(stored.secrets[0].signs() && !format!("{stored:?} {:?}", stored.secrets).contains("sealed"));
    let sealed = stored.secrets[0].sealed.clone();
    let store = std::fs::read(app.stop().await.path().join("auth.redb")).unwrap();
    let holds = |needle: &[u8]| store.windows(needle.len()).any(|part| part == needle);
    assert!(holds(&sealed) && !holds(&secret.as_bytes()[4..]));
}

#[tokio::test]
async fn a_secret_that_was_sent_is_none_to_sign_with() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let body = json!({"client_name": "Robot", "client_id": "robot", "grant_types": ["client_credentials"],
        "id_token_signed_response_alg": "ES256"});
    let sent = app.json(root.bearer(Method::POST, "/oauth-clients").json(&body), 201).await;
    let change = |method: &str| {
        let body = json!({"token_endpoint_auth_method": method});
        app.json(root.bearer(Method::PATCH, "/oauth-clients/robot").json(&body), 200)
    };
    let signs = change("client_secret_jwt").await;
    let key = |made: &Value| {
        let secret = made["client_secret"].as_str().expect("another secret").as_bytes();
        SigningKey::parse(Algorithm::Hs256, secret).unwrap()
    };
    let (old, new) =
        (Signer::known_as(&app, "robot", key(&sent)), Signer::known_as(&app, "robot", key(&signs)));
    assert!(!old.is_taken(&old.assertion()).await);
    assert!(new.is_taken(&new.assertion()).await);
    assert!(change("client_secret_basic").await["client_secret"].is_string());
}

/// RFC 7523 section 3.
#[tokio::test]
async fn an_assertion_is_for_this_server_alone_by_its_client_and_for_a_while() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let robot = Signer::register(&root, Algorithm::Es256, json!({})).await;
    let other = Signer::register(&root, Algorithm::Es256, json!({})).await;
    let (now, us) = (app.clock.now().secs(), issuer(&app));
    for bad in [
        json!({"iss": null}),
        json!({"iss": other.id}),
        json!({"sub": null}),
        json!({"sub": other.id}),
        json!({"iss": other.id, "sub": other.id}),
        json!({"sub": "nobody", "iss": "nobody"}),
        json!({"aud": null}),
        json!({"aud": [us]}),
        json!({"aud": [us, format!("{us}/oauth2/token")]}),
        json!({"aud": format!("{us}/oauth2/token")}),
        json!({"aud": format!("{us}/oauth2/par")}),
        json!({"aud": format!("{us}/")}),
        json!({"aud": "https://elsewhere.example"}),
        json!({"exp": null}),
        json!({"exp": now}),
        json!({"exp": now - 1}),
        json!({"exp": now + 3601}),
        json!({"exp": "soon"}),
        json!({"nbf": now + 61}),
        json!({"iat": now + 61}),
        json!({"jti": null}),
        json!({"jti": ""}),
    ] {
        assert!(!robot.is_taken(&robot.assertion_but(&bad)).await, "{bad}");
    }
    for good in [json!({"exp": now + 3600}), json!({"nbf": now + 10, "iat": now + 10}), json!({"iat": null})]
    {
        assert!(robot.is_taken(&robot.assertion_but(&good)).await, "{good}");
    }
}

#[tokio::test]
async fn nobody_chooses_the_algorithm_or_brings_a_key_along() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let robot = Signer::register(&root, Algorithm::Es256, json!({})).await;
    let unsigned = |header: Value| format!("{}.", jwt::unsigned(&header, &robot.claims()));
    for alg in ["none", "None", "NONE", ""] {
        assert!(!robot.is_taken(&unsigned(json!({"alg": alg}))).await, "{alg}");
        let kept = robot.assertion().rsplit_once('.').unwrap().1.to_owned();
        assert!(!robot.is_taken(&format!("{}{kept}", unsigned(json!({"alg": alg})))).await, "{alg}");
    }
    // The public key, in all the forms in which somebody may have it, as if it were a secret.
    let jwk = public(&robot.key);
    let point = [vec![4], part(&jwk, "x"), part(&jwk, "y")].concat();
    for secret in [jwk.to_string().into_bytes(), point, part(&jwk, "x"), vec![0; 32]] {
        let shared = SigningKey::parse(Algorithm::Hs256, &secret).unwrap();
        for kid in [json!(robot.key.kid()), Value::Null] {
            let header = changed(&json!({"alg": "HS256"}), &json!({"kid": kid}));
            assert!(!robot.is_taken(&jwt::forge(&shared, &header, &robot.claims())).await);
        }
    }
    let thief = jwt::foreign_key(Algorithm::Es256);
    let address = "http://127.0.0.1:1/jwks";
    for bring in [
        json!({"jwk": public(&thief)}),
        json!({"jku": address}),
        json!({"x5u": address}),
        json!({"x5c": ["MIIB"]}),
        json!({"jwk": public(&thief), "kid": null}),
    ] {
        let header = changed(&robot.header(), &bring);
        assert!(!robot.is_taken(&jwt::forge(&thief, &header, &robot.claims())).await, "{bring}");
        // Beside a good signature they say nothing.
        assert!(robot.is_taken(&jwt::forge(&robot.key, &header, &robot.claims())).await, "{bring}");
    }
    for wrong in [
        json!({"crit": ["exp"]}),
        json!({"crit": ["b64"], "b64": false}),
        json!({"alg": "ES384"}),
        json!({"alg": "RS256"}),
        json!({"alg": null}),
        json!({"kid": "another"}),
        json!({"kid": 7}),
        json!({"typ": "at+jwt"}),
        json!({"typ": "dpop+jwt"}),
        json!({"typ": "oauth-authz-req+jwt"}),
    ] {
        let header = changed(&robot.header(), &wrong);
        assert!(!robot.is_taken(&jwt::forge(&robot.key, &header, &robot.claims())).await, "{wrong}");
    }
    for text in ["", ".", "..", "a.b.c", "e30.e30.", &"x".repeat(9000)] {
        let fields = Fields(Vec::new()).with("grant_type", "client_credentials");
        let answer = proving(fields, text).post(&app, "/oauth2/token").send().await.unwrap();
        is_refused(answer, 401, "invalid_client").await;
    }
}

fn part(jwk: &Value, name: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn an_assertion_is_good_once_also_for_sixteen_at_once_and_after_a_restart() {
    let setup = crate::support::Setup::default().at("http://localhost:8080");
    let app = setup.start().await;
    let root = app.superuser("root").await;
    let robot = Signer::register(&root, Algorithm::Es256, json!({})).await;
    let us = json!({"aud": "http://localhost:8080", "exp": app.clock.now().secs() + 3600});
    let one = robot.assertion_but(&us);
    let answers = join_all((0..16).map(|_| robot.sends(&one))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status() == 200).count(), 1);
    assert!(!robot.is_taken(&one).await);
    // Signed once more, it is the same.
    let jti = jwt::claims(&one)["jti"].clone();
    assert!(!robot.is_taken(&robot.assertion_but(&changed(&us, &json!({"jti": jti})))).await);
    // What was refused for another reason was not used.
    let wrong = changed(&us, &json!({"jti": "later", "aud": "https://elsewhere.example"}));
    assert!(!robot.is_taken(&robot.assertion_but(&wrong)).await);
    let thief = Signer::known_as(&app, &robot.id, jwt::foreign_key(Algorithm::Es256));
    assert!(!robot.is_taken(&thief.assertion_but(&changed(&us, &json!({"jti": "later"})))).await);
    assert!(robot.is_taken(&robot.assertion_but(&changed(&us, &json!({"jti": "later"})))).await);
    let (id, private) = (robot.id.clone(), one.clone());
    let data_dir = Some(app.stop().await);
    let setup = crate::support::Setup { data_dir, ..Default::default() }.at("http://localhost:8080");
    let app = setup.start().await;
    let again = Signer::known_as(&app, &id, jwt::foreign_key(Algorithm::Es256));
    assert!(!again.is_taken(&private).await);
    assert_eq!(
        app.app.store.verify(&auth_service::app::CHECKS.concat()).unwrap().problems,
        Vec::<String>::new()
    );
    // What is over is forgotten.
    app.clock.advance_secs(3601);
    app.app.tend().await;
    assert_eq!(
        app.app.store.verify(&auth_service::app::CHECKS.concat()).unwrap().tables["oauth.assertion"],
        0
    );
}

#[tokio::test]
async fn a_client_that_has_named_an_algorithm_signs_by_no_other() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let (es, ed) = (jwt::foreign_key(Algorithm::Es256), jwt::foreign_key(Algorithm::EdDsa));
    let keys = json!({"keys": [public(&es), public(&ed)]});
    let also = json!({"jwks": keys, "token_endpoint_auth_signing_alg": "EdDSA"});
    let id = Signer::register(&root, Algorithm::Es256, also).await.id;
    let (es, ed) = (Signer::known_as(&app, &id, es), Signer::known_as(&app, &id, ed));
    assert!(!es.is_taken(&es.assertion_but(&json!({"jti": "es"}))).await);
    assert!(ed.is_taken(&ed.assertion_but(&json!({"jti": "ed"}))).await);
    // Two keys of one algorithm: which one it was has to be said (OpenID Connect Core section 10.1).
    let (one, two) = (jwt::foreign_key(Algorithm::Es256), jwt::foreign_key(Algorithm::Es256));
    let also = json!({"jwks": {"keys": [public(&one), public(&two)]}});
    let id = Signer::register(&root, Algorithm::Es256, also).await.id;
    let (one, two) = (Signer::known_as(&app, &id, one), Signer::known_as(&app, &id, two));
    let by = |signer: &Signer, kid: Value| {
        let header = changed(&signer.header(), &json!({"kid": kid}));
        jwt::forge(&signer.key, &header, &changed(&signer.claims(), &json!({"jti": header.to_string()})))
    };
    assert!(one.is_taken(&by(&one, json!(one.key.kid()))).await);
    assert!(!one.is_taken(&by(&one, json!(two.key.kid()))).await);
    assert!(!one.is_taken(&by(&one, Value::Null)).await);
}

#[tokio::test]
async fn one_way_of_proving_it_is_right_and_it_is_the_registered_one() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let robot = Signer::register(&root, Algorithm::Es256, json!({})).await;
    let asks = || Fields(Vec::new()).with("grant_type", "client_credentials");
    let post = async |fields: Fields| fields.post(&app, "/oauth2/token").send().await.unwrap();
    let both = proving(asks(), &robot.assertion()).with("client_secret", "x");
    is_refused(post(both).await, 400, "invalid_request").await;
    let basic = format!("Basic {}", STANDARD.encode(format!("{}:x", robot.id)));
    let both = proving(asks(), &robot.assertion()).post(&app, "/oauth2/token").header("Authorization", basic);
    is_refused(both.send().await.unwrap(), 400, "invalid_request").await;
    let twice = proving(asks(), &robot.assertion()).and("client_assertion", &robot.assertion());
    is_refused(post(twice).await, 400, "invalid_request").await;
    for wrong in [
        proving(asks(), &robot.assertion()).with("client_assertion_type", "urn:other"),
        proving(asks(), &robot.assertion()).without("client_assertion_type"),
        asks().with("client_assertion_type", BEARER).with("client_id", &robot.id),
        proving(asks(), &robot.assertion()).with("client_id", "another"),
        asks().with("client_id", &robot.id),
        asks().with("client_id", &robot.id).with("client_secret", "x"),
    ] {
        is_refused(post(wrong).await, 401, "invalid_client").await;
    }
    let named = proving(asks(), &robot.assertion()).with("client_id", &robot.id);
    assert_eq!(post(named).await.status(), 200);
    // Whoever has a secret to send does not sign with it.
    let body = json!({"client_name": "x", "grant_types": ["client_credentials"], "id_token_signed_response_alg": "ES256"});
    let made = app.json(root.bearer(Method::POST, "/oauth-clients").json(&body), 201).await;
    let secret = made["client_secret"].as_str().unwrap();
    let key = SigningKey::parse(Algorithm::Hs256, secret.as_bytes()).unwrap();
    let sends = Signer::known_as(&app, made["client_id"].as_str().unwrap(), key);
    assert!(!sends.is_taken(&sends.assertion()).await);
}

#[tokio::test]
async fn whoever_signs_is_known_wherever_clients_are() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let robot = Signer::register(&root, Algorithm::Es256, json!({})).await;
    let asks = Fields(Vec::new()).with("grant_type", "client_credentials");
    let tokens = app.json(robot.request("/oauth2/token", asks), 200).await;
    let token = || Fields(Vec::new()).with("token", tokens["access_token"].as_str().unwrap());
    let told = app.json(robot.request("/oauth2/introspect", token()), 200).await;
    assert_eq!((&told["active"], &told["client_id"]), (&json!(true), &json!(robot.id)));
    assert_eq!(robot.request("/oauth2/revoke", token()).send().await.unwrap().status(), 200);
    let told = app.json(robot.request("/oauth2/introspect", token()), 200).await;
    assert_eq!(told, json!({"active": false}));
    // What has been shown at one endpoint is good for none of the others.
    let assertion = robot.assertion();
    let once = async |path| proving(token(), &assertion).post(&app, path).send().await.unwrap();
    assert_eq!(once("/oauth2/introspect").await.status(), 200);
    is_refused(once("/oauth2/revoke").await, 401, "invalid_client").await;
    let document: Value = app.get("/.well-known/openid-configuration").await.json().await.unwrap();
    for endpoint in ["token", "introspection", "revocation"] {
        let list = |what: &str| document[format!("{endpoint}_endpoint_auth_{what}_supported")].to_string();
        assert!(list("methods").contains("private_key_jwt") && list("methods").contains("client_secret_jwt"));
        assert!(list("signing_alg_values").contains("PS256") && !list("signing_alg_values").contains("none"));
    }
}

#[tokio::test]
async fn a_client_that_is_switched_off_or_has_another_key_is_not_known_by_the_old_one() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let robot = Signer::register(&root, Algorithm::Es256, json!({})).await;
    let path = format!("/oauth-clients/{}", robot.id);
    let change = |body: Value| app.json(root.bearer(Method::PATCH, &path).json(&body), 200);
    let new = Signer::known_as(&app, &robot.id, jwt::foreign_key(Algorithm::Es256));
    let shown = change(json!({"jwks": {"keys": [public(&new.key)]}})).await;
    assert_eq!(shown["jwks"]["keys"][0]["kid"], new.key.kid());
    assert!(!robot.is_taken(&robot.assertion()).await);
    assert!(new.is_taken(&new.assertion_but(&json!({"jti": "new"}))).await);
    change(json!({"is_active": false})).await;
    assert!(!new.is_taken(&new.assertion_but(&json!({"jti": "newer"}))).await);
    let trail =
        app.json(root.bearer(Method::GET, "/audit?action=oauth_client.changed"), 200).await.to_string();
    assert!(trail.contains("keys_before") && trail.contains("sha256:"), "{trail}");
}

#[tokio::test]
async fn what_signs_has_something_to_sign_with() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let key = public(&jwt::foreign_key(Algorithm::Es256));
    let body = |also: Value| {
        let plain = json!({"client_name": "x", "grant_types": ["client_credentials"], "id_token_signed_response_alg": "ES256"});
        changed(&plain, &also)
    };
    let set = |key: &Value| json!({"keys": [key]});
    let (by_key, by_secret) = ("private_key_jwt", "client_secret_jwt");
    for (field, also) in [
        ("jwks", json!({"token_endpoint_auth_method": by_key})),
        ("jwks", json!({"jwks": set(&changed(&key, &json!({"d": "x"})))})),
        ("jwks", json!({"jwks": set(&json!({"kty": "oct", "k": "c2VjcmV0"}))})),
        ("jwks", json!({"jwks": {"keys": []}})),
        ("jwks", json!({"jwks": "x"})),
        ("jwks", json!({"jwks": {"keys": [key.clone(), key.clone()]}})),
        ("jwks", json!({"jwks": set(&changed(&key, &json!({"more": "x".repeat(70_000)})))})),
        ("jwks_uri", json!({"jwks": set(&key), "jwks_uri": "https://a.example/jwks"})),
        ("jwks_uri", json!({"jwks_uri": "http://a.example/jwks"})),
        ("jwks_uri", json!({"jwks_uri": "file:///etc/passwd"})),
        ("token_endpoint_auth_signing_alg", json!({"token_endpoint_auth_signing_alg": "none"})),
        ("token_endpoint_auth_signing_alg", json!({"token_endpoint_auth_signing_alg": "HS512"})),
        (
            "token_endpoint_auth_signing_alg",
            json!({"token_endpoint_auth_method": by_key, "jwks": set(&key), "token_endpoint_auth_signing_alg": "HS256"}),
        ),
        (
            "token_endpoint_auth_signing_alg",
            json!({"token_endpoint_auth_method": by_secret, "token_endpoint_auth_signing_alg": "ES256"}),
        ),
    ] {
        let request = root.bearer(Method::POST, "/oauth-clients").json(&body(also.clone()));
        assert!(!app.refuses(request, field).await.is_empty(), "{field} {also}");
    }
    let private = json!({"jwks": set(&changed(&key, &json!({"d": "NOT-TO-BE-SEEN"})))});
    let why = app.refuses(root.bearer(Method::POST, "/oauth-clients").json(&body(private)), "jwks").await;
    assert!(why.contains("keys[0].d") && !why.contains("NOT-TO-BE-SEEN"), "{why}");
}
