//! A lane: takes the next record, sends it, says what became of it.

use super::Shared;
use super::age;
use super::line::Line;
use super::verdict::{self, Verdict};
use crate::catalogue::{self, Platform};
use crate::error::{Code, Error};
use crate::json::{self, Value};
use crate::link::backoff::Backoff;
use crate::link::{Link, Members, RequestKind, exchange};
use crate::sdk::{Outcome, of_reply, request};
use crate::store::{Record, Settled};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// While the link is down it is asked whether it is back: soon at first, then so often.
const ASK_FIRST: Duration = Duration::from_millis(5);
const ASK: Duration = Duration::from_millis(500);

/// Until the outbox stops.
pub fn work(line: &Arc<Line>, shared: &Shared, link: &dyn Link) {
    let mut doubtful = None;
    loop {
        let Some(record) = line.next(doubtful.is_none()) else {
            // Nothing else to send: the last one that a run before this had under way.
            let Some((record, _)) = doubtful.take().filter(|_| !shared.stop.is_cancelled()) else { return };
            send_changed(line, shared, record);
            continue;
        };
        let mut pause = ASK_FIRST;
        while !link.is_up() {
            if !shared.stop.sleep(pause) {
                return;
            }
            pause = (pause * 2).min(ASK);
        }
        if shared.oldest().is_some_and(|limit| record.stored < limit) {
            let (settled, told) = (age::settled(&record), record.clone());
            line.settle(record, settled, Outcome::from(Error::new(Code::Expired, "too old")), None);
            age::tell(line, shared, &told);
            continue;
        }
        if record.is_log && !line.may_go(&record) {
            continue;
        }
        let mut outcome = send(&record, shared, link);
        let may_be_repeat = record.attempts > 0 || record.id <= shared.before;
        if may_be_repeat && verdict::is_there_already(link.platform(), &outcome) {
            outcome.error = None;
        }
        let is_repeat = verdict::is_remembered(link.platform(), &outcome);
        let is_old = record.id <= shared.before;
        if is_repeat && is_old && record.attempts > 0 {
            send_changed(line, shared, record);
            continue;
        }
        if is_repeat && is_old {
            if let Some((record, outcome)) = doubtful.take() {
                settle(line, shared, record, outcome);
            }
            // On disk before anything else goes out: after another crash it would look like one of those before it.
            line.doubt(&record);
            doubtful = Some((record, outcome));
            continue;
        }
        let is_fresh = matches!(verdict::judge(&outcome), Verdict::Delivered | Verdict::Dead(_));
        settle(line, shared, record, outcome);
        if let Some((record, _)) = doubtful.take_if(|_| is_fresh) {
            send_changed(line, shared, record);
        }
    }
}

/// The cloud's guard remembers a record before it looks at the token, and the token dies with its connection: of a record
/// that was under way when the process ended, "already handled" does not say that it is stored. One
/// request is under way at a time, so after a crash that is only the last one that the guard remembers. It is sent once
/// more with other bytes: better twice than never.
fn send_changed(line: &Arc<Line>, shared: &Shared, record: Record) {
    let error = format!("{}: remembered by the cloud but perhaps not stored", record.service);
    settle(line, shared, record, Outcome::from(Error::new(Code::NotStored, error)));
}

fn send(record: &Record, shared: &Shared, link: &dyn Link) -> Outcome {
    let Some(members) = json::members_of(record.data.as_bytes()) else {
        return Outcome::from(Error::new(Code::Json, "the stored record is not JSON: the store was changed by hand"));
    };
    let interface = record.interface.as_deref().and_then(catalogue::by_id);
    let platform = link.platform();
    let patience =
        shared.timeouts.iter().find(|(known, _)| *known == platform).map_or(Duration::from_secs(10), |(_, time)| *time);
    let deadline = Instant::now() + patience;
    let members = Arc::new(members);
    let request = request(platform, interface, &record.service, &members, deadline, RequestKind::Backlog);
    match exchange(link, request) {
        // What is kept asks for no money any more.
        Ok(reply) => of_reply(platform, interface, &record.service, false, reply),
        Err(error) => Outcome::from(error),
    }
}

fn settle(line: &Arc<Line>, shared: &Shared, record: Record, outcome: Outcome) {
    let name = line.platform.name();
    let log = &shared.log;
    let verdict = verdict::judge(&outcome);
    let is_refused = matches!(verdict, Verdict::Dead(_) | Verdict::Change(_));
    match verdict {
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
            // It can be this record's own fault, when the platform answers others.
            if line.times_alone(&record) >= shared.attempts {
                return die(line, shared, record, error, outcome);
            }
            log.warn(format_args!("outbox: {name}: {} again: {}", record.service, error.message));
            line.failed(error.wait);
            let pause = pause_of(shared, record.attempts);
            line.settle(record, Settled::Again { data: None, error: error.message }, outcome, Some(pause));
        }
        Verdict::Change(error) => {
            log.warn(format_args!("outbox: {name}: {} again with other bytes: {}", record.service, error.message));
            let data = vary(&record.data);
            let pause = Duration::from_millis(100);
            line.settle(record, Settled::Again { data, error: error.message }, outcome, Some(pause));
        }
        // It may have been sent: what the guard says of it next time is to be doubted.
        Verdict::NoLink(error) if error.code == Code::Closed => {
            line.settle(record, Settled::Again { data: None, error: error.message }, outcome, None);
        }
        Verdict::NoLink(error) => match error.wait {
            // For its order alone; the login that it waits for takes a moment, too.
            Some(wait) => line.hold(&record, &error, wait + Duration::from_millis(100)),
            None => line.put_back(record, &error, None),
        },
        Verdict::Busy(error, wait) => line.put_back(record, &error, wait),
    }
    if is_refused && line.platform == Platform::Cloud {
        // The guard remembers what was refused: after a crash its word on it would be taken for "stored", but for the last.
        line.write_down_and_wait();
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
    let reply = outcome.reply.as_ref().map(Members::to_string);
    finish(line, shared, record, Settled::Dead { code: error.code, message: error.message, reply }, outcome);
}

fn finish(line: &Arc<Line>, shared: &Shared, record: Record, settled: Settled, outcome: Outcome) {
    let report = shared
        .inbox
        .wants_reports()
        .then(|| verdict::report(record.ticket, line.platform, record.interface.as_deref(), &record.service, &outcome));
    line.settle(record, settled, outcome, None);
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
pub fn vary(data: &str) -> Option<String> {
    let mut members = json::members_of(data.as_bytes())?;
    let stamp = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_micros());
    members.insert("random_temp", Value::from(stamp.to_string()));
    Some(members.to_string())
}
