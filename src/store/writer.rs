//! The one writer. Whatever arrives while a commit is on its way to the disk goes into the next one together: many
//! submitters share a sync.

use super::desk::{Desk, Ledger};
use super::file::{StoreFile, of_sqlite};
use super::gone;
use super::insert::insert;
use super::keys::Keys;
use super::limit::Limit;
use super::queue::{Batch, End, Parts, Queue};
use super::replaced::Predecessors;
use super::spans::{Count, Counts};
use crate::error::{Code, Error, Result};
use crate::log::Log;
use rusqlite::{Connection, ErrorCode};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::time::Instant;

/// Writes inside the transaction; it may run again when the transaction failed.
pub type Work = Box<dyn FnMut(&Desk<'_>) -> rusqlite::Result<()> + Send>;

/// Hears how it went, after the commit, on the writer's thread: it must not wait for anything.
pub type Done = Box<dyn FnOnce(Result<()>) + Send>;

/// A piece of work for the writer.
pub struct Job {
    pub work: Work,
    pub done: Done,
    /// Nobody waits for it: it may wait for company.
    pub is_patient: bool,
}

/// Pages in the journal after which they are brought into the database: at a good moment, and at the latest. The journal
/// then stays below its limit (file.rs), so its file keeps its size and a sync has nothing but data to write.
const MAY_TIDY: i32 = 1000;
const MUST_TIDY: i32 = 3000;

/// What the writer thread owns.
pub struct Writer {
    /// Before the file, and its lock: whoever has the lock next finds the database closed.
    pub connection: Connection,
    pub file: StoreFile,
    pub queue: Arc<Queue>,
    pub log: Arc<Log>,
    /// Raised when the file was replaced: readers open it again.
    pub epoch: Arc<AtomicU64>,
    pub since: Instant,
    pub seconds: i64,
    pub counts: Counts,
    pub keys: Keys,
    pub limit: Limit,
    pub ledger: Ledger,
    /// Pages in the journal, and how many of them could not be taken from it when that was tried.
    pub pages: Arc<AtomicI32>,
    pub untidy: i32,
    /// The connection could not be made again after the file was replaced.
    pub is_detached: bool,
    /// Told when a damaged store was set aside.
    pub predecessors: Arc<Predecessors>,
}

/// When the writer ends, however it does, nobody waits for it any more.
struct Leaves(Arc<Queue>);

impl Drop for Leaves {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

impl Writer {
    /// Until nobody can send work any more.
    pub fn run(mut self) {
        let queue = self.queue.clone();
        let _leaves = Leaves(queue.clone());
        while let Some(mut batch) = queue.take() {
            let round = AssertUnwindSafe(|| {
                self.commit(&mut batch);
                self.tidy();
            });
            if catch_unwind(round).is_err() {
                self.log.error(format_args!("store: a defect of the library was caught; please report it"));
                // Whatever it left half done: the next round begins with what is on disk.
                self.is_detached = true;
                self.tell(mem::take(&mut batch.jobs), &Err(gone()));
            }
        }
        // Leaves one tidy file behind; it is as safe without.
        let _ = self.ledger.close(&self.connection);
        let _ = self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
    }

    /// Between two commits, when those who wait have been told: inside one it would hold them up.
    fn tidy(&mut self) {
        let pages = self.pages.load(Ordering::Relaxed) - self.untidy;
        if pages >= MUST_TIDY || pages >= MAY_TIDY && self.queue.is_empty() {
            let outcome = self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
                Ok((row.get::<_, i32>(1)?, row.get::<_, i32>(2)?))
            });
            // A failure (a full disk) shows at the next commit, if it matters. What a reader still needs is left for later.
            self.untidy = outcome.ok().filter(|(all, done)| done < all).map_or(0, |(all, _)| all);
            self.pages.store(self.untidy, Ordering::Relaxed);
        }
    }

    /// Turns away what would go over the limit, and tells which by their places: only here is nothing stored meanwhile.
    fn turn_away(&self, submits: &mut Vec<Parts>, sum: Count) -> Vec<(usize, Error)> {
        if self.limit.with(self.counts.total(), sum).is_ok() {
            return Vec::new();
        }
        let (mut waiting, mut turned_away, mut at) = (self.counts.total(), Vec::new(), 0);
        submits.retain(|parts| {
            let with_these = self.limit.with(waiting, Count::of(parts)).map(|count| waiting = count);
            at += 1;
            with_these.map_err(|error| turned_away.push((at - 1, error))).is_ok()
        });
        turned_away
    }

    /// Takes out of the batch what it has told: should it fail, the others hear of that.
    fn commit(&mut self, batch: &mut Batch) {
        let turned_away = self.turn_away(&mut batch.submits, batch.sum);
        let end = |mut each: Vec<Result<i64>>| {
            turned_away.iter().for_each(|(at, error)| each.insert(*at, Err(error.clone())));
            End::Each(each)
        };
        if batch.submits.is_empty() && batch.jobs.is_empty() {
            return batch.round.tell(end(Vec::new()));
        }
        let attached = if self.is_detached { self.attach() } else { Ok(()) };
        let outcome = attached.and_then(|()| match self.transaction(&batch.submits, &mut batch.jobs) {
            Ok(first) => Ok(Some(first)),
            // Whoever holds it holds it against all of them.
            Err(error) if batch.submits.len() + batch.jobs.len() == 1 || is_busy(&error) => {
                self.mend(&error, &batch.submits, &mut batch.jobs).map(Some)
            }
            Err(_) => Ok(None),
        });
        let Batch { submits, jobs, round, .. } = batch;
        let submits = mem::take(submits);
        match outcome {
            Ok(Some(first)) => {
                let end = if turned_away.is_empty() { End::Stored(first) } else { end(numbers(first, &submits)) };
                drop(submits);
                round.tell(end);
                self.tell(mem::take(jobs), &Ok(()));
            }
            Err(error) => {
                round.tell(end(submits.iter().map(|_| Err(error.clone())).collect()));
                self.tell(mem::take(jobs), &Err(error));
            }
            // One bad job must not take the others down.
            Ok(None) => {
                let each = submits.chunks(1).map(|submit| self.alone(submit, &mut [])).collect();
                round.tell(end(each));
                while let Some(job) = jobs.first_mut() {
                    let outcome = self.alone(&[], std::slice::from_mut(job)).map(|_| ());
                    self.tell(vec![jobs.remove(0)], &outcome);
                }
            }
        }
    }

    fn alone(&mut self, submits: &[Parts], jobs: &mut [Job]) -> Result<i64> {
        if self.is_detached {
            self.attach()?;
        }
        self.transaction(submits, jobs).or_else(|error| self.mend(&error, submits, jobs))
    }

    fn tell(&self, jobs: Vec<Job>, outcome: &Result<()>) {
        for job in jobs {
            if catch_unwind(AssertUnwindSafe(|| (job.done)(outcome.clone()))).is_err() {
                self.log.error(format_args!("store: a defect of the library was caught; please report it"));
            }
        }
    }

    /// All of it or nothing. Returns the number of the first record.
    fn transaction(&mut self, submits: &[Parts], jobs: &mut [Job]) -> rusqlite::Result<i64> {
        let before = self.ledger;
        let seconds = self.seconds + i64::try_from(self.since.elapsed().as_secs()).unwrap_or(0);
        let desk = Desk::new(&self.connection, &self.keys, &self.counts, before);
        desk.prepare_cached("BEGIN")?.execute([])?;
        // A defect in here must not end the writer.
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            insert(&desk, submits, seconds)?;
            for job in jobs.iter_mut() {
                (job.work)(&desk)?;
            }
            let after = desk.finish(seconds)?;
            self.connection.prepare_cached("COMMIT")?.execute([])?;
            Ok(after)
        }));
        let outcome = outcome.unwrap_or_else(|_| Err(defect()));
        match outcome {
            Ok((after, changes)) => {
                self.ledger = after;
                self.counts.add(&changes);
                if after.listed != before.listed {
                    self.keys.written(after.listed);
                }
                Ok(before.last + 1)
            }
            Err(error) => {
                self.keys.undo(before.last);
                if !self.connection.is_autocommit() {
                    // A failure of this shows in the next BEGIN.
                    let _ = self.connection.execute_batch("ROLLBACK");
                }
                Err(error)
            }
        }
    }

    /// What can be done about a failure: a damaged file is replaced by a new one, with what can be saved, and the work is
    /// done again there. Until the new one is whole the damaged one stays in use.
    fn mend(&mut self, error: &rusqlite::Error, submits: &[Parts], jobs: &mut [Job]) -> Result<i64> {
        let error = of_sqlite(error, &self.file.path);
        let outcome = if error.code == Code::StoreDamaged {
            self.file
                .rebuild(&error.message)
                .and_then(|()| self.attach())
                .and_then(|()| self.transaction(submits, jobs).map_err(|error| of_sqlite(&error, &self.file.path)))
        } else {
            Err(error)
        };
        if let Err(error) = &outcome {
            self.log.error(format_args!("store: {}", error.message));
        }
        outcome
    }

    fn attach(&mut self) -> Result<()> {
        self.is_detached = true;
        let path = self.file.path.clone();
        let of = |error: rusqlite::Error| of_sqlite(&error, &path);
        // The old file must be closed before it can be renamed on every system.
        self.connection = Connection::open_in_memory().map_err(of)?;
        self.connection = self.file.attach()?;
        self.load().map_err(of)?;
        self.is_detached = false;
        self.epoch.fetch_add(1, Ordering::AcqRel);
        if let Some(aside) = self.file.set_aside.take() {
            self.log.error(format_args!("store: {aside}"));
            self.predecessors.add(aside);
        }
        Ok(())
    }

    /// Reads what is kept in memory.
    pub fn load(&mut self) -> rusqlite::Result<()> {
        let pages = self.pages.clone();
        self.connection.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, count| {
            pages.store(count, Ordering::Relaxed);
            Ok(())
        }))?;
        self.ledger = Ledger::load(&self.connection)?;
        self.keys.reload(&self.connection, self.ledger.listed)?;
        self.counts.reload(&self.connection, self.ledger.listed)
    }
}

