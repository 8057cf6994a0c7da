//! Which records share an order key. An index over the keys themselves would cost a page of its own for every record, for
//! the keys come in no order. So they are written late and many at a time, into rows that hold the entries of a span of
//! numbers and a share of the hashes. What is not written yet is in memory, and is read from the records after a crash.
//! Entries of records that are gone stay until their whole span is; who looks reads the record.

use rusqlite::{Connection, OptionalExtension, params};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Numbers of one span, as a power of two.
const SPAN: u32 = 15;

/// Rows of one span, as a power of two: an entry is in the row of its hash's first bits.
const ROWS: u32 = 6;

/// An entry: the last half of the hash, and the number within the span.
const ENTRY: usize = 8;

/// A record's number under the hash of its platform and order key.
#[derive(Debug, Clone, Copy)]
pub struct Keyed {
    hash: u64,
    pub id: i64,
}

impl Keyed {
    pub fn new(platform: &str, key: &str, id: i64) -> Keyed {
        Keyed { hash: hash(platform, key), id }
    }

    fn place(self) -> i64 {
        place(self.id >> SPAN, self.hash)
    }

    fn entry(self) -> [u8; ENTRY] {
        let within = (self.id & ((1 << SPAN) - 1)) as u32;
        let mut entry = [0; ENTRY];
        entry[..4].copy_from_slice(&half(self.hash));
        entry[4..].copy_from_slice(&within.to_le_bytes());
        entry
    }
}

