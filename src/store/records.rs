//! Records on their way to a platform, and those that cannot be delivered.

use super::desk::Desk;
use super::keys;
use super::{Reader, Store, now_ms};
use crate::error::{Code, Result};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

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
}

/// A record that repetition cannot help.
#[derive(Debug, Clone)]
pub struct Dead {
    /// The record.
    pub record: Record,
    /// The link that carried it.
    pub platform: String,
    /// When it was given up, milliseconds since 1970.
    pub died: i64,
    /// The code's name.
    pub code: String,
    /// What to do about it.
    pub message: String,
    /// The platform's reply.
    pub reply: Option<String>,
}

/// What became of a record.
#[derive(Debug, Clone)]
pub enum Settled {
    /// The platform has it.
    Delivered,
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

/// Records waiting for a link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// How many.
    pub records: i64,
    /// Bytes of their data.
    pub bytes: i64,
}

impl Count {
    pub(super) fn add(&mut self, by: Count) {
        self.records += by.records;
        self.bytes += by.bytes;
    }
}

/// The counts in memory, kept in step with the table.
#[derive(Debug, Clone, Default)]
pub struct Counts(Arc<Mutex<BTreeMap<String, Count>>>);

impl Counts {
    pub(super) fn reload(&self, connection: &Connection) -> rusqlite::Result<()> {
        let mut select = connection.prepare("SELECT platform, records, bytes FROM count")?;
        let rows = select.query_map([], |row| Ok((row.get(0)?, Count { records: row.get(1)?, bytes: row.get(2)? })))?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = rows.collect::<rusqlite::Result<_>>()?;
        Ok(())
    }

    pub(super) fn add(&self, platform: &str, by: Count) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(platform) {
            count.add(by);
        } else {
            counts.insert(platform.to_owned(), by);
        }
    }
}

const COLUMNS: &str = "id, ticket, interface, service, order_key, data, created, attempts";

fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    Ok(Record {
        id: row.get(0)?,
        ticket: row.get(1)?,
        interface: row.get(2)?,
        service: row.get(3)?,
        order_key: row.get(4)?,
        data: row.get(5)?,
        created: row.get(6)?,
        attempts: row.get(7)?,
    })
}

pub(super) fn add_count(connection: &Connection, platform: &str, by: Count) -> rusqlite::Result<()> {
    let sql = "INSERT INTO count VALUES (?1, ?2, ?3) ON CONFLICT (platform) DO UPDATE SET records = records + ?2, bytes = bytes + ?3";
    connection.prepare_cached(sql)?.execute(params![platform, by.records, by.bytes]).map(|_| ())
}

pub(super) fn size_of(data: &str) -> i64 {
    i64::try_from(data.len()).unwrap_or(i64::MAX)
}

impl Store {
    /// Stores a record for each of its platforms and waits until it is on disk. Returns its ticket.
    pub fn submit(&self, parts: Vec<NewRecord>) -> Result<u64> {
        self.queue.submit(parts).map(i64::unsigned_abs)
    }

    /// Records waiting for a link.
    pub fn count(&self, platform: &str) -> Count {
        self.counts.0.lock().unwrap_or_else(PoisonError::into_inner).get(platform).copied().unwrap_or_default()
    }

    /// Records waiting for any link.
    pub fn total(&self) -> Count {
        let counts = self.counts.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.values().fold(Count::default(), |sum, count| Count {
            records: sum.records + count.records,
            bytes: sum.bytes + count.bytes,
        })
    }

