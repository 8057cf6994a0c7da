//! What can still be read of a damaged store, copied into a new one.

use super::desk::Ledger;
use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::fs;
use std::path::Path;

/// Tables that are salvaged from a damaged store, and their columns.
pub const SALVAGED: [(&str, &str); 4] = [
    ("record", "id,ticket,platform,interface,service,order_key,class,data,created,attempts,last_error,stored"),
    ("dead", "id,ticket,platform,interface,service,order_key,class,data,created,attempts,died,code,message,reply"),
    ("event", "id,repeat_key,content,platform,service,message,received,seen,answer,answered,delivered"),
    ("replaced", "id,at,why,old_file,rows"),
];

/// Columns of whole numbers; the others hold texts.
const NUMBERS: [&str; 12] = [
    "id",
    "ticket",
    "created",
    "attempts",
    "stored",
    "died",
    "received",
    "seen",
    "answered",
    "delivered",
    "at",
    "rows",
];

/// Whether a value is of its column's kind. Another would be met as damage again, in the new store.
fn fits(column: &str, value: &Value) -> bool {
    match value {
        Value::Null | Value::Integer(_) => true,
        Value::Text(_) => !NUMBERS.contains(&column),
        Value::Real(_) | Value::Blob(_) => false,
    }
}

/// Copies what can be read of a damaged store. Errors are those of the new one.
pub fn salvage(connection: &Connection, damaged: &Path) -> rusqlite::Result<i64> {
    let mut saved = 0;
    // SQLite deletes the journal of an empty file.
    let is_empty = fs::metadata(damaged).map_or(true, |file| file.len() == 0);
    let old = Connection::open_with_flags(damaged, OpenFlags::SQLITE_OPEN_READ_WRITE).ok().filter(|_| !is_empty);
    if let Some(old) = &old {
        // Else a file that is shorter than it says is not read at all.
        let _ = old.execute_batch("PRAGMA writable_schema=ON");
    }
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let number = |sql: &str| old.as_ref()?.query_row(sql, [], |row| row.get::<_, i64>(0)).ok();
    let seconds = number("SELECT value FROM meta NOT INDEXED WHERE name='seconds'")
        .or_else(|| number("SELECT max(seen) FROM event NOT INDEXED"));
    if let Some(old) = &old {
        for (table, columns) in SALVAGED {
            let rows = copy(old, connection, table, columns, seconds.unwrap_or(0))?;
            saved += if table == "replaced" { 0 } else { rows };
        }
    }
    // No number is given twice: the software has the old ones.
    let given = ["SELECT value FROM meta NOT INDEXED WHERE name='numbered'", "SELECT max(seq) FROM sqlite_sequence"];
    let last = given.into_iter().filter_map(number).max().unwrap_or_else(super::now_ms);
    // Nothing that was taken over is younger than now.
    let latest = "SELECT max(ifnull((SELECT max(stored) FROM record), 0), ifnull((SELECT max(seen) FROM event), 0))";
    let latest: i64 = connection.query_row(latest, [], |row| row.get(0))?;
    let seconds = seconds.unwrap_or(0).max(latest);
    connection.execute_batch(&format!(
        "UPDATE meta SET value = {seconds} WHERE name='seconds';
         UPDATE meta SET value = max({last}, ifnull((SELECT max(id) FROM record), 0), ifnull((SELECT max(id) FROM dead), 0))
           WHERE name='numbered';"
    ))?;
    Ledger::load(connection)?.list(connection)?;
    connection.execute_batch("COMMIT")?;
    Ok(saved)
}

/// Rows that cannot be read in a row after which a table is given up.
const BLIND: u32 = 20_000;

/// Copies the rows of a table from both ends, and what can be found between the damaged places.
fn copy(old: &Connection, new: &Connection, table: &str, columns: &str, seconds: i64) -> rusqlite::Result<i64> {
    let has_all = old.prepare(&format!("SELECT {columns} FROM {table}")).is_ok();
    // A store of version 1 does not know when its records were stored.
    let read = if has_all { columns.to_owned() } else { columns.replace(",stored", &format!(",{seconds}")) };
    let count = columns.split(',').count();
    let marks = vec!["?"; count].join(",");
    let mut insert = new.prepare(&format!("INSERT OR IGNORE INTO {table} ({columns}) VALUES ({marks})"))?;
    let backward = format!("SELECT {read} FROM {table} ORDER BY id DESC");
    let forward = format!("SELECT {read} FROM {table} WHERE id > ?1 ORDER BY id");
    let mut saved = 0;
    let (mut lowest, mut after, mut blind) = (i64::MAX, i64::MIN, 0);
    let mut take = |row: &rusqlite::Row<'_>| -> rusqlite::Result<Option<(i64, bool)>> {
        let values: rusqlite::Result<Vec<Value>> = (0..count).map(|at| row.get(at)).collect();
        let Ok(values) = values else { return Ok(None) };
        if !columns.split(',').zip(&values).all(|(column, value)| fits(column, value)) {
            return Ok(None);
        }
        let Value::Integer(id) = values[0] else { return Ok(None) };
        match insert.execute(rusqlite::params_from_iter(values)) {
            Ok(changed) => Ok(Some((id, changed > 0))),
            // A row that is no such row any more.
            Err(rusqlite::Error::SqliteFailure(error, _)) if error.code == ErrorCode::ConstraintViolation => Ok(None),
            Err(error) => Err(error),
        }
    };
    if let Ok(mut select) = old.prepare(&backward)
        && let Ok(mut rows) = select.query([])
    {
        while let Ok(Some(row)) = rows.next() {
            if let Some((id, is_new)) = take(row)? {
                lowest = id;
                saved += i64::from(is_new);
            }
        }
    }
    while after < lowest && blind < BLIND {
        let Ok(mut select) = old.prepare(&forward) else { break };
        let Ok(mut rows) = select.query([after]) else { break };
        let begun = after;
        let ended = loop {
            match rows.next() {
                Ok(Some(row)) => {
                    if let Some((id, is_new)) = take(row)? {
                        if id >= lowest {
                            break true;
                        }
                        after = id;
                        saved += i64::from(is_new);
                    }
                }
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        if ended {
            break;
        }
        // Past the row that cannot be read, to a page that perhaps can.
        blind = if after > begun { 0 } else { blind + 1 };
        after = after.max(0) + 1;
    }
    Ok(saved)
}
