//! Accounts from elsewhere: many at once, with the password hashes that they had there.
use auth_service::rbac::Initiator;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{PASSWORD, Person, Setup, TestApp};

const JSONL: &str = "application/x-ndjson";
const CSV: &str = "text/csv; charset=utf-8";
const VECTORS: &str = include_str!("../../src/crypto/foreign/vectors.txt");
/// Of [`WORD`].
const HASH: &str = "$2b$04$eKBL1l4yeL28xZmcpc2fzeSFbU2Se0.JY6u63x4wyVc4oox21xEIm";
const WORD: &str = "correct horse";

fn file(who: &Person, query: &str, media_type: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
    let request = who.bearer(Method::POST, &format!("/users/import{query}"));
    request.header("Content-Type", media_type).body(body)
}

fn lines(rows: &[Value]) -> String {
    rows.iter().map(|row| format!("{row}\n")).collect()
}

fn row(name: &str) -> Value {
    json!({"username": name, "email": format!("{name}@example.com"), "password_hash": HASH})
}

async fn import(who: &Person<'_>, rows: &[Value]) -> Value {
    who.app.json(file(who, "", JSONL, lines(rows)), 200).await
}

async fn count(who: &Person<'_>) -> usize {
    let page = who.app.json(who.bearer(Method::GET, "/users?limit=200"), 200).await;
    page["items"].as_array().unwrap().len()
}

/// Row number, user name and field of each refused row.
fn refusals(report: &Value) -> Vec<(u64, &str, &str)> {
    let errors = report["errors"].as_array().unwrap().iter();
    errors
        .map(|error| {
            let part = |name: &str| error[name].as_str().unwrap_or("-");
            (error["row"].as_u64().unwrap(), part("username"), part("field"))
        })
        .collect()
}

fn stored_hash(app: &TestApp, name: &str) -> String {
    app.app.accounts.find(name).unwrap().password_hash
}

#[tokio::test]
async fn hashes_of_every_form_log_in_and_are_renewed_at_the_first_login() {
    // More than those of our own form among them cost.
    let app =
        Setup::default().with("password.memory_kib", "32").with("password.parallelism", "3").start().await;
    let root = app.superuser("root").await;
    let known = VECTORS.lines().filter(|line| line.contains("\tascii\t"));
    let hashes: Vec<_> = known.map(|line| line.rsplit('\t').next().unwrap()).collect();
    assert!(hashes.len() >= 30, "{}", hashes.len());
    let mut rows: Vec<_> = (0..hashes.len()).map(|n| row(&format!("user{n}"))).collect();
    rows.iter_mut().zip(&hashes).for_each(|(row, hash)| row["password_hash"] = json!(hash));
    let report = import(&root, &rows).await;
    assert_eq!((&report["imported"], &report["refused"]), (&json!(hashes.len()), &json!(0)), "{report}");
    for (n, hash) in hashes.iter().enumerate() {
        let name = format!("user{n}");
        assert_eq!(stored_hash(&app, &name), *hash);
        let wrong = json!({"username": name, "password": "wrong horse"});
        app.fails(app.request(Method::POST, "/auth/token").json(&wrong), 401, "INVALID_CREDENTIALS").await;
        assert_eq!(stored_hash(&app, &name), *hash);
        app.log_in(&name, WORD).await;
        let renewed = stored_hash(&app, &name);
        assert!(renewed.starts_with("$argon2id$v=19$m=32,t=1,p=3$") && renewed != *hash, "{hash}: {renewed}");
        app.log_in(&name, WORD).await;
        assert_eq!(stored_hash(&app, &name), renewed, "once");
    }
}

