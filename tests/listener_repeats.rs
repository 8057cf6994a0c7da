//! Pushes that come again, late answers, restarts, and the end of the listener.
#![allow(missing_docs)]

mod listener_support;

use listener_support::*;
use parklink::error::Code;
use parklink::sdk::Sdk;
use serde_json::json;
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn a_repeat_gets_the_same_answer_and_calls_nobody() {
    let (dir, stored) = store_options("repeat");
    for options in [json!({}), stored] {
        let bench = Bench::open(options.clone(), |_| {
            thread::sleep(Duration::from_millis(100));
            Some(json!({"state": 1, "errmsg": "收到"}))
        });
        let body = Arc::new(union(&charged("201704012000121122232")));
        let port = bench.port;
        // At the same time, then one after the other.
        let pushes: Vec<_> = (0..20)
            .map(|_| {
                let body = body.clone();
                thread::spawn(move || Client::connect(port).post("/union", &body))
            })
            .collect();
        let mut answers: Vec<Answered> = pushes.into_iter().map(|push| push.join().unwrap()).collect();
        answers.extend((0..5).map(|_| bench.push("/union", &body)));
        for answered in answers {
            assert_eq!(answered.status, 200, "{answered:?}");
            assert_eq!(
                answered.json(),
                json!({"service_name": "outpark", "state": 1, "errmsg": "收到", "trade_no": "201704012000121122232", "order_id": "10000"})
            );
        }
        assert_eq!(bench.calls(), 1, "{options}");
        assert_eq!(bench.push("/union", &union(&charged("another"))).status, 200);
        assert_eq!(bench.calls(), 2);
    }
    let _ = std::fs::remove_dir_all(dir);
}

/// A payment that was refused comes again on several connections at once: one of them is handed on, and once the software
/// has said yes nobody is asked any more.
#[test]
fn after_a_no_repeats_at_once_are_one_call() {
    const ROUNDS: usize = 60;
    let (dir, stored) = store_options("no-then-many");
    for options in [json!({}), stored] {
        let said = std::sync::Mutex::new(std::collections::HashSet::new());
        let bench = Bench::open(options.clone(), move |event| {
            let first = said.lock().unwrap().insert(event["data"]["trade_no"].to_string());
            Some(json!({"state": u8::from(!first), "errmsg": "数据库忙"}))
        });
        let port = bench.port;
        for round in 0..ROUNDS {
            let body = Arc::new(union(&charged(&round.to_string())));
            let pushes: Vec<_> = (0..4)
                .map(|_| {
                    let body = body.clone();
                    thread::spawn(move || {
                        let mut client = Client::connect(port);
                        (0..4).for_each(|_| assert_eq!(client.post("/union", &body).status, 200));
                    })
                })
                .collect();
            pushes.into_iter().for_each(|push| push.join().unwrap());
        }
        assert_eq!(bench.calls(), 2 * ROUNDS, "{options}");
    }
    let _ = std::fs::remove_dir_all(dir);
}

#[test]
fn after_a_no_the_push_may_come_again() {
    let tries = std::sync::atomic::AtomicUsize::new(0);
    let bench = Bench::open(json!({}), move |_| {
        let first = tries.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
        Some(if first { json!({"state": 0, "errmsg": "数据库忙"}) } else { json!({"state": 1, "errmsg": ""}) })
    });
    let body = union(&charged("1"));
    assert_eq!(bench.push("/union", &body).json()["state"], 0);
    assert_eq!(bench.push("/union", &body).json()["state"], 1);
    assert_eq!(bench.push("/union", &body).json()["state"], 1);
    assert_eq!(bench.calls(), 2);
}

#[test]
fn an_answer_that_comes_too_late_is_given_to_the_repeat() {
    let bench = Bench::open(json!({}), |_| None);
    let body = union(&charged("1"));
    let begun = Instant::now();
    assert_eq!(bench.push("/union", &body).status, 504);
    assert!(begun.elapsed() < Duration::from_secs(5), "the platform waits 5 s");
    let event = bench.heard.lock().unwrap()[0]["event_id"].as_u64().unwrap();
    bench.sdk.reply(event, r#"{"state":1,"errmsg":""}"#).unwrap();
    let answered = bench.push("/union", &body);
    assert_eq!((answered.status, &answered.json()["state"]), (200, &json!(1)));
    assert_eq!(bench.calls(), 1);
}

/// The result of a charge that was pending arrives after a restart: it is heard once, and its repeats are answered.
#[test]
fn a_result_after_a_restart_is_heard_once() {
    let (dir, options) = store_options("restart");
    let body = union(&charged("etc202105201921068871111260"));
    let first = Bench::yes(options.clone());
    first.close();
    let second = Bench::yes(options.clone());
    assert_eq!(second.push("/union", &body).json()["state"], 1);
    assert_eq!(second.push("/union", &body).json()["state"], 1);
    assert_eq!(second.calls(), 1);
    assert_eq!(second.heard.lock().unwrap()[0]["data"]["order_id"], "10000");
    second.close();
    let third = Bench::yes(options.clone());
    assert_eq!(third.push("/union", &body).json()["state"], 1);
    assert_eq!(third.calls(), 0);
    third.close();
    // One that the software had not answered when it ended is heard again, marked.
    let silent = Bench::open(options.clone(), |_| None);
    let waiting = union(&charged("unanswered"));
    let mut push = silent.connect();
    assert!(push.send(request("/union", &waiting)));
    silent.await_call();
    silent.close();
    let last = Bench::yes(options);
    last.await_call();
    assert_eq!(last.heard.lock().unwrap()[0]["redelivered"], true);
    assert_eq!(last.push("/union", &union(&charged("unanswered"))).json()["state"], 1);
    assert_eq!(last.calls(), 1);
    let _ = std::fs::remove_dir_all(dir);
}

#[test]
fn a_push_is_heard_though_its_sender_has_hung_up() {
    let bench = Bench::open(json!({}), |_| None);
    for number in 0..20 {
        let push = union(&charged(&format!("hung-up-{number}")));
        assert!(bench.connect().send(request("/union", &push)));
    }
    while bench.calls() < 20 {
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn without_a_callback_the_platform_is_told_to_come_again() {
    let sdk = Sdk::open(parse(&json!({}))).unwrap();
    let addr = sdk.status()["listener"]["addr"].as_str().unwrap().to_owned();
    let port = addr.rsplit(':').next().unwrap().parse().unwrap();
    let answered = Client::connect(port).post("/union", &union(&charged("1")));
    assert_eq!((answered.status, &answered.json()["state"]), (503, &json!(0)));
    assert!(answered.header("retry-after").is_some());
}

#[test]
fn close_ends_everything_at_once() {
    let bench = Bench::open(json!({}), |_| None);
    let mut idle = bench.connect();
    let mut waiting = bench.connect();
    waiting.send(request("/union", &union(&charged("1"))));
    bench.await_call();
    let begun = Instant::now();
    bench.sdk.close(Duration::from_secs(5)).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert!(waiting.read().is_none() && idle.read().is_none());
    assert!(TcpStream::connect(("127.0.0.1", bench.port)).is_err());
    // The port is free again.
    let again = Bench::yes(json!({"listen": {"addr": format!("127.0.0.1:{}", bench.port)}}));
    assert_eq!(again.push("/union", &union(&charged("2"))).status, 200);
    let taken = Sdk::open(parse(&json!({"listen": {"addr": format!("127.0.0.1:{}", again.port)}}))).unwrap_err();
    assert!(taken.code == Code::Io && taken.message.contains("listen.addr"), "{taken}");
}
