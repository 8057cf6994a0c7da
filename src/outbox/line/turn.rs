//! Uploads outside the line that have not returned yet, by their order key. What comes later of the same order waits for
//! them: one that fails takes its place in the line first.

use super::Line;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Whoever waits without an end of its own looks so often.
const LOOK: Duration = Duration::from_secs(1);

/// The turns that are taken.
#[derive(Default)]
pub(super) struct Turns {
    state: Mutex<State>,
    /// How many: whoever only stores looks here first.
    count: AtomicUsize,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    /// As many as there are callers: a table would not be quicker.
    keys: Vec<String>,
    /// Who waits: to wake nobody costs a call of the system too.
    sleepers: usize,
}

impl State {
    fn has(&self, key: &str) -> bool {
        self.keys.iter().any(|known| known == key)
    }
}

impl Turns {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for an end, at most so long.
    fn sleep<'a>(&'a self, mut state: MutexGuard<'a, State>, longest: Duration) -> MutexGuard<'a, State> {
        state.sleepers += 1;
        state = self.ended.wait_timeout(state, longest).unwrap_or_else(PoisonError::into_inner).0;
        state.sleepers -= 1;
        state
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
        let mut state = self.turns.lock();
        if let Some(at) = state.keys.iter().position(|key| *key == self.key) {
            state.keys.swap_remove(at);
        }
        self.turns.count.store(state.keys.len(), Ordering::SeqCst);
        if state.sleepers > 0 {
            drop(state);
            self.turns.ended.notify_all();
        }
    }
}

impl Line {
    /// The turn of this order; waits for it while another has it, at most until then. The key back when it does not come.
    pub fn turn(&self, key: String, until: Option<Instant>) -> Result<Turn<'_>, String> {
        let turns = &self.turns;
        let mut state = turns.lock();
        while state.has(&key) {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let Some(left) = left.filter(|left| !left.is_zero()) else { return Err(key) };
            state = turns.sleep(state, left);
        }
        state.keys.push(key.clone());
        turns.count.store(state.keys.len(), Ordering::SeqCst);
        drop(state);
        Ok(Turn { turns, key })
    }

    /// Waits until nobody has the turn of this order. Whoever has it sends, which ends in its own time.
    pub fn wait_for_turn(&self, key: &str) {
        if self.turns.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        let mut state = self.turns.lock();
        while state.has(key) {
            state = self.turns.sleep(state, LOOK);
        }
    }
}
