//! Which clients have had tokens of a session, and what the session is called towards them. Written here and nowhere else.
use serde::{Deserialize, Serialize};

use crate::base::{Id, Result, Timestamp};
use crate::oauth::client::ClientId;
use crate::session::{self, Session};
use crate::store::{Check, Map, Record, Tx, WriteTx, points_at};

/// session ++ client -> since when, and whose
const PARTIES: Map<Party> = Map::new("oauth.session_client");
/// session -> what it is called towards clients, where it has taken the place of another one
const NAMES: Map<Named> = Map::new("oauth.session_name");

/// A client that has had tokens of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    pub user: u64,
    pub since: Timestamp,
}

/// What a session is called towards clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    pub sid: Id<Session>,
}

impl Record for Party {
    const VERSION: u8 = 1;
}
impl Record for Named {
    const VERSION: u8 = 1;
}

/// Looks at every row of these tables.
pub const CHECKS: &[(&str, Check)] = &[
    (PARTIES.name(), |tx, key, value| {
        PARTIES.decode(value)?;
        points_at(tx, session::table::NAME, key.get(..16).unwrap_or_default())
    }),
    (NAMES.name(), |tx, key, value| {
        NAMES.decode(value)?;
        points_at(tx, session::table::NAME, key)
    }),
];

/// What a session is called towards clients (`sid`, OpenID Connect Front-Channel Logout section 3). It stays when the same user
/// signs in anew in the same browser: clients that have heard it go on with it.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve, here and below.
pub fn sid(tx: &impl Tx, session: Id<Session>) -> Result<Id<Session>> {
    Ok(NAMES.get(tx, session.as_bytes())?.map_or(session, |named| named.sid))
}

/// Remembers that a client has tokens of a session.
///
/// # Errors
/// As [`sid`].
pub fn note(tx: &mut WriteTx, session: Id<Session>, client: &ClientId, party: Party) -> Result<()> {
    let key = key(session, client.as_str().as_bytes());
    let found = PARTIES.get(tx, &key)?;
    // One that was deleted and made anew is another.
    if found.is_some_and(|known| known.user == party.user && known.since >= party.since) {
        return Ok(());
    }
    PARTIES.put(tx, &key, &party)
}

/// The clients that have had tokens of a session, by name.
///
/// # Errors
/// As [`sid`].
pub fn of_session(tx: &impl Tx, session: Id<Session>) -> Result<Vec<(ClientId, Party)>> {
    let rows = PARTIES.first(tx, session.as_bytes(), usize::MAX)?;
    let named = |key: &[u8]| ClientId::parse_bytes(key.get(16..)?);
    Ok(rows.into_iter().filter_map(|(key, party)| named(&key).map(|client| (client, party))).collect())
}

/// Has a session take the place of another one towards clients.
///
/// # Errors
/// As [`sid`].
pub fn follow(tx: &mut WriteTx, old: Id<Session>, new: Id<Session>) -> Result<()> {
    let named = Named { sid: sid(tx, old)? };
    let parties = of_session(tx, old)?;
    forget(tx, old, &parties);
    NAMES.put(tx, new.as_bytes(), &named)?;
    parties.iter().try_for_each(|(client, party)| note(tx, new, client, *party))
}

/// Forgets a session and its clients.
pub fn forget(tx: &mut WriteTx, session: Id<Session>, parties: &[(ClientId, Party)]) {
    NAMES.remove(tx, session.as_bytes());
    parties.iter().for_each(|(client, _)| PARTIES.remove(tx, &key(session, client.as_str().as_bytes())));
}

fn key(session: Id<Session>, client: &[u8]) -> Vec<u8> {
    [&session.as_bytes()[..], client].concat()
}