/// FNV-1a; it is in the file, so it never changes.
fn hash(platform: &str, key: &str) -> u64 {
    let bytes = platform.bytes().chain([0]).chain(key.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// The row of a span that holds a hash.
fn place(span: i64, hash: u64) -> i64 {
    (span << ROWS) + (hash >> (64 - ROWS)).cast_signed()
}

fn half(hash: u64) -> [u8; 4] {
    (hash as u32).to_le_bytes()
}

/// The keys in memory: all of the numbers from `listed` on.
#[derive(Debug, Default)]
struct Fresh {
    keys: Vec<Keyed>,
    listed: i64,
}

/// The keys.
#[derive(Debug, Clone, Default)]
pub struct Keys(Arc<Mutex<Fresh>>);

impl Keys {
    fn lock(&self) -> MutexGuard<'_, Fresh> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what is not in the table: of numbers from this one on.
    pub fn reload(&self, connection: &Connection, listed: i64) -> rusqlite::Result<()> {
        let (keys, _) = some(connection, listed..i64::MAX, i64::MAX)?;
        *self.lock() = Fresh { keys, listed };
        Ok(())
    }

    /// Before the commit, or a reader could see a record without its key; one too many does no harm.
    pub fn add(&self, keyed: &[Keyed]) {
        self.lock().keys.extend_from_slice(keyed);
    }

    /// The records after this one were not stored.
    pub fn undo(&self, last: i64) {
        self.lock().keys.retain(|keyed| keyed.id <= last);
    }

    /// Those of numbers below this one are in the table now.
    pub fn written(&self, listed: i64) {
        let mut fresh = self.lock();
        fresh.keys.retain(|keyed| keyed.id >= listed);
        fresh.listed = listed;
    }

    /// Writes those of numbers below this one into the table.
    pub fn list(&self, connection: &Connection, listed: i64) -> rusqlite::Result<()> {
        let keys = self.lock().keys.iter().filter(|keyed| keyed.id < listed).copied().collect();
        write(connection, keys)
    }

    /// The number from which on no record has this key; `None` when one may have it.
    pub fn free_from(&self, platform: &str, key: &str) -> Option<i64> {
        let hash = hash(platform, key);
        let fresh = self.lock();
        fresh.keys.iter().all(|keyed| keyed.hash != hash).then_some(fresh.listed)
    }

    /// The numbers that may be of records of this key, oldest first: which are is told by the records.
    pub fn candidates(&self, connection: &Connection, platform: &str, key: &str) -> rusqlite::Result<Vec<i64>> {
        let hash = hash(platform, key);
        // Memory first: what moves from there to the table meanwhile is found twice, not never.
        let fresh: Vec<i64> =
            self.lock().keys.iter().filter(|keyed| keyed.hash == hash).map(|keyed| keyed.id).collect();
        let mut found = Vec::new();
        if let Some((first, last)) = ends(connection)? {
            let mut select = connection.prepare_cached("SELECT entries FROM key WHERE place = ?1")?;
            for span in (first >> SPAN)..=(last >> SPAN) {
                let mut rows = select.query([place(span, hash)])?;
                while let Some(row) = rows.next()? {
                    for entry in row.get_ref(0)?.as_blob()?.chunks_exact(ENTRY) {
                        let (half_of, within) = entry.split_at(4);
                        if half_of == half(hash) {
                            let within = within.iter().rev().fold(0, |sum, byte| sum << 8 | i64::from(*byte));
                            found.push((span << SPAN) + within);
                        }
                    }
                }
            }
        }
        let last = found.last().copied().unwrap_or(i64::MIN);
        found.extend(fresh.into_iter().filter(|id| *id > last));
        Ok(found)
    }
}

/// The numbers of the oldest and the newest record.
fn ends(connection: &Connection) -> rusqlite::Result<Option<(i64, i64)>> {
    let end = |sql| connection.prepare_cached(sql)?.query_row([], |row| row.get::<_, Option<i64>>(0));
    Ok(end("SELECT min(id) FROM record")?.zip(end("SELECT max(id) FROM record")?))
}

/// The keys of the first records between these numbers, and the last of them.
fn some(connection: &Connection, numbers: Range<i64>, limit: i64) -> rusqlite::Result<(Vec<Keyed>, Option<i64>)> {
    let sql = "SELECT id, platform, order_key FROM record WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT ?3";
    let mut select = connection.prepare_cached(sql)?;
    let mut rows = select.query([numbers.start, numbers.end, limit])?;
    let (mut keys, mut last) = (Vec::new(), None);
    while let Some(row) = rows.next()? {
        let id = row.get(0)?;
        last = Some(id);
        if let (Some(platform), Some(key)) = (row.get_ref(1)?.as_str_or_null()?, row.get_ref(2)?.as_str_or_null()?) {
            keys.push(Keyed::new(platform, key, id));
        }
    }
    Ok((keys, last))
}

fn write(connection: &Connection, mut keys: Vec<Keyed>) -> rusqlite::Result<()> {
    keys.sort_unstable_by_key(|keyed| (keyed.place(), keyed.id));
    let mut select = connection.prepare_cached("SELECT entries FROM key WHERE place = ?1")?;
    let mut store = connection.prepare_cached("INSERT OR REPLACE INTO key VALUES (?1, ?2)")?;
    for row in keys.chunk_by(|one, other| one.place() == other.place()) {
        let place = row[0].place();
        let mut entries: Vec<u8> = select.query_row([place], |row| row.get(0)).optional()?.unwrap_or_default();
        entries.extend(row.iter().flat_map(|keyed| keyed.entry()));
        store.execute(params![place, entries])?;
    }
    Ok(())
}

/// Writes the keys of the records between these numbers into the table.
pub fn list(connection: &Connection, mut numbers: Range<i64>) -> rusqlite::Result<()> {
    while let (keys, Some(last)) = some(connection, numbers.clone(), 1 << SPAN)? {
        write(connection, keys)?;
        numbers.start = last + 1;
    }
    Ok(())
}

/// Deletes the entries of every span in which no record waits any more.
pub fn sweep(connection: &Connection) -> rusqlite::Result<()> {
    let next = "SELECT min(place) FROM key WHERE place >= ?1";
    let mut from = i64::MIN;
    while let Some(place) = connection.prepare_cached(next)?.query_row([from], |row| row.get::<_, Option<i64>>(0))? {
        let span = place >> ROWS;
        sweep_span(connection, span)?;
        from = (span + 1) << ROWS;
    }
    Ok(())
}

/// The same of the spans of these records, which have gone.
pub fn sweep_of(connection: &Connection, gone: impl Iterator<Item = i64>) -> rusqlite::Result<()> {
    let mut spans: Vec<i64> = gone.map(|id| id >> SPAN).collect();
    spans.sort_unstable();
    spans.dedup();
    spans.into_iter().try_for_each(|span| sweep_span(connection, span))
}

fn sweep_span(connection: &Connection, span: i64) -> rusqlite::Result<()> {
    let sql = "SELECT 1 FROM record WHERE id >= ?1 AND id < ?2 LIMIT 1";
    if connection.prepare_cached(sql)?.exists([span << SPAN, (span + 1) << SPAN])? {
        return Ok(());
    }
    let sql = "DELETE FROM key WHERE place >= ?1 AND place < ?2";
    connection.prepare_cached(sql)?.execute([span << ROWS, (span + 1) << ROWS]).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One record that nothing sends any more must not keep the entries of all that came after it.
    #[test]
    fn a_record_that_stays_keeps_its_own_span_only() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(include_str!("schema.sql")).unwrap();
        let span = 1_i64 << SPAN;
        for id in [1, span + 1, 2 * span + 1, 2 * span + 2, 3 * span + 1] {
            let sql = "INSERT INTO record (id, ticket, platform, service, order_key, class, data, created)
                       VALUES (?1, ?1, 'union', 'x', 'order_id=' || ?1, 'record', '{}', 0)";
            connection.execute(sql, [id]).unwrap();
        }
        list(&connection, 0..4 * span).unwrap();
        let spans = || -> Vec<i64> {
            let mut select = connection.prepare("SELECT DISTINCT place >> 6 FROM key ORDER BY 1").unwrap();
            select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        assert_eq!(spans(), [0, 1, 2, 3]);
        connection.execute("DELETE FROM record WHERE id IN (?1, ?2)", [span + 1, 2 * span + 1]).unwrap();
        sweep(&connection).unwrap();
        assert_eq!(spans(), [0, 2, 3]);
        connection.execute("DELETE FROM record WHERE id > 1", []).unwrap();
        sweep(&connection).unwrap();
        assert_eq!(spans(), [0]);
    }
}
