//! The open API where money moves: ETC, ordered payments, refunds, invoices.

use crate::client::Sandbox;
use crate::union::{entry, exit, now};
use crate::vendor::{Vendor, beside, inside};
use serde_json::{Value, json};

fn etc(sandbox: &Sandbox, number: &str, more: Value) -> Value {
    let mut data = json!({"park_id": "21782", "order_id": number, "car_number": "川AK6F63", "in_time": now() - 7000,
        "out_time": now(), "total": "0.01", "out_channel_id": "出口D-(13)", "in_channel_id": "A1", "parking_time": "60",
        "lane_no": "000139"});
    for (name, value) in more.as_object().expect("an object") {
        data[name] = value.clone();
    }
    beside(sandbox, "/unionapi/etcPayApi", data)
}

fn etc_answers(sandbox: &Sandbox, answer: Value) {
    sandbox.control("/etc", &answer);
}

#[test]
fn etc_is_paid_with_each_provider_by_its_rules() {
    let sandbox = Sandbox::start();
    let ant = json!({"pay_type": "my", "empty_plot": 21, "total_original": "0.01", "inpark_img": "http://x/a", "outpark_img": "http://x/b"});
    entry(&sandbox, "E1", "川AK6F63");
    let paid = etc(&sandbox, "E1", ant.clone());
    assert_eq!((&paid["state"], &paid["errmsg"], &paid["pay_type"]), (&json!(1), &json!("etc扣费成功"), &json!("etc")));
    assert_eq!(
        (&paid["total"].to_string(), &paid["order_id"], &paid["account_type"]),
        (&"0.01".to_owned(), &json!("E1"), &json!(1))
    );
    for name in ["trade_no", "car_number", "out_channel_id", "pay_time", "arrive_money", "fee"] {
        assert!(!paid[name].is_null(), "{name}");
    }
    assert_eq!(etc(&sandbox, "E1", ant.clone())["errmsg"], "订单已支付");
    let count = inside(
        &sandbox,
        "/unionapi/neworder/uploadData",
        json!({"park_id": "21782", "service_name": "parking_business_count"}),
    );
    assert_eq!(count["data"]["parking_business_count"], 0);
    for (number, pay_type) in [("E2", "cj"), ("E3", "jyyh"), ("E4", "ystx")] {
        assert_eq!(etc(&sandbox, number, json!({"pay_type": pay_type}))["state"], 1, "{pay_type}");
    }
    // The first provider needs more than the others.
    for name in ["empty_plot", "total_original", "inpark_img", "outpark_img"] {
        let mut less = ant.clone();
        less.as_object_mut().expect("an object").shift_remove(name);
        let refused = etc(&sandbox, "E5", less);
        assert!(refused["errmsg"].as_str().is_some_and(|text| text.contains(name)), "{refused}");
    }
    assert_eq!(etc(&sandbox, "E6", json!({"pay_type": "unknown"}))["state"], 0);
}

#[test]
fn plate_colours_go_by_the_provider() {
    let sandbox = Sandbox::start();
    let mut number = 0;
    let mut fine = |pay_type: &str, colour: i64| {
        number += 1;
        let more = json!({"pay_type": pay_type, "license_color": colour, "empty_plot": 21, "total_original": "0.01",
            "inpark_img": "http://x/a", "outpark_img": "http://x/b"});
        etc(&sandbox, &format!("C{number}"), more)["state"] == 1
    };
    let known = |pay_type: &str, fine: &mut dyn FnMut(&str, i64) -> bool| {
        (0..15).filter(|colour| fine(pay_type, *colour)).collect::<Vec<i64>>()
    };
    assert_eq!(known("my", &mut fine), [0, 1, 2, 3, 4, 5]);
    assert_eq!(known("cj", &mut fine), [0, 1, 2, 3, 4, 5, 6, 9, 11, 13]);
    assert_eq!(known("jyyh", &mut fine).len(), 15);
}

