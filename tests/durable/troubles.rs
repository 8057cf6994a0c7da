//! The store's own troubles: each has its code or its recovery, none loses what was acknowledged, none stops the rest.

use crate::support::{COUNTED, Folder, Platform, config, entry, look, number, open, prepay, texts, until};
use parklink::error::{Code, Error};
use parklink::sdk::Sdk;
use rusqlite::Connection;
use serde_json::json;
use std::collections::HashSet;
use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A closed store with so many records that nobody took.
fn filled(folder: &Folder, count: usize) -> u64 {
    let sdk = open(&folder.0, 1, json!({}));
    let last = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let sdk = &sdk;
                scope.spawn(move || {
                    let submit = |at| sdk.submit(&entry(&format!("{thread}-{at}")).to_string()).unwrap();
                    (0..count / 4).map(submit).max().unwrap()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).max().unwrap()
    });
    sdk.close(Duration::from_secs(3)).unwrap();
    last
}

fn try_open(folder: &Path) -> Result<Sdk, Error> {
    Sdk::open(config(folder, &json!({"bolink_addr": "127.0.0.1", "bport": 1})))
}

fn set_aside(folder: &Folder) -> Vec<PathBuf> {
    let files = fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().path());
    let is_one = |path: &PathBuf| {
        path.to_string_lossy().contains(".damaged-") && path.extension().is_some_and(|end| end == "db")
    };
    files.filter(is_one).collect()
}

fn damage(path: &Path, from: u64, bytes: usize) {
    let mut file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(from)).unwrap();
    file.write_all(&vec![0xA5; bytes]).unwrap();
}

#[cfg(unix)]
#[test]
fn only_its_owner_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let sdk = open(&folder.0, 1, json!({}));
    sdk.submit(&entry("A1").to_string()).unwrap();
    for name in ["parklink-21782.db", "parklink-21782.db-wal", "parklink-21782.db-shm", "parklink-21782.db.lock"] {
        let mode = fs::metadata(folder.0.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    // Nor is a key in it.
    for entry in fs::read_dir(&folder.0).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(16).any(|part| part == b"8403A41ED5EF20BC"));
    }
}

#[test]
fn a_store_in_use_is_refused_and_free_after_close() {
    let folder = Folder::new();
    let sdk = open(&folder.0, 1, json!({}));
    let error = try_open(&folder.0).unwrap_err();
    assert_eq!(error.code, Code::StoreLocked);
    assert!(error.message.contains(&format!("process {}", std::process::id())), "{error}");
    for _ in 0..20 {
        sdk.submit(&entry("A1").to_string()).unwrap();
    }
    sdk.close(Duration::from_secs(3)).unwrap();
    drop(try_open(&folder.0).unwrap());
}

