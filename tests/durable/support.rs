//! A platform of a few lines, a folder that goes away, and looks into the store that do not pass through the library.

use crate::http_support::{Asked, Server, answer};
use parklink::config::{Config, Unknown};
use parklink::sdk::Sdk;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

pub const PATIENCE: Duration = Duration::from_secs(20);

/// A folder of our own; gone with the value.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("parklink-rig-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub fn store(&self) -> PathBuf {
        store_of(&self.0)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The store's file in a folder.
pub fn store_of(folder: &Path) -> PathBuf {
    folder.join("parklink-21782.db")
}

/// A connection of our own, for reading.
pub fn look(path: &Path) -> Connection {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    connection
}

/// How many records the store's file says to hold: those that it has counted, and those after them.
pub const COUNTED: &str = "SELECT ifnull((SELECT sum(records) FROM count WHERE span < listed / 2048), 0)
    + (SELECT count(*) FROM record WHERE id >= listed) FROM (SELECT value AS listed FROM meta WHERE name = 'listed')";

/// One number out of a store.
pub fn number(path: &Path, sql: &str) -> i64 {
    look(path).query_row(sql, [], |row| row.get(0)).unwrap()
}

/// Texts of one column.
pub fn texts(connection: &Connection, sql: &str) -> Vec<String> {
    let mut select = connection.prepare(sql).unwrap();
    select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// What the platform does with an upload.
#[derive(Debug, Clone)]
pub enum Act {
    /// Takes it.
    Yes,
    /// Refuses it in these words.
    No(&'static str),
    /// Answers just this; takes nothing.
    Says(&'static str),
    /// Answers this HTTP status, with `Retry-After` when given; takes nothing.
    Status(u16, Option<u32>),
    /// Closes the connection without having looked.
    Lose,
    /// Takes it, then closes the connection.
    TakeAndLose,
    /// Does not answer for so long; takes nothing.
    Hang(u64),
    /// Says that the token is unknown.
    DeadToken,
}

/// An upload as it came.
#[derive(Debug, Clone)]
pub struct Upload {
    pub service: String,
    pub data: Value,
    pub body: String,
    pub at: Instant,
    pub is_taken: bool,
}

impl Upload {
    pub fn order(&self) -> &str {
        self.data["order_id"].as_str().unwrap_or_default()
    }
}

type Judge = Box<dyn FnMut(&Upload) -> Act + Send>;

#[derive(Default)]
pub struct Desk {
    pub uploads: Vec<Upload>,
    pub downlinks: VecDeque<String>,
    pub tokens: u64,
    pub is_down: bool,
    judge: Option<Judge>,
}

impl Desk {
    /// Records that the platform took, by service and order.
    pub fn taken(&self) -> Vec<(String, String)> {
        let taken = self.uploads.iter().filter(|upload| upload.is_taken);
        taken.map(|upload| (upload.service.clone(), upload.order().to_owned())).collect()
    }

    pub fn count(&self, service: &str, order: &str) -> usize {
        self.taken().iter().filter(|taken| taken.0 == service && taken.1 == order).count()
    }
}

/// Bolink's HTTP mode, as far as a record needs it.
#[derive(Clone)]
pub struct Platform {
    pub port: u16,
    desk: Arc<(Mutex<Desk>, Condvar)>,
}

impl Platform {
    pub fn start() -> Platform {
        let desk = Arc::new((Mutex::new(Desk::default()), Condvar::new()));
        let inside = desk.clone();
        let server = Server::start(move |mut taken| {
            while let Some(asked) = taken.read() {
                match serve(&asked, &inside) {
                    Some(reply) => taken.write(&reply),
                    None => return,
                }
            }
        });
        Platform { port: server.port, desk }
    }

    pub fn with<T>(&self, look: impl FnOnce(&mut Desk) -> T) -> T {
        let result = look(&mut self.desk.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        self.desk.1.notify_all();
        result
    }

    /// From now on uploads are judged so.
    pub fn judge(&self, judge: impl FnMut(&Upload) -> Act + Send + 'static) {
        self.with(|desk| desk.judge = Some(Box::new(judge)));
    }

    pub fn until(&self, what: &str, wanted: impl Fn(&Desk) -> bool) {
        let desk = self.desk.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (desk, waited) = self.desk.1.wait_timeout_while(desk, PATIENCE, |desk| !wanted(desk)).unwrap();
        assert!(!waited.timed_out(), "never: {what}: {:?}", desk.uploads);
    }

    /// Down: nothing is answered and logins fail, as when the line is cut.
    pub fn down(&self, is_down: bool) {
        self.with(|desk| {
            desk.is_down = is_down;
            desk.tokens += 1;
        });
    }

    pub fn send(&self, message: &Value) {
        self.with(|desk| desk.downlinks.push_back(message.to_string()));
    }

    pub fn answers(&self, service: &str) -> Vec<Upload> {
        self.with(|desk| desk.uploads.iter().filter(|upload| upload.service == service).cloned().collect())
    }
}

fn serve(asked: &Asked, shared: &(Mutex<Desk>, Condvar)) -> Option<Vec<u8>> {
    let message: Value = serde_json::from_str(&asked.body).ok()?;
    let mut desk = shared.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if desk.is_down {
        return None;
    }
    let token = format!("t{}", desk.tokens);
    if message["service_name"] == "login" {
        return Some(answer(200, &json!({"state": 1, "token": token, "service_name": "login"}).to_string()));
    }
    if message["token"] != token.as_str() {
        return Some(answer(200, r#"{"state":0,"errmsg":"error:token无效"}"#));
    }
    if asked.line.contains("download.do") {
        let idle = |desk: &mut Desk| desk.downlinks.is_empty() && !desk.is_down && token == format!("t{}", desk.tokens);
        let (mut desk, _) = shared.1.wait_timeout_while(desk, Duration::from_secs(5), idle).unwrap();
        if desk.is_down || token != format!("t{}", desk.tokens) {
            return None;
        }
        let message = desk.downlinks.pop_front();
        shared.1.notify_all();
        return Some(message.map_or_else(|| answer(500, ""), |message| answer(200, &message)));
    }
    let mut upload = Upload {
        service: message["service_name"].as_str().unwrap_or_default().to_owned(),
        data: message["data"].clone(),
        body: asked.body.replace(&token, "T"),
        at: Instant::now(),
        is_taken: false,
    };
    let act = desk.judge.as_mut().map_or(Act::Yes, |judge| judge(&upload));
    upload.is_taken = matches!(act, Act::Yes | Act::TakeAndLose);
    let echo = json!({"state": 1, "errmsg": "", "service_name": upload.service, "order_id": upload.data["order_id"]});
    desk.uploads.push(upload);
    shared.1.notify_all();
    match act {
        Act::Yes => Some(answer(200, &echo.to_string())),
        Act::No(words) => Some(answer(200, &json!({"state": 0, "errmsg": words}).to_string())),
        Act::Says(body) => Some(answer(200, body)),
        Act::Status(status, None) => Some(answer(status, "{}")),
        Act::Status(status, Some(wait)) => {
            let head = format!("HTTP/1.1 {status} X\r\nRetry-After: {wait}\r\nContent-Length: 2\r\n\r\n{{}}");
            Some(head.into_bytes())
        }
        Act::Lose | Act::TakeAndLose => None,
        Act::Hang(ms) => {
            drop(desk);
            thread::sleep(Duration::from_millis(ms));
            None
        }
        Act::DeadToken => {
            desk.tokens += 1;
            Some(answer(200, r#"{"state":0,"errmsg":"error:token无效"}"#))
        }
    }
}

/// The lot's options: fast pauses, so that tests are.
pub fn options(folder: &Path, more: &Value) -> Value {
    let mut config = json!({
        "union_id": "200208", "park_id": "21782", "local_id": "rig", "ukey": "8403A41ED5EF20BC",
        "http": {"proxy": ""}, "store": {"dir": folder},
        "bolink": {"retry_first_ms": 20, "retry_longest_ms": 50, "request_timeout_ms": 3000},
        "cloud": {"retry_first_ms": 20, "retry_longest_ms": 50, "request_timeout_ms": 3000, "login_pause_ms": 0,
            "orders_per_second": 0},
        "outbox": {"retry_first_ms": 20, "retry_longest_ms": 60},
    });
    for (name, value) in more.as_object().unwrap() {
        match (config.get_mut(name), value) {
            (Some(Value::Object(known)), Value::Object(more)) => known.extend(more.clone()),
            _ => config[name] = value.clone(),
        }
    }
    config
}

pub fn config(folder: &Path, more: &Value) -> Config {
    Config::parse(&options(folder, more).to_string(), Unknown::Refuse).unwrap()
}

/// An open lot on the raw platform.
pub fn open(folder: &Path, port: u16, more: Value) -> Sdk {
    let mut all = json!({"bolink_addr": "127.0.0.1", "bport": port});
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Sdk::open(config(folder, &all)).unwrap()
}

pub fn entry(order: &str) -> Value {
    json!({"service_name": "in_park", "order_id": order, "car_number": "京A12345", "in_time": 1_490_875_218,
        "car_type": "小型车", "c_type": "通道扫牌", "uid": "1", "empty_plot": 7, "in_channel_id": "1"})
}

pub fn exit(order: &str) -> Value {
    json!({"service_name": "out_park", "order_id": order, "car_number": "京A12345", "in_time": 1_490_875_218,
        "out_time": 1_490_876_218, "car_type": "小型车", "c_type": "通道扫牌", "uid": "1", "out_uid": "1", "pay_type": "cash",
        "auth_code": "", "empty_plot": 7, "total": 10, "amount_receivable": 10, "out_channel_id": "1"})
}

pub fn prepay(trade_no: &str) -> Value {
    json!({"service_name": "prepay_order", "car_number": "京A12345", "order_id": "A1", "park_id": "21782", "prepay": 5,
        "trade_no": trade_no, "pay_channel": 1, "query_time": 1, "pay_time": 2, "arrive_money": 5, "fee": 0,
        "account_type": 1, "remark": "", "pay_user_id": ""})
}

/// Waits until something is so.
pub fn until(what: &str, wanted: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !wanted() {
        assert!(Instant::now() < end, "never: {what}");
        thread::sleep(Duration::from_millis(3));
    }
}

/// How often each thing comes.
pub fn tally<T: std::hash::Hash + Eq>(things: impl IntoIterator<Item = T>) -> HashMap<T, usize> {
    let mut counts = HashMap::new();
    for thing in things {
        *counts.entry(thing).or_default() += 1;
    }
    counts
}

/// A number from the environment.
pub fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Small random numbers; the seed is printed by whoever uses them.
pub struct Dice(pub u64);

impl Dice {
    pub fn seeded() -> Dice {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Dice(setting("RIG_SEED", now.as_nanos() as u64) | 1)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit.max(1)
    }
}
