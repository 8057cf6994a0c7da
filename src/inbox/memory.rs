//! What the inbox remembers: which downlinks wait for an answer, which were seen before and how they were answered.

use super::event::{Event, EventKind};
use super::push::is_pushed;
use super::reply::complete;
use super::{Answer, Inbox, Open, closed};
use crate::catalogue::{RepeatKey, same_value};
use crate::error::{Code, Error, Result};
use crate::json::{self, Value, members};
use crate::link::Members;
use crate::store::{NewEvent, Taken};

/// How many downlinks are remembered at most, whatever their age.
pub(super) const MOST: i64 = 1_000_000;

/// So many downlinks pass between two looks at what is too old.
const FORGET_EVERY: u64 = 512;

impl Inbox {
    /// Puts a downlink that moves money or things on disk before the software hears of it; a repeat is not handed on.
    pub(super) fn remember(&self, event: Event) {
        match (&self.store, key_of(&event)) {
            (Some(store), Some(key)) => {
                if event.id.is_multiple_of(FORGET_EVERY) {
                    store.forget_events(self.limits.window_seconds, MOST);
                }
                self.take(event, key, Self::looked);
            }
            (None, Some(key)) if is_pushed(event.platform) => {
                let mut taken = self.pushes.take(event.id, key.clone());
                if let Taken::Open(id) = taken {
                    if self.waits_with(&event, id) {
                        return;
                    }
                    // Answered since that look, or never.
                    taken = self.pushes.take(event.id, key);
                }
                self.taken(event, Ok(taken));
            }
            _ => self.hand_on(event),
        }
    }

    /// Puts it on disk, unless it is there, and tells `then`.
    fn take(&self, event: Event, key: RepeatKey, then: fn(&Inbox, Event, Result<Taken>)) {
        let (Some(store), Some(me)) = (&self.store, self.me.upgrade()) else { return };
        let stored = NewEvent {
            id: event.id,
            repeat_key: key.key,
            content: key.content,
            platform: event.platform.name(),
            service: event.service.to_string(),
            message: event.message.to_string(),
        };
        store.take_event(stored, move |taken| then(&me, event, taken));
    }

    /// What the first look into the store found. One that nobody has in hand was refused since that look, and then its row
    /// is going, or it was never answered: the second look tells, for it comes after what was written down meanwhile.
    fn looked(&self, event: Event, taken: Result<Taken>) {
        let Ok(Taken::Open(id)) = taken else { return self.taken(event, taken) };
        if self.waits_with(&event, id) {
            self.log.debug(format_args!("{} again while event {id} waits for its answer", event.service));
        } else if let Some(key) = key_of(&event) {
            self.take(event, key, Self::taken);
        }
    }

    fn taken(&self, mut event: Event, taken: Result<Taken>) {
        match taken {
            Ok(Taken::New) => {
                event.is_stored = true;
                event.redelivered = self.store.is_some() && key_of(&event).is_some_and(|key| self.pushes.knows(&key));
                self.hand_on(event);
            }
            Ok(Taken::Open(id)) if self.waits_with(&event, id) => {
                self.log.debug(format_args!("{} again while event {id} waits for its answer", event.service));
            }
            Ok(Taken::Open(id)) => {
                self.pushes.join(event.id, id);
                event.id = id;
                event.is_stored = true;
                event.redelivered = true;
                self.hand_on(event);
            }
            Ok(Taken::Answered(id, answer)) => {
                self.log.info(format_args!("{} again, answered as before (event {id})", event.service));
                if let Some(answer) = parse_answer(id, &event, &answer) {
                    self.deliver(event.id, answer);
                }
            }
            Err(error) => {
                // The money has moved already; better a call too many than none. Whether it is one nobody can look up now,
                // nor from the store when that works again.
                self.log
                    .error(format_args!("{}: not on disk ({}), handed on all the same", event.service, error.message));
                event.redelivered = true;
                if let Some(key) = key_of(&event) {
                    self.pushes.take(event.id, key);
                }
                self.hand_on(event);
            }
        }
    }

