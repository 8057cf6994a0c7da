//! Opening the store's file: locked against other processes, owned by us, readable by us; a damaged one is set aside.

use super::desk::Ledger;
use super::lock::Lock;
use super::replaced::{self, Replaced};
use super::salvage::{SALVAGED, salvage};
use super::spans::Counts;
use super::{desk, keys, now_ms};
use crate::error::{Code, Error, Result};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Transaction, TransactionBehavior};
use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Marks the file as ours: "PKLK".
const APPLICATION: i32 = 0x504b_4c4b;

/// The version of the schema.
const VERSION: i32 = 3;

/// The file of an open store, and the lock on it.
#[derive(Debug)]
pub struct StoreFile {
    /// Where it is.
    pub path: PathBuf,
    /// A damaged predecessor, for the software to be told.
    pub set_aside: Option<Replaced>,
    _lock: Lock,
}

/// SQLite's files beside the database.
const SUFFIXES: [&str; 4] = ["-wal", "-shm", "-journal", ""];

impl StoreFile {
    /// Locks the file, makes sure it is a good one.
    pub fn open(path: &Path) -> Result<(StoreFile, Connection)> {
        let folder = folder_of(path);
        if !folder.is_dir() {
            fs::create_dir_all(folder).map_err(|error| of_io(&error, folder))?;
            // On disk too: a synced file in a folder that is gone is gone.
            folder.ancestors().skip(1).for_each(sync_folder);
        }
        let lock = Lock::take(path)?;
        let mut file = StoreFile { path: path.to_owned(), set_aside: None, _lock: lock };
        let connection = file.attach()?;
        Ok((file, connection))
    }

    /// Opens the database; one that is damaged is replaced first.
    pub fn attach(&mut self) -> Result<Connection> {
        // A replacement that a crash cut short.
        let mut aside = if self.ready().exists() { Some(self.swap()?) } else { None };
        let connection = match connect(&self.path) {
            Err(error) if error.code == Code::StoreDamaged => {
                self.rebuild(&error.message)?;
                aside = Some(self.swap()?);
                connect(&self.path)
            }
            other => other,
        }?;
        if let Some(old_file) = aside {
            self.set_aside = Some(self.tell_of(&connection, old_file).map_err(|error| of_sqlite(&error, &self.path))?);
        }
        Ok(connection)
    }

    /// What the new store says of the one that it takes the place of; an older version's does not.
    fn tell_of(&self, connection: &Connection, old_file: PathBuf) -> rusqlite::Result<Replaced> {
        match replaced::last(connection, &self.path)?.filter(|last| last.old_file == old_file) {
            Some(known) => Ok(known),
            None => {
                let rows =
                    "SELECT (SELECT count(*) FROM record) + (SELECT count(*) FROM dead) + (SELECT count(*) FROM event)";
                let rows = connection.query_row(rows, [], |row| row.get(0))?;
                let why = "it was replaced by an older version".to_owned();
                replaced::write(connection, &self.path, &Replaced { id: 0, at_ms: now_ms(), why, old_file, rows })
            }
        }
    }

    /// Makes a new database beside the damaged one, with what can still be read of that. A crash on the way leaves all as
    /// it was.
    pub fn rebuild(&mut self, why: &str) -> Result<()> {
        let fresh = self.path.with_extension("salvage.db");
        for suffix in SUFFIXES {
            let _ = fs::remove_file(with_suffix(&fresh, suffix));
        }
        let connection = connect(&fresh)?;
        let of = |error: rusqlite::Error| of_sqlite(&error, &fresh);
        let rows = salvage(&connection, &self.path).map_err(of)?;
        let replaced = Replaced { id: 0, at_ms: now_ms(), why: why.to_owned(), old_file: self.dated_name(), rows };
        replaced::write(&connection, &self.path, &replaced).map_err(of)?;
        // One whole file, without a journal beside it.
        connection.query_row("PRAGMA journal_mode=DELETE", [], |_| Ok(())).map_err(of)?;
        connection.close().map_err(|(_, error)| of(error))?;
        fs::rename(&fresh, self.ready()).map_err(|error| of_io(&error, &fresh))?;
        sync_folder(folder_of(&self.path));
        Ok(())
    }

    /// The name under which a whole new database waits to take the place of the damaged one.
    fn ready(&self) -> PathBuf {
        self.path.with_extension("rebuilt.db")
    }

    /// The name for a damaged one.
    fn dated_name(&self) -> PathBuf {
        let stamp = chrono::Local::now().format("%Y%m%d-%H%M%S%.3f");
        self.path.with_extension(format!("damaged-{stamp}.db"))
    }

