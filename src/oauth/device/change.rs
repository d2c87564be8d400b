//! What changes do with requests of devices: each is judged once more by what is there in the change.
use super::model::{Answer, DeviceRequest, Worth};
use super::table;
use crate::account::{self, User};
use crate::audit::{self, Event};
use crate::base::{Error, Result, Timestamp};
use crate::oauth::authorize::service::agree;
use crate::oauth::client::Client;
use crate::oauth::grant::LiveGrants;
use crate::oauth::grant::change::{Redeemed, begin, stolen};
use crate::oauth::grant::model::{Code, Grant, Proof};
use crate::rbac::Initiator;
use crate::session;
use crate::store::{Tx, WriteTx};

/// Writes what a user says to a request: `proof` of who it is for a yes.
///
/// # Errors
/// `Error::TokenRevoked` when the session has ended meanwhile; `Error::NotFound` when somebody has answered before, or the
/// time is over.
pub fn answer(
    tx: &mut WriteTx,
    (hash, client): (&[u8; 32], &Client),
    (user, proof, agrees): (u64, &Proof, bool),
    (by, now): (&Initiator, Timestamp),
) -> Result<()> {
    session::table::by_id(tx, proof.session)?.ok_or(Error::TokenRevoked)?;
    let user = account::table::by_id(tx, user)?.filter(User::may_go_on).ok_or(Error::TokenRevoked)?;
    let found = table::find(tx, hash)?.filter(|found| found.is_of(client) && found.is_open(now));
    let found = found.ok_or(Error::NotFound("code"))?;
    let (action, answer) = if agrees {
        // Nobody is asked again for what it has agreed to here; clients of our own ask nobody.
        if !client.rules.is_first_party {
            agree(tx, by, &user, (client, &found.code(user.id, proof.clone(), now)), now)?;
        }
        ("oauth.device_approved", Answer::Yes { user: user.id, proof: proof.clone(), at: now })
    } else {
        ("oauth.device_refused", Answer::No)
    };
    let event = described(&found, Event::new(by, action, now).about_user(&user));
    table::answered(tx, hash, &DeviceRequest { answer, ..found })?;
    audit::table::append(tx, event)
}

/// Spends a device code and writes the grant that comes of it, in one.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve, here and below.
pub fn redeem(
    tx: &mut WriteTx,
    live: &LiveGrants,
    (hash, code): (&[u8; 32], &Code),
    grant: &Grant,
    by: (&Initiator, Timestamp),
) -> Result<Redeemed> {
    let Some(found) = table::find(tx, hash)? else { return Ok(Redeemed::Worthless) };
    match found.worth(by.1) {
        Worth::Spent => end_reused(tx, live, hash, by).map(|()| Redeemed::Again),
        Worth::Code(worth) if *worth == *code => {
            let Some(begun) = begin(tx, code, grant, by)? else { return Ok(Redeemed::Worthless) };
            table::answered(tx, hash, &DeviceRequest { answer: Answer::Redeemed(grant.id), ..found })?;
            Ok(Redeemed::Once(begun))
        }
        _ => Ok(Redeemed::Worthless),
    }
}

/// Ends what came of a device code that somebody presents once more: it is in more hands than its device's.
///
/// # Errors
/// As [`redeem`].
pub fn end_reused(
    tx: &mut WriteTx,
    live: &LiveGrants,
    hash: &[u8; 32],
    by: (&Initiator, Timestamp),
) -> Result<()> {
    match table::find(tx, hash)?.map(|found| found.answer) {
        Some(Answer::Redeemed(grant)) => stolen(tx, live, grant, "oauth.device_code_reused", by),
        _ => Ok(()),
    }
}

/// Writes what a device asks for.
///
/// # Errors
/// As [`table::insert`].
pub fn ask(tx: &mut WriteTx, hash: &[u8; 32], request: &DeviceRequest, by: &Initiator) -> Result<()> {
    table::insert(tx, hash, request)?;
    let event = Event::new(by, "oauth.device_asked", request.created_at);
    audit::table::append(tx, described(request, event))
}

fn described(request: &DeviceRequest, event: Event) -> Event {
    let event = event.with("client", request.client.as_str());
    event.with("scope", request.wanted.all_scopes().to_string()).with("device_address", &request.address)
}

/// The request that a user code stands for, if it can be answered yet.
///
/// # Errors
/// As [`redeem`].
pub fn open(tx: &impl Tx, code: &[u8; 32], now: Timestamp) -> Result<Option<([u8; 32], DeviceRequest)>> {
    Ok(table::by_user_code(tx, code)?.filter(|(_, request)| request.is_open(now)))
}
