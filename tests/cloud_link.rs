//! The cloud link against a cloud of a few lines: what a defect of ours leaves behind, and what the log tells.

use parklink::catalogue::Platform;
use parklink::config::{Config, Unknown};
use parklink::error::Error;
use parklink::link::cloud::CloudLink;
use parklink::link::{Link, Members, Request, RequestKind, Sink};
use parklink::log::{Level, Log};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// What goes with every reply to an upload, before it.
const DOWNLINK: &str = "\n{\"service_name\":\"lock_car\",\"data\":{\"order_id\":\"A9\"}}\r";

fn token(connection: usize) -> String {
    format!("{connection:032x}")
}

/// Answers logins and uploads; the number of its connections is what it returns beside its port.
fn cloud() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(AtomicUsize::new(0));
    let count = connections.clone();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let number = count.fetch_add(1, Ordering::Relaxed) + 1;
            thread::spawn(move || serve(stream.unwrap(), number));
        }
    });
    (port, connections)
}

fn serve(stream: TcpStream, number: usize) {
    let mut out = stream.try_clone().unwrap();
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        let message: Value = serde_json::from_str(&line).unwrap();
        let service = &message["service_name"];
        let text = match service == "login" {
            true => format!("\n{}\r", json!({"service_name": service, "state": 1, "token": token(number)})),
            false => {
                let reply =
                    json!({"service_name": service, "state": 1, "errmsg": "", "order_id": message["data"]["order_id"]});
                format!("{DOWNLINK}\n{reply}\r")
            }
        };
        if out.write_all(text.as_bytes()).is_err() {
            return;
        }
    }
}

/// Fails on the first downlink that comes on a thread of which this is true.
struct Defect {
    is_there: fn() -> bool,
    fails: AtomicUsize,
}

impl Sink for Defect {
    fn received(&self, _: Platform, _: Members) {
        if (self.is_there)() && self.fails.fetch_add(1, Ordering::Relaxed) == 0 {
            panic!("a defect that the test put there");
        }
    }
}

fn is_reader() -> bool {
    thread::current().name() == Some("parklink-cloud-r")
}

struct Bench {
    link: Arc<CloudLink>,
    sink: Arc<Defect>,
    log: Arc<Log>,
    lines: Arc<Mutex<Vec<String>>>,
}

fn open(port: u16, is_there: fn() -> bool) -> Bench {
    let config = json!({
        "park_id": "1", "ckey": "WERRTTTTYY", "cloud_addr": "127.0.0.1", "cport": port, "http": {"proxy": ""},
        "set_params": {"usb_key": "USBKEY1"},
        "cloud": {"retry_first_ms": 20, "retry_longest_ms": 40, "orders_per_second": 0, "requests_per_window": 0},
    });
    let config = Config::parse(&config.to_string(), Unknown::Refuse).unwrap();
    let log = Log::new(Level::Trace);
    let lines = Arc::new(Mutex::new(Vec::new()));
    let written = lines.clone();
    log.set_tap(Some(Box::new(move |_, line| written.lock().unwrap().push(line))));
    let (log, sink) = (Arc::new(log), Arc::new(Defect { is_there, fails: AtomicUsize::new(0) }));
    let link = Arc::new(CloudLink::open(&config, log.clone(), sink.clone()).unwrap());
    // Dropping it would wait for its threads: a test that fails must not.
    std::mem::forget(link.clone());
    Bench { link, sink, log, lines }
}

impl Bench {
    fn send(&self, data: Value) -> Result<Members, Error> {
        let parklink::json::Value::Object(data) = data.into() else { panic!("an object") };
        let (service, deadline) = ("upload_log".into(), Instant::now() + Duration::from_secs(1));
        let request = Request { interface: None, service, data: data.into(), deadline, kind: RequestKind::Live };
        self.link.begin(request)?()
    }

    /// Uploads until one is answered and that is true.
    fn works(&self, and: impl Fn() -> bool) {
        let end = Instant::now() + PATIENCE;
        for number in 0.. {
            let outcome = catch_unwind(AssertUnwindSafe(|| self.send(json!({"order_id": format!("A{number}")}))));
            if matches!(outcome, Ok(Ok(_))) && and() {
                return;
            }
            assert!(Instant::now() < end, "{outcome:?}, {}", self.link.status());
        }
    }

    fn shuts(&self) {
        let (done, end) = mpsc::channel();
        let link = self.link.clone();
        thread::spawn(move || {
            link.shut();
            let _ = done.send(());
        });
        end.recv_timeout(PATIENCE).expect("the link shuts");
    }
}

#[test]
fn a_defect_on_the_reading_thread_costs_the_connection_and_not_the_link() {
    let (port, connections) = cloud();
    let bench = open(port, is_reader);
    bench.works(|| connections.load(Ordering::Relaxed) == 2);
    assert_eq!(bench.link.status()["state"], "up");
    bench.shuts();
}

#[test]
fn a_defect_on_a_callers_thread_costs_the_connection_and_not_the_link() {
    let (port, connections) = cloud();
    let bench = open(port, || !is_reader());
    bench.works(|| bench.sink.fails.load(Ordering::Relaxed) > 0 && connections.load(Ordering::Relaxed) == 2);
    bench.shuts();
}

#[test]
fn the_log_tells_no_token_however_many_others_there_are_and_no_code_that_pays() {
    let (port, _) = cloud();
    let bench = open(port, || false);
    bench.works(|| true);
    (0..50).for_each(|number| bench.log.protect(&format!("another link's token {number}")));
    bench.send(json!({"order_id": "K2", "auth_code": "134AUTH1", "more": [{"lock_key": "LOCK1"}]})).unwrap();
    bench.shuts();
    let lines = bench.lines.lock().unwrap().join("\n");
    for told in ["\"order_id\":\"K2\"", "usb_key", "auth_code", "lock_key"] {
        assert!(lines.contains(told), "{told}: {lines}");
    }
    for secret in [&token(1), "WERRTTTTYY", "USBKEY1", "134AUTH1", "LOCK1"] {
        assert!(!lines.contains(secret), "{secret}: {lines}");
    }
}
