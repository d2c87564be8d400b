//! What `check` and `health` say when something is wrong: exit code 4.
use std::process::Command;

use auth_service::store::{Map, Options, Store};
use serde_json::{Value, json};

use crate::support::{PASSWORD, Place, Server};

/// Leaves a row behind that no version of the program has written.
fn spoil(place: &Place) {
    const USERS: Map<u64> = Map::new("user");
    let store = Store::open(&place.data_dir, Options::in_directory(&place.data_dir)).unwrap();
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

/// A server whose files may not grow past `blocks` of 512 bytes: what a full disk is.
fn on_a_small_disk(place: &Place, blocks: u64) -> Server {
    let server = place.command(&["--listen", "127.0.0.1:0"]);
    let mut shell = Command::new("sh");
    // Without the trap the system would end the process instead of failing the write.
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    shell.args(["-c", &script]).arg(server.get_program()).args(server.get_args());
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
async fn health_tells_of_a_disk_that_takes_nothing_more() {
    let place = Place::new();
    place.create("ann", &[]);
    let blocks = std::fs::metadata(place.inside("auth.redb")).unwrap().len() / 512;
    let server = on_a_small_disk(&place, blocks);
    let user = server.log_in("ann", PASSWORD).await;
    fill(&server).await;
    let health = place.run(&["--json", "health"]);
    assert_eq!(health.code, 4, "{}", health.err);
    let health: Value = serde_json::from_str(&health.out).unwrap();
    assert_eq!((&health["healthy"], &health["database"]), (&json!(false), &json!(false)));
    let text = place.run(&["health"]);
    assert_eq!((text.code, text.out.starts_with("unhealthy; database failed; ")), (4, true), "{}", text.out);
    assert_eq!(server.get("/health").await.status(), 503);
    assert_eq!(server.me(&user).await, 200, "what is there can still be read");
}

/// Registers users until there is no room for one more.
async fn fill(server: &Server) {
    for round in 0..200 {
        let register = async |n| {
            let name = format!("u{round}-{n}");
            let body =
                json!({"username": name, "email": format!("{name}@example.com"), "password": PASSWORD});
            server.post("/auth/register", &body).await.status().as_u16()
        };
        // Not more at a time than hashes may wait: that is a 503 as well.
        let answers = futures_util::future::join_all((0..32).map(register)).await;
        assert!(answers.iter().all(|status| matches!(status, 201 | 503)), "{answers:?}");
        if answers.contains(&503) {
            return;
        }
    }
    panic!("the disk is not small enough");
}
