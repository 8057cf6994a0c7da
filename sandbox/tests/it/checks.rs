//! The order of checks, refusals of the wrapper, and the rate.

use crate::client::{CKEY, Sandbox, line};
use serde_json::json;

#[test]
fn the_order_of_checks() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    let token = client.token.clone();
    let sign = |text: &str| parklink::wire::sign::keyed(text, CKEY);
    let cases = [
        ("{\"x\":1}".to_owned(), "未识别到service_name标记"),
        ("{\"service_name\":\"x\"}".to_owned(), "未识别到sign标记"),
        ("{\"service_name\":\"x\",\"sign\":\"\",\"token\":\"t\"}".to_owned(), "未识别到sign标记"),
        ("{\"service_name\":\"x\",\"sign\":\"S\"}".to_owned(), "未识别到token标记"),
        ("{\"service_name\":\"x\",\"sign\":\"S\",\"token\":\"null\"}".to_owned(), "未识别到token标记"),
        ("{\"service_name\":\"x\",\"sign\":\"S\",\"token\":\"t\"}".to_owned(), "error:token无效"),
        (format!("{{\"service_name\":\"x\",\"sign\":\"S\",\"token\":\"{token}\",\"data\":{{}}}}"), "error:签名错误"),
        (format!("{{\"service_name\":\"x\",\"sign\":\"{}\",\"token\":\"{token}\"}}", sign("null")), "data error"),
        (
            format!("{{\"service_name\":\"x\",\"sign\":\"{}\",\"token\":\"{token}\",\"data\":\"\"}}", sign("")),
            "data error",
        ),
    ];
    for (request, text) in cases {
        client.send(format!("{request}\n"));
        // Exactly these two members: neither service nor number.
        assert_eq!(client.json(), json!({"state": 0, "errmsg": text}), "{request}");
    }
    client.call_empty("x", &json!({"n": 1}));
}

#[test]
fn a_service_without_usable_data_dies_quietly() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    for data in ["[1]", "7", "true", "\"no json\""] {
        let text = if data.starts_with('"') { "no json" } else { data };
        let sign = parklink::wire::sign::keyed(text, CKEY);
        let token = client.token.clone();
        client.send(format!("{{\"service_name\":\"x\",\"sign\":\"{sign}\",\"token\":\"{token}\",\"data\":{data}}}\n"));
        client.silent();
    }
    client.open();
}

#[test]
fn the_guard_stands_before_token_and_sign() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    // No token: the guard's text, not the token's.
    client.send("{\"service_name\":\"in_park\",\"sign\":\"S1\",\"data\":{\"order_id\":\"A1\"}}\n");
    let refused = json!({"service_name": "in_park", "state": 0, "errmsg": "数据已处理过...", "order_id": "A1"});
    assert_eq!(client.json(), refused);
    // A sign seen before is refused before anybody looks whether it is right.
    let wrong = "{\"service_name\":\"in_park\",\"sign\":\"S2\",\"token\":\"t\",\"data\":{\"order_id\":\"A1\"}}\n";
    client.send(wrong);
    assert_eq!(client.json()["errmsg"], "error:token无效");
    client.send(wrong);
    assert_eq!(client.json(), refused);
}

#[test]
fn one_hundred_requests_in_eleven_seconds() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    let mut other = sandbox.client("b");
    for n in 0..100 {
        client.call_empty("x", &json!({"n": n}));
    }
    // Refused ones are not counted, and do not make it longer.
    for n in 0..5 {
        assert_eq!(client.call("x", &json!({"more": n})), json!({"state": 0, "errmsg": "request_over_times"}));
    }
    // A wrong sign is told before the rate.
    let wrong = line("x", &client.token, "{}", "wrong");
    client.send(wrong);
    assert_eq!(client.json()["errmsg"], "error:签名错误");
    // The rate is the token's: another client and a new login are free.
    other.call_empty("x", &json!({"n": 1}));
    assert_eq!(sandbox.state()["cloud"]["refusals"]["request_over_times"], 5);
}

#[test]
fn a_new_login_begins_a_new_count() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    for n in 0..100 {
        client.call_empty("x", &json!({"n": n}));
    }
    assert_eq!(client.call("x", &json!({}))["errmsg"], "request_over_times");
    client.log_in("a");
    client.call_empty("x", &json!({"n": 100}));
}
