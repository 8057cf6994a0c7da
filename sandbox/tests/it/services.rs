//! Every service of the published server: its name in the reply, its key, its texts.

use crate::client::Sandbox;
use serde_json::{Value, json};

/// One request after the other, with the whole answer; nothing: no answer at all.
fn run(cases: &[(&str, Value, Option<Value>)]) {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    for (service, data, answer) in cases {
        client.request(service, data);
        match answer {
            Some(answer) => assert_eq!(&client.json(), answer, "{service} {data}"),
            None => client.silent(),
        }
    }
    client.open();
}

fn reply(service: &str, key: &str, number: &str, state: i64, errmsg: &str) -> Option<Value> {
    Some(json!({"service_name": service, key: number, "state": state, "errmsg": errmsg}))
}

#[test]
fn in_park() {
    let ok = |number: &str| reply("in_park", "order_id", number, 1, "");
    let invalid = Some(json!({"service_name": "in_park", "state": 0, "errmsg": "数据无效"}));
    run(&[
        ("in_park", json!({"order_id": "A1", "car_number": "京A1", "in_time": 100}), ok("A1")),
        ("in_park", json!({"car_number": "京A1", "in_time": 100}), invalid),
        ("in_park", json!({"order_id": "A2", "in_time": 1}), reply("in_park", "order_id", "A2", 0, "数据无效")),
        (
            "in_park",
            json!({"order_id": "A3", "car_number": " ", "in_time": 1}),
            reply("in_park", "order_id", "A3", 0, "数据无效"),
        ),
        // Text that is a number, an empty text and a fraction are read; other text kills the thread.
        ("in_park", json!({"order_id": "B1", "car_number": "京A1", "in_time": "1490875218"}), ok("B1")),
        ("in_park", json!({"order_id": "B2", "car_number": "京A1", "in_time": ""}), ok("B2")),
        ("in_park", json!({"order_id": "B3", "car_number": "京A1", "in_time": 1490875218.5}), ok("B3")),
        ("in_park", json!({"order_id": "B4", "car_number": "京A1", "in_time": "abc"}), None),
        ("in_park", json!({"order_id": "B5", "car_number": "京A1", "in_time": 1, "empty_plot": "many"}), None),
        ("in_park", json!({"order_id": "B6", "car_number": "京A1", "in_time": 1, "total": "free"}), None),
        ("in_park", json!({"order_id": "B7", "car_number": "京A1", "in_time": 1, "total": "12.50"}), ok("B7")),
    ]);
}

#[test]
fn out_park_and_upload_order_check_nothing() {
    run(&[
        ("out_park", json!({"order_id": "A1"}), reply("out_park", "order_id", "A1", 1, "")),
        ("out_park", json!({"x": 1}), Some(json!({"service_name": "out_park", "state": 1, "errmsg": ""}))),
        ("out_park", json!({"order_id": "A2", "out_time": "later"}), None),
        ("upload_order", json!({"order_id": "A1", "y": 1}), reply("upload_order", "order_id", "A1", 1, "")),
        ("upload_order", json!({"order_id": "A2", "duration": "long"}), None),
    ]);
}

#[test]
fn collectors_and_their_records() {
    let collector = |state| reply("upload_collector", "user_id", "u9", state, "");
    let unknown = "收费员不存在";
    run(&[
        ("work_record", json!({"uuid": "w1", "user_id": "u9"}), reply("work_record", "uuid", "w1", 1, unknown)),
        // Absent counts as update: unknown, nothing matched.
        ("upload_collector", json!({"user_id": "u9", "name": "x"}), collector(0)),
        ("upload_collector", json!({"user_id": "u9", "operate_type": 2}), collector(0)),
        ("upload_collector", json!({"user_id": "u9", "operate_type": 3}), collector(0)),
        ("upload_collector", json!({"user_id": "u9", "operate_type": 1}), collector(1)),
        ("upload_collector", json!({"user_id": "u9", "operate_type": 1, "name": "y"}), collector(1)),
        ("upload_collector", json!({"user_id": "u9", "name": "z"}), collector(1)),
        ("work_record", json!({"uuid": "w1", "user_id": "u9"}), reply("work_record", "uuid", "w1", 1, "")),
        ("work_record", json!({"uuid": "w2", "user_id": "u9", "worksite_id": "north"}), None),
        (
            "upload_liftrod",
            json!({"liftrod_id": "l1", "user_id": "u8"}),
            reply("upload_liftrod", "liftrod_id", "l1", 1, unknown),
        ),
        (
            "upload_liftrod",
            json!({"liftrod_id": "l1", "user_id": "u9"}),
            reply("upload_liftrod", "liftrod_id", "l1", 1, ""),
        ),
        ("upload_collector", json!({"user_id": "u9", "operate_type": 3}), collector(1)),
        ("upload_collector", json!({"user_id": "u9", "operate_type": 3}), collector(0)),
    ]);
}

