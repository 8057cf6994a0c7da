//! The store: one SQLite file that holds what must survive a crash, an outage and the switch at the wall: records not yet
//! delivered, dead letters, downlinks that move money or things. A field engineer can read it with `sqlite3`.

mod dead;
mod desk;
mod events;
mod file;
mod insert;
mod keys;
mod limit;
mod lock;
mod queue;
mod records;
mod replaced;
mod salvage;
mod spans;
mod writer;

pub use self::dead::Dead;
pub use self::events::{NewEvent, StoredEvent, Taken};
pub use self::records::{Dropped, NewRecord, Record, Settled};
pub use self::replaced::{OnReplaced, Replaced};
pub use self::spans::Count;

use self::desk::{Desk, Ledger};
use self::file::StoreFile;
use self::limit::Limit;
use self::queue::Queue;
use self::replaced::Predecessors;
use self::writer::{Job, Writer};
use crate::error::{Code, Error, Result};
use crate::link::once::once;
use crate::log::Log;
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// An open store. Cloning shares it.
pub struct Store {
    path: PathBuf,
    queue: Arc<Queue>,
    writer: Mutex<Option<JoinHandle<()>>>,
    epoch: Arc<AtomicU64>,
    since: Instant,
    seconds: i64,
    counts: spans::Counts,
    keys: keys::Keys,
    limit: Limit,
    /// Numbers up to this one were given to records by earlier openings.
    before: i64,
    predecessors: Arc<Predecessors>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the store of this file.
    pub fn open(path: &Path, log: Arc<Log>) -> Result<Arc<Store>> {
        let (mut file, connection) = StoreFile::open(path)?;
        let of = |error: rusqlite::Error| file::of_sqlite(&error, path);
        let seconds =
            connection.query_row("SELECT value FROM meta WHERE name='seconds'", [], |row| row.get(0)).map_err(of)?;
        let queue = Arc::new(Queue::default());
        let (epoch, counts, keys) = (Arc::<AtomicU64>::default(), spans::Counts::default(), keys::Keys::default());
        let aside = file.set_aside.take();
        if let Some(aside) = &aside {
            log.error(format_args!("store: {aside}"));
        }
        let limit = Limit::default();
        let last = replaced::last(&connection, path).map_err(of)?;
        let predecessors = Arc::new(Predecessors::new(last, aside.is_some()));
        let since = Instant::now();
        let mut writer = Writer {
            file,
            connection,
            queue: queue.clone(),
            log,
            epoch: epoch.clone(),
            counts: counts.clone(),
            keys: keys.clone(),
            limit: limit.clone(),
            ledger: Ledger::default(),
            pages: Arc::default(),
            untidy: 0,
            since,
            seconds,
            is_detached: false,
            predecessors: predecessors.clone(),
        };
        writer.load().map_err(of)?;
        let before = writer.ledger.last;
        let thread = thread::Builder::new()
            .name("parklink-store".into())
            .spawn(move || writer.run())
            .map_err(|error| Error::new(Code::Io, format!("no thread for the store: {error}")))?;
        let writer = Mutex::new(Some(thread));
        let path = path.to_owned();
        Ok(Arc::new(Store { path, queue, writer, epoch, since, seconds, counts, keys, limit, before, predecessors }))
    }

    /// The last number that earlier openings gave to a record.
    pub fn last_before(&self) -> i64 {
        self.before
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The last damaged store that this one took the place of.
    pub fn replaced(&self) -> Option<Replaced> {
        self.predecessors.last()
    }

    /// Of the event that tells of such a one: whether it was raised when this store was opened or before; otherwise who
    /// listens hears of it. And whether that was in an earlier opening.
    pub fn knew_at_open(&self, event: u64) -> (bool, bool) {
        let known = |limit: i64| i64::try_from(event).is_ok_and(|event| event <= limit);
        (known(self.predecessors.at_open), known(self.predecessors.before))
    }

    /// Who hears when this one is replaced while it is open.
    pub fn on_replaced(&self, heard: OnReplaced) {
        self.predecessors.listen(heard);
    }

    /// Running time of the store in seconds, over all its openings; no clock change moves it.
    pub fn seconds(&self) -> i64 {
        self.seconds + i64::try_from(self.since.elapsed().as_secs()).unwrap_or(0)
    }

    /// Puts work into the next commit; `done` hears, on the writer's thread, what its last run made when that is on disk; when
    /// the store is closed, at once and here.
    pub fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&Desk<'_>) -> rusqlite::Result<T> + Send + 'static,
        done: impl FnOnce(Result<T>) + Send + 'static,
    ) {
        if let Err(job) = self.push(work, done, false) {
            (job.done)(Err(queue::closed()));
        }
    }

