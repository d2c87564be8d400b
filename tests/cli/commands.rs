//! Every command, with a server running (through its socket) and with none (on the store itself).
use serde_json::{Value, json};

use crate::support::{PASSWORD, Place, Server};

const OTHER_PASSWORD: &str = "another staple 82 battery";

/// Runs `walk` on a place with a server, and on one without.
pub async fn both(walk: impl AsyncFn(&Place, Option<&Server>)) {
    let place = Place::new();
    let server = place.start();
    walk(&place, Some(&server)).await;
    server.stop();
    assert!(place.run(&["check"]).text().ends_with("\n0 problems\n"));
    let place = Place::new();
    walk(&place, None).await;
    assert!(place.run(&["check"]).text().ends_with("\n0 problems\n"));
}

#[tokio::test]
async fn accounts_are_made_shown_and_listed() {
    both(async |place, _| {
        let ann = place.create("ann", &["--superuser", "--first-name", "Ann", "--last-name", "Smith"]);
        assert_eq!(ann["id"], 1);
        assert_eq!((&ann["is_superuser"], &ann["is_active"]), (&json!(true), &json!(true)));
        assert_eq!(place.create("bob", &[])["is_superuser"], false);
        for name in ["ann", "ANN@example.com", "1"] {
            assert_eq!(place.json(&["--json", "user", "show", name]), ann, "{name}");
        }
        let shown = place.run(&["user", "show", "ann"]).text();
        assert!(
            shown.contains("\nfirst name        Ann\n") && shown.contains("active, superuser"),
            "{shown}"
        );
        let listed = place.run(&["user", "list"]).text();
        assert_eq!(listed.lines().count(), 2, "{listed}");
        let first = place.json(&["--json", "user", "list", "--limit", "1"]);
        assert_eq!(first["items"], json!([ann]));
        let cursor = first["next_cursor"].as_str().unwrap();
        let second = place.json(&["--json", "user", "list", "--limit", "1", "--cursor", cursor]);
        assert_eq!(second["items"][0]["username"], "bob");
        assert_eq!(second["next_cursor"], Value::Null);
    })
    .await;
}

#[test]
fn a_number_that_is_an_id_and_a_name_is_not_guessed_at() {
    let place = Place::new();
    let create = |name: &str| {
        let email = format!("{name}@example.com");
        let args = ["user", "create", "--username", name, "--email", &email, "--password-stdin"];
        place.run_with_input(&args, PASSWORD).text();
    };
    create("2");
    create("bob");
    create("003");
    let said = place.run(&["user", "disable", "2"]).refusal(1);
    assert!(said.contains("user is the id of one account and the name of another"), "{said}");
    for (who, username) in [("2@example.com", "2"), ("1", "2"), ("3", "003"), ("003", "003")] {
        assert_eq!(place.json(&["--json", "user", "show", who])["username"], username, "{who}");
    }
}

#[tokio::test]
async fn accounts_are_switched_off_and_on_and_deleted() {
    both(async |place, _| {
        place.create("ann", &[]);
        assert_eq!(place.json(&["--json", "user", "disable", "ann"])["is_active"], false);
        assert!(place.run(&["user", "show", "ann"]).text().contains("disabled"));
        assert_eq!(place.json(&["--json", "user", "enable", "ann"])["is_active"], true);
        assert_eq!(place.json(&["--json", "user", "delete", "ann"])["username"], "ann");
        assert_eq!(place.run(&["user", "list"]).text(), "");
        assert!(place.run(&["user", "list", "--deleted"]).text().contains("ann@example.com"));
        place.run(&["user", "delete", "ann"]).refusal(1);
        assert_eq!(place.json(&["--json", "user", "restore", "ann"])["username"], "ann");
        assert_eq!(place.json(&["--json", "user", "delete", "ann", "--for-good"])["username"], "ann");
        let said = place.run(&["user", "show", "ann"]).refusal(1);
        assert_eq!(said, "auth-service: There is no such user\n");
        assert_eq!(place.create("ann", &[])["id"], 2, "an id is never given twice");
    })
    .await;
}

#[tokio::test]
async fn whoever_is_switched_off_is_out_at_once() {
    let place = Place::new();
    let server = place.start();
    let user = server.user("ann").await;
    assert_eq!(server.me(&user).await, 200);
    place.run(&["user", "disable", "ann"]).text();
    assert_eq!(server.me(&user).await, 401);
    assert_eq!(server.refresh(&user).await.status(), 401);
    let body = json!({"username": "ann", "password": PASSWORD});
    assert_eq!(server.post("/auth/token", &body).await.status(), 403);
    place.run(&["user", "enable", "ann"]).text();
    assert_eq!(server.me(&user).await, 401, "its session has ended");
    let user = server.log_in("ann", PASSWORD).await;
    assert_eq!(server.me(&user).await, 200);
    place.run(&["user", "delete", "ann"]).text();
    assert_eq!(server.me(&user).await, 401);
}

