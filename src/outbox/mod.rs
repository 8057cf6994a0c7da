//! The outbox: records that are on disk and not yet with their platform. It sends them in order per order key, retries by
//! cause, and tells what became of each.

mod age;
mod line;
pub(crate) mod verdict;
mod worker;

use self::line::Line;
use crate::catalogue::Platform;
use crate::config::Config;
use crate::error::{Code, Error, Result};
use crate::inbox::Inbox;
use crate::json::{Members, Value, members};
use crate::link::Link;
use crate::link::dial::Cancel;
use crate::log::Log;
use crate::sdk::Outcome;
use crate::store::{Dropped, NewRecord, Reader, Store};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

pub(crate) use self::line::Turn;
pub(crate) use self::worker::vary;

/// What the workers of every line share.
pub(crate) struct Shared {
    pub store: Arc<Store>,
    pub links: Arc<Vec<Box<dyn Link>>>,
    pub inbox: Arc<Inbox>,
    pub log: Arc<Log>,
    pub stop: Cancel,
    pub timeouts: [(Platform, Duration); 4],
    pub retry: (Duration, Duration),
    pub attempts: i64,
    /// How long a record may wait, in seconds of the store's running time; 0: for ever.
    pub max_age: i64,
    /// Records up to this one are of earlier runs: they may have been sent.
    pub before: i64,
}

/// The outbox of a handle; its workers end with it.
pub struct Outbox {
    shared: Arc<Shared>,
    lines: Vec<Arc<Line>>,
    workers: Mutex<Vec<JoinHandle<()>>>,
}

/// The outcome of an upload that was put into the outbox.
pub fn queued(ticket: u64, why: &str) -> Outcome {
    let reply = members! {"state": 1, "errmsg": why, "ticket": ticket, "queued": true};
    let error = Error::new(Code::Queued, format!("stored under ticket {ticket}, will be sent: {why}"));
    Outcome { reply: Some(reply), error: Some(error) }
}

/// A dead letter as it goes out again. The cloud's guard remembers what it has refused, and would call the same bytes
/// handled, which counts as delivered; our own memory of its refusals ends with the process.
fn renewed(platform: &str, data: String) -> String {
    let changed = if platform == Platform::Cloud.name() { vary(&data) } else { None };
    changed.unwrap_or(data)
}

/// Records of the class log that make room at a time.
const ROOM: i64 = 100;

impl Outbox {
    /// Starts the lines of the configured links.
    pub fn start(
        config: &Config,
        store: Arc<Store>,
        links: Arc<Vec<Box<dyn Link>>>,
        inbox: Arc<Inbox>,
        log: Arc<Log>,
    ) -> Result<Outbox> {
        let before = store.last_before();
        let shared = Arc::new(Shared {
            before,
            store,
            links,
            inbox,
            log,
            stop: Cancel::default(),
            timeouts: [
                (Platform::Cloud, config.millis("cloud.request_timeout_ms")),
                (Platform::Bolink, config.millis("bolink.request_timeout_ms")),
                (Platform::Union, config.millis("union.request_timeout_ms")),
                (Platform::Etcp, config.millis("etcp.request_timeout_ms")),
            ],
            retry: (config.millis("outbox.retry_first_ms"), config.millis("outbox.retry_longest_ms")),
            attempts: config.number("outbox.attempts"),
            max_age: config.number("store.max_age_days") * 86_400,
        });
        shared.store.limit(config.number("store.max_records"), config.number("store.max_bytes"));
        let mut outbox = Outbox { shared: shared.clone(), lines: Vec::new(), workers: Mutex::default() };
        for at in 0..shared.links.len() {
            let platform = shared.links[at].platform();
            // The cloud takes one request at a time anyway.
            let lanes = if platform == Platform::Cloud { 1 } else { config.number("outbox.lanes") };
            let line = Arc::new(Line::new(platform, shared.clone()));
            outbox.lines.push(line.clone());
            for _ in 0..lanes.max(1) {
                let (line, shared) = (line.clone(), shared.clone());
                outbox.spawn("parklink-outbox", move || worker::work(&line, &shared, shared.links[at].as_ref()))?;
            }
        }
        if shared.max_age > 0 && !outbox.lines.is_empty() {
            let lines = outbox.lines.clone();
            outbox.spawn("parklink-age", move || age::watch(&lines, &shared))?;
        }
        Ok(outbox)
    }

    fn spawn(&mut self, name: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
        let worker = thread::Builder::new().name(name.into()).spawn(work);
        let worker = worker.map_err(|error| Error::new(Code::Io, format!("no thread for the outbox: {error}")))?;
        self.workers.get_mut().unwrap_or_else(PoisonError::into_inner).push(worker);
        Ok(())
    }

    /// Where the records are.
    pub fn store(&self) -> &Arc<Store> {
        &self.shared.store
    }

    /// Stores a record for each of its platforms; it is on disk when this returns.
    pub fn submit(&self, parts: Vec<NewRecord>) -> Result<u64> {
        let parts = Arc::new(parts);
        let ticket = loop {
            match self.shared.store.submit(parts.clone()) {
                Err(error) if error.code == Code::OutboxFull => self.make_room(&parts)?,
                outcome => break outcome?,
            }
        };
        let concerns = |line: &&Arc<Line>| parts.iter().any(|part| part.platform == line.platform.name());
        self.lines.iter().filter(concerns).for_each(|line| line.arrived());
        Ok(ticket)
    }

