//! Mails as the host sees them, and secrets of mails that nobody sees.
use serde_json::json;

use crate::support::{PASSWORD, Place};

fn token(text: &str) -> String {
    text.lines().find(|line| line.starts_with("asp_")).unwrap().to_owned()
}

#[tokio::test]
async fn the_host_lists_reads_and_discards_what_waits_with_and_without_a_server() {
    let place = Place::new();
    let server = place.start();
    server.user("ann").await;
    for _ in 0..2 {
        let forgot = json!({"email": "ann@example.com"});
        assert_eq!(server.post("/auth/password/forgot", &forgot).await.status(), 202);
    }
    let listed = place.json(&["--json", "mail", "list"]);
    let items = listed["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert_eq!((&items[0]["to"], &items[0]["kind"]), (&json!("ann@example.com"), &json!("reset_password")));
    assert!(!listed.to_string().contains("asp_"));
    let page = place.run(&["mail", "list", "--limit", "1"]).text();
    assert!(page.contains("reset_password") && page.contains("--cursor"), "{page}");
    let id = |n: usize| items[n]["id"].as_str().unwrap();
    let tokens =
        [0, 1].map(|n| token(place.json(&["--json", "mail", "show", id(n)])["text"].as_str().unwrap()));
    place.run(&["mail", "retry", id(0)]).text();
    place.run(&["mail", "discard", id(0)]).text();
    assert_eq!(place.json(&["--json", "mail", "list"])["items"].as_array().unwrap().len(), 1);
    place.run(&["mail", "show", id(0)]).refusal(1);
    let mut good = 0;
    for token in tokens {
        let body = json!({"token": token, "new_password": "staple 17 of the donkey"});
        good += usize::from(server.post("/auth/password/reset", &body).await.status() == 204);
    }
    assert_eq!(good, 1);
    server.stop();
    assert_eq!(place.json(&["--json", "mail", "list"])["items"].as_array().unwrap().len(), 1);
    assert!(place.run(&["audit", "list", "--action", "mail.read"]).text().lines().count() == 2);
}

#[tokio::test]
async fn no_secret_of_a_mail_is_in_the_log_and_no_password_in_the_settings() {
    let secret = "only-for-the-mail-server";
    let place = Place::new();
    let file = place.file("smtp-password", &format!("{secret}\n"));
    let place = place
        .with("log.level", "trace")
        .with("mail.sink", "smtp")
        .with("mail.from", "accounts@id.example")
        .with("mail.smtp_host", "localhost")
        // Nobody listens there.
        .with("mail.smtp_port", "1")
        .with("mail.smtp_security", "none")
        .with("mail.smtp_username", "auth")
        .with("mail.smtp_password_file", file.to_str().unwrap());
    let server = place.start();
    server.user("ann").await;
    let forgot = json!({"email": "ann@example.com"});
    assert_eq!(server.post("/auth/password/forgot", &forgot).await.status(), 202);
    let mut tried = false;
    for _ in 0..100 {
        let listed = place.json(&["--json", "mail", "list"]);
        tried = listed["items"].as_array().unwrap().iter().all(|mail| mail["attempts"].as_u64() > Some(0));
        if tried {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(tried, "the worker of a running server has not tried");
    let shown = place.run(&["config", "show"]).text();
    let written = server.stop();
    assert!(written.contains("mail not sent"), "{written}");
    for secret in [secret, "asp_", "asv_", PASSWORD] {
        assert!(!written.contains(secret) && !shown.contains(secret), "{secret}");
    }
}

#[test]
fn a_server_with_a_broken_template_does_not_start_and_names_the_file() {
    let place = Place::new();
    let templates = place.inside("templates");
    std::fs::create_dir_all(templates.join("de")).unwrap();
    std::fs::write(templates.join("de/sign_in.txt"), "Subject: x\n{{ nothing }}\n").unwrap();
    let place = place.with("mail.template_dir", templates.to_str().unwrap());
    let said = place.run(&["serve"]).refusal(2);
    assert!(said.contains("mail.template_dir") && said.contains("de/sign_in.txt"), "{said}");
}
