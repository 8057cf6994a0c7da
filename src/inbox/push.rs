//! Pushes: downlinks that come as a call to us and are answered on that call. Who waits for which event stands here, and,
//! where there is no store, which pushes were seen before; where there is one, what it could not take.

use super::memory::{as_text, is_yes};
use super::{Answer, Event, EventKind, Inbox};
use crate::catalogue::{Platform, RepeatKey};
use crate::json::Value;
use crate::link::Members;
use crate::store::Taken;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// Pushes that are remembered without a store.
const MOST: usize = 100_000;

/// What a push gets.
#[derive(Debug)]
pub enum Heard {
    /// The software's answer.
    Answer(Answer),
    /// No answer is due: it was taken.
    Noted,
    /// Nobody could take it now; what there is to say.
    Refused(Answer),
}

/// Hears it; closed when nobody waits any more.
pub type Responder = oneshot::Sender<Heard>;

/// Whether a platform's downlinks come as calls, so that nothing can be sent to it on our own account.
pub(crate) fn is_pushed(platform: Platform) -> bool {
    matches!(platform, Platform::Union | Platform::Etcp)
}

/// Who waits, and what was seen.
#[derive(Default)]
pub(super) struct Pushes(Mutex<State>);

#[derive(Default)]
struct State {
    waiting: HashMap<u64, Vec<Responder>>,
    seen: HashMap<String, Seen>,
    keys: HashMap<u64, String>,
    order: VecDeque<u64>,
}

struct Seen {
    id: u64,
    content: Option<String>,
    answer: Option<String>,
}

impl Pushes {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, id: u64, responder: Responder) {
        let mut state = self.lock();
        if state.waiting.len() >= 1024 {
            for waiting in state.waiting.values_mut() {
                waiting.retain(|responder| !responder.is_closed());
            }
            state.waiting.retain(|_, waiting| !waiting.is_empty());
        }
        state.waiting.entry(id).or_default().push(responder);
    }

    /// Those who wait for one event wait for another: the push is a repeat of it.
    pub(super) fn join(&self, id: u64, earlier: u64) {
        let mut state = self.lock();
        if let Some(waiting) = state.waiting.remove(&id) {
            state.waiting.entry(earlier).or_default().extend(waiting);
        }
    }

    /// Takes that back; false when there was nobody.
    pub(super) fn part(&self, earlier: u64, id: u64) -> bool {
        let mut state = self.lock();
        let waiting = state.waiting.remove(&earlier).unwrap_or_default();
        let is_any = !waiting.is_empty();
        if is_any {
            state.waiting.entry(id).or_default().extend(waiting);
        }
        is_any
    }

    pub(super) fn respond(&self, id: u64, heard: impl Fn() -> Heard) {
        let waiting = self.lock().waiting.remove(&id).unwrap_or_default();
        for responder in waiting {
            // The platform may have hung up; it asks again.
            let _ = responder.send(heard());
        }
    }

    /// Whether anybody still waits for the answer to a push.
    pub(super) fn is_awaited(&self, id: u64) -> bool {
        self.lock().waiting.get(&id).is_some_and(|waiting| waiting.iter().any(|responder| !responder.is_closed()))
    }

    /// What is known of a push, where no store keeps it.
    pub(super) fn take(&self, id: u64, key: RepeatKey) -> Taken {
        let mut state = self.lock();
        if let Some(seen) = state.seen.get(&key.key).filter(|seen| seen.content == key.content) {
            return match &seen.answer {
                Some(answer) => Taken::Answered(seen.id, answer.clone()),
                None => Taken::Open(seen.id),
            };
        }
        while state.order.len() >= MOST {
            if let Some(oldest) = state.order.pop_front() {
                state.forget(oldest);
            }
        }
        state.order.push_back(id);
        state.keys.insert(id, key.key.clone());
        state.seen.insert(key.key, Seen { id, content: key.content, answer: None });
        Taken::New
    }

    /// Whether it was taken before.
    pub(super) fn knows(&self, key: &RepeatKey) -> bool {
        self.lock().seen.get(&key.key).is_some_and(|seen| seen.content == key.content)
    }

    pub(super) fn answered(&self, id: u64, answer: String) {
        let mut state = self.lock();
        let Some(key) = state.keys.get(&id).cloned() else { return };
        if let Some(seen) = state.seen.get_mut(&key).filter(|seen| seen.id == id) {
            seen.answer = Some(answer);
        }
    }

    pub(super) fn forget(&self, id: u64) {
        self.lock().forget(id);
    }
}

impl State {
    fn forget(&mut self, id: u64) {
        let Some(key) = self.keys.remove(&id) else { return };
        // The same key may stand for a later push of other content.
        if self.seen.get(&key).is_some_and(|seen| seen.id == id) {
            self.seen.remove(&key);
        }
    }
}

