//! The limit by age: logs are dropped, everything else becomes a dead letter, and no clock but the store's own counts.

use crate::outbox::reports;
use crate::support::{COUNTED, Folder, Platform, entry, exit, number, open, until};
use parklink::sdk::Sdk;
use rusqlite::Connection;
use serde_json::{Value, json};
use std::time::Duration;

const DAY: i64 = 86_400;

fn log(at: usize) -> String {
    json!({"service_name": "park_log", "data_target": "cloud", "log_id": at.to_string(), "content": "x",
        "operate_time": 1, "user_id": "1"})
    .to_string()
}

/// The store's own running time goes on, as if it had been open so long.
fn pass(folder: &Folder, days: i64) {
    let store = Connection::open(folder.store()).unwrap();
    store.execute("UPDATE meta SET value = value + ?1 WHERE name = 'seconds'", [days * DAY]).unwrap();
}

/// Both platforms, the cloud out of reach.
fn both(folder: &Folder, platform: &Platform, days: i64) -> Sdk {
    let more = json!({"cloud_addr": "127.0.0.1", "cport": 1, "ckey": "k", "store": {"max_age_days": days}});
    open(&folder.0, platform.port, more)
}

/// Orders and logs that nobody takes.
fn filled(folder: &Folder, platform: &Platform, orders: usize, logs: usize) {
    let sdk = both(folder, platform, 365);
    for at in 0..orders {
        sdk.submit(&entry(&format!("A{at}")).to_string()).unwrap();
        sdk.submit(&exit(&format!("A{at}")).to_string()).unwrap();
    }
    for at in 0..logs {
        sdk.submit(&log(at)).unwrap();
    }
    sdk.close(Duration::from_secs(3)).unwrap();
}

fn waiting(folder: &Folder) -> i64 {
    number(&folder.store(), "SELECT count(*) FROM record")
}

#[test]
fn what_waits_too_long_is_dropped_or_a_dead_letter_also_while_the_link_is_down() {
    const ORDERS: usize = 100;
    const LOGS: usize = 300;
    let (folder, platform) = (Folder::new(), Platform::start());
    platform.down(true);
    filled(&folder, &platform, ORDERS, LOGS);
    // Each entry and exit goes to both.
    assert_eq!(waiting(&folder), (ORDERS * 4 + LOGS) as i64);
    pass(&folder, 364);
    let sdk = both(&folder, &platform, 365);
    sdk.submit(&entry("YOUNG").to_string()).unwrap();
    sdk.submit(&log(9999)).unwrap();
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(waiting(&folder), (ORDERS * 4 + LOGS + 3) as i64, "a day too young");
    sdk.close(Duration::from_secs(3)).unwrap();

    pass(&folder, 2);
    let sdk = both(&folder, &platform, 365);
    let reports = reports(&sdk);
    // One record of each link is in the hands of its lane, and is judged when its turn comes.
    let lanes = 4 + 1;
    until("the old ones are gone", || waiting(&folder) <= lanes + 3);
    assert!(waiting(&folder) >= 3, "the young ones stay");
    platform.down(false);
    until("its turn", || number(&folder.store(), "SELECT count(*) FROM record WHERE platform = 'bolink'") == 0);
    let reports = reports.lock().unwrap().clone();
    let count = |outcome: &str, platform: &str| {
        let is_so = |report: &&Value| report["outcome"] == outcome && report["platform"] == platform;
        reports.iter().filter(is_so).count()
    };
    // Only what the cloud's lane holds is not told of yet: it is out of reach.
    assert_eq!(count("dead", "bolink"), ORDERS * 2);
    assert_eq!(count("delivered", "bolink"), 1);
    assert!((ORDERS * 2 - 1..=ORDERS * 2).contains(&count("dead", "cloud")));
    assert!((LOGS - 1..=LOGS).contains(&count("dropped", "cloud")));
    for report in reports.iter().filter(|report| report["outcome"] != "delivered") {
        assert_eq!(report["code"], "expired");
        assert!(report["message"].as_str().unwrap().contains("store.max_age_days"), "{report}");
        assert_eq!(report["outcome"] == "dropped", report["service_name"] == "park_log");
    }
    assert_eq!(platform.with(|desk| desk.taken()), [("inpark".to_owned(), "YOUNG".to_owned())], "nothing old is sent");
    // No money is lost: it can be looked at, exported and sent after all.
    let letters = sdk.dead(0, 1000).unwrap();
    assert!(letters.as_array().unwrap().iter().all(|letter| letter["code"] == "expired"));
    assert_eq!(letters[0]["attempts"], 0, "it was never tried");
    assert_eq!(number(&folder.store(), "SELECT count(*) FROM dead WHERE platform = 'bolink'"), ORDERS as i64 * 2);
    assert_eq!(number(&folder.store(), "SELECT count(*) FROM dead WHERE class = 'log'"), 0);
    assert_eq!(sdk.status()["outbox"]["total"]["records"], number(&folder.store(), COUNTED));
    sdk.retry_dead(None).unwrap();
    platform.until("all of them", |desk| desk.taken().len() == ORDERS * 2 + 1);
}

#[test]
fn with_no_limit_nothing_is_too_old() {
    let (folder, platform) = (Folder::new(), Platform::start());
    platform.down(true);
    filled(&folder, &platform, 2, 2);
    pass(&folder, 30_000);
    platform.down(false);
    let sdk = both(&folder, &platform, 0);
    platform.until("they are sent", |desk| desk.taken().len() == 4);
    assert_eq!(number(&folder.store(), "SELECT count(*) FROM dead"), 0);
    drop(sdk);
}

#[test]
fn what_comes_to_its_turn_too_late_is_not_sent() {
    let (folder, platform) = (Folder::new(), Platform::start());
    platform.down(true);
    filled(&folder, &platform, 30, 0);
    pass(&folder, 366);
    platform.down(false);
    let sdk = both(&folder, &platform, 365);
    sdk.submit(&entry("YOUNG").to_string()).unwrap();
    platform.until("the young one", |desk| !desk.taken().is_empty());
    until("all is judged", || number(&folder.store(), "SELECT count(*) FROM record WHERE platform = 'bolink'") == 0);
    assert_eq!(platform.with(|desk| desk.taken()), [("inpark".to_owned(), "YOUNG".to_owned())]);
    assert_eq!(number(&folder.store(), "SELECT count(*) FROM dead WHERE platform = 'bolink'"), 60);
    drop(sdk);
}
