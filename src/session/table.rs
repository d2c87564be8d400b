//! Where sessions, their last exchanges and revoked tokens are kept. Every index is written here alone.
use serde::Deserialize;

use super::model::{Exchange, REPLAY_SLOTS, Session};
use crate::base::{Error, Id, Page, PageRequest, Result, Timestamp};
use crate::store::{Check, Map, Record, Sweep, Tx, WriteTx, decode_body, expire_at, points_at};

/// id -> session
const SESSIONS: Map<Session> = Map::new("session");
/// user ++ id -> nothing
const BY_USER: Map<()> = Map::new("session.by_user");
/// id ++ slot -> exchange
const EXCHANGES: Map<Exchange> = Map::new("session.exchange");
/// user -> nothing: it has logged in before
const SEEN: Map<()> = Map::new("session.seen");
/// session id ++ token id -> when the token ends (seconds)
const REVOKED: Map<u64> = Map::new("revoked_token");

impl Record for Session {
    const VERSION: u8 = 1;
}
impl Record for Exchange {
    const VERSION: u8 = 2;

    fn upgrade(version: u8, body: &[u8]) -> Result<Self> {
        match version {
            1 => decode_body::<ExchangeV1>(body).map(Into::into),
            other => Err(Error::internal(format!("no upgrade from record version {other}"))),
        }
    }
}

/// Before a token could be given up unseen and found again.
#[derive(Deserialize)]
struct ExchangeV1 {
    generation: u32,
    hash: [u8; 32],
    at: Timestamp,
    sealed: Vec<u8>,
}

impl From<ExchangeV1> for Exchange {
    fn from(old: ExchangeV1) -> Self {
        let ExchangeV1 { generation, hash, at, sealed } = old;
        Self { generation, hash, at, sealed, before: None }
    }
}

/// The table of sessions, for whatever belongs to one.
pub const NAME: &str = SESSIONS.name();

/// How rows of these tables end, but for sessions: whose end concerns others, too.
pub const SWEEPS: [Sweep; 1] = [Sweep {
    table: REVOKED.name(),
    end: |tx, key, _| {
        REVOKED.remove(tx, key);
        Ok(None)
    },
}];

/// Looks at every row of these tables.
pub const CHECKS: &[(&str, Check)] = &[
    (SESSIONS.name(), |tx, key, value| {
        let session = SESSIONS.decode(value)?;
        let listed = BY_USER.get(tx, &user_key(session.user, session.id))?.is_some();
        Ok((!(listed && key == session.id.as_bytes())).then(|| "is not in the list of its user".to_owned()))
    }),
    (BY_USER.name(), |tx, key, _| points_at(tx, SESSIONS.name(), key.get(8..).unwrap_or_default())),
    (EXCHANGES.name(), |tx, key, value| {
        EXCHANGES.decode(value)?;
        points_at(tx, SESSIONS.name(), key.get(..16).unwrap_or_default())
    }),
    (SEEN.name(), |_, _, value| SEEN.decode(value).map(|()| None)),
    (REVOKED.name(), |_, _, value| REVOKED.decode(value).map(|_| None)),
];

/// The session with an id.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve, here and below.
pub fn by_id(tx: &impl Tx, id: Id<Session>) -> Result<Option<Session>> {
    SESSIONS.get(tx, id.as_bytes())
}

/// The session in a row of the expiry index.
///
/// # Errors
/// As [`by_id`].
pub fn by_key(tx: &impl Tx, key: &[u8]) -> Result<Option<Session>> {
    SESSIONS.get(tx, key)
}

/// One page of the sessions of a user, the oldest first.
///
/// # Errors
/// As [`by_id`].
pub fn of_user(tx: &impl Tx, user: u64, request: &PageRequest) -> Result<Page<Session>> {
    request.check(&user.to_be_bytes(), Some(user_key(user, Id::from_bytes([0; 16])).len()))?;
    let rows = tx.rows(
        BY_USER.name(),
        &user.to_be_bytes(),
        request.after.as_deref(),
        request.limit.saturating_add(1),
    )?;
    let rows = rows.into_iter().filter_map(|(key, _)| {
        let id = key.get(8..)?.try_into().map(Id::from_bytes).ok()?;
        by_id(tx, id).transpose().map(|session| session.map(|session| (key, session)))
    });
    Ok(request.cut(rows.collect::<Result<_>>()?))
}

