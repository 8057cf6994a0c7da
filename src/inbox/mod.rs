//! The inbox: what the platforms say on their own. It hands each message to the software, one at a time, on the one
//! dispatch thread or through the poll, and knows which of them still wait for an answer.

mod dispatch;
mod event;
mod memory;
mod push;
mod recall;
mod reply;
mod reports;

pub use self::dispatch::{DeliveryHandler, DownlinkHandler, LogHandler};
pub use self::event::{Event, EventKind};
pub(crate) use self::push::is_pushed;
pub use self::push::{Heard, Responder};
pub(crate) use self::reply::echoed;
pub use self::reply::{Answer, check};

use self::push::Pushes;
use self::recall::Recall;
use self::reply::refusal;

use self::dispatch::{Control, Dispatcher};
use crate::catalogue::{Interface, Platform};
use crate::error::{Code, Error, Result};
use crate::json::{Text, Value};
use crate::link::{Members, Sink};
use crate::log::{Level, Log};
use crate::store::{Store, now_ms};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// Takes the answers to downlinks on their way to the platform; false when that is not configured.
pub type Outlet = Box<dyn Fn(Answer) -> bool + Send + Sync>;

/// How the inbox behaves.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Messages that wait for the software.
    pub queue: usize,
    /// How long an unanswered one can still be answered; and how old a command may be to be handed out after a restart.
    pub keep: Duration,
    /// Whether the software sees the mark `redelivered`: else no command of before is handed out again.
    pub sees_mark: bool,
    /// How long after opening messages wait for a handler before they are refused for want of one.
    pub grace: Duration,
    /// How long repeats are recognised, in seconds of the store's running time.
    pub window_seconds: i64,
}

/// A downlink that was handed out and not answered.
#[derive(Debug, Clone)]
pub struct Open {
    platform: Platform,
    interface: Option<&'static Interface>,
    service: Text,
    data: Arc<Members>,
    since: Instant,
    is_stored: bool,
}

/// The inbox of one handle.
pub struct Inbox {
    me: Weak<Inbox>,
    store: Option<Arc<Store>>,
    recall: Recall,
    pushes: Pushes,
    state: Mutex<State>,
    changed: Condvar,
    log: Arc<Log>,
    limits: Limits,
    outlet: Mutex<Option<Arc<Outlet>>>,
    balances: Mutex<HashMap<String, Members>>,
    dispatcher: Dispatcher,
    next_id: AtomicU64,
}

#[derive(Default)]
struct State {
    events: VecDeque<Event>,
    lines: VecDeque<(Level, String)>,
    reports: VecDeque<String>,
    has_delivery_handler: bool,
    controls: VecDeque<Control>,
    open: HashMap<u64, Open>,
    /// Answered or told just now, and that not yet where repeats look for it.
    answering: HashSet<u64>,
    has_handler: bool,
    is_polled: bool,
    /// Stored notices that the poll has given and the software may still be busy with.
    polled: Vec<u64>,
    grace_ends: Option<Instant>,
    is_closed: bool,
}

impl State {
    /// The next for the software. The time to answer begins now, however long it has waited here.
    fn hand_out(&mut self) -> Option<Event> {
        let event = self.events.pop_front()?;
        if event.kind == EventKind::Request {
            self.open.insert(event.id, event.to_open());
        }
        Some(event)
    }
}

/// Log lines that wait for a slow handler; the oldest are dropped.
const LINES: usize = 10_000;

/// Plates whose balance is remembered.
const BALANCES: usize = 10_000;

