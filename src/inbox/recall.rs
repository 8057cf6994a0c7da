//! After a restart: what was not answered is handed out again, marked; what was answered and perhaps not delivered is sent
//! again. No more of it is in memory than half the queue holds; the rest follows when there is room.

use super::memory::{MOST, parse_answer};
use super::push::is_pushed;
use super::{Answer, Event, Inbox, State, closed};
use crate::catalogue::{Class, Platform};
use crate::error::Result;
use crate::json;
use crate::store::{Replaced, StoredEvent, now_ms};
use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// So often it is asked whether there is room; and after the store could not be read.
const ASK: Duration = Duration::from_secs(1);
const ASK_AFTER_ERROR: Duration = Duration::from_secs(30);

/// How far it has come.
#[derive(Default)]
pub(super) struct Recall(Mutex<Course>);

#[derive(Default)]
struct Course {
    /// Everything up to this event was recalled, and this is the last one of before; `None` when all was.
    left: Option<(u64, u64)>,
    not_before: Option<Instant>,
    /// Answers that wait for the way to the platforms to be there.
    early: Vec<Answer>,
    /// Answers under way that were recalled.
    answers: HashSet<u64>,
}

impl Recall {
    fn lock(&self) -> MutexGuard<'_, Course> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn answered(&self, id: u64) {
        self.lock().answers.remove(&id);
    }

    /// Whether there is more, and how long to wait before asking for it.
    pub(super) fn pause(&self) -> Option<Duration> {
        let course = self.lock();
        course.left?;
        Some(course.not_before.map_or(ASK, |at| at.saturating_duration_since(Instant::now()).max(ASK)))
    }
}

impl Inbox {
    /// Begins with it.
    pub(super) fn recall(&self) -> Result<()> {
        let Some(store) = &self.store else { return Ok(()) };
        store.forget_events(self.limits.window_seconds, MOST);
        self.recall.lock().left = Some((0, store.read(|reader| reader.last_event())?));
        self.recall_more()
    }

    /// What waits on disk has room now, if the dispatch thread looks.
    pub(super) fn made_room(&self) {
        if self.recall.lock().left.is_some() {
            self.changed.notify_all();
        }
    }

    /// How many more of before fit into their half of the queue (the other is for what comes now); none until there is room
    /// for a good part. What was handed out and not answered counts.
    pub(super) fn room(&self, state: &mut State) -> usize {
        let course = self.recall.lock();
        if course.left.is_none() || course.not_before.is_some_and(|at| Instant::now() < at) {
            return 0;
        }
        let keep = self.limits.keep;
        state.open.retain(|_, open| open.since.elapsed() < keep);
        let used = state.events.len().max(state.open.len()) + course.answers.len() + course.early.len();
        let share = self.limits.queue.div_ceil(2);
        let room = share.saturating_sub(used);
        if room >= share.div_ceil(2) { room } else { 0 }
    }

    /// Hands out the next ones, as many as fit.
    pub(super) fn recall_more(&self) -> Result<()> {
        let Some(store) = &self.store else { return Ok(()) };
        loop {
            let room = self.room(&mut self.lock());
            let Some((after, until)) = self.recall.lock().left.filter(|_| room > 0) else { return Ok(()) };
            let limit = i64::try_from(room).unwrap_or(i64::MAX);
            let found = store.read(|reader| reader.unfinished_events(after, until, limit)).inspect_err(|_| {
                self.recall.lock().not_before = Some(Instant::now() + ASK_AFTER_ERROR);
            })?;
            let last = found.last().map(|last| last.id).filter(|_| found.len() >= room);
            found.iter().try_for_each(|stored| self.recall_one(stored))?;
            self.recall.lock().left = last.map(|last| (last, until));
        }
    }

    fn recall_one(&self, stored: &StoredEvent) -> Result<()> {
        let Some(mut event) = revive(stored) else { return Ok(()) };
        if let Some(answer) = &stored.answer {
            let answer = parse_answer(stored.id, &event, answer);
            self.recall.lock().early.extend(answer);
            if self.has_outlet() {
                self.send_recalled();
            }
            return Ok(());
        }
        // Its platform may have said it again meanwhile.
        if self.is_open(event.id) {
            return Ok(());
        }
        if self.is_past(&event, stored) {
            let (name, service) = (event.platform.name(), &event.service);
            self.log.warn(format_args!("{name}: {service} of before the restart is not handed out again"));
            self.forget(&event);
            return Ok(());
        }
        event.redelivered = true;
        if let Some(store) = self.store.as_ref().filter(|_| event.platform == Platform::Library) {
            let (is_known, is_old) = store.knew_at_open(event.id);
            if !is_known {
                return Ok(());
            }
            event.redelivered = is_old;
        }
        let state = self.lock();
        if state.is_closed {
            return Err(closed());
        }
        self.line_up(state, event);
        Ok(())
    }

    /// Whether it is a command whose moment has gone: a barrier does not open for a car that left long ago. The store's time
    /// stands still while it is closed, and the machine's clock can jump: it must be young by both.
    fn is_past(&self, event: &Event, stored: &StoredEvent) -> bool {
        if event.interface.is_none_or(|interface| interface.class != Class::Command) {
            return false;
        }
        let keep = self.limits.keep;
        let by_clock = Duration::from_millis(now_ms().abs_diff(stored.received));
        let by_store = self.store.as_ref().map_or(0, |store| store.seconds().abs_diff(stored.seen));
        !self.limits.sees_mark || by_clock > keep || Duration::from_secs(by_store) > keep
    }

    /// Sends the answers that were recalled; once there is an outlet.
    pub fn send_recalled(&self) {
        let answers = std::mem::take(&mut self.recall.lock().early);
        for answer in answers {
            let id = answer.event_id;
            if is_pushed(answer.platform) {
                self.deliver(id, answer);
                continue;
            }
            self.recall.lock().answers.insert(id);
            if !self.send(answer) {
                // Its platform is not configured any more.
                self.recall.answered(id);
            }
        }
    }

    /// The store turned out to be damaged while it was in use, and was replaced.
    pub(super) fn store_replaced(&self, replaced: &Replaced) {
        let Some(store) = &self.store else { return };
        let message = replaced.message(store.path());
        let mut event = Event::new(replaced.id.unsigned_abs(), Platform::Library, message);
        event.is_stored = true;
        self.hand_on(event);
    }
}

fn revive(stored: &StoredEvent) -> Option<Event> {
    let platforms = [Platform::Cloud, Platform::Bolink, Platform::Union, Platform::Etcp, Platform::Library];
    let platform = platforms.into_iter().find(|platform| platform.name() == stored.platform)?;
    let message = json::members_of(stored.message.as_bytes())?;
    let mut event = Event::new(stored.id, platform, message);
    event.is_stored = true;
    Some(event)
}
