//! A mail server that takes mails, refuses them for now or for good, hangs, or is not there.
use auth_service::base::Tick;
use serde_json::{Value, json};

use super::support::{MailServer, Mode};
use super::{events, forget};
use crate::support::{Setup, TestApp};

const ANN: &str = "ann@example.com";

/// A server of ours whose mails go to a mail server, with an account whose first mail is gone.
async fn start() -> (MailServer, TestApp) {
    let server = MailServer::start().await;
    let app = server.setup().start().await;
    app.register("ann").await;
    assert_eq!(app.app.mail.deliver_due().await.unwrap(), 1);
    assert_eq!(server.taken().len(), 1);
    (server, app)
}

async fn health(app: &TestApp, name: &str) -> Value {
    let root = app.superuser(name).await;
    let verbose = root.bearer(reqwest::Method::GET, "/health?verbose=true");
    app.json(verbose, 200).await["details"]["mail"].clone()
}

#[tokio::test]
async fn a_mail_arrives_whole_and_once() {
    let (server, app) = start().await;
    forget(&app, ANN).await;
    assert_eq!(app.app.mail.deliver_due().await.unwrap(), 1);
    let taken = server.taken();
    assert_eq!((taken.len(), taken[0].to.as_str()), (1, ANN));
    let raw = &taken[0].raw;
    for part in [
        "From: accounts@id.example\r\n",
        "Auto-Submitted: auto-generated\r\n",
        "Date: Fri, 15 Jan 2027 08:00:00 +0000\r\n",
        "Content-Type: multipart/alternative",
        "Content-Type: text/html",
    ] {
        assert!(raw.contains(part), "{part} is not in {raw}");
    }
    assert!(taken[0].token("asp_").len() > 50);
    assert_eq!(app.app.mail.deliver_due().await.unwrap(), 0);
    assert!(server.taken().is_empty());
    assert_eq!(
        health(&app, "root").await,
        json!({
            "status": "ok", "sink": "smtp", "waiting": 0, "oldest_age_secs": null, "trouble": null,
        })
    );
}

#[tokio::test]
async fn what_is_refused_for_now_is_tried_again_later_and_later() {
    let (server, app) = start().await;
    server.set(Mode::Says(451));
    forget(&app, ANN).await;
    for expected in [0, 0, 0] {
        assert_eq!(app.app.mail.deliver_due().await.unwrap(), expected);
    }
    let once = server.connections();
    assert_eq!(once, 2, "what was tried is not tried again at once");
    app.clock.advance_secs(46);
    app.app.mail.deliver_due().await.unwrap();
    assert_eq!(server.connections(), once + 1);
    app.clock.advance_secs(46);
    app.app.mail.deliver_due().await.unwrap();
    app.clock.advance_secs(30);
    app.app.mail.deliver_due().await.unwrap();
    assert_eq!(server.connections(), once + 2, "the second time lies twice as far away");
    let state = health(&app, "root").await;
    assert_eq!(
        (&state["status"], &state["trouble"]),
        (&json!("degraded"), &json!("the mail server says 451"))
    );
    assert_eq!(state["oldest_age_secs"], 46 + 46 + 30);
    server.set(Mode::Takes);
    app.clock.advance_secs(400);
    assert_eq!(app.app.mail.deliver_due().await.unwrap(), 1);
    assert_eq!(server.taken()[0].to, ANN);
    assert_eq!(health(&app, "boss").await["status"], "ok");
}

#[tokio::test]
async fn what_is_refused_for_good_is_given_up_and_the_trail_says_so() {
    let (server, app) = start().await;
    server.set(Mode::Says(550));
    forget(&app, ANN).await;
    assert_eq!(app.app.mail.deliver_due().await.unwrap(), 0);
    app.clock.advance_secs(600);
    app.app.mail.deliver_due().await.unwrap();
    assert_eq!(server.connections(), 2);
    let given_up = events(&app, "mail.given_up").await;
    assert_eq!(given_up.len(), 1);
    assert_eq!(
        (&given_up[0]["outcome"], &given_up[0]["subject"]["name"]),
        (&json!("failure"), &json!("ann"))
    );
    let details = &given_up[0]["details"];
    assert_eq!(details["reason"], "the mail server refuses it: 550");
    assert_eq!(details["kind"], "reset_password");
    assert!(!given_up[0].to_string().contains("asp_"), "no secret in the trail");
}

