//! Programs that the tests start, kill and hinder: this same test program, called again.

use crate::support::{Act, Platform, config, entry, prepay, store_of};
use parklink::error::Code;
use parklink::sdk::Sdk;
use serde_json::{Value, json};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

/// A child in a mode, with a folder of its own.
pub fn command(mode: &str, folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["child::child", "--exact", "--nocapture", "--test-threads=1"]);
    command.env("RIG_CHILD", mode).env("RIG_STORE", folder.join("store")).env("RIG_ACKS", folder.join("acks"));
    command.env("RIG_FOLDER", folder.join("store"));
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::env::var("RIG_LOUD").map_or_else(|_| Stdio::null(), |_| Stdio::inherit()));
    command
}

/// Lines a child wrote before it died.
pub fn lines(folder: &Path) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(folder.join("acks")).unwrap_or_default();
    words(&text)
}

pub fn words(text: &str) -> Vec<Vec<String>> {
    text.lines().map(|line| line.split(' ').map(str::to_owned).collect()).collect()
}

/// Ends with the value.
pub struct Ended(pub Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[derive(Clone)]
struct Acks(Arc<File>);

impl Acks {
    fn open() -> Acks {
        let path = std::env::var("RIG_ACKS").unwrap();
        Acks(Arc::new(OpenOptions::new().create(true).append(true).open(path).unwrap()))
    }

    /// One write: it is there whole, whenever the process ends.
    fn line(&self, text: &str) {
        (&*self.0).write_all(format!("{text}\n").as_bytes()).unwrap();
    }
}

/// Not a test: what the others start.
#[test]
fn child() {
    let Ok(mode) = std::env::var("RIG_CHILD") else { return };
    let folder = PathBuf::from(std::env::var("RIG_STORE").unwrap());
    let more: Value = serde_json::from_str(&std::env::var("RIG_OPTIONS").unwrap_or("{}".into())).unwrap();
    let passed = match mode.as_str() {
        "lot" => lot(&folder, &more, true),
        "drain" => lot(&folder, &more, false),
        "alone" => alone(&folder, &more),
        "day" => day(&folder, &more),
        "open" => open_only(&folder, &more),
        #[cfg(target_os = "linux")]
        "full" => crate::troubles::full_disk(&folder),
        #[cfg(target_os = "linux")]
        "clock" => crate::troubles::clock(&folder),
        #[cfg(target_os = "linux")]
        "backlog" => crate::order::backlog(&folder),
        other => panic!("{other}"),
    };
    // No clean-up of the harness between this and the end.
    std::process::exit(if passed { 0 } else { 3 });
}

fn listen(sdk: &Arc<OnceLock<Sdk>>, acks: &Acks) {
    let (inside, acks) = (sdk.clone(), acks.clone());
    let handler = move |event: &parklink::sdk::Event| {
        let trade = event.data["trade_no"].as_str().unwrap_or("?");
        acks.line(&format!("C {trade} {}", event.redelivered));
        // The work that the payment is for.
        thread::sleep(Duration::from_millis(2));
        if let Some(sdk) = inside.get() {
            let answer = json!({"state": 1, "prepay": "5", "park_id": "21782", "data_target": "bolink"});
            if let Err(error) = sdk.reply(event.id, &answer.to_string()) {
                acks.line(&format!("E reply {}", error.code.name()));
            }
        }
    };
    sdk.get().unwrap().on_downlink(Some(Box::new(handler))).unwrap();
}

/// Submits until it is killed; or sends what is left and ends.
fn lot(folder: &Path, more: &Value, is_busy: bool) -> bool {
    let acks = Acks::open();
    let sdk = Arc::new(OnceLock::new());
    sdk.get_or_init(|| Sdk::open(config(folder, more)).unwrap());
    listen(&sdk, &acks);
    let lot = sdk.get().unwrap();
    if std::env::var_os("RIG_LOUD").is_some() {
        let begun = Instant::now();
        lot.on_log(Some(Box::new(move |_, line| eprintln!("{:?} {line}", begun.elapsed())))).unwrap();
    }
    if !is_busy {
        let left = lot.flush(Duration::from_secs(120)).unwrap();
        thread::sleep(Duration::from_millis(500));
        lot.close(Duration::from_secs(10)).unwrap();
        return left == 0;
    }
    let count = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let order = format!("{}-{}", std::process::id(), count.fetch_add(1, Ordering::Relaxed));
                    let ticket = lot.submit(&entry(&order).to_string()).unwrap();
                    acks.line(&format!("A {order} {ticket}"));
                    thread::sleep(Duration::from_millis(25));
                    // The cloud takes nine a second.
                    while lot.status()["outbox"]["total"]["records"].as_i64() > Some(80) {
                        thread::sleep(Duration::from_millis(25));
                    }
                }
            });
        }
    });
    true
}

