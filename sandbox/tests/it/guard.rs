//! The memory against resends.

use crate::client::{CKEY, Cloud, Sandbox, line};
use serde_json::{Value, json};

fn order(number: &str, extra: u32) -> Value {
    json!({"order_id": number, "car_number": "京A12345", "in_time": 1490875218, "extra": extra})
}

fn refused(service: &str, number: &str) -> Value {
    json!({"service_name": service, "state": 0, "errmsg": "数据已处理过...", "order_id": number, "car_number": "京A12345"})
}

#[test]
fn the_same_bytes_again_are_refused() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    for service in ["in_park", "out_park", "upload_order"] {
        let data = order(service, 0);
        assert_eq!(client.call(service, &data)["state"], 1, "{service}");
        assert_eq!(client.call(service, &data), refused(service, service));
    }
    let counts = &sandbox.state()["cloud"]["records"]["21782"]["in_park"]["in_park"];
    assert_eq!(counts, &json!({"received": 2, "accepted": 1}));
}

#[test]
fn an_order_passes_each_service_twice_for_a_token() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    for service in ["in_park", "out_park", "upload_order"] {
        for extra in 0..4 {
            let answer = client.call(service, &order("A1", extra * 10 + service.len() as u32));
            assert_eq!(answer["state"], i32::from(extra < 2), "{service} {extra}");
        }
    }
    // A new login begins anew.
    client.log_in("a");
    assert_eq!(client.call("in_park", &order("A1", 99))["state"], 1);
}

#[test]
fn the_sign_does_not_cover_the_service_name() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    let data = order("A1", 0);
    assert_eq!(client.call("out_park", &data)["state"], 1);
    assert_eq!(client.call("upload_order", &data), refused("upload_order", "A1"));
    let named = |service: &str| {
        let mut data = order("A2", 0);
        data["service_name"] = json!(service);
        data
    };
    for service in ["out_park", "upload_order"] {
        assert_eq!(client.call(service, &named(service))["state"], 1, "{service}");
    }
}

#[test]
fn names_only_have_to_contain_a_watched_one() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    let data = json!({"n": 1});
    client.call_empty("my_in_park_too", &data);
    let answer = client.call("my_in_park_too", &data);
    assert_eq!(answer, json!({"service_name": "my_in_park_too", "state": 0, "errmsg": "数据已处理过..."}));
}

#[test]
fn other_services_may_repeat() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    for _ in 0..3 {
        assert_eq!(client.call("upload_collector", &json!({"user_id": "1", "operate_type": 1}))["state"], 1);
    }
}

/// Refused for another reason, remembered all the same: repeating it does not store it.
#[test]
fn a_refused_request_is_remembered_and_never_stored() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    let data = order("A1", 0);
    let good = std::mem::replace(&mut client.token, "dead".into());
    assert_eq!(client.call("in_park", &data)["errmsg"], "error:token无效");
    client.token = good;
    assert_eq!(client.call("in_park", &data), refused("in_park", "A1"));
    let stored = |sandbox: &Sandbox| sandbox.state()["orders"].as_array().map(Vec::len);
    assert_eq!(stored(&sandbox), Some(0));
    // With changed data it is.
    assert_eq!(client.call("in_park", &order("A1", 1))["state"], 1);
    assert_eq!(stored(&sandbox), Some(1));
}

#[test]
fn the_memory_is_common_to_all_lots_and_clients() {
    let sandbox = Sandbox::start();
    sandbox.control("/lots", &json!({"park_id": "4711", "ckey": CKEY}));
    let mut one = sandbox.client("a");
    let mut two = sandbox.connect();
    let answer = two.try_login(&json!({"park_id": "4711", "local_id": "a"}).to_string(), CKEY);
    two.token = answer["token"].as_str().expect("token").to_owned();
    assert_eq!(one.call("in_park", &order("A1", 0))["state"], 1);
    assert_eq!(two.call("in_park", &order("A1", 0)), refused("in_park", "A1"));
}

#[test]
fn data_as_a_json_text_is_guarded_alike() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    let inner = order("A1", 0).to_string();
    let sign = parklink::wire::sign::keyed(&inner, CKEY);
    let send = |client: &mut Cloud| {
        let token = client.token.clone();
        let request = json!({"service_name": "in_park", "sign": sign, "token": token, "data": inner});
        client.send(request.to_string() + "\n");
        client.json()
    };
    assert_eq!(send(&mut client)["state"], 1);
    assert_eq!(send(&mut client), refused("in_park", "A1"));
    // Text that is no JSON makes the guard itself stumble.
    let broken = line("in_park", &client.token, "\"{\"", CKEY);
    client.send(broken);
    assert_eq!(client.json(), json!({"state": 0, "errmsg": "数据格式错误!"}));
}
