//! When all records of a line wait: as long as the platform asked for, or longer each time that it could not be reached.

use crate::link::backoff::Backoff;
use std::time::{Duration, Instant};

/// The pauses of a line.
pub struct Pauses {
    backoff: Backoff,
    /// Of our own making: over as soon as anything works.
    own_until: Option<Instant>,
    /// The platform asked for it.
    asked_until: Option<Instant>,
}

impl Pauses {
    pub fn new(first: Duration, longest: Duration) -> Pauses {
        Pauses { backoff: Backoff::new(first, longest), own_until: None, asked_until: None }
    }

    /// The end of the pause that is now.
    pub fn until(&self, now: Instant) -> Option<Instant> {
        self.own_until.max(self.asked_until).filter(|until| *until > now)
    }

    /// All wait: as long as asked, or longer each time. Lanes that fail together count once.
    pub fn add(&mut self, wait: Option<Duration>) {
        let now = Instant::now();
        match wait {
            Some(wait) => self.asked_until = self.asked_until.max(Some(now + wait)),
            None if self.until(now).is_none() => self.own_until = Some(now + self.backoff.pause()),
            None => {}
        }
    }

    /// The link works.
    pub fn worked(&mut self) {
        self.backoff.reset();
        self.own_until = None;
    }
}
