//! Where requests of devices wait for their users. Every index is written here and nowhere else.
use super::model::{DeviceRequest, KNOWN_SECS};
use crate::base::{Error, Result};
use crate::store::{Check, Map, Record, Sweep, Tx, WriteTx, expire_at, points_at};

/// hash of the device code -> request
const REQUESTS: Map<DeviceRequest> = Map::new("oauth.device");
/// keyed hash of the user code ++ hash of the device code -> nothing; only of those that wait for their user
const BY_USER_CODE: Map<()> = Map::new("oauth.device.by_user_code");

impl Record for DeviceRequest {
    const VERSION: u8 = 1;
}

/// How rows of these tables end.
pub const SWEEPS: [Sweep; 1] = [Sweep {
    table: REQUESTS.name(),
    end: |tx, key, _| {
        if let (Some(request), Some(hash)) = (REQUESTS.get(tx, key)?, key.first_chunk()) {
            close(tx, hash, &request);
            REQUESTS.remove(tx, key);
        }
        Ok(None)
    },
}];

/// Looks at every row of these tables.
pub const CHECKS: &[(&str, Check)] = &[
    (REQUESTS.name(), |_, _, value| REQUESTS.decode(value).map(|_| None)),
    (BY_USER_CODE.name(), |tx, key, _| points_at(tx, REQUESTS.name(), key.get(32..).unwrap_or_default())),
];

/// The request of a device code, by its hash.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve, here and below.
pub fn find(tx: &impl Tx, hash: &[u8; 32]) -> Result<Option<DeviceRequest>> {
    REQUESTS.get(tx, hash)
}

/// The request that waits for the user who has a user code, and the hash of its device code.
///
/// # Errors
/// As [`find`].
pub fn by_user_code(tx: &impl Tx, code: &[u8; 32]) -> Result<Option<([u8; 32], DeviceRequest)>> {
    let rows = BY_USER_CODE.first(tx, code, 1)?;
    let hash: Option<[u8; 32]> = rows.first().and_then(|(key, ())| key.get(32..)?.try_into().ok());
    let Some(hash) = hash else { return Ok(None) };
    Ok(find(tx, &hash)?.map(|request| (hash, request)))
}

/// Writes a new request.
///
/// # Errors
/// `Error::Busy` when another one that waits has the same user code.
pub fn insert(tx: &mut WriteTx, hash: &[u8; 32], request: &DeviceRequest) -> Result<()> {
    if by_user_code(tx, &request.user_code)?.is_some() {
        return Err(Error::Busy { retry_after_secs: 1 });
    }
    BY_USER_CODE.put(tx, &[request.user_code, *hash].concat(), &())?;
    expire_at(tx, REQUESTS.name(), hash, request.expires_at.plus_secs(KNOWN_SECS))?;
    REQUESTS.put(tx, hash, request)
}

/// Writes a request that was answered: nobody finds it by its user code any more.
///
/// # Errors
/// As [`find`].
pub fn answered(tx: &mut WriteTx, hash: &[u8; 32], request: &DeviceRequest) -> Result<()> {
    close(tx, hash, request);
    REQUESTS.put(tx, hash, request)
}

fn close(tx: &mut WriteTx, hash: &[u8; 32], request: &DeviceRequest) {
    BY_USER_CODE.remove(tx, &[request.user_code, *hash].concat());
}