/// The numbers of the records' first parts.
fn numbers(first: i64, submits: &[Parts]) -> Vec<Result<i64>> {
    let next = |number: &mut i64, parts: &Parts| Some(Ok(std::mem::replace(number, *number + parts.len() as i64)));
    submits.iter().scan(first, next).collect()
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

fn defect() -> rusqlite::Error {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_INTERNAL);
    rusqlite::Error::SqliteFailure(code, Some("a defect of the library was caught; please report it".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::{NewRecord, Store, file};
    use super::*;
    use crate::log::Level;

    /// Whoever hears of a replaced store has a defect: those who wait get an error, and the next ones are served.
    #[test]
    fn a_panic_outside_a_transaction_does_not_end_the_writer() {
        let folder = std::env::temp_dir().join(format!("parklink-writer-{}", std::process::id()));
        let store = Store::open(&folder.join("lot.db"), Arc::new(Log::new(Level::Error))).unwrap();
        store.on_replaced(Box::new(|_| panic!("a defect")));
        let submit = || {
            let record = NewRecord {
                platform: "cloud",
                interface: None,
                service: "x".to_owned(),
                order_key: None,
                class: "record",
                data: "{}".to_owned(),
                attempts: 0,
            };
            store.submit(vec![record])
        };
        submit().unwrap();
        for twice in 1..=2 {
            let hurt = store.write_and_wait(|_| Err::<(), _>(file::damage("a test")));
            assert_eq!(hurt.unwrap_err().code, Code::Internal, "{twice}");
            submit().unwrap();
            assert_eq!(store.total().records, 1 + twice);
        }
        let (told, hears) = std::sync::mpsc::channel();
        let done = move |outcome: Result<()>| told.send(outcome.map_err(|error| error.code)).unwrap();
        store.write(|_| Err(file::damage("a test")), done);
        assert_eq!(hears.recv(), Ok(Err(Code::Internal)), "also who does not wait hears of it");
        store.close();
        let _ = std::fs::remove_dir_all(folder);
    }
}
