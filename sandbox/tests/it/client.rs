//! A running sandbox, and plain clients of it.

use parklink::wire::sign::keyed;
use serde_json::{Value, json};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Keys of the default lot.
pub const CKEY: &str = "WERRTTTTYY";
pub const UKEY: &str = "8403A41ED5EF20BC";

/// How long an answer may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long nothing has to come before it counts as no answer.
const SILENCE: Duration = Duration::from_millis(120);

/// A file of our own.
pub fn own_file(what: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("parklink-sandbox-test-{}-{count}-{what}", std::process::id());
    std::env::temp_dir().join(name)
}

pub struct Sandbox {
    pub program: Child,
    pub ready_file: PathBuf,
    pub cloud: String,
    pub bolink: String,
    pub union: String,
    pub etcp: String,
    pub control: String,
}

impl Sandbox {
    pub fn start() -> Self {
        Self::with(&[])
    }

    pub fn with(options: &[&str]) -> Self {
        Self::launch(&[options, &["--quiet"]].concat(), Stdio::inherit())
    }

    pub fn launch(options: &[&str], log: Stdio) -> Self {
        let ready_file = own_file("ready.json");
        let mut program = Command::new(env!("CARGO_BIN_EXE_parklink-sandbox"))
            .args(["--control-port", "0"])
            .arg("--ready-file")
            .arg(&ready_file)
            .args(options)
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the sandbox starts");
        let end = Instant::now() + PATIENCE;
        let text = loop {
            if let Ok(text) = std::fs::read_to_string(&ready_file) {
                break text;
            }
            assert!(program.try_wait().expect("its state").is_none(), "the sandbox ended");
            assert!(Instant::now() < end, "the sandbox is not ready");
            std::thread::sleep(Duration::from_millis(2));
        };
        let addresses: Value = serde_json::from_str(&text).expect("whole JSON");
        let address = |name: &str| addresses[name].as_str().expect(name).to_owned();
        Sandbox {
            program,
            ready_file,
            cloud: address("cloud"),
            bolink: address("bolink"),
            union: address("union"),
            etcp: address("etcp"),
            control: address("control"),
        }
    }

    /// A connection to the cloud, without a login.
    pub fn connect(&self) -> Cloud {
        let stream = TcpStream::connect(&self.cloud).expect("the cloud listens");
        Cloud { stream, read: Vec::new(), token: String::new() }
    }

    /// A connection that logged in as this client of the default lot.
    pub fn client(&self, local_id: &str) -> Cloud {
        let mut client = self.connect();
        client.log_in(local_id);
        client
    }

    pub fn state(&self) -> Value {
        http("GET", &format!("{}/state", self.control), "").1
    }

    /// Asks the control API; the answer must be a success.
    pub fn control(&self, page: &str, body: &Value) -> Value {
        let (status, value) = http("POST", &format!("{}{page}", self.control), &body.to_string());
        assert_eq!(status, 200, "{page}: {value}");
        value
    }

    /// Waits until something in the state is as wanted.
    pub fn until(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            let state = self.state();
            if wanted(&state) {
                return state;
            }
            assert!(Instant::now() < end, "never happened: {what}: {state}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.program.kill();
        let _ = self.program.wait();
        let _ = std::fs::remove_file(&self.ready_file);
    }
}

/// A client of the cloud link.
pub struct Cloud {
    pub stream: TcpStream,
    read: Vec<u8>,
    pub token: String,
}

/// One line as an SDK sends it; `data` is signed as it stands.
pub fn line(service: &str, token: &str, data: &str, key: &str) -> String {
    let token = if token.is_empty() { String::new() } else { format!("\"token\":\"{token}\",") };
    format!("{{\"service_name\":\"{service}\",\"sign\":\"{}\",{token}\"data\":{data}}}\n", keyed(data, key))
}

impl Cloud {
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("sent");
    }

    /// The next frame: exactly LF, text, CR.
    pub fn frame(&mut self) -> String {
        self.frame_within(PATIENCE).expect("an answer comes")
    }