#[test]
fn etc_is_refused_or_pending() {
    let sandbox = Sandbox::with(&["--pay-delay", "20"]);
    let vendor = Vendor::willing();
    sandbox.control("/push-url", &json!({"union": vendor.url}));
    etc_answers(&sandbox, json!({"answer": "refused"}));
    let refused = etc(&sandbox, "P0", json!({"pay_type": "cj"}));
    assert_eq!((&refused["state"], &refused["errmsg"]), (&json!(0), &json!("etc扣费失败")));
    for (number, result, state) in [("P1", "paid", 1), ("P2", "refused", 0)] {
        etc_answers(&sandbox, json!({"answer": "pending", "result": result}));
        let waits = etc(&sandbox, number, json!({"pay_type": "jyyh"}));
        assert_eq!((&waits["state"], &waits["order_id"]), (&json!(2), &json!(number)));
        let push = vendor.next().json()["data"].clone();
        assert_eq!((&push["service_name"], &push["state"]), (&json!("outpark"), &json!(state)));
        assert_eq!(
            (&push["order_id"], &push["pay_type"], &push["park_id"]),
            (&json!(number), &json!("etc"), &json!("21782"))
        );
    }
    // Only the cloud box may leave it open; the others answer at once.
    etc_answers(&sandbox, json!({"answer": "pending", "result": "refused"}));
    assert_eq!(etc(&sandbox, "P3", json!({"pay_type": "ystx"}))["state"], 0);
    vendor.silent();
}

#[test]
fn electronic_exits_are_told_by_push() {
    let sandbox = Sandbox::with(&["--pay-delay", "20"]);
    let vendor = Vendor::willing();
    entry(&sandbox, "W1", "京A00001");
    entry(&sandbox, "W2", "京A00002");
    sandbox.control("/push-url", &json!({"union": vendor.url}));
    assert_eq!(exit(&sandbox, "W1", "京A00001", "sweepcode", "6.00")["state"], 1);
    let push = vendor.next().json()["data"].clone();
    assert_eq!((&push["state"], &push["pay_type"], &push["order_id"]), (&json!(1), &json!("sweepcode"), &json!("W1")));
    assert_eq!(exit(&sandbox, "W2", "京A00002", "wallet", "6.00")["state"], 1);
    assert_eq!(vendor.next().json()["data"]["state"], 0);
    // Not settled: another way to pay is taken.
    assert_eq!(exit(&sandbox, "W2", "京A00002", "cash", "6.00")["state"], 1);
    let query = json!({"park_id": "21782", "order_id": "W1", "car_number": "京A00001"});
    let paid = inside(&sandbox, "/unionapi/neworder/queryOrderState", query);
    assert_eq!((&paid["data"][0]["pay_state"], &paid["data"][0]["pay_type"]), (&json!(1), &json!("sweepcode")));
    let day = chrono::Utc::now() + chrono::TimeDelta::hours(8);
    let day = day.format("%Y-%m-%d").to_string();
    let drawn = json!({"park_id": "21782", "start_time": day, "end_time": day, "page": 1, "size": 20});
    let drawn = inside(&sandbox, "/unionapi/neworder/querywithDrawList", drawn);
    assert_eq!((&drawn["count"], drawn["data"][0]["amount"].to_string()), (&json!(1), "6.00".to_owned()));
}

#[test]
fn refunds() {
    let sandbox = Sandbox::with(&["--pay-delay", "20"]);
    let vendor = Vendor::willing();
    entry(&sandbox, "R1", "京A00001");
    let trade = exit(&sandbox, "R1", "京A00001", "sweepcode", "6.00")["trade_no"].clone();
    let refund = |money: &str, trade: &Value| {
        let data = json!({"park_id": "21782", "trade_no": trade, "refund_money": money, "refund_reason": "重复扣费", "notify_url": vendor.url});
        inside(&sandbox, "/unionapi/neworder/refund", data)
    };
    assert_eq!(refund("0.01", &trade), json!({"state": 2, "trade_no": trade, "errmsg": "退款中"}));
    let push = vendor.next().json()["data"].clone();
    assert_eq!((&push["service_name"], &push["state"], &push["trade_no"]), (&json!("refund"), &json!(1), &trade));
    assert_eq!((push["refund_money"].to_string(), &push["union_id"]), ("0.01".to_owned(), &json!(200_208)));
    assert_eq!(refund("6.00", &trade)["errmsg"], "退款金额错误");
    assert_eq!(refund("0.01", &json!("404"))["errmsg"], "交易不存在");
    sandbox.control("/electronic", &json!({"answer": "paid"}));
    assert_eq!(refund("5.99", &trade)["state"], 1);
    vendor.silent();
}

