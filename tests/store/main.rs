//! What the store promises, whatever the tables.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may stop on the spot")]
mod cache;
mod disk;
mod expiry;
mod faults;
mod ledger;
mod model;
mod power;
mod promises;
mod records;
mod rows;
mod schema;
mod support;