    pub fn json(&mut self) -> Value {
        let text = self.frame();
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text:?}"))
    }

    pub fn frame_within(&mut self, wait: Duration) -> Option<String> {
        let end = Instant::now() + wait;
        loop {
            if let Some(at) = self.read.iter().position(|byte| *byte == b'\r') {
                let rest = self.read.split_off(at + 1);
                let frame = std::mem::replace(&mut self.read, rest);
                assert_eq!(frame.first(), Some(&b'\n'), "a frame begins with LF: {frame:?}");
                let text = String::from_utf8(frame[1..at].to_vec()).expect("UTF-8");
                assert!(!text.contains('\n'), "one LF only: {text:?}");
                return Some(text);
            }
            let left = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
            self.stream.set_read_timeout(Some(left)).expect("timeout");
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer) {
                Ok(0) => panic!("closed while a frame was expected"),
                Ok(count) => self.read.extend_from_slice(&buffer[..count]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Nothing comes.
    pub fn silent(&mut self) {
        let frame = self.frame_within(SILENCE);
        assert_eq!(frame, None, "no answer was expected");
    }

    /// The connection is closed by the other side, and nothing more comes.
    pub fn closed(&mut self) {
        assert!(self.read.is_empty(), "unread: {:?}", String::from_utf8_lossy(&self.read));
        self.stream.set_read_timeout(Some(PATIENCE)).expect("timeout");
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => assert!(rest.is_empty(), "more came: {rest:?}"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "not closed"),
        }
    }

    /// The connection is open: a line is still answered.
    pub fn open(&mut self) {
        self.send("{}\n");
        assert_eq!(self.json()["errmsg"], "未识别到service_name标记");
    }

    pub fn log_in(&mut self, local_id: &str) {
        let answer = self.try_login(&json!({"park_id": "21782", "local_id": local_id}).to_string(), CKEY);
        assert_eq!(answer["state"], 1, "{answer}");
        self.token = answer["token"].as_str().expect("token").to_owned();
    }

    pub fn try_login(&mut self, data: &str, key: &str) -> Value {
        self.send(line("login", "", data, key));
        self.json()
    }

    pub fn request(&mut self, service: &str, data: &Value) {
        // Sent as it stands, signed in normal form.
        let normal = parklink::wire::normal::text(&data.clone().into()).expect("a normal form");
        let text = line(service, &self.token, &normal, CKEY).replace(&normal, &data.to_string());
        self.send(text);
    }

    /// A request and its answer.
    pub fn call(&mut self, service: &str, data: &Value) -> Value {
        self.request(service, data);
        self.json()
    }

    /// A request that is answered without words.
    pub fn call_empty(&mut self, service: &str, data: &Value) {
        self.request(service, data);
        assert_eq!(self.frame(), "", "{service}");
    }

    pub fn beat(&mut self) {
        self.send("0x11\n");
    }

    pub fn close(self) {
        self.stream.shutdown(Shutdown::Both).expect("closed");
    }
}

/// One HTTP request on a connection of its own; gives status and JSON (null when it is none).
pub fn http(method: &str, url: &str, body: &str) -> (u16, Value) {
    let answer = try_http(method, url, body).expect("an HTTP answer");
    (answer.0, serde_json::from_str(&answer.1).unwrap_or_default())
}

/// The same; nothing when the connection broke.
pub fn try_http(method: &str, url: &str, body: &str) -> Option<(u16, String)> {
    let mut stream = http_begin(method, url, body);
    stream.set_read_timeout(Some(PATIENCE)).expect("timeout");
    let mut answer = Vec::new();
    // A reset is a broken connection too.
    let _ = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
    let length: usize = length?.trim().parse().ok()?;
    (body.len() == length).then(|| (status, body.to_owned()))
}

/// Sends a request and leaves it open.
pub fn http_begin(method: &str, url: &str, body: &str) -> TcpStream {
    let rest = url.strip_prefix("http://").expect("http");
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let mut stream = TcpStream::connect(host).expect("it listens");
    let length = body.len();
    let text = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
         Content-Type: application/json;charset=utf-8\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(text.as_bytes()).expect("sent");
    stream
}

/// Sends a request as it stands; gives the whole answer.
pub fn exchange(host: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(host).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("timeout");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = Vec::new();
    // A reset is an end too.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// A client of Bolink.
pub struct Bolink<'a> {
    pub sandbox: &'a Sandbox,
    pub token: String,
}

impl<'a> Bolink<'a> {
    pub fn log_in(sandbox: &'a Sandbox, local_id: &str) -> Self {
        let data = json!({"union_id": "200208", "park_id": "21782", "local_id": local_id});
        let mut client = Bolink { sandbox, token: String::new() };
        let answer = client.upload("login", &data.to_string(), UKEY);
        assert_eq!(answer["state"], 1, "{answer}");
        client.token = answer["token"].as_str().expect("token").to_owned();
        client
    }

    /// Uploads data that is signed as it stands.
    pub fn upload(&self, service: &str, data: &str, key: &str) -> Value {
        let body = line(service, &self.token, data, key);
        http("POST", &format!("{}/bpd/upload.do", self.sandbox.bolink), &body).1
    }

    pub fn call(&self, service: &str, data: &Value) -> Value {
        self.upload(service, &data.to_string(), UKEY)
    }

    pub fn poll(&self) -> Value {
        let body = json!({"token": self.token}).to_string();
        http("POST", &format!("{}/bpd/download.do", self.sandbox.bolink), &body).1
    }
}
