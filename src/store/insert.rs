//! New records, many at a time: of all that a commit costs only this is done for each of them.

use super::desk::Desk;
use super::now_ms;
use super::queue::Parts;
use super::records::{NewRecord, size_of};
use super::spans::Count;
use rusqlite::Statement;
use std::sync::LazyLock;

/// There is a statement for each power of two of rows up to this one. Within one the trees stay open at the place of the
/// last row, where the next one goes too.
const LARGEST: u32 = 5;

/// Values that the rows of a statement share, and those that each has.
const SHARED: usize = 6;
const OWN: usize = 5;

static SQL: LazyLock<Vec<String>> = LazyLock::new(|| (0..=LARGEST).map(|power| sql(1 << power)).collect());

/// A row that cannot be inserted undoes the whole transaction, as it should: then no copy is kept of every page that a
/// statement changes.
fn sql(rows: usize) -> String {
    let row = |at: usize| {
        let first = SHARED + at * OWN + 1;
        format!("(?1,?2,?3,?4,?5,?6,?{},?{},?{},?{},?{})", first, first + 1, first + 2, first + 3, first + 4)
    };
    let rows: Vec<String> = (0..rows).map(row).collect();
    format!(
        "INSERT OR ROLLBACK INTO record
         (created, stored, platform, interface, service, class, id, ticket, order_key, data, attempts) VALUES {}",
        rows.join(",")
    )
}

/// A record with its number and its ticket.
struct Row<'a> {
    id: i64,
    ticket: i64,
    record: &'a NewRecord,
}

impl Row<'_> {
    fn is_akin(&self, other: &Row<'_>) -> bool {
        let (one, other) = (self.record, other.record);
        (one.platform, one.interface, one.class) == (other.platform, other.interface, other.class)
            && one.service == other.service
    }

    fn bind(&self, insert: &mut Statement<'_>, at: usize) -> rusqlite::Result<()> {
        let first = SHARED + at * OWN + 1;
        insert.raw_bind_parameter(first, self.id)?;
        insert.raw_bind_parameter(first + 1, self.ticket)?;
        insert.raw_bind_parameter(first + 2, self.record.order_key.as_deref())?;
        insert.raw_bind_parameter(first + 3, self.record.data.as_str())?;
        insert.raw_bind_parameter(first + 4, self.record.attempts)
    }
}

/// Inserts records with consecutive numbers.
pub fn insert(desk: &Desk<'_>, submits: &[Parts], seconds: i64) -> rusqlite::Result<()> {
    let mut rows = Vec::with_capacity(submits.len());
    for parts in submits {
        // The first part's number is the ticket of all.
        let mut ticket = None;
        for record in parts.iter() {
            let id = desk.number(record.platform, record.order_key.as_deref());
            rows.push(Row { id, ticket: *ticket.get_or_insert(id), record });
            desk.count(record.platform, id, Count { records: 1, bytes: size_of(&record.data) });
        }
    }
    let created = now_ms();
    for akin in rows.chunk_by(Row::is_akin) {
        let mut rest = akin;
        while !rest.is_empty() {
            let power = rest.len().ilog2().min(LARGEST);
            let (rows, others) = rest.split_at(1 << power);
            run(desk, &SQL[power as usize], rows, (created, seconds))?;
            rest = others;
        }
    }
    Ok(())
}

/// Inserts rows that are akin, with one statement.
fn run(desk: &Desk<'_>, sql: &str, rows: &[Row<'_>], (created, seconds): (i64, i64)) -> rusqlite::Result<()> {
    let Some(Row { record, .. }) = rows.first() else { return Ok(()) };
    let mut insert = desk.prepare_cached(sql)?;
    insert.raw_bind_parameter(1, created)?;
    insert.raw_bind_parameter(2, seconds)?;
    insert.raw_bind_parameter(3, record.platform)?;
    insert.raw_bind_parameter(4, record.interface)?;
    insert.raw_bind_parameter(5, record.service.as_str())?;
    insert.raw_bind_parameter(6, record.class)?;
    rows.iter().enumerate().try_for_each(|(at, row)| row.bind(&mut insert, at))?;
    insert.raw_execute().map(|_| ())
}
