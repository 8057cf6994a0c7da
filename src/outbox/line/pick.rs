//! Which record goes next.

use super::{FETCH, Line, State, WINDOW, id_of, key_of};
use crate::error::Error;
use crate::store::{Reader, Record};
use std::sync::Arc;
use std::time::Instant;

impl Line {
    pub(super) fn take(self: &Arc<Self>, state: &mut State, now: Instant) -> Option<Record> {
        self.resume(state, now);
        loop {
            if let Some(record) = self.take_resumed(state) {
                return Some(record);
            }
            let free = state.ready.iter().position(|record| !state.busy.contains(&key_of(record)));
            if let Some(at) = free {
                return state.ready.remove(at);
            }
            if !state.may_be_more || state.ready.len() >= WINDOW || !self.fetch(state) {
                return None;
            }
        }
    }

    /// Orders whose pause is over go on with their oldest record.
    pub(super) fn resume(&self, state: &mut State, now: Instant) {
        let due: Vec<String> =
            state.held.iter().filter(|(_, until)| **until <= now).map(|(key, _)| key.clone()).collect();
        for key in due {
            state.held.remove(&key);
            state.resumed.push_back(key);
        }
    }

    /// The oldest record of an order that was held. Its records are read from the store one by one until none is left
    /// that was passed by; `ready` holds none of them.
    pub(super) fn take_resumed(self: &Arc<Self>, state: &mut State) -> Option<Record> {
        for _ in 0..state.resumed.len() {
            let key = state.resumed.pop_front()?;
            if state.busy.contains(&key) || state.held.contains_key(&key) {
                state.resumed.push_back(key);
                continue;
            }
            // What was sent must be written down first, or it would be read again.
            let is_settled = state.settled.iter().any(|(record, _)| key_of(record) == key);
            if is_settled || state.writing.iter().any(|(_, writing)| *writing == key) {
                state.resumed.push_back(key);
                self.write_down(state);
                continue;
            }
            let found = self.read(state, |reader, platform| match id_of(&key) {
                Some(id) => reader.record(platform, id).map(|found| found.into_iter().collect()),
                None => reader.records_of_key(platform, &key, 1),
            });
            let Some(found) = found else {
                state.resumed.push_front(key);
                return None;
            };
            let cursor = state.cursor;
            if let Some(record) = found.into_iter().find(|record| record.id <= cursor) {
                state.resumed.push_back(key);
                return Some(record);
            }
        }
        None
    }

    /// Fetches the next records; false when there are none.
    pub(super) fn fetch(&self, state: &mut State) -> bool {
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

    pub(super) fn read<T>(
        &self,
        state: &mut State,
        work: impl FnOnce(&Reader, &str) -> crate::error::Result<T>,
    ) -> Option<T> {
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

    pub(super) fn cannot_read<T>(&self, state: &mut State, error: &Error) -> Option<T> {
        self.shared.log.error(format_args!("outbox: cannot read the store: {}", error.message));
        state.last_error = Some(error.message.clone());
        state.reader = None;
        state.may_be_more = true;
        state.pause(None);
        None
    }
}
