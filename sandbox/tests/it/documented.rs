//! Services of the documents that the published server does not know, on both links.

use crate::client::{Bolink, Sandbox, http};
use serde_json::{Value, json};

fn members(value: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = value.as_object().expect("an object").keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

#[test]
fn queries_of_the_cloud() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    for n in 0..3 {
        let card = json!({"card_id": format!("k{n}"), "car_number": "京A1,京A2", "name": "n", "begin_time": 1,
            "end_time": 2, "tel": "139", "operate_type": 1});
        assert_eq!(client.call("upload_month_member", &card)["state"], 1);
    }
    let found =
        client.call("query_month_card", &json!({"car_number": "京A2", "random_str": "7", "data_target": "cloud"}));
    assert_eq!(members(&found), ["errmsg", "msg_id", "random_str", "service_name", "state", "vip_list"]);
    assert_eq!((&found["random_str"], &found["errmsg"]), (&json!("7"), &json!("查询成功!")));
    let card =
        json!({"card_id": "k0", "car_number": "京A1,京A2", "name": "n", "b_time": 1, "e_time": 2, "mobile": "139"});
    assert_eq!(found["vip_list"][0], card);
    let paged = client.call(
        "query_month_card_page",
        &json!({"car_number": "", "card_id": "", "random_str": "8", "page": 2, "rp": 2}),
    );
    assert_eq!((&paged["count"], &paged["page"], &paged["park_id"]), (&json!(3), &json!(2), &json!("21782")));
    assert_eq!(paged["vip_list"].as_array().map(Vec::len), Some(1));

    let order = json!({"order_id": "A1", "car_number": "京A1", "in_time": 1000, "out_time": 2000,
        "amount_receivable": "10.00", "cash_pay": "4.00", "electronic_prepay": "6.00", "reduce_amount": "0"});
    client.call("out_park", &order);
    let account = client.call("check_account", &json!({"begin_time": 1500, "end_time": "2500", "type": 1}));
    let data = &account["data"];
    assert_eq!((&data["count"], data["cash_pay_total"].to_string()), (&json!(1), "4.00".to_owned()));
    assert_eq!(data["ele_pay_total"].to_string(), "6.00");
    assert_eq!(client.call("check_account", &json!({"begin_time": 0, "end_time": 86401}))["state"], 0);
    // Entries are asked for by the time of entry.
    assert_eq!(client.call("check_account", &json!({"begin_time": 0, "end_time": 999, "type": 0}))["data"]["count"], 0);

    sandbox.control(
        "/screen",
        &json!({"channel_id": "A11", "device_ip": "192.168.1.9", "device_id": "9", "device_name": "x"}),
    );
    let screen = client.call("screen_info", &json!({"channel_id": "A11"}));
    assert_eq!((&screen["device_ip"], &screen["errmsg"]), (&json!("192.168.1.9"), &json!("获取成功")));
    assert_eq!(client.call("screen_info", &json!({"channel_id": "B1"}))["state"], 0);
}

#[test]
fn stored_value_cards() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    let ask = json!({"card_id": "10005", "car_number": "京A1", "random_str": "1"});
    assert_eq!(client.call("query_prepay_card_balance", &ask)["state"], 0);
    let top_up =
        json!({"card_id": "10005", "car_number": "京A1", "trade_no": "t1", "pay_time": 5, "total_price": "20.98"});
    for _ in 0..2 {
        // The same number is not applied twice.
        let answer = client.call("prepay_card_record", &top_up);
        let wanted = json!({"service_name": "prepay_card_record", "park_id": "21782", "errmsg": "", "trade_no": "t1",
            "state": 1, "card_id": "10005"});
        assert_eq!(answer, wanted);
    }
    let balance = client.call("query_prepay_card_balance", &ask);
    assert_eq!(
        balance,
        json!({"service_name": "query_prepay_card_balance", "park_id": "21782", "errmsg": "查询余额成功!",
        "state": 1, "random_str": "1", "card_id": "10005", "balance": "20.98"})
    );
}