#[tokio::test]
async fn broken_doubled_and_unknown_rows_are_reported_and_keep_no_other_out() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let with = |name: &str, field: &str, value: Value| {
        let mut row = row(name);
        row[field] = value;
        row.to_string()
    };
    let rows = [
        row("ann").to_string(),
        "{\"username\": \"hush".to_owned(),
        with("bob", "email", json!("ANN@example.com")),
        String::new(),
        with("ANN", "email", json!("other@example.com")),
        with("root", "email", json!("other@example.com")),
        with("carl", "password_hash", json!("$1$salt$hush")),
        with("carl", "password_hash", json!("$2b$31$eKBL1l4yeL28xZmcpc2fzeSFbU2Se0.JY6u63x4wyVc4oox21xEIm")),
        with("carl", "email", json!("nowhere")),
        with("carl", "roles", json!(["nobody"])),
        with("carl", "roles", json!("admin")),
        with("carl", "is_active", json!("yes")),
        with("carl", "username", json!(7)),
        "[]".to_owned(),
        json!({"email": "x@example.com"}).to_string(),
        with("dora", "x", json!("x".repeat(70_000))),
        row("carl").to_string(),
    ];
    let report = app.json(file(&root, "", JSONL, rows.join("\r\n")), 200).await;
    assert_eq!((&report["rows"], &report["imported"]), (&json!(16), &json!(2)), "{report}");
    assert_eq!(
        refusals(&report),
        [
            (2, "-", "-"),
            (3, "bob", "email"),
            (5, "ANN", "username"),
            (6, "root", "username"),
            (7, "carl", "password_hash"),
            (8, "carl", "password_hash"),
            (9, "carl", "email"),
            (10, "carl", "roles"),
            (11, "carl", "roles"),
            (12, "carl", "is_active"),
            (13, "-", "username"),
            (14, "-", "-"),
            (15, "-", "username"),
            (16, "-", "-"),
        ]
    );
    assert!(!report.to_string().contains("hush"), "{report}");
    assert_eq!(report["errors"][4]["reason"], "is not a known form of password hash");
    assert_eq!(report["errors"][5]["reason"], "has too high a cost");
    // A row that was refused after its user name was looked at has left nothing behind.
    assert_eq!(app.app.accounts.find("carl").unwrap().id, 3);
    app.register("bob").await;
    app.log_in("carl", WORD).await;
    let check = app.app.admin().answer(auth_service::admin::Command::Check).await;
    assert!(serde_json::to_string(&check).unwrap().contains("\"problem_count\":0"));
}

#[tokio::test]
async fn a_dry_run_says_the_same_and_writes_nothing() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    // More rows than one change of the store takes, and doubles that are far apart.
    let mut rows: Vec<_> = (0..1100).map(|n| row(&format!("user{n}"))).collect();
    rows[1050]["username"] = json!("User7");
    rows[1060]["email"] = json!("user8@example.com");
    rows[1070]["roles"] = json!(["nobody"]);
    rows[1071]["username"] = json!("user1070");
    rows[1080]["username"] = json!("\u{443}\u{445}\u{43e}");
    rows[1090]["username"] = json!("yxo");
    let dry = app.json(file(&root, "?dry_run=true", JSONL, lines(&rows)), 200).await;
    assert_eq!((&dry["dry_run"], &dry["imported"]), (&json!(true), &json!(1096)));
    assert_eq!(count(&root).await, 1);
    let real = import(&root, &rows).await;
    assert_eq!(real["dry_run"], false);
    for field in ["rows", "imported", "refused", "errors"] {
        assert_eq!(dry[field], real[field], "{field}");
    }
    let expected = [
        (1051, "User7", "username"),
        (1061, "user1060", "email"),
        (1071, "user1070", "roles"),
        (1091, "yxo", "username"),
    ];
    assert_eq!(refusals(&real), expected);
    let again = import(&root, &rows[..3]).await;
    assert_eq!((&again["imported"], &again["refused"]), (&json!(0), &json!(3)));
}

#[tokio::test]
async fn csv_is_taken_as_spreadsheets_write_it() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let text = format!(
        "\u{feff}Email,username,first_name,Phone,is_active,roles,password_hash\r\n\
         ann@example.com,ann,\"Ann \"\"A.\"\", Lee\",1,TRUE,admin; user,{HASH}\r\n\
         \r\n\
         bob@example.com,bob,\"B\r\nob\",2,,,\r\n\
         carl@example.com,carl,,3,no,,\r\n\
         dora@example.com,dora\r\n\
         eve@example.com,eve,,,false,,{HASH}"
    );
    let report = app.json(file(&root, "", CSV, text), 200).await;
    assert_eq!(
        refusals(&report),
        [(4, "bob", "first_name"), (6, "carl", "is_active"), (7, "-", "-")],
        "{report}"
    );
    let ann = app.log_in("ann", WORD).await;
    assert_eq!(ann.profile().await["first_name"], "Ann \"A.\", Lee");
    assert_eq!(count(&ann).await, 3, "she is an administrator");
    let eve = json!({"username": "eve", "password": WORD});
    app.fails(app.request(Method::POST, "/auth/token").json(&eve), 403, "ACCOUNT_DISABLED").await;
}

