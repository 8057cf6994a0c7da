//! The power cut: what a program wrote is replayed up to a random point, and of what was not synced by then some is
//! dropped, some kept, some torn. Then the store opens, whole, and nothing acknowledged is lost.

use crate::child::{Ended, command, wait, words};
use crate::shim;
use crate::support::{COUNTED, Dice, Folder, setting, store_of, texts};
use parklink::log::{Level, Log};
use parklink::store::Store;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

enum Op {
    Create(u64, String),
    Write(u64, usize, std::ops::Range<usize>),
    Size(u64, usize),
    Sync(u64),
    SyncFolder,
    Rename(String, String),
    Unlink(String),
    Ack(String),
}

fn parse(bytes: &[u8]) -> Vec<Op> {
    let mut ops = Vec::new();
    let mut at = 0;
    while at + 21 <= bytes.len() {
        let word = |from: usize| u64::from_le_bytes(bytes[from..from + 8].try_into().unwrap());
        let (op, file, place) = (bytes[at], word(at + 1), word(at + 9) as usize);
        let length = u32::from_le_bytes(bytes[at + 17..at + 21].try_into().unwrap()) as usize;
        // A cut in the tracer's own file would be the tracer's fault: the child ended by itself.
        let range = at + 21..at + 21 + if op == b'T' { 0 } else { length };
        let text = || String::from_utf8(bytes[range.clone()].to_vec()).unwrap();
        ops.push(match op {
            b'C' => Op::Create(file, text()),
            b'W' => Op::Write(file, place, range.clone()),
            b'T' => Op::Size(file, place),
            b'S' => Op::Sync(file),
            b'D' => Op::SyncFolder,
            b'U' => Op::Unlink(text()),
            b'A' => Op::Ack(text()),
            b'R' => {
                let both = text();
                let (from, to) = both.split_once('\n').unwrap();
                Op::Rename(from.to_owned(), to.to_owned())
            }
            other => panic!("an unknown op {other}"),
        });
        at = range.end;
    }
    ops
}

/// A file: what is surely on the disk, and what may be.
#[derive(Default)]
struct Disk {
    sure: Vec<u8>,
    loose: Vec<usize>,
}

fn put(file: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if file.len() < at + bytes.len() {
        file.resize(at + bytes.len(), 0);
    }
    file[at..at + bytes.len()].copy_from_slice(bytes);
}

fn apply(file: &mut Vec<u8>, op: &Op, journal: &[u8]) {
    match op {
        Op::Write(_, at, range) => put(file, *at, &journal[range.clone()]),
        Op::Size(_, size) => file.resize(*size, 0),
        _ => {}
    }
}

fn rename(names: &mut HashMap<String, u64>, op: &Op) {
    match op {
        Op::Create(file, path) => {
            names.insert(path.clone(), *file);
        }
        Op::Rename(from, to) => {
            if let Some(file) = names.remove(from) {
                names.insert(to.clone(), file);
            }
        }
        Op::Unlink(path) => {
            names.remove(path);
        }
        _ => {}
    }
}

/// The folder as a power cut after so many operations may have left it.
fn cut(ops: &[Op], journal: &[u8], dice: &mut Dice, to: &Path) {
    let mut disks: HashMap<u64, Disk> = HashMap::new();
    let mut names: HashMap<String, u64> = HashMap::new();
    let mut loose_names = Vec::new();
    for (at, op) in ops.iter().enumerate() {
        match op {
            Op::Create(file, _) => {
                disks.insert(*file, Disk::default());
                loose_names.push(at);
            }
            Op::Write(file, ..) | Op::Size(file, _) => disks.entry(*file).or_default().loose.push(at),
            Op::Sync(file) => {
                let disk = disks.entry(*file).or_default();
                for at in std::mem::take(&mut disk.loose) {
                    apply(&mut disk.sure, &ops[at], journal);
                }
            }
            Op::Rename(..) | Op::Unlink(_) => loose_names.push(at),
            Op::SyncFolder => loose_names.drain(..).for_each(|at| rename(&mut names, &ops[at])),
            Op::Ack(_) => {}
        }
    }
    // Names reach the disk in order, as file systems with a journal do it.
    let kept = dice.below(loose_names.len() as u64 + 1) as usize;
    loose_names[..kept].iter().for_each(|at| rename(&mut names, &ops[*at]));
    let manner = dice.below(4);
    for disk in disks.values_mut() {
        let limit = dice.below(disk.loose.len() as u64 + 1) as usize;
        for (number, at) in std::mem::take(&mut disk.loose).into_iter().enumerate() {
            match (manner, &ops[at]) {
                (0, _) => {}
                (1, op) if number < limit => apply(&mut disk.sure, op, journal),
                (1, Op::Write(_, place, range)) if number == limit => {
                    let length = dice.below(range.len() as u64) as usize;
                    put(&mut disk.sure, *place, &journal[range.start..range.start + length]);
                }
                (1, _) => {}
                // Sectors in any order.
                (_, Op::Write(_, place, range)) => {
                    for from in (0..range.len()).step_by(512).filter(|_| dice.below(2) == 0).collect::<Vec<_>>() {
                        let end = (from + 512).min(range.len());
                        put(&mut disk.sure, place + from, &journal[range.start + from..range.start + end]);
                    }
                }
                (_, op) if dice.below(2) == 0 => apply(&mut disk.sure, op, journal),
                _ => {}
            }
        }
    }
    std::fs::create_dir_all(to).unwrap();
    for (name, file) in names {
        // Shared memory does not survive.
        if !name.ends_with("-shm") {
            let name = Path::new(&name).file_name().unwrap();
            std::fs::write(to.join(name), &disks[&file].sure).unwrap();
        }
    }
}