#[test]
fn gates() {
    let gate = |state, errmsg| reply("upload_gate", "channel_id", "c1", state, errmsg);
    run(&[
        (
            "upload_gate",
            json!({"operate_type": 1}),
            Some(json!({"service_name": "upload_gate", "state": 0, "errmsg": "通道编号不能为空"})),
        ),
        ("upload_gate", json!({"channel_id": "c1"}), None),
        ("upload_gate", json!({"channel_id": "c1", "operate_type": 4}), gate(0, "未知的操作类型operate_type")),
        // 上传成功 even when nothing matched.
        ("upload_gate", json!({"channel_id": "c1", "operate_type": 2}), gate(0, "上传成功")),
        ("upload_gate", json!({"channel_id": "c1", "operate_type": 3}), gate(0, "上传成功")),
        // The work site may not be absent when adding.
        ("upload_gate", json!({"channel_id": "c1", "operate_type": 1}), None),
        ("upload_gate", json!({"channel_id": "c1", "operate_type": 1, "worksite_id": 1}), gate(1, "上传成功")),
        ("upload_gate", json!({"channel_id": "c1", "operate_type": "2"}), gate(1, "上传成功")),
        ("upload_gate", json!({"channel_id": "c1", "operate_type": 1}), gate(1, "上传成功")),
        ("upload_gate", json!({"channel_id": "c1", "operate_type": 3}), gate(1, "上传成功")),
    ]);
}

#[test]
fn cards() {
    for (service, key) in [("upload_month_member", "card_id"), ("upload_month_card", "package_id")] {
        let answer = |state| reply(service, key, "k1", state, "");
        run(&[
            (service, json!({key: "k1"}), None),
            (service, json!({key: "k1", "operate_type": 2}), answer(0)),
            (service, json!({key: "k1", "operate_type": 3}), answer(0)),
            (service, json!({key: "k1", "operate_type": 1, "price": "300.00"}), answer(1)),
            // A known one is updated whatever is asked, except delete.
            (service, json!({key: "k1", "operate_type": 1}), answer(1)),
            (service, json!({key: "k1", "operate_type": 7}), answer(1)),
            (service, json!({key: "k1", "operate_type": 1, "price": "much"}), None),
            (service, json!({key: "k1", "operate_type": 3}), answer(1)),
            (service, json!({key: "k1", "operate_type": 3}), answer(0)),
        ]);
    }
}

#[test]
fn month_payments_do_not_name_their_number() {
    run(&[
        (
            "month_pay_record",
            json!({"trade_no": "t1", "card_id": "k1", "buy_month": 1}),
            reply("month_pay_record", "card_id", "k1", 1, ""),
        ),
        (
            "month_pay_record",
            json!({"trade_no": "t1", "card_id": "k1", "buy_month": 2}),
            reply("month_pay_record", "card_id", "k1", 1, ""),
        ),
        ("month_pay_record", json!({"trade_no": "t2", "card_id": "k1", "pay_time": "now"}), None),
    ]);
}

#[test]
fn car_types_answer_under_another_name() {
    let answer = |state| reply("car_type_upload", "cartype_id", "ct1", state, "");
    run(&[
        // Deleting an unknown type inserts it.
        ("upload_car_type", json!({"car_type_id": "ct1", "operate_type": 3}), answer(1)),
        ("upload_car_type", json!({"car_type_id": "ct1"}), None),
        ("upload_car_type", json!({"car_type_id": "ct1", "operate_type": 2}), answer(1)),
        ("upload_car_type", json!({"car_type_id": "ct1", "operate_type": 3}), answer(1)),
        ("upload_car_type", json!({"car_type_id": "ct1", "name": "x"}), answer(1)),
    ]);
}

#[test]
fn black_list() {
    let answer = |state, errmsg| reply("upload_blackuser", "black_uuid", "b1", state, errmsg);
    run(&[
        (
            "upload_blackuser",
            json!({"black_uuid": "", "operate_type": 1}),
            reply("upload_blackuser", "black_uuid", "", 0, "black_uuid不能为空"),
        ),
        ("upload_blackuser", json!({"black_uuid": "b1"}), None),
        ("upload_blackuser", json!({"black_uuid": "b1", "operate_type": 9}), answer(0, "未知的操作类型operate_type")),
        ("upload_blackuser", json!({"black_uuid": "b1", "operate_type": 2}), answer(0, "")),
        ("upload_blackuser", json!({"black_uuid": "b1", "operate_type": 3}), answer(0, "")),
        ("upload_blackuser", json!({"black_uuid": "b1", "operate_type": 1}), answer(1, "")),
        ("upload_blackuser", json!({"black_uuid": "b1", "operate_type": 2}), answer(1, "")),
        ("upload_blackuser", json!({"black_uuid": "b1", "operate_type": 3}), answer(1, "")),
    ]);
}