#[tokio::test]
async fn a_mail_server_that_lets_nobody_in_costs_no_mail() {
    let (server, app) = start().await;
    for code in [535, 530, 421] {
        server.set(Mode::Says(code));
        forget(&app, ANN).await;
        app.app.mail.deliver_due().await.unwrap();
    }
    assert!(events(&app, "mail.given_up").await.is_empty());
    server.set(Mode::Takes);
    app.clock.advance_secs(46);
    assert_eq!(app.app.mail.deliver_due().await.unwrap(), 3);
}

#[tokio::test]
async fn one_that_hangs_or_closes_or_is_not_there_stops_nothing_but_mails() {
    let (server, app) = start().await;
    for mode in [Mode::Hangs, Mode::Closes, Mode::ClosesAfterData] {
        server.set(mode);
        forget(&app, ANN).await;
        let started = Tick::now();
        assert_eq!(app.app.mail.deliver_due().await.unwrap(), 0, "{mode:?}");
        assert!(started.elapsed().as_secs() < 5, "{mode:?}: {:?}", started.elapsed());
        app.log_in("ann", crate::support::PASSWORD).await;
    }
    let port = server.port;
    let setup = server.setup();
    drop(server);
    // The server starts without it, too.
    let app = app.restart(setup.at("http://id.example")).await;
    app.register("bob").await;
    app.clock.advance_secs(120);
    assert_eq!(app.app.mail.deliver_due().await.unwrap(), 0);
    assert_eq!(health(&app, "root").await["status"], "degraded");
    let server = MailServer::at(port).await;
    app.clock.advance_secs(300);
    assert_eq!(app.app.mail.deliver_due().await.unwrap(), 4, "three links, and the one of who came last");
    assert_eq!(server.taken().len(), 4);
}

#[tokio::test]
async fn many_mails_do_not_wait_one_by_one_for_a_server_that_hangs() {
    let (server, app) = start().await;
    for n in 0..6 {
        app.register(&format!("user{n}")).await;
    }
    server.set(Mode::Hangs);
    let started = Tick::now();
    assert_eq!(app.app.mail.deliver_due().await.unwrap(), 0);
    assert_eq!(server.connections(), 1 + 3);
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_queued_mail_survives_a_restart() {
    let (server, app) = start().await;
    server.set(Mode::Says(451));
    forget(&app, ANN).await;
    app.app.mail.deliver_due().await.unwrap();
    let app = app.restart(server.setup()).await;
    server.set(Mode::Takes);
    app.clock.advance_secs(46);
    assert_eq!(app.app.mail.deliver_due().await.unwrap(), 1);
    let token = server.taken()[0].token("asp_");
    let body = json!({"token": token, "new_password": "staple 17 of the donkey"});
    assert_eq!(app.post("/auth/password/reset", &body).await.status(), 204);
}

#[tokio::test]
async fn the_worker_wakes_up_for_a_new_mail() {
    let server = MailServer::start().await;
    let app = server.setup().start().await;
    let worker = tokio::spawn(app.app.mail.clone().run());
    app.register("ann").await;
    let started = Tick::now();
    while server.taken().is_empty() {
        // Without being woken it looks every five seconds.
        assert!(started.elapsed().as_secs() < 4);
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    worker.abort();
}

#[tokio::test]
async fn a_server_without_tls_gets_nothing_where_tls_is_asked_for() {
    for security in ["tls", "starttls"] {
        let server = MailServer::start().await;
        let setup: Setup = server.setup().with("mail.smtp_security", security);
        let app = setup.start().await;
        app.register("ann").await;
        assert_eq!(app.app.mail.deliver_due().await.unwrap(), 0, "{security}");
        assert!(server.taken().is_empty() && server.connections() == 1);
        assert!(events(&app, "mail.given_up").await.is_empty(), "{security}");
    }
}
