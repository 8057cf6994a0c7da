//! Records on their way to a platform, and those that cannot be delivered.

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

/// The counts in memory, kept in step with the table.
#[derive(Debug, Clone, Default)]
pub struct Counts(Arc<Mutex<BTreeMap<String, Count>>>);

impl Counts {
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Counts> {
        let mut select = connection.prepare("SELECT platform, records, bytes FROM count")?;
        let rows = select.query_map([], |row| Ok((row.get(0)?, Count { records: row.get(1)?, bytes: row.get(2)? })))?;
        Ok(Counts(Arc::new(Mutex::new(rows.collect::<rusqlite::Result<_>>()?))))
    }

    fn add(&self, platform: &str, by: Count) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(platform.to_owned()).or_default();
        count.records += by.records;
        count.bytes += by.bytes;
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

fn add_count(connection: &Connection, platform: &str, by: Count) -> rusqlite::Result<()> {
    let sql = "INSERT INTO count VALUES (?1, ?2, ?3) ON CONFLICT (platform) DO UPDATE SET records = records + ?2, bytes = bytes + ?3";
    connection.prepare_cached(sql)?.execute(params![platform, by.records, by.bytes]).map(|_| ())
}

fn size_of(data: &str) -> i64 {
    i64::try_from(data.len()).unwrap_or(i64::MAX)
}

fn insert(connection: &Connection, parts: &[NewRecord]) -> rusqlite::Result<i64> {
    let sql = "INSERT INTO record (ticket, platform, interface, service, order_key, class, data, created)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let mut ticket = 0;
    for part in parts {
        let values = params![
            ticket,
            part.platform,
            part.interface,
            part.service,
            part.order_key,
            part.class,
            part.data,
            now_ms()
        ];
        connection.prepare_cached(sql)?.execute(values)?;
        if ticket == 0 {
            // The first part's number is the ticket of all.
            ticket = connection.last_insert_rowid();
            connection.prepare_cached("UPDATE record SET ticket = id WHERE id = ?1")?.execute([ticket])?;
        }
        add_count(connection, part.platform, Count { records: 1, bytes: size_of(&part.data) })?;
    }
    Ok(ticket)
}

impl Store {
    /// Stores a record for each of its platforms and waits until it is on disk. Returns its ticket.
    pub fn submit(&self, parts: Vec<NewRecord>) -> Result<u64> {
        let sizes: Vec<_> = parts.iter().map(|part| (part.platform, size_of(&part.data))).collect();
        let ticket = self.write_and_wait(move |connection| insert(connection, &parts))?;
        for (platform, bytes) in sizes {
            self.counts.add(platform, Count { records: 1, bytes });
        }
        Ok(ticket.unsigned_abs())
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

    /// Drops the oldest records of a class, to make room.
    pub fn drop_oldest(&self, class: &'static str, how_many: i64) -> Result<u64> {
        let dropped: Vec<(String, i64)> = self.write_and_wait(move |connection| {
            let mut select =
                connection.prepare("SELECT id, platform, data FROM record WHERE class = ?1 ORDER BY id LIMIT ?2")?;
            let rows = select.query_map(params![class, how_many], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
            })?;
            let rows: Vec<_> = rows.collect::<rusqlite::Result<_>>()?;
            for (id, platform, data) in &rows {
                connection.execute("DELETE FROM record WHERE id = ?1", [id])?;
                add_count(connection, platform, Count { records: -1, bytes: -size_of(data) })?;
            }
            Ok(rows.into_iter().map(|(_, platform, data)| (platform, size_of(&data))).collect())
        })?;
        for (platform, bytes) in &dropped {
            self.counts.add(platform, Count { records: -1, bytes: -bytes });
        }
        Ok(dropped.len() as u64)
    }

    /// Writes down what became of records. `done` hears when it is on disk.
    pub fn settle(
        &self,
        platform: &'static str,
        settled: Vec<(Record, Settled)>,
        done: impl FnOnce(Result<()>) + Send + 'static,
    ) {
        let leaving: Vec<i64> = settled
            .iter()
            .filter(|(_, outcome)| !matches!(outcome, Settled::Again { .. }))
            .map(|(record, _)| size_of(&record.data))
            .collect();
        let gone = Count { records: -(leaving.len() as i64), bytes: -leaving.iter().sum::<i64>() };
        let counts = self.counts.clone();
        self.write(
            move |connection| {
                for (record, outcome) in &settled {
                    settle(connection, platform, record, outcome)?;
                }
                add_count(connection, platform, gone)
            },
            move |outcome| {
                if outcome.is_ok() {
                    counts.add(platform, gone);
                }
                done(outcome);
            },
        );
    }

    /// Puts dead letters back in line, all or those of a ticket. Tells how many.
    pub fn retry_dead(&self, ticket: Option<u64>) -> Result<u64> {
        let ticket = ticket.map(u64::cast_signed);
        let back: Vec<(String, i64)> = self.write_and_wait(move |connection| {
            let mut select =
                connection.prepare("SELECT id, platform, length(CAST(data AS BLOB)) FROM dead WHERE ?1 IS NULL OR ticket = ?1 ORDER BY id")?;
            let rows = select.query_map([ticket], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get(2)?)))?;
            let rows: Vec<_> = rows.collect::<rusqlite::Result<_>>()?;
            for (id, platform, bytes) in &rows {
                connection.execute(
                    "INSERT INTO record (ticket, platform, interface, service, order_key, class, data, created, attempts)
                     SELECT ticket, platform, interface, service, order_key, class, data, created, attempts FROM dead WHERE id = ?1",
                    [id],
                )?;
                connection.execute("DELETE FROM dead WHERE id = ?1", [id])?;
                add_count(connection, platform, Count { records: 1, bytes: *bytes })?;
            }
            Ok(rows.into_iter().map(|(_, platform, bytes)| (platform, bytes)).collect())
        })?;
        for (platform, bytes) in &back {
            self.counts.add(platform, Count { records: 1, bytes: *bytes });
        }
        Ok(back.len() as u64)
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

fn settle(connection: &Connection, platform: &str, record: &Record, outcome: &Settled) -> rusqlite::Result<()> {
    match outcome {
        Settled::Delivered => {}
        Settled::Again { data, error } => {
            let sql =
                "UPDATE record SET attempts = attempts + 1, last_error = ?2, data = coalesce(?3, data) WHERE id = ?1";
            connection.prepare_cached(sql)?.execute(params![record.id, error, data])?;
            if let Some(data) = data {
                add_count(connection, platform, Count { records: 0, bytes: size_of(data) - size_of(&record.data) })?;
            }
            return Ok(());
        }
        Settled::Dead { code, message, reply } => {
            let sql = "INSERT OR REPLACE INTO dead
                SELECT id, ticket, platform, interface, service, order_key, class, data, created, attempts + 1, ?2, ?3, ?4, ?5
                FROM record WHERE id = ?1";
            connection.prepare_cached(sql)?.execute(params![record.id, now_ms(), code.name(), message, reply])?;
        }
    }
    connection.prepare_cached("DELETE FROM record WHERE id = ?1")?.execute([record.id]).map(|_| ())
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

    /// The records of an order key, oldest first.
    pub fn records_of_key(&self, platform: &str, key: &str, limit: i64) -> Result<Vec<Record>> {
        self.run(|connection| {
            let sql =
                format!("SELECT {COLUMNS} FROM record WHERE platform = ?1 AND order_key = ?2 ORDER BY id LIMIT ?3");
            let mut select = connection.prepare_cached(&sql)?;
            select.query_map(params![platform, key, limit], record)?.collect()
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
