//! Faults, switched on and used up.

use crate::client::{Bolink, CKEY, Sandbox, http, http_begin, line, try_http};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn on(sandbox: &Sandbox, platform: &str, kind: &str, more: Value) {
    let mut fault = more;
    fault["platform"] = json!(platform);
    fault["kind"] = json!(kind);
    sandbox.control("/faults", &fault);
}

#[test]
fn of_the_cloud() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    let collector = json!({"user_id": "u1", "operate_type": 1});
    on(&sandbox, "cloud", "drop", json!({"count": 1}));
    client.request("upload_collector", &collector);
    client.silent();
    assert_eq!(client.call("upload_collector", &collector)["state"], 1);
    // It was handled all the same.
    let count = &sandbox.state()["cloud"]["records"]["21782"]["upload_collector"]["u1"];
    assert_eq!(count, &json!({"received": 2, "accepted": 2}));

    on(&sandbox, "cloud", "delay_ms", json!({"count": 1, "value": 150}));
    let begin = Instant::now();
    client.call("upload_collector", &collector);
    assert!(begin.elapsed() >= Duration::from_millis(150));

    on(&sandbox, "cloud", "split", json!({"count": 1, "value": 1}));
    assert_eq!(client.call("upload_collector", &collector)["state"], 1);

    on(&sandbox, "cloud", "silence", json!({"count": 2}));
    client.beat();
    client.request("upload_collector", &collector);
    client.silent();
    client.beat();
    assert_eq!(client.frame(), "0x12");

    on(&sandbox, "cloud", "heartbeat_silence", json!({}));
    client.beat();
    client.silent();
    http("DELETE", &format!("{}/faults?kind=heartbeat_silence", sandbox.control), "");
    client.beat();
    assert_eq!(client.frame(), "0x12");

    on(&sandbox, "cloud", "close", json!({"count": 1, "service": "upload_collector"}));
    client.call_empty("other", &json!({}));
    client.request("upload_collector", &collector);
    client.closed();

    on(&sandbox, "cloud", "reject_login", json!({"count": 1}));
    let mut client = sandbox.connect();
    let answer = client.try_login("{\"park_id\":\"21782\"}", CKEY);
    assert_eq!(answer, json!({"state": 0, "errmsg": "error:登录失败", "service_name": "login"}));
    client.closed();

    on(&sandbox, "cloud", "refuse", json!({"count": 1}));
    sandbox.connect().closed();

    let mut client = sandbox.client("a");
    assert_eq!(sandbox.control("/faults", &json!({"platform": "cloud", "kind": "token_kill"}))["killed"], 1);
    assert_eq!(client.call("x", &json!({}))["errmsg"], "error:token无效");
    assert_eq!(sandbox.state()["faults"], json!([]));
}

#[test]
fn garbage_is_garbage() {
    use std::io::Read;
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    on(&sandbox, "cloud", "garbage", json!({"count": 1}));
    let request = line("x", &client.token, "{}", CKEY);
    client.send(request);
    let mut bytes = [0; 64];
    let count = client.stream.read(&mut bytes).expect("something");
    assert!(serde_json::from_slice::<Value>(&bytes[..count]).is_err() && count > 2);
}

#[test]
fn of_bolink() {
    let sandbox = Sandbox::with(&["--poll-hold", "0.05"]);
    let client = Bolink::log_in(&sandbox, "a");
    let url = format!("{}/bpd/upload.do", sandbox.bolink);
    let order = |number: &str| {
        let data = json!({"order_id": number, "car_number": "京A1", "in_time": 1}).to_string();
        line("inpark", &client.token, &data, crate::client::UKEY)
    };
    on(&sandbox, "bolink", "http_status", json!({"count": 1, "value": 503}));
    assert_eq!(http("POST", &url, &order("B1")).0, 503);
    for kind in ["drop", "close"] {
        on(&sandbox, "bolink", kind, json!({"count": 1}));
        assert_eq!(try_http("POST", &url, &order(kind)), None, "{kind}");
    }
    on(&sandbox, "bolink", "garbage", json!({"count": 1}));
    let (status, text) = try_http("POST", &url, &order("B2")).expect("an answer");
    assert!(status == 200 && serde_json::from_str::<Value>(&text).is_err(), "{text}");
    // Handled, but for the status.
    let records = sandbox.state()["bolink"]["records"]["21782"]["inpark"].clone();
    let handled: Vec<&String> = records.as_object().expect("records").keys().collect();
    assert_eq!(handled, ["B2", "close", "drop"]);
    on(&sandbox, "bolink", "silence", json!({"count": 1}));
    let mut open = http_begin("POST", &url, &order("B3"));
    open.set_read_timeout(Some(Duration::from_millis(100))).expect("timeout");
    assert!(std::io::Read::read(&mut open, &mut [0; 8]).is_err(), "no answer");
    // Only the long poll.
    on(&sandbox, "bolink", "http_status", json!({"count": 1, "value": 500, "service": "download"}));
    assert_eq!(http("POST", &url, &order("B4")).0, 200);
    let poll = json!({"token": client.token}).to_string();
    let page = format!("{}/bpd/download.do", sandbox.bolink);
    assert_eq!(http("POST", &page, &poll).0, 500);
    assert_eq!(http("POST", &page, &poll).0, 200);
    sandbox.control("/faults", &json!({"platform": "bolink", "kind": "token_kill"}));
    assert_eq!(client.poll()["errmsg"], "error:token无效");
}

#[test]
fn unusable_ones_are_refused() {
    let sandbox = Sandbox::start();
    for fault in [
        json!({"platform": "moon", "kind": "drop"}),
        json!({"platform": "cloud", "kind": "explode"}),
        json!({"platform": "cloud", "kind": "delay_ms"}),
        json!({"platform": "cloud", "kind": "drop", "count": 0}),
        json!({"platform": "bolink", "kind": "http_status", "value": 99}),
        json!({"platform": "etcp", "kind": "code"}),
    ] {
        let (status, answer) = http("POST", &format!("{}/faults", sandbox.control), &fault.to_string());
        assert_eq!(status, 400, "{fault}");
        assert!(answer["error"].is_string());
    }
}

/// A fault that can never happen looks like a client that passed.
#[test]
fn what_would_never_happen_is_refused() {
    let sandbox = Sandbox::start();
    for (fault, culprit) in [
        (json!({"platform": "cloud", "kind": "http_status", "value": 500}), "http_status"),
        (json!({"platform": "bolink", "kind": "split", "value": 3}), "split"),
        (json!({"platform": "union", "kind": "heartbeat_silence"}), "heartbeat_silence"),
        (json!({"platform": "cloud", "kind": "drop", "cuont": 1}), "cuont"),
    ] {
        let (status, answer) = http("POST", &format!("{}/faults", sandbox.control), &fault.to_string());
        assert_eq!(status, 400, "{fault}");
        assert!(answer["error"].as_str().is_some_and(|error| error.contains(culprit)), "{answer}");
    }
    on(&sandbox, "cloud", "drop", json!({}));
    for query in ["platform=clod", "kind=dorp"] {
        assert_eq!(http("DELETE", &format!("{}/faults?{query}", sandbox.control), "").0, 400, "{query}");
    }
    assert_eq!(sandbox.state()["faults"].as_array().map(Vec::len), Some(1));
}
