//! Nonces for proofs of possession (RFC 9449 sections 8 and 9).
use reqwest::header::HeaderMap;
use reqwest::{RequestBuilder, Response};
use serde_json::json;

use super::support::holder::{asks, robot, start};
use super::{Browser, Holder, Party, is_refused};
use crate::support::{Setup, TestApp};

fn nonce_of(headers: &HeaderMap) -> String {
    headers.get("dpop-nonce").expect("a nonce").to_str().unwrap().to_owned()
}

/// A request for tokens whose proof has a nonce.
fn with_nonce(holder: &Holder<'_>, robot: &Party<'_>, nonce: &str) -> RequestBuilder {
    let mut claims = holder.claims("POST", "/oauth2/token");
    claims["nonce"] = json!(nonce);
    robot.request("/oauth2/token", asks()).header("DPoP", holder.signed(&holder.header(), &claims))
}

async fn wants_nonce(answer: Response, status: u16) -> String {
    let nonce = nonce_of(answer.headers());
    is_refused(answer, status, "use_dpop_nonce").await;
    nonce
}

#[tokio::test]
async fn a_nonce_that_is_there_has_to_be_a_fresh_one_of_this_server() {
    let app = start().await;
    let root = app.superuser("root").await;
    let (robot, holder) = (robot(&root, json!({})).await, Holder::new(&app));
    let answer = holder.request(&robot, asks()).send().await.unwrap();
    assert_eq!(answer.status(), 200, "none is asked for");
    let nonce = nonce_of(answer.headers());
    let answer = with_nonce(&holder, &robot, &nonce).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    for wrong in ["", "x", &nonce[1..]] {
        wants_nonce(with_nonce(&holder, &robot, wrong).send().await.unwrap(), 400).await;
    }
    app.clock.advance_secs(361);
    let fresh = wants_nonce(with_nonce(&holder, &robot, &nonce).send().await.unwrap(), 400).await;
    assert_ne!(fresh, nonce);
    app.json(with_nonce(&holder, &robot, &fresh), 200).await;
}

#[tokio::test]
async fn a_server_that_is_set_so_asks_for_a_nonce_everywhere() {
    let app = Setup::default().with("oauth.dpop_nonce_required", "true").start().await;
    app.clock.advance_secs(100);
    let root = app.superuser("root").await;
    app.register("ann").await;
    let holder = Holder::new(&app);
    let machine = robot(&root, json!({})).await;
    let nonce = wants_nonce(holder.request(&machine, asks()).send().await.unwrap(), 400).await;
    app.json(with_nonce(&holder, &machine, &nonce), 200).await;
    // A bearer token needs none, nor a code that is not bound.
    let photos = Party::ours(&root).await;
    photos.log_in(&mut Browser::new(&app), "ann").await;
    // At a resource the error is a challenge.
    let code = photos.code(&mut Browser::new(&app), "ann").await;
    let mut claims = holder.claims("POST", "/oauth2/token");
    claims["nonce"] = json!(nonce);
    let proof = holder.signed(&holder.header(), &claims);
    let request = photos.request("/oauth2/token", photos.redeems(&code)).header("DPoP", proof);
    let tokens = app.json(request, 200).await;
    let answer = holder.userinfo(&tokens).send().await.unwrap();
    let challenge = answer.headers()["www-authenticate"].to_str().unwrap().to_owned();
    assert!(challenge.starts_with("DPoP ") && challenge.contains("error=\"use_dpop_nonce\""), "{challenge}");
    wants_nonce(answer, 401).await;
}

#[tokio::test]
async fn a_proof_from_before_a_restart_is_not_good_once_more_after_it() {
    let app = Setup::default().at("https://id.example").start().await;
    app.clock.advance_secs(10);
    let root = app.superuser("root").await;
    let robot = robot(&root, json!({})).await;
    let (id, secret) = (robot.id.clone(), robot.secret.clone());
    let holder = Holder::new(&app);
    let mut claims = holder.claims("POST", "/oauth2/token");
    claims["htu"] = json!("https://id.example/oauth2/token");
    let old = holder.signed(&holder.header(), &claims);
    app.json(robot.request("/oauth2/token", asks()).header("DPoP", &old), 200).await;
    let app: TestApp = app.restart(Setup::default().at("https://id.example")).await;
    let robot = Party { app: &app, id, secret, method: "client_secret_basic".to_owned() };
    let request = || robot.request("/oauth2/token", asks()).header("DPoP", &old);
    let nonce = wants_nonce(request().send().await.unwrap(), 400).await;
    // Whoever holds the key makes another one.
    let again = Holder::new(&app);
    let mut claims = again.claims("POST", "/oauth2/token");
    claims["htu"] = json!("https://id.example/oauth2/token");
    claims["nonce"] = json!(nonce);
    let fresh = again.signed(&again.header(), &claims);
    app.json(robot.request("/oauth2/token", asks()).header("DPoP", fresh), 200).await;
    app.clock.advance_secs(30);
    wants_nonce(request().send().await.unwrap(), 400).await;
}
