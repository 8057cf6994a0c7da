//! The end of a handle.

use super::Sdk;
use crate::error::{Code, Error, Result};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

impl Sdk {
    /// Ends everything: wakes every sleeper, joins every thread, drops every handler. Answers that are on their way get
    /// up to `timeout` to arrive. From inside a callback it is refused. A callback that does not return within `timeout` is
    /// left behind: its thread ends, and drops the handlers, when it returns.
    pub fn close(&self, timeout: Duration) -> Result<Closed> {
        if self.inbox.is_in_callback() {
            return Err(Error::new(Code::InCallback, "close would wait for the callback that it is called from"));
        }
        if self.is_closed.swap(true, Ordering::AcqRel) {
            return Err(Error::new(Code::Closed, "the handle is closed already"));
        }
        self.closing.cancel();
        let deadline = Instant::now() + timeout;
        if let Some(listener) = &self.listener {
            listener.shut();
        }
        if let Some(files) = self.files.get() {
            files.break_off();
        }
        self.answers.drain(deadline);
        for link in self.links.iter() {
            link.shut();
        }
        let unsent = self.answers.stop();
        if let Some(outbox) = &self.outbox {
            outbox.stop();
        }
        self.inbox.set_outlet(None);
        self.log.set_tap(None);
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(50));
        let (unanswered, has_ended) = self.inbox.close(left);
        if let Some(store) = &self.store {
            // What is still under way gets to the disk, and whoever opens the folder next does not find it locked.
            store.close();
        }
        let records = self.store.as_ref().map_or(0, |store| store.total().records.max(0).unsigned_abs());
        self.log.info(format_args!(
            "closed: {unanswered} downlinks without an answer, {unsent} answers not sent, {records} records wait on disk"
        ));
        Ok(Closed { left: unanswered + unsent + records, has_ended })
    }
}

/// How a handle was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed {
    /// What is not finished: downlinks that stay unanswered, answers that were not sent, and records that wait in the store.
    pub left: u64,
    /// No: a callback has not returned in time, and was left behind.
    pub has_ended: bool,
}

impl Closed {
    /// An error when something was left behind.
    pub fn ended(self) -> Result<()> {
        let late = || Error::new(Code::Timeout, "a callback has not returned in time; its thread ends when it does");
        self.has_ended.then_some(()).ok_or_else(late)
    }
}

impl Drop for Sdk {
    fn drop(&mut self) {
        // Closed already, most often; the result tells nothing more then.
        let _ = self.close(Duration::ZERO);
    }
}
