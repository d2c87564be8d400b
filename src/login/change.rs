//! What changes do with logins. Everything is looked at again in them: since a password was compared, its account may have
//! been changed.
use super::model::{First, LIFETIME_SECS, MAX_WRONG, Pending, Way};
use super::table;
use crate::account::{self, User};
use crate::audit::{self, Event};
use crate::base::{Error, Result, Timestamp};
use crate::crypto::user_token::Presented;
use crate::mail::{self, Mailer};
use crate::mfa::change::{NewDevice, spend, trust, trusts_hash, use_device};
use crate::mfa::model::FEW_RECOVERY_CODES;
use crate::mfa::{self, Answer, Spent, Vault};
use crate::passkey::change::note_used;
use crate::rbac::Initiator;
use crate::session::change::insert;
use crate::session::tokens::Prepared;
use crate::session::{LiveSessions, MULTI_FACTOR};
use crate::store::{Tx, WriteTx};
use crate::throttle::surroundings;

/// What another attempt will find settled.
pub(super) const RACED: Error = Error::Busy { retry_after_secs: 1 };

/// What a second factor came to.
pub(super) enum Outcome {
    Begun { spent: Option<Spent> },
    Wrong,
}

/// The parts that changes of logins need.
#[derive(Clone)]
pub(super) struct Parts {
    pub live: LiveSessions,
    pub vault: Vault,
    pub mail: Mailer,
    pub by: Initiator,
    pub now: Timestamp,
}

/// The user of a first factor, if it is still what it was checked against; with a renewed hash if there is one.
fn settle(tx: &mut WriteTx, parts: &Parts, first: &First) -> Result<User> {
    let user = account::table::by_id(tx, first.user.id)?.filter(User::may_go_on);
    let user = user.filter(|user| user.password_hash == first.user.password_hash);
    let user = user.ok_or(Error::InvalidCredentials)?;
    let Some(password_hash) = first.renewed.clone() else { return Ok(user) };
    let renewed = User { password_hash, ..user.clone() };
    account::table::update(tx, &user, &renewed)?;
    parts.live.forget_user(tx, user.id)?;
    Ok(renewed)
}

/// Begins a session, the way that was found before.
pub(super) fn begin(
    tx: &mut WriteTx,
    parts: &Parts,
    first: &First,
    way: &Way,
    prepared: Prepared,
) -> Result<Outcome> {
    let user = settle(tx, parts, first)?;
    if mfa::table::factors(tx, user.id)?.is_on() == matches!(way, Way::Plain) {
        return Err(RACED);
    }
    let spent = match way {
        Way::Plain => None,
        Way::Trusted(hash) => {
            trusts_hash(tx, user.id, hash, parts.now)?.then_some(()).ok_or(RACED)?;
            use_device(tx, user.id, hash, parts.now)?;
            None
        }
        Way::Shown(answer) => match spend(tx, &parts.vault, user.id, answer, parts.now)? {
            Some(spent) => Some(spent),
            None => return Ok(Outcome::Wrong),
        },
    };
    insert(tx, &parts.live, prepared, &user)?;
    if let (Way::Shown(answer), Some(spent)) = (way, spent) {
        note_spent(tx, parts, &user, answer, spent)?;
    }
    Ok(Outcome::Begun { spent })
}

/// Has a login wait for its second factor.
pub(super) fn ask(
    tx: &mut WriteTx,
    parts: &Parts,
    first: &First,
    token: &Presented,
    is_known: bool,
) -> Result<()> {
    let user = settle(tx, parts, first)?;
    let pending = Pending {
        password: super::model::password_mark(&user),
        amr: vec![first.method.to_owned()],
        wrong: 0,
        created_at: parts.now,
        expires_at: parts.now.plus_secs(LIFETIME_SECS),
        from: surroundings(parts.by.network()),
        is_known,
    };
    table::insert(tx, token, &pending)?;
    let event = Event::new(&parts.by, "session.mfa_asked", parts.now).about_user(&user);
    audit::table::append(tx, event.with("amr", first.method))
}

/// The login of a token and its user, if both may go on.
///
/// # Errors
/// `Error::InvalidToken`, `Error::TokenExpired`.
pub(super) fn waiting(tx: &impl Tx, token: &Presented, now: Timestamp) -> Result<(Pending, User)> {
    let pending = table::by_token(tx, token)?.ok_or(Error::InvalidToken)?;
    if now >= pending.expires_at {
        return Err(Error::TokenExpired);
    }
    let user = account::table::by_id(tx, token.user)?.filter(User::may_go_on);
    let user = user.filter(|user| pending.is_of(user)).ok_or(Error::InvalidToken)?;
    Ok((pending, user))
}

/// Finishes a login with a second factor; counts a wrong one, and after too many the login is over.
pub(super) fn finish(
    tx: &mut WriteTx,
    parts: &Parts,
    token: &Presented,
    answer: &Answer,
    (prepared, device): (Prepared, Option<&NewDevice>),
) -> Result<Outcome> {
    let (pending, user) = waiting(tx, token, parts.now)?;
    let Some(spent) = spend(tx, &parts.vault, user.id, answer, parts.now)? else {
        let wrong = pending.wrong + 1;
        if wrong >= MAX_WRONG {
            table::remove(tx, token);
            let event = Event::failed(&parts.by, "session.mfa_given_up", parts.now).about_user(&user);
            audit::table::append(tx, event.with("wrong_answers", wrong.to_string()))?;
        } else {
            table::update(tx, token, &Pending { wrong, ..pending })?;
        }
        return Ok(Outcome::Wrong);
    };
    table::remove(tx, token);
    insert(tx, &parts.live, prepared, &user)?;
    note_spent(tx, parts, &user, answer, spent)?;
    if let Some(device) = device {
        trust(tx, &parts.by, &user, device, parts.now)?;
    }
    Ok(Outcome::Begun { spent: Some(spent) })
}

/// A recovery code that was used up, or a passkey, is worth an event of its own: its user may not have been the one who used
/// it. Of the last codes its user hears, too.
pub(super) fn note_spent(
    tx: &mut WriteTx,
    parts: &Parts,
    user: &User,
    answer: &Answer,
    spent: Spent,
) -> Result<()> {
    let left = match (answer, spent) {
        (Answer::Passkey(proof), _) => return note_used(tx, &parts.by, user, proof, parts.now),
        (_, Spent::RecoveryCode { left }) => left,
        _ => return Ok(()),
    };
    let left_shown = left.to_string();
    if left <= FEW_RECOVERY_CODES {
        parts.mail.notify(tx, mail::Kind::RecoveryCodesLow, user, &parts.by, &[("left", &left_shown)])?;
    }
    let event = Event::new(&parts.by, "mfa.recovery_code_used", parts.now).about_user(user);
    audit::table::append(tx, event.with("left", left_shown))
}

/// What a session is made with: what its login began with, and a second factor.
pub(super) fn amr_of<'a>(pending: &'a Pending, answer: &'a Answer) -> Vec<&'a str> {
    let first = pending.amr.iter().map(String::as_str);
    first.chain([answer.method(), MULTI_FACTOR]).collect()
}
