//! What work inside a transaction has at hand: the connection, and the numbers of new records.

use super::keys::{self, Keyed, Keys, RUN};
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
    /// The order keys of records up to this one are in their table.
    pub keyed: i64,
    seconds: i64,
}

/// Numbers that are written down as given at a time. After a crash so many may be left out.
const RESERVED: i64 = 2 * RUN;

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
        Ok(Ledger { last, numbered, keyed: value("keyed")?, seconds: value("seconds")? })
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
    ledger: Cell<Ledger>,
    keyed: RefCell<Vec<Keyed>>,
}

impl Deref for Desk<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

impl<'a> Desk<'a> {
    pub fn new(connection: &'a Connection, keys: &'a Keys, ledger: Ledger) -> Desk<'a> {
        Desk { connection, keys, ledger: Cell::new(ledger), keyed: RefCell::default() }
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

    /// The last before the commit: writes down what is due.
    pub fn finish(&self, seconds: i64) -> rusqlite::Result<Ledger> {
        let mut ledger = self.ledger.get();
        self.keys.add(&self.keyed.borrow());
        if ledger.last > ledger.numbered {
            ledger.numbered = ledger.last + RESERVED;
            set(self, "numbered", ledger.numbered)?;
        }
        if ledger.last - ledger.keyed >= RUN {
            self.keys.write(self)?;
            keys::sweep(self)?;
            ledger.keyed = ledger.last;
            set(self, "keyed", ledger.keyed)?;
        }
        if ledger.seconds != seconds {
            ledger.seconds = seconds;
            set(self, "seconds", seconds)?;
        }
        Ok(ledger)
    }
}
