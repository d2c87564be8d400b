//! What `check` and `health` say when something is wrong: exit code 4.
use std::process::Command;
use std::time::Duration;

use auth_service::store::{Map, Options, Store};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{PASSWORD, Place, Server};

/// Leaves a row behind that no version of the program has written.
fn spoil(place: &Place) {
    const USERS: Map<u64> = Map::new("user");
    let store =
        Store::open(&place.data_dir, Options::in_directory(&place.data_dir, auth_service::app::SCHEMA))
            .unwrap();
    store.write_blocking(|tx| USERS.put(tx, &99_u64.to_be_bytes(), &7)).unwrap();
    store.close();
}

#[test]
fn check_finds_a_damaged_row_with_a_server_and_without() {
    let place = Place::new();
    place.create("ann", &[]);
    spoil(&place);
    let look = || {
        let outcome = place.run(&["--json", "check"]);
        assert_eq!(outcome.code, 4, "{}", outcome.err);
        let found: Value = serde_json::from_str(&outcome.out).unwrap();
        assert_eq!((&found["problem_count"], &found["tables"]["user"]), (&json!(1), &json!(2)));
        let outcome = place.run(&["check"]);
        assert_eq!(outcome.code, 4);
        assert!(
            outcome.out.contains("\nwrong: user ") && outcome.out.ends_with("\n1 problems\n"),
            "{}",
            outcome.out
        );
    };
    look();
    let server = place.start();
    look();
    server.stop();
}

#[test]
fn a_server_that_hangs_is_told_from_one_that_is_well() {
    let place = Place::new();
    let server = place.start();
    server.signal(Signal::STOP);
    let said = place.run(&["health"]).refusal(3);
    assert!(said.contains("did not answer"), "{said}");
    server.signal(Signal::CONT);
    place.run(&["health"]).text();
}

/// A server that lives on when the system refuses to let its file grow: without the trap it would be ended.
fn on_a_disk_that_may_fill_up(place: &Place) -> Server {
    let server = place.command(&["--listen", "127.0.0.1:0"]);
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(server.get_program()).args(server.get_args());
    for (name, value) in server.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell.current_dir(server.get_current_dir().unwrap());
    Server::start(shell)
}

#[tokio::test]
async fn health_tells_of_a_disk_that_takes_nothing_and_of_its_recovery() {
    let place = Place::new();
    place.create("ann", &[]);
    let server = on_a_disk_that_may_fill_up(&place);
    let user = server.log_in("ann", PASSWORD).await;
    let bob = json!({"username": "bob", "email": "bob@example.com", "password": PASSWORD});
    server.limit_files(Some(0));
    assert_eq!(server.post("/auth/register", &bob).await.status(), 503);
    let health = place.run(&["--json", "health"]);
    assert_eq!(health.code, 4, "{}", health.err);
    let health: Value = serde_json::from_str(&health.out).unwrap();
    assert_eq!((&health["healthy"], &health["database"]), (&json!(false), &json!(false)));
    let text = place.run(&["health"]);
    assert_eq!((text.code, text.out.starts_with("unhealthy; database failed; ")), (4, true), "{}", text.out);
    assert_eq!(server.get("/health").await.status(), 503);
    assert_eq!(server.me(&user).await, 200, "what is there can still be read");
    let said = place.run(&["user", "disable", "ann"]).refusal(3);
    assert!(said.contains("Service temporarily unavailable"), "{said}");
    server.limit_files(None);
    while place.run(&["health"]).code != 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(server.post("/auth/register", &bob).await.status(), 201);
}
