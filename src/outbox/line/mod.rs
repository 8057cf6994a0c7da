//! The line of records for one link: which may go next, which must wait for an older one of its order, what is done and
//! not yet written down. It never holds more than a window of the backlog in memory.

mod doubt;
mod leave;
mod pause;
mod turn;
mod wake;

use self::leave::InHand;
use self::pause::Pauses;
pub(crate) use self::turn::Turn;
use self::turn::Turns;
use super::Shared;
use crate::catalogue::Platform;
use crate::error::{Error, Result};
use crate::sdk::Outcome;
use crate::store::{Reader, Record, Settled};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Records fetched at a time, and held at most.
const FETCH: i64 = 128;
const WINDOW: usize = 512;

/// Outcomes are written down together: after so many, or so long; sooner when nothing else is to do, but not each on its
/// own. What is not written down when the power goes is sent again.
const TOGETHER: usize = 64;
const UNWRITTEN: usize = 96;
const WRITE_AFTER: Duration = Duration::from_secs(1);
const WRITE_IDLE: Duration = Duration::from_millis(5);

/// The line.
pub(crate) struct Line {
    pub platform: Platform,
    shared: Arc<Shared>,
    state: Mutex<State>,
    changed: Condvar,
    /// Records came. Beside the state, which a fetch holds for long.
    news: AtomicBool,
    /// Threads that wait for a change: to wake nobody costs a call of the system too.
    sleepers: AtomicUsize,
    live: AtomicU64,
    turns: Turns,
}

struct State {
    reader: Option<Reader>,
    /// Everything up to this record was fetched.
    cursor: i64,
    may_be_more: bool,
    ready: VecDeque<Record>,
    /// Order keys under way, and the record.
    busy: HashMap<String, InHand>,
    held: HashMap<String, Instant>,
    resumed: VecDeque<String>,
    settled: Vec<(Record, Settled)>,
    settled_since: Option<Instant>,
    /// With the store's writer.
    writing: Vec<(Record, Settled)>,
    /// The store would not take them: not again before this.
    write_not_before: Option<Instant>,
    pauses: Pauses,
    failures: u32,
    successes: u64,
    /// Callers who wait for a ticket, and the outcomes since the first of them came.
    watchers: usize,
    outcomes: BTreeMap<u64, Outcome>,
    /// Unanswered records: how many others had been taken at the last attempt, and how many attempts were in vain while
    /// others were taken.
    suspects: HashMap<i64, (u64, i64)>,
    last_error: Option<String>,
    sent: u64,
    delivered: u64,
}

/// The key under which a record keeps its order; one without a key is alone.
pub(crate) fn key_of(record: &Record) -> String {
    record.order_key.clone().unwrap_or_else(|| format!("#{}", record.id))
}

fn id_of(key: &str) -> Option<i64> {
    key.strip_prefix('#')?.parse().ok()
}