#[test]
fn a_tool_that_holds_the_database_delays_and_loses_nothing() {
    let folder = Folder::new();
    let sdk = open(&folder.0, 1, json!({}));
    let other = Connection::open(folder.store()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    std::thread::scope(|scope| {
        let submits: Vec<_> = (0..8)
            .map(|at| {
                let sdk = &sdk;
                scope.spawn(move || sdk.submit(&entry(&format!("A{at}")).to_string()))
            })
            .collect();
        std::thread::sleep(Duration::from_millis(300));
        other.execute_batch("COMMIT").unwrap();
        submits.into_iter().for_each(|submit| assert!(submit.join().unwrap().is_ok()));
    });
    assert_eq!(number(&folder.store(), "SELECT count(*) FROM record"), 8);
}

#[test]
fn an_empty_file_is_filled() {
    let folder = Folder::new();
    fs::write(folder.store(), b"").unwrap();
    let sdk = open(&folder.0, 1, json!({}));
    assert_eq!(sdk.submit(&entry("A1").to_string()).unwrap(), 1);
    assert!(set_aside(&folder).is_empty());
}

#[test]
fn a_torn_file_is_set_aside_and_what_can_be_read_taken_over() {
    let folder = Folder::new();
    let last = filled(&folder, 400);
    let length = fs::metadata(folder.store()).unwrap().len();
    fs::OpenOptions::new().write(true).open(folder.store()).unwrap().set_len(length * 6 / 10).unwrap();
    let sdk = open(&folder.0, 1, json!({}));
    assert_eq!(set_aside(&folder).len(), 1);
    let ticket = sdk.submit(&entry("NEW").to_string()).unwrap();
    assert!(ticket > last, "no number twice: {ticket}, {last}");
    let saved = number(&folder.store(), "SELECT count(*) FROM record") - 1;
    println!("a file torn at 60 %: {saved} of 400 records taken over");
    assert!(saved >= 100, "{saved}");
    assert_eq!(number(&folder.store(), COUNTED), saved + 1);
    sdk.close(Duration::from_secs(3)).unwrap();
    drop(open(&folder.0, 1, json!({})));
    assert_eq!(set_aside(&folder).len(), 1, "once is enough");
}

/// Copied as it is it would be damage to the next store too, and to the one after that.
#[test]
fn a_row_of_the_wrong_kind_is_left_in_the_store_that_was_set_aside() {
    let folder = Folder::new();
    filled(&folder, 20);
    let by_hand = Connection::open(folder.store()).unwrap();
    by_hand.execute("UPDATE record SET data = x'00ff' WHERE id = (SELECT min(id) + 3 FROM record)", []).unwrap();
    drop(by_hand);
    let sdk = open(&folder.0, 1, json!({}));
    until("it is set aside", || set_aside(&folder).len() == 1);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(set_aside(&folder).len(), 1, "once is enough");
    assert_eq!(number(&folder.store(), "SELECT count(*) FROM record"), 19);
    sdk.close(Duration::from_secs(3)).unwrap();
}

/// The rest of the last page reads as zeros, which is no damage to SQLite.
#[test]
fn a_file_torn_inside_a_page_is_set_aside_too() {
    for cut in [1, 777, 2048, 4000] {
        let folder = Folder::new();
        filled(&folder, 120);
        let length = fs::metadata(folder.store()).unwrap().len();
        fs::OpenOptions::new().write(true).open(folder.store()).unwrap().set_len(length - cut).unwrap();
        let sdk = try_open(&folder.0).unwrap_or_else(|error| panic!("{cut} bytes less: {error}"));
        sdk.submit(&entry("NEW").to_string()).unwrap();
    }
}

#[test]
fn a_page_damaged_in_the_middle_costs_that_page_only() {
    let folder = Folder::new();
    filled(&folder, 2000);
    let path = folder.store();
    let length = fs::metadata(&path).unwrap().len();
    damage(&path, length / 2 / 4096 * 4096, 4096);
    let platform = Platform::start();
    // Nothing reads that page at opening; the drain meets it.
    let sdk = open(&folder.0, platform.port, json!({"outbox": {"lanes": 4}}));
    until("it is replaced and drained", || {
        !set_aside(&folder).is_empty() && sdk.status()["outbox"]["total"]["records"] == 0
    });
    let taken: HashSet<_> = platform.with(|desk| desk.taken()).into_iter().collect();
    println!("one damaged page of {}: {} of 2000 records delivered", length / 4096, taken.len());
    assert!(taken.len() >= 1950, "{}", taken.len());
    assert!(sdk.upload(&entry("LIVE").to_string()).error.is_none());
    sdk.submit(&entry("NEW").to_string()).unwrap();
    assert_eq!(sdk.flush(Duration::from_secs(10)).unwrap(), 0);
    assert_eq!(platform.with(|desk| desk.count("inpark", "NEW")), 1);
    let sound: String = look(&path).query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
}

#[test]
fn damage_while_it_runs_does_not_stop_it() {
    let folder = Folder::new();
    let platform = Platform::start();
    platform.down(true);
    let sdk = open(&folder.0, platform.port, json!({}));
    for at in 0..300 {
        sdk.submit(&entry(&format!("A{at}")).to_string()).unwrap();
    }
    // Everything into the file, then pages of it overwritten under the running program.
    let other = Connection::open(folder.store()).unwrap();
    other.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(other);
    let length = fs::metadata(folder.store()).unwrap().len();
    damage(&folder.store(), 4096 * 2, (length - 4096 * 2) as usize);
    let mut tickets = HashSet::new();
    for at in 0..200 {
        tickets.insert(sdk.submit(&entry(&format!("B{at}")).to_string()).unwrap());
    }
    assert_eq!((tickets.len(), set_aside(&folder).len()), (200, 1));
    platform.down(false);
    assert_eq!(sdk.flush(Duration::from_secs(20)).unwrap(), 0);
    let taken: HashSet<_> = platform.with(|desk| desk.taken()).into_iter().map(|taken| taken.1).collect();
    assert!((0..200).all(|at| taken.contains(&format!("B{at}"))), "what was acknowledged after it arrives");
}

#[test]
fn a_replacement_that_was_cut_short_is_finished() {
    let (folder, good) = (Folder::new(), Folder::new());
    filled(&good, 40);
    filled(&folder, 40);
    // As a crash leaves it: the new file is whole, the damaged one still in its place.
    fs::copy(good.store(), folder.store().with_extension("rebuilt.db")).unwrap();
    damage(&folder.store(), 4096, 20_000);
    let sdk = open(&folder.0, 1, json!({}));
    assert_eq!(number(&folder.store(), "SELECT count(*) FROM record"), 40);
    assert_eq!(set_aside(&folder).len(), 1);
    assert!(!folder.store().with_extension("rebuilt.db").exists());
    drop(sdk);
}

#[test]
fn foreign_and_newer_files_are_left_alone() {
    let folder = Folder::new();
    // A text: set aside, whole.
    fs::write(folder.store(), b"notes of the gate keeper\n").unwrap();
    drop(open(&folder.0, 1, json!({})));
    let aside = set_aside(&folder);
    assert_eq!(fs::read(&aside[0]).unwrap(), b"notes of the gate keeper\n");
    // Another program's database.
    let folder = Folder::new();
    Connection::open(folder.store()).unwrap().execute_batch("CREATE TABLE car (plate)").unwrap();
    let before = fs::read(folder.store()).unwrap();
    let error = try_open(&folder.0).unwrap_err();
    assert_eq!((error.code, fs::read(folder.store()).unwrap()), (Code::StoreForeign, before));
    // A newer version's.
    let folder = Folder::new();
    filled(&folder, 4);
    Connection::open(folder.store()).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    let error = try_open(&folder.0).unwrap_err();
    assert_eq!(error.code, Code::StoreNewer);
    assert!(error.message.contains("99"), "{error}");
    assert_eq!(number(&folder.store(), "SELECT count(*) FROM record"), 4);
}

/// As somebody else: a folder that cannot be written, a file of another owner.
#[cfg(target_os = "linux")]
#[test]
fn rights_that_are_missing_are_told() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    if fs::metadata("/proc/self").map(|me| std::os::unix::fs::MetadataExt::uid(&me)).ok() != Some(0) {
        println!("skipped: only root can become somebody else");
        return;
    }
    for (mode, has_file) in [(0o555, false), (0o777, true)] {
        let folder = Folder::new();
        let store = folder.0.join("store");
        fs::create_dir_all(&store).unwrap();
        if has_file {
            let sdk = open(&store, 1, json!({}));
            sdk.close(Duration::from_secs(1)).unwrap();
            fs::remove_file(store.join("parklink-21782.db.lock")).unwrap();
        }
        fs::set_permissions(&store, fs::Permissions::from_mode(mode)).unwrap();
        fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o777)).unwrap();
        let mut child = crate::child::command("open", &folder.0);
        let Ok(mut child) = child.uid(65534).gid(65534).current_dir("/").spawn() else {
            println!("skipped: nobody may not run {:?}", std::env::current_exe());
            return;
        };
        crate::child::wait(&mut child, Duration::from_secs(20)).expect("it ends");
        let lines = crate::child::lines(&folder.0);
        assert_eq!(lines[0][..2], ["E".to_owned(), "store_read_only".to_owned()], "{lines:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_stops_neither_the_live_path_nor_the_callbacks() {
    in_child("full");
}

