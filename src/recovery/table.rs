//! Where started recoveries are kept.
use crate::one_time::Texts;
use crate::store::{Check, Sweep};

/// The texts that let their users back in.
pub const RECOVERIES: Texts = Texts::new("recovery");

/// How rows of this table end.
pub const SWEEPS: [Sweep; 1] =
    [Sweep { table: RECOVERIES.name(), end: |tx, key, now| RECOVERIES.end(tx, key, now) }];

/// Looks at every row of this table.
pub const CHECKS: &[(&str, Check)] = &[(RECOVERIES.name(), |_, _, value| RECOVERIES.verify(value))];
