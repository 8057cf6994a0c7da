//! Records on their way to a platform, and those that cannot be delivered.

use super::desk::Desk;
use super::spans::Count;
use super::{Reader, Store, keys, now_ms, queue};
use crate::error::{Code, Result};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// A record to be stored.
#[derive(Debug, Clone)]
pub struct NewRecord {
    /// The link that carries it: `cloud`, `bolink`.
    pub platform: &'static str,
    /// The catalogue's id.
    pub interface: Option<&'static str>,
    /// The name the software uses.
    pub service: String,
    /// Records with the same key leave in order.
    pub order_key: Option<String>,
    /// The catalogue's class, by name.
    pub class: &'static str,
    /// Its members as JSON text.
    pub data: String,
    /// Times it was sent already.
    pub attempts: i64,
}

/// A stored record.
#[derive(Debug, Clone)]
pub struct Record {
    /// Its number; smaller is older.
    pub id: i64,
    /// The number the software has.
    pub ticket: i64,
    /// The catalogue's id.
    pub interface: Option<String>,
    /// The name the software uses.
    pub service: String,
    /// Records with the same key leave in order.
    pub order_key: Option<String>,
    /// Its members as JSON text.
    pub data: String,
    /// Milliseconds since 1970.
    pub created: i64,
    /// Times it was sent.
    pub attempts: i64,
    /// When it was put in line, in seconds of the store's running time.
    pub stored: i64,
    /// It may be dropped when there is no room, or when it is too old.
    pub is_log: bool,
}

/// A log record that was dropped.
#[derive(Debug, Clone)]
pub struct Dropped {
    /// Its number.
    pub id: i64,
    /// The number the software has.
    pub ticket: i64,
    /// The link that would have carried it.
    pub platform: String,
    /// The catalogue's id.
    pub interface: Option<String>,
    /// The name the software uses.
    pub service: String,
}

/// What became of a record.
#[derive(Debug, Clone)]
pub enum Settled {
    /// The platform has it.
    Delivered,
    /// A log record that is too old.
    Dropped,
    /// Sent in vain; it is tried again, with other bytes when `data` is given.
    Again {
        /// New members.
        data: Option<String>,
        /// Why.
        error: String,
    },
    /// Repetition cannot help.
    Dead {
        /// The code.
        code: Code,
        /// What to do about it.
        message: String,
        /// The platform's reply.
        reply: Option<String>,
    },
}

pub(super) const COLUMNS: &str = "id, ticket, interface, service, order_key, data, created, attempts";

/// The same of a record that waits; a dead letter has no place in the line.
const WAITING: &str = "id, ticket, interface, service, order_key, data, created, attempts, stored, class = 'log'";

pub(super) fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    Ok(Record {
        id: row.get(0)?,
        ticket: row.get(1)?,
        interface: row.get(2)?,
        service: row.get(3)?,
        order_key: row.get(4)?,
        data: row.get(5)?,
        created: row.get(6)?,
        attempts: row.get(7)?,
        stored: 0,
        is_log: false,
    })
}

fn waiting(row: &Row<'_>) -> rusqlite::Result<Record> {
    Ok(Record { stored: row.get(8)?, is_log: row.get(9)?, ..record(row)? })
}

pub(super) fn size_of(data: &str) -> i64 {
    i64::try_from(data.len()).unwrap_or(i64::MAX)
}

impl Store {
    /// Stores a record for each of its platforms and waits until it is on disk. Returns its ticket.
    pub fn submit(&self, parts: impl Into<queue::Parts>) -> Result<u64> {
        self.queue.submit(parts.into()).map(i64::unsigned_abs)
    }

    /// From now on no more is taken than this, of records and of bytes.
    pub fn limit(&self, records: i64, bytes: i64) {
        self.limit.set(records, bytes);
    }

    /// Whether there is room for the parts of a record just now.
    pub fn has_room(&self, parts: &[NewRecord]) -> Result<()> {
        self.limit.with(self.total(), Count::of(parts)).map(|_| ())
    }

    /// Records waiting for a link.
    pub fn count(&self, platform: &str) -> Count {
        self.counts.of(platform)
    }

    /// Records waiting for any link.
    pub fn total(&self) -> Count {
        self.counts.total()
    }

    /// Dead letters.
    pub fn dead_count(&self) -> i64 {
        self.counts.dead()
    }

    /// Whether a record of an order key may wait: told from memory, for who is in a hurry.
    pub fn may_hold(&self, platform: &str, key: &str) -> bool {
        // In this order: a key that leaves the memory meanwhile is of a record that is counted.
        let free_from = self.keys.free_from(platform, key);
        free_from.is_none_or(|number| self.counts.next(platform, i64::MIN).is_some_and(|span| span.start < number))
    }

    /// Drops the oldest log records, to make room. Tells which.
    pub fn drop_oldest_logs(&self, how_many: i64) -> Result<Vec<Dropped>> {
        self.write_and_wait(move |desk| {
            let sql = "SELECT id, platform, length(CAST(data AS BLOB)), ticket, interface, service
                       FROM record INDEXED BY record_of_log WHERE class = 'log' ORDER BY id LIMIT ?1";
            let mut select = desk.prepare_cached(sql)?;
            let rows = select.query_map([how_many], |row| {
                let (id, platform, bytes) = (row.get(0)?, row.get(1)?, row.get(2)?);
                let (ticket, interface, service) = (row.get(3)?, row.get(4)?, row.get(5)?);
                Ok((Dropped { id, ticket, platform, interface, service }, bytes))
            })?;
            let rows: Vec<(Dropped, i64)> = rows.collect::<rusqlite::Result<_>>()?;
            for (log, bytes) in &rows {
                desk.prepare_cached("DELETE FROM record WHERE id = ?1")?.execute([log.id])?;
                desk.count(&log.platform, log.id, Count { records: -1, bytes: -bytes });
            }
            Ok(rows.into_iter().map(|(log, _)| log).collect())
        })
    }