    /// Whether an event that came again has its earlier one's answer to wait for; whoever waits for it then waits for that.
    fn waits_with(&self, event: &Event, earlier: u64) -> bool {
        self.pushes.join(event.id, earlier);
        // When nobody waits any more, the answer was given just now.
        self.is_open(earlier) || (is_pushed(event.platform) && !self.pushes.part(earlier, event.id))
    }

    pub(super) fn is_open(&self, id: u64) -> bool {
        let keep = self.limits.keep;
        let state = self.lock();
        let is_open = state.open.get(&id).is_some_and(|open| open.since.elapsed() < keep);
        is_open || state.answering.contains(&id) || state.events.iter().any(|event| event.id == id)
    }

    /// The software has seen a message that needs no answer.
    pub(super) fn handled(&self, event: &Event) {
        if event.is_stored && event.kind != EventKind::Request {
            self.told(event.id);
        }
    }

    /// Writes down that a message needs nothing more. Until that is on disk its repeats are held off here.
    pub(super) fn told(&self, id: u64) {
        let (Some(store), Some(me)) = (&self.store, self.me.upgrade()) else { return };
        store.event_delivered(id, move || {
            me.lock().answering.remove(&id);
        });
    }

    /// As if it had not come: the platform will say it again.
    pub(super) fn forget(&self, event: &Event) {
        match &self.store {
            Some(store) if event.is_stored => store.event_refused(event.id),
            Some(_) => {}
            None => self.pushes.forget(event.id),
        }
    }

    /// The platform has the answer.
    pub fn answer_delivered(&self, event_id: u64) {
        if let Some(store) = self.store.as_ref().filter(|_| event_id != 0) {
            store.event_delivered(event_id, || {});
            self.recall.answered(event_id);
            self.made_room();
        }
    }

    /// Answers an open downlink, when `check` (which sees the answer, and the members of the downlink) agrees. A yes is on
    /// disk before it is sent, and is given to every repeat; after a no the platform may ask again.
    pub(crate) fn answer(
        &self,
        event_id: u64,
        given: Members,
        check: impl Fn(&Answer, &Members) -> Result<()>,
    ) -> Result<()> {
        let open = self.lock().open.get(&event_id).cloned();
        let Some(open) = open.filter(|open| open.since.elapsed() < self.limits.keep) else {
            let message = format!("event {event_id} does not wait for an answer: unknown, answered, or too old");
            return Err(Error::new(Code::UnknownEvent, message));
        };
        let mut answer = complete(&open, given);
        check(&answer, &open.data)?;
        {
            let mut state = self.lock();
            if state.open.remove(&event_id).is_none() {
                return Err(Error::new(Code::UnknownEvent, format!("event {event_id} was answered meanwhile")));
            }
            state.answering.insert(event_id);
            // It was handed out before, and came again: who has answered is not asked.
            state.events.retain(|event| event.id != event_id);
        }
        self.made_room();
        if is_pushed(answer.platform) {
            self.answer_push(event_id, answer, open.is_stored);
            return Ok(());
        }
        if open.is_stored {
            self.keep_answer(event_id, &mut answer);
        }
        let is_kept = answer.event_id != 0;
        let is_sent = self.send(answer);
        self.lock().answering.remove(&event_id);
        // Closing has taken the way meanwhile; what is on disk goes out after the next open.
        if is_sent || is_kept { Ok(()) } else { Err(closed()) }
    }

    fn keep_answer(&self, event_id: u64, answer: &mut Answer) {
        let Some(store) = &self.store else { return };
        if !is_yes(answer) {
            store.event_refused(event_id);
            return;
        }
        let text = as_text(answer);
        match store.event_answered(event_id, text) {
            Ok(()) => answer.event_id = event_id,
            Err(error) => {
                self.log.error(format_args!("the answer to event {event_id} is not on disk: {}", error.message))
            }
        }
    }