#[cfg(target_os = "linux")]
#[test]
fn a_clock_that_jumps_a_year_either_way_changes_nothing() {
    in_child("clock");
}

#[cfg(target_os = "linux")]
fn in_child(mode: &str) {
    let folder = Folder::new();
    fs::create_dir_all(folder.0.join("store")).unwrap();
    let mut child = crate::child::command(mode, &folder.0);
    child.env("LD_PRELOAD", crate::shim::library()).env("RIG_FULL", folder.0.join("full"));
    child.env("RIG_CLOCK", folder.0.join("clock")).stderr(std::process::Stdio::inherit());
    let mut child = crate::child::Ended(child.spawn().unwrap());
    let status = crate::child::wait(&mut child.0, Duration::from_secs(60)).expect("it ends");
    assert!(status.success(), "{status}");
}

/// Runs in a child.
#[cfg(target_os = "linux")]
pub fn full_disk(folder: &Path) -> bool {
    use std::sync::{Arc, Mutex, OnceLock};
    let full = std::env::var("RIG_FULL").unwrap();
    let platform = Platform::start();
    let lot: Arc<OnceLock<Sdk>> = Arc::default();
    let sdk = lot.get_or_init(|| open(folder, platform.port, json!({})));
    let calls = Arc::new(Mutex::new(Vec::new()));
    let (inside, weak) = (calls.clone(), lot.clone());
    let handler = move |event: &parklink::sdk::Event| {
        inside.lock().unwrap().push((event.data["trade_no"].as_str().unwrap().to_owned(), event.redelivered));
        let yes = json!({"state": 1, "prepay": "5", "park_id": "21782", "data_target": "bolink"});
        weak.get().unwrap().reply(event.id, &yes.to_string()).unwrap();
    };
    sdk.on_downlink(Some(Box::new(handler))).unwrap();
    sdk.submit(&entry("BEFORE").to_string()).unwrap();
    sdk.wait_ready(Duration::from_secs(5)).unwrap();
    fs::write(&full, b"").unwrap();
    for _ in 0..5 {
        let error = sdk.submit(&entry("FULL").to_string()).unwrap_err();
        assert_eq!(error.code, Code::DiskFull, "{error}");
    }
    assert!(sdk.upload(&entry("LIVE").to_string()).error.is_none(), "the live path");
    // Nobody can look up now what the software has had, so it is told that it may have: once, and for the repeat.
    let pay = |trade: &str, is_told: &[bool]| {
        platform.send(&prepay(trade));
        until("it is told", || {
            let calls = calls.lock().unwrap();
            calls.iter().filter(|call| call.0 == trade).map(|call| call.1).eq(is_told.iter().copied())
        });
    };
    pay("T1", &[true]);
    pay("T1", &[true, true]);
    platform.until("the answers", |desk| {
        desk.uploads.iter().filter(|upload| upload.service == "prepay_order").count() == 2
    });
    // It waits in peace: hundreds of lines in a second would be a spin.
    let lines = Arc::new(Mutex::new(0));
    let inside = lines.clone();
    sdk.on_log(Some(Box::new(move |_, _| *inside.lock().unwrap() += 1))).unwrap();
    std::thread::sleep(Duration::from_secs(2));
    assert!(*lines.lock().unwrap() < 20, "{} lines in 2 s", lines.lock().unwrap());
    fs::remove_file(&full).unwrap();
    sdk.submit(&entry("AFTER").to_string()).unwrap();
    pay("T1", &[true, true, true]);
    pay("T2", &[false]);
    assert_eq!(sdk.flush(Duration::from_secs(10)).unwrap(), 0);
    let taken: Vec<_> = platform.with(|desk| desk.taken()).into_iter().map(|taken| taken.1).collect();
    assert!(["BEFORE", "LIVE", "AFTER"].iter().all(|order| taken.iter().any(|known| known == order)), "{taken:?}");
    assert!(!taken.iter().any(|order| order == "FULL"));
    true
}

