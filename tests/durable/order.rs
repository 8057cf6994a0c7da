//! Order under failures of every kind, and a backlog that costs nothing.

use crate::support::{Act, Dice, Folder, Platform, entry, exit, open, setting, store_of};
use parklink::log::{Level, Log};
use parklink::sdk::Sdk;
use parklink::store::Store;
use rusqlite::Connection;
use serde_json::json;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

#[test]
fn records_of_an_order_stay_in_order_whatever_fails() {
    let is_long = setting("RIG_LONG", 0) == 1;
    let (records, orders) = if is_long { (100_000u64, 1000) } else { (3000, 100) };
    let folder = Folder::new();
    let platform = Platform::start();
    let mut dice = Dice::seeded();
    let seed = dice.0;
    // By order: what was taken last, and whether that was answered.
    let seen: Arc<Mutex<HashMap<String, u64>>> = Arc::default();
    let faults = Arc::new(Mutex::new((0u64, 0u64, Vec::new())));
    let (inside, counted) = (seen.clone(), faults.clone());
    platform.judge(move |upload| {
        let act = match dice.below(20) {
            0 => match dice.below(9) {
                0 => Act::Lose,
                1 => Act::TakeAndLose,
                2 => Act::Status(500, None),
                3 => Act::Status(502, None),
                4 => Act::Status(503, None),
                5 => Act::Status(429, None),
                6 => Act::Status(408, None),
                7 => Act::Hang(30),
                _ => Act::DeadToken,
            },
            _ => Act::Yes,
        };
        let mut counted = counted.lock().unwrap();
        counted.0 += u64::from(!matches!(act, Act::Yes));
        if matches!(act, Act::Yes | Act::TakeAndLose) {
            let number = upload.data["empty_plot"].as_u64().unwrap();
            let last = inside.lock().unwrap().insert(upload.order().to_owned(), number);
            match last {
                // The same again after a lost answer.
                Some(last) if last == number => counted.1 += 1,
                None if number == 0 => {}
                Some(last) if last + 1 == number => {}
                other => counted.2.push((upload.order().to_owned(), other, number)),
            }
        }
        act
    });
    platform.down(true);
    let sdk = open(&folder.0, platform.port, json!({"outbox": {"lanes": 8, "attempts": 100}}));
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..10 {
            let sdk = &sdk;
            scope.spawn(move || {
                for number in 0..records / orders {
                    for order in (thread..orders).step_by(10) {
                        let mut record = entry(&format!("O{order}"));
                        record["empty_plot"] = number.into();
                        sdk.submit(&record.to_string()).unwrap();
                    }
                }
            });
        }
    });
    let submitted = begun.elapsed();
    platform.down(false);
    let begun = Instant::now();
    let patience = Duration::from_secs(if is_long { 900 } else { 100 });
    assert_eq!(sdk.flush(patience).unwrap(), 0, "{:?}", sdk.status()["outbox"]);
    let drained = begun.elapsed();
    let faults = faults.lock().unwrap();
    println!(
        "order: {records} records of {orders} orders, {} of {} attempts failed (seed {seed}): out of order {}, taken twice after \
         a lost answer {}; submitted at {:.0}/s, drained at {:.0}/s",
        faults.0,
        platform.with(|desk| desk.uploads.len()),
        faults.2.len(),
        faults.1,
        records as f64 / submitted.as_secs_f64(),
        records as f64 / drained.as_secs_f64()
    );
    assert_eq!(sdk.dead(0, 10).unwrap(), json!([]), "nothing that repetition cures is given up; seed {seed}");
    assert!(faults.2.is_empty(), "seed {seed}: {:?}", &faults.2[..faults.2.len().min(5)]);
    let last = records / orders - 1;
    let seen = seen.lock().unwrap();
    assert!(seen.len() as u64 == orders && seen.values().all(|number| *number == last), "each to its end");
}

