//! The one writer. Whatever arrives while a commit is on its way to the disk goes into the next one together: many
//! submitters share a sync.

use super::file::{StoreFile, of_sqlite};
use crate::error::{Code, Error, Result};
use crate::log::Log;
use crossbeam_channel::Receiver;
use rusqlite::Connection;
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
    /// Told when a damaged store was set aside.
    pub on_replaced: Box<dyn Fn(&str) + Send>,
}

impl Writer {
    /// Until nobody can send work any more.
    pub fn run(mut self) {
        if let Some(what) = self.file.set_aside.take() {
            (self.on_replaced)(&what);
        }
        while let Ok(first) = self.jobs.recv() {
            let mut batch = vec![first];
            batch.extend(self.jobs.try_iter().take(TOGETHER - 1));
            self.commit(batch);
        }
        // Leaves one tidy file behind; it is as safe without.
        let _ = self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
    }

    fn commit(&mut self, mut batch: Vec<Job>) {
        let outcome = self.transaction(&mut batch);
        match outcome {
            Ok(()) => batch.into_iter().for_each(|job| (job.done)(Ok(()))),
            Err(error) if batch.len() == 1 => {
                let error = of_sqlite(&error, &self.file.path);
                let outcome =
                    if error.code == Code::StoreDamaged { self.recover(&mut batch, &error) } else { Err(error) };
                if let Err(error) = &outcome {
                    self.log.error(format_args!("store: {}", error.message));
                }
                batch.into_iter().for_each(|job| (job.done)(outcome.clone()));
            }
            // One bad job must not take the others down.
            Err(_) => batch.into_iter().for_each(|job| self.commit(vec![job])),
        }
    }

    fn transaction(&mut self, batch: &mut [Job]) -> rusqlite::Result<()> {
        let seconds = self.seconds + i64::try_from(self.since.elapsed().as_secs()).unwrap_or(0);
        let transaction = self.connection.unchecked_transaction()?;
        for job in batch.iter_mut() {
            (job.work)(&transaction)?;
        }
        transaction
            .prepare_cached("UPDATE meta SET value=?1 WHERE name='seconds' AND value<>?1")?
            .execute([seconds])?;
        transaction.commit()
    }

    /// The file turned out to be damaged: a new one, with what can be saved, and the work again.
    fn recover(&mut self, batch: &mut [Job], error: &Error) -> Result<()> {
        // The old file must be closed before it can be renamed on every system.
        self.connection = Connection::open_in_memory().map_err(|error| of_sqlite(&error, &self.file.path))?;
        self.connection = self.file.replace(&error.message)?;
        self.epoch.fetch_add(1, Ordering::AcqRel);
        if let Some(what) = self.file.set_aside.take() {
            (self.on_replaced)(&what);
        }
        self.transaction(batch).map_err(|error| of_sqlite(&error, &self.file.path))
    }
}
