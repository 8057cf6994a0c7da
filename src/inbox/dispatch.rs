//! The dispatch thread: every callback runs on it, one at a time, and none while a lock is held.

use super::{Event, Inbox};
use crate::error::{Code, Error, Result};
use crate::log::Level;
use crossbeam_channel::{Receiver, bounded};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle, ThreadId};
use std::time::{Duration, Instant};

/// Takes downlinks.
pub type DownlinkHandler = Box<dyn Fn(&Event) + Send>;

/// Takes lines of the log.
pub type LogHandler = Box<dyn Fn(Level, &str) + Send>;

/// A change of handlers, made on the dispatch thread so that no call is in the old one.
pub(super) enum Control {
    Downlinks(Option<DownlinkHandler>),
    Lines(Option<LogHandler>),
}

/// The thread, seen from outside.
#[derive(Default)]
pub(super) struct Dispatcher {
    id: OnceLock<ThreadId>,
    thread: Mutex<Option<(JoinHandle<()>, Receiver<()>)>>,
}

enum Task {
    Control(Control),
    Line(Level, String),
    Event(Box<Event>),
    Grace,
    End,
}

impl Dispatcher {
    pub(super) fn start(&self, inbox: &Arc<Inbox>) -> Result<()> {
        let inbox = inbox.clone();
        let (alive, ended) = bounded::<()>(0);
        let thread = thread::Builder::new()
            .name("parklink-events".into())
            .spawn(move || {
                let _alive = alive;
                run(&inbox);
            })
            .map_err(|error| Error::new(Code::Io, format!("no thread for callbacks: {error}")))?;
        // Set before any event can be dispatched: events come from links that are opened later.
        let _ = self.id.set(thread.thread().id());
        *self.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some((thread, ended));
        Ok(())
    }

    pub(super) fn is_current(&self) -> bool {
        self.id.get() == Some(&thread::current().id())
    }

    /// Waits for its end; false when a callback holds it longer than that.
    pub(super) fn join(&self, timeout: Duration) -> bool {
        let Some((thread, ended)) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return true;
        };
        if ended.recv_timeout(timeout) == Err(crossbeam_channel::RecvTimeoutError::Timeout) {
            return false;
        }
        let _ = thread.join();
        true
    }
}

fn run(inbox: &Arc<Inbox>) {
    let mut downlinks: Option<DownlinkHandler> = None;
    let mut lines: Option<LogHandler> = None;
    loop {
        match next(inbox, downlinks.is_some()) {
            Task::Control(Control::Downlinks(handler)) => discard(inbox, std::mem::replace(&mut downlinks, handler)),
            Task::Control(Control::Lines(handler)) => discard(inbox, std::mem::replace(&mut lines, handler)),
            Task::Line(level, line) => {
                if let Some(handler) = &lines {
                    // A panic in the log's own handler has nowhere to be told.
                    let _ = catch_unwind(AssertUnwindSafe(|| handler(level, &line)));
                }
            }
            Task::Event(event) => {
                if let Some(handler) = &downlinks {
                    let begun = Instant::now();
                    if catch_unwind(AssertUnwindSafe(|| handler(&event))).is_err() {
                        inbox.log.error(format_args!("the callback for {} failed", event.service));
                    }
                    let took = begun.elapsed();
                    if took > Duration::from_secs(2) {
                        inbox.log.warn(format_args!(
                            "the callback for {} took {} ms: other downlinks wait",
                            event.service,
                            took.as_millis()
                        ));
                    }
                }
            }
            Task::Grace => inbox.end_grace(),
            Task::End => break,
        }
    }
    discard(inbox, downlinks);
    discard(inbox, lines);
}

/// Drops a handler, which runs the software's own clean-up.
fn discard<T>(inbox: &Arc<Inbox>, handler: Option<T>) {
    if catch_unwind(AssertUnwindSafe(|| drop(handler))).is_err() {
        inbox.log.error(format_args!("the clean-up of a callback failed"));
    }
}

fn next(inbox: &Arc<Inbox>, has_handler: bool) -> Task {
    let mut state = inbox.lock();
    loop {
        if let Some(control) = state.controls.pop_front() {
            return Task::Control(control);
        }
        if state.is_closed {
            return Task::End;
        }
        if let Some((level, line)) = state.lines.pop_front() {
            return Task::Line(level, line);
        }
        if has_handler && let Some(event) = state.events.pop_front() {
            return Task::Event(Box::new(event));
        }
        let grace = state.grace_ends.map(|end| end.saturating_duration_since(Instant::now()));
        state = match grace.filter(|_| !state.has_handler && !state.is_polled) {
            Some(left) if left.is_zero() => return Task::Grace,
            Some(left) => inbox.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
            None => inbox.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
        };
    }
}

impl Inbox {
    /// The downlink of this number, and its end as an open one when `check` agrees with the answer.
    pub(crate) fn answer(
        &self,
        event_id: u64,
        given: super::Members,
        check: impl Fn(&super::Answer) -> Result<()>,
    ) -> Result<()> {
        let open = self.lock().open.get(&event_id).cloned();
        let Some(open) = open.filter(|open| open.since.elapsed() < self.limits.keep) else {
            let message = format!("event {event_id} does not wait for an answer: unknown, answered, or too old");
            return Err(Error::new(Code::UnknownEvent, message));
        };
        let answer = super::reply::complete(&open, given);
        check(&answer)?;
        if self.lock().open.remove(&event_id).is_none() {
            return Err(Error::new(Code::UnknownEvent, format!("event {event_id} was answered meanwhile")));
        }
        self.send(answer);
        Ok(())
    }

    /// The open downlink that an answer without a number belongs to: of the same service, and of those that repeat its
    /// keys the oldest.
    pub(crate) fn find_open(&self, service: &str, given: &super::Members) -> Option<u64> {
        let state = self.lock();
        let fits = |open: &super::Open| {
            let keys = open.interface.map_or(&[][..], |interface| interface.correlate_by);
            open.service == service
                && keys.iter().all(|key| match (given.get(*key), open.data.get(*key)) {
                    (Some(given), Some(asked)) => crate::catalogue::same_value(given, asked),
                    _ => true,
                })
        };
        state.open.iter().filter(|(_, open)| fits(open)).map(|(id, _)| *id).min()
    }
}
