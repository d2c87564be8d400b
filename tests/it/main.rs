//! The service over a real socket: one binary, one link, shared helpers.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop on the spot")]
mod account;
mod administration;
mod api_keys;
mod architecture;
mod audit;
mod cache;
mod credentials;
mod csrf;
mod endpoints;
mod hashing;
mod health;
mod http;
mod keys;
mod listener;
mod mfa;
mod pages;
mod passkeys;
mod password_change;
mod permissions;
mod rbac;
mod service_accounts;
mod session;
mod support;
mod throttle;
mod transfer;
mod users;
