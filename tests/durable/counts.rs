//! How many records wait, and where: after a crash, after somebody changed records by hand, in spans that are mixed.

use crate::support::{COUNTED, Folder, entry, look, number, open as open_lot, texts};
use parklink::error::Code;
use parklink::log::{Level, Log};
use parklink::store::{NewRecord, Settled, Store};
use rusqlite::Connection;
use serde_json::json;
use std::sync::{Arc, Barrier, mpsc};
use std::thread;

fn open(folder: &Folder) -> Arc<Store> {
    Store::open(&folder.store(), Arc::new(Log::new(Level::Error))).unwrap()
}

fn record(platform: &'static str, at: u64) -> NewRecord {
    NewRecord {
        platform,
        interface: None,
        service: "in_park".to_owned(),
        order_key: Some(format!("order_id={at}")),
        class: "record",
        data: format!("{{\"at\":{at}}}"),
        attempts: 0,
    }
}

/// Puts many in at once, by hand.
fn fill(folder: &Folder, platform: &str, numbers: std::ops::Range<i64>) {
    let rows = format!(
        "WITH RECURSIVE many(n) AS (SELECT {} UNION ALL SELECT n + 1 FROM many WHERE n < {} - 1)
         INSERT INTO record (id, ticket, platform, service, order_key, class, data, created)
         SELECT n, n, '{platform}', 'in_park', 'order_id=' || n, 'record', '{{\"at\":' || n || '}}', 1 FROM many",
        numbers.start, numbers.end
    );
    Connection::open(folder.store()).unwrap().execute_batch(&rows).unwrap();
}

/// What the store says waits is what its file holds, and all of it comes out in order.
fn check(store: &Arc<Store>) {
    for platform in ["cloud", "bolink", "union"] {
        let sql = |what: &str| format!("SELECT {what} FROM record WHERE platform = '{platform}'");
        let rows = number(store.path(), &sql("count(*)"));
        let bytes = number(store.path(), &sql("ifnull(sum(length(CAST(data AS BLOB))), 0)"));
        assert_eq!((store.count(platform).records, store.count(platform).bytes), (rows, bytes), "{platform}");
        let (reader, mut last, mut found) = (store.reader().unwrap(), 0, 0);
        loop {
            let some = reader.records_after(platform, last, 100).unwrap();
            assert!(some.is_sorted_by_key(|record| record.id), "oldest first");
            let Some(end) = some.last() else { break };
            assert!(some[0].id > last);
            let keys = || some.iter().filter_map(|record| record.order_key.as_deref());
            assert!(keys().all(|key| store.may_hold(platform, key)), "a live one would overtake");
            (last, found) = (end.id, found + some.len() as i64);
        }
        assert_eq!(found, rows, "{platform}");
        assert!(rows > 0 || !store.may_hold(platform, "order_id=never"), "nothing to wait behind");
        let oldest = number(store.path(), &sql("ifnull(min(created), 0)"));
        assert_eq!(reader.oldest(platform).unwrap().is_some(), rows > 0, "{oldest}");
    }
    assert_eq!(number(store.path(), COUNTED), store.total().records);
}

fn settle_all(store: &Arc<Store>, platform: &'static str, most: i64) {
    let records = store.reader().unwrap().records_after(platform, 0, most).unwrap();
    let (told, heard) = mpsc::channel();
    let settled = records.into_iter().map(|record| (record, Settled::Delivered)).collect();
    store.settle(platform, settled, false, move |outcome| told.send(outcome).unwrap()).unwrap();
    heard.recv().unwrap().unwrap();
}

#[test]
fn records_come_and_go_in_mixed_spans() {
    let folder = Folder::new();
    drop(open(&folder));
    fill(&folder, "bolink", 1..6000);
    let store = open(&folder);
    check(&store);
    // A few of another link, in and after the spans that are counted in the file.
    for at in 0..300 {
        store.submit(vec![record("cloud", at), record("union", at)]).unwrap();
    }
    check(&store);
    settle_all(&store, "bolink", 3000);
    settle_all(&store, "union", 299);
    check(&store);
    for at in 300..2500 {
        store.submit(vec![record("cloud", at)]).unwrap();
    }
    settle_all(&store, "cloud", 1000);
    check(&store);
    store.close();
    let store = open(&folder);
    check(&store);
    settle_all(&store, "bolink", 9000);
    settle_all(&store, "cloud", 9000);
    settle_all(&store, "union", 9000);
    check(&store);
    assert_eq!(number(&folder.store(), "SELECT count(*) FROM count"), 0, "nothing is left of spans that are done");
    store.submit(vec![record("cloud", 7)]).unwrap();
    assert!(store.may_hold("cloud", "order_id=7") && !store.may_hold("cloud", "order_id=8"));
}

#[test]
fn what_somebody_changes_by_hand_is_counted_and_sent() {
    let folder = Folder::new();
    drop(open(&folder));
    fill(&folder, "bolink", 1..9000);
    let store = open(&folder);
    store.close();
    assert!(number(&folder.store(), "SELECT value FROM meta WHERE name = 'listed'") > 8000, "counted already");
    let by_hand = Connection::open(folder.store()).unwrap();
    by_hand
        .execute_batch(
            "DELETE FROM record WHERE id BETWEEN 2048 AND 5000 OR id = 7;
             UPDATE record SET platform = 'cloud', data = '{}' WHERE id = 6500;
             INSERT INTO record (id, ticket, platform, service, class, data, created)
             VALUES (7, 7, 'cloud', 'in_park', 'record', '{\"at\":7}', 1), (3000, 3000, 'union', 'in_park', 'record', '{}', 1);",
        )
        .unwrap();
    drop(by_hand);
    let store = open(&folder);
    assert_eq!((store.count("cloud").records, store.count("union").records), (2, 1));
    check(&store);
}

/// What others are just storing counts too: never one too many, and none too few.
#[test]
fn submits_at_the_same_time_keep_to_the_limit() {
    let folder = Folder::new();
    let sdk = open_lot(&folder.0, 1, json!({"store": {"max_records": 100}}));
    let start = Barrier::new(16);
    let (sdk, start) = (&sdk, &start);
    let submit = move |thread: usize| {
        start.wait();
        let mut stored = Vec::new();
        for at in 0..20 {
            let order = format!("{thread}-{at}");
            match sdk.submit(&entry(&order).to_string()) {
                Ok(ticket) => stored.push(format!("{ticket} order_id={order}")),
                Err(error) => assert_eq!(error.code, Code::OutboxFull, "{error}"),
            }
        }
        stored
    };
    let mut stored: Vec<String> = thread::scope(|scope| {
        let threads: Vec<_> = (0..16).map(|thread| scope.spawn(move || submit(thread))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!((stored.len(), sdk.status()["outbox"]["total"]["records"].as_u64()), (100, Some(100)));
    let mut found = texts(&look(&folder.store()), "SELECT ticket || ' ' || order_key FROM record");
    stored.sort();
    found.sort();
    assert_eq!(stored, found);
}
