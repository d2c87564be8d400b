//! Who may make, change and end which key: judged in the change itself.
use ipnet::IpNet;

use super::model::{ApiKey, Rights};
use super::table;
use crate::base::{Error, Id, Result, Timestamp};
use crate::rbac::permission::UsersWrite;
use crate::rbac::service::{book_of, check_defined, subject_by_id};
use crate::rbac::{Grants, Initiator, Named, RoleBook, Subject, SubjectId};
use crate::store::Tx;

pub(super) fn of_owner(tx: &impl Tx, owner: SubjectId, id: Id<ApiKey>) -> Result<ApiKey> {
    table::by_id(tx, id)?.filter(|key| key.owner == owner).ok_or(Error::NotFound("API key"))
}

/// The owner that a key is to be made for: oneself, or somebody who holds no more.
pub(super) fn owner_of(tx: &impl Tx, by: &Initiator, id: SubjectId) -> Result<Subject> {
    let not_there =
        Error::NotFound(if matches!(id, SubjectId::User(_)) { "user" } else { "service account" });
    let owner = subject_by_id(tx, id)?.filter(Subject::may_go_on).ok_or(not_there)?;
    if !by.is(id) {
        by.check(tx, &book_of(tx)?.sum(owner.roles()))?;
    }
    Ok(owner)
}

/// A key with its owner, if it may do no more than whoever acts on it. So a key with few rights gets no other's text.
pub(super) fn over(
    tx: &impl Tx,
    by: &Initiator,
    owner: SubjectId,
    id: Id<ApiKey>,
) -> Result<(Subject, ApiKey)> {
    let key = of_owner(tx, owner, id)?;
    let owner = subject_by_id(tx, owner)?.ok_or(Error::NotFound("API key"))?;
    by.check(tx, &effective(&book_of(tx)?, &owner, &key.rights))?;
    if !by.is(owner.id()) {
        by.check(tx, &book_of(tx)?.sum(owner.roles()))?;
    }
    check_lasting(tx, by, &key.rights)?;
    Ok((owner, key))
}

/// What is everything, or a role's, may be more tomorrow: whoever acts with a key that is limited hands on or takes over
/// none of that but the roles that this key has itself.
fn check_lasting(tx: &impl Tx, by: &Initiator, rights: &Rights) -> Result<()> {
    let Some(id) = by.key() else { return Ok(()) };
    let own = table::by_id(tx, id)?.ok_or(Error::TokenRevoked)?.rights;
    if own.unrestricted {
        return Ok(());
    }
    if rights.unrestricted {
        return Err(Error::Forbidden("*".into()));
    }
    let missing = rights.roles.iter().find(|role| !own.roles.contains(role));
    missing.map_or(Ok(()), |role| Err(Error::Forbidden(format!("role {role}").into())))
}

/// What rights come to in the hands of an owner.
fn effective(book: &RoleBook, owner: &Subject, rights: &Rights) -> Grants {
    book.sum(owner.roles()).within(&book.of_rights(rights))
}

/// Rights that are asked for have to be there, be the owner's, and be those of whoever gives them.
pub(super) fn check_rights(tx: &impl Tx, by: &Initiator, owner: &Subject, rights: &Rights) -> Result<()> {
    let book = book_of(tx)?;
    if let Some(missing) = rights.roles.iter().find(|role| book.role(role.as_str()).is_none()) {
        return Err(Error::invalid("roles", format!("has `{missing}`, which is not there")));
    }
    check_defined(tx, &rights.permissions)?;
    if !rights.unrestricted {
        let held = book.sum(owner.roles());
        if let Some(above) = book.of_rights(rights).patterns().find(|pattern| !held.includes(pattern)) {
            return Err(Error::Forbidden(above.as_str().to_owned().into()));
        }
    }
    by.check(tx, &effective(&book, owner, rights))?;
    if rights.unrestricted && !by.is(owner.id()) {
        // What the owner is given later would be in the hands of whoever made the key.
        by.check(tx, &book.of_rights(rights))?;
    }
    check_lasting(tx, by, rights)
}

/// Whoever acts with a key that ends, or is tied to networks, makes the owner none that lasts longer or reaches further.
pub(super) fn check_bounds(tx: &impl Tx, by: &Initiator, new: &ApiKey) -> Result<()> {
    let own = by.key().filter(|_| by.is(new.owner)).map_or(Ok(None), |id| table::by_id(tx, id))?;
    let Some(own) = own else { return Ok(()) };
    if own.expires_at.is_some_and(|end| new.expires_at.is_none_or(|other| other > end)) {
        return Err(Error::invalid("expires_at", "must not be later than that of the key that asks"));
    }
    let is_within = |net: &IpNet| own.networks.iter().any(|mine| mine.contains(net));
    let reaches = new.networks.is_empty() || !new.networks.iter().all(is_within);
    if !own.networks.is_empty() && reaches {
        return Err(Error::invalid("networks", "must be within those of the key that asks"));
    }
    Ok(())
}

/// Nobody lifts the limit that the server sets them: who could, could fill the audit trail until it forgets.
pub(super) fn check_limit(tx: &impl Tx, by: &Initiator, requests: Option<u32>, everyones: u32) -> Result<()> {
    if everyones == 0 || requests.is_none_or(|requests| requests <= everyones) {
        return Ok(());
    }
    by.check_permission(tx, UsersWrite::NAME)
}

pub(super) fn check_end(key: &ApiKey, now: Timestamp) -> Result<()> {
    if key.expires_at.is_some_and(|end| end <= now) {
        return Err(Error::invalid("expires_at", "must be in the future"));
    }
    Ok(())
}
