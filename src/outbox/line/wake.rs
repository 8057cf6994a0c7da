//! Who waits for a line, and who wakes them: to wake nobody costs a call of the system too.

use super::{Line, State};
use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};
use std::time::Instant;

impl Line {
    pub fn wake(&self) {
        drop(self.lock());
        self.tell();
    }

    /// The state has changed, and is unlocked.
    pub(super) fn tell(&self) {
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            self.changed.notify_all();
        }
    }

    /// Waits for a change, at most until then; not at all when `looks` and there is news.
    pub(super) fn sleep<'a>(
        &self,
        state: MutexGuard<'a, State>,
        until: Option<Instant>,
        looks: bool,
    ) -> MutexGuard<'a, State> {
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        let state = match until.map(|until| until.saturating_duration_since(Instant::now())) {
            _ if looks && self.news.load(Ordering::SeqCst) => state,
            Some(wait) => self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0,
            None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
        };
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
        state
    }

    /// New records are in the store.
    pub fn arrived(&self) {
        self.news.store(true, Ordering::SeqCst);
        // Who goes to sleep is counted first and looks for news then, with the state locked.
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            self.wake();
        }
    }
}
