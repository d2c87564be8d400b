//! What changes do with codes and grants: each is judged once more by what is there in the change.
use super::live::{LiveGrant, LiveGrants};
use super::model::{Code, Grant};
use super::table;
use crate::account::{self, User};
use crate::audit::{self, Event};
use crate::base::{Id, Result, Timestamp};
use crate::crypto::Thumbprint;
use crate::oauth::client::{self, Client, ClientId};
use crate::oauth::consent;
use crate::oauth::registration;
use crate::rbac::{Initiator, SubjectId};
use crate::session::change::name_of;
use crate::session::model::{Exchange, Judgement, judge};
use crate::store::{Tx, WriteTx};

/// What a code that was presented came to.
pub enum Redeemed {
    /// It was good, and is spent; the grant is written.
    Once(Box<LiveGrant>),
    /// Somebody has redeemed it before: what came of it was ended.
    Again,
    /// It is none, or no longer one.
    Worthless,
}

/// What a refresh token that was presented came to.
pub enum Refreshed {
    Done,
    Again { sealed: Vec<u8> },
    Stolen,
    Worthless,
}

/// What becomes of a grant when it is refreshed.
pub struct Renewal {
    pub grant: Id<Grant>,
    pub expires_at: Timestamp,
    pub bound_to: Option<Thumbprint>,
    /// The refresh token that is good then: the next one, or the same.
    pub refresh: (u32, [u8; 32]),
    /// What is kept of the one before, if there is a next one.
    pub exchange: Option<Exchange>,
}

/// Spends a code and writes the grant that comes of it, in one: whatever is minted is minted afterwards.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve, here and below.
pub fn redeem(
    tx: &mut WriteTx,
    live: &LiveGrants,
    (hash, code): (&[u8; 32], &Code),
    grant: &Grant,
    (by, now): (&Initiator, Timestamp),
) -> Result<Redeemed> {
    let Some(found) = table::code(tx, hash)? else { return Ok(Redeemed::Worthless) };
    if let Some(earlier) = found.redeemed {
        return stolen(tx, live, earlier, "oauth.code_reused", (by, now)).map(|()| Redeemed::Again);
    }
    let is_good = now < found.expires_at && found == *code;
    let begun = if is_good { begin(tx, code, grant, (by, now))? } else { None };
    let Some(begun) = begun else { return Ok(Redeemed::Worthless) };
    table::update_code(tx, hash, &Code { redeemed: Some(grant.id), ..found })?;
    Ok(Redeemed::Once(begun))
}

/// Writes the grant that comes of a code, if its user still may and still agrees, and the session goes on that it was given in.
///
/// # Errors
/// As [`redeem`].
pub fn begin(
    tx: &mut WriteTx,
    code: &Code,
    grant: &Grant,
    (by, now): (&Initiator, Timestamp),
) -> Result<Option<Box<LiveGrant>>> {
    let client = client::table::by_id(tx, &code.client)?;
    let may_go_on =
        |user: &User| may_have_tokens(user) && client.as_ref().is_some_and(|client| client.is_for(user));
    let user = account::table::by_id(tx, code.user)?.filter(may_go_on);
    let session = crate::session::table::by_id(tx, code.proof.session)?;
    let is_good = session.is_some() && is_still_agreed(tx, code)?;
    let Some(user) = user.filter(|_| is_good) else { return Ok(None) };
    table::insert(tx, grant)?;
    registration::table::used(tx, &grant.client, now)?;
    let event = described(tx, by, "oauth.grant_created", grant, now)?;
    audit::table::append(tx, event)?;
    LiveGrant::of(tx, grant.clone(), user).map(|live| Some(Box::new(live)))
}

