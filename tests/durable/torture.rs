//! Every write, every sync and every socket call of a small lot's day fails in turn. Each day ends by itself, with clear
//! errors or none; the store is whole, and what was acknowledged is in it or was received.

use crate::child::{Ended, command, lines, wait};
use crate::shim;
use crate::support::{Dice, Folder, look, setting, store_of, texts};
use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

const ENOSPC: i32 = 28;
const EIO: i32 = 5;
const ECONNRESET: i32 = 104;

/// One day; the errors that were told.
fn day(fail: Option<&str>) -> (Vec<String>, Vec<u64>) {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.0.join("store")).unwrap();
    let count = folder.0.join("count");
    let mut lot = command("day", &folder.0);
    lot.env("LD_PRELOAD", shim::library()).env("RIG_COUNT", &count);
    if let Some(fail) = fail {
        lot.env("RIG_FAIL", fail);
    }
    let mut lot = Ended(lot.spawn().unwrap());
    let status = wait(&mut lot.0, Duration::from_secs(60)).unwrap_or_else(|| panic!("{fail:?}: the day does not end"));
    let lines = lines(&folder.0);
    assert!(status.success(), "{fail:?}: {status}; {lines:?}");
    assert_eq!(lines.last().map(|line| line[0].as_str()), Some("DONE"), "{fail:?}: {lines:?}");
    let path = store_of(&folder.0.join("store"));
    let received: HashSet<String> = lines.iter().filter(|line| line[0] == "R").map(|line| line[1].clone()).collect();
    let acknowledged: Vec<&String> = lines.iter().filter(|line| line[0] == "A").map(|line| &line[1]).collect();
    let mut stored = HashSet::new();
    if path.exists() && path.metadata().unwrap().len() > 0 {
        let store = look(&path);
        let sound: String = store.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(sound, "ok", "{fail:?}");
        let sql = "SELECT replace(service, '_', '') || '-' || json_extract(data, '$.order_id') FROM record
                   UNION SELECT replace(service, '_', '') || '-' || json_extract(data, '$.order_id') FROM dead";
        if crate::support::number(&path, "SELECT count(*) FROM sqlite_schema WHERE name = 'record'") == 1 {
            stored.extend(texts(&store, sql));
        }
    }
    for order in acknowledged {
        assert!(stored.contains(order) || received.contains(order), "{fail:?}: {order} is lost: {lines:?}");
    }
    let names = std::fs::read_dir(folder.0.join("store")).unwrap().map(|entry| entry.unwrap().file_name());
    let names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    assert!(!names.iter().any(|name| name.contains("damaged")), "{fail:?}: a failing call is no damage: {names:?}");
    let errors = lines.iter().filter(|line| line[0] == "E").map(|line| line[1..].join(" ")).collect();
    let counts = std::fs::read_to_string(&count).unwrap_or_default();
    (errors, counts.split_whitespace().map(|count| count.parse().unwrap()).collect())
}

#[test]
fn a_call_that_fails_costs_no_record() {
    let is_long = setting("RIG_LONG", 0) == 1;
    let mut dice = Dice::seeded();
    let seed = dice.0;
    let begun = Instant::now();
    let (errors, counts) = day(None);
    assert_eq!((errors.len(), counts.len()), (0, 3), "a good day has no errors: {errors:?}");
    let mut days = Vec::new();
    for (kind, most, codes) in [
        ("file", counts[0], vec![ENOSPC, EIO, 0]),
        ("sync", counts[1], vec![EIO, ENOSPC]),
        ("sock", counts[2], vec![ECONNRESET]),
    ] {
        for code in codes {
            for at in 1..=most {
                days.push(format!("{kind}:{at}:{code}"));
                if at % 8 == 1 && kind != "sock" && code != 0 {
                    days.push(format!("{kind}:{at}:{code}:ever"));
                }
            }
        }
    }
    let all = days.len();
    if !is_long {
        // A sample, another one each time.
        for at in 0..40.min(all) {
            let other = at + dice.below((all - at) as u64) as usize;
            days.swap(at, other);
        }
        days.truncate(40);
    }
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    for fail in &days {
        for error in day(Some(fail)).0 {
            *told.entry(error).or_default() += 1;
        }
    }
    println!(
        "torture: {} of {all} days ({} file, {} sync, {} socket calls each) in {:.0} s, seed {seed}: all ended, nothing lost, \
         every store whole; errors told: {told:?}",
        days.len(),
        counts[0],
        counts[1],
        counts[2],
        begun.elapsed().as_secs_f64()
    );
}
