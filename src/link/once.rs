//! One value from one thread to another. The waiting thread sleeps at once: to spin for a reply that takes a round trip
//! only takes the processor from whoever brings it.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

enum Slot<T> {
    Empty,
    /// Someone sleeps until it is filled; only then does waking cost a call of the system.
    Awaited,
    Full(T),
    /// The giver is gone.
    Closed,
}

struct Shared<T> {
    slot: Mutex<Slot<T>>,
    filled: Condvar,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, Slot<T>> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fill(&self, with: Slot<T>) {
        let mut slot = self.lock();
        match std::mem::replace(&mut *slot, with) {
            Slot::Awaited => {
                drop(slot);
                self.filled.notify_one();
            }
            Slot::Empty | Slot::Full(_) | Slot::Closed => {}
        }
    }
}

/// The end that gives.
pub struct Giver<T>(Option<Arc<Shared<T>>>);

/// The end that takes.
pub struct Taker<T>(Arc<Shared<T>>);

/// Both ends.
pub fn once<T>() -> (Giver<T>, Taker<T>) {
    let shared = Arc::new(Shared { slot: Mutex::new(Slot::Empty), filled: Condvar::new() });
    (Giver(Some(shared.clone())), Taker(shared))
}

impl<T> Giver<T> {
    /// Gives the value.
    pub fn give(mut self, value: T) {
        if let Some(shared) = self.0.take() {
            shared.fill(Slot::Full(value));
        }
    }
}

impl<T> Drop for Giver<T> {
    fn drop(&mut self) {
        // Nothing was given.
        if let Some(shared) = self.0.take() {
            shared.fill(Slot::Closed);
        }
    }
}

impl<T> Taker<T> {
    /// Whether waiting would not wait.
    pub fn is_ready(&self) -> bool {
        !matches!(*self.0.lock(), Slot::Empty | Slot::Awaited)
    }

    /// Waits until the end is there, or until that time; false when it was the time.
    pub fn wait_until(&self, time: Instant) -> bool {
        let mut slot = self.0.lock();
        loop {
            if !matches!(*slot, Slot::Empty | Slot::Awaited) {
                return true;
            }
            let left = time.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            *slot = Slot::Awaited;
            slot = self.0.filled.wait_timeout(slot, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits for the value; `None` when the giver went without giving.
    pub fn take(self) -> Option<T> {
        let mut slot = self.0.lock();
        loop {
            match std::mem::replace(&mut *slot, Slot::Closed) {
                Slot::Full(value) => return Some(value),
                Slot::Closed => return None,
                Slot::Empty | Slot::Awaited => *slot = Slot::Awaited,
            }
            slot = self.0.filled.wait(slot).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_arrives_and_so_does_the_end() {
        let (giver, taker) = once();
        assert!(!taker.is_ready());
        let waiting = std::thread::spawn(|| taker.take());
        giver.give(7);
        assert_eq!(waiting.join().unwrap(), Some(7));
        let (giver, taker) = once::<u8>();
        drop(giver);
        assert!(taker.is_ready());
        assert_eq!(taker.take(), None);
    }

    #[test]
    fn waiting_ends_with_the_value_or_with_the_time() {
        let (giver, taker) = once();
        assert!(!taker.wait_until(Instant::now()));
        assert!(!taker.wait_until(Instant::now() + std::time::Duration::from_millis(5)));
        giver.give(7);
        assert!(taker.wait_until(Instant::now()));
        assert_eq!(taker.take(), Some(7));
    }
}
