//! Many accounts at once, in and out, with a server and without.
use std::fs;

use serde_json::{Value, json};

use crate::commands::both;
use crate::support::{Outcome, PASSWORD, Place, finish};

/// Of [`WORD`].
const HASH: &str = "$2b$04$eKBL1l4yeL28xZmcpc2fzeSFbU2Se0.JY6u63x4wyVc4oox21xEIm";
const WORD: &str = "correct horse";

fn row(name: &str) -> Value {
    json!({"username": name, "email": format!("{name}@example.com"), "password_hash": HASH})
}

fn lines(rows: &[Value]) -> String {
    rows.iter().map(|row| format!("{row}\n")).collect()
}

fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Some rows more than one part has, the last of them doubles of the first and of each other.
fn many() -> String {
    let mut rows: Vec<_> = (0..1201).map(|n| row(&format!("user{n}"))).collect();
    rows[1100]["username"] = json!("USER3");
    rows[1200]["email"] = json!("user1199@example.com");
    lines(&rows)
}

/// A command that has refused some rows: exit code 1, and nothing on standard error.
fn partly(outcome: Outcome) -> String {
    assert_eq!((outcome.code, outcome.err.as_str()), (1, ""), "{}", outcome.out);
    outcome.out
}

#[tokio::test]
async fn a_file_goes_in_and_refused_rows_are_said() {
    both(async |place, server| {
        let ending = "row 1101 (USER3): username is taken\nrow 1201 (user1200): email is taken\n";
        let file = place.file("users.jsonl", &many());
        let file = file.to_str().unwrap();
        if server.is_none() {
            let said = place.run(&["user", "import", file, "--dry-run"]).refusal(3);
            assert!(said.contains("there is no store"), "{said}");
            assert!(!place.data_dir.exists());
            place.create("root", &["--superuser"]);
        }
        let said = partly(place.run(&["user", "import", file, "--dry-run"]));
        let note = " (a dry run: nothing was written)";
        assert_eq!(said, format!("{ending}1201 rows: 1199 imported, 2 refused{note}\n"));
        place.run(&["user", "show", "user0"]).refusal(1);
        let report = place.inside("report.jsonl");
        let args = ["user", "import", file, "--report", report.to_str().unwrap()];
        assert_eq!(partly(place.run(&args)), format!("{ending}1201 rows: 1199 imported, 2 refused\n"));
        let told = objects(&fs::read_to_string(&report).unwrap());
        assert_eq!(told.len(), 1201);
        for (n, told) in told.iter().enumerate() {
            assert_eq!(told["row"], n + 1);
            let id = told["id"].as_u64();
            assert_eq!(id.is_some(), !matches!(n, 1100 | 1200), "{told}");
        }
        let first = place.json(&["--json", "user", "show", "user0"]);
        assert_eq!(told[0], json!({"result": "imported", "row": 1, "username": "user0", "id": first["id"]}));
        let refused = json!({"result": "refused", "row": 1101, "username": "USER3", "field": "username",
            "reason": "is taken"});
        assert_eq!(told[1100], refused);
        if let Some(server) = server {
            server.log_in("user777", WORD).await;
        }
        let again = partly(place.run(&["--json", "user", "import", file]));
        let totals: Value = serde_json::from_str(&again).unwrap();
        assert_eq!(totals, json!({"rows": 1201, "imported": 0, "refused": 1201, "dry_run": false}));
    })
    .await;
}