    /// The open downlink that an answer without a number belongs to: of the same service, and of those that repeat its
    /// keys the oldest; a push whose caller has hung up comes last.
    pub(crate) fn find_open(&self, service: &str, given: &Members) -> Option<u64> {
        let (state, keep) = (self.lock(), self.limits.keep);
        let fits = |open: &Open| {
            let keys = open.interface.map_or(&[][..], |interface| interface.correlate_by);
            open.service == service
                && open.since.elapsed() < keep
                && keys.iter().all(|key| match (given.get(key), open.data.get(key)) {
                    (Some(given), Some(asked)) => same_value(given, asked),
                    _ => true,
                })
        };
        let order = |(id, open): (&u64, &Open)| (is_pushed(open.platform) && !self.pushes.is_awaited(*id), *id);
        state.open.iter().filter(|(_, open)| fits(open)).map(order).min().map(|(_, id)| id)
    }
}

/// What makes a repeat of it the same one.
fn key_of(event: &Event) -> Option<RepeatKey> {
    event.interface.and_then(|interface| interface.repeat_key(&event.data))
}

/// An answer as it is kept.
pub(super) fn as_text(answer: &Answer) -> String {
    members! {"service": &answer.service, "data": answer.data.clone()}.to_string()
}

/// Whether the answer says that it was done.
pub(super) fn is_yes(answer: &Answer) -> bool {
    let inner = answer.data.get("data").and_then(|data| data.get("state"));
    let state = answer.data.get("state").or(inner);
    state.is_none_or(|state| same_value(state, &Value::from(1)))
}

pub(super) fn parse_answer(id: u64, event: &Event, text: &str) -> Option<Answer> {
    let stored = json::parse(text).ok()?;
    Some(Answer {
        event_id: id,
        platform: event.platform,
        interface: event.interface,
        service: stored.get("service")?.as_str()?.to_owned(),
        data: stored.get("data")?.as_object()?.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::Limits;
    use super::*;
    use crate::catalogue::Platform;
    use crate::link::Sink;
    use crate::log::{Level, Log};
    use std::sync::Arc;
    use std::time::Duration;

    const MINUTE: Duration = Duration::from_secs(60);

    fn open(keep: Duration) -> Arc<Inbox> {
        let limits = Limits { queue: 10, keep, grace: MINUTE, window_seconds: 60, sees_mark: true };
        let inbox = Inbox::open(limits, Arc::new(Log::new(Level::Error)), None).unwrap();
        inbox.set_outlet(Some(Box::new(|_| true)));
        inbox
    }

    fn receive(inbox: &Inbox) {
        inbox.received(Platform::Bolink, members! {"service_name": "query_price", "order_id": "A1"});
    }

    fn answer(inbox: &Inbox, id: u64) -> std::result::Result<(), Code> {
        inbox.answer(id, members! {"state": 1}, |_, _| Ok(())).map_err(|error| error.code)
    }

    #[test]
    fn what_has_waited_long_for_the_software_can_be_answered() {
        let inbox = open(Duration::from_secs(1));
        receive(&inbox);
        std::thread::sleep(Duration::from_millis(1100));
        // The next one clears away what is too old.
        receive(&inbox);
        for _ in 0..2 {
            let id = inbox.poll(MINUTE).unwrap().id;
            assert_eq!(answer(&inbox, id), Ok(()));
        }
        inbox.close(MINUTE);
    }

    #[test]
    fn what_was_answered_before_it_was_handed_out_is_not_handed_out() {
        let inbox = open(MINUTE);
        receive(&inbox);
        let id = inbox.find_open("query_price", &members! {"order_id": "A1"}).unwrap();
        assert_eq!(answer(&inbox, id), Ok(()));
        assert_eq!(inbox.poll(Duration::ZERO).unwrap_err().code, Code::NoEvent);
        inbox.close(MINUTE);
    }

    #[test]
    fn an_answer_that_finds_its_way_closed_is_no_success() {
        let inbox = open(MINUTE);
        let ask = || {
            receive(&inbox);
            inbox.poll(MINUTE).unwrap().id
        };
        let answer = |id| answer(&inbox, id);
        assert_eq!(answer(ask()), Ok(()));
        inbox.set_outlet(None);
        assert_eq!(answer(ask()), Err(Code::Closed));
        inbox.close(MINUTE);
    }
}
