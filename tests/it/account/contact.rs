//! Where a user can be reached, as the user says.
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{PASSWORD, Person, TestApp};

const PATH: &str = "/auth/me/contact";

async fn said(person: &Person<'_>, body: &Value) -> Value {
    person.app.json(person.bearer(Method::PUT, PATH).json(body), 200).await
}

#[tokio::test]
async fn what_a_user_says_is_kept_and_what_is_left_out_is_forgotten() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let nothing = json!({"phone_number": null, "address": null});
    assert_eq!(app.json(ann.bearer(Method::GET, PATH), 200).await, nothing);
    let written = said(&ann, &json!({"phone_number": "+49-30-901820", "address": {"country": " DE "}})).await;
    assert_eq!(
        (&written["phone_number"], &written["address"]["country"]),
        (&json!("+4930901820"), &json!("DE"))
    );
    assert_eq!(app.json(ann.bearer(Method::GET, PATH), 200).await, written);
    let bob = app.user("bob").await;
    assert_eq!(app.json(bob.bearer(Method::GET, PATH), 200).await, nothing, "nobody else's");
    assert_eq!(said(&ann, &json!({"address": {"country": ""}})).await, nothing);
    // The profile of the contract is as ever.
    assert!(ann.profile().await.get("phone_number").is_none());
}

#[tokio::test]
async fn what_is_no_number_or_address_is_refused_by_its_name() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    for (body, field) in [
        (json!({"phone_number": "030 901820"}), "phone_number"),
        (json!({"phone_number": "+49 30 CALL"}), "phone_number"),
        (json!({"address": {"locality": "a\nb"}}), "address.locality"),
        (json!({"address": {"region": "x".repeat(201)}}), "address.region"),
    ] {
        app.refuses(ann.bearer(Method::PUT, PATH).json(&body), field).await;
    }
}

#[tokio::test]
async fn the_trail_says_what_changed_and_not_to_what_and_the_end_of_an_account_leaves_nothing() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let ann = app.user("ann").await;
    said(&ann, &json!({"phone_number": "+4930901820"})).await;
    said(&ann, &json!({"phone_number": "+4930901820"})).await;
    let trail = app.json(root.bearer(Method::GET, "/audit?action=user.contact_changed"), 200).await;
    assert_eq!(trail["items"].as_array().unwrap().len(), 1, "{trail}");
    assert!(trail.to_string().contains("phone_number") && !trail.to_string().contains("901820"), "{trail}");
    let rows = |app: &TestApp| {
        let findings = app.app.store.verify(&auth_service::app::CHECKS.concat()).unwrap();
        findings.tables.get("contact").copied().unwrap_or_default()
    };
    assert_eq!(rows(&app), 1);
    let gone = ann.bearer(Method::DELETE, "/auth/me").json(&json!({"password": PASSWORD}));
    assert!(gone.send().await.unwrap().status().is_success());
    app.clock.advance_secs(400 * 24 * 3600);
    app.app.tend().await;
    assert_eq!(rows(&app), 0);
}
