//! Dead letters: records that repetition cannot help.

use super::desk::Desk;
use super::records::{COLUMNS, Record, record};
use super::spans::Count;
use super::{Reader, Store};
use crate::error::Result;
use rusqlite::{Connection, params};

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

/// A record's number, platform and size.
type Row3 = (i64, String, i64);

fn three(connection: &Connection, sql: &str, with: impl rusqlite::ToSql) -> rusqlite::Result<Vec<Row3>> {
    let mut select = connection.prepare_cached(sql)?;
    select.query_map([with], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
}

impl Store {
    /// Puts dead letters back in line, all or those of a ticket. Tells how many.
    pub fn retry_dead(&self, ticket: Option<u64>) -> Result<u64> {
        let (ticket, seconds) = (ticket.map(u64::cast_signed), self.seconds());
        self.write_and_wait(move |desk: &Desk<'_>| {
            let sql =
                "SELECT id, platform, length(CAST(data AS BLOB)) FROM dead WHERE ?1 IS NULL OR ticket = ?1 ORDER BY id";
            let rows = three(desk, sql, ticket)?;
            for (id, platform, bytes) in &rows {
                let key = "SELECT order_key FROM dead WHERE id = ?1";
                let key: Option<String> = desk.prepare_cached(key)?.query_row([id], |row| row.get(0))?;
                let sql = "INSERT INTO record (id, ticket, platform, interface, service, order_key, class, data, created, attempts, stored)
                     SELECT ?3, ticket, platform, interface, service, order_key, class, data, created, attempts, ?2 FROM dead WHERE id = ?1";
                let number = desk.number(platform, key.as_deref());
                desk.prepare_cached(sql)?.execute(params![id, seconds, number])?;
                desk.prepare_cached("DELETE FROM dead WHERE id = ?1")?.execute([id])?;
                desk.count(platform, number, Count { records: 1, bytes: *bytes });
            }
            Ok(rows.len() as u64)
        })
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

impl Reader {
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
