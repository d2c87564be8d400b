//! What is kept of every table: its version, how its rows end, what they have to be.
use crate::store::{Check, Schema, Sweep};
use crate::{
    account, api_key, audit, contact, email_login, email_verification, forward, keys, login, mail, mfa,
    oauth, passkey, password_reset, rbac, recovery, registration, service_account, session, throttle, users,
};

/// How rows of every table end.
pub const SWEEPS: &[Sweep] = &[
    session::change::SWEEPS[0],
    session::table::SWEEPS[0],
    users::service::SWEEPS[0],
    api_key::table::SWEEPS[0],
    password_reset::table::SWEEPS[0],
    password_reset::table::SWEEPS[1],
    mfa::table::SWEEPS[0],
    mfa::table::SWEEPS[1],
    login::table::SWEEPS[0],
    recovery::table::SWEEPS[0],
    throttle::table::SWEEPS[0],
    registration::table::SWEEPS[0],
    email_login::table::SWEEPS[0],
    email_verification::table::SWEEPS[0],
    email_verification::table::SWEEPS[1],
    mail::table::SWEEPS[0],
    mail::table::SWEEPS[1],
    mail::worker::SWEEPS[0],
    passkey::table::SWEEPS[0],
    oauth::assertion::table::SWEEPS[0],
    oauth::pushed::table::SWEEPS[0],
    oauth::initial_token::table::SWEEPS[0],
    oauth::grant::table::SWEEPS[0],
    oauth::grant::table::SWEEPS[1],
    oauth::grant::table::SWEEPS[2],
    oauth::device::table::SWEEPS[0],
    oauth::backchannel::change::SWEEPS[0],
    oauth::backchannel::change::SWEEPS[1],
    oauth::consent::change::SWEEPS[0],
];

/// What version the store has, and how older ones become it.
pub const SCHEMA: Schema = Schema { steps: &[account::table::index_roles, api_key::table::index_roles] };

/// Every table and what its rows have to be.
pub const CHECKS: &[&[(&str, Check)]] = &[
    account::table::CHECKS,
    session::table::CHECKS,
    keys::table::CHECKS,
    rbac::table::CHECKS,
    service_account::table::CHECKS,
    api_key::table::CHECKS,
    password_reset::table::CHECKS,
    mfa::table::CHECKS,
    login::table::CHECKS,
    recovery::table::CHECKS,
    throttle::table::CHECKS,
    registration::table::CHECKS,
    email_login::table::CHECKS,
    email_verification::table::CHECKS,
    mail::table::CHECKS,
    passkey::table::CHECKS,
    oauth::client::table::CHECKS,
    oauth::assertion::table::CHECKS,
    oauth::pushed::table::CHECKS,
    oauth::registration::table::CHECKS,
    oauth::initial_token::table::CHECKS,
    oauth::grant::table::CHECKS,
    oauth::consent::table::CHECKS,
    oauth::device::table::CHECKS,
    contact::table::CHECKS,
    oauth::logout::table::CHECKS,
    oauth::backchannel::table::CHECKS,
    forward::rule::table::CHECKS,
    audit::table::CHECKS,
];