#[derive(Default)]
struct Sums {
    cuts: u64,
    acknowledged: usize,
    lost: usize,
    damaged: usize,
    untold: usize,
}

#[test]
fn a_power_cut_loses_nothing_that_was_acknowledged() {
    let cuts = setting("RIG_CUTS", 50);
    let mut dice = Dice::seeded();
    let seed = dice.0;
    let begun = Instant::now();
    let mut sums = Sums::default();
    // Long runs have checkpoints and several starts in them.
    for round in 0..cuts.div_ceil(50) {
        let folder = Folder::new();
        let journal_path = folder.0.join("journal");
        std::fs::create_dir_all(folder.0.join("store")).unwrap();
        let records = 200 + 200 * (round % 4);
        let mut lot = command("alone", &folder.0);
        lot.env("LD_PRELOAD", shim::library())
            .env("RIG_JOURNAL", &journal_path)
            .env("RIG_RECORDS", records.to_string());
        let mut lot = Ended(lot.spawn().unwrap());
        let status = wait(&mut lot.0, Duration::from_secs(90)).expect("the lot ends");
        assert!(status.success(), "{status}");
        let journal = std::fs::read(&journal_path).unwrap();
        let ops = parse(&journal);
        let syncs = ops.iter().filter(|op| matches!(op, Op::Sync(_))).count();
        assert!(syncs > 20, "the layer is loaded: {syncs} syncs");
        for _ in 0..50.min(cuts - sums.cuts) {
            // Some cuts at the very beginning, where the file is made.
            let limit = if dice.below(5) == 0 { 120.min(ops.len() as u64) } else { ops.len() as u64 };
            let at = dice.below(limit + 1) as usize;
            check(&ops[..at], &journal, &mut dice, &mut sums, seed);
        }
    }
    println!(
        "power cut: {} cuts in {:.0} s (seed {seed}): {} acknowledged in all; lost {}, stores damaged {}, payments told of and \
         forgotten {}",
        sums.cuts,
        begun.elapsed().as_secs_f64(),
        sums.acknowledged,
        sums.lost,
        sums.damaged,
        sums.untold
    );
    assert_eq!((sums.lost, sums.damaged, sums.untold), (0, 0, 0), "seed {seed}");
}

fn check(ops: &[Op], journal: &[u8], dice: &mut Dice, sums: &mut Sums, seed: u64) {
    let folder = Folder::new();
    cut(ops, journal, dice, &folder.0);
    sums.cuts += 1;
    let path = store_of(&folder.0);
    let store = Store::open(&path, Arc::new(Log::new(Level::Error)));
    let store = store.unwrap_or_else(|error| panic!("it does not open: {error}; seed {seed}, cut after {}", ops.len()));
    let look = crate::support::look(&path);
    let sound: String = look.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    let counted: (i64, i64) = look
        .query_row(&format!("SELECT ({COUNTED}), (SELECT count(*) FROM record)"), [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    let stored: HashSet<String> =
        texts(&look, "SELECT json_extract(data, '$.order_id') FROM record").into_iter().collect();
    let events: HashSet<String> =
        texts(&look, "SELECT json_extract(message, '$.trade_no') || ' ' || answered FROM event").into_iter().collect();
    store.close();
    let damage = store.replaced();
    if sound != "ok" || damage.is_some() || counted.0 != counted.1 {
        println!("damaged after {} operations: {sound} {damage:?} {counted:?}", ops.len());
        sums.damaged += 1;
    }
    let said: String =
        ops.iter().filter_map(|op| if let Op::Ack(text) = op { Some(text.as_str()) } else { None }).collect();
    let lines = words(&said);
    let received: HashSet<&String> = lines.iter().filter(|line| line[0] == "R").map(|line| &line[1]).collect();
    for line in &lines {
        match line[0].as_str() {
            "A" => {
                sums.acknowledged += 1;
                sums.lost += usize::from(!stored.contains(&line[1]) && !received.contains(&line[1]));
            }
            "C" => {
                let is_known = events.contains(&format!("{} 0", line[1])) || events.contains(&format!("{} 1", line[1]));
                sums.untold += usize::from(!is_known);
            }
            // The platform has an answer: it is kept for repeats.
            "P" => sums.untold += usize::from(!events.contains(&format!("{} 1", line[1]))),
            _ => {}
        }
    }
}
