//! What the store promises, whatever the tables.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may stop on the spot")]
mod disk;
mod ledger;
mod power;
mod support;
