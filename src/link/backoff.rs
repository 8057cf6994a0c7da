//! The pause before the next try: doubled each time, with jitter so that a street of lots does not knock in step.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

/// Counts the failures in a row.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    /// Pauses from `first` to `longest`.
    pub fn new(first: Duration, longest: Duration) -> Self {
        Backoff { first, longest, failures: 0 }
    }

    /// The pause after one more failure: between half of the doubled pause and all of it.
    pub fn pause(&mut self) -> Duration {
        let whole = self.first.saturating_mul(1 << self.failures.min(20)).min(self.longest);
        self.failures = self.failures.saturating_add(1);
        whole / 2 + whole.mul_f64(random_share()) / 2
    }

    /// It worked: the next failure starts over.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

/// A number in 0..1 that differs between processes and calls; no secret hangs on it.
fn random_share() -> f64 {
    let bits = RandomState::new().build_hasher().finish();
    (bits >> 11) as f64 / (1u64 << 53) as f64
}