/// The entry's call has not returned, and fails in the end: what comes later of its order, by whichever call, does not
/// overtake it; what comes of another order waits for nobody.
#[test]
fn nothing_overtakes_an_upload_of_its_order_that_is_under_way() {
    for is_stored in [false, true] {
        let (folder, platform) = (Folder::new(), Platform::start());
        let mut is_first = true;
        platform.judge(move |_| if std::mem::take(&mut is_first) { Act::Hang(800) } else { Act::Yes });
        let sdk = open(&folder.0, platform.port, json!({}));
        sdk.wait_ready(Duration::from_secs(10)).unwrap();
        let give = |record: serde_json::Value| match is_stored {
            true => sdk.submit(&record.to_string()).map(|_| ()).unwrap(),
            false => drop(sdk.upload(&record.to_string())),
        };
        std::thread::scope(|scope| {
            scope.spawn(|| sdk.upload(&entry("A1").to_string()));
            platform.until("the entry is under way", |desk| desk.uploads.len() == 1);
            scope.spawn(|| give(exit("A1")));
            std::thread::sleep(Duration::from_millis(100));
            give(exit("A2"));
        });
        assert_eq!(sdk.flush(Duration::from_secs(10)).unwrap(), 0);
        let taken: Vec<_> = platform.with(|desk| desk.taken());
        let expected = [("outpark", "A2"), ("inpark", "A1"), ("outpark", "A1")];
        assert_eq!(
            taken,
            expected.map(|(service, order)| (service.to_owned(), order.to_owned())),
            "stored: {is_stored}"
        );
    }
}

/// Who has paid waits for no turn.
#[test]
fn a_charge_waits_for_no_upload_that_is_under_way() {
    let (folder, platform) = (Folder::new(), Platform::start());
    platform.judge(move |upload| if upload.service == "inpark" { Act::Hang(1500) } else { Act::Yes });
    let sdk = open(&folder.0, platform.port, json!({}));
    sdk.wait_ready(Duration::from_secs(10)).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| sdk.upload(&entry("A1").to_string()));
        platform.until("the entry is under way", |desk| desk.uploads.len() == 1);
        let mut charge = exit("A1");
        (charge["pay_type"], charge["auth_code"]) = (json!("sweepcode"), json!("134567890123456789"));
        let begun = Instant::now();
        assert!(sdk.upload(&charge.to_string()).error.is_none());
        assert!(begun.elapsed() < Duration::from_millis(1000), "{:?}", begun.elapsed());
    });
}

/// Fills a closed store.
fn fill(path: &Path, records: u64) {
    let connection = Connection::open(path).unwrap();
    let data = entry("X").to_string().replace("\"X\"", "\"' || n || '\"");
    connection
        .execute_batch(&format!(
            "PRAGMA synchronous=OFF; BEGIN;
             WITH RECURSIVE many(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM many WHERE n < {records})
             INSERT INTO record (ticket, platform, interface, service, order_key, class, data, created)
             SELECT n, 'bolink', 'bolink.in_park', 'in_park', 'order_id=' || n, 'record', '{data}', 1 FROM many;
             COMMIT; PRAGMA wal_checkpoint(TRUNCATE);"
        ))
        .unwrap();
}

