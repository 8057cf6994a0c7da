//! Raw clients of the open API and ETCP, and a vendor's own server that takes their pushes.

use crate::client::{Sandbox, UKEY, exchange, http};
use md5::{Digest, Md5};
use parklink::wire::sign::keyed;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

pub const MERCHANT: &str = "9827c6b5c6d94485b912b6e90c92a7ae";
pub const MERCHANT_KEY: &str = "noxxxxx";

pub fn md5(text: &str) -> String {
    Md5::digest(text).iter().map(|byte| format!("{byte:02X}")).collect()
}

/// A call of the open API with union_id inside data.
pub fn inside(sandbox: &Sandbox, path: &str, data: Value) -> Value {
    let mut data = data;
    if data.get("union_id").is_none() {
        data["union_id"] = 200_208.into();
    }
    let text = data.to_string();
    raw(sandbox, path, &format!("{{\"data\":{text},\"sign\":\"{}\"}}", keyed(&text, UKEY)))
}

/// A call of the open API with union_id beside data.
pub fn beside(sandbox: &Sandbox, path: &str, data: Value) -> Value {
    let text = data.to_string();
    let sign = keyed(&text, UKEY);
    raw(sandbox, path, &format!("{{\"union_id\":200208,\"sign\":\"{sign}\",\"data\":{text}}}"))
}

pub fn raw(sandbox: &Sandbox, path: &str, body: &str) -> Value {
    let (status, value) = http("POST", &format!("{}{path}", sandbox.union), body);
    assert_eq!(status, 200, "{path}");
    value
}

/// Beijing's clock, in the form of time stamps.
pub fn stamp(ahead: i64) -> String {
    let at = chrono::Utc::now() + chrono::TimeDelta::seconds(8 * 3600 + ahead);
    at.format("%Y%m%d%H%M%S").to_string()
}

pub fn beijing(ahead: i64) -> String {
    let at = chrono::Utc::now() + chrono::TimeDelta::seconds(8 * 3600 + ahead);
    at.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// Which calls are GET.
const GETS: [&str; 3] = ["uservalidatecode", "orderhistory", "orderunpay"];

fn encoded(text: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    text.bytes().map(|byte| if keep(byte) { (byte as char).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// A signed call of ETCP.
pub fn etcp(sandbox: &Sandbox, name: &str, data: &Value) -> Value {
    let time = stamp(0);
    etcp_raw(sandbox, name, &data.to_string(), &time, MERCHANT, MERCHANT_KEY)
}

pub fn etcp_raw(sandbox: &Sandbox, name: &str, data: &str, time: &str, merchant: &str, key: &str) -> Value {
    let sign = md5(&format!("{data}{key}{time}"));
    let form = format!("merchant_no={merchant}&time_stamp={time}&sign={sign}&data={}", encoded(data));
    etcp_form(sandbox, name, &form)
}

pub fn etcp_form(sandbox: &Sandbox, name: &str, form: &str) -> Value {
    let host = sandbox.etcp.strip_prefix("http://").expect("http");
    let path = format!("/merchant/open/1.0.0/openapi/{name}");
    let request = match GETS.contains(&name) {
        true => format!("GET {path}?{form} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"),
        false => format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
             Content-Type: application/x-www-form-urlencoded;charset=utf-8\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        ),
    };
    let answer = exchange(host, &request);
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    serde_json::from_str(body).expect("JSON")
}

/// A code of ETCP: the whole of what a refusal says.
pub fn code(answer: &Value) -> i64 {
    answer["code"].as_i64().expect("a code")
}

/// Logs a phone in; gives the token.
pub fn signed_in(sandbox: &Sandbox, phone: &str) -> String {
    let answer = etcp(sandbox, "usersignin", &json!({"mobilePhone": phone, "appId": "ETCP"}));
    assert_eq!(code(&answer), 0, "{answer}");
    answer["data"]["token"].as_str().expect("a token").to_owned()
}

/// A request that a vendor's server got.
pub struct Got {
    pub head: String,
    pub body: String,
}

impl Got {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    /// The text of data as it came.
    pub fn data(&self) -> String {
        let parts: std::collections::BTreeMap<String, Box<serde_json::value::RawValue>> =
            serde_json::from_str(&self.body).expect("an object");
        parts["data"].get().to_owned()
    }
}

/// A vendor's server: one request a connection, answered as the test wants.
pub struct Vendor {
    pub url: String,
    pub got: Receiver<Got>,
}

impl Vendor {
    /// Answers each push by its number (from 0) and what it is; nothing: closes without an answer.
    pub fn start(answer: impl Fn(usize, &Got) -> Option<(u16, String)> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/push", listener.local_addr().expect("its address"));
        let (sender, got) = channel();
        std::thread::spawn(move || {
            for (count, stream) in listener.incoming().enumerate() {
                let Ok(mut stream) = stream else { return };
                let mut read = Vec::new();
                let mut buffer = [0; 4096];
                let request = loop {
                    let Ok(length) = stream.read(&mut buffer) else { return };
                    read.extend_from_slice(&buffer[..length]);
                    let text = String::from_utf8_lossy(&read).into_owned();
                    let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                    let wanted = head.lines().find_map(|line| {
                        line.to_lowercase().strip_prefix("content-length: ").and_then(|size| size.parse::<usize>().ok())
                    });
                    if Some(body.len()) == wanted {
                        break Got { head: head.to_owned(), body: body.to_owned() };
                    }
                };
                if let Some((status, text)) = answer(count, &request) {
                    let reply = format!(
                        "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{text}",
                        text.len()
                    );
                    let _ = stream.write_all(reply.as_bytes());
                }
                if sender.send(request).is_err() {
                    return;
                }
            }
        });
        Vendor { url, got }
    }

    /// Says yes to everything, echoing the numbers.
    pub fn willing() -> Self {
        Self::start(|_, got| {
            let push = got.json();
            let data = if push["data"].is_object() { &push["data"] } else { &push };
            let mut reply = json!({"state": 1, "code": 0, "message": "ok"});
            for name in [
                "service_name",
                "trade_no",
                "order_id",
                "query_order_no",
                "prepay",
                "car_number",
                "timetemp",
                "channel_id",
                "operate",
                "liftrod_id",
            ] {
                if let Some(value) = data.get(name) {
                    reply[name] = value.clone();
                }
            }
            Some((200, reply.to_string()))
        })
    }

    pub fn next(&self) -> Got {
        self.got.recv_timeout(Duration::from_secs(10)).expect("a push")
    }

    /// Nothing comes.
    pub fn silent(&self) {
        assert!(self.got.recv_timeout(Duration::from_millis(150)).is_err(), "no push was expected");
    }
}