#[test]
fn ordered_payments_are_told_where_the_order_says() {
    let sandbox = Sandbox::with(&["--pay-delay", "20"]);
    let vendor = Vendor::willing();
    let serial = "201712125566359777";
    let card = |serial: &str, url: &str| {
        let data = json!({"park_id": "21782", "amount": "100.00", "card_id": "A1_2C1528943355", "trade_no": serial,
            "notify_url": url, "car_number": "苏HHH000", "attach": {"order_id": "abc123"}, "time_temp": "1533035031600"});
        beside(&sandbox, "/unionapi/paymonthcard", data)
    };
    let ordered = card(serial, &vendor.url);
    assert_eq!((&ordered["state"], &ordered["trade_no"]), (&json!(1), &json!(serial)));
    assert_eq!(card(serial, &vendor.url)["errmsg"], "trade_no重复");
    assert_eq!(card("123", &vendor.url)["errmsg"], "trade_no格式错误");
    assert_eq!(card("2017121255663597AB", &vendor.url)["state"], 0);
    assert_eq!(card("201712125566359778", "ftp://x")["state"], 0);
    assert_eq!(card("201712125566359778", "http://x/?a=1")["errmsg"], "notify_url不能带参数");
    let page = ordered["payurl"].as_str().expect("an address").replace("http://127.0.0.1", &sandbox.union);
    assert_eq!(crate::client::http("GET", &page, "").1["state"], 1);
    let push = vendor.next().json();
    assert_eq!(push["union_id"], 200_208);
    let data = &push["data"];
    assert_eq!(
        (&data["service_name"], &data["out_trade_no"], &data["state"]),
        (&json!("monthcard_pay"), &json!(serial), &json!(1))
    );
    assert_eq!(data["attach"], "{\"order_id\":\"abc123\"}");
    assert_eq!(crate::client::http("GET", &page, "").0, 404);

    let stay = json!({"title": "支付停车费", "park_id": "21782", "amount": "0.01", "order_id": "20171204152324414-RLF373",
        "car_number": "京A12355", "in_time": 1_571_904_740, "trade_no": "20170921336435142", "channel": "alipay", "pay_type": 0,
        "time_temp": "1484369702556", "description": "orderid=10", "notify_url": vendor.url});
    assert!(beside(&sandbox, "/unionapi/bolinkparkpay", stay)["payurl"].is_string());
    sandbox.control("/driver/settle", &json!({"trade_no": "20170921336435142"}));
    let data = vendor.next().json()["data"].clone();
    assert_eq!((&data["service_name"], &data["amount"]), (&json!("plat_unified_order"), &json!("0.01")));
    assert_eq!((&data["receipt_amount"], &data["pay_platform_fee"]), (&json!("0.00994"), &json!("0.00006")));
    assert_eq!((&data["trade_no"], &data["description"]), (&json!("20170921336435142"), &json!("orderid=10")));
    let state = json!({"park_id": "21782", "query_type": 2, "trade_no": "20170921336435142"});
    assert_eq!(inside(&sandbox, "/unionapi/neworder/queryOrderState", state)["data"][0]["pay_state"], 1);
    // The gun needs the payer's code.
    let gun = json!({"title": "支付停车费", "park_id": "21782", "amount": "0.01", "order_id": "G1", "car_number": "京A12355",
        "in_time": 1_571_904_740, "trade_no": "20170921336435143", "pay_type": 2, "time_temp": "1484369702556"});
    assert!(
        beside(&sandbox, "/unionapi/bolinkparkpay", gun)["errmsg"]
            .as_str()
            .is_some_and(|text| text.contains("auth_code"))
    );
}

#[test]
fn escaped_orders_are_paid() {
    let sandbox = Sandbox::with(&["--pay-delay", "20"]);
    let vendor = Vendor::willing();
    for (number, plate) in [("X1", "贵A88888"), ("X2", "贵A88889")] {
        entry(&sandbox, number, plate);
        exit(&sandbox, number, plate, "escape", "0.01");
    }
    sandbox.control("/push-url", &json!({"union": vendor.url}));
    let pay = |number: &str, plate: &str| {
        let data = json!({"title": "补缴", "park_id": "21782", "order_id": number, "car_number": plate, "pay_type": 2,
            "trade_no": "1230912903121625210125957", "auth_code": "35454732324235", "time_temp": 1_625_210_125});
        beside(&sandbox, "/unionapi/bolinkescapePay", data)
    };
    assert_eq!(pay("404", "贵A88888")["errmsg"], "逃单不存在");
    assert_eq!(pay("X1", "贵A88888")["state"], 2);
    let data = vendor.next().json()["data"].clone();
    assert_eq!(
        (&data["service_name"], &data["trade_no"]),
        (&json!("plat_escape_order"), &json!("1230912903121625210125957"))
    );
    let query = |plate: &str| {
        let data = json!({"park_id": "21782", "car_number": plate, "time_temp": now()});
        beside(&sandbox, "/unionapi/neworder/queryescape", data)["escapeOrder"].as_array().map(Vec::len)
    };
    assert_eq!((query("贵A88888"), query("贵A88889")), (Some(0), Some(1)));
    sandbox.control("/driver/repair", &json!({"order_id": "X2"}));
    let data = vendor.next().json()["data"].clone();
    assert_eq!(
        (&data["service_name"], &data["pay_type"], &data["order_id"]),
        (&json!("repair"), &json!("repair"), &json!("X2"))
    );
    assert_eq!(query("贵A88889"), Some(0));
}