#[cfg(target_os = "linux")]
fn status(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Runs in a child: opens, and tells what that cost.
#[cfg(target_os = "linux")]
pub fn backlog(folder: &Path) -> bool {
    let platform = Platform::start();
    let first = Arc::new(Mutex::new(None));
    let inside = first.clone();
    platform.judge(move |_| {
        inside.lock().unwrap().get_or_insert_with(Instant::now);
        Act::Yes
    });
    let begun = Instant::now();
    let sdk: Sdk = open(folder, platform.port, json!({"outbox": {"lanes": 8}}));
    let opened = begun.elapsed();
    let waiting = sdk.status()["outbox"]["total"]["records"].as_u64().unwrap();
    std::thread::sleep(Duration::from_secs(3));
    let first = first.lock().unwrap().map(|at| at - begun);
    let memory = status("VmRSS:");
    let kept: usize = platform.with(|desk| desk.uploads.iter().map(|upload| upload.body.len() * 6 + 800).sum());
    let sent = platform.with(|desk| desk.uploads.len());
    let live = Instant::now();
    assert!(sdk.upload(&entry("LIVE").to_string()).error.is_none());
    let live = live.elapsed();
    // Idle: nothing waits, the link is up.
    let idle = setting("RIG_IDLE", 0);
    let mut idle_text = String::new();
    if waiting == 0 && idle > 0 {
        let cpu = || {
            let text = std::fs::read_to_string("/proc/self/stat").unwrap();
            let fields: Vec<&str> = text.rsplit_once(')').unwrap().1.split_whitespace().collect();
            fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
        };
        let switches = || -> u64 {
            let tasks = std::fs::read_dir("/proc/self/task").unwrap();
            let of = |path: std::path::PathBuf| std::fs::read_to_string(path.join("status")).unwrap_or_default();
            let count = |text: String| {
                let line = text.lines().find(|line| line.starts_with("voluntary")).map(str::to_owned);
                line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or(0)
            };
            tasks.map(|task| count(of(task.unwrap().path()))).sum()
        };
        let written = || {
            let text = std::fs::read_to_string("/proc/self/io").unwrap();
            text.lines().find_map(|line| line.strip_prefix("write_bytes: ")?.parse::<u64>().ok()).unwrap()
        };
        std::thread::sleep(Duration::from_secs(2));
        let before = (cpu(), switches(), written());
        std::thread::sleep(Duration::from_secs(idle));
        let after = (cpu(), switches(), written());
        idle_text = format!(
            "; idle {idle} s (platform in the same process): CPU {} ms, {} wake-ups, {} bytes written",
            (after.0 - before.0) * 10,
            after.1 - before.1,
            after.2 - before.2
        );
    }
    let line = format!(
        "{waiting} waiting: opened in {opened:?}, first delivery after {first:?}, {sent} sent in 3 s, a live upload took {live:?}, \
         resident {} KB (of that about {} KB the test's own platform){idle_text}\n",
        memory,
        kept / 1024
    );
    let path = std::env::var("RIG_ACKS").unwrap();
    std::fs::write(
        path,
        format!("{} {} {}\n{line}", opened.as_millis(), first.map_or(99_999, |at| at.as_millis()), waiting),
    )
    .unwrap();
    std::process::exit(0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_backlog_does_not_slow_the_start() {
    let records = if setting("RIG_LONG", 0) == 1 { 1_000_000 } else { 20_000 };
    for records in [0, records] {
        let folder = Folder::new();
        let store = folder.0.join("store");
        open(&store, 1, json!({})).close(Duration::from_secs(3)).unwrap();
        if records > 0 {
            fill(&store_of(&store), records);
            // What was put in by hand, as what an older version left, is read through once when it is first opened.
            let begun = Instant::now();
            Store::open(&store_of(&store), Arc::new(Log::new(Level::Error))).unwrap().close();
            println!("{records} records that the library did not write itself: first opening {:?}", begun.elapsed());
        }
        let mut child = crate::child::command("backlog", &folder.0);
        let mut child = crate::child::Ended(child.spawn().unwrap());
        let status = crate::child::wait(&mut child.0, Duration::from_secs(700)).expect("it ends");
        assert!(status.success(), "{status}");
        let text = std::fs::read_to_string(folder.0.join("acks")).unwrap();
        let (numbers, line) = text.split_once('\n').unwrap();
        println!("backlog: {}", line.trim());
        let numbers: Vec<u64> = numbers.split(' ').map(|number| number.parse().unwrap()).collect();
        assert!(numbers[0] < 1000, "open in under a second: {line}");
        assert_eq!(numbers[2], records);
    }
}
