//! Where codes, grants and what is revoked of them are kept. Every index is written here and nowhere else.
use super::model::{CODE_KNOWN_SECS, Code, Grant};
use crate::base::{Id, Page, PageRequest, Result, Timestamp};
use crate::oauth::logout;
use crate::oauth::logout::table::Party;
use crate::session::model::{Exchange, REPLAY_SLOTS};
use crate::session::{self, Session};
use crate::store::{Check, Map, Record, Sweep, Tx, WriteTx, expire_at, points_at};

/// hash -> code
const CODES: Map<Code> = Map::new("oauth.code");
/// id -> grant
const GRANTS: Map<Grant> = Map::new("oauth.grant");
/// user ++ id -> nothing
const BY_USER: Map<()> = Map::new("oauth.grant.by_user");
/// session ++ id -> nothing; only those that end with their session
const BY_SESSION: Map<()> = Map::new("oauth.grant.by_session");
/// id ++ slot -> exchange
const EXCHANGES: Map<Exchange> = Map::new("oauth.grant.exchange");
/// id of an access token -> when it ends (seconds)
const REVOKED: Map<u64> = Map::new("oauth.revoked_token");

impl Record for Code {
    const VERSION: u8 = 1;
}
impl Record for Grant {
    const VERSION: u8 = 1;
}

/// How rows of these tables end.
pub const SWEEPS: [Sweep; 3] = [
    Sweep {
        table: CODES.name(),
        end: |tx, key, _| {
            CODES.remove(tx, key);
            Ok(None)
        },
    },
    Sweep {
        table: GRANTS.name(),
        end: |tx, key, now| {
            let Some(grant) = GRANTS.get(tx, key)? else { return Ok(None) };
            if grant.is_over(now) {
                remove(tx, &grant);
                return Ok(None);
            }
            Ok(Some(grant.expires_at))
        },
    },
    Sweep {
        table: REVOKED.name(),
        end: |tx, key, _| {
            REVOKED.remove(tx, key);
            Ok(None)
        },
    },
];

/// Looks at every row of these tables.
pub const CHECKS: &[(&str, Check)] = &[
    (CODES.name(), |_, _, value| CODES.decode(value).map(|_| None)),
    (GRANTS.name(), |tx, key, value| {
        let grant = GRANTS.decode(value)?;
        let by_user = BY_USER.get(tx, &user_key(grant.user, grant.id))?.is_some();
        let by_session = BY_SESSION.get(tx, &session_key(grant.proof.session, grant.id))?.is_some();
        let listed = by_user && (grant.is_offline || by_session) && key == grant.id.as_bytes();
        Ok((!listed).then(|| "is not in the list of its user and session".to_owned()))
    }),
    (BY_USER.name(), |tx, key, _| points_at(tx, GRANTS.name(), key.get(8..).unwrap_or_default())),
    (BY_SESSION.name(), |tx, key, _| points_at(tx, GRANTS.name(), key.get(16..).unwrap_or_default())),
    (EXCHANGES.name(), |tx, key, value| {
        EXCHANGES.decode(value)?;
        points_at(tx, GRANTS.name(), key.get(..16).unwrap_or_default())
    }),
    (REVOKED.name(), |_, _, value| REVOKED.decode(value).map(|_| None)),
];

/// The code of a text, by its hash.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve, here and below.
pub fn code(tx: &impl Tx, hash: &[u8; 32]) -> Result<Option<Code>> {
    CODES.get(tx, hash)
}

/// Writes a new code.
///
/// # Errors
/// As [`code`].
pub fn insert_code(tx: &mut WriteTx, hash: &[u8; 32], code: &Code) -> Result<()> {
    expire_at(tx, CODES.name(), hash, code.created_at.plus_secs(CODE_KNOWN_SECS))?;
    CODES.put(tx, hash, code)
}

/// Writes a changed code.
///
/// # Errors
/// As [`code`].
pub fn update_code(tx: &mut WriteTx, hash: &[u8; 32], code: &Code) -> Result<()> {
    CODES.put(tx, hash, code)
}

/// The grant with an id.
///
/// # Errors
/// As [`code`].
pub fn by_id(tx: &impl Tx, id: Id<Grant>) -> Result<Option<Grant>> {
    GRANTS.get(tx, id.as_bytes())
}

/// The ids of all grants of a user, the oldest first.
///
/// # Errors
/// As [`code`].
pub fn ids_of_user(tx: &impl Tx, user: u64) -> Result<Vec<Id<Grant>>> {
    Ok(ids(BY_USER.first(tx, &user.to_be_bytes(), usize::MAX)?))
}

/// The ids of all grants that end with a session.
///
/// # Errors
/// As [`code`].
pub fn ids_of_session(tx: &impl Tx, session: Id<Session>) -> Result<Vec<Id<Grant>>> {
    Ok(ids(BY_SESSION.first(tx, session.as_bytes(), usize::MAX)?))
}