impl Inbox {
    /// Opens it and starts the dispatch thread.
    pub fn open(limits: Limits, log: Arc<Log>, store: Option<Arc<Store>>) -> Result<Arc<Inbox>> {
        // Numbers are not given twice, not even after a restart: a late answer must not hit another event.
        let by_clock = now_ms().unsigned_abs().saturating_mul(1000);
        let last = store.as_ref().map(|store| store.read(|reader| reader.last_event())).transpose()?.unwrap_or(0);
        let state = State { grace_ends: Some(Instant::now() + limits.grace), ..State::default() };
        let inbox = Arc::new_cyclic(|me| Inbox {
            me: me.clone(),
            store,
            recall: Recall::default(),
            pushes: Pushes::default(),
            state: Mutex::new(state),
            changed: Condvar::new(),
            log,
            limits,
            outlet: Mutex::default(),
            balances: Mutex::default(),
            dispatcher: Dispatcher::default(),
            next_id: AtomicU64::new(by_clock.max(last + 1)),
        });
        if let Some(store) = &inbox.store {
            let me = inbox.me.clone();
            store.on_replaced(Box::new(move |replaced| {
                if let Some(inbox) = me.upgrade() {
                    inbox.store_replaced(replaced);
                }
            }));
        }
        inbox.recall()?;
        inbox.dispatcher.start(&inbox)?;
        Ok(inbox)
    }

    /// Where answers go.
    pub fn set_outlet(&self, outlet: Option<Outlet>) {
        *self.outlet.lock().unwrap_or_else(PoisonError::into_inner) = outlet.map(Arc::new);
    }

