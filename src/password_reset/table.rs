//! Where started resets are kept.
use crate::one_time::Texts;
use crate::store::{Check, Sweep};

/// The texts that choose another password.
pub const RESETS: Texts = Texts::new("password_reset");

/// How rows of this table end.
pub const SWEEPS: [Sweep; 1] = [Sweep { table: RESETS.name(), end: |tx, key, now| RESETS.end(tx, key, now) }];

/// Looks at every row of this table.
pub const CHECKS: &[(&str, Check)] = &[(RESETS.name(), |_, _, value| RESETS.verify(value))];
