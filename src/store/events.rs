//! Downlinks that move money or things: on disk before the software hears of them, and until the platform has the answer.

use super::{Reader, Store};
use crate::error::Result;
use rusqlite::{Connection, OptionalExtension, params};

/// A downlink to be stored.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// The event's number.
    pub id: u64,
    /// What makes a repeat the same one.
    pub repeat_key: String,
    /// The same, where only the content tells.
    pub content: Option<String>,
    /// The link it came by.
    pub platform: &'static str,
    /// Its name.
    pub service: String,
    /// The whole message.
    pub message: String,
}

/// What the store knows of a downlink that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// Never seen; it is stored now.
    New,
    /// Seen, and not answered yet.
    Open(u64),
    /// Seen and answered so.
    Answered(u64, String),
}

/// A downlink from the store.
#[derive(Debug, Clone)]
pub struct StoredEvent {
    /// The event's number.
    pub id: u64,
    /// The link it came by.
    pub platform: String,
    /// The whole message.
    pub message: String,
    /// The answer that the platform may not have yet.
    pub answer: Option<String>,
    /// When it came, milliseconds since 1970 by the machine's clock.
    pub received: i64,
    /// When its platform last said it, in the store's running time.
    pub seen: i64,
}

fn take(connection: &Connection, event: &NewEvent, seconds: i64) -> rusqlite::Result<Taken> {
    let last = "SELECT id, content, answered, answer FROM event WHERE repeat_key = ?1 ORDER BY id DESC LIMIT 1";
    let known = connection
        .prepare_cached(last)?
        .query_row([&event.repeat_key], |row| {
            let id: i64 = row.get(0)?;
            Ok((
                id.unsigned_abs(),
                row.get::<_, Option<String>>(1)?,
                row.get::<_, bool>(2)?,
                row.get::<_, Option<String>>(3)?,
            ))
        })
        .optional()?;
    if let Some((id, _, is_answered, answer)) = known.filter(|(_, content, ..)| *content == event.content) {
        connection
            .prepare_cached("UPDATE event SET seen = ?2 WHERE id = ?1")?
            .execute(params![id.cast_signed(), seconds])?;
        return Ok(match answer {
            Some(answer) if is_answered => Taken::Answered(id, answer),
            _ if is_answered => Taken::Answered(id, String::new()),
            _ => Taken::Open(id),
        });
    }
    let sql = "INSERT INTO event (id, repeat_key, content, platform, service, message, received, seen)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let values = params![
        event.id.cast_signed(),
        event.repeat_key,
        event.content,
        event.platform,
        event.service,
        event.message,
        super::now_ms(),
        seconds
    ];
    connection.prepare_cached(sql)?.execute(values)?;
    Ok(Taken::New)
}

impl Store {
    /// Stores a downlink, unless it is known. `done` hears which, when it is on disk.
    pub fn take_event(&self, event: NewEvent, done: impl FnOnce(Result<Taken>) + Send + 'static) {
        let seconds = self.seconds();
        self.write(move |connection| take(connection, &event, seconds), done);
    }

    /// The software has answered; the answer is kept for repeats, and sent again until the platform has it.
    pub fn event_answered(&self, id: u64, answer: String) -> Result<()> {
        self.write_and_wait(move |connection| {
            let sql = "UPDATE event SET answer = ?2, answered = 1 WHERE id = ?1";
            connection.prepare_cached(sql)?.execute(params![id.cast_signed(), answer]).map(|_| ())
        })
    }

    /// The same for a push, which is answered on its own call: `done` hears when it is on disk, and nothing is sent again.
    pub fn push_answered(&self, id: u64, answer: String, done: impl FnOnce(Result<()>) + Send + 'static) {
        self.write(
            move |connection| {
                let sql = "UPDATE event SET answer = ?2, answered = 1, delivered = 1 WHERE id = ?1";
                connection.prepare_cached(sql)?.execute(params![id.cast_signed(), answer]).map(|_| ())
            },
            done,
        );
    }

    /// The platform has the answer, or the software was told and no answer is due.
    pub fn event_delivered(&self, id: u64, done: impl FnOnce() + Send + 'static) {
        self.write(
            move |connection| {
                let sql = "UPDATE event SET answered = 1, delivered = 1 WHERE id = ?1";
                connection.prepare_cached(sql)?.execute([id.cast_signed()]).map(|_| ())
            },
            // Without it the answer is sent once more after a restart: the platform knows repeats.
            |_| done(),
        );
    }

    /// The software refused it, or nobody took it: the platform may say it again, and it is new then.
    pub fn event_refused(&self, id: u64) {
        self.write(
            move |connection| {
                connection.prepare_cached("DELETE FROM event WHERE id = ?1")?.execute([id.cast_signed()]).map(|_| ())
            },
            |_| {},
        );
    }

    /// Forgets finished ones that were last seen before the window, and the oldest of those above `most`; a few at a time,
    /// so that nothing waits long behind it.
    pub fn forget_events(&self, window_seconds: i64, most: i64) {
        const AT_A_TIME: i64 = 2048;
        let before = self.seconds() - window_seconds;
        self.write(
            move |connection| {
                let sql = "DELETE FROM event WHERE id IN (SELECT id FROM event INDEXED BY event_finished
                           WHERE delivered = 1 AND seen < ?1 ORDER BY seen LIMIT ?2)";
                connection.prepare_cached(sql)?.execute([before, AT_A_TIME])?;
                let count = "SELECT count(*) FROM event INDEXED BY event_finished WHERE delivered = 1";
                let count: i64 = connection.prepare_cached(count)?.query_row([], |row| row.get(0))?;
                connection.prepare_cached(sql)?.execute([i64::MAX, (count - most).clamp(0, AT_A_TIME)]).map(|_| ())
            },
            |_| {},
        );
    }
}

impl Reader {
    /// Downlinks between these numbers that are not finished, oldest first.
    pub fn unfinished_events(&self, after: u64, until: u64, limit: i64) -> Result<Vec<StoredEvent>> {
        self.run(|connection| {
            let sql = "SELECT id, platform, message, answer, received, seen FROM event
                       WHERE delivered = 0 AND id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3";
            let mut select = connection.prepare_cached(sql)?;
            let rows = select.query_map(params![after.cast_signed(), until.cast_signed(), limit], |row| {
                let id: i64 = row.get(0)?;
                Ok(StoredEvent {
                    id: id.unsigned_abs(),
                    platform: row.get(1)?,
                    message: row.get(2)?,
                    answer: row.get(3)?,
                    received: row.get(4)?,
                    seen: row.get(5)?,
                })
            })?;
            rows.collect()
        })
    }

    /// The greatest number given to a downlink.
    pub fn last_event(&self) -> Result<u64> {
        self.run(|connection| {
            connection
                .query_row("SELECT coalesce(max(id), 0) FROM event", [], |row| row.get::<_, i64>(0))
                .map(i64::unsigned_abs)
        })
    }
}
