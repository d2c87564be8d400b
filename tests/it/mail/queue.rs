//! The queue: durable with its change, sealed, bounded.
use reqwest::Method;
use serde_json::json;

use super::{directory, events, forget, mail, mails, with_mail};
use crate::support::TestApp;

const ANN: &str = "ann@example.com";

/// All bytes of the store.
fn stored(data_dir: &std::path::Path) -> Vec<u8> {
    std::fs::read(data_dir.join("auth.redb")).unwrap()
}

fn holds(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle.as_bytes())
}

#[tokio::test]
async fn a_mail_is_a_file_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let app = with_mail().start().await;
    app.register("ann").await;
    assert_eq!(app.app.mail.deliver_due().await.unwrap(), 1);
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory(&app)), 0o700);
    let files: Vec<_> =
        std::fs::read_dir(directory(&app)).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1);
    assert_eq!(mode(&files[0]), 0o600);
    assert!(files[0].extension().is_some_and(|extension| extension == "eml"));
}

#[tokio::test]
async fn a_mail_that_waits_is_sealed_and_gone_once_it_was_sent() {
    let app = with_mail().at("http://id.example").start().await;
    app.register("ann").await;
    mails(&app).await;
    forget(&app, ANN).await;
    let data_dir = app.stop().await;
    let bytes = stored(data_dir.path());
    assert!(holds(&bytes, "ann@example.com"), "the account is not sealed");
    assert!(!holds(&bytes, "asp_") && !holds(&bytes, "Choose another password"));
    let setup = crate::support::Setup { data_dir: Some(data_dir), ..with_mail().at("http://id.example") };
    let app = setup.start().await;
    let token = mail(&app, ANN).await.token("asp_");
    assert!(mails(&app).await.is_empty());
    assert_eq!(app.app.mail.state().unwrap().waiting, 0);
    let body = json!({"token": token, "new_password": "staple 17 of the donkey"});
    assert_eq!(app.post("/auth/password/reset", &body).await.status(), 204);
}

#[tokio::test]
async fn one_address_gets_five_of_a_kind_an_hour_and_the_last_link_stays_good() {
    let app = with_mail().start().await;
    app.register("ann").await;
    app.register("bob").await;
    mails(&app).await;
    for _ in 0..8 {
        forget(&app, ANN).await;
    }
    forget(&app, "bob@example.com").await;
    let all = mails(&app).await;
    let to_ann: Vec<_> = all.iter().filter(|mail| mail.to == ANN).collect();
    assert_eq!((to_ann.len(), all.len()), (5, 6));
    let body = |token: String| json!({"token": token, "new_password": "staple 17 of the donkey"});
    let mut good = 0;
    for mail in to_ann {
        good +=
            usize::from(app.post("/auth/password/reset", &body(mail.token("asp_"))).await.status() == 204);
    }
    assert_eq!(good, 1, "what was not mailed has not taken its place");
    app.clock.advance_secs(3600);
    forget(&app, ANN).await;
    let again: Vec<_> =
        mails(&app).await.into_iter().filter(|mail| mail.subject.contains("Choose")).collect();
    assert_eq!(again.len(), 1);
}

#[tokio::test]
async fn a_link_that_is_over_is_not_mailed_any_more() {
    let app = with_mail().start().await;
    app.register("ann").await;
    mails(&app).await;
    forget(&app, ANN).await;
    app.clock.advance_secs(30 * 60);
    assert!(mails(&app).await.is_empty());
    let given_up = events(&app, "mail.given_up").await;
    assert_eq!((given_up.len(), &given_up[0]["details"]["reason"]), (1, &json!("expired")));
}

#[tokio::test]
async fn a_change_that_fails_mails_nothing() {
    let app = with_mail().start().await;
    app.register("ann").await;
    let ann = app.log_in("ann", crate::support::PASSWORD).await;
    app.register("bob").await;
    mails(&app).await;
    let body = json!({"email": "bob@example.com", "current_password": crate::support::PASSWORD});
    app.refuses(ann.bearer(Method::PATCH, "/auth/me").json(&body), "email").await;
    assert!(mails(&app).await.is_empty());
}

#[tokio::test]
async fn mails_are_written_in_the_language_of_whoever_asks() {
    let app = with_mail().with("mail.language", "de").start().await;
    for (name, wanted, words) in [
        ("ann", "en-GB,en;q=0.9", "Confirm your e-mail address"),
        ("bob", "de-AT", "Bitte bestätigen"),
        ("cat", "fr", "bitte bestätigen Sie"),
    ] {
        let email = format!("{name}@example.com");
        let body = json!({"username": name, "email": email, "password": crate::support::PASSWORD});
        let request =
            app.request(Method::POST, "/auth/register").header("Accept-Language", wanted).json(&body);
        app.json(request, 201).await;
        let mail = mail(&app, &email).await;
        let whole = format!("{}\n{}", mail.subject, mail.text);
        assert!(whole.to_lowercase().contains(&words.to_lowercase()), "{whole}");
        assert!(mail.text.contains(name), "{}", mail.text);
    }
}

#[tokio::test]
async fn a_look_at_every_row_finds_nothing_wrong() {
    let app = with_mail().start().await;
    let ann = app.user("ann").await;
    forget(&app, ANN).await;
    let body = json!({"email": "new@example.com", "current_password": crate::support::PASSWORD});
    app.json(ann.bearer(Method::PATCH, "/auth/me").json(&body), 200).await;
    let findings = app.app.store.verify(&auth_service::app::CHECKS.concat()).unwrap();
    assert_eq!(findings.problems, Vec::<String>::new());
    assert!(
        findings.tables.iter().any(|(name, rows)| name == "mail.queue" && *rows == 4),
        "{:?}",
        findings.tables
    );
    assert_eq!(app.app.mail.state().unwrap().waiting, 4);
    app.clock.advance_secs(4 * 24 * 3600);
    app.app.tend().await;
    assert_eq!(app.app.mail.state().unwrap().waiting, 0);
    let findings = app.app.store.verify(&auth_service::app::CHECKS.concat()).unwrap();
    for table in ["mail.queue", "mail.due", "mail.turns", "email_change", "email_verification.link"] {
        let rows = findings.tables.iter().find(|(name, _)| *name == table).map(|(_, rows)| *rows);
        assert!(matches!(rows, None | Some(0)), "{table}: {rows:?}");
    }
}

#[tokio::test]
async fn no_secret_of_a_mail_is_in_the_trail() {
    let app: TestApp = with_mail().start().await;
    let ann = app.user("ann").await;
    forget(&app, ANN).await;
    let body = json!({"email": "new@example.com", "current_password": crate::support::PASSWORD});
    app.json(ann.bearer(Method::PATCH, "/auth/me").json(&body), 200).await;
    mails(&app).await;
    let filter = auth_service::audit::Filter::default();
    let page = app.app.audit.search(filter, auth_service::base::PageRequest::all()).await.unwrap();
    let trail = format!("{:?}", page.items);
    for prefix in ["asp_", "asv_", "ase_", "asm_"] {
        assert!(!trail.contains(prefix), "{trail}");
    }
    assert!(trail.contains("user.email_change_asked") && trail.contains("user.password_reset_started"));
}
