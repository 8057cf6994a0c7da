//! What closing, and failing to open, leave behind.

use crate::http_support::Server;
use crate::support::{Folder, Platform, config, entry, number, open, until};
use parklink::error::Code;
use parklink::sdk::Sdk;
use serde_json::json;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn after_an_opening_that_failed_the_folder_is_free() {
    let folder = Folder::new();
    let wrong = json!({"bolink_addr": "127.0.0.1", "bport": 1, "http": {"ca_file": "/no/such/file.pem"}});
    for _ in 0..10 {
        assert_ne!(Sdk::open(config(&folder.0, &wrong)).unwrap_err().code, Code::StoreLocked);
        open(&folder.0, 1, json!({})).close(Duration::from_secs(5)).unwrap();
    }
}

#[test]
fn a_flush_that_a_close_ends_says_so() {
    let folder = Folder::new();
    let sdk = Arc::new(open(&folder.0, 1, json!({})));
    sdk.submit(&entry("A1").to_string()).unwrap();
    let (other, (asked, told)) = (sdk.clone(), channel());
    thread::spawn(move || asked.send(other.flush(Duration::from_secs(30))));
    thread::sleep(Duration::from_millis(100));
    sdk.close(Duration::from_secs(5)).unwrap();
    let outcome = told.recv_timeout(Duration::from_secs(5)).unwrap();
    assert_eq!(outcome.unwrap_err().code, Code::Closed);
}

#[test]
fn a_file_on_its_way_does_not_outlive_the_handle() {
    let folder = Folder::new();
    let file = folder.0.join("today.log");
    std::fs::write(&file, "text").unwrap();
    let (came, taken) = channel();
    let server = Server::start(move |mut asked| {
        // Nothing is answered.
        let _ = asked.read();
        came.send(()).unwrap();
        thread::sleep(Duration::from_secs(20));
    });
    let more = json!({"files": {"dir": folder.0, "hosts": "127.0.0.1"}, "bolink": {"request_timeout_ms": 15_000}});
    let sdk = Arc::new(open(&folder.0, 1, more));
    let record = json!({"service_name": "upload_file", "park_id": "21782", "filepath": file, "url": server.url("/up"),
        "request_no": "1", "file_name": "today.log"});
    let (other, (asked, told)) = (sdk.clone(), channel());
    thread::spawn(move || asked.send(other.upload(&record.to_string())));
    let is_sent = taken.recv_timeout(Duration::from_secs(5)).is_ok();
    assert!(is_sent, "{:?}", told.try_recv());
    let begun = Instant::now();
    sdk.close(Duration::from_secs(5)).unwrap();
    let outcome = told.recv_timeout(Duration::from_secs(10)).unwrap();
    assert_eq!(outcome.error.unwrap().code, Code::Closed);
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}

/// Numbers beyond those that a store can hold, and letters put in by hand.
#[test]
fn dead_letters_are_listed_to_their_end() {
    let (folder, platform) = (Folder::new(), Platform::start());
    let sdk = open(&folder.0, platform.port, json!({}));
    sdk.close(Duration::from_secs(5)).unwrap();
    let store = rusqlite::Connection::open(folder.store()).unwrap();
    for id in [-7, 3] {
        let sql =
            "INSERT INTO dead VALUES (?1, ?1, 'bolink', NULL, 'x', NULL, 'record', '{}', 0, 0, 0, 'refused', '', NULL)";
        store.execute(sql, [id]).unwrap();
    }
    drop(store);
    assert_eq!(number(&folder.store(), "SELECT count(*) FROM dead"), 2);
    let sdk = Arc::new(open(&folder.0, platform.port, json!({})));
    for after in [3, i64::MAX as u64, i64::MAX as u64 + 1, u64::MAX] {
        assert_eq!(sdk.dead(after, 10).unwrap().to_string(), "[]", "{after}");
    }
    let (other, path, (asked, told)) = (sdk.clone(), folder.0.join("dead.jsonl"), channel());
    thread::spawn(move || asked.send(other.export_dead(&path)));
    let count = told.recv_timeout(Duration::from_secs(5)).expect("it ends");
    assert_eq!(count.unwrap(), 1);
    until("it is closed", || sdk.close(Duration::from_secs(5)).is_err());
}
