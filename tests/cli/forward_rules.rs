//! Rules for reverse proxies from the command line, with a server and without.
use serde_json::{Value, json};

use crate::commands::both;

#[tokio::test]
async fn a_rule_is_made_shown_changed_moved_and_deleted() {
    both(async |place, _| {
        place.create("root", &["--superuser"]);
        let made = |arguments: &[&str]| place.json(&[&["--json", "forward-rule"], arguments].concat());
        let first = made(&[
            "create",
            "wiki.example.org",
            "--paths",
            "/a/**,/b",
            "--methods",
            "get",
            "--roles",
            "admin",
        ]);
        assert_eq!((&first["paths"], &first["methods"]), (&json!(["/a/**", "/b"]), &json!(["GET"])));
        assert_eq!((&first["roles"], &first["position"]), (&json!(["admin"]), &json!(1)));
        let second = made(&["create", "*.example.org", "--access", "nobody", "--position", "1"]);
        let list = made(&["list"]);
        let hosts: Vec<_> =
            list["items"].as_array().unwrap().iter().map(|rule| rule["host"].clone()).collect();
        assert_eq!(hosts, ["*.example.org", "wiki.example.org"]);
        let id = first["id"].as_str().unwrap();
        let changed = made(&["change", id, "--roles", "", "--second-factor", "true", "--position", "1"]);
        assert_eq!((&changed["roles"], &changed["second_factor"]), (&json!([]), &json!(true)));
        assert_eq!((&changed["paths"], &changed["position"]), (&first["paths"], &json!(1)));
        assert_eq!(made(&["show", id]), changed);
        place.run(&["forward-rule", "delete", id]).text();
        place.run(&["forward-rule", "show", id]).refusal(1);
        assert_eq!(made(&["show", second["id"].as_str().unwrap()])["position"], Value::from(1));
        for bad in [["create", "*"], ["show", "x"], ["delete", "x"]] {
            place.run(&[&["forward-rule"], &bad[..]].concat()).refusal(1);
        }
    })
    .await;
}
