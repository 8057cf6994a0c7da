//! Opening the store's file: locked against other processes, owned by us, readable by us; a damaged one is set aside.

use super::{desk, keys};
use crate::error::{Code, Error, Result};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Transaction, TransactionBehavior};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Marks the file as ours: "PKLK".
const APPLICATION: i32 = 0x504b_4c4b;

/// The version of the schema.
const VERSION: i32 = 2;

/// Tables that are salvaged from a damaged store, and their columns.
const SALVAGED: [(&str, &str); 4] = [
    ("record", "id,ticket,platform,interface,service,order_key,class,data,created,attempts,last_error,stored"),
    ("dead", "id,ticket,platform,interface,service,order_key,class,data,created,attempts,died,code,message,reply"),
    ("event", "id,repeat_key,content,platform,service,message,received,seen,answer,answered,delivered"),
    ("replaced", "id,at,why,old_file,rows,told"),
];

/// The file of an open store, and the lock on it.
#[derive(Debug)]
pub struct StoreFile {
    /// Where it is.
    pub path: PathBuf,
    /// What happened to a damaged predecessor, for the software to be told.
    pub set_aside: Option<String>,
    _lock: File,
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
        let lock = lock(path)?;
        let mut file = StoreFile { path: path.to_owned(), set_aside: None, _lock: lock };
        let connection = file.attach()?;
        Ok((file, connection))
    }

    /// Opens the database; one that is damaged is replaced first.
    pub fn attach(&mut self) -> Result<Connection> {
        if self.ready().exists() {
            self.swap()?;
        }
        match connect(&self.path) {
            Err(error) if error.code == Code::StoreDamaged => {
                self.rebuild(&error.message)?;
                self.swap()?;
                connect(&self.path)
            }
            other => other,
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
        let saved = salvage(&connection, &self.path).map_err(of)?;
        // One whole file, without a journal beside it.
        connection.query_row("PRAGMA journal_mode=DELETE", [], |_| Ok(())).map_err(of)?;
        connection.close().map_err(|(_, error)| of(error))?;
        fs::rename(&fresh, self.ready()).map_err(|error| of_io(&error, &fresh))?;
        sync_folder(folder_of(&self.path));
        self.set_aside = Some(format!("it was damaged ({why}), {saved} rows were taken over"));
        Ok(())
    }

    /// The name under which a whole new database waits to take the place of the damaged one.
    fn ready(&self) -> PathBuf {
        self.path.with_extension("rebuilt.db")
    }

    /// Sets the damaged file aside under a dated name and puts the new one in its place.
    fn swap(&mut self) -> Result<()> {
        let stamp = chrono::Local::now().format("%Y%m%d-%H%M%S%.3f");
        let aside = self.path.with_extension(format!("damaged-{stamp}.db"));
        for suffix in SUFFIXES {
            let from = with_suffix(&self.path, suffix);
            if from.exists() {
                fs::rename(&from, with_suffix(&aside, suffix)).map_err(|error| of_io(&error, &from))?;
            }
        }
        let ready = self.ready();
        fs::rename(&ready, &self.path).map_err(|error| of_io(&error, &ready))?;
        sync_folder(folder_of(&self.path));
        let what = self.set_aside.take().unwrap_or_else(|| "it was damaged".to_owned());
        self.set_aside = Some(format!("{what}; the old file is {}", aside.display()));
        Ok(())
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

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn lock(path: &Path) -> Result<File> {
    let name = with_suffix(path, ".lock");
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true);
    private(&mut options);
    let mut file = options.open(&name).map_err(|error| of_io(&error, &name))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder);
            let message = format!(
                "store.dir: {} is open in another process or handle ({}); give each its own folder",
                path.display(),
                holder.trim()
            );
            return Err(Error::new(Code::StoreLocked, message));
        }
        Err(TryLockError::Error(error)) => return Err(of_io(&error, &name)),
    }
    // For people only: who holds it.
    let _ = file.set_len(0);
    let _ = write!(file, "process {}", std::process::id());
    Ok(file)
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600);
}

