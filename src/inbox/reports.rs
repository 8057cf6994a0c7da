//! What the software is told of its records.

use super::dispatch::{Control, DeliveryHandler};
use super::{Inbox, closed};
use crate::error::Result;
use crate::link::dial::Cancel;
use std::time::Duration;

/// Delivery reports that wait for a slow handler; the outbox then waits too.
const REPORTS: usize = 10_000;

impl Inbox {
    /// The handler for what became of submitted records.
    pub fn set_delivery_handler(&self, handler: Option<DeliveryHandler>) -> Result<()> {
        let mut state = self.lock();
        if state.is_closed {
            return Err(closed());
        }
        state.has_delivery_handler = handler.is_some();
        state.controls.push_back(Control::Deliveries(handler));
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    /// Whether anybody hears what becomes of records.
    pub(crate) fn wants_reports(&self) -> bool {
        self.lock().has_delivery_handler
    }

    /// Tells the software what became of a record; waits while it is slow to hear.
    pub(crate) fn report(&self, report: String, stop: &Cancel) {
        loop {
            let mut state = self.lock();
            if !state.has_delivery_handler || state.is_closed {
                return;
            }
            if state.reports.len() < REPORTS {
                state.reports.push_back(report);
                drop(state);
                return self.changed.notify_all();
            }
            drop(state);
            if !stop.sleep(Duration::from_millis(20)) {
                return;
            }
        }
    }

    /// The same for whoever must not wait: when twice as many wait already, it is not told.
    pub(crate) fn report_at_once(&self, report: String) {
        let mut state = self.lock();
        if !state.has_delivery_handler || state.is_closed {
            return;
        }
        if state.reports.len() < REPORTS * 2 {
            state.reports.push_back(report);
            drop(state);
            return self.changed.notify_all();
        }
        drop(state);
        self.log.warn(format_args!("{} reports of deliveries wait: one was left out", REPORTS * 2));
    }
}
