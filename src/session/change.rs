//! What changes do with sessions: those of logins and refreshes, and those of other features.
use super::live::LiveSessions;
use super::model::{Exchange, Judgement, Session};
use super::table;
use crate::account::{self, User};
use crate::audit::{self, Event};
use crate::base::{Error, Id, Result, Timestamp};
use crate::rbac::{Initiator, SubjectId};
use crate::store::{Tx, WriteTx};

/// What the change of a refresh came to.
pub(super) enum Refreshed {
    Done,
    Again { sealed: Vec<u8> },
    Stolen { user: u64 },
    Worthless,
    Gone,
}

/// A session and its user, when both may go on.
pub(super) fn current(tx: &impl Tx, id: Id<Session>) -> Result<Option<(Session, User)>> {
    let Some(session) = table::by_id(tx, id)? else { return Ok(None) };
    let user = account::table::by_id(tx, session.user)?.filter(User::may_go_on);
    Ok(user.map(|user| (session, user)))
}

/// A login whose password was right.
pub(super) struct Login {
    /// The user as it was when the password was compared.
    pub checked: User,
    /// The hash that replaces the one it has.
    pub renewed: Option<String>,
    pub session: Session,
    /// Sessions of one user at a time.
    pub limit: usize,
    pub event: Event,
}

/// The change of a login. The user is read again: between the hash and here it may have been changed.
pub(super) fn insert(tx: &mut WriteTx, live: &LiveSessions, login: Login) -> Result<()> {
    let Login { checked, renewed, session, limit, event } = login;
    let user = account::table::by_id(tx, checked.id)?.filter(User::may_go_on);
    let user = user.filter(|user| user.password_hash == checked.password_hash);
    let user = user.ok_or(Error::InvalidCredentials)?;
    if let Some(password_hash) = renewed {
        let renewed = User { password_hash, ..user.clone() };
        account::table::update(tx, &user, &renewed)?;
        live.forget_user(tx, user.id)?;
    }
    let ids = table::ids_of_user(tx, user.id)?;
    for id in ids.iter().take((ids.len() + 1).saturating_sub(limit)) {
        end(tx, live, *id)?;
        let ended = Event::new(&Initiator::system(), "session.revoked", event.at).about_user(&user);
        audit::table::append(tx, ended.with("session", id.to_string()).with("reason", "too_many_sessions"))?;
    }
    table::insert(tx, &session)?;
    audit::table::append(tx, event)
}

/// The change of a refresh: judges the token by what is there now, and exchanges it if it is the good one.
pub(super) fn exchange_token(
    tx: &mut WriteTx,
    live: &LiveSessions,
    (generation, hash): (u32, [u8; 32]),
    (next, exchange): (Session, Exchange),
    by: &Initiator,
    (now, window): (Timestamp, i64),
) -> Result<Refreshed> {
    // A user who may not go on has no session either: they end in the same change.
    let Some(session) = table::by_id(tx, next.id)? else { return Ok(Refreshed::Gone) };
    let earlier =
        if generation < session.generation { table::exchange(tx, session.id, generation)? } else { None };
    Ok(match session.judge((generation, &hash), earlier, now, window) {
        Judgement::Current => {
            // What is known of a live session stays true: only its end moves, and that is looked up when it comes.
            table::update(tx, &next, &exchange)?;
            Refreshed::Done
        }
        Judgement::Again { sealed } => Refreshed::Again { sealed },
        Judgement::Worthless => Refreshed::Worthless,
        Judgement::Stolen => {
            end(tx, live, session.id)?;
            let event = Event::failed(by, "session.refresh_token_reused", now);
            let event = event.about(SubjectId::User(session.user), &name_of(tx, session.user)?);
            audit::table::append(tx, event.with("session", session.id.to_string()))?;
            Refreshed::Stolen { user: session.user }
        }
    })
}

/// What a user was called when something happened to it.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve.
pub fn name_of(tx: &impl Tx, user: u64) -> Result<String> {
    Ok(account::table::by_id(tx, user)?.map(|user| user.username.to_string()).unwrap_or_default())
}

/// Removes a session, and from the moment the change is durable nobody takes its tokens.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve.
pub fn end(tx: &mut WriteTx, live: &LiveSessions, id: Id<Session>) -> Result<()> {
    if let Some(session) = table::by_id(tx, id)? {
        table::remove(tx, &session);
    }
    live.forget(tx, id);
    Ok(())
}

/// Ends all sessions of a user, but perhaps one.
///
/// # Errors
/// As [`end`].
///
/// # Returns
/// How many were ended.
pub fn end_all(tx: &mut WriteTx, live: &LiveSessions, user: u64, keep: Option<Id<Session>>) -> Result<usize> {
    let ids = table::ids_of_user(tx, user)?.into_iter().filter(|id| Some(*id) != keep);
    let mut ended = 0;
    for id in ids {
        end(tx, live, id)?;
        ended += 1;
    }
    Ok(ended)
}
