//! Where second factors and trusted devices are kept.
use super::model::{Factors, Listed, Setup, TrustedDevice};
use crate::base::{Id, Result};
use crate::store::{Check, Map, Record, Sweep, Tx, WriteTx, expire_at, points_at};

/// user -> factors
const FACTORS: Map<Factors> = Map::new("mfa");
/// user -> setup
const SETUPS: Map<Setup> = Map::new("mfa.setup");
/// user ++ hash of the token -> device
const DEVICES: Map<TrustedDevice> = Map::new("mfa.trusted_device");
/// Whose they are.
const USERS: &str = "user";
const USER_BYTES: usize = 8;
const ID_BYTES: usize = 16;

impl Record for Factors {
    const VERSION: u8 = 1;
}
impl Record for Setup {
    const VERSION: u8 = 1;
}
impl Record for TrustedDevice {
    const VERSION: u8 = 1;
}

/// How rows of these tables end.
pub const SWEEPS: [Sweep; 2] = [
    Sweep {
        table: SETUPS.name(),
        end: |tx, key, now| {
            // A later one has a row of its own in the index.
            if SETUPS.get(tx, key)?.is_some_and(|setup| setup.expires_at <= now) {
                SETUPS.remove(tx, key);
            }
            Ok(None)
        },
    },
    Sweep {
        table: DEVICES.name(),
        end: |tx, key, now| {
            if DEVICES.get(tx, key)?.is_some_and(|device| device.expires_at <= now) {
                DEVICES.remove(tx, key);
            }
            Ok(None)
        },
    },
];

/// Looks at every row of these tables: none outlives its user.
pub const CHECKS: &[(&str, Check)] = &[
    (FACTORS.name(), |tx, key, value| FACTORS.decode(value).and_then(|_| points_at(tx, USERS, key))),
    (SETUPS.name(), |tx, key, value| SETUPS.decode(value).and_then(|_| points_at(tx, USERS, key))),
    (DEVICES.name(), |tx, key, value| {
        DEVICES.decode(value)?;
        points_at(tx, USERS, key.get(..USER_BYTES).unwrap_or_default())
    }),
];

/// The factors of a user; none for one who never had any.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve, here and below.
pub fn factors(tx: &impl Tx, user: u64) -> Result<Factors> {
    Ok(FACTORS.get(tx, &user.to_be_bytes())?.unwrap_or_default())
}

/// Writes the factors of a user.
///
/// # Errors
/// As [`factors`].
pub fn put_factors(tx: &mut WriteTx, user: u64, factors: &Factors) -> Result<()> {
    FACTORS.put(tx, &user.to_be_bytes(), factors)
}

/// The app that a user is setting up.
///
/// # Errors
/// As [`factors`].
pub fn setup(tx: &impl Tx, user: u64) -> Result<Option<Setup>> {
    SETUPS.get(tx, &user.to_be_bytes())
}

/// Writes the app that a user is setting up, over the one before.
///
/// # Errors
/// As [`factors`].
pub fn put_setup(tx: &mut WriteTx, user: u64, setup: &Setup) -> Result<()> {
    expire_at(tx, SETUPS.name(), &user.to_be_bytes(), setup.expires_at)?;
    SETUPS.put(tx, &user.to_be_bytes(), setup)
}

/// Removes the app that a user is setting up.
pub fn remove_setup(tx: &mut WriteTx, user: u64) {
    SETUPS.remove(tx, &user.to_be_bytes());
}

/// The device of a token.
///
/// # Errors
/// As [`factors`].
pub fn device(tx: &impl Tx, user: u64, hash: &[u8; 32]) -> Result<Option<TrustedDevice>> {
    DEVICES.get(tx, &device_key(user, hash))
}

/// Writes a device.
///
/// # Errors
/// As [`factors`].
pub fn put_device(tx: &mut WriteTx, user: u64, hash: &[u8; 32], device: &TrustedDevice) -> Result<()> {
    let key = device_key(user, hash);
    expire_at(tx, DEVICES.name(), &key, device.expires_at)?;
    DEVICES.put(tx, &key, device)
}

/// All devices of a user, the oldest first.
///
/// # Errors
/// As [`factors`].
pub fn devices(tx: &impl Tx, user: u64) -> Result<Vec<Listed>> {
    let rows = DEVICES.first(tx, &user.to_be_bytes(), usize::MAX)?;
    let listed = |(key, device): (Vec<u8>, TrustedDevice)| {
        let id = key.get(USER_BYTES..USER_BYTES + ID_BYTES)?.try_into().map(Id::from_bytes).ok()?;
        Some(Listed { id, device })
    };
    let mut all: Vec<_> = rows.into_iter().filter_map(listed).collect();
    all.sort_by_key(|listed| listed.device.created_at);
    Ok(all)
}

/// Removes a device by its id.
///
/// # Errors
/// As [`factors`].
///
/// # Returns
/// Whether it was there.
pub fn remove_device(tx: &mut WriteTx, user: u64, id: Id<TrustedDevice>) -> Result<bool> {
    let prefix = [&user.to_be_bytes()[..], id.as_bytes()].concat();
    let rows = DEVICES.first(tx, &prefix, usize::MAX)?;
    rows.iter().for_each(|(key, _)| DEVICES.remove(tx, key));
    Ok(!rows.is_empty())
}

/// Removes all devices of a user.
///
/// # Errors
/// As [`factors`].
///
/// # Returns
/// How many there were.
pub fn remove_devices(tx: &mut WriteTx, user: u64) -> Result<usize> {
    let rows = DEVICES.first(tx, &user.to_be_bytes(), usize::MAX)?;
    rows.iter().for_each(|(key, _)| DEVICES.remove(tx, key));
    Ok(rows.len())
}

/// Removes all that a user has here.
///
/// # Errors
/// As [`factors`].
pub fn remove_all(tx: &mut WriteTx, user: u64) -> Result<()> {
    FACTORS.remove(tx, &user.to_be_bytes());
    remove_setup(tx, user);
    remove_devices(tx, user).map(drop)
}

fn device_key(user: u64, hash: &[u8; 32]) -> Vec<u8> {
    [&user.to_be_bytes()[..], hash].concat()
}
