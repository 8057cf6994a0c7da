//! Opening the store's file: locked against other processes, owned by us, readable by us; a damaged one is set aside.

use crate::error::{Code, Error, Result};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Marks the file as ours: "PKLK".
const APPLICATION: i32 = 0x504b_4c4b;

/// The version of the schema.
const VERSION: i32 = 1;

/// Tables that are salvaged from a damaged store, and their columns.
const SALVAGED: [(&str, &str); 3] = [
    ("record", "id,ticket,platform,interface,service,order_key,class,data,created,attempts,last_error"),
    ("dead", "id,ticket,platform,interface,service,order_key,class,data,created,attempts,died,code,message,reply"),
    ("event", "id,repeat_key,content,platform,service,message,received,seen,answer,answered,delivered"),
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

impl StoreFile {
    /// Locks the file, makes sure it is a good one.
    pub fn open(path: &Path) -> Result<(StoreFile, Connection)> {
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(|error| of_io(&error, folder))?;
        let lock = lock(path)?;
        let mut file = StoreFile { path: path.to_owned(), set_aside: None, _lock: lock };
        let connection = match connect(path) {
            Err(error) if error.code == Code::StoreDamaged => file.replace(&error.message)?,
            other => other?,
        };
        Ok((file, connection))
    }

    /// Sets the damaged file aside, opens a new one, and takes over what can still be read.
    pub fn replace(&mut self, why: &str) -> Result<Connection> {
        let stamp = chrono::Local::now().format("%Y%m%d-%H%M%S%.3f");
        let aside = self.path.with_extension(format!("damaged-{stamp}.db"));
        for suffix in ["", "-wal", "-shm"] {
            let from = with_suffix(&self.path, suffix);
            if from.exists() {
                fs::rename(&from, with_suffix(&aside, suffix)).map_err(|error| of_io(&error, &from))?;
            }
        }
        let connection = connect(&self.path)?;
        let saved = salvage(&connection, &aside);
        self.set_aside =
            Some(format!("the store was damaged ({why}): set aside as {}, {saved} rows taken over", aside.display()));
        Ok(connection)
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
    if length > 0 && head != *b"SQLite format 3\0" {
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
    if tables == 0 {
        let script = format!(
            "BEGIN IMMEDIATE; PRAGMA application_id={APPLICATION}; PRAGMA user_version={VERSION};\n{}\nCOMMIT;",
            include_str!("schema.sql")
        );
        connection.execute_batch(&script).map_err(of)?;
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

/// Every commit is on disk when it returns; the memory stays small whatever the backlog.
fn tune(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=2000; PRAGMA journal_size_limit=16777216;
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

/// Copies what can be read of a damaged store, from both ends of each table.
fn salvage(connection: &Connection, aside: &Path) -> u64 {
    let Ok(old) = Connection::open_with_flags(aside, OpenFlags::SQLITE_OPEN_READ_WRITE) else { return 0 };
    let mut saved = 0;
    for (table, columns) in SALVAGED {
        for order in ["ASC", "DESC"] {
            saved += copy(&old, connection, table, columns, order).unwrap_or(0);
        }
    }
    let _ = connection.execute_batch(
        "DELETE FROM count; INSERT INTO count SELECT platform, count(*), sum(length(CAST(data AS BLOB))) FROM record GROUP BY platform;",
    );
    saved
}

fn copy(old: &Connection, new: &Connection, table: &str, columns: &str, order: &str) -> rusqlite::Result<u64> {
    let count = columns.split(',').count();
    let marks = vec!["?"; count].join(",");
    let mut insert = new.prepare(&format!("INSERT OR IGNORE INTO {table} ({columns}) VALUES ({marks})"))?;
    let mut select = old.prepare(&format!("SELECT {columns} FROM {table} ORDER BY id {order}"))?;
    let mut rows = select.query([])?;
    let mut saved = 0;
    new.execute_batch("BEGIN")?;
    // An error is the end of what can be read from this side.
    while let Ok(Some(row)) = rows.next() {
        let values: rusqlite::Result<Vec<rusqlite::types::Value>> = (0..count).map(|at| row.get(at)).collect();
        let Ok(values) = values else { break };
        match insert.execute(rusqlite::params_from_iter(values)) {
            Ok(0) => break,
            Ok(_) => saved += 1,
            Err(_) => continue,
        }
    }
    new.execute_batch("COMMIT")?;
    Ok(saved)
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
