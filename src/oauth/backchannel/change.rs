//! What changes do with deliveries: they are written where a session ends, and settled where somebody was told.
use super::model::Delivery;
use super::table;
use crate::audit::{self, Event};
use crate::base::{Id, Result, Timestamp};
use crate::oauth::client::{self, ClientId};
use crate::oauth::logout;
use crate::rbac::{Initiator, SubjectId};
use crate::session::Session;
use crate::session::change::name_of;
use crate::store::{Sweep, WriteTx};

/// Rows that are removed in one change.
const AT_ONCE: usize = 1000;

/// How those end that nobody has answered in time, and those of clients that are gone.
pub const SWEEPS: [Sweep; 2] = [
    Sweep {
        table: table::NAME,
        end: |tx, key, now| {
            if let Some(delivery) = table::by_key(tx, key)?.filter(Delivery::is_waiting) {
                settle(tx, &delivery.given_up("it was not reached in time", now), now)?;
            }
            Ok(None)
        },
    },
    Sweep {
        table: table::CLIENTS,
        end: |tx, key, now| {
            let Some(id) = ClientId::parse_bytes(key) else { return Ok(None) };
            // One that was made anew keeps what is its own.
            let before = client::table::by_id(tx, &id)?.map_or(Timestamp::MAX, |client| client.created_at);
            Ok(table::remove_some(tx, &id, before, AT_ONCE)?.then_some(now))
        },
    },
];

/// Writes what the clients of a session that ends are to be told: in the change that ends it, so that none is forgotten.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve, here and below.
///
/// # Returns
/// Whether anybody is to be told anything.
pub fn session_ended(tx: &mut WriteTx, session: Id<Session>, now: Timestamp) -> Result<bool> {
    let (parties, sid) = (logout::table::of_session(tx, session)?, logout::table::sid(tx, session)?);
    logout::table::forget(tx, session, &parties);
    let mut is_told = false;
    for (id, party) in parties {
        // One that was deleted and made anew is another.
        let client = client::table::by_id(tx, &id)?.filter(|client| party.since >= client.created_at);
        if client.is_some_and(|client| client.metadata.backchannel_logout_uri.is_some()) {
            let delivery = Delivery::new((session, sid), id, party.user, now);
            if let Some(oldest) = table::insert(tx, &delivery)?.filter(Delivery::is_waiting) {
                let oldest = oldest.given_up("too many others wait", now);
                tell(tx, &oldest, now)?;
            }
            is_told = true;
        }
    }
    Ok(is_told)
}

/// Writes what has become of a delivery, unless it is gone or something else has become of it meanwhile.
///
/// # Errors
/// As [`session_ended`].
pub fn settle(tx: &mut WriteTx, delivery: &Delivery, now: Timestamp) -> Result<()> {
    let Some(old) = table::by_id(tx, delivery.id)?.filter(Delivery::is_waiting) else { return Ok(()) };
    table::update(tx, &old, delivery)?;
    tell(tx, delivery, now)
}

/// Tells in the audit trail of a client that does not know of an end.
fn tell(tx: &mut WriteTx, delivery: &Delivery, now: Timestamp) -> Result<()> {
    let action = match delivery.state.name() {
        "refused" => "oauth.logout_refused",
        "given_up" => "oauth.logout_given_up",
        _ => return Ok(()),
    };
    let user = delivery.user;
    let event = Event::failed(&Initiator::system(), action, now);
    let event = event.about(SubjectId::User(user), &name_of(tx, user)?);
    let event = event.with("client", delivery.client.as_str()).with("sid", delivery.sid.to_string());
    audit::table::append(tx, event.with("attempts", delivery.attempts.to_string()))
}
