//! Scheduled downlinks.

use crate::client::{CKEY, Cloud, Sandbox};
use serde_json::{Value, json};

fn change(sandbox: &Sandbox, service: &str, data: &Value) {
    sandbox.control("/sync", &json!({"service_name": service, "data": data}));
}

fn round(sandbox: &Sandbox) -> u64 {
    sandbox.control("/sync/run", &json!({}))["sent"].as_u64().expect("a number")
}

fn answer(client: &mut Cloud, service: &str, mut data: Value) {
    data["service_name"] = json!(service);
    data["data_target"] = json!("cloud");
    client.call_empty(service, &data);
}

#[test]
fn every_kind_is_wrapped_and_repeated_until_confirmed() {
    let kinds = [
        ("price_sync", json!({"price_id": "p1", "car_type": "x"}), json!({"price_id": "p1"})),
        ("month_card_sync", json!({"package_id": "g1", "name": "x"}), json!({"package_id": "g1"})),
        (
            "month_member_sync",
            json!({"card_id": "m1", "pid": "pk1", "car_type_id": "c"}),
            json!({"card_id": "m1", "operate_type": 1}),
        ),
        ("collector_sync", json!({"user_id": "u1"}), json!({"user_id": "u1"})),
        ("car_type_sync", json!({"car_type_id": "c1"}), json!({"car_type_id": "c1"})),
        ("blackuser_sync", json!({"black_uuid": "b1"}), json!({"black_uuid": "b1"})),
        ("month_pay_sync", json!({"trade_no": "t1", "card_id": "m1"}), json!({"trade_no": "t1", "card_id": "m1"})),
        ("gate_sync", json!({"channel_id": "A1"}), json!({"channel_id": "A1"})),
    ];
    for (service, record, key) in kinds {
        let sandbox = Sandbox::start();
        let mut client = sandbox.client("a");
        let mut data = record.clone();
        data["operate_type"] = json!(1);
        data["nothing"] = json!(null);
        change(&sandbox, service, &data);
        // month_pay_sync has no operate_type; null members are left out.
        let mut wanted = record;
        if service != "month_pay_sync" {
            wanted["operate_type"] = json!(1);
        }
        let wanted = json!({"service_name": service, "data": wanted});
        for _ in 0..2 {
            assert_eq!(round(&sandbox), 1, "{service}");
            assert_eq!(client.json(), wanted);
        }
        // State 0, no state, or another number: repeated.
        let mut refused = key.clone();
        refused["state"] = json!(0);
        answer(&mut client, service, refused);
        answer(&mut client, service, key.clone());
        answer(&mut client, service, json!({"state": 1, "operate_type": 1}));
        assert_eq!(round(&sandbox), 1, "{service}");
        assert_eq!(client.json(), wanted);
        let mut done = key;
        done["state"] = json!(1);
        answer(&mut client, service, done);
        assert_eq!(round(&sandbox), 0, "{service}");
        client.silent();
        assert_eq!(sandbox.state()["syncs"]["pending"], 0);
    }
}

#[test]
fn the_job_runs_by_itself() {
    let sandbox = Sandbox::with(&["--sync-interval", "0.05"]);
    let mut client = sandbox.client("a");
    change(&sandbox, "price_sync", &json!({"price_id": "p1", "operate_type": 1}));
    assert_eq!(client.json()["service_name"], "price_sync");
    assert_eq!(client.json()["service_name"], "price_sync");
}

#[test]
fn newest_first_and_twenty_a_round() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    for n in 0..25 {
        change(&sandbox, "price_sync", &json!({"price_id": n.to_string(), "operate_type": 1}));
    }
    // Of a kind the job does not know: never sent, takes a place.
    change(&sandbox, "camera_sync", &json!({"camera_id": "1"}));
    assert_eq!(round(&sandbox), 19);
    let got: Vec<String> =
        (0..19).map(|_| client.json()["data"]["price_id"].as_str().expect("key").to_owned()).collect();
    assert_eq!(got, (6..25).rev().map(|n| n.to_string()).collect::<Vec<_>>());
    client.silent();
}

