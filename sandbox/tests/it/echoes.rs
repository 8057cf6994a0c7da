//! Entries and exits between the clients of a lot.

use crate::client::{CKEY, Sandbox};
use serde_json::json;

#[test]
fn entries_and_exits_go_to_the_other_subscribed_clients() {
    let sandbox = Sandbox::start();
    let mut sender = sandbox.client("box1_syncdata");
    let mut subscribed = sandbox.client("box2_syncdata_channels_A1");
    let mut other = sandbox.client("box3");
    sandbox.control("/lots", &json!({"park_id": "4711", "ckey": CKEY}));
    let mut stranger = sandbox.connect();
    stranger.try_login(&json!({"park_id": "4711", "local_id": "x_syncdata"}).to_string(), CKEY);

    let data = json!({"order_id": "E1", "car_number": "京A1", "in_time": 100, "remark": null, "state": 7});
    assert_eq!(sender.call("in_park", &data)["state"], 1);
    // A flat copy, null members gone, whatever else was in it.
    let echo = json!({"service_name": "in_park", "order_id": "E1", "car_number": "京A1", "in_time": 100, "state": 7});
    assert_eq!(subscribed.json(), echo);
    sender.call("out_park", &json!({"service_name": "x", "order_id": "E1"}));
    assert_eq!(subscribed.json(), json!({"service_name": "out_park", "order_id": "E1"}));
    for quiet in [&mut sender, &mut other, &mut stranger] {
        quiet.silent();
    }
    assert_eq!(sandbox.state()["cloud"]["echoes"], 2);
}

#[test]
fn what_is_echoed_and_what_is_not() {
    let sandbox = Sandbox::start();
    let mut sender = sandbox.client("one");
    let mut subscribed = sandbox.client("two_syncdata");
    // An invalid entry is; a resend and a whole order are not.
    assert_eq!(sender.call("in_park", &json!({"order_id": "E1"}))["errmsg"], "数据无效");
    assert_eq!(subscribed.json(), json!({"service_name": "in_park", "order_id": "E1"}));
    assert_eq!(sender.call("in_park", &json!({"order_id": "E1"}))["errmsg"], "数据已处理过...");
    sender.call("upload_order", &json!({"order_id": "E2"}));
    sender.call("upload_collector", &json!({"user_id": "E2"}));
    subscribed.silent();
}

#[test]
fn at_most_twenty_get_it() {
    let sandbox = Sandbox::start();
    let mut sender = sandbox.client("sender");
    let mut others: Vec<_> = (0..22).map(|n| sandbox.client(&format!("{n}_syncdata"))).collect();
    sender.call("in_park", &json!({"order_id": "E1", "car_number": "京A1", "in_time": 1}));
    sandbox.until("twenty", |state| state["cloud"]["echoes"] == 20);
    let wait = std::time::Duration::from_millis(30);
    let got = others.iter_mut().filter_map(|client| client.frame_within(wait)).count();
    assert_eq!(got, 20);
}