#[test]
fn records_with_plain_answers() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    let cases = [
        (
            "upload_ticket_deduction",
            json!({"ticket_id": 202025}),
            json!({"park_id": "21782", "ticket_id": 202025, "errmsg": "上传成功!"}),
        ),
        ("upload_duration_info", json!({"order_id": "A1"}), json!({"errmsg": "上传成功"})),
        ("upload_invoice", json!({"order_id": "A1", "data_target": "bolink"}), json!({"errmsg": "上传成功"})),
        (
            "upload_park_data",
            json!({"uuid": "88899", "upload_target": 1}),
            json!({"uuid": "88899", "errmsg": "上传成功"}),
        ),
    ];
    for (service, data, mut wanted) in cases {
        wanted["service_name"] = json!(service);
        wanted["state"] = json!(1);
        assert_eq!(client.call(service, &data), wanted);
    }
    let later = client.call("laterpay_order_upload", &json!({"uuid": "u1"}));
    assert_eq!(members(&later), ["message", "service_name", "state", "uuid"]);
}

#[test]
fn the_payment_platforms_services_on_both_links() {
    let sandbox = Sandbox::start();
    let http_link = Bolink::log_in(&sandbox, "b");
    let mut cloud = sandbox.client("a");
    let mut ask = |service: &str, data: Value| {
        let mut relayed = data.clone();
        relayed["data_target"] = json!("bolink");
        [http_link.call(service, &data), cloud.call(service, &relayed)]
    };
    for answer in ask("code_url", json!({"type": 3, "channel_id": "A1"})) {
        assert_eq!((&answer["type"], &answer["channel_id"]), (&json!(3), &json!("A1")));
        assert!(answer["code_url"].as_str().is_some_and(|url| url.starts_with("http")), "{answer}");
        assert_eq!(answer["errmsg"], "getCodeUrl success");
    }
    for answer in ask("code_url", json!({"type": 2})) {
        assert_eq!(answer["state"], 0);
    }
    for answer in ask("query_park_dailyorder", json!({"start_time": 1})) {
        assert!(answer["order_url"].is_string(), "{answer}");
    }
    for answer in ask("query_blpay", json!({"begin_time": 1, "end_time": 2})) {
        assert_eq!((&answer["data"]["count"], &answer["data"]["park_id"]), (&json!(0), &json!("21782")));
    }
    for answer in ask("query_escape", json!({"car_number": "京A1", "park_id": "21782", "union_id": 200208})) {
        assert_eq!(answer["escapeOrder"], json!([]));
    }
    let inner = json!({"path": "commapi/upMessage", "data": {"service_name": "parking_business_count"}});
    for answer in ask("parkInfo", inner) {
        assert_eq!(answer["data"]["parking_business_count"], 0);
    }
    let known = json!({"car_number": "京A9", "balance": "28.3"});
    sandbox.control("/balance", &known);
    for answer in ask("pay_status", json!({"car_number": "京A9", "order_id": "A1"})) {
        assert_eq!((&answer["balance"], &answer["autopay"]), (&json!("28.30"), &json!(1)));
        assert_eq!((&answer["is_exist"], &answer["net_status"]), (&json!(1), &json!(1)));
    }
    for answer in ask("query_order", json!({"order_id": "A1", "time_temp": 5})) {
        assert_eq!((&answer["time_temp"], &answer["data"][0]["state"]), (&json!(5), &json!(0)));
    }
}

