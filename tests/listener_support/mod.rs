//! A handle that listens, a client of bytes, and signatures made by hand.
#![allow(dead_code, missing_docs)]

use md5::{Digest, Md5};
use parklink::config::{Config, Unknown};
use parklink::sdk::{Event, Sdk};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::{Duration, Instant};

pub const KEY: &str = "NQ0eSXs720170114";
pub const NO: &str = "9827c6b5c6d94485b912b6e90c92a7ae";
pub const ETCP_KEY: &str = "noxxxxx";

pub fn md5(text: &str) -> String {
    Md5::digest(text).iter().map(|byte| format!("{byte:02X}")).collect()
}

/// The body of a push of the open API.
pub fn union(data: &Value) -> String {
    let text = data.to_string();
    format!("{{\"data\":{text},\"sign\":\"{}\"}}", md5(&format!("{text}key={KEY}")))
}

/// The body of a push of ETCP's, signed over its text without the signature.
pub fn etcp(members: &Value) -> String {
    let text = members.to_string();
    let sign = md5(&format!("{NO}{text}{ETCP_KEY}"));
    format!("{},\"signment\":\"{sign}\"}}", text.strip_suffix('}').unwrap())
}

/// A handle, and what its callback was called with.
pub struct Bench {
    pub sdk: Arc<Sdk>,
    pub heard: Arc<Mutex<Vec<Value>>>,
    pub port: u16,
}

pub fn parse(options: &Value) -> Config {
    let mut config = json!({
        "union_id": "200188", "ukey": KEY, "park_id": "20003",
        "etcp": {"merchant_no": NO, "merchant_key": ETCP_KEY},
        "listen": {"addr": "127.0.0.1:0"},
    });
    for (group, value) in options.as_object().unwrap() {
        match value {
            Value::Object(members) => members.iter().for_each(|(name, value)| config[group][name] = value.clone()),
            value => config[group] = value.clone(),
        }
    }
    Config::parse(&config.to_string(), Unknown::Refuse).unwrap()
}

impl Bench {
    /// Opens a handle whose callback answers what `reply` says; `None`: nothing.
    pub fn open(options: Value, reply: impl Fn(&Value) -> Option<Value> + Send + 'static) -> Bench {
        let sdk = Arc::new(Sdk::open(parse(&options)).unwrap());
        let heard = Arc::<Mutex<Vec<Value>>>::default();
        let (handle, list) = (Arc::new(OnceLock::<Weak<Sdk>>::new()), heard.clone());
        handle.set(Arc::downgrade(&sdk)).unwrap();
        let handler = move |event: &Event| {
            let shown: Value = serde_json::from_str(&event.json()).unwrap();
            list.lock().unwrap().push(shown.clone());
            if let (Some(reply), Some(sdk)) = (reply(&shown), handle.get().unwrap().upgrade()) {
                sdk.reply(event.id, &reply.to_string()).unwrap();
            }
        };
        sdk.on_downlink(Some(Box::new(handler))).unwrap();
        let addr = sdk.status()["listener"]["addr"].as_str().unwrap().to_owned();
        let port = addr.rsplit(':').next().unwrap().parse().unwrap();
        Bench { sdk, heard, port }
    }

    /// A handle whose callback says yes to everything.
    pub fn yes(options: Value) -> Bench {
        Bench::open(options, |_| Some(json!({"state": 1, "errmsg": ""})))
    }

    /// Closes it, so that its store is free for the next.
    pub fn close(self) {
        self.sdk.close(Duration::from_secs(5)).unwrap();
        drop(self);
    }

    pub fn calls(&self) -> usize {
        self.heard.lock().unwrap().len()
    }

    /// Waits until the callback was called.
    pub fn await_call(&self) {
        let begun = Instant::now();
        while self.calls() == 0 {
            assert!(begun.elapsed() < Duration::from_secs(10), "nobody was called");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn connect(&self) -> Client {
        Client::connect(self.port)
    }

    pub fn push(&self, path: &str, body: &str) -> Answered {
        self.connect().post(path, body)
    }

    pub fn status(&self, name: &str) -> u64 {
        self.sdk.status()["listener"][name].as_u64().unwrap()
    }
}

/// What came back.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answered {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A connection.
pub struct Client {
    pub reader: BufReader<TcpStream>,
}

pub fn request(path: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: h\r\nContent-Type: application/json;charset=utf-8\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

impl Client {
    pub fn connect(port: u16) -> Client {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
        Client { reader: BufReader::new(stream) }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.reader.get_mut().write_all(bytes.as_ref()).is_ok()
    }

    pub fn post(&mut self, path: &str, body: &str) -> Answered {
        assert!(self.send(request(path, body)));
        self.read().expect("an answer")
    }

    /// The next answer; `None` when the connection ended.
    pub fn read(&mut self) -> Option<Answered> {
        read(&mut self.reader)
    }
}

pub fn read(reader: &mut impl BufRead) -> Option<Answered> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
    let status = line.split(' ').nth(1)?.parse().ok()?;
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut answered = Answered { status, headers, body: Vec::new() };
    let length = answered.header("content-length").map_or(0, |length| length.parse().unwrap());
    answered.body = vec![0; length];
    reader.read_exact(&mut answered.body).ok()?;
    Some(answered)
}

pub fn price(number: &str) -> Value {
    json!({"service_name": "query_price", "car_number": "京HP00G6", "order_id": "10000", "park_id": "20003",
           "pay_scene": 0, "query_order_no": number, "out_channel_id": "A1"})
}

/// The result of a charge (API 5.5).
pub fn charged(trade_no: &str) -> Value {
    json!({"service_name": "outpark", "state": 1, "remark": "收到停车费", "arrive_money": 0.01, "account_type": 1,
           "fee": 0.0, "park_id": "20003", "order_id": "10000", "trade_no": trade_no, "pay_type": "etc",
           "pay_time": 1490876000, "total": 0.01, "errmsg": "支付成功"})
}

/// A folder of this test, and the option that puts a store there.
pub fn store_options(name: &str) -> (std::path::PathBuf, Value) {
    let dir = std::env::temp_dir().join(format!("parklink-listener-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    let options = json!({"store": {"dir": dir.to_str().unwrap()}});
    (dir, options)
}
