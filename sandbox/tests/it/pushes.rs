//! Pushes of the open API: every one of the documents, signed over its text, sent again as documented.

use crate::client::{Sandbox, UKEY};
use crate::union::{entry, now};
use crate::vendor::{Vendor, inside};
use parklink::wire::sign::keyed;
use serde_json::{Value, json};

/// Each push of API 5, 9 and 11: what it says, and whether it is sent again when nobody answers.
fn documented() -> Vec<(Value, bool)> {
    let of = |service: &str, more: Value, again: bool| {
        let mut message = json!({"service_name": service, "park_id": "21782"});
        for (name, value) in more.as_object().expect("an object") {
            message[name] = value.clone();
        }
        (message, again)
    };
    let money = json!({"state": 1, "order_id": "325101", "trade_no": "201704012000121122232", "pay_type": "sweepcode",
        "pay_time": 1_490_876_000, "car_number": "京GH0093", "arrive_money": 1.25, "fee": 1.25, "account_type": 1});
    vec![
        of(
            "query_price",
            json!({"car_number": "京HP00G6", "order_id": "10000", "pay_scene": 0, "query_order_no": "2184-263"}),
            false,
        ),
        of(
            "notice_car_owner",
            json!({"union_id": 200_208, "order_id": "1089922", "car_number": "苏K55098", "is_union_user": 1, "rand": "0.9"}),
            false,
        ),
        of(
            "prepay_order",
            json!({"car_number": "京GH0093", "prepay": 6.5, "order_id": "9009", "trade_no": "2017"}),
            true,
        ),
        of("get_inpark_image", json!({"comid": "21782", "orderid": "AC_1345454", "type": "in"}), false),
        of("outpark", money.clone(), true),
        of("refund", json!({"state": 1, "trade_no": "125", "refund_money": 0.01, "arrive_moeny": 0}), true),
        of("nolicence_in_park", json!({"car_number": "EA47829", "timetemp": 1_523_275_758, "channel_id": "A1"}), false),
        of("monthcard_pay", json!({"state": 1, "amount": 0.01, "trade_no": "2017", "out_trade_no": "2018"}), true),
        of("repair", money, true),
        of("plat_unified_order", json!({"state": 1, "amount": "0.01", "trade_no": "2017"}), true),
        of("plat_escape_order", json!({"state": 1, "amount": 0.01, "trade_no": "2017"}), true),
        of("recharge", json!({"state": 1, "trade_no": "ABC1234567", "recharge_money": 1.58}), true),
        of("verify_code", json!({"car_number": "154B78B", "mobile_number": "17600383000"}), false),
        of("pay_notice", json!({"car_number": "京A12345", "type": 3, "duration": 10}), false),
        of("people_data", json!({"data": [{"projectId": 62, "villageName": "陈前区域"}]}), false),
        of("operate_liftrod", json!({"channel_id": "A1", "operate": 0, "liftrod_id": "L1"}), false),
        of("check_vip", json!({"car_number": "京A47829", "amount": 0.01}), false),
        of("space_notify", json!({"total_space": 122, "free_space": 22}), false),
        of("special_plate", json!({"type": "add", "car_number": "京A1", "car_type": "white"}), false),
        of("car_info", json!({"type": "add", "car_number": "京A1"}), false),
        of("query_car_info", json!({"car_number": "京A1", "type": "0"}), false),
        of("invoice_notify", json!({"payid": "1", "out_trade_no": "2", "invoice_type": "1"}), true),
    ]
}

