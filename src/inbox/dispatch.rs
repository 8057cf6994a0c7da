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

/// Takes what became of submitted records, as JSON.
pub type DeliveryHandler = Box<dyn Fn(&str) + Send>;

/// A change of handlers, made on the dispatch thread so that no call is in the old one.
pub(super) enum Control {
    Downlinks(Option<DownlinkHandler>),
    Lines(Option<LogHandler>),
    Deliveries(Option<DeliveryHandler>),
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
    Report(String),
    Event(Event),
    Grace,
    Recall,
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
    let mut deliveries: Option<DeliveryHandler> = None;
    loop {
        match next(inbox, downlinks.is_some()) {
            Task::Control(Control::Downlinks(handler)) => discard(inbox, std::mem::replace(&mut downlinks, handler)),
            Task::Control(Control::Lines(handler)) => discard(inbox, std::mem::replace(&mut lines, handler)),
            Task::Control(Control::Deliveries(handler)) => discard(inbox, std::mem::replace(&mut deliveries, handler)),
            Task::Report(report) => {
                if let Some(handler) = &deliveries
                    && catch_unwind(AssertUnwindSafe(|| handler(&report))).is_err()
                {
                    inbox.log.error(format_args!("the callback for deliveries failed"));
                }
            }
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
                    inbox.handled(&event);
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
            Task::Recall => {
                if let Err(error) = inbox.recall_more() {
                    inbox.log.error(format_args!("downlinks of before wait on disk: {}", error.message));
                }
            }
            Task::End => break,
        }
    }
    discard(inbox, downlinks);
    discard(inbox, deliveries);
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
        if has_handler && let Some(event) = state.hand_out() {
            return Task::Event(event);
        }
        if let Some(report) = state.reports.pop_front() {
            return Task::Report(report);
        }
        if inbox.room(&mut state) > 0 {
            return Task::Recall;
        }
        let grace = state.grace_ends.map(|end| end.saturating_duration_since(Instant::now()));
        let grace = grace.filter(|_| !state.has_handler && !state.is_polled);
        if grace.is_some_and(|left| left.is_zero()) {
            return Task::Grace;
        }
        // Last: with a slow handler there may always be one.
        if let Some((level, line)) = state.lines.pop_front() {
            return Task::Line(level, line);
        }
        state = match [grace, inbox.recall.pause()].into_iter().flatten().min() {
            Some(left) => inbox.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
            None => inbox.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
        };
    }
}

#[cfg(test)]
mod tests {
    use crate::catalogue::Platform;
    use crate::inbox::{Inbox, Limits};
    use crate::json::members;
    use crate::link::Sink;
    use crate::log::{Level, Log};
    use crossbeam_channel::bounded;
    use std::sync::Arc;
    use std::time::Duration;

    #[test]
    fn a_downlink_does_not_wait_for_the_lines_before_it() {
        let second = Duration::from_secs(1);
        let limits = Limits { queue: 10, keep: second, grace: second, window_seconds: 60, sees_mark: true };
        let log = Arc::new(Log::new(Level::Info));
        let inbox = Inbox::open(limits, log.clone(), None).unwrap();
        let (tell, told) = bounded(100);
        let (go, gate) = bounded(100);
        let line = tell.clone();
        // A slow log.
        let on_line = move |_: Level, text: &str| {
            line.send(text.rsplit(' ').next().unwrap_or_default().to_owned()).unwrap();
            gate.recv().unwrap();
        };
        inbox.set_log_handler(Some(Box::new(on_line))).unwrap();
        inbox.set_handler(Some(Box::new(move |event| tell.send(event.service.to_string()).unwrap()))).unwrap();
        for number in 1..=3 {
            log.info(format_args!("line {number}"));
        }
        let next = || told.recv_timeout(Duration::from_secs(5)).unwrap();
        assert_eq!(next(), "1");
        inbox.received(Platform::Cloud, members! {"service_name": "price_sync", "data": members! {"price": "1"}});
        (0..3).for_each(|_| go.send(()).unwrap());
        assert_eq!([next(), next(), next()], ["price_sync", "2", "3"]);
        inbox.close(second);
    }
}
