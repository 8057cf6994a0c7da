//! Stores that were damaged and set aside: what the one that took their place knows of it, and who is told.

use crate::json::{Members, members};
use rusqlite::{Connection, OptionalExtension, params};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// A damaged store that was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// Its number, counted from 1; also that of the event that tells of it.
    pub id: i64,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// The damage.
    pub why: String,
    /// Where the damaged file is now.
    pub old_file: PathBuf,
    /// Rows that were taken over from it.
    pub rows: i64,
}

impl Replaced {
    /// For `parklink_status`.
    pub fn members(&self) -> Members {
        let old_file = self.old_file.to_string_lossy();
        members! {"at_ms": self.at_ms, "why": &self.why, "old_file": old_file.as_ref(), "rows": self.rows}
    }

    /// What the software hears, as if a platform had said it.
    pub fn message(&self, store: &Path) -> Members {
        let mut message = self.members();
        message.insert("service_name", SERVICE);
        message.insert("path", store.to_string_lossy().as_ref());
        message
    }
}

impl std::fmt::Display for Replaced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Replaced { why, rows, .. } = self;
        write!(f, "it was damaged ({why}), {rows} rows were taken over; the old file is {}", self.old_file.display())
    }
}

/// The name of that message.
const SERVICE: &str = "store_replaced";

/// Writes down, in the new store, what it takes the place of, and the event that the software is to hear. Events of the
/// platforms have numbers far above these.
pub fn write(connection: &Connection, store: &Path, replaced: &Replaced) -> rusqlite::Result<Replaced> {
    let id = "SELECT 1 + max(ifnull((SELECT max(id) FROM replaced), 0), ifnull((SELECT max(id) FROM event WHERE id < 1000000000), 0))";
    let id = connection.query_row(id, [], |row| row.get(0))?;
    let replaced = Replaced { id, ..replaced.clone() };
    let name = replaced.old_file.file_name().unwrap_or_default().to_string_lossy();
    connection.execute(
        "INSERT INTO replaced (id, at, why, old_file, rows) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![id, replaced.at_ms, replaced.why, name, replaced.rows],
    )?;
    connection.execute(
        "INSERT INTO event (id, repeat_key, platform, service, message, received, seen)
         VALUES (?1, ?2, 'parklink', ?3, ?4, ?5, (SELECT value FROM meta WHERE name='seconds'))",
        params![id, format!("{SERVICE} {id}"), SERVICE, replaced.message(store).to_string(), replaced.at_ms],
    )?;
    Ok(replaced)
}

/// The last one that a store has taken the place of.
pub fn last(connection: &Connection, store: &Path) -> rusqlite::Result<Option<Replaced>> {
    let sql = "SELECT id, at, why, old_file, rows FROM replaced ORDER BY id DESC LIMIT 1";
    connection
        .query_row(sql, [], |row| {
            Ok(Replaced {
                id: row.get(0)?,
                at_ms: row.get(1)?,
                why: row.get(2)?,
                old_file: store.with_file_name(row.get::<_, String>(3)?),
                rows: row.get(4)?,
            })
        })
        .optional()
}

/// Hears when a damaged store was set aside while it was in use; on the writer's thread, so it must not wait.
pub type OnReplaced = Box<dyn Fn(&Replaced) + Send>;

/// What an open store knows of its predecessors.
#[derive(Default)]
pub struct Predecessors {
    /// The last one.
    last: Mutex<Option<Replaced>>,
    /// Those above this number were set aside in this opening.
    pub before: i64,
    /// Those above this one after it.
    pub at_open: i64,
    heard: Mutex<Option<OnReplaced>>,
}

impl Predecessors {
    pub fn new(last: Option<Replaced>, is_new: bool) -> Predecessors {
        let at_open = last.as_ref().map_or(0, |last| last.id);
        let before = at_open - i64::from(is_new);
        Predecessors { last: Mutex::new(last), before, at_open, heard: Mutex::default() }
    }

    /// The last one.
    pub fn last(&self) -> Option<Replaced> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn listen(&self, heard: OnReplaced) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(heard);
    }

    /// One more, while it is open.
    pub fn add(&self, replaced: Replaced) {
        if let Some(heard) = &*self.heard.lock().unwrap_or_else(PoisonError::into_inner) {
            heard(&replaced);
        }
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(replaced);
    }
}
