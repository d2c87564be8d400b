//! What it costs to find out what somebody may do: by an API key, and by roles.

use std::io;

use serde_json::json;

use crate::accounts::{self, Credential, Session};
use crate::admin::{Admin, key_of};
use crate::bench::Bench;
use crate::process::Server;
use crate::report::Report;
use crate::rows::http::beside_bare;
use crate::wire::Connection;

const ROLES: u64 = 5;
/// Named by each role, beside one pattern.
const NAMED: u64 = 9;

/// Operations with API keys and permissions beside a bare hyper server.
pub async fn overhead(bench: &Bench, report: &mut Report) -> io::Result<()> {
    let server = bench.start("rights", &[])?;
    let mut admin = Admin::create(bench, "rights", &server).await?;
    let person = Person::create(&mut admin, &server).await?;
    if bench.options.wants("me-key") {
        let request = accounts::get("/auth/me", Credential::Key(&person.key));
        beside_bare(bench, report, &server, ("me-key", request)).await?;
    }
    if bench.options.wants("verify") {
        let body = json!({ "key": person.key, "permissions": [permission(1, 1)] });
        let request = accounts::send("POST", "/auth/api-keys/verify", Credential::Key(&admin.key), &body);
        beside_bare(bench, report, &server, ("verify", request)).await?;
    }
    if bench.options.wants("check") {
        let body = json!({ "permissions": questions() });
        let session = Credential::Bearer(&person.session.access);
        let request = accounts::send("POST", "/auth/check", session, &body);
        beside_bare(bench, report, &server, ("check", request)).await?;
    }
    server.stop()
}

/// Somebody with several roles, and an API key for some of what they come to.
struct Person {
    session: Session,
    key: String,
}

impl Person {
    async fn create(admin: &mut Admin, server: &Server) -> io::Result<Self> {
        let session = Session::create(server.address, 0).await?;
        let mut connection = Connection::open(server.address).await?;
        let me = accounts::get("/auth/me", Credential::Bearer(&session.access));
        let id = accounts::read(&connection.exchange(&me).await?, 200)?["id"].to_string();
        for role in 0..ROLES {
            give_role(admin, role).await?;
        }
        let roles: Vec<_> = (0..ROLES).map(role_name).collect();
        admin.ask("PUT", &format!("/users/{id}/roles"), &json!({ "roles": roles }), 200).await?;
        let mut permissions: Vec<_> = (0..NAMED).map(|number| permission(number % ROLES, number)).collect();
        permissions.push("account:read".to_owned());
        let body = json!({ "name": "deploy", "permissions": permissions });
        let key = key_of(&mut connection, &session, &body).await?;
        Ok(Self { session, key })
    }
}

/// Makes a role, and defines what it names.
async fn give_role(admin: &mut Admin, role: u64) -> io::Result<()> {
    let mut permissions = Vec::new();
    for number in 0..NAMED {
        let name = permission(role, number);
        admin.ask("POST", "/permissions", &json!({ "name": name }), 201).await?;
        permissions.push(name);
    }
    permissions.push(format!("shop-{role}:reports:*"));
    let body = json!({ "name": role_name(role), "permissions": permissions });
    admin.ask("POST", "/roles", &body, 201).await.map(drop)
}

/// Ten permissions: some named by a role, some matched by a pattern, some of nobody's.
fn questions() -> Vec<String> {
    let named = (0..ROLES).map(|role| permission(role, role));
    let matched = [0, 4].map(|role| format!("shop-{role}:reports:read"));
    let nobodys = (0..3).map(|number| permission(ROLES, number));
    named.chain(matched).chain(nobodys).collect()
}

fn role_name(role: u64) -> String {
    format!("clerk-{role}")
}

fn permission(role: u64, number: u64) -> String {
    format!("shop-{role}:item-{number}:write")
}
