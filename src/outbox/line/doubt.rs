//! What a line knows beside its order: which records are in doubt, who waits for an outcome, how it stands.

use super::Line;
use crate::json::{Members, members};
use crate::sdk::Outcome;
use crate::store::{Record, Settled};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

impl Line {
    /// Writes down that a record was sent and that nobody knows what became of it; it stays under way.
    pub fn doubt(self: &Arc<Self>, record: &Record) {
        let error = "sent before a crash".to_owned();
        self.lock().settled.push((record.clone(), Settled::Again { data: None, error }));
        self.write_down_and_wait();
    }

    /// The platform answered an upload outside the line.
    pub fn answered_live(&self) {
        self.live.fetch_add(1, Ordering::Relaxed);
    }

    /// A record was not answered. Tells how often that happened while the platform answered others: then it is the record.
    pub fn times_alone(&self, record: &Record) -> i64 {
        let mut state = self.lock();
        let successes = state.successes + self.live.load(Ordering::Relaxed);
        let (before, times) = state.suspects.entry(record.id).or_insert((successes, 0));
        *times += i64::from(successes > *before);
        *before = successes;
        *times
    }

    /// Outcomes are kept from now on; ends with [`Line::wait_for`].
    pub fn watch(&self) {
        self.lock().watchers += 1;
    }

    /// Waits for the outcome of a ticket.
    pub fn wait_for(&self, ticket: Option<u64>, deadline: Instant) -> Option<Outcome> {
        let mut state = self.lock();
        let mut outcome = None;
        if let Some(ticket) = ticket {
            loop {
                outcome = state.outcomes.remove(&ticket);
                let now = Instant::now();
                if outcome.is_some() || now >= deadline || self.shared.stop.is_cancelled() {
                    break;
                }
                state = self.sleep(state, Some(deadline), false);
            }
        }
        state.watchers -= 1;
        if state.watchers == 0 {
            state.outcomes.clear();
        }
        outcome
    }

    /// For `parklink_status`; the store was asked for the oldest record, for that is not to be waited for in here.
    pub fn status(&self, oldest: Option<i64>) -> Members {
        let count = self.shared.store.count(self.platform.name());
        let state = self.lock();
        members! {
            "records": count.records,
            "bytes": count.bytes,
            "oldest_ms": oldest,
            "under_way": state.busy.len(),
            "held_orders": state.held.len(),
            "sent": state.sent,
            "delivered": state.delivered,
            "last_error": state.last_error.clone(),
        }
    }
}
