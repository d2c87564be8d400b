//! Where initial access tokens are kept.
use super::model::{InitialToken, Presented};
use crate::base::{Error, Id, Page, PageRequest, Result, Timestamp};
use crate::store::{Check, Map, Record, Sweep, Tx, WriteTx, expire_at};

/// id -> token
const TOKENS: Map<InitialToken> = Map::new("oauth.initial_token");

impl Record for InitialToken {
    const VERSION: u8 = 1;
}

/// How rows of this table end.
pub const SWEEPS: [Sweep; 1] = [Sweep {
    table: TOKENS.name(),
    end: |tx, key, _| {
        TOKENS.remove(tx, key);
        Ok(None)
    },
}];

/// Looks at every row of this table.
pub const CHECKS: &[(&str, Check)] = &[(TOKENS.name(), |_, key, value| {
    let token = TOKENS.decode(value)?;
    let reason = if key != token.id.as_bytes() {
        "stands under another id"
    } else if token.uses > token.max_uses {
        "was used more often than it may be"
    } else {
        return Ok(None);
    };
    Ok(Some(reason.to_owned()))
})];

/// The token with an id.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve, here and below.
pub fn by_id(tx: &impl Tx, id: Id<InitialToken>) -> Result<Option<InitialToken>> {
    TOKENS.get(tx, id.as_bytes())
}

/// One page of all, the oldest first.
///
/// # Errors
/// As [`by_id`].
pub fn page(tx: &impl Tx, request: &PageRequest) -> Result<Page<InitialToken>> {
    request.check(&[], Some(16))?;
    TOKENS.page(tx, &[], request)
}

/// Writes a new token.
///
/// # Errors
/// As [`by_id`].
pub fn insert(tx: &mut WriteTx, token: &InitialToken) -> Result<()> {
    expire_at(tx, TOKENS.name(), token.id.as_bytes(), token.expires_at)?;
    TOKENS.put(tx, token.id.as_bytes(), token)
}

/// The token that a text stands for, if it lets register somebody `now`.
///
/// # Errors
/// `Error::InvalidToken`.
pub fn admitting(tx: &impl Tx, shown: &Presented, now: Timestamp) -> Result<InitialToken> {
    by_id(tx, shown.id)?.filter(|token| token.admits(shown, now)).ok_or(Error::InvalidToken)
}

/// Uses a token once: changes come one after the other, so that no use is lost.
///
/// # Errors
/// As [`admitting`].
pub fn spend(tx: &mut WriteTx, shown: &Presented, now: Timestamp) -> Result<InitialToken> {
    let token = admitting(tx, shown, now)?.used();
    TOKENS.put(tx, token.id.as_bytes(), &token)?;
    Ok(token)
}

/// Removes a token.
pub fn remove(tx: &mut WriteTx, token: &InitialToken) {
    TOKENS.remove(tx, token.id.as_bytes());
}
