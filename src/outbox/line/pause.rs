//! When records wait: those of one order, or all of a line, as long as the platform asked for, or longer each time that it
//! could not be reached.

use super::{Line, State, key_of};
use crate::error::Error;
use crate::link::backoff::Backoff;
use crate::store::Record;
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

impl Line {
    /// A record was not sent for a reason of its order, which waits so long.
    pub fn hold(&self, record: &Record, error: &Error, pause: Duration) {
        let mut state = self.lock();
        let key = key_of(record);
        state.hold(&key, pause);
        state.busy.remove(&key);
        state.last_error = Some(error.message.clone());
        drop(state);
        self.tell();
    }
}

impl State {
    /// An order waits so long; it goes on from the store.
    pub(super) fn hold(&mut self, key: &str, pause: Duration) {
        self.ready.retain(|other| key_of(other) != key);
        self.resumed.retain(|other| other != key);
        self.held.insert(key.to_owned(), Instant::now() + pause);
    }
}
