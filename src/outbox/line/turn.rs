//! Uploads outside the line that have not returned yet, in a row for each order key. What comes later of the same order waits
//! for them: one that fails takes its place in the line first.

use super::Line;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Whoever waits without an end of its own looks so often.
const LOOK: Duration = Duration::from_secs(1);

/// The rows.
#[derive(Default)]
pub(super) struct Turns {
    state: Mutex<State>,
    /// How many stand in them: whoever only stores looks here first.
    count: AtomicUsize,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    /// As many as there are callers: a table would not be quicker. Each came before those of higher numbers.
    places: Vec<(u64, String)>,
    next: u64,
    /// Who waits: to wake nobody costs a call of the system too.
    sleepers: usize,
}

impl State {
    fn is_behind(&self, number: u64, key: &str) -> bool {
        self.places.iter().any(|(other, known)| *other < number && known == key)
    }
}

impl Turns {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nobody of that key stands before that number, at most until then.
    fn wait(&self, mut state: MutexGuard<'_, State>, number: u64, key: &str, until: Option<Instant>) -> bool {
        while state.is_behind(number, key) {
            let left = until.map_or(LOOK, |until| until.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return false;
            }
            state.sleepers += 1;
            state = self.ended.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
            state.sleepers -= 1;
        }
        true
    }
}

/// A place in the row of an order; it ends with the value. The first one may send.
pub(crate) struct Turn<'a> {
    turns: &'a Turns,
    number: u64,
    key: String,
}

impl Turn<'_> {
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Whether nobody is before it.
    pub fn is_first(&self) -> bool {
        !self.turns.lock().is_behind(self.number, &self.key)
    }

    /// Waits until it is the first, at most until then. Whoever is before it sends, which ends in its own time.
    pub fn wait(&self, until: Option<Instant>) -> bool {
        self.turns.wait(self.turns.lock(), self.number, &self.key, until)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.turns.lock();
        if let Some(at) = state.places.iter().position(|(number, _)| *number == self.number) {
            state.places.swap_remove(at);
        }
        self.turns.count.store(state.places.len(), Ordering::SeqCst);
        if state.sleepers > 0 {
            drop(state);
            self.turns.ended.notify_all();
        }
    }
}

impl Line {
    /// A place at the end of the row of this order.
    pub fn turn(&self, key: String) -> Turn<'_> {
        let turns = &self.turns;
        let mut state = turns.lock();
        let number = state.next;
        state.next += 1;
        state.places.push((number, key.clone()));
        turns.count.store(state.places.len(), Ordering::SeqCst);
        drop(state);
        Turn { turns, number, key }
    }

    /// Waits until all have left who stand in the row of this order now.
    pub fn wait_for_turn(&self, key: &str) {
        if self.turns.count.load(Ordering::SeqCst) > 0 {
            let state = self.turns.lock();
            let number = state.next;
            self.turns.wait(state, number, key, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn<'a>(turns: &'a Turns, number: u64, key: &str) -> Turn<'a> {
        turns.lock().places.push((number, key.to_owned()));
        Turn { turns, number, key: key.to_owned() }
    }

    #[test]
    fn a_turn_comes_in_the_order_of_the_places() {
        let turns = Turns::default();
        let [first, second, third] = [0, 1, 2].map(|number| turn(&turns, number, "A1"));
        assert!(turn(&turns, 3, "A2").is_first() && first.is_first() && !second.is_first());
        assert!(!third.wait(Some(Instant::now() + Duration::from_millis(5))));
        drop(first);
        assert!(second.is_first() && !third.is_first(), "whoever came later does not pass it");
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| third.wait(None));
            drop(second);
            assert!(waits.join().unwrap());
        });
    }
}