#[test]
fn old_changes_are_dropped() {
    let sandbox = Sandbox::start();
    let _client = sandbox.client("a");
    let old = json!({"service_name": "price_sync", "data": {"price_id": "p1", "operate_type": 1}, "made_s_ago": 2 * 86400 + 60});
    sandbox.control("/sync", &old);
    assert_eq!(round(&sandbox), 0);
}

#[test]
fn the_content_is_read_when_it_is_sent() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    change(&sandbox, "price_sync", &json!({"price_id": "p1", "describe": "old", "operate_type": 1}));
    change(&sandbox, "price_sync", &json!({"price_id": "p1", "describe": "new", "operate_type": 2}));
    assert_eq!(round(&sandbox), 2);
    // An update can come before the add, both with the same final content.
    for operate in [2, 1] {
        let data = json!({"price_id": "p1", "describe": "new", "operate_type": operate});
        assert_eq!(client.json()["data"], data);
    }
}

#[test]
fn only_the_newest_login_gets_them_and_only_with_a_local_id() {
    let sandbox = Sandbox::start();
    let mut older = sandbox.client("one");
    let mut newest = sandbox.connect();
    let data = json!({"park_id": "21782", "local_id": "two", "set_params": {"receive_cloud": "0"}});
    newest.try_login(&data.to_string(), CKEY);
    change(&sandbox, "price_sync", &json!({"price_id": "p1", "operate_type": 1}));
    // receive_cloud is not looked at.
    assert_eq!(round(&sandbox), 1);
    assert_eq!(newest.json()["service_name"], "price_sync");
    let mut nameless = sandbox.connect();
    nameless.try_login(r#"{"park_id":"21782"}"#, CKEY);
    assert_eq!(round(&sandbox), 0);
    for client in [&mut older, &mut newest, &mut nameless] {
        client.silent();
    }
}

#[test]
fn members_without_package_or_type_say_null_and_may_be_renamed() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    change(
        &sandbox,
        "month_member_sync",
        &json!({"card_id": "m1", "price": 280.5, "amount_receivable": 300.0, "operate_type": 1}),
    );
    round(&sandbox);
    let data = client.json()["data"].clone();
    assert_eq!((&data["pid"], &data["car_type_id"]), (&json!("null"), &json!("null")));
    assert_eq!(data["price"].to_string(), "280.5");
    // Without operate_type an answer has no effect.
    answer(&mut client, "month_member_sync", json!({"card_id": "m1", "state": 1}));
    assert_eq!(round(&sandbox), 1);
    client.frame();
    answer(
        &mut client,
        "month_member_sync",
        json!({"card_id": "m1", "state": 1, "operate_type": 1, "card_id_local": "LOCAL7"}),
    );
    assert_eq!(round(&sandbox), 0);
    change(&sandbox, "month_member_sync", &json!({"card_id": "LOCAL7", "operate_type": 2}));
    round(&sandbox);
    assert_eq!(client.json()["data"]["card_id"], "LOCAL7");
}

#[test]
fn numbers_of_prices_and_gates_are_matched_over_all_lots() {
    let sandbox = Sandbox::start();
    sandbox.control("/lots", &json!({"park_id": "4711", "ckey": CKEY}));
    let mut client = sandbox.client("a");
    let mut other = sandbox.connect();
    other.try_login(r#"{"park_id":"4711","local_id":"b"}"#, CKEY);
    change(&sandbox, "price_sync", &json!({"price_id": "p1", "operate_type": 1}));
    sandbox.control(
        "/sync",
        &json!({"park_id": "4711", "service_name": "price_sync", "data": {"price_id": "p1", "operate_type": 1}}),
    );
    assert_eq!(round(&sandbox), 2);
    client.frame();
    other.frame();
    // The newer one, of the other lot, is ticked off: this lot's is repeated.
    answer(&mut client, "price_sync", json!({"price_id": "p1", "state": 1, "operate_type": 1}));
    assert_eq!(round(&sandbox), 1);
    assert_eq!(client.json()["service_name"], "price_sync");
    other.silent();
}