/// Runs in a child.
#[cfg(target_os = "linux")]
pub fn clock(folder: &Path) -> bool {
    use std::sync::{Arc, Mutex};
    const YEAR: i64 = 366 * 86_400;
    let file = std::env::var("RIG_CLOCK").unwrap();
    let platform = Platform::start();
    let ids = Arc::new(Mutex::new(Vec::new()));
    let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
    let begun = now();
    let mut rounds = 0;
    for (at_open, later) in [(0, YEAR), (-YEAR, YEAR), (YEAR, -YEAR)] {
        fs::write(&file, at_open.to_string()).unwrap();
        assert!((now() - begun - at_open).abs() < 60, "the clock is moved");
        platform.with(|desk| desk.tokens += 1);
        let lot: Arc<std::sync::OnceLock<Sdk>> = Arc::default();
        let sdk = lot.get_or_init(|| open(folder, platform.port, json!({"store": {"max_age_days": 1}})));
        let (inside, weak) = (ids.clone(), lot.clone());
        let handler = move |event: &parklink::sdk::Event| {
            inside.lock().unwrap().push((
                event.id,
                event.data["trade_no"].as_str().unwrap().to_owned(),
                event.redelivered,
            ));
            let yes = json!({"state": 1, "prepay": "5", "park_id": "21782", "data_target": "bolink"});
            weak.get().unwrap().reply(event.id, &yes.to_string()).unwrap();
        };
        sdk.on_downlink(Some(Box::new(handler))).unwrap();
        for offset in [at_open, later] {
            rounds += 1;
            platform.down(true);
            sdk.submit(&entry(&format!("A{rounds}")).to_string()).unwrap();
            // It waits over the jump, which makes it no older.
            fs::write(&file, offset.to_string()).unwrap();
            platform.down(false);
            assert_eq!(sdk.flush(Duration::from_secs(10)).unwrap(), 0);
            // The first payment again and again, and a new one.
            let before = platform.answers("prepay_order").len();
            platform.send(&prepay("T0"));
            platform.until("an answer", |desk| {
                desk.uploads.iter().filter(|upload| upload.service == "prepay_order").count() > before
            });
            platform.send(&prepay(&format!("T{rounds}")));
            platform.until("another", |desk| {
                desk.uploads.iter().filter(|upload| upload.service == "prepay_order").count() > before + 1
            });
        }
        sdk.on_downlink(None).unwrap();
        sdk.close(Duration::from_secs(3)).unwrap();
    }
    assert_eq!(number(&crate::support::store_of(folder), "SELECT count(*) FROM dead"), 0);
    let ids = ids.lock().unwrap();
    let trades: Vec<&str> = ids.iter().map(|id| id.1.as_str()).collect();
    assert_eq!(trades, ["T0", "T1", "T2", "T3", "T4", "T5", "T6"], "each once, whatever the clock says");
    assert!(ids.windows(2).all(|pair| pair[0].0 < pair[1].0), "numbers grow: {ids:?}");
    assert_eq!(platform.with(|desk| desk.taken().iter().filter(|taken| taken.0 == "inpark").count()), 6);
    assert!(texts(&look(&crate::support::store_of(folder)), "SELECT data FROM record").is_empty());
    true
}