    /// Drops the oldest log records, to make room. Tells how many.
    pub fn drop_oldest_logs(&self, how_many: i64) -> Result<u64> {
        let work = move |desk: &Desk<'_>| {
            let sql = "SELECT id, platform, length(CAST(data AS BLOB)) FROM record INDEXED BY record_of_log
                       WHERE class = 'log' ORDER BY id LIMIT ?1";
            let rows = three(desk, sql, how_many)?;
            for (id, platform, bytes) in &rows {
                desk.prepare_cached("DELETE FROM record WHERE id = ?1")?.execute([id])?;
                add_count(desk, platform, Count { records: -1, bytes: -bytes })?;
            }
            Ok(rows)
        };
        self.counted(work, -1)
    }

    /// Writes down what became of records. `done` hears when it is on disk.
    pub fn settle(
        &self,
        platform: &'static str,
        settled: Vec<(Record, Settled)>,
        done: impl FnOnce(Result<()>) + Send + 'static,
    ) {
        let counts = self.counts.clone();
        self.write(
            move |desk| {
                let mut change = Count::default();
                for (record, outcome) in &settled {
                    change.add(settle(desk, record, outcome)?);
                }
                if change != Count::default() {
                    add_count(desk, platform, change)?;
                    keys::sweep(desk)?;
                }
                Ok(change)
            },
            move |outcome| {
                if let Ok(change) = &outcome {
                    counts.add(platform, *change);
                }
                done(outcome.map(|_| ()));
            },
        );
    }

    /// Puts dead letters back in line, all or those of a ticket. Tells how many.
    pub fn retry_dead(&self, ticket: Option<u64>) -> Result<u64> {
        let (ticket, seconds) = (ticket.map(u64::cast_signed), self.seconds());
        let work = move |desk: &Desk<'_>| {
            let sql =
                "SELECT id, platform, length(CAST(data AS BLOB)) FROM dead WHERE ?1 IS NULL OR ticket = ?1 ORDER BY id";
            let rows = three(desk, sql, ticket)?;
            for (id, platform, bytes) in &rows {
                let key = "SELECT order_key FROM dead WHERE id = ?1";
                let key: Option<String> = desk.prepare_cached(key)?.query_row([id], |row| row.get(0))?;
                let sql = "INSERT INTO record (id, ticket, platform, interface, service, order_key, class, data, created, attempts, stored)
                     SELECT ?3, ticket, platform, interface, service, order_key, class, data, created, attempts, ?2 FROM dead WHERE id = ?1";
                desk.prepare_cached(sql)?.execute(params![id, seconds, desk.number(platform, key.as_deref())])?;
                desk.prepare_cached("DELETE FROM dead WHERE id = ?1")?.execute([id])?;
                add_count(desk, platform, Count { records: 1, bytes: *bytes })?;
            }
            Ok(rows)
        };
        self.counted(work, 1)
    }

    /// Runs work that adds (1) or takes away (-1) records, and counts them.
    fn counted(
        &self,
        work: impl FnMut(&Desk<'_>) -> rusqlite::Result<Vec<Row3>> + Send + 'static,
        sign: i64,
    ) -> Result<u64> {
        let counts = self.counts.clone();
        let tell = move |rows: &Vec<Row3>| {
            for (_, platform, bytes) in rows {
                counts.add(platform, Count { records: sign, bytes: sign * bytes });
            }
        };
        self.write_tell_and_wait(work, tell).map(|rows| rows.len() as u64)
    }

    /// Deletes dead letters, all or those of a ticket. Tells how many.
    pub fn delete_dead(&self, ticket: Option<u64>) -> Result<u64> {
        let ticket = ticket.map(u64::cast_signed);
        self.write_and_wait(move |connection| {
            connection.execute("DELETE FROM dead WHERE ?1 IS NULL OR ticket = ?1", [ticket])
        })
        .map(|count| count as u64)
    }
}

/// A record's number, platform and size.
type Row3 = (i64, String, i64);