#[tokio::test]
async fn what_is_written_out_goes_into_an_empty_store() {
    let (from, to) = (Place::new(), Place::new());
    let server = from.start();
    from.create("root", &["--superuser", "--first-name", "Ro \"t\""]);
    from.create("ann", &[]);
    from.create("gone", &[]);
    from.run(&["role", "create", "clerk", "--permissions", "users:read"]).text();
    from.run(&["user", "set-roles", "ann", "clerk", "admin"]).text();
    from.run(&["user", "disable", "ann"]).text();
    let hashless = json!({"username": "bob", "email": "bob@example.com"});
    let rows = lines(&[row("carl"), hashless]);
    let args = ["user", "import", "-", "--format", "jsonl"];
    assert_eq!(from.run_with_input(&args, &rows).text(), "2 rows: 2 imported, 0 refused\n");
    delete_over_http(&server).await;
    let without = from.run(&["user", "export"]).text();
    assert!(!without.contains("hash") && !without.contains("gone"), "{without}");
    let live = from.run(&["user", "export", "--password-hashes"]).text();
    server.stop();
    assert_eq!(from.run(&["user", "export", "--password-hashes"]).text(), live);
    assert_eq!(objects(&live).len(), 4);

    let file = to.file("users.jsonl", &live);
    let file = file.to_str().unwrap();
    let said = partly(to.run(&["user", "import", file]));
    let missing = "row 2 (ann): roles has `clerk`, which is not there\n";
    assert_eq!(said, format!("{missing}4 rows: 3 imported, 1 refused\n"));
    to.run(&["role", "create", "clerk", "--permissions", "users:read"]).text();
    assert!(partly(to.run(&["user", "import", file])).ends_with("4 rows: 1 imported, 3 refused\n"));
    let mut rows = objects(&live);
    let mut there = objects(&to.run(&["user", "export", "--password-hashes"]).text());
    for rows in [&mut rows, &mut there] {
        rows.sort_by_key(|row| row["username"].to_string());
        for field in ["id", "created_at"] {
            rows.iter_mut().for_each(|row| row[field] = Value::Null);
        }
    }
    assert_eq!(there, rows);
    let server = to.start();
    for (name, password) in [("root", PASSWORD), ("carl", WORD)] {
        server.log_in(name, password).await;
    }
    let body = json!({"username": "ann", "password": PASSWORD});
    assert_eq!(server.post("/auth/token", &body).await.status(), 403, "right, and disabled");
}

/// Puts one account into the recycle bin.
async fn delete_over_http(server: &crate::support::Server) {
    let root = server.log_in("root", PASSWORD).await;
    let request = server.request(reqwest::Method::DELETE, "/users/3").bearer_auth(&root.access);
    assert_eq!(request.send().await.unwrap().status(), 204);
}

#[test]
fn the_first_accounts_may_come_from_a_file_in_any_format() {
    let place = Place::new();
    let csv = format!("username,email,password_hash,roles\r\nann,ann@example.com,{HASH},superuser\r\n");
    let args = ["user", "import", "-", "--format", "csv"];
    assert_eq!(place.run_with_input(&args, &csv).text(), "1 rows: 1 imported, 0 refused\n");
    assert_eq!(place.json(&["--json", "user", "show", "ann"])["is_superuser"], true);
    let file = place.file("Users.CSV", "email,username\nbob@example.com,bob\n");
    assert!(place.run(&["user", "import", file.to_str().unwrap()]).text().starts_with("1 rows: 1 imp"));
    let file = place.file("none.csv", "email,username\n");
    assert_eq!(
        place.run(&["user", "import", file.to_str().unwrap()]).text(),
        "0 rows: 0 imported, 0 refused\n"
    );
    assert!(place.run(&["check"]).text().ends_with("\n0 problems\n"));
}

#[test]
fn progress_goes_to_standard_error() {
    let place = Place::new();
    let command = place.command(&["user", "import", "-", "--format", "jsonl", "--progress"]);
    let done = finish(command, &lines(&[row("ann")]));
    assert_eq!((done.code, done.out.as_str()), (0, "1 rows: 1 imported, 0 refused\n"));
    assert!(
        done.err.contains("\r1 rows, 0 refused, ") && done.err.ends_with(" a second\n"),
        "{:?}",
        done.err
    );
}

#[test]
fn wrong_arguments_are_named() {
    let place = Place::new();
    place.create("ann", &[]);
    let file = place.file("users", &lines(&[row("bob")]));
    let file = file.to_str().unwrap();
    let bad = place.file("bad.csv", "name,email\n");
    let empty = place.file("empty.jsonl", "\n");
    for (args, why) in [
        (vec![file], "format does not follow from the file's name"),
        (vec!["-"], "format does not follow"),
        (vec!["nowhere.csv"], "file cannot be read"),
        (vec![bad.to_str().unwrap()], "file must name its columns in the first line; there is no `username`"),
        (vec![empty.to_str().unwrap()], "file is empty"),
        (vec![file, "--format", "jsonl", "--report", file], "report is the file that is imported"),
        (vec![file, "--format", "jsonl", "--report", "/nowhere/x"], "report cannot be written"),
        (vec![file, "--format", "xml"], "invalid value 'xml'"),
    ] {
        let args = [vec!["user", "import"], args].concat();
        let said = place.run(&args).refusal(2);
        assert!(said.contains(why), "{args:?}: {said}");
    }
    assert_eq!(place.run(&["user", "list"]).text().lines().count(), 1);
    assert!(fs::read_to_string(file).unwrap().contains("bob"));
}
