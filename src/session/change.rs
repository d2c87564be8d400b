//! What changes do with sessions: those of logins and refreshes, and those of other features.
use super::arrival;
use super::live::LiveSessions;
use super::model::{AccessToken, Judgement, Session};
use super::table;
use super::tokens::{Again, Next, Prepared};
use crate::account::{self, User};
use crate::audit::{self, Event};
use crate::base::{Error, Id, Result, Timestamp};
use crate::mail::{self, Mailer};
use crate::oauth::backchannel;
use crate::rbac::{Initiator, SubjectId};
use crate::store::{Sweep, Tx, WriteTx};

/// How sessions end that nobody has refreshed: their clients are told of that end as of any other.
pub const SWEEPS: [Sweep; 1] = [Sweep {
    table: table::NAME,
    end: |tx, key, now| {
        let Some(session) = table::by_key(tx, key)? else { return Ok(None) };
        if !session.is_over(now) {
            return Ok(Some(session.expires_at));
        }
        backchannel::change::session_ended(tx, session.id, now)?;
        table::remove(tx, &session);
        Ok(None)
    },
}];

/// What the change of a refresh came to.
pub(super) enum Refreshed {
    Done,
    Again {
        sealed: Vec<u8>,
    },
    Stolen {
        user: u64,
    },
    Worthless,
    Gone,
    /// Another change came before, and the token is to be looked at again.
    Raced,
}

/// A session and its user, when both may go on.
pub(super) fn current(tx: &impl Tx, id: Id<Session>) -> Result<Option<(Session, User)>> {
    let Some(session) = table::by_id(tx, id)? else { return Ok(None) };
    let user = account::table::by_id(tx, session.user)?.filter(User::may_go_on);
    Ok(user.map(|user| (session, user)))
}

/// Writes a new session. The one whose place it takes ends, and the oldest of its user's where there would be too many. Its
/// user hears of a new device.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve.
pub fn insert(tx: &mut WriteTx, live: &LiveSessions, new: Prepared, user: &User) -> Result<()> {
    let Prepared { session, limit, replaces, event, notice, .. } = new;
    // First: a browser that is in a session of the user's is not new, though that session ends.
    arrival::note(tx, user.id, notice, (&session.origin, event.at))?;
    if let Some(old) = replaces.map_or(Ok(None), |id| table::by_id(tx, id))? {
        if old.user == user.id {
            live.grants.follow(tx, old.id, &session)?;
        }
        end(tx, live, old.id)?;
        let replaced = replaced(tx, &old, &event)?;
        audit::table::append(tx, replaced)?;
    }
    let ids = table::ids_of_user(tx, user.id)?;
    for id in ids.iter().take((ids.len() + 1).saturating_sub(limit)) {
        end(tx, live, *id)?;
        let ended = Event::new(&Initiator::system(), "session.revoked", event.at).about_user(user);
        audit::table::append(tx, ended.with("session", id.to_string()).with("reason", "too_many_sessions"))?;
    }
    table::insert(tx, &session)?;
    audit::table::append(tx, event)
}

/// What is said of a session whose place another one takes; `new`: what is said of that.
fn replaced(tx: &impl Tx, old: &Session, new: &Event) -> Result<Event> {
    let event = Event { action: "session.revoked".to_owned(), details: Vec::new(), ..new.clone() };
    let event = event.about(SubjectId::User(old.user), &name_of(tx, old.user)?);
    Ok(event.with("session", old.id.to_string()).with("reason", "replaced_by_login"))
}

/// Writes a session whose user has proven again who it is. Neither the access token that asked for it nor the refresh
/// token of before is good any more (OWASP ASVS 7.2.4): whoever presents that one in time has not heard the answer, and gets
/// back what there was before, without what was proven since.
///
/// # Errors
/// `Error::TokenRevoked` when the session has ended meanwhile.
///
/// # Returns
/// `false` when it was refreshed meanwhile, and nothing was written.
pub fn reauthenticate(
    tx: &mut WriteTx,
    live: &LiveSessions,
    again: Again,
    token: &AccessToken,
) -> Result<bool> {
    let Again { old, session, event, .. } = again;
    let (now, _) = current(tx, old.id)?.ok_or(Error::TokenRevoked)?;
    if now != old {
        return Ok(false);
    }
    table::update(tx, &session, &old.given_up(event.at))?;
    table::revoke_token(tx, session.id, &token.id, token.expires_at)?;
    live.forget(tx, session.id);
    audit::table::append(tx, event)?;
    Ok(true)
}

/// The change of a refresh: judges the token by what is there now, and exchanges it if it is the good one.
pub(super) fn exchange_token(
    tx: &mut WriteTx,
    (live, mailer): (&LiveSessions, &Mailer),
    (generation, hash): (u32, [u8; 32]),
    next: &Next,
    by: &Initiator,
    (now, window): (Timestamp, i64),
) -> Result<Refreshed> {
    // A user who may not go on has no session either: they end in the same change.
    let Some(session) = table::by_id(tx, next.session.id)? else { return Ok(Refreshed::Gone) };
    let earlier =
        if generation < session.generation { table::exchange(tx, session.id, generation)? } else { None };
    Ok(match session.judge((generation, &hash), earlier, now, window) {
        Judgement::Current => {
            // What is known of a live session stays true: only its end moves, and that is looked up when it comes.
            table::update(tx, &next.session, &next.exchange)?;
            Refreshed::Done
        }
        Judgement::Unheard { .. } => {
            let Some(unheard) = next.unheard.as_ref().filter(|unheard| session.refresh_hash == unheard.hash)
            else {
                return Ok(Refreshed::Raced);
            };
            table::put_exchange(tx, session.id, unheard)?;
            table::update(tx, &next.session, &next.exchange)?;
            Refreshed::Done
        }
        Judgement::Again { sealed } => Refreshed::Again { sealed },
        Judgement::Worthless => Refreshed::Worthless,
        Judgement::Stolen => {
            end(tx, live, session.id)?;
            let event = Event::failed(by, "session.refresh_token_reused", now);
            let event = event.about(SubjectId::User(session.user), &name_of(tx, session.user)?);
            audit::table::append(tx, event.with("session", session.id.to_string()))?;
            if let Some(user) = account::table::by_id(tx, session.user)? {
                mailer.notify(tx, mail::Kind::SessionStolen, &user, by, &[])?;
            }
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
    live.grants.end_of_session(tx, id)
}

/// Ends all sessions of a user, but perhaps one, and what it has granted in the others: also that which goes on when its
/// session ends by itself.
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
    live.grants.end_of_user(tx, user, keep)?;
    Ok(ended)
}