fn three(connection: &Connection, sql: &str, with: impl rusqlite::ToSql) -> rusqlite::Result<Vec<Row3>> {
    let mut select = connection.prepare_cached(sql)?;
    select.query_map([with], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
}

/// Tells by how much that changed what waits. A record may have gone meanwhile: dropped for room, or deleted by hand.
fn settle(connection: &Connection, record: &Record, outcome: &Settled) -> rusqlite::Result<Count> {
    match outcome {
        Settled::Delivered => {}
        Settled::Again { data, error } => {
            let sql =
                "UPDATE record SET attempts = attempts + 1, last_error = ?2, data = coalesce(?3, data) WHERE id = ?1";
            let changed = connection.prepare_cached(sql)?.execute(params![record.id, error, data])?;
            let grown = data.as_ref().filter(|_| changed > 0).map_or(0, |data| size_of(data) - size_of(&record.data));
            return Ok(Count { records: 0, bytes: grown });
        }
        Settled::Dead { code, message, reply } => {
            let sql = "INSERT OR REPLACE INTO dead
                SELECT id, ticket, platform, interface, service, order_key, class, data, created, attempts + 1, ?2, ?3, ?4, ?5
                FROM record WHERE id = ?1";
            connection.prepare_cached(sql)?.execute(params![record.id, now_ms(), code.name(), message, reply])?;
        }
    }
    let gone = connection.prepare_cached("DELETE FROM record WHERE id = ?1")?.execute([record.id])?;
    Ok(if gone == 0 { Count::default() } else { Count { records: -1, bytes: -size_of(&record.data) } })
}

/// The record of this number, when it waits and is of this key.
fn record_of_key(connection: &Connection, platform: &str, key: &str, id: i64) -> rusqlite::Result<Option<Record>> {
    let sql = format!("SELECT {COLUMNS} FROM record WHERE id = ?1 AND platform = ?2 AND order_key = ?3");
    connection.prepare_cached(&sql)?.query_row(params![id, platform, key], record).optional()
}

impl Reader {
    /// The next records for a link after one, oldest first.
    pub fn records_after(&self, platform: &str, id: i64, limit: i64) -> Result<Vec<Record>> {
        self.run(|connection| {
            let sql = format!("SELECT {COLUMNS} FROM record WHERE platform = ?1 AND id > ?2 ORDER BY id LIMIT ?3");
            let mut select = connection.prepare_cached(&sql)?;
            select.query_map(params![platform, id, limit], record)?.collect()
        })
    }

    /// One record, if it still waits for this link.
    pub fn record(&self, platform: &str, id: i64) -> Result<Option<Record>> {
        self.run(|connection| {
            let sql = format!("SELECT {COLUMNS} FROM record WHERE platform = ?1 AND id = ?2");
            connection.prepare_cached(&sql)?.query_row(params![platform, id], record).optional()
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

    /// The number of the newest record of an order key.
    pub fn newest_of_key(&self, platform: &str, key: &str) -> Result<Option<i64>> {
        self.run(|connection| {
            let ids = self.keys.candidates(connection, platform, key)?;
            let mut found = ids.into_iter().rev().map(|id| record_of_key(connection, platform, key, id));
            let newest = found.find_map(rusqlite::Result::transpose).transpose()?;
            Ok(newest.map(|record| record.id))
        })
    }

    /// When the oldest record for a link was stored, milliseconds since 1970.
    pub fn oldest(&self, platform: &str) -> Result<Option<i64>> {
        self.run(|connection| {
            connection
                .query_row("SELECT created FROM record WHERE platform = ?1 ORDER BY id LIMIT 1", [platform], |row| {
                    row.get(0)
                })
                .optional()
        })
    }

    /// How many dead letters there are.
    pub fn dead_count(&self) -> Result<i64> {
        self.run(|connection| connection.query_row("SELECT count(*) FROM dead", [], |row| row.get(0)))
    }

    /// Dead letters after one, oldest first.
    pub fn dead_after(&self, id: i64, limit: i64) -> Result<Vec<Dead>> {
        self.run(|connection| {
            let sql = format!(
                "SELECT {COLUMNS}, platform, died, code, message, reply FROM dead WHERE id > ?1 ORDER BY id LIMIT ?2"
            );
            let mut select = connection.prepare_cached(&sql)?;
            let rows = select.query_map([id, limit], |row| {
                Ok(Dead {
                    record: record(row)?,
                    platform: row.get(8)?,
                    died: row.get(9)?,
                    code: row.get(10)?,
                    message: row.get(11)?,
                    reply: row.get(12)?,
                })
            })?;
            rows.collect()
        })
    }
}
