//! What the command line refuses, how it says so, and with which exit code.
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{PASSWORD, Place, finish};

const CREATE: [&str; 6] = ["user", "create", "--username", "ann", "--email", "ann@example.com"];

/// Runs `walk` on a place with a server, and on one without; both have a user.
fn both(walk: impl Fn(&Place)) {
    let place = Place::new();
    let server = place.start();
    place.create("bob", &[]);
    walk(&place);
    server.stop();
    walk(&place);
}

#[test]
fn what_the_server_refuses_ends_with_one_and_says_why() {
    both(|place| {
        let create = [&CREATE[..], &["--password-stdin"]].concat();
        for (input, why) in [
            ("short\n", "auth-service: password must have 8 to 256 characters\n"),
            ("password1\n", "auth-service: password is one of the most common passwords\n"),
            ("this is Ann, of course\n", "auth-service: password must not hold the user name\n"),
        ] {
            assert_eq!(place.run_with_input(&create, input).refusal(1), why);
        }
        let taken = ["user", "create", "--username", "BOB", "--email", "b@example.com", "--password-stdin"];
        assert_eq!(place.run_with_input(&taken, PASSWORD).refusal(1), "auth-service: username is taken\n");
        for command in [
            ["user", "show", "nobody"],
            ["user", "disable", "nobody@example.com"],
            ["user", "enable", "99"],
            ["user", "delete", "nobody"],
            ["session", "list", "nobody"],
            ["session", "revoke", "nobody"],
        ] {
            let said = place.run(&command).refusal(1);
            assert_eq!(said, "auth-service: There is no such user\n", "{command:?}");
        }
        let said = place.run(&["session", "revoke", "bob", "not-an-id"]).refusal(1);
        assert_eq!(said, "auth-service: id is not an id\n");
        assert!(place.run(&["user", "list", "--limit", "0"]).refusal(1).contains("limit"));
        assert!(place.run(&["user", "list", "--cursor", "?"]).refusal(1).contains("cursor"));
    });
}

#[test]
fn with_json_refusals_are_json_too() {
    both(|place| {
        let read = |text: String| serde_json::from_str::<Value>(&text).unwrap()["error"].clone();
        let said = read(place.run(&["--json", "user", "show", "nobody"]).refusal(1));
        assert_eq!(said, json!({"code": "NOT_FOUND", "field": null, "message": "There is no such user"}));
        let create = [&["--json"], &CREATE[..], &["--password-stdin"]].concat();
        let said = read(place.run_with_input(&create, "short\n").refusal(1));
        assert_eq!((&said["code"], &said["field"]), (&json!("VALIDATION_ERROR"), &json!("password")));
    });
    let said = Place::new().with("listen", "nowhere").run(&["--json", "check"]).refusal(2);
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["error"]["field"], "listen");
    let place = Place::new();
    let _first = place.start();
    let said = place.run(&["--json", "serve", "--listen", "127.0.0.1:0"]).refusal(3);
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["error"]["code"], "SERVICE_UNAVAILABLE");
}

#[test]
fn a_password_is_never_taken_from_an_argument() {
    let place = Place::new();
    place.create("bob", &[]);
    for wrong in [
        [&CREATE[..], &["--password", PASSWORD]].concat(),
        [&CREATE[..], &["--password-stdin", PASSWORD]].concat(),
        [&CREATE[..], &[&format!("--password-stdin={PASSWORD}")]].concat(),
        vec!["user", "set-password", "bob", PASSWORD],
        vec!["user", "set-password", "bob", "--password", PASSWORD],
    ] {
        place.run(&wrong).refusal(2);
    }
    let said = place.run(&CREATE).refusal(2);
    assert!(said.contains("--password-stdin"), "without a terminal nobody can be asked: {said}");
    let said = place.run(&["user", "set-password", "bob"]).refusal(2);
    assert!(said.contains("--password-stdin"), "{said}");
    place.run(&["user", "show", "ann"]).refusal(1);
}

#[test]
fn a_password_on_standard_input_is_its_first_line_and_has_to_be_there() {
    let place = Place::new();
    let create = [&CREATE[..], &["--password-stdin"]].concat();
    let said = place.run_with_input(&create, "").refusal(2);
    assert_eq!(said, "auth-service: password is missing on standard input\n");
    let mut command = place.command(&create);
    command.stdin(Stdio::null());
    let not_text = "printf '\\377\\376 not text\\n' | \"$0\" \"$@\"";
    let mut shell = std::process::Command::new("sh");
    // No setting of ours, and there when the golden files are rewritten.
    shell.env_remove("AUTH_BLESS");
    shell.args(["-c", not_text]).arg(command.get_program()).args(command.get_args());
    let said = finish(shell, "").refusal(2);
    assert!(said.contains("password") && said.contains("UTF-8"), "{said}");
    let made = place.run_with_input(&create, &format!("{PASSWORD}\r\nand more\n")).text();
    assert!(made.starts_with("id                1\n"), "{made}");
}

#[test]
fn wrong_arguments_end_with_two() {
    let place = Place::new();
    for wrong in [
        ["nonsense"].as_slice(),
        &["user"],
        &["user", "show"],
        &["user", "list", "--limit", "many"],
        &["--no-such-flag"],
        &["check", "twice"],
    ] {
        let said = place.run(wrong).refusal(2);
        assert!(said.contains("Usage:") || said.contains("error:"), "{wrong:?}: {said}");
    }
    assert!(!place.data_dir.exists());
}

/// Whoever mistypes the directory would otherwise be told that a store without any users is well.
#[test]
fn a_directory_without_a_store_is_not_made_by_asking_about_it() {
    let place = Place::new();
    for command in [
        ["user", "list"].as_slice(),
        &["user", "show", "ann"],
        &["session", "list", "ann"],
        &["keys", "list"],
        &["check"],
        &["health"],
    ] {
        let said = place.run(command).refusal(3);
        assert!(said.contains(place.data_dir.to_str().unwrap()) && said.contains("no store"), "{said}");
    }
    assert!(!place.data_dir.exists());
    assert_eq!(place.create("ann", &[])["id"], 1, "the first account may come before the first start");
}

#[test]
fn a_directory_that_cannot_be_used_is_named() {
    let place = Place::new();
    let file = place.file("file", "");
    let place = place.in_directory("file");
    for command in [["serve", "--listen", "127.0.0.1:0"].as_slice(), &["user", "list"]] {
        let said = place.run(command).refusal(3);
        assert!(said.contains(file.to_str().unwrap()), "{said}");
    }
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    std::fs::write(file.join("auth.redb"), "no database of ours, but long enough to be looked at").unwrap();
    let said = place.run(&["user", "list"]).refusal(3);
    assert!(said.contains("cannot open the store"), "{said}");
}