/// Whether the user has not taken back, since the code was made, what it is for; nobody is asked for clients of our own.
fn is_still_agreed(tx: &impl Tx, code: &Code) -> Result<bool> {
    let client =
        client::table::by_id(tx, &code.client)?.filter(|client| client.created_at <= code.created_at);
    let Some(client) = client else { return Ok(false) };
    let consent = consent::table::find(tx, code.user, &code.client)?;
    let since_then = consent.filter(|consent| consent.created_at <= code.created_at);
    Ok(client.rules.is_first_party || since_then.is_some_and(|one| one.covers(&client, &code.consented)))
}

/// Ends what came of a code that somebody presents once more, if it was redeemed before (RFC 6749 section 4.1.2).
///
/// # Errors
/// As [`redeem`].
pub fn end_reused(
    tx: &mut WriteTx,
    live: &LiveGrants,
    hash: &[u8; 32],
    by: (&Initiator, Timestamp),
) -> Result<()> {
    let earlier = table::code(tx, hash)?.and_then(|code| code.redeemed);
    earlier.map_or(Ok(()), |grant| stolen(tx, live, grant, "oauth.code_reused", by))
}

/// Exchanges a refresh token for the next one, or prolongs the same, if it is the good one.
///
/// # Errors
/// As [`redeem`].
pub fn refresh(
    tx: &mut WriteTx,
    live: &LiveGrants,
    (generation, hash): (u32, [u8; 32]),
    renewal: Renewal,
    (client, by): (&Client, &Initiator),
    (now, window): (Timestamp, i64),
) -> Result<Refreshed> {
    let Some(grant) = current(tx, renewal.grant, client, now)? else { return Ok(Refreshed::Worthless) };
    let Some((current, current_hash)) = grant.refresh else { return Ok(Refreshed::Worthless) };
    let earlier = if generation < current { table::exchange(tx, grant.id, generation)? } else { None };
    Ok(match judge((current, &current_hash), (generation, &hash), earlier, now, window) {
        Judgement::Current => {
            // All else stays what it is by now: its user may have signed in anew meanwhile.
            let Renewal { expires_at, bound_to, refresh, exchange, .. } = renewal;
            let next = Grant { refreshed_at: now, expires_at, bound_to, refresh: Some(refresh), ..grant };
            table::update(tx, &next, exchange.as_ref())?;
            registration::table::used(tx, &next.client, now)?;
            live.forget(tx, next.id);
            Refreshed::Done
        }
        Judgement::Again { sealed } => Refreshed::Again { sealed },
        // No proof of a user's goes into a grant: nothing was proven again that its client could not have heard of.
        Judgement::Worthless | Judgement::Unheard { .. } => Refreshed::Worthless,
        Judgement::Stolen => {
            stolen(tx, live, grant.id, "oauth.refresh_token_reused", (by, now))?;
            Refreshed::Stolen
        }
    })
}

/// Ends a grant if the refresh token that was presented for it was given up too long ago.
///
/// # Errors
/// As [`redeem`].
///
/// # Returns
/// Whether it was.
pub fn end_if_stolen(
    tx: &mut WriteTx,
    live: &LiveGrants,
    (id, (generation, hash)): (Id<Grant>, (u32, [u8; 32])),
    (client, by): (&Client, &Initiator),
    (now, window): (Timestamp, i64),
) -> Result<bool> {
    let grant = current(tx, id, client, now)?.and_then(|grant| grant.refresh);
    let Some((current, current_hash)) = grant else { return Ok(false) };
    let earlier = if generation < current { table::exchange(tx, id, generation)? } else { None };
    let judgement = judge((current, &current_hash), (generation, &hash), earlier, now, window);
    let is_stolen = matches!(judgement, Judgement::Stolen);
    if is_stolen {
        stolen(tx, live, id, "oauth.refresh_token_reused", (by, now))?;
    }
    Ok(is_stolen)
}

/// A client that acts for the user of another one.
pub struct Exchanged {
    pub grant: Id<Grant>,
    pub client: ClientId,
    /// The client that the token was given to which was shown.
    pub shown_by: ClientId,
    pub actor: Option<String>,
    pub scope: String,
    pub resources: String,
}