    /// Writes down what became of records. `done` hears when it is on disk, on the writer's thread; it is not called when the
    /// store is closed. A patient one waits a moment for others to share the sync with.
    pub fn settle(
        &self,
        platform: &'static str,
        settled: Vec<(Record, Settled)>,
        is_patient: bool,
        done: impl FnOnce(Result<()>) + Send + 'static,
    ) -> Result<()> {
        let work = move |desk: &Desk<'_>| {
            for (record, outcome) in &settled {
                desk.count(platform, record.id, settle(desk, record, outcome)?);
            }
            let gone = settled.iter().filter(|(_, outcome)| !matches!(outcome, Settled::Again { .. }));
            keys::sweep_of(desk, gone.map(|(record, _)| record.id))
        };
        self.push(work, done, is_patient).map_err(|_| queue::closed())
    }
}

/// Tells by how much that changed what waits. A record may have gone meanwhile: dropped for room, or deleted by hand.
fn settle(desk: &Desk<'_>, record: &Record, outcome: &Settled) -> rusqlite::Result<Count> {
    match outcome {
        Settled::Delivered | Settled::Dropped => {}
        Settled::Again { data, error } => {
            let sql =
                "UPDATE record SET attempts = attempts + 1, last_error = ?2, data = coalesce(?3, data) WHERE id = ?1";
            let changed = desk.prepare_cached(sql)?.execute(params![record.id, error, data])?;
            let grown = data.as_ref().filter(|_| changed > 0).map_or(0, |data| size_of(data) - size_of(&record.data));
            return Ok(Count { records: 0, bytes: grown });
        }
        Settled::Dead { code, message, reply } => {
            let sql = "INSERT OR REPLACE INTO dead
                SELECT id, ticket, platform, interface, service, order_key, class, data, created, attempts + ?6, ?2, ?3, ?4, ?5
                FROM record WHERE id = ?1";
            let tries = i64::from(*code != Code::Expired);
            let values = params![record.id, now_ms(), code.name(), message, reply, tries];
            desk.count_dead(desk.prepare_cached(sql)?.execute(values)? as i64);
        }
    }
    let gone = desk.prepare_cached("DELETE FROM record WHERE id = ?1")?.execute([record.id])?;
    Ok(if gone == 0 { Count::default() } else { Count { records: -1, bytes: -size_of(&record.data) } })
}

/// The record of this number, when it waits and is of this key.
fn record_of_key(connection: &Connection, platform: &str, key: &str, id: i64) -> rusqlite::Result<Option<Record>> {
    let sql = format!("SELECT {WAITING} FROM record WHERE id = ?1 AND platform = ?2 AND order_key = ?3");
    connection.prepare_cached(&sql)?.query_row(params![id, platform, key], waiting).optional()
}

impl Reader {
    /// The next records for a link after one, oldest first.
    pub fn records_after(&self, platform: &str, id: i64, limit: i64) -> Result<Vec<Record>> {
        self.run(|connection| {
            let sql = format!(
                "SELECT {WAITING} FROM record WHERE id >= ?1 AND id < ?2 AND platform = ?3 ORDER BY id LIMIT ?4"
            );
            let mut select = connection.prepare_cached(&sql)?;
            let (mut found, mut from) = (Vec::new(), id.saturating_add(1));
            let room = |found: &Vec<Record>| limit - found.len() as i64;
            while let Some(numbers) = self.counts.next(platform, from).filter(|_| room(&found) > 0) {
                from = numbers.end;
                let room = room(&found);
                for row in select.query_map(params![numbers.start, numbers.end, platform, room], waiting)? {
                    found.push(row?);
                }
            }
            Ok(found)
        })
    }

    /// One record, if it still waits for this link.
    pub fn record(&self, platform: &str, id: i64) -> Result<Option<Record>> {
        self.run(|connection| {
            let sql = format!("SELECT {WAITING} FROM record WHERE platform = ?1 AND id = ?2");
            connection.prepare_cached(&sql)?.query_row(params![platform, id], waiting).optional()
        })
    }

    /// The oldest record of an order key.
    pub fn oldest_of_key(&self, platform: &str, key: &str) -> Result<Option<Record>> {
        self.run(|connection| {
            let ids = self.keys.candidates(connection, platform, key)?;
            let mut found = ids.into_iter().map(|id| record_of_key(connection, platform, key, id));
            found.find_map(rusqlite::Result::transpose).transpose()
        })
    }

    /// Whether a record of an order key waits, beside those that are done already.
    pub fn has_key(&self, platform: &str, key: &str, done: impl Fn(i64) -> bool) -> Result<bool> {
        self.run(|connection| {
            for id in self.keys.candidates(connection, platform, key)?.into_iter().rev().filter(|id| !done(*id)) {
                if record_of_key(connection, platform, key, id)?.is_some() {
                    return Ok(true);
                }
            }
            Ok(false)
        })
    }

    /// When the oldest record for a link was stored, milliseconds since 1970.
    pub fn oldest(&self, platform: &str) -> Result<Option<i64>> {
        Ok(self.records_after(platform, i64::MIN, 1)?.first().map(|record| record.created))
    }
}
