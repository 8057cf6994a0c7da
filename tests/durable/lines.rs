//! The outbox on a link that does what a test tells it.

use crate::support::{Folder, config, until};
use parklink::catalogue::Platform;
use parklink::error::{Code, Error, Result};
use parklink::inbox::{Inbox, Limits};
use parklink::json::{Members, members_of};
use parklink::link::{Link, Pending, Request};
use parklink::log::{Level, Log};
use parklink::outbox::Outbox;
use parklink::store::{NewRecord, Store};
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

type Calls = Arc<Mutex<Vec<(String, Instant)>>>;
type Act = dyn Fn(&str, usize) -> Result<Members> + Send + Sync;

/// Does what it is told with the nth call for an order. It says that it is up, as the links without a connection do.
struct Told {
    act: Box<Act>,
    calls: Calls,
}

impl Link for Told {
    fn platform(&self) -> Platform {
        Platform::Union
    }

    fn begin<'a>(&'a self, request: Request) -> Result<Pending<'a>> {
        let order = request.data.to_members().get("order_id").unwrap().plain().into_owned();
        let turn = {
            let mut calls = self.calls.lock().unwrap();
            calls.push((order.clone(), Instant::now()));
            calls.iter().filter(|(known, _)| *known == order).count()
        };
        Ok(Box::new(move || (self.act)(&order, turn)))
    }

    fn status(&self) -> Members {
        Members::new()
    }

    fn is_up(&self) -> bool {
        true
    }

    fn shut(&self) {}
}

struct Rig {
    outbox: Option<Outbox>,
    store: Arc<Store>,
    inbox: Arc<Inbox>,
    calls: Calls,
    _folder: Folder,
}

fn yes() -> Result<Members> {
    Ok(members_of(br#"{"state":1}"#).unwrap())
}

impl Rig {
    fn new(options: serde_json::Value, act: impl Fn(&str, usize) -> Result<Members> + Send + Sync + 'static) -> Rig {
        let folder = Folder::new();
        let log = Arc::new(Log::new(Level::Error));
        let store = Store::open(&folder.store(), log.clone()).unwrap();
        let second = Duration::from_secs(1);
        let limits = Limits { queue: 10, keep: second, grace: second, window_seconds: 1000, sees_mark: true };
        let inbox = Inbox::open(limits, log.clone(), Some(store.clone())).unwrap();
        let calls = Calls::default();
        let links: Vec<Box<dyn Link>> = vec![Box::new(Told { act: Box::new(act), calls: calls.clone() })];
        let config = config(&folder.0, &json!({"outbox": options, "union": {"base": "http://127.0.0.1:1"}}));
        let outbox = Outbox::start(&config, store.clone(), Arc::new(links), inbox.clone(), log).unwrap();
        Rig { outbox: Some(outbox), store, inbox, calls, _folder: folder }
    }

    fn submit(&self, order: &str) {
        let record = NewRecord {
            platform: "union",
            interface: Some("union.addorder"),
            service: "addorder".into(),
            order_key: Some(format!("order_id={order}")),
            class: "record",
            data: json!({"order_id": order}).to_string(),
            attempts: 0,
        };
        self.outbox.as_ref().unwrap().submit(vec![record]).unwrap();
    }

    fn times(&self, order: &str) -> Vec<Instant> {
        self.calls.lock().unwrap().iter().filter(|(known, _)| known == order).map(|(_, at)| *at).collect()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.outbox.take();
        self.inbox.close(Duration::from_secs(1));
        self.store.close();
    }
}

/// A link without a connection of its own is always up: who cannot reach its platform knocks less and less often.
#[test]
fn a_platform_that_is_not_there_is_not_knocked_at_by_every_lane() {
    let options = json!({"lanes": 4, "retry_first_ms": 400, "retry_longest_ms": 60_000});
    let rig = Rig::new(options, |_, _| {
        thread::sleep(Duration::from_millis(50));
        Err(Error::new(Code::Offline, "nobody listens"))
    });
    for order in ["A", "B", "C", "D"] {
        rig.submit(order);
    }
    thread::sleep(Duration::from_millis(3000));
    // Pauses of 200 to 400, 400 to 800, 800 to 1600 ms ...: four rounds of four lanes at most.
    let calls = rig.calls.lock().unwrap().len();
    assert!((2..=16).contains(&calls), "{calls} calls");
}

#[test]
fn a_pause_that_the_platform_asked_for_is_kept_when_another_lane_succeeds() {
    let rig = Rig::new(json!({"lanes": 2}), |order, turn| match (order, turn) {
        ("BUSY", 1) => {
            let mut error = Error::new(Code::Http, "HTTP 429");
            (error.status, error.wait) = (Some(429), Some(Duration::from_secs(2)));
            Err(error)
        }
        ("SLOW", _) => {
            thread::sleep(Duration::from_millis(300));
            yes()
        }
        _ => yes(),
    });
    rig.submit("SLOW");
    until("it is under way", || rig.times("SLOW").len() == 1);
    rig.submit("BUSY");
    until("the platform has said that it is busy", || rig.times("BUSY").len() == 1);
    rig.submit("NEXT");
    until("all are sent", || rig.times("BUSY").len() == 2 && rig.times("NEXT").len() == 1);
    let asked = rig.times("BUSY")[0];
    for next in [rig.times("BUSY")[1], rig.times("NEXT")[0]] {
        assert!(next - asked >= Duration::from_millis(1900), "after {:?}", next - asked);
    }
}

/// The store ended under a line that has something to write down.
#[test]
fn a_store_that_is_closed_locks_nobody_out() {
    let gate = Arc::new(Mutex::new(()));
    let (held, inside) = (gate.clone(), gate.clone());
    let closed = held.lock().unwrap();
    let rig = Arc::new(Rig::new(json!({"lanes": 1}), move |_, _| {
        drop(inside.lock().unwrap());
        yes()
    }));
    rig.submit("A");
    until("it is under way", || rig.times("A").len() == 1);
    rig.store.close();
    drop(closed);
    thread::sleep(Duration::from_millis(200));
    let (asked, told) = std::sync::mpsc::channel();
    let other = rig.clone();
    thread::spawn(move || asked.send(other.outbox.as_ref().unwrap().has_waiting(Platform::Union, "order_id=A")));
    assert_eq!(told.recv_timeout(Duration::from_secs(5)), Ok(false), "the platform has it");
}

/// Opening can fail after the outbox has started: then nothing of it may go on.
#[test]
fn an_outbox_that_is_dropped_ends_its_lanes() {
    let mut rig = Rig::new(json!({"lanes": 3}), |_, _| yes());
    rig.outbox.take();
    let users = Arc::strong_count(&rig.inbox);
    assert_eq!(users, 2, "the rig and the dispatch thread");
}