/// What the event of a replaced store says, and what the status does.
fn told(sdk: &Sdk) -> (serde_json::Value, serde_json::Value) {
    let event = sdk.poll(Duration::from_secs(5)).unwrap();
    (serde_json::from_str(&event.json()).unwrap(), store_status(sdk))
}

fn store_status(sdk: &Sdk) -> serde_json::Value {
    serde_json::from_str(&sdk.status()["store"].to_string()).unwrap()
}

#[test]
fn the_software_hears_that_a_store_was_replaced() {
    let folder = Folder::new();
    filled(&folder, 400);
    let length = fs::metadata(folder.store()).unwrap().len();
    fs::OpenOptions::new().write(true).open(folder.store()).unwrap().set_len(length * 6 / 10).unwrap();
    // Nobody hears it the first time: later than the grace for platforms, and not at all.
    let sdk = open(&folder.0, 1, json!({}));
    std::thread::sleep(Duration::from_millis(2300));
    sdk.close(Duration::from_secs(1)).unwrap();

    let sdk = open(&folder.0, 1, json!({}));
    let (event, status) = told(&sdk);
    let aside = set_aside(&folder).remove(0);
    let rows = number(&folder.store(), "SELECT count(*) FROM record");
    assert!(rows >= 100);
    let data = &event["data"];
    assert_eq!(event["event_id"], 0);
    assert_eq!((&event["platform"], &event["interface"]), (&json!("parklink"), &json!(null)));
    assert_eq!((&event["service_name"], &event["kind"]), (&json!("store_replaced"), &json!("notice")));
    assert_eq!(event["redelivered"], true, "it was raised in an earlier run");
    assert_eq!((&data["path"], &data["rows"]), (&json!(folder.store()), &json!(rows)));
    assert_eq!(data["old_file"], json!(aside));
    assert!(data["at_ms"].as_i64().unwrap() > 1_700_000_000_000 && !data["why"].as_str().unwrap().is_empty());
    assert_eq!(status["path"], data["path"]);
    for member in ["at_ms", "why", "old_file", "rows"] {
        assert_eq!(status["replaced"][member], data[member], "{member}");
    }
    // Polling again says that it was heard: it is over for this run and the next; the status keeps it.
    assert!(sdk.poll(Duration::from_millis(10)).is_err());
    sdk.close(Duration::from_secs(1)).unwrap();
    let sdk = open(&folder.0, 1, json!({}));
    assert!(sdk.poll(Duration::from_millis(100)).is_err());
    assert_eq!(store_status(&sdk), status);
    sdk.close(Duration::from_secs(1)).unwrap();
    let fresh = Folder::new();
    let sdk = open(&fresh.0, 1, json!({}));
    assert_eq!(store_status(&sdk), json!({"path": fresh.store(), "replaced": null}));
}