#[cfg(not(unix))]
fn private(_options: &mut OpenOptions) {}

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
    connection
        .query_row("SELECT sum(records), (SELECT value FROM meta WHERE name='seconds') FROM count", [], |_| Ok(()))
        .map_err(of)?;
    Ok(())
}

/// Makes the tables, or brings those of an older version up to this one, in one transaction.
fn make(connection: &Connection, older: Option<i32>) -> rusqlite::Result<()> {
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
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
        let keyed = keys::rebuild(&transaction)?;
        desk::set(&transaction, "keyed", keyed)?;
    }
    transaction.execute_batch(&format!("PRAGMA application_id={APPLICATION}; PRAGMA user_version={VERSION};"))?;
    transaction.commit()
}

/// Every commit is on disk when it returns; the memory stays small whatever the backlog.
fn tune(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0; PRAGMA journal_size_limit=16777216;
         PRAGMA cache_size=-1024; PRAGMA temp_store=MEMORY; PRAGMA foreign_keys=OFF;",
    )
}

/// A second connection, for reading.
pub fn reader(path: &Path) -> Result<Connection> {
    let of = |error: rusqlite::Error| of_sqlite(&error, path);
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .map_err(of)?;
    connection.busy_timeout(Duration::from_secs(10)).map_err(of)?;
    connection.execute_batch("PRAGMA cache_size=-512").map_err(of)?;
    Ok(connection)
}

/// Copies what can be read of a damaged store. Errors are those of the new one.
fn salvage(connection: &Connection, damaged: &Path) -> rusqlite::Result<u64> {
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
            saved += copy(old, connection, table, columns, seconds.unwrap_or(0))?;
        }
    }
    // No number is given twice: the software has the old ones.
    let given = ["SELECT value FROM meta NOT INDEXED WHERE name='numbered'", "SELECT max(seq) FROM sqlite_sequence"];
    let last = given.into_iter().filter_map(number).max().unwrap_or_else(super::now_ms);
    let keyed = keys::rebuild(connection)?;
    // Nothing that was taken over is younger than now.
    let latest = "SELECT max(ifnull((SELECT max(stored) FROM record), 0), ifnull((SELECT max(seen) FROM event), 0))";
    let latest: i64 = connection.query_row(latest, [], |row| row.get(0))?;
    let seconds = seconds.unwrap_or(0).max(latest);
    connection.execute_batch(&format!(
        "DELETE FROM count;
         INSERT INTO count SELECT platform, count(*), sum(length(CAST(data AS BLOB))) FROM record GROUP BY platform;
         UPDATE meta SET value = {seconds} WHERE name='seconds';
         UPDATE meta SET value = {keyed} WHERE name='keyed';
         UPDATE meta SET value = max({last}, ifnull((SELECT max(id) FROM record), 0), ifnull((SELECT max(id) FROM dead), 0))
           WHERE name='numbered';
         COMMIT;"
    ))?;
    Ok(saved)
}

/// Rows that cannot be read in a row after which a table is given up.
const BLIND: u32 = 20_000;

/// Copies the rows of a table from both ends, and what can be found between the damaged places.
fn copy(old: &Connection, new: &Connection, table: &str, columns: &str, seconds: i64) -> rusqlite::Result<u64> {
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
        let values: rusqlite::Result<Vec<rusqlite::types::Value>> = (0..count).map(|at| row.get(at)).collect();
        let Ok(values) = values else { return Ok(None) };
        let rusqlite::types::Value::Integer(id) = values[0] else { return Ok(None) };
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
                saved += u64::from(is_new);
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
                        saved += u64::from(is_new);
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

/// The error of the database.
pub fn of_sqlite(error: &rusqlite::Error, path: &Path) -> Error {
    let path = path.display();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => {
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