/// With a platform of its own in the same process, so that one journal tells the order of everything.
fn alone(folder: &Path, more: &Value) -> bool {
    let acks = Acks::open();
    let platform = Platform::start();
    let judging = acks.clone();
    platform.judge(move |upload| {
        let what = if upload.service == "prepay_order" { "P" } else { "R" };
        judging.line(&format!("{what} {}", upload.order()));
        Act::Yes
    });
    let sdk = Arc::new(OnceLock::new());
    let mut all = json!({"bolink_addr": "127.0.0.1", "bport": platform.port});
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    sdk.get_or_init(|| Sdk::open(config(folder, &all)).unwrap());
    listen(&sdk, &acks);
    let lot = sdk.get().unwrap();
    let records: u64 = std::env::var("RIG_RECORDS").unwrap().parse().unwrap();
    thread::scope(|scope| {
        for thread in 0..2 {
            let (acks, platform) = (&acks, &platform);
            scope.spawn(move || {
                for at in 0..records / 2 {
                    let order = format!("{thread}-{at}");
                    let ticket = lot.submit(&entry(&order).to_string()).unwrap();
                    acks.line(&format!("A {order} {ticket}"));
                    if at % 16 == thread {
                        let trade = format!("T{thread}-{at}");
                        let mut message = prepay(&trade);
                        message["order_id"] = trade.into();
                        platform.send(&message);
                    }
                }
            });
        }
    });
    let left = lot.flush(Duration::from_secs(60)).unwrap();
    lot.close(Duration::from_secs(5)).unwrap();
    left == 0
}

/// A small lot's day, told step by step; errors are welcome, if they are told.
fn day(folder: &Path, more: &Value) -> bool {
    let acks = Acks::open();
    let platform = Platform::start();
    let judging = acks.clone();
    platform.judge(move |upload| {
        let what = if upload.service == "prepay_order" { "P" } else { "R" };
        judging.line(&format!("{what} {}-{}", upload.service, upload.order()));
        Act::Yes
    });
    let mut all = json!({"bolink_addr": "127.0.0.1", "bport": platform.port,
        "bolink": {"request_timeout_ms": 400, "connect_timeout_ms": 400}});
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    for half in ["morning", "evening"] {
        let sdk = Arc::new(OnceLock::new());
        match Sdk::open(config(folder, &all)) {
            Ok(opened) => sdk.get_or_init(|| opened),
            Err(error) => {
                acks.line(&format!("E open {}", error.code.name()));
                continue;
            }
        };
        listen(&sdk, &acks);
        let lot = sdk.get().unwrap();
        let _ = lot.wait_ready(Duration::from_millis(300));
        let mut payment = prepay(half);
        payment["order_id"] = half.into();
        platform.send(&payment);
        for at in 0..3 {
            let order = format!("{half}-{at}");
            match lot.submit(&entry(&order).to_string()) {
                Ok(_) => acks.line(&format!("A inpark-{order}")),
                Err(error) => acks.line(&format!("E submit {}", error.code.name())),
            }
            let outcome = lot.upload(&crate::support::exit(&order).to_string());
            match outcome.error.map(|error| error.code) {
                None | Some(Code::Queued) => acks.line(&format!("A outpark-{order}")),
                Some(code) => acks.line(&format!("E upload {}", code.name())),
            }
        }
        let _ = lot.flush(Duration::from_millis(700));
        // The handler holds the handle, so it goes first.
        lot.on_downlink(None).unwrap();
        if let Err(error) = lot.close(Duration::from_secs(2)) {
            acks.line(&format!("E close {}", error.code.name()));
        }
    }
    acks.line("DONE");
    true
}

/// Opens, submits one record, tells the code.
fn open_only(folder: &Path, more: &Value) -> bool {
    let acks = Acks::open();
    let mut all = json!({"bolink_addr": "127.0.0.1", "bport": 1});
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    match Sdk::open(config(folder, &all)) {
        Err(error) => acks.line(&format!("E {} {}", error.code.name(), error.message)),
        Ok(sdk) => match sdk.submit(&entry("A1").to_string()) {
            Ok(_) => acks.line(&format!("A {}", store_of(folder).display())),
            Err(error) => acks.line(&format!("E {} {}", error.code.name(), error.message)),
        },
    }
    true
}

/// Waits for a child, and ends one that hangs.
pub fn wait(child: &mut Child, patience: Duration) -> Option<std::process::ExitStatus> {
    let end = Instant::now() + patience;
    while Instant::now() < end {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(5));
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}