    /// Sets the damaged file aside, under the name that the new one knows it by, and puts that in its place.
    fn swap(&mut self) -> Result<PathBuf> {
        let ready = self.ready();
        let named = reader(&ready)
            .and_then(|connection| replaced::last(&connection, &self.path).map_err(|error| of_sqlite(&error, &ready)));
        let is_free = |name: &PathBuf| !name.exists() || !self.path.exists();
        let named = named.ok().flatten().map(|last| last.old_file).filter(is_free);
        let aside = named.unwrap_or_else(|| self.dated_name());
        for suffix in SUFFIXES {
            let from = with_suffix(&self.path, suffix);
            if from.exists() {
                fs::rename(&from, with_suffix(&aside, suffix)).map_err(|error| of_io(&error, &from))?;
            }
        }
        fs::rename(&ready, &self.path).map_err(|error| of_io(&error, &ready))?;
        sync_folder(folder_of(&self.path));
        Ok(aside)
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Names of files reach the disk with their folder; systems without that notion need none.
fn sync_folder(folder: &Path) {
    if cfg!(unix) {
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
}

pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Only its owner may read it.
#[cfg(unix)]
pub fn private(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600);
}

#[cfg(not(unix))]
pub fn private(_options: &mut OpenOptions) {}

/// Opens or makes the database and looks at it.
fn connect(path: &Path) -> Result<Connection> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true);
    private(&mut options);
    let mut file = options.open(path).map_err(|error| of_io(&error, path))?;
    let mut head = [0; 16];
    let length = file.read(&mut head).map_err(|error| of_io(&error, path))?;
    drop(file);
    let has = |suffix| fs::metadata(with_suffix(path, suffix)).is_ok_and(|file| file.len() > 0);
    // With a journal of its making beside it, SQLite knows better.
    let is_other = length > 0 && head != *b"SQLite format 3\0" && !has("-journal");
    if is_other || length == 0 && has("-wal") {
        return Err(Error::new(Code::StoreDamaged, format!("{} is not a database", path.display())));
    }
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .map_err(|error| of_sqlite(&error, path))?;
    prepare(&connection, path)?;
    Ok(connection)
}

fn prepare(connection: &Connection, path: &Path) -> Result<()> {
    let of = |error: rusqlite::Error| of_sqlite(&error, path);
    connection.busy_timeout(Duration::from_secs(10)).map_err(of)?;
    let number =
        |pragma: &str| connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, i32>(0)).map_err(of);
    let tables: i32 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(of)?;
    let (application, version) = (number("application_id")?, number("user_version")?);
    if tables > 0 && application != APPLICATION {
        let message = format!("store.dir: {} is another program's database; give another folder", path.display());
        return Err(Error::new(Code::StoreForeign, message));
    }
    if version > VERSION {
        let message = format!(
            "store.dir: {} was written by a newer version of parklink (schema {version}, this one knows {VERSION}); update the library",
            path.display()
        );
        return Err(Error::new(Code::StoreNewer, message));
    }
    tune(connection).map_err(of)?;
    if tables == 0 || version < VERSION {
        make(connection, (tables > 0).then_some(version)).map_err(of)?;
    }
    // A torn page shows when it is read: touch every tree at both ends.
    for (table, _) in SALVAGED {
        let edges = format!(
            "SELECT count(*) FROM (SELECT * FROM {table} WHERE id = (SELECT min(id) FROM {table}) OR id = (SELECT max(id) FROM {table}))"
        );
        connection.query_row(&edges, [], |_| Ok(())).map_err(of)?;
    }
    // These are read at every opening; damage must show while the file can still be replaced.
    let listed = catch_up(connection).map_err(of)?;
    keys::Keys::default().reload(connection, listed).map_err(of)?;
    Counts::default().reload(connection, listed).map_err(of)
}

/// Rows that somebody put in by hand are read through once, not at every opening.
fn catch_up(connection: &Connection) -> rusqlite::Result<i64> {
    let mut ledger = Ledger::load(connection)?;
    if ledger.is_behind() {
        let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
        ledger.list(&transaction)?;
        transaction.commit()?;
    }
    Ok(ledger.listed)
}