#[test]
fn each_is_signed_over_its_text_and_answered() {
    let sandbox = Sandbox::start();
    let vendor = Vendor::willing();
    sandbox.control("/push-url", &json!({"union": vendor.url}));
    for (message, _) in documented() {
        let service = message["service_name"].as_str().expect("a name").to_owned();
        let result = sandbox.control("/downlink?wait=1", &json!({"link": "union", "message": message}));
        assert_eq!((&result["answered"], &result["answer"]["state"]), (&json!(true), &json!(1)), "{service}: {result}");
        let got = vendor.next();
        let push = got.json();
        assert_eq!(push["sign"], keyed(&got.data(), UKEY), "{service}");
        assert!(got.head.contains("application/json"), "{}", got.head);
        match service.as_str() {
            "people_data" => {
                assert_eq!((&push["data"], &push["union_id"]), (&message["data"], &json!(200_208)));
                assert_eq!(push["service_name"], "people_data");
            }
            "monthcard_pay" => assert_eq!((&push["data"], &push["union_id"]), (&message, &json!(200_208))),
            _ => assert_eq!((&push["data"], &push["union_id"]), (&message, &Value::Null)),
        }
    }
    let state = sandbox.state();
    assert_eq!((&state["pushes"]["sent"], &state["pushes"]["answered"]), (&json!(22), &json!(22)));
}

#[test]
fn payment_messages_go_out_eleven_times_and_questions_once() {
    let sandbox = Sandbox::start();
    let nobody = Vendor::start(|_, _| Some((503, String::new())));
    sandbox.control("/push-url", &json!({"union": nobody.url, "speed": 100_000}));
    for (message, again) in documented() {
        sandbox.control("/downlink", &json!({"link": "union", "message": message}));
        let body = nobody.next().body;
        let wanted = if again { 11 } else { 1 };
        for _ in 1..wanted {
            assert_eq!(nobody.next().body, body, "{message}");
        }
        let last = |state: &Value| {
            state["pushes"]["list"].as_array().and_then(|list| list.last().cloned()).unwrap_or_default()
        };
        let state = sandbox.until("given up", |state| last(state)["over"] == true);
        assert_eq!(last(&state)["attempts"].as_array().map(Vec::len), Some(wanted), "{message}");
    }
}

#[test]
fn what_counts_as_an_answer() {
    let sandbox = Sandbox::start();
    let replies = [
        None,
        Some((200, "no json".to_owned())),
        Some((200, json!({"errmsg": "no state"}).to_string())),
        Some((200, json!({"state": 1, "trade_no": "another", "order_id": "1"}).to_string())),
        Some((200, json!({"state": 1}).to_string())),
        Some((200, json!({"state": 0, "errmsg": "later"}).to_string())),
    ];
    let count = replies.len();
    let vendor = Vendor::start(move |at, _| replies.get(at).cloned().unwrap_or(None));
    sandbox.control("/push-url", &json!({"union": vendor.url, "speed": 100_000}));
    let message = json!({"service_name": "outpark", "park_id": "21782", "trade_no": "T1", "order_id": "1", "state": 1});
    sandbox.control("/downlink", &json!({"link": "union", "message": message}));
    for _ in 0..count {
        vendor.next();
    }
    let state = sandbox.until("over", |state| state["pushes"]["list"][0]["over"] == true);
    let push = &state["pushes"]["list"][0];
    assert_eq!((&push["answer"]["errmsg"], &push["confirmed"]), (&json!("later"), &json!(false)));
    assert_eq!(push["attempts"].as_array().map(Vec::len), Some(count));
    vendor.silent();
    // Those that are sent until confirmed go on after a no.
    let stubborn =
        Vendor::start(|at, _| Some((200, json!({"state": i64::from(at > 1), "trade_no": "2017"}).to_string())));
    sandbox.control("/push-url", &json!({"union": stubborn.url}));
    let message = json!({"service_name": "plat_unified_order", "park_id": "21782", "trade_no": "2017", "state": 1});
    sandbox.control("/downlink", &json!({"link": "union", "message": message}));
    let state = sandbox.until("confirmed", |state| state["pushes"]["list"][1]["confirmed"] == true);
    assert_eq!(state["pushes"]["list"][1]["attempts"].as_array().map(Vec::len), Some(3));
}

#[test]
fn pictures_come_as_bytes() {
    let sandbox = Sandbox::start();
    let vendor = Vendor::start(|_, _| Some((200, "\u{fffd}PNG".to_owned())));
    sandbox.control("/push-url", &json!({"union": vendor.url}));
    let message = json!({"service_name": "get_inpark_image", "comid": "21782", "orderid": "A1", "type": "in"});
    let result = sandbox.control("/downlink?wait=1", &json!({"link": "union", "message": message}));
    assert_eq!(result["answer"], "6 bytes");
}