#[test]
fn red_packets_move_on() {
    let sandbox = Sandbox::start();
    let vendor = Vendor::willing();
    let packet = |amount: &str, serial: &str| {
        // The printed example spells the time's name otherwise.
        let data = json!({"park_id": "21782", "amount": amount, "timestemp": 1_617_937_469, "trade_no": serial, "notify_url": vendor.url});
        inside(&sandbox, "/unionapi/getWxRedPacketUrlNew", data)
    };
    for (amount, serial) in
        [("0.99", "1230912903121617937469786"), ("100.00", "1230912903121617937469786"), ("1.01", "short")]
    {
        assert_eq!(packet(amount, serial)["state"], 0, "{amount} {serial}");
    }
    let made = packet("1.01", "1230912903121617937469786");
    assert!(made["data"]["url"].is_string(), "{made}");
    let serial = json!("1230912903121617937469786");
    sandbox.control("/driver/settle", &json!({"trade_no": serial}));
    sandbox.control("/driver/packet", &json!({"trade_no": serial, "state": 2}));
    let mut states = [vendor.next(), vendor.next()].map(|push| {
        let data = push.json()["data"].clone();
        assert_eq!(
            (&data["service_name"], data["recharge_money"].to_string()),
            (&json!("recharge"), "1.01".to_owned())
        );
        data["state"].as_i64().expect("a state")
    });
    states.sort_unstable();
    assert_eq!(states, [1, 2]);
}

#[test]
fn invoices() {
    let sandbox = Sandbox::with(&["--pay-delay", "60"]);
    let vendor = Vendor::willing();
    let order = json!({"money": "1.00", "park_id": "21782", "plate_number": "苏DTTTTT", "order_id": "A1_2C1561963490", "pay_time": 1_562_312_087});
    assert_eq!(beside(&sandbox, "/unionapi/addInvoiceOrder", order), json!({"errmsg": "上传成功", "state": 1}));
    let issuer = inside(&sandbox, "/unionapi/invoiceInfo", json!({"type": 2}));
    assert_eq!((&issuer["code"], &issuer["data"]["state"]), (&json!(200), &json!(2)));
    assert_eq!(inside(&sandbox, "/unionapi/invoiceInfo", json!({"type": 3}))["code"], 500);
    let open = |url: Option<&str>| {
        let data = json!({"type": 2, "money": 1.23, "open_type": 0, "notify_url": url, "buyer_name": "测试开票", "invoice_order_no": "1658997742125"});
        inside(&sandbox, "/unionapi/openInvoice", data)
    };
    assert_eq!(open(Some(&vendor.url))["code"], 0);
    assert_eq!(open(None)["code"], 1);
    let status = || {
        inside(&sandbox, "/unionapi/queryOpenInvoiceStatus", json!({"type": 2, "invoice_order_no": "1658997742125"}))
    };
    let first = status();
    assert_eq!((&first["code"], &first["data"]["status"]), (&json!(0), &json!(1)));
    let push = vendor.next().json();
    assert_eq!(
        (&push["invoice_order_no"], &push["status"], &push["sign"]),
        (&json!("1658997742125"), &json!(5), &Value::Null)
    );
    assert_eq!(status()["data"]["status"], 5);
    assert_eq!(inside(&sandbox, "/unionapi/queryOpenInvoiceStatus", json!({"invoice_order_no": "404"}))["code"], 1);
    let bare = json!({"type": 2, "money": 1.23, "buyer_name": "测试开票", "invoice_order_no": "2"});
    assert_eq!(inside(&sandbox, "/unionapi/openInvoice", bare)["code"], 1);
}
