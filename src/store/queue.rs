//! What waits for the writer. Records of many submitters make one round: it is committed together, and its end is told to
//! all of them at once, because a wake-up for each would cost more than its row.

use super::records::NewRecord;
use super::spans::Count;
use super::writer::Job;
use crate::error::{Code, Error, Result};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// So long a patient job waits for others to share a sync with: whoever was just told often comes back with more.
const COMPANY: Duration = Duration::from_millis(1);

/// The parts of one record, by platform. Whoever submitted them frees them, not the writer.
pub type Parts = Arc<Vec<NewRecord>>;

/// How a round ended.
pub enum End {
    /// All are on disk; this is the number of the first, the others follow in order.
    Stored(i64),
    /// Each on its own; the numbers of their first parts.
    Each(Vec<Result<i64>>),
    /// The writer is gone.
    Gone,
}

#[derive(Default)]
struct Round {
    end: Mutex<Option<End>>,
    told: Condvar,
}

/// The writer's end of a round: when it is dropped untold, nobody waits for ever.
pub struct Promise(Arc<Round>);

impl Promise {
    /// Tells all who wait.
    pub fn tell(&self, end: End) {
        let mut slot = self.0.end.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.is_none() {
            *slot = Some(end);
            drop(slot);
            self.0.told.notify_all();
        }
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.tell(End::Gone);
    }
}

/// What one commit takes.
pub struct Batch {
    pub submits: Vec<Parts>,
    /// Parts of all of them.
    pub sum: Count,
    pub jobs: Vec<Job>,
    pub round: Promise,
}

#[derive(Default)]
struct State {
    submits: Vec<Parts>,
    /// Parts of all of them.
    sum: Count,
    jobs: Vec<Job>,
    round: Arc<Round>,
    writer_sleeps: bool,
    is_closed: bool,
}

/// The queue.
#[derive(Default)]
pub struct Queue {
    state: Mutex<State>,
    filled: Condvar,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The writer is woken only when it sleeps.
    fn wake(&self, mut state: MutexGuard<'_, State>) {
        if mem::take(&mut state.writer_sleeps) {
            drop(state);
            self.filled.notify_one();
        }
    }

    /// Stores the parts of a record and waits until they are on disk. Returns the number of the first.
    pub fn submit(&self, parts: Parts) -> Result<i64> {
        let count = Count::of(&parts);
        let mut state = self.lock();
        if state.is_closed {
            return Err(closed());
        }
        let (at, offset, round) = (state.submits.len(), state.sum.records, state.round.clone());
        state.sum.add(count);
        state.submits.push(parts);
        self.wake(state);
        let mut end = round.end.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match &*end {
                None => end = round.told.wait(end).unwrap_or_else(PoisonError::into_inner),
                Some(End::Stored(first)) => return Ok(first + offset),
                Some(End::Each(each)) => return each.get(at).cloned().unwrap_or_else(|| Err(super::gone())),
                Some(End::Gone) => return Err(super::gone()),
            }
        }
    }

    /// Puts a job into the next commit; gives it back when there will be none.
    pub fn push(&self, job: Job) -> std::result::Result<(), Job> {
        let mut state = self.lock();
        if state.is_closed {
            return Err(job);
        }
        state.jobs.push(job);
        self.wake(state);
        Ok(())
    }

    /// Waits for something to write; `None` when the queue is closed and empty.
    pub fn take(&self) -> Option<Batch> {
        let mut state = self.lock();
        let mut company_until = None;
        while state.submits.is_empty() && state.jobs.iter().all(|job| job.is_patient) {
            let has_jobs = !state.jobs.is_empty();
            if state.is_closed {
                return has_jobs.then(|| Queue::swap(&mut state));
            }
            state.writer_sleeps = true;
            if !has_jobs {
                state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let left =
                company_until.get_or_insert_with(|| Instant::now() + COMPANY).saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self.filled.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.writer_sleeps = false;
        Some(Queue::swap(&mut state))
    }

    fn swap(state: &mut State) -> Batch {
        // As many as this time come again, most often.
        let room = Vec::with_capacity(state.submits.len());
        Batch {
            submits: mem::replace(&mut state.submits, room),
            sum: mem::take(&mut state.sum),
            jobs: mem::take(&mut state.jobs),
            round: Promise(mem::take(&mut state.round)),
        }
    }

    /// Whether the writer has nothing to do.
    pub fn is_empty(&self) -> bool {
        let state = self.lock();
        state.submits.is_empty() && state.jobs.is_empty()
    }

    /// Takes nothing more; what is in it is still written.
    pub fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        self.wake(state);
    }

    /// The writer is gone: nobody waits any more.
    pub fn abandon(&self) {
        let left = {
            let mut state = self.lock();
            state.is_closed = true;
            Queue::swap(&mut state)
        };
        drop(left);
    }
}

/// The error of whoever comes too late.
pub fn closed() -> Error {
    Error::new(Code::Closed, "the store is closed")
}