impl Inbox {
    /// A push whose signature was found right. `responder` hears the answer: the software's, or for a repeat the one
    /// that was given before.
    pub fn ask(&self, platform: Platform, message: Members, responder: Responder) {
        let event = Event::new(self.number(), platform, message);
        let (id, is_request) = (event.id, event.kind == EventKind::Request);
        if is_request {
            self.pushes.wait(id, responder);
            self.take_in(event);
        } else {
            self.take_in(event);
            let _ = responder.send(Heard::Noted);
        }
    }

    /// The software has answered a push. A yes is on disk before it is given, and is given to every repeat; after a no the
    /// platform may ask again.
    pub(super) fn answer_push(&self, id: u64, answer: Answer, is_stored: bool) {
        match &self.store {
            Some(store) if is_stored && is_yes(&answer) => {
                let (text, me, log) = (as_text(&answer), self.me.clone(), self.log.clone());
                store.push_answered(id, text, move |outcome| {
                    if let Err(error) = outcome {
                        log.error(format_args!("the answer to event {id} is not on disk: {}", error.message));
                    }
                    if let Some(inbox) = me.upgrade() {
                        inbox.give(id, &answer);
                    }
                });
                return;
            }
            Some(store) if is_stored => store.event_refused(id),
            None if is_yes(&answer) => self.pushes.answered(id, as_text(&answer)),
            None => self.pushes.forget(id),
            Some(_) => {}
        }
        self.give(id, &answer);
    }

    fn give(&self, id: u64, answer: &Answer) {
        self.pushes.respond(id, || Heard::Answer(answer.clone()));
        self.lock().answering.remove(&id);
        // Repeats that came in between.
        self.pushes.respond(id, || Heard::Answer(answer.clone()));
    }

    /// An answer that is known: to a repeat, or from before a restart. A push that nobody waits for is asked again by its
    /// platform, and answered then.
    pub(super) fn deliver(&self, id: u64, answer: Answer) {
        if !is_pushed(answer.platform) {
            self.send(answer);
            return;
        }
        self.pushes.respond(id, || Heard::Answer(answer.clone()));
    }

    pub(super) fn deliver_refusal(&self, id: u64, answer: Answer) {
        if !is_pushed(answer.platform) {
            self.send(answer);
            return;
        }
        self.pushes.respond(id, || Heard::Refused(answer.clone()));
    }
}

/// ETCP's answers have `code` and `message`, all others `state` and `errmsg`: the software may give either.
pub(super) fn in_both_words(data: &mut Members) {
    let is_zero = |value: &Value| crate::catalogue::same_value(value, &Value::from(0));
    if !data.contains_key("code") {
        let is_yes = data.get("state").is_none_or(|state| !is_zero(state));
        data.insert("code", Value::from(u8::from(!is_yes)));
    }
    let is_yes = data.get("code").is_some_and(is_zero);
    data.insert("state", Value::from(u8::from(is_yes)));
    if !data.contains_key("message") {
        let said = data.get("errmsg").filter(|text| *text != "").cloned();
        data.insert("message", said.unwrap_or_else(|| Value::from(if is_yes { "ok" } else { "failed" })));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::json;

    fn key(key: &str, content: Option<&str>) -> RepeatKey {
        RepeatKey { key: key.into(), content: content.map(str::to_owned) }
    }

    #[test]
    fn a_push_is_new_open_answered_and_forgotten() {
        let pushes = Pushes::default();
        assert_eq!(pushes.take(1, key("a", None)), Taken::New);
        assert_eq!(pushes.take(2, key("a", None)), Taken::Open(1));
        pushes.answered(1, "yes".into());
        assert_eq!(pushes.take(3, key("a", None)), Taken::Answered(1, "yes".into()));
        pushes.forget(1);
        assert_eq!(pushes.take(4, key("a", None)), Taken::New);
    }

    #[test]
    fn content_tells_a_change_from_a_repeat() {
        let pushes = Pushes::default();
        assert_eq!(pushes.take(1, key("a", Some("x"))), Taken::New);
        assert_eq!(pushes.take(2, key("a", Some("y"))), Taken::New);
        pushes.forget(1);
        assert_eq!(pushes.take(3, key("a", Some("y"))), Taken::Open(2));
        assert_eq!(pushes.take(4, key("a", Some("x"))), Taken::New);
    }

    #[test]
    fn either_words_give_both() {
        for (given, expected) in [
            (json!({"state": 1, "errmsg": ""}), json!({"code": 0, "message": "ok", "state": 1})),
            (json!({"state": 0, "errmsg": "x"}), json!({"code": 1, "message": "x", "state": 0})),
            (json!({"code": 0, "message": "ok"}), json!({"code": 0, "message": "ok", "state": 1})),
            (json!({"code": 7}), json!({"code": 7, "message": "failed", "state": 0})),
            (json!({}), json!({"code": 0, "message": "ok", "state": 1})),
        ] {
            let mut data = given.as_object().unwrap().clone();
            in_both_words(&mut data);
            data.remove("errmsg");
            assert_eq!(Value::Object(data), expected);
        }
    }
}
