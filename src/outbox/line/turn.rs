//! Uploads outside the line that have not returned yet, by their order key. What comes later of the same order waits for
//! them: one that fails takes its place in the line first.

use super::Line;
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The keys.
#[derive(Default)]
pub(super) struct Turns {
    keys: Mutex<HashSet<String>>,
    /// How many: whoever only stores looks here first.
    count: AtomicUsize,
    ended: Condvar,
}

impl Turns {
    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to send something of an order outside the line; it ends with the value.
pub(crate) struct Turn<'a> {
    turns: &'a Turns,
    key: String,
}

impl Turn<'_> {
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut keys = self.turns.lock();
        keys.remove(&self.key);
        self.turns.count.store(keys.len(), Ordering::SeqCst);
        drop(keys);
        self.turns.ended.notify_all();
    }
}

impl Line {
    /// The turn of this order; waits for it while another has it, at most until then. The key back when it does not come.
    pub fn turn(&self, key: String, until: Option<Instant>) -> Result<Turn<'_>, String> {
        let turns = &self.turns;
        let mut keys = turns.lock();
        while keys.contains(&key) {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let Some(left) = left.filter(|left| !left.is_zero()) else { return Err(key) };
            keys = turns.ended.wait_timeout(keys, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        keys.insert(key.clone());
        turns.count.store(keys.len(), Ordering::SeqCst);
        Ok(Turn { turns, key })
    }

    /// Waits until nobody has the turn of this order. Whoever has it sends, which ends in its own time.
    pub fn wait_for_turn(&self, key: &str) {
        if self.turns.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        let mut keys = self.turns.lock();
        while keys.contains(key) {
            keys = self.turns.ended.wait(keys).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
