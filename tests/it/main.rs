//! The service over a real socket: one binary, one link, shared helpers.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop on the spot")]
mod account;
mod session;
mod support;