#[test]
fn it_hears_at_once_when_that_happens_while_it_runs() {
    let folder = Folder::new();
    let sdk = open(&folder.0, 1, json!({"events": {"queue": 1}}));
    for at in 0..300 {
        sdk.submit(&entry(&format!("A{at}")).to_string()).unwrap();
    }
    let (sender, told) = std::sync::mpsc::channel();
    sdk.on_downlink(Some(Box::new(move |event| sender.send((event.service.clone(), event.redelivered)).unwrap())))
        .unwrap();
    let mut last = String::new();
    for round in 1..=2 {
        let other = Connection::open(folder.store()).unwrap();
        other.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        drop(other);
        let length = fs::metadata(folder.store()).unwrap().len();
        damage(&folder.store(), 4096 * 2, (length - 4096 * 2) as usize);
        for at in 0..20 {
            sdk.submit(&entry(&format!("B{at}")).to_string()).unwrap();
        }
        assert_eq!(told.recv_timeout(Duration::from_secs(10)).unwrap(), ("store_replaced".into(), false));
        assert_eq!(set_aside(&folder).len(), round);
        last = sdk.status()["store"]["replaced"]["old_file"].as_str().unwrap().to_owned();
    }
    until("it was told", || number(&folder.store(), "SELECT count(*) FROM event WHERE delivered = 0") == 0);
    sdk.close(Duration::from_secs(1)).unwrap();
    // The second damage may have cost what the store knew of the first.
    let known = texts(&look(&folder.store()), "SELECT old_file FROM replaced ORDER BY id DESC LIMIT 1");
    assert!(folder.0.join(&known[0]).exists() && last.ends_with(&known[0]), "{known:?} {last}");
    let sdk = open(&folder.0, 1, json!({}));
    assert!(sdk.poll(Duration::from_millis(100)).is_err(), "told in the run before");
}
