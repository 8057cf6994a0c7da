//! Messages sent straight to a client.

use crate::client::{CKEY, Cloud, Sandbox};
use serde_json::{Value, json};

fn ask(sandbox: &Sandbox, message: &Value) -> Value {
    sandbox.control("/downlink", &json!({"message": message}))
}

fn log_in(sandbox: &Sandbox, data: &Value) -> Cloud {
    let mut client = sandbox.connect();
    let answer = client.try_login(&data.to_string(), CKEY);
    client.token = answer["token"].as_str().expect("token").to_owned();
    client
}

#[test]
fn they_are_flat_and_answered_by_a_signed_line_with_an_empty_frame() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    let message = json!({"service_name": "lock_car", "order_id": "A1", "is_locked": 1, "lock_key": "4000",
        "comid": "21782", "local_id": "a"});
    let url = "/downlink?wait_ms=10000";
    std::thread::scope(|scope| {
        let caller = scope.spawn(|| sandbox.control(url, &json!({"message": message})));
        // All members beside service_name: no data, no token, no sign.
        assert_eq!(client.json(), message);
        // Wrong key, no state: an empty frame, and no effect.
        for data in [
            json!({"order_id": "A2", "is_locked": 1, "state": 1}),
            json!({"order_id": "A1", "is_locked": 0, "state": 1}),
            json!({"order_id": "A1", "is_locked": 1}),
        ] {
            client.call_empty("lock_car", &data);
        }
        let answer = json!({"service_name": "lock_car", "data_target": "cloud", "state": 1, "errmsg": "",
            "order_id": "A1", "is_locked": 1});
        client.call_empty("lock_car", &answer);
        let told = caller.join().expect("the caller");
        assert_eq!(told["answered"], true);
        assert_eq!(told["answer"], answer);
    });
    let downlinks = &sandbox.state()["downlinks"];
    assert_eq!((&downlinks["sent"], &downlinks["answered"]), (&json!(1), &json!(1)));
    assert_eq!(downlinks["answers_unmatched"], 3);
}

#[test]
fn refusals_of_an_answers_wrapper_are_visible() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    client.token = "dead".into();
    assert_eq!(client.call("lock_car", &json!({"state": 1}))["errmsg"], "error:token无效");
}

#[test]
fn the_newest_login_that_takes_them_gets_them() {
    let sandbox = Sandbox::start();
    let mut first = sandbox.client("one");
    let mut nameless = log_in(&sandbox, &json!({"park_id": "21782"}));
    let mut deaf =
        log_in(&sandbox, &json!({"park_id": "21782", "local_id": "two", "set_params": {"receive_cloud": 0}}));
    for message in [
        json!({"service_name": "lock_car", "order_id": "A1", "is_locked": 1}),
        json!({"service_name": "query_prodprice", "trade_no": "t1"}),
        json!({"service_name": "deliver_ticket", "ticket_id": "1"}),
    ] {
        assert_eq!(ask(&sandbox, &message)["sent"], true);
        // No local_id is needed.
        assert_eq!(nameless.json(), message);
    }
    nameless.close();
    sandbox.until("it is gone", |state| state["cloud"]["tokens"] == 2);
    ask(&sandbox, &json!({"service_name": "lock_car", "order_id": "A2", "is_locked": 1}));
    assert_eq!(first.json()["order_id"], "A2");
    deaf.silent();
    first.close();
    sandbox.until("it is gone", |state| state["cloud"]["tokens"] == 1);
    assert_eq!(ask(&sandbox, &json!({"service_name": "lock_car", "order_id": "A3", "is_locked": 1}))["sent"], false);
}

