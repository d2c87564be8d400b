//! From nothing to a server, and what keeps one from starting.
use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use rustix::process::Signal;

use crate::support::{PASSWORD, Place, Server, finish, mode};

#[tokio::test]
async fn without_any_configuration_it_makes_what_it_needs_and_keeps_it_to_itself() {
    let place = Place::bare();
    let server = Server::start(place.bare_command(&["--listen", "127.0.0.1:0"]));
    assert!(server.greeting.starts_with("auth-service 2.1.0 listens on 127.0.0.1:"), "{}", server.greeting);
    assert!(server.greeting.ends_with("/docs\n"), "{}", server.greeting);
    assert_eq!(mode(&place.data_dir), 0o700);
    for file in ["auth.redb", "master.key", "admin.sock"] {
        assert_eq!(place.mode(file), 0o600, "{file}");
    }
    server.user("ann").await;
    let written = server.stop();
    assert!(written.contains("\n  auth-service user create --username admin"), "{written}");
}

#[test]
fn the_way_to_the_first_account_is_shown_until_there_is_one() {
    let place = Place::new();
    let written = place.start().stop();
    let command = format!("auth-service --data-dir {} user create", place.data_dir.display());
    assert!(written.contains(&command), "{written}");
    place.create("ann", &["--superuser"]);
    let written = place.start().stop();
    assert!(!written.contains("user create"), "{written}");
}

#[test]
fn a_directory_that_is_open_to_others_is_closed() {
    let place = Place::new();
    fs::create_dir(&place.data_dir).unwrap();
    fs::set_permissions(&place.data_dir, Permissions::from_mode(0o755)).unwrap();
    place.start().stop();
    assert_eq!(mode(&place.data_dir), 0o700);
}

#[tokio::test]
async fn a_second_server_on_the_same_directory_is_refused() {
    let place = Place::new();
    let first = place.start();
    let said = place.run(&["serve", "--listen", "127.0.0.1:0"]).refusal(3);
    let path = place.inside("auth.redb");
    assert!(
        said.contains(path.to_str().unwrap()) && said.contains("in use by another auth-service"),
        "{said}"
    );
    let user = first.user("ann").await;
    assert_eq!(first.me(&user).await, 200, "the first one goes on");
    assert_eq!(place.json(&["--json", "user", "show", "ann"])["id"], 1, "and so does its socket");
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = Place::new().run(&["--listen", &address]).refusal(3);
    assert!(said.contains(&format!("cannot listen on {address}")), "{said}");
}

#[test]
fn a_store_without_its_master_key_does_not_start() {
    let place = Place::new();
    place.create("ann", &[]);
    let key = place.inside("master.key");
    let text = fs::read_to_string(&key).unwrap();
    fs::remove_file(&key).unwrap();
    for command in [["keys", "list"].as_slice(), &["serve", "--listen", "127.0.0.1:0"]] {
        let said = place.run(command).refusal(3);
        assert!(said.contains(key.to_str().unwrap()) && said.contains("the master key is missing"), "{said}");
    }
    assert!(!key.exists(), "no other one takes its place");
    fs::write(&key, "not a key\n").unwrap();
    let said = place.run(&["keys", "list"]).refusal(3);
    assert!(said.contains("is not a master key"), "{said}");
    fs::write(&key, format!("{}=\n", "A".repeat(43))).unwrap();
    let said = place.run(&["keys", "list"]).refusal(3);
    assert!(said.contains("not the one that the store's keys were encrypted under"), "{said}");
    fs::write(&key, text).unwrap();
    assert_eq!(place.json(&["--json", "keys", "list"])["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn the_master_key_may_lie_elsewhere() {
    let place = Place::new();
    let elsewhere = place.file("elsewhere", "").with_file_name("elsewhere.key");
    let place = place.with("keys.master_key_file", elsewhere.to_str().unwrap());
    let server = place.start();
    let user = server.user("ann").await;
    server.stop();
    assert_eq!(mode(&elsewhere), 0o600);
    assert!(!place.inside("master.key").exists());
    assert_eq!(place.start().me(&user).await, 200);
}

#[tokio::test]
async fn a_directory_with_a_very_long_path_serves_its_socket_too() {
    let place = Place::new().in_directory(&"long/".repeat(40));
    assert!(place.data_dir.as_os_str().len() > 200);
    let server = place.start();
    place.create("ann", &[]);
    let user = server.log_in("ann", PASSWORD).await;
    place.run(&["user", "disable", "ann"]).text();
    assert_eq!(server.me(&user).await, 401, "the server did it, not the command beside it");
    server.stop();
    place.run(&["user", "enable", "ann"]).text();
}

#[tokio::test]
async fn what_a_crash_leaves_behind_is_in_nobodys_way() {
    let place = Place::new();
    let server = place.start();
    let user = server.user("ann").await;
    server.crash();
    assert!(place.inside("admin.sock").exists());
    assert!(place.run(&["check"]).text().ends_with("\n0 problems\n"));
    let server = place.start();
    assert_eq!(server.me(&user).await, 200);
    assert!(place.run(&["health"]).text().starts_with("healthy"));
}

/// A supervisor may change its mind at once.
#[test]
fn a_server_that_is_stopped_as_soon_as_it_listens_ends_in_good_order() {
    let place = Place::new();
    for _ in 0..5 {
        let server = place.start();
        server.signal(Signal::TERM);
        let (code, written) = server.wait();
        assert_eq!(code, 0, "{written}");
    }
}

#[test]
fn help_and_version_are_no_errors() {
    let place = Place::bare();
    assert!(finish(place.bare_command(&["--help"]), "").text().contains("Exit codes: 0 done, 1 refused"));
    assert_eq!(finish(place.bare_command(&["--version"]), "").text(), "auth-service 2.1.0\n");
    assert!(!place.data_dir.exists());
}
