//! Framing and heartbeats.

use crate::client::{CKEY, Sandbox, line};
use serde_json::json;
use std::io::Read;
use std::net::Shutdown;

/// A request of exactly this many bytes before the line end.
fn request_of(length: usize, token: &str) -> String {
    let fill = |count: usize| line("nothing", token, &json!({"fill": "x".repeat(count)}).to_string(), CKEY);
    let spare = length - (fill(0).len() - 1);
    let line = fill(spare).trim_end().to_owned();
    assert_eq!(line.len(), length);
    line
}

#[test]
fn lines_of_1024_bytes_pass_and_longer_ones_vanish() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    for (length, end, passes) in [
        (1024, "\n", true),
        (1024, "\r\n", true),
        (1025, "\n", false),
        (1025, "\r\n", false),
        (3000, "\n", false),
        (1024, "\n", true),
    ] {
        let request = request_of(length, &client.token) + end;
        client.send(request);
        if passes {
            assert_eq!(client.frame(), "", "{length} {end:?}");
        } else {
            client.silent();
        }
    }
    assert_eq!(sandbox.state()["cloud"]["violations"]["overlong_lines"], 3);
}

#[test]
fn the_limit_counts_bytes_not_letters() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    let data = json!({"order_id": "A1", "car_number": "京A12345", "in_time": 1, "remark": "长".repeat(300)});
    let request = line("in_park", &client.token, &data.to_string(), CKEY);
    assert!(request.chars().count() < 1024 && request.len() > 1025);
    client.send(request);
    client.silent();
}

#[test]
fn frames_may_come_in_pieces_even_inside_a_letter() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    let data = json!({"order_id": "A1", "car_number": "京A12345", "in_time": 1}).to_string();
    let request = line("in_park", &client.token, &data, CKEY);
    for byte in request.as_bytes() {
        client.send([*byte]);
    }
    assert_eq!(client.json()["state"], 1);
}

#[test]
fn a_lone_carriage_return_ends_nothing() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    client.send("0x11\r");
    client.silent();
    client.send("\n");
    assert_eq!(client.frame(), "0x12");
    // Two requests with only a CR between are one line that cannot be read.
    client.send("{}\r{}\n");
    client.silent();
    client.open();
}

#[test]
fn what_is_not_utf_8_does_not_fit_its_signature() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    let data = json!({"order_id": "A1", "car_number": "京A1", "in_time": 1}).to_string();
    let request = line("in_park", &client.token, &data, CKEY);
    // The plate's first letter in GBK.
    let (before, after) = request.split_once('京').expect("it is there");
    client.send([before.as_bytes(), &[0xbe, 0xa9], after.as_bytes()].concat());
    let answer = client.json();
    assert_eq!(answer, json!({"state": 0, "errmsg": "error:签名错误"}));
}

#[test]
fn unreadable_lines_get_no_answer_and_the_connection_stays() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    for text in
        ["hello there", "[1,2,3,4]", "{\"a\":", "{\"a\":.5}", "{\"a\":1} more", "{\"a\":\"\\q\"}", "123456789", ""]
    {
        client.send(format!("{text}\n"));
        client.silent();
    }
    client.open();
}

#[test]
fn messages_back_to_back_have_both_marks() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    client.send("0x11\n0x11\n");
    let mut bytes = [0; 12];
    client.stream.read_exact(&mut bytes).expect("two answers");
    assert_eq!(&bytes, b"\n0x12\r\n0x12\r");
}

#[test]
fn pipelined_requests_are_all_answered_in_any_order() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    let requests: String = (0..60)
        .map(|n| {
            let data = json!({"order_id": n.to_string(), "car_number": "京A1", "in_time": n}).to_string();
            line("in_park", &client.token, &data, CKEY)
        })
        .collect();
    client.send(requests);
    let order: Vec<u32> =
        (0..60).map(|_| client.json()["order_id"].as_str().expect("key").parse().expect("number")).collect();
    let mut sorted = order.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (0..60).collect::<Vec<u32>>());
    assert_ne!(order, sorted, "replies overtake each other");
    assert!(sandbox.state()["cloud"]["requests_overlapping"].as_u64() > Some(0));
}

#[test]
fn one_request_after_the_other_does_not_overlap() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    for n in 0..50 {
        client.call("in_park", &json!({"order_id": n.to_string(), "car_number": "京A1", "in_time": n}));
    }
    assert_eq!(sandbox.state()["cloud"]["requests_overlapping"], json!(null));
}

#[test]
fn members_come_in_changing_order() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    let mut first = std::collections::BTreeSet::new();
    for n in 0..4 {
        let mut data = json!({"user_id": n.to_string(), "operate_type": 1});
        for extra in 0..n {
            data[format!("more{extra}")] = json!(1);
        }
        let answer = client.call("upload_collector", &data);
        first.insert(answer.as_object().and_then(|members| members.keys().next().cloned()));
    }
    assert!(first.len() > 1, "{first:?}");
}

#[test]
fn heartbeats() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.connect();
    client.beat();
    client.silent();
    client.log_in("a");
    // Any line under six characters with 0x11 in it counts.
    for text in ["0x11", " 0x11", "0x11;", "0x11\r"] {
        client.send(format!("{text}\n"));
        assert_eq!(client.frame(), "0x12", "{text:?}");
    }
    for text in ["0x11  ", "0x1", "\u{11}", "0X11"] {
        client.send(format!("{text}\n"));
        client.silent();
    }
    let mut newer = sandbox.client("a");
    client.beat();
    client.silent();
    newer.beat();
    assert_eq!(newer.frame(), "0x12");
    // Logging in again makes the old one the newest.
    client.log_in("a");
    client.beat();
    assert_eq!(client.frame(), "0x12");
    newer.beat();
    newer.silent();
}

#[test]
fn heartbeats_do_not_count_against_the_rate() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    for _ in 0..150 {
        client.beat();
        assert_eq!(client.frame(), "0x12");
    }
    client.call_empty("nothing", &json!({"n": 1}));
}

#[test]
fn a_client_that_closes_its_sending_half_is_closed() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    client.stream.shutdown(Shutdown::Write).expect("half closed");
    client.closed();
    sandbox.until("the token dies with its connection", |state| state["cloud"]["tokens"] == 0);
}

#[test]
fn what_piles_up_unread_is_lost() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    // More answers than the sockets and 64 KiB hold.
    const BEATS: usize = 200_000;
    client.send("0x11\n".repeat(BEATS));
    sandbox.until("all are handled", |state| state["cloud"]["heartbeats"]["answered"] == BEATS);
    let mut read = 0;
    while client.frame_within(std::time::Duration::from_millis(300)).is_some() {
        read += 1;
    }
    assert!(read > 1000 && read < BEATS, "{read} came of {BEATS}");
    client.open();
}