/// The ids of all sessions of a user, the oldest first.
///
/// # Errors
/// As [`by_id`].
pub fn ids_of_user(tx: &impl Tx, user: u64) -> Result<Vec<Id<Session>>> {
    let rows = BY_USER.first(tx, &user.to_be_bytes(), usize::MAX)?;
    Ok(rows.into_iter().filter_map(|(key, ())| key.get(8..)?.try_into().map(Id::from_bytes).ok()).collect())
}

/// Whether a user has ever logged in.
///
/// # Errors
/// As [`by_id`].
pub fn has_logged_in(tx: &impl Tx, user: u64) -> Result<bool> {
    Ok(SEEN.get(tx, &user.to_be_bytes())?.is_some())
}

/// Remembers that a user has logged in.
///
/// # Errors
/// As [`by_id`].
pub fn note_login(tx: &mut WriteTx, user: u64) -> Result<()> {
    if has_logged_in(tx, user)? { Ok(()) } else { SEEN.put(tx, &user.to_be_bytes(), &()) }
}

/// Forgets that a user has logged in: it is no more.
pub fn forget_logins(tx: &mut WriteTx, user: u64) {
    SEEN.remove(tx, &user.to_be_bytes());
}

/// Writes a new session.
///
/// # Errors
/// As [`by_id`].
pub fn insert(tx: &mut WriteTx, session: &Session) -> Result<()> {
    SESSIONS.put(tx, session.id.as_bytes(), session)?;
    BY_USER.put(tx, &user_key(session.user, session.id), &())?;
    expire_at(tx, SESSIONS.name(), session.id.as_bytes(), session.expires_at)
}

/// Writes a refreshed session, and the exchange into its slot. The expiry index finds the new end by itself.
///
/// # Errors
/// As [`by_id`].
pub fn update(tx: &mut WriteTx, session: &Session, exchange: &Exchange) -> Result<()> {
    put_exchange(tx, session.id, exchange)?;
    SESSIONS.put(tx, session.id.as_bytes(), session)
}

/// Writes an exchange into its slot.
///
/// # Errors
/// As [`by_id`].
pub fn put_exchange(tx: &mut WriteTx, session: Id<Session>, exchange: &Exchange) -> Result<()> {
    EXCHANGES.put(tx, &slot_key(session, exchange.generation), exchange)
}

/// What the slot of a generation holds.
///
/// # Errors
/// As [`by_id`].
pub fn exchange(tx: &impl Tx, session: Id<Session>, generation: u32) -> Result<Option<Exchange>> {
    EXCHANGES.get(tx, &slot_key(session, generation))
}

/// Removes a session with all that belongs to it.
pub fn remove(tx: &mut WriteTx, session: &Session) {
    SESSIONS.remove(tx, session.id.as_bytes());
    BY_USER.remove(tx, &user_key(session.user, session.id));
    for slot in 0..REPLAY_SLOTS.min(session.generation) {
        EXCHANGES.remove(tx, &slot_key(session.id, slot));
    }
}

/// Remembers that a token must not be taken any more, until it would end anyway.
///
/// # Errors
/// As [`by_id`].
pub fn revoke_token(tx: &mut WriteTx, session: Id<Session>, token: &str, ends: i64) -> Result<()> {
    let key = [session.as_bytes(), token.as_bytes()].concat();
    REVOKED.put(tx, &key, &ends.unsigned_abs())?;
    expire_at(tx, REVOKED.name(), &key, Timestamp::from_secs(ends))
}

/// The ids of the revoked tokens of a session.
///
/// # Errors
/// As [`by_id`].
pub fn revoked_tokens(tx: &impl Tx, session: Id<Session>) -> Result<Vec<String>> {
    let rows = REVOKED.first(tx, session.as_bytes(), usize::MAX)?;
    Ok(rows.into_iter().map(|(key, _)| String::from_utf8_lossy(&key[16..]).into_owned()).collect())
}

fn user_key(user: u64, session: Id<Session>) -> [u8; 24] {
    let mut key = [0; 24];
    key[..8].copy_from_slice(&user.to_be_bytes());
    key[8..].copy_from_slice(session.as_bytes());
    key
}

fn slot_key(session: Id<Session>, generation: u32) -> [u8; 17] {
    let mut key = [0; 17];
    key[..16].copy_from_slice(session.as_bytes());
    key[16] = (generation % REPLAY_SLOTS) as u8;
    key
}
