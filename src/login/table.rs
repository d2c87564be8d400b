//! Where logins wait for their second factor.
use serde::Deserialize;

use super::model::{MAX_PENDING, Pending, least_missed};
use crate::base::{Error, Result, Timestamp};
use crate::crypto::user_token::Presented;
use crate::store::{Check, Map, Record, Sweep, Tx, WriteTx, decode_body, expire_at};

/// user ++ hash of the token -> login
const PENDING: Map<Pending> = Map::new("login.pending");

impl Record for Pending {
    const VERSION: u8 = 2;

    fn upgrade(version: u8, body: &[u8]) -> Result<Self> {
        match version {
            1 => decode_body::<PendingV1>(body).map(Into::into),
            other => Err(Error::internal(format!("no upgrade from record version {other}"))),
        }
    }
}

/// Before it was kept from where a login came.
#[derive(Deserialize)]
struct PendingV1 {
    password: [u8; 32],
    amr: Vec<String>,
    wrong: u8,
    created_at: Timestamp,
    expires_at: Timestamp,
}

impl From<PendingV1> for Pending {
    fn from(old: PendingV1) -> Self {
        let PendingV1 { password, amr, wrong, created_at, expires_at } = old;
        Self { password, amr, wrong, created_at, expires_at, from: Vec::new(), is_known: false }
    }
}

/// How rows of this table end.
pub const SWEEPS: [Sweep; 1] = [Sweep {
    table: PENDING.name(),
    end: |tx, key, _| {
        PENDING.remove(tx, key);
        Ok(None)
    },
}];

/// Looks at every row of this table.
pub const CHECKS: &[(&str, Check)] = &[(PENDING.name(), |_, _, value| PENDING.decode(value).map(|_| None))];

/// The login of a token.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve, here and below.
pub fn by_token(tx: &impl Tx, token: &Presented) -> Result<Option<Pending>> {
    PENDING.get(tx, &key(token))
}

/// Writes a new login; where its user has too many, [`least_missed`] goes.
///
/// # Errors
/// As [`by_token`].
pub fn insert(tx: &mut WriteTx, token: &Presented, login: &Pending) -> Result<()> {
    let rows = PENDING.first(tx, &token.user.to_be_bytes(), usize::MAX)?;
    let (mut keys, mut waiting): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
    while waiting.len() >= MAX_PENDING {
        let Some(at) = least_missed(&waiting) else { break };
        waiting.swap_remove(at);
        PENDING.remove(tx, &keys.swap_remove(at));
    }
    expire_at(tx, PENDING.name(), &key(token), login.expires_at)?;
    update(tx, token, login)
}

/// Writes a changed login.
///
/// # Errors
/// As [`by_token`].
pub fn update(tx: &mut WriteTx, token: &Presented, login: &Pending) -> Result<()> {
    PENDING.put(tx, &key(token), login)
}

/// Removes a login.
pub fn remove(tx: &mut WriteTx, token: &Presented) {
    PENDING.remove(tx, &key(token));
}

/// Removes all of a user's.
///
/// # Errors
/// As [`by_token`].
pub fn remove_all(tx: &mut WriteTx, user: u64) -> Result<()> {
    let rows = PENDING.first(tx, &user.to_be_bytes(), usize::MAX)?;
    rows.iter().for_each(|(key, _)| PENDING.remove(tx, key));
    Ok(())
}

fn key(token: &Presented) -> Vec<u8> {
    [&token.user.to_be_bytes()[..], &token.hash].concat()
}