#[test]
fn receive_cloud_in_all_its_forms() {
    let sandbox = Sandbox::start();
    for (value, takes) in [
        (json!(0), false),
        (json!("0"), false),
        (json!(1), true),
        (json!("1"), true),
        (json!("yes"), true),
        (json!(2), true),
    ] {
        let data = json!({"park_id": "21782", "local_id": "a", "set_params": {"receive_cloud": value}});
        let _client = log_in(&sandbox, &data);
        let message = json!({"service_name": "lock_car", "order_id": "A1", "is_locked": 1});
        assert_eq!(ask(&sandbox, &message)["sent"], takes, "{value}");
    }
}

#[test]
fn gate_commands_go_only_to_the_client_that_lists_the_gate() {
    let sandbox = Sandbox::start();
    let mut gates = sandbox.client("box1_syncdata_channels_A1_102");
    let mut other = sandbox.client("box2_A1_channels_B1");
    for service in ["operate_liftrod", "confirm_order_inform"] {
        for (gate, sent) in [("A1", true), ("102", true), ("10", false), ("2", false), ("A", false), ("box1", false)] {
            let message = json!({"service_name": service, "channel_id": gate, "operate": 0, "event_id": "e"});
            assert_eq!(ask(&sandbox, &message)["sent"], sent, "{service} {gate}");
            if sent {
                assert_eq!(gates.json(), message);
            }
        }
    }
    other.silent();
    gates.silent();
}

#[test]
fn among_several_with_the_gate_heartbeats_decide() {
    let sandbox = Sandbox::start();
    let mut clients: Vec<Cloud> = ["a", "b", "c"].map(|name| sandbox.client(&format!("{name}_channels_A1"))).into();
    let order = json!({"service_name": "operate_liftrod", "channel_id": "A1", "channel_name": "", "operate": 0});
    let beat = |clients: &mut Vec<Cloud>, at: usize| {
        clients[at].beat();
        assert_eq!(clients[at].frame(), "0x12");
    };
    // Those that never sent one first, then the latest.
    beat(&mut clients, 0);
    beat(&mut clients, 2);
    ask(&sandbox, &order);
    assert_eq!(clients[1].json(), order);
    beat(&mut clients, 1);
    beat(&mut clients, 0);
    ask(&sandbox, &order);
    assert_eq!(clients[0].json(), order);
}

#[test]
fn callers_wait_as_long_as_documented_and_no_longer() {
    let sandbox = Sandbox::start();
    let _client = sandbox.client("a_channels_A1");
    let begin = std::time::Instant::now();
    let message = json!({"service_name": "confirm_order_inform", "channel_id": "A1", "event_id": "e1"});
    let told = sandbox.control("/downlink?wait=1", &json!({"message": message}));
    assert_eq!(told["answered"], false);
    assert!(begin.elapsed() >= std::time::Duration::from_secs(2));
}

#[test]
fn any_message_can_be_sent_flat_or_wrapped() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    for message in [
        json!({"service_name": "visitor_sync", "data": {"visitor_id": 10240, "state": 1}}),
        json!({"service_name": "pass_through", "uuid": "u1", "data": {"x": 1.50}}),
        json!({"service_name": "brand_new", "y": [1, 2]}),
    ] {
        ask(&sandbox, &message);
        assert_eq!(client.json(), message);
    }
    client.call_empty("pass_through", &json!({"uuid": "u1", "data": "{}"}));
    assert_eq!(sandbox.state()["downlinks"]["answered"], 1);
}

#[test]
fn a_refused_card_price_is_shown_up_to_the_underscore_and_decoded() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    let message = json!({"service_name": "query_prodprice", "trade_no": "t1", "card_id": "m1", "months": "1",
        "start_time": "1538323200", "comid": "21782", "local_id": "a"});
    std::thread::scope(|scope| {
        let caller = scope.spawn(|| sandbox.control("/downlink?wait_ms=10000", &json!({"message": message})));
        assert_eq!(client.json(), message);
        client.call_empty("query_prodprice", &json!({"trade_no": "t1", "state": 0, "errmsg": "no%20such+card_x"}));
        assert_eq!(caller.join().expect("the caller")["shown"], "no such card");
    });
}