/// Writes down that a client acts for a user from now on, if what was granted still is.
///
/// # Errors
/// As [`redeem`].
///
/// # Returns
/// Whether it is.
pub fn note_exchange(
    tx: &mut WriteTx,
    exchanged: &Exchanged,
    (by, now): (&Initiator, Timestamp),
) -> Result<bool> {
    let Some(grant) = table::by_id(tx, exchanged.grant)? else { return Ok(false) };
    let owner = client::table::by_id(tx, &grant.client)?.filter(|owner| owner.is_active);
    let grant = owner.map_or(Ok(None), |owner| current(tx, exchanged.grant, &owner, now))?;
    let Some(grant) = grant else { return Ok(false) };
    let event = Event::new(by, "oauth.token_exchanged", now);
    let event = event.about(SubjectId::User(grant.user), &name_of(tx, grant.user)?);
    let event = event.with("client", exchanged.client.as_str()).with("grant", grant.id.to_string());
    let event = event.with("subject_client", exchanged.shown_by.as_str()).with("scope", &exchanged.scope);
    let event = event.with("audience", &exchanged.resources);
    let event = match &exchanged.actor {
        Some(actor) => event.with("actor", actor),
        None => event,
    };
    audit::table::append(tx, event)?;
    Ok(true)
}

/// A grant of a client whose user may go on, and whose session has not ended if it ends with it.
///
/// # Errors
/// As [`redeem`].
pub fn current(tx: &impl Tx, id: Id<Grant>, client: &Client, now: Timestamp) -> Result<Option<Grant>> {
    let grant = table::by_id(tx, id)?.filter(|grant| grant.is_of(client) && !grant.is_over(now));
    let Some(grant) = grant else { return Ok(None) };
    let session = grant.is_offline || crate::session::table::by_id(tx, grant.proof.session)?.is_some();
    let user = account::table::by_id(tx, grant.user)?;
    let user = user.is_some_and(|user| may_have_tokens(&user) && client.is_for(&user));
    Ok((session && user).then_some(grant))
}

/// Whether clients get tokens for a user: not as long as it has to set its own account in order.
fn may_have_tokens(user: &User) -> bool {
    user.may_go_on() && !user.password_change_required
}

/// Ends a grant because its client or its user says so.
///
/// # Errors
/// As [`redeem`].
pub fn revoke(
    tx: &mut WriteTx,
    live: &LiveGrants,
    id: Id<Grant>,
    (by, now): (&Initiator, Timestamp),
) -> Result<()> {
    let Some(grant) = table::by_id(tx, id)? else { return Ok(()) };
    live.end(tx, id)?;
    let event = described(tx, by, "oauth.grant_revoked", &grant, now)?;
    audit::table::append(tx, event)
}

/// Ends a grant because what it came of, or what it is refreshed with, was presented once too often.
///
/// # Errors
/// As [`redeem`].
pub fn stolen(
    tx: &mut WriteTx,
    live: &LiveGrants,
    id: Id<Grant>,
    action: &str,
    (by, now): (&Initiator, Timestamp),
) -> Result<()> {
    let Some(grant) = table::by_id(tx, id)? else { return Ok(()) };
    live.end(tx, id)?;
    let event = Event::failed(by, action, now).about(SubjectId::User(grant.user), &name_of(tx, grant.user)?);
    audit::table::append(tx, event.with("client", grant.client.as_str()).with("grant", id.to_string()))
}

fn described(tx: &impl Tx, by: &Initiator, action: &str, grant: &Grant, now: Timestamp) -> Result<Event> {
    let event = Event::new(by, action, now).about(SubjectId::User(grant.user), &name_of(tx, grant.user)?);
    let event = event.with("client", grant.client.as_str()).with("grant", grant.id.to_string());
    Ok(event.with("scope", grant.consented.scopes.to_string()))
}