impl Line {
    pub fn new(platform: Platform, shared: Arc<Shared>) -> Line {
        let state = State {
            reader: None,
            cursor: 0,
            may_be_more: true,
            ready: VecDeque::new(),
            busy: HashMap::new(),
            held: HashMap::new(),
            resumed: VecDeque::new(),
            settled: Vec::new(),
            settled_since: None,
            writing: Vec::new(),
            write_not_before: None,
            pauses: Pauses::new(shared.retry.0, shared.retry.1),
            failures: 0,
            successes: 0,
            watchers: 0,
            outcomes: BTreeMap::new(),
            suspects: HashMap::new(),
            last_error: None,
            sent: 0,
            delivered: 0,
        };
        Line {
            platform,
            shared,
            state: Mutex::new(state),
            changed: Condvar::new(),
            news: AtomicBool::new(false),
            sleepers: AtomicUsize::new(0),
            live: AtomicU64::new(0),
            turns: Turns::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the next record that may go; `None` when the outbox stops, or at once when it shall not wait.
    pub fn next(self: &Arc<Self>, waits: bool) -> Option<Record> {
        let mut state = self.lock();
        loop {
            if self.shared.stop.is_cancelled() {
                return None;
            }
            let now = Instant::now();
            state.may_be_more |= self.news.swap(false, Ordering::SeqCst);
            if state.settled_since.is_some_and(|since| since + WRITE_AFTER <= now) {
                self.write_down(&mut state, false);
            }
            let is_paused = state.pauses.until(now).is_some();
            let is_behind = state.settled.len() + state.writing.len() >= UNWRITTEN;
            let record = if is_paused || is_behind { None } else { self.take(&mut state, now) };
            if let Some(record) = record {
                state.busy.insert(key_of(&record), InHand::new(record.id));
                state.sent += 1;
                return Some(record);
            }
            if !waits && !is_behind && !is_paused {
                return None;
            }
            // Nothing to send: a good time to write down.
            let write_after = if state.busy.is_empty() { WRITE_IDLE } else { WRITE_AFTER };
            if state.settled_since.is_some_and(|since| since + write_after <= now) {
                self.write_down(&mut state, true);
            }
            let soonest = state.held.values().min().copied();
            // Taking the next one can have failed, too.
            let until = state.pauses.until(now).or(soonest);
            // While others are being written down, their end wakes it.
            let settled_since = state.settled_since.filter(|_| state.writing.is_empty());
            let write = settled_since.map(|since| (since + write_after).max(state.write_not_before.unwrap_or(since)));
            let until = [until, write].into_iter().flatten().min();
            let until = until.map(|until| until.max(now + Duration::from_millis(1)));
            state = self.sleep(state, until, true);
        }
    }

    fn take(self: &Arc<Self>, state: &mut State, now: Instant) -> Option<Record> {
        self.resume(state, now);
        let is_written = state.settled.is_empty() && state.writing.is_empty();
        if self.platform == Platform::Cloud
            && !state.resumed.is_empty()
            && !is_written
            && state.write_not_before.is_none()
        {
            // What comes out of its turn is sent when all else is on disk: after a crash, the last one that the cloud's
            // guard remembers must be the last one that was sent.
            self.write_down(state, false);
            return None;
        }
        loop {
            if let Some(record) = self.take_resumed(state) {
                return Some(record);
            }
            let free = state.ready.iter().position(|record| !state.busy.contains_key(&key_of(record)));
            if let Some(at) = free {
                return state.ready.remove(at);
            }
            if !state.may_be_more || state.ready.len() >= WINDOW || !self.fetch(state) {
                return None;
            }
        }
    }

    /// Orders whose pause is over go on with their oldest record.
    fn resume(&self, state: &mut State, now: Instant) {
        let due: Vec<String> =
            state.held.iter().filter(|(_, until)| **until <= now).map(|(key, _)| key.clone()).collect();
        for key in due {
            state.held.remove(&key);
            state.resumed.push_back(key);
        }
    }

    /// The oldest record of an order that was held. Its records are read from the store one by one until none is left
    /// that was passed by; `ready` holds none of them.
    fn take_resumed(self: &Arc<Self>, state: &mut State) -> Option<Record> {
        for _ in 0..state.resumed.len() {
            let key = state.resumed.pop_front()?;
            if state.busy.contains_key(&key) || state.held.contains_key(&key) {
                state.resumed.push_back(key);
                continue;
            }
            // What was sent must be written down first, or it would be read again.
            if state.settled.iter().chain(&state.writing).any(|(record, _)| key_of(record) == key) {
                state.resumed.push_back(key);
                self.write_down(state, false);
                continue;
            }
            let found = self.read(state, |reader, platform| match id_of(&key) {
                Some(id) => reader.record(platform, id),
                None => reader.oldest_of_key(platform, &key),
            });
            let Some(found) = found else {
                state.resumed.push_front(key);
                return None;
            };
            let cursor = state.cursor;
            if let Some(record) = found.filter(|record| record.id <= cursor) {
                state.resumed.push_back(key);
                return Some(record);
            }
        }
        None
    }

    /// Fetches the next records; false when there are none.
    fn fetch(&self, state: &mut State) -> bool {
        let cursor = state.cursor;
        state.may_be_more = false;
        let Some(found) = self.read(state, |reader, platform| reader.records_after(platform, cursor, FETCH)) else {
            return false;
        };
        let Some(last) = found.last() else { return false };
        state.may_be_more = found.len() as i64 == FETCH;
        state.cursor = last.id;
        // Orders that are held come back another way.
        let is_apart = |record: &Record| {
            let key = key_of(record);
            state.held.contains_key(&key) || state.resumed.contains(&key)
        };
        let free: Vec<_> = found.into_iter().filter(|record| !is_apart(record)).collect();
        state.ready.extend(free);
        true
    }

    fn read<T>(&self, state: &mut State, work: impl FnOnce(&Reader, &str) -> Result<T>) -> Option<T> {
        let store = &self.shared.store;
        if state.reader.as_ref().is_none_or(|reader| reader.epoch != store.epoch()) {
            match store.reader() {
                Ok(reader) => state.reader = Some(reader),
                Err(error) => return self.cannot_read(state, &error),
            }
        }
        let outcome = state.reader.as_ref().map(|reader| work(reader, self.platform.name()))?;
        outcome.map_or_else(|error| self.cannot_read(state, &error), Some)
    }

    fn cannot_read<T>(&self, state: &mut State, error: &Error) -> Option<T> {
        self.shared.log.error(format_args!("outbox: cannot read the store: {}", error.message));
        state.last_error = Some(error.message.clone());
        state.reader = None;
        state.may_be_more = true;
        state.pauses.add(None);
        None
    }

    /// Whether records of an order key wait or are under way.
    pub fn has_waiting(&self, key: &str) -> bool {
        let mut state = self.lock();
        if state.busy.contains_key(key)
            || state.held.contains_key(key)
            || state.resumed.iter().any(|known| known == key)
        {
            return true;
        }
        let mut settled: HashSet<i64> = state.writing.iter().map(|(record, _)| record.id).collect();
        settled.extend(
            state
                .settled
                .iter()
                .filter(|(_, outcome)| !matches!(outcome, Settled::Again { .. }))
                .map(|(record, _)| record.id),
        );
        let done = |id| settled.contains(&id);
        self.read(&mut state, |reader, platform| reader.has_key(platform, key, done)).unwrap_or(false)
    }

    /// What became of a record. With a pause its order waits so long; other orders go on.
    pub fn settle(self: &Arc<Self>, record: Record, outcome: Settled, told: Outcome, pause: Option<Duration>) {
        let mut state = self.lock();
        let key = key_of(&record);
        if let Some(pause) = pause {
            state.hold(&key, pause);
        }
        state.busy.remove(&key);
        if let Settled::Again { error, .. } = &outcome {
            state.last_error = Some(error.clone());
        } else {
            state.delivered += u64::from(matches!(outcome, Settled::Delivered));
            state.suspects.remove(&record.id);
            if state.watchers > 0 {
                state.outcomes.insert(record.ticket.unsigned_abs(), told);
            }
        }
        state.settled.push((record, outcome));
        state.settled_since.get_or_insert_with(Instant::now);
        if state.settled.len() >= TOGETHER {
            self.write_down(&mut state, false);
        }
        drop(state);
        self.tell();
    }

    /// The link answered: it works.
    pub fn worked(&self) {
        let mut state = self.lock();
        state.successes += 1;
        state.failures = 0;
        state.pauses.worked();
        drop(state);
        self.tell();
    }

    /// Puts a record back that was not taken for a reason that is not its own: all wait.
    pub fn put_back(&self, record: Record, error: &Error, wait: Option<Duration>) {
        let mut state = self.lock();
        let key = key_of(&record);
        state.busy.remove(&key);
        if !state.resumed.contains(&key) {
            let at = state.ready.partition_point(|other| other.id < record.id);
            state.ready.insert(at, record);
        }
        state.last_error = Some(error.message.clone());
        state.pauses.add(wait);
        drop(state);
        self.tell();
    }

    /// A failure that may be the link's: three in a row make all wait.
    pub fn failed(&self, wait: Option<Duration>) {
        let mut state = self.lock();
        state.failures += 1;
        if wait.is_some() || state.failures >= 3 {
            state.pauses.add(wait);
        }
    }

    /// Hands what is done to the store's writer, who may wait a moment with a patient one; more may be sent meanwhile.
    fn write_down(self: &Arc<Self>, state: &mut State, is_patient: bool) {
        let is_early = state.write_not_before.is_some_and(|at| at > Instant::now());
        if state.settled.is_empty() || !state.writing.is_empty() || is_early {
            return;
        }
        state.writing = std::mem::take(&mut state.settled);
        state.settled_since = None;
        let (line, settled) = (self.clone(), state.writing.clone());
        let is_taken = self.shared.store.settle(self.platform.name(), settled, is_patient, move |outcome| {
            line.written(&mut line.lock(), outcome);
            line.tell();
        });
        if let Err(error) = is_taken {
            self.written(state, Err(error));
        }
    }

    fn written(&self, state: &mut State, outcome: Result<()>) {
        let writing = std::mem::take(&mut state.writing);
        state.write_not_before = None;
        if let Err(error) = outcome {
            self.shared.log.error(format_args!("outbox: outcomes not written down: {}", error.message));
            // Kept for the next try; sending stops when too many pile up.
            state.settled.splice(0..0, writing);
            state.settled_since = Some(Instant::now());
            state.write_not_before = Some(Instant::now() + WRITE_AFTER);
        }
    }

    /// Until everything that was sent is written down, or cannot be.
    pub fn write_down_and_wait(self: &Arc<Self>) {
        let deadline = Instant::now() + Duration::from_secs(3);
        let mut state = self.lock();
        while Instant::now() < deadline && !(state.settled.is_empty() && state.writing.is_empty()) {
            self.write_down(&mut state, false);
            state = self.sleep(state, Some(Instant::now() + Duration::from_millis(100)), false);
        }
    }
}
