//! Passwords: judged alike wherever one is chosen, good for as long as their owner likes, and left to password managers.
use auth_service::rbac::Initiator;
use reqwest::{Method, RequestBuilder};
use serde_json::json;

use crate::mail::{forget, mail, mails, with_mail};
use crate::support::{PASSWORD, Setup, TestApp};

const ANN: &str = "ann@example.com";
const PAGES: [&str; 8] = [
    "passkeys",
    "register",
    "forgot-password",
    "reset-password",
    "verify-email",
    "confirm-email",
    "sign-in",
    "recover",
];

fn post(app: &TestApp, path: &str, body: serde_json::Value) -> RequestBuilder {
    app.request(Method::POST, path).json(&body)
}

#[tokio::test]
async fn what_is_refused_as_a_password_is_refused_wherever_one_is_chosen() {
    let app = with_mail().with("password.blocked_words", "Initech").start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    let started = root.bearer(Method::POST, &format!("/users/{}/password-reset", ann.id()));
    let by_administrator = app.json(started, 201).await["token"].as_str().unwrap().to_owned();
    let (by_host, _) = app.app.recoveries.start(Initiator::host(), ann.id()).await.unwrap();
    for bad in
        ["password1234", "qwertyuiop", "QWERTYUIOP", "Auth-Service2026!", "initech 81 battery", "seven77"]
    {
        let register = json!({"username": "bob", "email": "bob@example.com", "password": bad});
        app.refuses(post(&app, "/auth/register", register), "password").await;
        let change = json!({"current_password": PASSWORD, "new_password": bad});
        app.refuses(ann.bearer(Method::POST, "/auth/password/change").json(&change), "new_password").await;
        let reset = json!({"token": by_administrator, "new_password": bad});
        app.refuses(post(&app, "/auth/password/reset", reset), "new_password").await;
        let recover = json!({"token": by_host.expose(), "new_password": bad});
        app.refuses(post(&app, "/auth/recover", recover), "new_password").await;
    }
    // And with the token of a mail.
    mails(&app).await;
    forget(&app, ANN).await;
    let mailed = mail(&app, ANN).await.token("asp_");
    let reset = |new: &str| post(&app, "/auth/password/reset", json!({"token": mailed, "new_password": new}));
    app.refuses(reset("qwertyuiop"), "new_password").await;
    app.done(reset("staple 17 of the donkey")).await;
}

#[tokio::test]
async fn who_registers_hidden_chooses_as_good_a_password_as_others() {
    let app = with_mail().with("registration", "hidden").start().await;
    for bad in ["password1234", "qwertyuiop", "Auth-Service2026!", "seven77"] {
        let register = json!({"username": "bob", "email": "bob@example.com", "password": bad});
        app.refuses(post(&app, "/auth/register", register), "password").await;
    }
    assert!(mails(&app).await.is_empty());
}

#[tokio::test]
async fn a_password_is_good_until_its_owner_chooses_another() {
    let app = TestApp::start().await;
    app.register("ann").await;
    app.clock.advance_secs(10 * 366 * 24 * 3600);
    app.app.tend().await;
    let ann = app.log_in("ann", PASSWORD).await;
    app.json(ann.bearer(Method::GET, "/auth/sessions"), 200).await;
}

#[tokio::test]
async fn no_operation_knows_of_hints_or_questions() {
    let app = TestApp::start().await;
    let names = |schema: &serde_json::Value| {
        let properties = schema["properties"].as_object().into_iter().flat_map(|all| all.keys().cloned());
        properties.collect::<Vec<_>>()
    };
    let schemas = app.spec["components"]["schemas"].as_object().unwrap();
    let all: Vec<_> = schemas.values().flat_map(names).collect();
    assert!(all.iter().any(|name| name == "new_password"), "the walk has lost its way");
    for word in ["hint", "question", "security_answer", "mother"] {
        // Of what kind a token is, which a client gives back (RFC 7009): no hint at a password.
        let all = all.iter().filter(|name| *name != "token_type_hint");
        let found: Vec<_> = all.filter(|name| name.contains(word)).collect();
        assert!(found.is_empty(), "{found:?}");
    }
}

/// The `<input …>` elements of a page.
fn inputs(page: &str) -> Vec<&str> {
    page.split("<input ").skip(1).map(|rest| rest.split('>').next().unwrap()).collect()
}

#[tokio::test]
async fn pages_leave_passwords_to_password_managers() {
    let app = TestApp::start().await;
    let mut fields = 0;
    for page in PAGES {
        let text = app.get(&format!("/account/{page}")).await.text().await.unwrap();
        for input in inputs(&text).into_iter().filter(|input| input.contains("password\"")) {
            let is_new = page == "register" || input.contains("name=\"new_password\"");
            let kind = if is_new { "new" } else { "current" };
            assert!(input.contains("type=\"password\""), "{page}: {input}");
            assert!(input.contains(&format!("autocomplete=\"{kind}-password\"")), "{page}: {input}");
            fields += 1;
        }
        for script in ["mailed.js", "passkeys.js"] {
            let script = app.get(&format!("/account/{script}")).await.text().await.unwrap();
            for hinders in ["paste", "copy", "drop", "contextmenu"] {
                assert!(!format!("{text}{script}").contains(&format!("\"{hinders}\"")), "{page}: {hinders}");
                assert!(!text.contains(&format!("on{hinders}")), "{page}: {hinders}");
            }
        }
    }
    assert_eq!(fields, 4, "that of a login, of a registration, of a reset, and of a recovery");
}

#[tokio::test]
async fn whoever_is_signed_in_on_a_page_finds_the_way_out() {
    let app = Setup::default().start().await;
    let page = async |name: &str| app.get(&format!("/account/{name}")).await.text().await.unwrap();
    assert!(page("passkeys").await.contains("id=\"sign-out\""));
}
