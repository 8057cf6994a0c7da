//! Records that leave the line without having been sent: too old, or dropped for room.

use super::{FETCH, Line, UNWRITTEN, WINDOW, key_of};
use crate::outbox::age;
use crate::store::Record;
use std::sync::Arc;
use std::time::{Duration, Instant};

impl Line {
    /// Takes the oldest out that were stored before `limit`, and has written down what becomes of them; not those under way
    /// and those that pause, whose turn comes. Tells which; `None` when outcomes had to be waited for: ask again.
    pub fn expire(self: &Arc<Self>, limit: i64) -> Option<Vec<Record>> {
        let mut state = self.lock();
        if state.settled.len() + state.writing.len() >= UNWRITTEN {
            self.write_down(&mut state, false);
            drop(self.sleep(state, Some(Instant::now() + Duration::from_millis(100)), false));
            return None;
        }
        // What is not fetched yet is younger than all that is.
        let is_old = |record: &Record| record.stored < limit;
        while state.may_be_more && state.ready.len() < WINDOW && state.ready.back().is_none_or(is_old) {
            if !self.fetch(&mut state) {
                break;
            }
        }
        let (mut expired, most) = (Vec::new(), FETCH as usize);
        state.ready.retain(|record| {
            let stays = !is_old(record) || expired.len() >= most;
            if !stays {
                expired.push(record.clone());
            }
            stays
        });
        for record in &expired {
            state.suspects.remove(&record.id);
            state.settled.push((record.clone(), age::settled(record)));
            state.settled_since.get_or_insert_with(Instant::now);
        }
        self.write_down(&mut state, false);
        Some(expired)
    }

    /// A log record was taken out of the store. False when it is or was under way all the same: then its outcome will be told.
    pub fn let_go(&self, id: i64) -> bool {
        let mut state = self.lock();
        state.ready.retain(|record| record.id != id);
        if let Some(hand) = state.busy.values_mut().find(|hand| hand.id == id) {
            hand.is_gone = !hand.is_sent;
            return hand.is_gone;
        }
        !state.settled.iter().chain(&state.writing).any(|(record, _)| record.id == id)
    }

    /// A log record is about to be sent. False when it was let go while the link was down.
    pub fn may_go(&self, record: &Record) -> bool {
        let mut state = self.lock();
        let key = key_of(record);
        let Some(hand) = state.busy.get_mut(&key) else { return true };
        hand.is_sent = true;
        if hand.is_gone {
            state.busy.remove(&key);
            return false;
        }
        true
    }
}

/// A record that a lane has taken.
pub struct InHand {
    pub id: i64,
    is_sent: bool,
    is_gone: bool,
}

impl InHand {
    pub fn new(id: i64) -> InHand {
        InHand { id, is_sent: false, is_gone: false }
    }
}
