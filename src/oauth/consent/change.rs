//! What was given to clients that are gone goes, too.
use super::table;
use crate::oauth::client::{self, ClientId};
use crate::store::Sweep;

/// Consents that are looked at in one change.
const AT_ONCE: usize = 1000;

/// How consents end whose client was deleted. One that was made anew under the same name keeps what it was given itself.
pub const SWEEPS: [Sweep; 1] = [Sweep {
    table: table::CLIENTS,
    end: |tx, key, now| {
        let Some(id) = ClientId::parse_bytes(key) else { return Ok(None) };
        let client = client::table::by_id(tx, &id)?;
        let found = table::of_client(tx, &id, AT_ONCE)?;
        let count = found.len();
        let old = found.iter().filter(|one| !client.as_ref().is_some_and(|client| one.is_of(client)));
        let old: Vec<_> = old.map(|one| one.user).collect();
        old.iter().for_each(|user| table::remove(tx, *user, &id));
        // With none removed, what is left is the new one's own.
        Ok((count == AT_ONCE && !old.is_empty()).then_some(now))
    },
}];
