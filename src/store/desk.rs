//! What work inside a transaction has at hand: the connection, and the numbers of new records.

use super::keys::{self, Keyed, Keys};
use super::spans::{self, Changes, Count, Counts};
use rusqlite::{Connection, OptionalExtension};
use std::cell::{Cell, RefCell};
use std::ops::Deref;

/// What the writer knows of its file beside the rows. In memory it is exact; in the file it is a bound, written seldom.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ledger {
    /// The last number given to a record.
    pub last: i64,
    /// Numbers up to this one may have been given: none of them is given again.
    numbered: i64,
    /// Of records below this number the keys and the counts are in their tables.
    pub listed: i64,
    seconds: i64,
}

/// Numbers that are written down as given at a time. After a crash so many may be left out.
const RESERVED: i64 = 2 * spans::LENGTH;

impl Ledger {
    pub fn load(connection: &Connection) -> rusqlite::Result<Ledger> {
        let value = |name: &str| {
            let sql = "SELECT value FROM meta WHERE name = ?1";
            connection.query_row(sql, [name], |row| row.get(0)).optional().map(Option::unwrap_or_default)
        };
        let numbered = value("numbered")?;
        // Also of what somebody put in by hand.
        let greatest = "SELECT max(ifnull((SELECT max(id) FROM record), 0), ifnull((SELECT max(id) FROM dead), 0))";
        let last = connection.query_row(greatest, [], |row| row.get::<_, i64>(0))?.max(numbered);
        Ok(Ledger { last, numbered, listed: value("listed")?, seconds: value("seconds")? })
    }

    /// Whether there are spans that are over and are not in the tables.
    pub fn is_behind(&self) -> bool {
        spans::open_after(self.last) > self.listed
    }

    /// Reads through their records, which others put in, and writes the tables.
    pub fn list(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let end = spans::open_after(self.last);
        keys::list(connection, self.listed..end)?;
        spans::list(connection, self.listed..end)?;
        self.listed = end;
        set(connection, "listed", end)
    }

    /// Nothing more is written: the next opening goes on with the very next number.
    pub fn close(&self, connection: &Connection) -> rusqlite::Result<()> {
        if self.last == self.numbered { Ok(()) } else { set(connection, "numbered", self.last) }
    }
}

/// Writes a number down.
pub fn set(connection: &Connection, name: &str, value: i64) -> rusqlite::Result<()> {
    let sql = "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2";
    connection.prepare_cached(sql)?.execute((name, value)).map(|_| ())
}

/// The desk.
pub struct Desk<'a> {
    connection: &'a Connection,
    keys: &'a Keys,
    counts: &'a Counts,
    ledger: Cell<Ledger>,
    keyed: RefCell<Vec<Keyed>>,
    changes: RefCell<Changes>,
}

impl Deref for Desk<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

impl<'a> Desk<'a> {
    pub fn new(connection: &'a Connection, keys: &'a Keys, counts: &'a Counts, ledger: Ledger) -> Desk<'a> {
        let ledger = Cell::new(ledger);
        Desk { connection, keys, counts, ledger, keyed: RefCell::default(), changes: RefCell::default() }
    }

    /// The number of the next record, whose order key this is.
    pub fn number(&self, platform: &str, order_key: Option<&str>) -> i64 {
        let mut ledger = self.ledger.get();
        ledger.last += 1;
        self.ledger.set(ledger);
        if let Some(key) = order_key {
            self.keyed.borrow_mut().push(Keyed::new(platform, key, ledger.last));
        }
        ledger.last
    }

    /// A record of this number came, went, or has other data.
    pub fn count(&self, platform: &str, id: i64, by: Count) {
        self.changes.borrow_mut().add(platform, id, by);
    }

    /// Dead letters came or went.
    pub fn count_dead(&self, by: i64) {
        self.changes.borrow_mut().add_dead(by);
    }

    /// The last before the commit: writes down what is due. What has changed counts when it is on disk.
    pub fn finish(self, seconds: i64) -> rusqlite::Result<(Ledger, Changes)> {
        let mut ledger = self.ledger.get();
        self.keys.add(&self.keyed.borrow());
        if ledger.last > ledger.numbered {
            ledger.numbered = ledger.last + RESERVED;
            set(&self, "numbered", ledger.numbered)?;
        }
        let changes = self.changes.take();
        changes.write(&self, ledger.listed)?;
        if ledger.is_behind() {
            let end = spans::open_after(ledger.last);
            self.keys.list(&self, end)?;
            keys::sweep(&self)?;
            self.counts.list(&self, ledger.listed..end, &changes)?;
            ledger.listed = end;
            set(&self, "listed", end)?;
        }
        if ledger.seconds != seconds {
            ledger.seconds = seconds;
            set(&self, "seconds", seconds)?;
        }
        Ok((ledger, changes))
    }
}
