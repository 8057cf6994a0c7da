//! How many records wait, by link and by span of numbers. Who looks for a link's next records passes over the spans that
//! hold none of it: that takes no index, which would cost every commit a page.
//!
//! A span's row is written when no new record can come into it; the records after that are counted at each opening. What
//! somebody does by hand is counted by triggers, which the library switches off for itself.

use super::records::{NewRecord, size_of};
use rusqlite::{Connection, params};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Numbers of one span, as a power of two; it is in the file (schema.sql).
const SPAN: u32 = 11;

/// Numbers of one span.
pub const LENGTH: i64 = 1 << SPAN;

/// The span of a number.
fn span_of(id: i64) -> i64 {
    id >> SPAN
}

/// The first number of the span into which the next record comes.
pub fn open_after(last: i64) -> i64 {
    span_of(last.saturating_add(1)) << SPAN
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
    /// Of a record's parts.
    pub fn of(parts: &[NewRecord]) -> Count {
        Count { records: parts.len() as i64, bytes: parts.iter().map(|part| size_of(&part.data)).sum() }
    }

    pub(super) fn add(&mut self, by: Count) {
        self.records += by.records;
        self.bytes += by.bytes;
    }
}

/// By how much what waits has changed, by link and span, and the dead letters.
#[derive(Debug, Default)]
pub struct Changes {
    links: Vec<(String, i64, Count)>,
    dead: i64,
}

impl Changes {
    /// A record came, went, or has other data.
    pub fn add(&mut self, platform: &str, id: i64, by: Count) {
        let span = span_of(id);
        if by == Count::default() {
            return;
        }
        // Most often it is the same as the last one.
        match self.links.iter_mut().rev().find(|(known, at, _)| *at == span && known == platform) {
            Some((.., count)) => count.add(by),
            None => self.links.push((platform.to_owned(), span, by)),
        }
    }

    /// Dead letters came or went.
    pub fn add_dead(&mut self, by: i64) {
        self.dead += by;
    }

    /// Writes those that concern rows: of numbers below this one.
    pub fn write(&self, connection: &Connection, listed: i64) -> rusqlite::Result<()> {
        let change = "UPDATE count SET records = records + ?3, bytes = bytes + ?4 WHERE platform = ?1 AND span = ?2";
        let clear = "DELETE FROM count WHERE platform = ?1 AND span = ?2 AND records <= 0";
        for (platform, span, by) in self.links.iter().filter(|(_, span, _)| *span < span_of(listed)) {
            connection.prepare_cached(change)?.execute(params![platform, span, by.records, by.bytes])?;
            if by.records < 0 {
                connection.prepare_cached(clear)?.execute(params![platform, span])?;
            }
        }
        Ok(())
    }
}

/// What waits for one link.
#[derive(Debug, Default)]
struct OfLink {
    all: Count,
    spans: BTreeMap<i64, Count>,
}

impl OfLink {
    fn add(&mut self, span: i64, by: Count) {
        self.all.add(by);
        let count = self.spans.entry(span).or_default();
        count.add(by);
        if count.records <= 0 {
            self.spans.remove(&span);
        }
    }
}

/// The counts in memory: of all that is on disk.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    links: Arc<Mutex<BTreeMap<String, OfLink>>>,
    dead: Arc<AtomicI64>,
}

impl Counts {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, OfLink>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the rows, and the records of numbers from this one on.
    pub fn reload(&self, connection: &Connection, listed: i64) -> rusqlite::Result<()> {
        let sql = format!("SELECT * FROM count WHERE span < ?1 UNION ALL {}", counted("id >= ?2"));
        let mut select = connection.prepare(&sql)?;
        let mut rows = select.query([span_of(listed), listed])?;
        let mut counts = BTreeMap::<String, OfLink>::new();
        while let Some(row) = rows.next()? {
            let by = Count { records: row.get(2)?, bytes: row.get(3)? };
            counts.entry(row.get(0)?).or_default().add(row.get(1)?, by);
        }
        *self.lock() = counts;
        let dead = connection.query_row("SELECT count(*) FROM dead", [], |row| row.get(0))?;
        self.dead.store(dead, Ordering::Relaxed);
        Ok(())
    }

    /// What was changed is on disk.
    pub fn add(&self, changes: &Changes) {
        self.dead.fetch_add(changes.dead, Ordering::Relaxed);
        let mut counts = self.lock();
        for (platform, span, by) in &changes.links {
            match counts.get_mut(platform) {
                Some(link) => link.add(*span, *by),
                None => counts.entry(platform.clone()).or_default().add(*span, *by),
            }
        }
    }

    /// Writes the rows of the spans between these numbers, with what has changed and is not on disk yet.
    pub fn list(&self, connection: &Connection, numbers: Range<i64>, changes: &Changes) -> rusqlite::Result<()> {
        let spans = span_of(numbers.start)..span_of(numbers.end);
        let mut rows = BTreeMap::<(String, i64), Count>::new();
        for (platform, link) in self.lock().iter() {
            rows.extend(link.spans.range(spans.clone()).map(|(span, count)| ((platform.clone(), *span), *count)));
        }
        for (platform, span, by) in changes.links.iter().filter(|(_, span, _)| spans.contains(span)) {
            rows.entry((platform.clone(), *span)).or_default().add(*by);
        }
        clear(connection, spans.start)?;
        let mut insert = connection.prepare_cached("INSERT INTO count VALUES (?1, ?2, ?3, ?4)")?;
        for ((platform, span), count) in rows.iter().filter(|(_, count)| count.records > 0) {
            insert.execute(params![platform, span, count.records, count.bytes])?;
        }
        Ok(())
    }

    pub fn of(&self, platform: &str) -> Count {
        self.lock().get(platform).map(|link| link.all).unwrap_or_default()
    }

    pub fn total(&self) -> Count {
        let mut total = Count::default();
        self.lock().values().for_each(|link| total.add(link.all));
        total
    }

    /// Dead letters.
    pub fn dead(&self) -> i64 {
        self.dead.load(Ordering::Relaxed)
    }

    /// The numbers, from this one on, of the next span that holds records of a link.
    pub fn next(&self, platform: &str, from: i64) -> Option<Range<i64>> {
        let counts = self.lock();
        let (span, _) = counts.get(platform)?.spans.range(span_of(from)..).next()?;
        Some(from.max(span << SPAN)..(span + 1) << SPAN)
    }
}

/// Counts the records for which something holds, as rows of the table.
fn counted(of: &str) -> String {
    format!("SELECT platform, id >> {SPAN}, count(*), sum(octet_length(data)) FROM record WHERE {of} GROUP BY 1, 2")
}

/// Of spans that were not written yet there may be rows that a trigger made.
fn clear(connection: &Connection, from: i64) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM count WHERE span >= ?1")?.execute([from]).map(|_| ())
}

/// Counts the records between these numbers, and writes the rows of their spans.
pub fn list(connection: &Connection, numbers: Range<i64>) -> rusqlite::Result<()> {
    clear(connection, span_of(numbers.start))?;
    let sql = format!("INSERT INTO count {}", counted("id >= ?1 AND id < ?2"));
    connection.prepare_cached(&sql)?.execute([numbers.start, numbers.end]).map(|_| ())
}