fn ids(rows: Vec<(Vec<u8>, ())>) -> Vec<Id<Grant>> {
    rows.into_iter().filter_map(|(key, ())| key.last_chunk::<16>().copied().map(Id::from_bytes)).collect()
}

/// One page of the grants of a user, the oldest first.
///
/// # Errors
/// As [`code`].
pub fn of_user(tx: &impl Tx, user: u64, request: &PageRequest) -> Result<Page<Grant>> {
    let prefix = user.to_be_bytes();
    request.check(&prefix, Some(24))?;
    let rows = tx.rows(BY_USER.name(), &prefix, request.after.as_deref(), request.limit.saturating_add(1))?;
    let rows = rows.into_iter().filter_map(|(key, _)| {
        let id = key.get(8..)?.try_into().map(Id::from_bytes).ok()?;
        by_id(tx, id).transpose().map(|grant| grant.map(|grant| (key, grant)))
    });
    Ok(request.cut(rows.collect::<Result<_>>()?))
}

/// Writes a new grant. Its client is told when the session ends.
///
/// # Errors
/// As [`code`].
pub fn insert(tx: &mut WriteTx, grant: &Grant) -> Result<()> {
    let session = grant.proof.session;
    if session::table::by_id(tx, session)?.is_some() {
        let party = Party { user: grant.user, since: grant.created_at };
        logout::table::note(tx, session, &grant.client, party)?;
    }
    BY_USER.put(tx, &user_key(grant.user, grant.id), &())?;
    if !grant.is_offline {
        BY_SESSION.put(tx, &session_key(grant.proof.session, grant.id), &())?;
    }
    expire_at(tx, GRANTS.name(), grant.id.as_bytes(), grant.expires_at)?;
    GRANTS.put(tx, grant.id.as_bytes(), grant)
}

/// Writes a refreshed grant, and the exchange into its slot if its token was exchanged. The expiry index finds the new end by
/// itself.
///
/// # Errors
/// As [`code`].
pub fn update(tx: &mut WriteTx, grant: &Grant, exchange: Option<&Exchange>) -> Result<()> {
    if let Some(exchange) = exchange {
        EXCHANGES.put(tx, &slot_key(grant.id, exchange.generation), exchange)?;
    }
    GRANTS.put(tx, grant.id.as_bytes(), grant)
}

/// Has a grant end with another session than before.
///
/// # Errors
/// As [`code`].
pub fn move_to(tx: &mut WriteTx, grant: &Grant, session: Id<Session>) -> Result<()> {
    let mut moved = grant.clone();
    moved.proof.session = session;
    BY_SESSION.remove(tx, &session_key(grant.proof.session, grant.id));
    BY_SESSION.put(tx, &session_key(session, grant.id), &())?;
    GRANTS.put(tx, grant.id.as_bytes(), &moved)
}

/// What the slot of a generation holds.
///
/// # Errors
/// As [`code`].
pub fn exchange(tx: &impl Tx, id: Id<Grant>, generation: u32) -> Result<Option<Exchange>> {
    EXCHANGES.get(tx, &slot_key(id, generation))
}

/// Removes a grant with all that belongs to it.
pub fn remove(tx: &mut WriteTx, grant: &Grant) {
    GRANTS.remove(tx, grant.id.as_bytes());
    BY_USER.remove(tx, &user_key(grant.user, grant.id));
    BY_SESSION.remove(tx, &session_key(grant.proof.session, grant.id));
    let generation = grant.refresh.map_or(0, |(generation, _)| generation);
    for slot in 0..REPLAY_SLOTS.min(generation) {
        EXCHANGES.remove(tx, &slot_key(grant.id, slot));
    }
}

/// Remembers that an access token must not be taken any more, until it would end anyway.
///
/// # Errors
/// As [`code`].
pub fn revoke_token(tx: &mut WriteTx, token: &[u8; 24], ends: i64) -> Result<()> {
    REVOKED.put(tx, token, &ends.unsigned_abs())?;
    expire_at(tx, REVOKED.name(), token, Timestamp::from_secs(ends))
}

/// Whether an access token was revoked by itself.
///
/// # Errors
/// As [`code`].
pub fn is_revoked(tx: &impl Tx, token: &[u8; 24]) -> Result<bool> {
    Ok(REVOKED.get(tx, token)?.is_some())
}

fn user_key(user: u64, id: Id<Grant>) -> Vec<u8> {
    [&user.to_be_bytes()[..], id.as_bytes()].concat()
}

fn session_key(session: Id<Session>, id: Id<Grant>) -> Vec<u8> {
    [&session.as_bytes()[..], id.as_bytes()].concat()
}

fn slot_key(id: Id<Grant>, generation: u32) -> Vec<u8> {
    [&id.as_bytes()[..], &(generation % REPLAY_SLOTS).to_be_bytes()].concat()
}
