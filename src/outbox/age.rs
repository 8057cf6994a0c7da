//! The limit by age. Records in line are in the order of their storing, so the oldest stand in front: nothing is searched.

use super::line::Line;
use super::{Shared, verdict};
use crate::error::{Code, Error};
use crate::sdk::Outcome;
use crate::store::{Dropped, Record, Settled};
use std::sync::Arc;
use std::time::Duration;

/// So often the front of the lines is looked at.
const EVERY: Duration = Duration::from_secs(600);

/// First when the software has had time to say that it wants to hear of it.
const FIRST: Duration = Duration::from_secs(2);

/// Looks after all lines until the outbox stops, also while their links are down.
pub fn watch(lines: &[Arc<Line>], shared: &Shared) {
    let mut pause = FIRST;
    while shared.stop.sleep(pause) {
        lines.iter().for_each(|line| sweep(line, shared));
        pause = EVERY;
    }
}

fn sweep(line: &Arc<Line>, shared: &Shared) {
    while let Some(limit) = shared.oldest()
        && !shared.stop.is_cancelled()
    {
        match line.expire(limit) {
            Some(expired) if expired.is_empty() => return,
            Some(expired) => {
                let logs = expired.iter().filter(|record| record.is_log).count();
                if logs > 0 {
                    let name = line.platform.name();
                    shared.log.error(format_args!("outbox: {name}: {logs} log records were too old, and were dropped"));
                }
                expired.iter().for_each(|record| tell(line, shared, record));
            }
            None => {}
        }
    }
}

impl Shared {
    /// What was stored before this second of the store's running time is too old.
    pub(super) fn oldest(&self) -> Option<i64> {
        (self.max_age > 0).then(|| self.store.seconds() - self.max_age)
    }
}

/// What becomes of a record that is too old: money is never dropped.
pub fn settled(record: &Record) -> Settled {
    if record.is_log {
        return Settled::Dropped;
    }
    let Error { code, message, .. } = reason(record);
    Settled::Dead { code, message, reply: None }
}

fn reason(record: &Record) -> Error {
    let sent = match record.attempts {
        0 => "it was never sent".to_owned(),
        times => format!("it was sent, {times} times without an answer"),
    };
    Error::new(Code::Expired, format!("{} waited longer than store.max_age_days; {sent}", record.service))
}

/// Tells the log and the software.
pub fn tell(line: &Line, shared: &Shared, record: &Record) {
    let (name, error) = (line.platform.name(), reason(record));
    let Record { service, ticket, .. } = record;
    if record.is_log {
        shared.log.debug(format_args!("outbox: {name}: {service} (ticket {ticket}) was dropped: {}", error.message));
    } else {
        shared
            .log
            .error(format_args!("outbox: {name}: {service} (ticket {ticket}) is a dead letter: {}", error.message));
    }
    if !shared.inbox.wants_reports() {
        return;
    }
    let report = if record.is_log {
        let Record { id, ticket, interface, service, .. } = record.clone();
        verdict::report_dropped(&Dropped { id, ticket, platform: name.to_owned(), interface, service }, &error)
    } else {
        let outcome = Outcome::from(error);
        verdict::report(record.ticket, line.platform, record.interface.as_deref(), &record.service, &outcome)
    };
    shared.inbox.report(report, &shared.stop);
}