/// Makes the tables, or brings those of an older version up to this one, in one transaction.
fn make(connection: &Connection, older: Option<i32>) -> rusqlite::Result<()> {
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    if older.is_some() {
        // What they say is counted anew.
        transaction.execute_batch("DROP TABLE count; DROP INDEX IF EXISTS record_in_line")?;
    }
    if older == Some(1) {
        let seconds: i64 = connection
            .query_row("SELECT value FROM meta WHERE name='seconds'", [], |row| row.get(0))
            .optional()?
            .unwrap_or(0);
        // Nobody knows when they were stored: their age counts from now. A default costs no rewriting of the backlog.
        let sql = format!("ALTER TABLE record ADD COLUMN stored INTEGER NOT NULL DEFAULT {seconds}");
        transaction.execute_batch(&sql)?;
    }
    transaction.execute_batch(include_str!("schema.sql"))?;
    if older == Some(1) {
        let last = transaction.query_row("SELECT ifnull(max(seq), 0) FROM sqlite_sequence", [], |row| row.get(0))?;
        desk::set(&transaction, "numbered", last)?;
        transaction.execute_batch("DROP INDEX record_of_key")?;
    }
    if older.is_some() {
        transaction.execute_batch("DELETE FROM key; DELETE FROM meta WHERE name = 'keyed'")?;
        Ledger::load(&transaction)?.list(&transaction)?;
    }
    transaction.execute_batch(&format!("PRAGMA application_id={APPLICATION}; PRAGMA user_version={VERSION};"))?;
    transaction.commit()
}

/// Every commit is on disk when it returns; the memory stays small whatever the backlog.
fn tune(connection: &Connection) -> rusqlite::Result<()> {
    // They count what others do.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    connection.set_prepared_statement_cache_capacity(64);
    keep_plans(connection)?;
    connection.execute_batch(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0; PRAGMA journal_size_limit=16777216;
         PRAGMA cache_size=-1024; PRAGMA temp_store=MEMORY; PRAGMA foreign_keys=OFF;",
    )
}

/// SQLite looks at some bound values when it plans (a LIMIT), and plans anew whenever they are bound. Ours are all alike.
fn keep_plans(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(|_| ())
}

/// A second connection, for reading.
pub fn reader(path: &Path) -> Result<Connection> {
    let of = |error: rusqlite::Error| of_sqlite(&error, path);
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .map_err(of)?;
    connection.busy_timeout(Duration::from_secs(10)).map_err(of)?;
    connection.execute_batch("PRAGMA cache_size=-512").and_then(|()| keep_plans(&connection)).map_err(of)?;
    Ok(connection)
}

/// The error that tells of damage found elsewhere.
pub fn damage(what: &str) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT), Some(what.to_owned()))
}

/// The error of a file.
pub fn of_io(error: &std::io::Error, path: &Path) -> Error {
    use std::io::ErrorKind;
    let path = path.display();
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Error::new(
            Code::StoreReadOnly,
            format!("store.dir: {path} cannot be written ({error}); give a folder that this user owns"),
        ),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            Error::new(Code::DiskFull, format!("store.dir: no room left for {path} ({error})"))
        }
        _ => Error::new(Code::Io, format!("store.dir: {path}: {error}")),
    }
}

fn is_shm_size(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE)
}

/// The error of the database.
pub fn of_sqlite(error: &rusqlite::Error, path: &Path) -> Error {
    let path = path.display();
    match error.sqlite_error_code() {
        // A value of a kind that was never written: the page is not what it was.
        None if matches!(
            error,
            rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::Utf8Error(..)
        ) =>
        {
            Error::new(Code::StoreDamaged, format!("{error}"))
        }
        // The file in shared memory could not be made larger.
        code if code == Some(ErrorCode::DiskFull) || is_shm_size(error) => {
            Error::new(Code::DiskFull, format!("no room left for {path}; free some space, nothing was acknowledged"))
        }
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => Error::new(
            Code::StoreReadOnly,
            format!("store.dir: {path} cannot be written ({error}); check owner and rights of folder and files"),
        ),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            Error::new(Code::StoreLocked, format!("{path} is held by another program ({error})"))
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            Error::new(Code::StoreDamaged, format!("{error}"))
        }
        _ => Error::new(Code::Io, format!("{path}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::StatementStatus;

    #[test]
    fn no_room_for_the_shared_memory_is_a_full_disk() {
        let failure = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR_SHMSIZE);
        let error = of_sqlite(&rusqlite::Error::SqliteFailure(failure, None), Path::new("x"));
        assert_eq!(error.code, Code::DiskFull);
    }

    #[test]
    fn a_statement_is_planned_once_whatever_is_bound() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(include_str!("schema.sql")).unwrap();
        keep_plans(&connection).unwrap();
        let sql =
            "SELECT id, class = 'log' FROM record WHERE id >= ?1 AND id < ?2 AND platform = ?3 ORDER BY id LIMIT ?4";
        let mut select = connection.prepare(sql).unwrap();
        for (id, platform) in [(1, "cloud"), (2, "bolink"), (3, "cloud")] {
            assert!(!select.exists((id, id + 9, platform, 7)).unwrap());
        }
        assert_eq!(select.get_status(StatementStatus::RePrepare), 0);
    }
}
