//! What the server says of itself (OpenID Connect Discovery 1.0, RFC 8414), and the keys that it publishes (RFC 7517).
use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::header::ORIGIN;
use serde_json::{Value, json};

use super::{Browser, Party, issuer};
use crate::support::{Setup, TestApp};

const OPENID: &str = "/.well-known/openid-configuration";
const OAUTH: &str = "/.well-known/oauth-authorization-server";

async fn document(app: &TestApp, path: &str) -> Value {
    let answer =
        app.request(reqwest::Method::GET, path).header(ORIGIN, "https://app.example").send().await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert!(header("content-type").starts_with("application/json"), "{path}");
    assert_eq!(header("access-control-allow-origin"), "*", "programs in browsers read it");
    answer.json().await.unwrap()
}

fn words(document: &Value, name: &str) -> Vec<String> {
    let all = document[name].as_array().unwrap_or_else(|| panic!("{name} is no list"));
    all.iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn both_documents_are_the_same_and_name_the_issuer_that_they_are_found_under() {
    let app = TestApp::start().await;
    let about = document(&app, OPENID).await;
    assert_eq!(about, document(&app, OAUTH).await);
    assert_eq!(about["issuer"], issuer(&app));
}

#[tokio::test]
async fn a_path_in_the_issuer_stands_before_or_behind_what_is_well_known() {
    let app = Setup::default().at("https://id.example/tenant/one").start().await;
    for path in [OPENID, OAUTH] {
        // A proxy may strip the path; OpenID Connect appends to the issuer, RFC 8414 section 3.1 inserts after the host.
        for path in [path.to_owned(), format!("/tenant/one{path}"), format!("{path}/tenant/one")] {
            let about = document(&app, &path).await;
            assert_eq!(about["issuer"], "https://id.example/tenant/one", "{path}");
            assert_eq!(about["token_endpoint"], "https://id.example/tenant/one/oauth2/token");
        }
    }
    for path in
        [format!("{OPENID}/tenant"), format!("{OPENID}/tenant/one/"), "/.well-known/tenant/one".to_owned()]
    {
        assert_eq!(app.get(&path).await.status(), 404, "{path}");
    }
}

#[tokio::test]
async fn every_endpoint_is_an_https_url_below_the_issuer_and_is_there() {
    let app = Setup::default().at("https://id.example").start().await;
    let about = document(&app, OPENID).await;
    let named: Vec<_> = about
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| name.ends_with("_endpoint") || *name == "jwks_uri")
        .collect();
    assert!(named.len() >= 7, "{named:?}");
    for (name, url) in named {
        let path = url
            .as_str()
            .unwrap()
            .strip_prefix("https://id.example")
            .unwrap_or_else(|| panic!("{name}: {url}"));
        assert_ne!(app.get(path).await.status(), 404, "{name}");
    }
}

#[tokio::test]
async fn it_says_what_openid_connect_wants_to_be_said() {
    let app = TestApp::start().await;
    let about = document(&app, OPENID).await;
    assert_eq!(words(&about, "response_types_supported"), ["code"]);
    for (name, word) in [
        ("subject_types_supported", "public"),
        ("id_token_signing_alg_values_supported", "RS256"),
        ("scopes_supported", "openid"),
        ("grant_types_supported", "authorization_code"),
        ("claims_supported", "sub"),
        ("token_endpoint_auth_methods_supported", "client_secret_basic"),
    ] {
        assert!(words(&about, name).iter().any(|known| known == word), "{name}: {word}");
    }
    assert_eq!(words(&about, "code_challenge_methods_supported"), ["S256"]);
    for refused in ["none", "HS256"] {
        assert!(!words(&about, "id_token_signing_alg_values_supported").contains(&refused.to_owned()));
    }
    for refused in ["implicit", "password"] {
        assert!(!words(&about, "grant_types_supported").contains(&refused.to_owned()), "{refused}");
    }
    // Left out, this one would be true.
    assert_eq!(about["request_uri_parameter_supported"], false);
    assert_eq!(about["authorization_response_iss_parameter_supported"], true);
}

#[tokio::test]
async fn published_keys_have_names_of_their_own_and_nothing_that_is_private() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    for algorithm in ["ES256", "EdDSA", "RS256"] {
        Party::register(&root, json!({"id_token_signed_response_alg": algorithm})).await;
    }
    let set = document(&app, "/oauth2/jwks").await;
    let keys = set["keys"].as_array().unwrap();
    let names: BTreeSet<_> = keys.iter().map(|key| key["kid"].as_str().unwrap()).collect();
    assert!(names.len() == keys.len() && names.len() >= 3, "{keys:?}");
    for key in keys {
        for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            assert!(key.get(private).is_none(), "{private} in {key}");
        }
        assert_eq!(key["use"], "sig");
        let members = match key["kty"].as_str().unwrap() {
            "RSA" => vec!["n", "e"],
            "EC" => vec!["crv", "x", "y"],
            _ => vec!["crv", "x"],
        };
        assert!(members.iter().all(|member| key[*member].is_string()), "{key}");
        // 3072 bits: what is as hard as 128 of a cipher.
        let modulus = key["n"].as_str().map(|n| URL_SAFE_NO_PAD.decode(n).unwrap().len());
        assert!(modulus.is_none_or(|bytes| bytes >= 384), "{key}");
    }
}

#[tokio::test]
async fn pages_and_cookies_are_below_the_path_of_the_public_url() {
    let app = Setup::default().at("http://localhost/id").start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = Party::register(&root, json!({})).await;
    let mut browser = Browser::new(&app);
    let page = browser.open(&format!("/id{}", photos.asks().path())).await;
    let page = browser.sign_in(&page, "ann").await;
    let answer = browser.agree(&page).await.answer(super::CALLBACK);
    assert_eq!((answer["iss"].as_str(), answer.contains_key("code")), ("http://localhost/id", true));
    assert!(browser.cookies.values().all(|(path, _)| path.starts_with("/id")), "{:?}", browser.cookies);
}
