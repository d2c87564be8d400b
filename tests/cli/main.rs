//! The real binary: its commands, its exit codes, its end.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may stop on the spot")]
mod breach;
mod clients;
mod commands;
mod credentials;
mod damage;
mod end;
mod forward_rules;
mod keys;
mod mail;
mod refusals;
mod roles;
mod secrets;
mod settings;
mod start;
mod support;
mod transfer;
