//! The one writer. Whatever arrives while a commit is on its way to the disk goes into the next one together: many
//! submitters share a sync.

use super::file::{StoreFile, of_sqlite};
use super::records::Counts;
use super::replaced::Predecessors;
use crate::error::{Code, Error, Result};
use crate::log::Log;
use crossbeam_channel::Receiver;
use rusqlite::{Connection, ErrorCode};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Writes inside the transaction; it may run again when the transaction failed.
pub type Work = Box<dyn FnMut(&Connection) -> rusqlite::Result<()> + Send>;

/// Hears how it went, after the commit, on the writer's thread: it must not wait for anything.
pub type Done = Box<dyn FnOnce(Result<()>) + Send>;

/// A piece of work for the writer.
pub struct Job {
    pub work: Work,
    pub done: Done,
}

/// Most jobs in one commit.
const TOGETHER: usize = 1024;

/// What the writer thread owns.
pub struct Writer {
    pub file: StoreFile,
    pub connection: Connection,
    pub jobs: Receiver<Job>,
    pub log: Arc<Log>,
    /// Raised when the file was replaced: readers open it again.
    pub epoch: Arc<AtomicU64>,
    pub since: Instant,
    pub seconds: i64,
    pub counts: Counts,
    /// The connection could not be made again after the file was replaced.
    pub is_detached: bool,
    /// Told when a damaged store was set aside.
    pub predecessors: Arc<Predecessors>,
}

impl Writer {
    /// Until nobody can send work any more.
    pub fn run(mut self) {
        while let Ok(first) = self.jobs.recv() {
            let mut batch = vec![first];
            batch.extend(self.jobs.try_iter().take(TOGETHER - 1));
            self.commit(batch);
        }
        // Leaves one tidy file behind; it is as safe without.
        let _ = self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
    }

    fn commit(&mut self, mut batch: Vec<Job>) {
        if self.is_detached
            && let Err(error) = self.attach()
        {
            return self.tell(batch, &Err(error));
        }
        match self.transaction(&mut batch) {
            Ok(()) => self.tell(batch, &Ok(())),
            // Whoever holds it holds it against all of them.
            Err(error) if batch.len() == 1 || is_busy(&error) => {
                let error = of_sqlite(&error, &self.file.path);
                let outcome =
                    if error.code == Code::StoreDamaged { self.recover(&mut batch, &error) } else { Err(error) };
                if let Err(error) = &outcome {
                    self.log.error(format_args!("store: {}", error.message));
                }
                self.tell(batch, &outcome);
            }
            // One bad job must not take the others down.
            Err(_) => batch.into_iter().for_each(|job| self.commit(vec![job])),
        }
    }

    fn tell(&self, batch: Vec<Job>, outcome: &Result<()>) {
        for job in batch {
            if catch_unwind(AssertUnwindSafe(|| (job.done)(outcome.clone()))).is_err() {
                self.log.error(format_args!("store: a defect of the library was caught; please report it"));
            }
        }
    }

    fn transaction(&mut self, batch: &mut [Job]) -> rusqlite::Result<()> {
        let seconds = self.seconds + i64::try_from(self.since.elapsed().as_secs()).unwrap_or(0);
        let transaction = self.connection.unchecked_transaction()?;
        for job in batch.iter_mut() {
            catch_unwind(AssertUnwindSafe(|| (job.work)(&transaction))).unwrap_or_else(|_| Err(defect()))?;
        }
        transaction
            .prepare_cached("UPDATE meta SET value=?1 WHERE name='seconds' AND value<>?1")?
            .execute([seconds])?;
        transaction.commit()
    }

    /// The file turned out to be damaged: a new one, with what can be saved, and the work again. Until the new one is
    /// whole the damaged one stays in use.
    fn recover(&mut self, batch: &mut [Job], error: &Error) -> Result<()> {
        self.file.rebuild(&error.message)?;
        self.attach()?;
        self.transaction(batch).map_err(|error| of_sqlite(&error, &self.file.path))
    }

    fn attach(&mut self) -> Result<()> {
        self.is_detached = true;
        let of = |error: rusqlite::Error| of_sqlite(&error, &self.file.path);
        // The old file must be closed before it can be renamed on every system.
        self.connection = Connection::open_in_memory().map_err(of)?;
        self.connection = self.file.attach()?;
        self.counts.reload(&self.connection).map_err(|error| of_sqlite(&error, &self.file.path))?;
        self.is_detached = false;
        self.epoch.fetch_add(1, Ordering::AcqRel);
        if let Some(aside) = self.file.set_aside.take() {
            self.log.error(format_args!("store: {aside}"));
            self.predecessors.add(aside);
        }
        Ok(())
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

fn defect() -> rusqlite::Error {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_INTERNAL);
    rusqlite::Error::SqliteFailure(code, Some("a defect of the library was caught; please report it".to_owned()))
}