    /// Gives the job back when nothing is written any more: `done` never runs in here, where the caller may hold a lock that
    /// it takes.
    fn push<T: Send + 'static>(
        &self,
        mut work: impl FnMut(&Desk<'_>) -> rusqlite::Result<T> + Send + 'static,
        done: impl FnOnce(Result<T>) + Send + 'static,
        is_patient: bool,
    ) -> std::result::Result<(), Job> {
        let made = Arc::new(Mutex::new(None));
        let slot = made.clone();
        let work = move |desk: &Desk<'_>| {
            let value = work(desk)?;
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
            Ok(())
        };
        let done = move |outcome: Result<()>| {
            let value = made.lock().unwrap_or_else(PoisonError::into_inner).take();
            done(outcome.and_then(|()| value.ok_or_else(gone)));
        };
        self.queue.push(Job { work: Box::new(work), done: Box::new(done), is_patient })
    }

    /// Puts work into the next commit and waits until it is on disk; what the last run of `work` made is returned.
    pub fn write_and_wait<T: Send + 'static>(
        &self,
        work: impl FnMut(&Desk<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        let (sender, receiver) = once();
        self.write(work, move |outcome| sender.give(outcome));
        receiver.take().unwrap_or_else(|| Err(gone()))
    }

    /// A connection to read with; open a new one when [`Store::epoch`] has changed.
    pub fn reader(self: &Arc<Self>) -> Result<Reader> {
        let store = Arc::downgrade(self);
        let (epoch, connection) = (self.epoch(), file::reader(&self.path)?);
        let (path, keys, counts) = (self.path.clone(), self.keys.clone(), self.counts.clone());
        Ok(Reader { epoch, connection, path, keys, counts, store })
    }

    /// Reads; when that shows damage, once more from the file that replaced the damaged one.
    pub fn read<T>(self: &Arc<Self>, work: impl Fn(&Reader) -> Result<T>) -> Result<T> {
        let outcome = self.reader().and_then(|reader| work(&reader));
        match outcome {
            Err(error) if error.code == Code::StoreDamaged => {
                self.write_and_wait(|_| Ok(()))?;
                work(&self.reader()?)
            }
            outcome => outcome,
        }
    }

    /// A reader met damage: the writer, who may never come near it, replaces the file.
    fn suspect(&self, epoch: u64, what: String) {
        let now = self.epoch.clone();
        let work = move |_: &Desk<'_>| match now.load(Ordering::Acquire) == epoch {
            true => Err(file::damage(&what)),
            false => Ok(()),
        };
        // What came of it is logged by the writer.
        self.write(work, |_| {});
    }

    /// Changes when the file was replaced.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Writes what is waiting and ends.
    pub fn close(&self) {
        self.queue.close();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer.filter(|writer| writer.thread().id() != thread::current().id()) {
            let _ = writer.join();
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.close();
    }
}

/// A reading connection.
#[derive(Debug)]
pub struct Reader {
    /// The store's epoch when it was opened.
    pub epoch: u64,
    connection: Connection,
    path: PathBuf,
    keys: keys::Keys,
    counts: spans::Counts,
    store: Weak<Store>,
}

impl Reader {
    fn run<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        work(&self.connection).map_err(|error| {
            let error = file::of_sqlite(&error, &self.path);
            if error.code == Code::StoreDamaged
                && let Some(store) = self.store.upgrade()
            {
                store.suspect(self.epoch, error.message.clone());
            }
            error
        })
    }
}

fn gone() -> Error {
    Error::new(Code::Internal, "the store's writer failed: a defect of the library was caught; please report it")
}

/// Milliseconds since 1970 by the machine's clock.
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| i64::try_from(time.as_millis()).unwrap_or(i64::MAX))
}