#[test]
fn prices() {
    let answer = |state, operate| {
        Some(json!({"service_name": "upload_price", "price_id": "pr1", "park_id": 21782, "state": state,
            "errmsg": "", "operate_type": operate}))
    };
    let missing = |number: &str, operate| {
        Some(json!({"service_name": "upload_price", "price_id": number, "park_id": 21782, "state": 0,
            "error": "上传数据中没找到必须的字段（package_id,price,operate_type）值!", "operate_type": operate}))
    };
    run(&[
        ("upload_price", json!({"car_type": "x"}), missing("", 0)),
        ("upload_price", json!({"price_id": "pr1", "operate_type": 1}), missing("pr1", 1)),
        ("upload_price", json!({"price_id": "pr1", "car_type": "x", "operate_type": 2}), answer(0, 2)),
        ("upload_price", json!({"price_id": "pr1", "car_type": "x", "operate_type": 3}), answer(0, 3)),
        ("upload_price", json!({"price_id": "pr1", "car_type": "x", "operate_type": 8}), answer(0, 8)),
        ("upload_price", json!({"price_id": "pr1", "car_type": "x", "operate_type": 1}), answer(1, 1)),
        // Adding a known one is an update, and says so.
        ("upload_price", json!({"price_id": "pr1", "car_type": "y", "operate_type": 1}), answer(1, 2)),
        ("upload_price", json!({"price_id": "pr1", "car_type": "y", "operate_type": 3}), answer(1, 3)),
    ]);
}

#[test]
fn logs() {
    let text = "上传数据中没找到必须的字段（log_id,operate_time,content）值!";
    run(&[
        (
            "park_log",
            json!({"log_id": "1", "operate_time": 5, "content": "x"}),
            reply("park_log", "log_id", "1", 1, ""),
        ),
        (
            "park_log",
            json!({"log_id": "1", "operate_time": 6, "content": "y"}),
            reply("park_log", "log_id", "1", 1, ""),
        ),
        ("park_log", json!({"log_id": "2", "content": "x"}), reply("park_log", "log_id", "", 0, text)),
        ("park_log", json!({"log_id": "2", "operate_time": 5}), reply("park_log", "log_id", "", 0, text)),
        ("park_log", json!({"operate_time": 5, "content": "x"}), reply("park_log", "log_id", "", 0, text)),
        ("park_log", json!({"log_id": "2", "operate_time": "noon", "content": "x"}), None),
    ]);
}

#[test]
fn confirm_events_answer_without_a_name() {
    run(&[
        (
            "upload_confirm_order",
            json!({"event_id": "e1"}),
            Some(json!({"state": 1, "errmsg": "上传手动匹配事件成功！"})),
        ),
        ("upload_confirm_order", json!({"event_id": "e1"}), Some(json!({"state": 0, "errmsg": "event_id 已存在!"}))),
    ]);
}

#[test]
fn tickets_and_unknown_services_are_answered_without_words() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    for service in ["upload_ticket", "no_such_service", "lock_car", "visitor_sync", "completezero_order"] {
        client.call_empty(service, &json!({"ticket_id": "1", "state": 1}));
    }
}

#[test]
fn a_service_name_of_null_dies_quietly() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    client.send("{\"service_name\":null,\"sign\":\"S\",\"token\":\"t\",\"data\":{}}\n");
    client.silent();
    client.open();
}

#[test]
fn orders_as_they_are_kept() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    let order = |number: &str, time: u32| json!({"order_id": number, "car_number": "京A1", "in_time": time});
    client.call("in_park", &order("A1", 100));
    // The plate's older open orders are closed at nothing.
    client.call("in_park", &order("A2", 200));
    client.call(
        "out_park",
        &json!({"order_id": "A2", "car_number": "京A1", "in_time": 200, "total": "6.50", "empty_plot": 7}),
    );
    // Known neither by number nor by plate: a new closed one; without a time: none.
    client.call("out_park", &json!({"order_id": "X", "car_number": "京X", "in_time": 300, "total": "1.00"}));
    client.call("out_park", &json!({"order_id": "Y", "car_number": "京Y"}));
    client.call("upload_order", &json!({"order_id": "X", "car_number": "京X", "in_time": 300, "total": "2.00"}));
    let state = sandbox.state();
    let orders: Vec<(String, bool, String)> = state["orders"]
        .as_array()
        .expect("orders")
        .iter()
        .map(|order| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            (text(&order["order_id"]), order["open"] == true, text(&order["data"]["total"]))
        })
        .collect();
    let wanted = [("A1", "0.0"), ("A2", "6.50"), ("X", "2.00")];
    assert_eq!(orders, wanted.map(|(number, total)| (number.to_owned(), false, total.to_owned())));
    assert_eq!(state["lots"][0]["free"], 7);
}
