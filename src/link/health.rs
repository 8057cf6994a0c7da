//! How a link fares that has no connection of its own: it asks when it is asked.

use super::Members;
use crate::error::{Code, Error};
use crate::json::members;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// What the last call showed, and counts.
#[derive(Debug)]
pub struct Health(Mutex<Facts>);

#[derive(Debug)]
struct Facts {
    state: &'static str,
    since: u64,
    last_error: Option<String>,
    sent: u64,
    failed: u64,
}

impl Default for Health {
    fn default() -> Self {
        Health(Mutex::new(Facts { state: "up", since: now(), last_error: None, sent: 0, failed: 0 }))
    }
}

impl Health {
    fn lock(&self) -> MutexGuard<'_, Facts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call has ended.
    pub fn note<T>(&self, outcome: &Result<T, Error>) {
        let mut facts = self.lock();
        facts.sent += 1;
        let state = match outcome {
            Err(error) if error.code == Code::Closed => return,
            Err(error) => {
                facts.failed += 1;
                facts.last_error = Some(error.message.clone());
                "down"
            }
            Ok(_) => "up",
        };
        facts.turn(state);
    }

    /// The link was shut.
    pub fn close(&self) {
        self.lock().turn("closed");
    }

    /// For the status.
    pub fn status(&self) -> Members {
        let facts = self.lock();
        members! {
            "state": facts.state,
            "since": facts.since,
            "last_error": facts.last_error.clone(),
            "sent": facts.sent,
            "failed": facts.failed,
        }
    }
}

impl Facts {
    fn turn(&mut self, state: &'static str) {
        if self.state != state && self.state != "closed" {
            self.state = state;
            self.since = now();
        }
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
