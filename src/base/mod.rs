//! What every layer may use: errors, time, randomness, ids, checked text. Imports nothing else of ours.
pub mod clock;
pub mod entropy;
pub mod error;
pub mod id;
pub mod page;
pub mod secret;
pub mod text;

use std::sync::Arc;

pub use clock::{Clock, ManualClock, SystemClock, Tick, Timestamp};
pub use entropy::{Entropy, SeededEntropy, SystemEntropy};
pub use error::{Error, FieldError, Result, SecondFactor, Strength};
pub use id::Id;
pub use page::{Page, PageRequest};
pub use secret::{Secret, constant_time_eq};

/// The outside world as the services see it; tests hand in a manual one.
#[derive(Clone)]
pub struct Env {
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

impl Env {
    /// The machine's clock and randomness.
    #[must_use]
    pub fn system() -> Self {
        Self { clock: Arc::new(SystemClock), entropy: Arc::new(SystemEntropy) }
    }

    /// The present.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
