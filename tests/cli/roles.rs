//! Roles and permissions from the command line, with a server and without.
use serde_json::json;

use crate::commands::both;

#[tokio::test]
async fn roles_are_made_given_changed_and_deleted() {
    both(async |place, _| {
        place.create("ann", &["--superuser"]);
        place.create("bob", &[]);
        let read = "billing:invoices:read";
        place.run(&["permission", "define", read, "--description", "Read any invoice"]).text();
        let listed = place.run(&["permission", "list"]).text();
        assert!(listed.contains("billing:invoices:read           Read any invoice\n"), "{listed}");
        let permissions = format!("users:read, {read}");
        let create = ["--json", "role", "create", "clerk", "--permissions", &permissions];
        let made = place.json(&create);
        assert_eq!(made["permissions"], json!([read, "users:read"]));
        place.json(&["--json", "role", "create", "chief", "--includes", "clerk,admin"]);
        assert!(place.run(&["role", "list"]).text().contains("\nchief                +admin +clerk\n"));
        let bob = place.json(&["--json", "user", "set-roles", "bob", "chief", "clerk"]);
        assert_eq!(bob["roles"], json!(["chief", "clerk", "user"]));
        assert!(
            place.run(&["user", "show", "bob"]).text().contains("roles             chief, clerk, user\n")
        );
        let said = place.run(&["role", "delete", "chief"]).refusal(1);
        assert!(said.contains("name is held by users or service accounts"), "{said}");
        let said = place.run(&["user", "set-roles", "ann"]).refusal(1);
        assert!(said.contains("roles is the last superuser"), "{said}");
        let changed = place.json(&["--json", "role", "change", "clerk", "--permissions", ""]);
        assert_eq!((&changed["permissions"], &changed["description"]), (&json!([]), &json!("")));
        place.run(&["permission", "delete", read]).text();
        place.run(&["user", "set-roles", "bob"]).text();
        for role in ["chief", "clerk"] {
            assert_eq!(place.run(&["role", "delete", role]).text(), "done\n");
        }
        place.run(&["role", "show", "clerk"]).refusal(1);
    })
    .await;
}
