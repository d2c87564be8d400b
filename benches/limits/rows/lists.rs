//! Whether lists stay as fast as they are while the store grows.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::accounts::{self, Credential, Each, Repeat};
use crate::admin::Admin;
use crate::bench::{Bench, WEAK_HASHES};
use crate::compare::two_servers;
use crate::load::Fleet;
use crate::process::Server;
use crate::report::Report;
use crate::rows::stores::FULL;
use crate::wire::Connection;

const SMALL: &str = "thousand";
const FEW: u64 = 1000;
const PAGE: u64 = 50;
const CONNECTIONS: usize = 16;

/// Pages of a list of users in the full store beside the same in a small one.
pub async fn growth(bench: &Bench, report: &mut Report) -> io::Result<()> {
    let first = format!("/users?limit={PAGE}");
    let middle = format!("{first}&cursor={}", cursor(bench.options.users / 2 / PAGE * PAGE));
    let email = format!("{first}&email=person000");
    let rows =
        [("list-first", &first, &first), ("list-middle", &middle, &first), ("list-email", &email, &email)];
    let rows: Vec<_> = rows.into_iter().filter(|(name, ..)| bench.options.wants(name)).collect();
    if rows.is_empty() {
        return Ok(());
    }
    let small = bench.start(SMALL, &WEAK_HASHES)?;
    Fleet::new(small.address, vec![Each::registers(0..FEW); CONNECTIONS]).drain(&small).await?;
    let full = bench.start(FULL, &WEAK_HASHES)?;
    let small_key = Admin::create(bench, SMALL, &small).await?.key;
    let full_key = Admin::create(bench, FULL, &full).await?.key;
    for (name, in_full, in_small) in rows {
        let (mut many, mut few) =
            (pages(&full, &full_key, in_full).await?, pages(&small, &small_key, in_small).await?);
        let (many, few) = two_servers(bench, (&full, &mut many), (&small, &mut few)).await?;
        report.note(format!("{name}: of 1,000 users {few}"));
        report.ratio(name, many.cpu / few.cpu, many);
    }
    full.stop()?;
    small.stop()
}

/// Clients that ask for this page, which has to be a full one.
async fn pages(server: &Server, key: &str, path: &str) -> io::Result<Fleet<Repeat>> {
    let request = accounts::get(path, Credential::Key(key));
    let mut connection = Connection::open(server.address).await?;
    let page = accounts::read(&connection.exchange(&request).await?, 200)?;
    if page["items"].as_array().map(Vec::len) != Some(PAGE as usize) {
        return Err(io::Error::other(format!("not a full page: {path}")));
    }
    Ok(Fleet::new(server.address, vec![Repeat(request); CONNECTIONS]))
}

/// The cursor of the page after the user with this id.
fn cursor(id: u64) -> String {
    URL_SAFE_NO_PAD.encode(id.to_be_bytes())
}
