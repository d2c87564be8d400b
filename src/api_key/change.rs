//! What the changes of other features do with keys.
use super::table;
use crate::base::Result;
use crate::rbac::SubjectId;
use crate::store::WriteTx;

/// Removes all keys of an owner who goes. Whoever calls this has made the owner forgotten in the same change.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve.
pub fn remove_all(tx: &mut WriteTx, owner: SubjectId) -> Result<()> {
    for id in table::ids_of_owner(tx, owner)? {
        if let Some(key) = table::by_id(tx, id)? {
            table::remove(tx, &key)?;
        }
    }
    table::forget_made(tx, owner);
    Ok(())
}