#[tokio::test]
async fn what_is_no_file_of_accounts_is_refused_as_a_whole() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    for (media_type, body, why) in [
        (JSONL, &b""[..], "is empty"),
        (JSONL, b"\r\n \n", "is empty"),
        (CSV, b"", "is empty"),
        (CSV, b"\xef\xbb\xbf", "is empty"),
        (
            CSV,
            b"username;email\nann;ann@example.com\n",
            "must name its columns in the first line; there is no `username`",
        ),
        (CSV, b"username\nann\n", "must name its columns in the first line; there is no `email`"),
        (CSV, b"username,email,EMAIL\n", "has the column `email` twice"),
        (CSV, b"username,email\n\xff,x\n", "must be text in UTF-8"),
        (JSONL, b"{\"username\": \"\xff\"}", "must be text in UTF-8"),
    ] {
        assert_eq!(app.refuses(file(&root, "", media_type, body), "body").await, why);
    }
    let many = "{}\n".repeat(10_001);
    assert!(app.refuses(file(&root, "", JSONL, many), "body").await.contains("at most 10000 rows"));
    let large = "\n".repeat((1 << 20) + 1);
    app.fails(file(&root, "", JSONL, large), 413, "PAYLOAD_TOO_LARGE").await;
    for media_type in ["application/json", "text/plain", "application/csv", ""] {
        app.fails(file(&root, "", media_type, "{}"), 415, "UNSUPPORTED_MEDIA_TYPE").await;
    }
    app.refuses(file(&root, "?dry_run=perhaps", JSONL, "{}"), "dry_run").await;
    for media_type in ["application/jsonl", "Application/X-NDJSON; charset=utf-8"] {
        assert_eq!(app.json(file(&root, "", media_type, "{}"), 200).await["refused"], 1);
    }
    assert_eq!(count(&root).await, 1);
    let answer = root.bearer(Method::GET, "/users/import").send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["allow"]),
        (405, &"POST, OPTIONS".parse().unwrap())
    );
}

#[tokio::test]
async fn it_takes_a_right_of_its_own_and_gives_no_more_than_that_of_its_holder() {
    let app = TestApp::start().await;
    let (root, admin, ann) = (app.superuser("root").await, app.user("admin").await, app.user("ann").await);
    let give = |id: u64, roles: Value| {
        let request = root.bearer(Method::PUT, &format!("/users/{id}/roles"));
        request.json(&json!({"roles": roles}))
    };
    app.json(give(admin.id(), json!(["admin"])), 200).await;
    for who in [&ann, &admin] {
        let details = app.fails(file(who, "", JSONL, lines(&[row("x")])), 403, "FORBIDDEN").await;
        assert_eq!(details, json!({"permission": "users:import"}));
    }
    let role = json!({"name": "importer", "permissions": ["users:import", "users:read"]});
    app.json(root.bearer(Method::POST, "/roles").json(&role), 201).await;
    app.json(give(ann.id(), json!(["importer"])), 200).await;
    let mut rows: Vec<_> = ["a", "b", "c", "d"].map(row).into();
    rows[0]["roles"] = json!(["superuser"]);
    rows[1]["roles"] = json!(["admin"]);
    rows[2]["roles"] = json!(["importer", "user"]);
    for query in ["?dry_run=true", ""] {
        let report = app.json(file(&ann, query, JSONL, lines(&rows)), 200).await;
        assert_eq!(refusals(&report), [(1, "a", "roles"), (2, "b", "roles")]);
        let reason = report["errors"][0]["reason"].as_str().unwrap();
        assert_eq!(reason, "hold `*`, which whoever imports does not");
    }
    let report = import(&root, &rows[..1]).await;
    assert_eq!(report["imported"], 1);
    assert!(app.app.accounts.find("a").unwrap().is_superuser);
}

#[tokio::test]
async fn what_cannot_be_set_is_ignored() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let mut row = row("ann");
    for (field, value) in [
        ("id", json!(1)),
        ("is_superuser", json!(true)),
        ("created_at", json!("1999-01-01T00:00:00Z")),
        ("deleted_at", json!("1999-01-01T00:00:00Z")),
        ("password", json!(PASSWORD)),
    ] {
        row[field] = value;
    }
    assert_eq!(import(&root, &[row]).await["imported"], 1);
    let ann = app.log_in("ann", WORD).await;
    assert_eq!(ann.id(), 2);
    let view = app.json(root.bearer(Method::GET, "/users/2"), 200).await;
    assert_eq!((&view["is_superuser"], &view["roles"]), (&json!(false), &json!(["user"])));
    assert_eq!(view["created_at"], "2027-01-15T08:00:00Z");
}

#[tokio::test]
async fn an_account_without_a_password_has_none_that_fits() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let mut row = row("ann");
    row["password_hash"] = Value::Null;
    assert_eq!(import(&root, &[row]).await["imported"], 1);
    assert_eq!(stored_hash(&app, "ann"), "");
    for password in ["", PASSWORD, HASH] {
        let body = json!({"username": "ann", "password": password});
        app.fails(app.request(Method::POST, "/auth/token").json(&body), 401, "INVALID_CREDENTIALS").await;
    }
    // Nor when somebody is logged in as her all the same, or asks from within.
    let ann = app.app.accounts.find("ann").unwrap();
    let secret = |text: &str| auth_service::base::Secret::new(text);
    let refused = app.app.accounts.delete_own(Initiator::host(), &ann, secret("")).await.unwrap_err();
    assert_eq!(refused, auth_service::base::Error::invalid("password", "is wrong"));
    app.app.accounts.set_password(Initiator::host(), ann.id, secret(PASSWORD)).await.unwrap();
    app.log_in("ann", PASSWORD).await;
}