#[tokio::test]
async fn a_password_set_from_the_host_ends_all_sessions() {
    both(async |place, running| {
        let server = Running::of(place, running);
        let user = server.user("ann").await;
        server.rest();
        let args = ["--json", "user", "set-password", "ann", "--password-stdin"];
        let done = place.run_with_input(&args, &format!("{OTHER_PASSWORD}\n")).json();
        assert_eq!(done, json!({"done": true}));
        let server = Running::of(place, running);
        assert_eq!(server.me(&user).await, 401);
        let old = json!({"username": "ann", "password": PASSWORD});
        assert_eq!(server.post("/auth/token", &old).await.status(), 401);
        server.log_in("ann", OTHER_PASSWORD).await;
        server.rest();
    })
    .await;
}

#[tokio::test]
async fn sessions_are_listed_and_ended() {
    both(async |place, running| {
        let server = Running::of(place, running);
        let one = server.user("ann").await;
        let two = server.log_in("ann", PASSWORD).await;
        let three = server.log_in("ann", PASSWORD).await;
        server.rest();
        let listed = place.json(&["--json", "session", "list", "ann"]);
        let ids: Vec<_> = listed["items"].as_array().unwrap().iter().map(|session| &session["id"]).collect();
        assert_eq!(ids.len(), 3, "{listed}");
        assert_eq!(listed["items"][0]["address"], "127.0.0.1");
        assert_eq!(place.run(&["session", "list", "ann"]).text().lines().count(), 3);
        let id = ids[0].as_str().unwrap();
        assert_eq!(place.run(&["session", "revoke", "ann", id]).text(), "1 session ended\n");
        assert!(place.run(&["session", "revoke", "ann", id]).refusal(1).contains("no such session"));
        let server = Running::of(place, running);
        assert_eq!((server.me(&one).await, server.me(&two).await), (401, 200));
        server.rest();
        assert_eq!(place.json(&["--json", "session", "revoke", "ann"]), json!({"ended": 2}));
        let server = Running::of(place, running);
        assert_eq!((server.me(&two).await, server.me(&three).await), (401, 401));
        server.rest();
    })
    .await;
}

#[tokio::test]
async fn keys_are_rotated_and_old_tokens_go_on() {
    both(async |place, running| {
        let server = Running::of(place, running);
        let user = server.user("ann").await;
        server.rest();
        let stages = |keys: &Value| -> Vec<(String, String)> {
            let text = |key: &Value, name: &str| key[name].as_str().unwrap().to_owned();
            let all = keys["items"].as_array().unwrap().iter();
            let mut all: Vec<_> = all.map(|key| (text(key, "stage"), text(key, "kid"))).collect();
            all.sort();
            all
        };
        let before = stages(&place.json(&["--json", "keys", "list"]));
        let after = stages(&place.json(&["--json", "keys", "rotate"]));
        assert_eq!(
            after.iter().map(|(stage, _)| stage.as_str()).collect::<Vec<_>>(),
            ["current", "next", "previous"]
        );
        assert_eq!((&after[2].1, &after[0].1), (&before[0].1, &before[1].1), "each moved one stage on");
        assert_eq!(place.run(&["keys", "list"]).text().lines().count(), 3);
        let server = Running::of(place, running);
        assert_eq!(server.me(&user).await, 200, "signed with the key before");
        assert_eq!(server.keys().await.len(), 3);
        let fresh = server.log_in("ann", PASSWORD).await;
        assert_eq!(server.me(&fresh).await, 200);
        server.rest();
    })
    .await;
}

#[tokio::test]
async fn check_and_health_say_how_it_is() {
    both(async |place, _| {
        place.create("ann", &[]);
        let found = place.json(&["--json", "check"]);
        assert_eq!((&found["problem_count"], &found["problems"]), (&json!(0), &json!([])));
        assert_eq!((&found["tables"]["user"], &found["tables"]["signing_key"]), (&json!(1), &json!(2)));
        let health = place.json(&["--json", "health"]);
        assert_eq!(
            (&health["healthy"], &health["database"], &health["cache"]),
            (&json!(true), &json!(true), &json!(true))
        );
        assert!(
            place.run(&["health"]).text().starts_with("healthy; database connected; cache connected; up ")
        );
    })
    .await;
}

/// The server of a walk: the one that runs throughout, or one that runs only while it is asked.
enum Running<'a> {
    Throughout(&'a Server),
    ForAWhile(Server),
}

impl<'a> Running<'a> {
    fn of(place: &Place, server: Option<&'a Server>) -> Self {
        server.map_or_else(|| Self::ForAWhile(place.start()), Self::Throughout)
    }

    fn rest(self) {
        if let Self::ForAWhile(server) = self {
            server.stop();
        }
    }
}

impl std::ops::Deref for Running<'_> {
    type Target = Server;

    fn deref(&self) -> &Server {
        match self {
            Self::Throughout(server) => server,
            Self::ForAWhile(server) => server,
        }
    }
}
