//! A superuser, who sets up what is measured.

use std::io::{self, Write as _};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::accounts::{self, Credential, PASSWORD, Session};
use crate::bench::Bench;
use crate::process::Server;
use crate::wire::Connection;

const NAME: &str = "root";

/// Somebody who may do everything, with an API key: access tokens end while others are still measured.
pub struct Admin {
    connection: Connection,
    /// The API key.
    pub key: String,
}

impl Admin {
    /// Makes the account on the data directory on which this server runs, and its key.
    pub async fn create(bench: &Bench, data: &str, server: &Server) -> io::Result<Self> {
        create_superuser(bench, data)?;
        let mut connection = Connection::open(server.address).await?;
        let session = Session::open(&mut connection, NAME).await?;
        let key =
            key_of(&mut connection, &session, &json!({ "name": "bench", "unrestricted": true })).await?;
        Ok(Self { connection, key })
    }

    /// Asks for something that has to be answered with this status.
    pub async fn ask(&mut self, method: &str, path: &str, body: &Value, status: u16) -> io::Result<Value> {
        let request = accounts::send(method, path, Credential::Key(&self.key), body);
        accounts::read(&self.connection.exchange(&request).await?, status)
    }
}

/// Makes an API key of whoever has logged in.
pub async fn key_of(connection: &mut Connection, session: &Session, body: &Value) -> io::Result<String> {
    let request = accounts::send("POST", "/auth/api-keys", Credential::Bearer(&session.access), body);
    let made = accounts::read(&connection.exchange(&request).await?, 201)?;
    made["key"].as_str().map(str::to_owned).ok_or_else(|| io::Error::other("a key without a text"))
}

fn create_superuser(bench: &Bench, data: &str) -> io::Result<()> {
    let mut child = bench
        .command(data)
        .args(["user", "create", "--username", NAME, "--email", "root@example.com"])
        .args(["--superuser", "--password-stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    child.stdin.take().map_or(Ok(()), |mut stdin| writeln!(stdin, "{PASSWORD}"))?;
    let status = child.wait()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("no superuser: {status}"))) }
}