    /// The same for what the software gives: not before the uploads of its order that are under way have returned.
    pub fn submit_in_turn(&self, parts: Vec<NewRecord>) -> Result<u64> {
        for part in &parts {
            let line = self.lines.iter().find(|line| line.platform.name() == part.platform);
            if let (Some(line), Some(key)) = (line, &part.order_key) {
                line.wait_for_turn(key);
            }
        }
        self.submit(parts)
    }

    /// A place among the uploads of this order outside the line.
    pub(crate) fn turn(&self, platform: Platform, key: String) -> Option<Turn<'_>> {
        self.line(platform).map(|line| line.turn(key))
    }

    /// Money is never dropped: a full outbox refuses. Logs make room for what is newer.
    fn make_room(&self, parts: &[NewRecord]) -> Result<()> {
        while let Err(error) = self.shared.store.has_room(parts) {
            let dropped = self.shared.store.drop_oldest_logs(ROOM)?;
            if dropped.is_empty() {
                return Err(error);
            }
            self.tell_dropped(&dropped);
        }
        Ok(())
    }

    fn tell_dropped(&self, dropped: &[Dropped]) {
        let Shared { log, inbox, .. } = &*self.shared;
        log.error(format_args!("outbox: full, the {} oldest log records were dropped", dropped.len()));
        let why = Error::new(Code::OutboxFull, "the outbox is full: the oldest log records make room");
        for record in dropped {
            let line = self.lines.iter().find(|line| line.platform.name() == record.platform);
            let is_gone = line.is_none_or(|line| line.let_go(record.id));
            if is_gone && inbox.wants_reports() {
                // Not to be waited for: this may be the callback's own thread.
                inbox.report_at_once(verdict::report_dropped(record, &why));
            }
        }
    }

    /// Whether records of this order key still wait for this link: then a newer one may not overtake them.
    pub fn has_waiting(&self, platform: Platform, key: &str) -> bool {
        self.shared.store.may_hold(platform.name(), key)
            && self.line(platform).is_some_and(|line| line.has_waiting(key))
    }

    /// The platform answered an upload that was not stored.
    pub fn answered_live(&self, platform: Platform) {
        if let Some(line) = self.line(platform) {
            line.answered_live();
        }
    }

    /// Stores a record that must not overtake its order's older ones, and waits for its turn. The code is queued when
    /// that is not in time. Its place outside the line it has until it is stored.
    pub(crate) fn submit_and_wait(
        &self,
        platform: Platform,
        part: NewRecord,
        deadline: Instant,
        turn: Option<Turn<'_>>,
    ) -> Result<Outcome> {
        let line = self.line(platform).ok_or_else(|| Error::new(Code::NotConfigured, "no such link"))?;
        line.watch();
        let ticket = self.submit(vec![part]);
        drop(turn);
        match (line.wait_for(ticket.as_ref().ok().copied(), deadline), ticket?) {
            (Some(outcome), _) => Ok(outcome),
            (None, ticket) => Ok(queued(ticket, "earlier records of the same order wait to be sent")),
        }
    }

    fn line(&self, platform: Platform) -> Option<&Arc<Line>> {
        self.lines.iter().find(|line| line.platform == platform)
    }

    /// Waits until nothing waits any more, at most until then. Tells how many still do.
    pub fn flush(&self, deadline: Instant) -> Result<u64> {
        loop {
            let left = self.shared.store.total().records;
            if left <= 0 || Instant::now() >= deadline {
                return Ok(left.max(0).unsigned_abs());
            }
            if !self.shared.stop.sleep(Duration::from_millis(10)) {
                return Err(Error::new(Code::Closed, format!("the handle was closed while {left} records waited")));
            }
        }
    }

    /// Puts dead letters back in line, all or those of a ticket. Tells how many.
    pub fn retry_dead(&self, ticket: Option<u64>) -> Result<u64> {
        let count = self.shared.store.retry_dead(ticket, renewed)?;
        self.lines.iter().for_each(|line| line.arrived());
        Ok(count)
    }

    /// For `parklink_status`, by link.
    pub fn status(&self) -> Value {
        let store = &self.shared.store;
        let total = store.total();
        let mut oldest = Vec::new();
        if total.records > 0 {
            let of = |reader: &Reader| self.lines.iter().map(|line| reader.oldest(line.platform.name())).collect();
            oldest = store.read(of).unwrap_or_default();
        }
        let oldest = oldest.into_iter().chain(std::iter::repeat(None));
        let lines = self.lines.iter().zip(oldest);
        let mut status: Members =
            lines.map(|(line, oldest)| (line.platform.name().to_owned(), line.status(oldest))).collect();
        let dead = store.dead_count();
        status.insert("total", members! {"records": total.records, "bytes": total.bytes, "dead": dead});
        Value::Object(status)
    }

    /// Ends the workers; what was sent is written down first. Call it after the links were shut.
    pub fn stop(&self) {
        self.shared.stop.cancel();
        self.lines.iter().for_each(|line| line.wake());
        let workers = std::mem::take(&mut *self.workers.lock().unwrap_or_else(PoisonError::into_inner));
        for worker in workers {
            let _ = worker.join();
        }
        for line in &self.lines {
            line.write_down_and_wait();
        }
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        if !self.workers.get_mut().unwrap_or_else(PoisonError::into_inner).is_empty() {
            self.stop();
        }
    }
}