    /// The next number for an event.
    fn number(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_outlet(&self) -> bool {
        self.outlet.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// False when there is no way.
    fn send(&self, answer: Answer) -> bool {
        let outlet = self.outlet.lock().unwrap_or_else(PoisonError::into_inner).clone();
        outlet.is_some_and(|outlet| outlet(answer))
    }

    /// The handler for downlinks; the old one is dropped on the dispatch thread.
    pub fn set_handler(&self, handler: Option<DownlinkHandler>) -> Result<()> {
        let mut state = self.lock();
        if state.is_closed {
            return Err(closed());
        }
        state.has_handler = handler.is_some();
        state.controls.push_back(Control::Downlinks(handler));
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    /// The handler for log lines.
    pub fn set_log_handler(self: &Arc<Self>, handler: Option<LogHandler>) -> Result<()> {
        let mut state = self.lock();
        if state.is_closed {
            return Err(closed());
        }
        let is_set = handler.is_some();
        state.controls.push_back(Control::Lines(handler));
        drop(state);
        self.changed.notify_all();
        let inbox = Arc::downgrade(self);
        self.log.set_tap(is_set.then(|| -> crate::log::Tap {
            Box::new(move |level, line| {
                if let Some(inbox) = inbox.upgrade() {
                    inbox.line(level, line);
                }
            })
        }));
        Ok(())
    }

    fn line(&self, level: Level, line: String) {
        let mut state = self.lock();
        if state.lines.len() >= LINES {
            state.lines.pop_front();
        }
        state.lines.push_back((level, line));
        drop(state);
        self.changed.notify_all();
    }

    /// Waits for the next message, when no handler takes them.
    pub fn poll(&self, timeout: Duration) -> Result<Event> {
        if self.dispatcher.is_current() {
            return Err(Error::new(Code::InCallback, "poll would wait for the callback that it is called from"));
        }
        let deadline = Instant::now() + timeout;
        self.polled_are_handled();
        let mut state = self.lock();
        loop {
            if state.is_closed {
                return Err(closed());
            }
            if state.has_handler {
                return Err(Error::new(Code::Busy, "a callback takes the downlinks: unregister it before polling"));
            }
            state.is_polled = true;
            if let Some(event) = state.hand_out() {
                if event.is_stored && event.kind != EventKind::Request {
                    state.polled.push(event.id);
                }
                drop(state);
                self.made_room();
                return Ok(event);
            }
            let now = Instant::now();
            if now >= deadline {
                return Err(Error::new(Code::NoEvent, format!("no downlink within {} ms", timeout.as_millis())));
            }
            state = self.changed.wait_timeout(state, deadline - now).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whoever polls again, or closes, is done with what the poll gave before.
    fn polled_are_handled(&self) {
        let polled = std::mem::take(&mut self.lock().polled);
        polled.into_iter().for_each(|id| self.told(id));
    }

    /// Whether this is the dispatch thread.
    pub fn is_in_callback(&self) -> bool {
        self.dispatcher.is_current()
    }

    /// The last balance that Bolink told of a plate (SDK 4.2).
    pub fn balance(&self, car_number: &str) -> Option<Members> {
        self.balances.lock().unwrap_or_else(PoisonError::into_inner).get(car_number).cloned()
    }

    fn note_balance(&self, data: &Members) {
        let Some(car_number) = data.get("car_number").and_then(Value::as_str) else { return };
        let mut balances = self.balances.lock().unwrap_or_else(PoisonError::into_inner);
        if balances.len() >= BALANCES {
            balances.clear();
        }
        balances.insert(car_number.to_owned(), data.clone());
    }

    /// Messages waiting for the software, and those it has not answered.
    pub fn depth(&self) -> (usize, usize) {
        let state = self.lock();
        (state.events.len(), state.open.len())
    }

    /// Ends it: sleepers wake, the dispatch thread ends after the call it is in. Tells how many stay unanswered, and
    /// whether that call ended in time.
    pub fn close(&self, timeout: Duration) -> (u64, bool) {
        self.polled_are_handled();
        let left = {
            let mut state = self.lock();
            state.is_closed = true;
            state.open.len() as u64
        };
        self.changed.notify_all();
        (left, self.dispatcher.join(timeout))
    }
}

fn closed() -> Error {
    Error::new(Code::Closed, "the handle is closed")
}

impl Sink for Inbox {
    fn received(&self, platform: Platform, message: Members) {
        self.take_in(Event::new(self.number(), platform, message));
    }
}

impl Inbox {
    fn take_in(&self, event: Event) {
        let platform = event.platform;
        self.log.debug(format_args!(
            "{}: {} {} (event {})",
            platform.name(),
            event.kind.name(),
            event.service,
            event.id
        ));
        if event.interface.is_some_and(|interface| interface.service == Some("update_balance")) {
            self.note_balance(&event.data);
        }
        self.remember(event);
    }

    /// Puts an event in line for the software, or refuses it when nobody takes it.
    fn hand_on(&self, event: Event) {
        let state = self.lock();
        if state.is_closed {
            return;
        }
        let is_heard = state.has_handler || state.is_polled || state.grace_ends.is_some_and(|end| Instant::now() < end);
        let is_full = state.events.len() >= self.limits.queue;
        if is_heard && !is_full || event.platform == Platform::Library {
            return self.line_up(state, event);
        }
        drop(state);
        self.refuse(&event, if is_full { "收费系统忙，请稍后重试" } else { "收费系统未接入此接口" });
    }

    fn line_up(&self, mut state: MutexGuard<'_, State>, event: Event) {
        if event.kind == EventKind::Request {
            let keep = self.limits.keep;
            state.open.retain(|_, open| open.since.elapsed() < keep);
            state.open.insert(event.id, event.to_open());
        } else if event.is_stored {
            state.answering.insert(event.id);
        }
        state.events.push_back(event);
        drop(state);
        self.changed.notify_all();
    }

    /// Answers for software that does not: a refusal, not silence.
    fn refuse(&self, event: &Event, text: &str) {
        let name = event.platform.name();
        if event.stays() {
            // The platform has done its part long ago and may not ask again: it stays on disk.
            return self.log.error(format_args!("{name}: nobody takes {} of before, kept for later", event.service));
        }
        self.log.warn(format_args!("{name}: nobody takes {}, refused", event.service));
        self.forget(event);
        if event.kind == EventKind::Request {
            self.deliver_refusal(event.id, refusal(&event.to_open(), text));
        }
    }

    /// After the grace, what nobody came for is refused.
    fn end_grace(&self) {
        let abandoned: VecDeque<Event> = {
            let mut state = self.lock();
            if state.has_handler || state.is_polled || state.grace_ends.is_none_or(|end| Instant::now() < end) {
                return;
            }
            state.grace_ends = None;
            let (kept, events): (VecDeque<Event>, VecDeque<Event>) = state.events.drain(..).partition(Event::stays);
            state.events = kept;
            for event in &events {
                state.open.remove(&event.id);
            }
            events
        };
        for event in &abandoned {
            self.refuse(event, "收费系统未接入此接口");
        }
    }
}