#[test]
fn etc_answers_as_it_is_set() {
    let sandbox = Sandbox::with(&["--pay-delay", "10"]);
    let mut client = sandbox.client("a");
    let charge =
        json!({"order_id": "A1", "car_number": "川AK6F63", "in_time": 1, "total": "0.01", "out_channel_id": "A2"});
    let paid = client.call("etc_pay", &charge);
    let wanted = [
        "account_type",
        "arrive_money",
        "car_number",
        "errmsg",
        "fee",
        "order_id",
        "out_channel_id",
        "pay_time",
        "pay_type",
        "service_name",
        "state",
        "total",
        "trade_no",
    ];
    assert_eq!(members(&paid), wanted);
    assert_eq!(
        (&paid["state"], &paid["pay_type"], paid["total"].to_string()),
        (&json!(1), &json!("etc"), "0.01".into())
    );

    sandbox.control("/etc", &json!({"answer": "refused"}));
    assert_eq!(client.call("etc_pay", &charge)["state"], 0);

    for (result, state) in [("paid", 1), ("refused", 0)] {
        sandbox.control("/etc", &json!({"answer": "pending", "result": result}));
        assert_eq!(client.call("etc_pay", &charge)["state"], 2);
        let later = client.json();
        assert_eq!((&later["service_name"], &later["pay_type"]), (&json!("outpark"), &json!("etc")));
        assert_eq!((&later["state"], &later["order_id"]), (&json!(state), &json!("A1")));
    }
    assert_eq!(sandbox.state()["payments"].as_array().map(Vec::len), Some(2));
}

#[test]
fn an_electronic_exit_over_the_cloud_gets_its_result_there() {
    let sandbox = Sandbox::with(&["--pay-delay", "10"]);
    let mut client = sandbox.client("a");
    // A session on the other link does not draw it away.
    let _other = Bolink::log_in(&sandbox, "a");
    let exit = json!({"order_id": "A1", "car_number": "京A1", "in_time": 1, "total": "5", "pay_type": "sweepcode",
        "auth_code": "1", "data_target": "bolink"});
    let answer = client.call("out_park", &exit);
    assert_eq!((&answer["state"], &answer["order_id"]), (&json!(2), &json!("A1")));
    let result = client.json();
    assert_eq!((&result["service_name"], &result["state"]), (&json!("outpark"), &json!(1)));
    client.call_empty("outpark", &json!({"state": 1, "trade_no": result["trade_no"], "order_id": "A1"}));
    assert_eq!(sandbox.state()["downlinks"]["answered"], 1);
}

#[test]
fn pictures() {
    let sandbox = Sandbox::start();
    let client = sandbox.client("a");
    let url = format!("{}/carpicsup.do?action=receivepic", sandbox.bolink);
    let send = |token: &str, data: Value| {
        let body = json!({"token": token, "service_name": "upload_carpic", "data": data});
        http("POST", &url, &body.to_string()).1
    };
    // 201,100 bytes are four letters for three bytes.
    let largest = "A".repeat(268_134);
    let cases = [
        (json!({"picture_source": "order", "order_id": "A1", "content": "AAAA"}), 1, "上传成功！"),
        (json!({"picture_source": "order", "order_id": "A1", "content": "AAAA"}), 0, "图片已上传过，不可再传！"),
        (json!({"picture_source": "order", "order_id": "A1", "content": "AAAAAAAA"}), 1, "上传成功！"),
        (json!({"picture_source": "liftrod", "liftrod_id": "1", "content": largest}), 1, "上传成功！"),
        (
            json!({"picture_source": "confirm", "event_id": "1", "content": format!("{largest}AAAA")}),
            0,
            "图片过大，最大支持200K，实际上传大小：196K",
        ),
        (json!({"content": "AAAA"}), 0, "图片上传失败，缺少必填字段picture_source！"),
        (json!({"picture_source": "order", "order_id": "A1"}), 0, "图片上传失败，缺少图片数据！"),
        (json!({"picture_source": "order", "content": "AAAA"}), 0, "图片上传失败，缺少订单编号！"),
        (json!({"picture_source": "liftrod", "content": "AAAA"}), 0, "图片上传失败，缺少抬杆记录编号！"),
        (json!({"picture_source": "confirm", "content": "AAAA"}), 0, "图片上传失败，缺少事件编号！"),
    ];
    for (data, state, text) in cases {
        assert_eq!(send(&client.token, data), json!({"state": state, "errmsg": text}));
    }
    // An unknown token gets an empty answer.
    assert_eq!(send("dead", json!({})), Value::Null);
}
