//! Dead letters: records that repetition cannot help.

use super::desk::Desk;
use super::records::{COLUMNS, Record, record, size_of};
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

/// A record's number and its platform.
type Row2 = (i64, String);

fn two(connection: &Connection, sql: &str, with: impl rusqlite::ToSql) -> rusqlite::Result<Vec<Row2>> {
    let mut select = connection.prepare_cached(sql)?;
    select.query_map([with], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

impl Store {
    /// Puts dead letters back in line, all or those of a ticket, with the data that `renew` makes of a platform's name and
    /// the old data. Tells how many.
    pub fn retry_dead(&self, ticket: Option<u64>, renew: fn(&str, String) -> String) -> Result<u64> {
        let (ticket, seconds) = (ticket.map(u64::cast_signed), self.seconds());
        self.write_and_wait(move |desk: &Desk<'_>| {
            let rows = two(desk, "SELECT id, platform FROM dead WHERE ?1 IS NULL OR ticket = ?1 ORDER BY id", ticket)?;
            for (id, platform) in &rows {
                let own = "SELECT order_key, data FROM dead WHERE id = ?1";
                let (key, data): (Option<String>, String) =
                    desk.prepare_cached(own)?.query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
                let data = renew(platform, data);
                let sql = "INSERT INTO record (id, ticket, platform, interface, service, order_key, class, data, created, attempts, stored)
                     SELECT ?3, ticket, platform, interface, service, order_key, class, ?4, created, attempts, ?2 FROM dead WHERE id = ?1";
                let number = desk.number(platform, key.as_deref());
                desk.prepare_cached(sql)?.execute(params![id, seconds, number, data])?;
                desk.prepare_cached("DELETE FROM dead WHERE id = ?1")?.execute([id])?;
                desk.count(platform, number, Count { records: 1, bytes: size_of(&data) });
            }
            desk.count_dead(-(rows.len() as i64));
            Ok(rows.len() as u64)
        })
    }

    /// Deletes dead letters, all or those of a ticket. Tells how many.
    pub fn delete_dead(&self, ticket: Option<u64>) -> Result<u64> {
        let ticket = ticket.map(u64::cast_signed);
        self.write_and_wait(move |desk| {
            let count = desk.execute("DELETE FROM dead WHERE ?1 IS NULL OR ticket = ?1", [ticket])?;
            desk.count_dead(-(count as i64));
            Ok(count as u64)
        })
    }
}

impl Reader {
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
