//! A lane: takes the next record, sends it, says what became of it.

use super::Shared;
use super::line::Line;
use super::verdict::{self, Verdict};
use crate::catalogue;
use crate::error::{Code, Error};
use crate::link::backoff::Backoff;
use crate::link::{Link, Members, RequestKind};
use crate::sdk::{Outcome, of_reply, request};
use crate::store::{Record, Settled};
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// While the link is down it is asked so often whether it is back.
const ASK: Duration = Duration::from_millis(500);

/// … and sooner at first: a link that is just being opened is up in no time.
const ASK_FIRST: Duration = Duration::from_millis(5);

/// Until the outbox stops.
pub fn work(line: &Arc<Line>, shared: &Shared, link: &dyn Link) {
    while let Some(record) = line.next() {
        let mut pause = ASK_FIRST;
        while !link.is_up() {
            if !shared.stop.sleep(pause) {
                return;
            }
            pause = (pause * 2).min(ASK);
        }
        let outcome = send(&record, shared, link);
        settle(line, shared, record, outcome);
    }
}

fn send(record: &Record, shared: &Shared, link: &dyn Link) -> Outcome {
    let Ok(Value::Object(members)) = serde_json::from_str(&record.data) else {
        return Outcome::from(Error::new(Code::Json, "the stored record is not JSON: the store was changed by hand"));
    };
    let interface = record.interface.as_deref().and_then(catalogue::by_id);
    let platform = link.platform();
    let patience =
        shared.timeouts.iter().find(|(known, _)| *known == platform).map_or(Duration::from_secs(10), |(_, time)| *time);
    let deadline = Instant::now() + patience;
    let request = request(platform, interface, &record.service, &Arc::new(members), deadline, RequestKind::Backlog);
    match link.begin(request).and_then(|pending| pending()) {
        Ok(reply) => of_reply(platform, &record.service, reply),
        Err(error) => Outcome::from(error),
    }
}

fn settle(line: &Arc<Line>, shared: &Shared, record: Record, outcome: Outcome) {
    let name = line.platform.name();
    let log = &shared.log;
    match verdict::judge(&outcome) {
        Verdict::Delivered => {
            line.worked();
            log.debug(format_args!("outbox: {name} has {} (ticket {})", record.service, record.ticket));
            finish(line, shared, record, Settled::Delivered, outcome);
        }
        Verdict::Dead(error) => {
            line.worked();
            die(line, shared, record, error, outcome);
        }
        Verdict::Unanswered(error) => {
            // Silence can be this record's own fault, when the platform answers others.
            let is_alone = line.is_alone_in_silence(&record);
            if is_alone && record.attempts + 1 >= shared.attempts {
                return die(line, shared, record, error, outcome);
            }
            log.warn(format_args!("outbox: {name}: {} again: {}", record.service, error.message));
            line.failed(error.wait);
            line.hold(&record, pause_of(shared, record.attempts));
            line.settle(record, Settled::Again { data: None, error: error.message }, outcome);
        }
        Verdict::Change(error) => {
            log.warn(format_args!("outbox: {name}: {} again with other bytes: {}", record.service, error.message));
            let data = vary(&record.data);
            line.hold(&record, Duration::from_millis(100));
            line.settle(record, Settled::Again { data, error: error.message }, outcome);
        }
        Verdict::NoLink(error) => line.put_back(record, &error, Some(ASK)),
        Verdict::Busy(error, wait) => line.put_back(record, &error, wait),
    }
}

fn die(line: &Arc<Line>, shared: &Shared, record: Record, error: Error, outcome: Outcome) {
    shared.log.error(format_args!(
        "outbox: {}: {} (ticket {}) is a dead letter: {}",
        line.platform.name(),
        record.service,
        record.ticket,
        error.message
    ));
    let reply = outcome.reply.as_ref().and_then(|reply| serde_json::to_string(reply).ok());
    finish(line, shared, record, Settled::Dead { code: error.code, message: error.message, reply }, outcome);
}

fn finish(line: &Arc<Line>, shared: &Shared, record: Record, settled: Settled, outcome: Outcome) {
    let report = shared
        .inbox
        .wants_reports()
        .then(|| verdict::report(record.ticket, line.platform, record.interface.as_deref(), &record.service, &outcome));
    line.settle(record, settled, outcome);
    if let Some(report) = report {
        shared.inbox.report(report, &shared.stop);
    }
}

/// Doubled with each attempt, with jitter.
fn pause_of(shared: &Shared, attempts: i64) -> Duration {
    let mut backoff = Backoff::new(shared.retry.0, shared.retry.1);
    let mut pause = backoff.pause();
    for _ in 0..attempts.clamp(0, 20) {
        pause = backoff.pause();
    }
    pause
}

/// The record with the member that only makes its bytes other ones.
fn vary(data: &str) -> Option<String> {
    let mut members: Members = serde_json::from_str(data).ok()?;
    let stamp = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_micros());
    members.insert("random_temp".into(), Value::from(stamp.to_string()));
    serde_json::to_string(&members).ok()
}
