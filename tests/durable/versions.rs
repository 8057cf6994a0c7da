//! Stores of older versions of the schema.

use crate::support::{COUNTED, Folder, Platform, config, entry, look, number, open, texts};
use parklink::sdk::Sdk;
use rusqlite::Connection;
use serde_json::json;
use std::fs;
use std::time::Duration;

/// As version 1 wrote it: in its own words, not by this version's code.
fn version_1(folder: &Folder) {
    Connection::open(folder.store()).unwrap().execute_batch(include_str!("version_1.sql")).unwrap();
}

const INDEXES: &str = "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY name";
const COLUMNS: &str = "SELECT group_concat(name) FROM pragma_table_info('record')";

/// The records of the old store, and the new one.
fn all_arrive(sdk: &Sdk, platform: &Platform) {
    assert_eq!(sdk.flush(Duration::from_secs(20)).unwrap(), 0);
    let taken = platform.with(|desk| desk.taken());
    for (service, order) in [("inpark", "A1"), ("outpark", "A1"), ("inpark", "A2"), ("inpark", "NEW")] {
        assert!(taken.contains(&(service.into(), order.into())), "{service} {order}: {taken:?}");
    }
}

#[test]
fn a_store_of_version_1_is_brought_up_and_keeps_its_rows() {
    let (folder, fresh) = (Folder::new(), Folder::new());
    version_1(&folder);
    drop(open(&fresh.0, 1, json!({})));
    let platform = Platform::start();
    platform.down(true);
    let sdk = open(&folder.0, platform.port, json!({}));
    assert_eq!(number(&folder.store(), "PRAGMA user_version"), 3);
    for sql in [INDEXES, COLUMNS] {
        assert_eq!(texts(&look(&folder.store()), sql), texts(&look(&fresh.store()), sql), "as in a new one");
    }
    // Nobody knows when they were stored: by the store's clock it is now, not long ago.
    assert_eq!(number(&folder.store(), "SELECT count(*) FROM record WHERE stored = 5000"), 3);
    assert_eq!(sdk.status()["outbox"]["total"]["records"], 3);
    assert_eq!(sdk.dead(0, 9).unwrap()[0]["ticket"], 3);
    let event = sdk.poll(Duration::from_secs(5)).unwrap();
    assert_eq!((event.redelivered, event.data["trade_no"].as_str()), (true, Some("T1")));
    assert_eq!(sdk.submit(&entry("NEW").to_string()).unwrap(), 10, "numbers go on");
    platform.down(false);
    all_arrive(&sdk, &platform);
    sdk.close(Duration::from_secs(3)).unwrap();
    // Once is enough, and the next opening finds nothing to do.
    drop(open(&folder.0, 1, json!({})));
    assert_eq!(number(&folder.store(), "SELECT seq FROM sqlite_sequence"), 10);
}

#[test]
fn a_store_of_version_2_is_brought_up_and_keeps_its_rows() {
    let (folder, fresh) = (Folder::new(), Folder::new());
    Connection::open(folder.store()).unwrap().execute_batch(include_str!("version_2.sql")).unwrap();
    drop(open(&fresh.0, 1, json!({})));
    let platform = Platform::start();
    platform.down(true);
    let sdk = open(&folder.0, platform.port, json!({}));
    assert_eq!(number(&folder.store(), "PRAGMA user_version"), 3);
    for sql in [INDEXES, COLUMNS, "SELECT name FROM meta ORDER BY name"] {
        assert_eq!(texts(&look(&folder.store()), sql), texts(&look(&fresh.store()), sql), "as in a new one");
    }
    assert_eq!(number(&folder.store(), "SELECT count(*) FROM record WHERE stored = 4000"), 3);
    assert_eq!((number(&folder.store(), COUNTED), sdk.status()["outbox"]["total"]["records"].as_i64()), (3, Some(3)));
    assert_eq!(sdk.submit(&entry("NEW").to_string()).unwrap(), 4106, "numbers go on");
    platform.down(false);
    all_arrive(&sdk, &platform);
    sdk.close(Duration::from_secs(3)).unwrap();
}

#[test]
fn a_change_of_version_that_fails_leaves_the_old_one() {
    let folder = Folder::new();
    version_1(&folder);
    // In the way of the last index.
    let store = Connection::open(folder.store()).unwrap();
    store.execute_batch("CREATE TABLE event_finished (x)").unwrap();
    drop(store);
    Sdk::open(config(&folder.0, &json!({"bolink_addr": "127.0.0.1", "bport": 1}))).unwrap_err();
    assert_eq!(number(&folder.store(), "PRAGMA user_version"), 1);
    assert!(!texts(&look(&folder.store()), COLUMNS)[0].contains("stored"), "one transaction");
    assert_eq!(number(&folder.store(), "SELECT count(*) FROM record"), 3);
}

#[test]
fn a_damaged_store_of_version_1_is_taken_over_too() {
    let folder = Folder::new();
    version_1(&folder);
    // Its end is cut off.
    let length = fs::metadata(folder.store()).unwrap().len();
    fs::OpenOptions::new().write(true).open(folder.store()).unwrap().set_len(length - 4096).unwrap();
    let sdk = open(&folder.0, 1, json!({}));
    assert_eq!(number(&folder.store(), "SELECT count(*) FROM record WHERE stored = 5000"), 3);
    assert_eq!(number(&folder.store(), "PRAGMA user_version"), 3);
    drop(sdk);
}