#[test]
fn a_driver_of_a_vendors_lot() {
    let sandbox = Sandbox::start();
    let vendor = Vendor::start(|_, got| {
        let data = got.json()["data"].clone();
        let mut reply = json!({"state": 1, "price": "6.0", "duration": 60});
        for name in
            ["service_name", "trade_no", "order_id", "query_order_no", "prepay", "car_number", "timetemp", "park_id"]
        {
            reply[name] = data[name].clone();
        }
        Some((200, reply.to_string()))
    });
    sandbox.control("/push-url", &json!({"union": vendor.url}));
    sandbox.control("/balance", &json!({"car_number": "京A00001", "balance": "50"}));
    entry(&sandbox, "A1", "京A00001");
    let told = vendor.next().json()["data"].clone();
    assert_eq!((&told["service_name"], &told["is_union_user"]), (&json!("notice_car_owner"), &json!(1)));
    // And again when it changes while the car is inside.
    sandbox.control("/balance", &json!({"car_number": "京A00001", "balance": "50", "autopay": 0}));
    assert_eq!(vendor.next().json()["data"]["is_union_user"], 0);
    let scan = sandbox.control("/driver/scan", &json!({"link": "union", "car_number": "京A00001"}));
    assert_eq!((&scan["answer"]["price"], &scan["answer"]["order_id"]), (&json!("6.0"), &json!("A1")));
    let number = vendor.next().json()["data"]["query_order_no"].clone();
    let paid = sandbox.control("/driver/pay", &json!({"link": "union", "query_order_no": number}));
    assert_eq!(paid["answer"]["state"], 1);
    let notice = vendor.next().json()["data"].clone();
    assert_eq!((&notice["service_name"], notice["prepay"].to_string()), (&json!("prepay_order"), "6.00".to_owned()));
    let out = sandbox.control("/driver/exit-pay", &json!({"link": "union", "order_id": "A1", "amount": "1.0"}));
    assert_eq!((&out["paid"], &out["answer"]["state"]), (&json!(true), &json!(1)));
    let result = vendor.next().json()["data"].clone();
    assert_eq!(
        (&result["service_name"], &result["pay_type"], &result["park_id"]),
        (&json!("outpark"), &json!("scancode"), &json!("21782"))
    );
    let set = json!({"nolience_config": {"is_verify": 1}, "park_id": "21782"});
    inside(&sandbox, "/unionapi/newpark/setUp", set);
    let came = sandbox.control("/driver/enter", &json!({"link": "union", "phone": "18888888888", "channel_id": "A1"}));
    assert_eq!(came["answer"]["state"], 1);
    let asked = vendor.next().json()["data"].clone();
    assert_eq!(
        (&asked["service_name"], &asked["mobile_number"], &asked["union_id"]),
        (&json!("nolicence_in_park"), &json!("18888888888"), &json!(200_208))
    );
    assert!(asked["timetemp"].as_i64().is_some_and(|at| (at - now()).abs() < 60));
}

#[test]
fn pushes_can_be_spoilt_and_doubled() {
    let sandbox = Sandbox::start();
    let vendor = Vendor::willing();
    let message = json!({"service_name": "outpark", "park_id": "21782", "trade_no": "T1", "order_id": "1", "state": 1});
    let nowhere = sandbox.control("/downlink", &json!({"link": "union", "message": message}));
    assert_eq!(nowhere["sent"], false);
    sandbox.control("/push-url", &json!({"union": vendor.url}));
    let push = || sandbox.control("/downlink?wait=1", &json!({"link": "union", "message": message}));
    sandbox.control("/faults", &json!({"platform": "union", "kind": "wrong_sign", "count": 1}));
    push();
    let got = vendor.next();
    assert_ne!(got.json()["sign"], keyed(&got.data(), UKEY));
    sandbox.control("/faults", &json!({"platform": "union", "kind": "push_again", "value": 2, "count": 1}));
    push();
    assert_eq!(vendor.next().body, vendor.next().body);
    vendor.next();
    vendor.silent();
}
