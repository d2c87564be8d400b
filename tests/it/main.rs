//! The service over a real socket: one binary, one link, shared helpers.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop on the spot")]
#![recursion_limit = "256"]

mod account;
mod administration;
mod api_keys;
mod architecture;
mod audit;
mod cache;
mod credentials;
mod csrf;
mod debug;
mod endpoints;
mod forward;
mod hashing;
mod health;
mod http;
mod keys;
mod listener;
mod mail;
mod mfa;
mod oauth;
mod oauth_clients;
mod outbound;
mod pages;
mod passkeys;
mod password_change;
mod permissions;
mod rbac;
mod security;
mod service_accounts;
mod session;
mod stand_ins;
mod support;
mod throttle;
mod transfer;
mod users;
