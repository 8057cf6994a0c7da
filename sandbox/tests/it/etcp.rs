//! ETCP: the ten calls, and every value of chapter 10.

use crate::client::{Sandbox, exchange};
use crate::vendor::{MERCHANT, MERCHANT_KEY, beijing, code, etcp, etcp_form, etcp_raw, md5, signed_in, stamp};
use serde_json::{Value, json};

const PHONE: &str = "13800000001";

fn enter(sandbox: &Sandbox, plate: &str, minutes_ago: i64) -> Value {
    sandbox.control("/etcp/enter", &json!({"plateNumber": plate, "minutes_ago": minutes_ago}))
}

fn fee(sandbox: &Sandbox, token: &str, plate: &str) -> Value {
    let answer = etcp(sandbox, "orderunpay", &json!({"token": token, "plateNumber": plate}));
    assert_eq!(code(&answer), 0, "{answer}");
    answer["data"][0].clone()
}

fn payment(token: &str, fee: &Value, number: &str, amount: &str) -> Value {
    json!({"externalOrderId": number, "orderId": fee["orderId"], "payTime": beijing(0), "payment": amount,
        "token": token, "verificationInfo": fee["verificationInfo"]})
}

#[test]
fn the_documents_vector_is_what_is_checked() {
    assert_eq!(
        md5("{\"param1\":\"value1\",\"param2\":\"value2\",\"param3\":\"value3\"}noxxxxx20170721132452"),
        "A3DE1813F4DDBADFC18555E18A2E579D"
    );
    let sandbox = Sandbox::start();
    // The vector's own time is long past; with a window that wide its signature passes, and its members do not.
    sandbox.control("/etcp/settings", &json!({"time_window_s": 1_000_000_000}));
    let form = "merchant_no=9827c6b5c6d94485b912b6e90c92a7ae&time_stamp=20170721132452&\
        sign=A3DE1813F4DDBADFC18555E18A2E579D&data=%7B%22param1%22%3A%22value1%22%2C%22param2%22%3A%22value2%22\
        %2C%22param3%22%3A%22value3%22%7D";
    assert_eq!(code(&etcp_form(&sandbox, "userlogin", form)), 20102);
    let flipped = form.replace("A3DE", "B3DE");
    assert_eq!(code(&etcp_form(&sandbox, "userlogin", &flipped)), 4);
}

#[test]
fn a_code_logs_in_once() {
    let sandbox = Sandbox::start();
    let asked = etcp(&sandbox, "uservalidatecode", &json!({"mobilePhone": PHONE}));
    assert_eq!(asked, json!({"code": 0, "message": "ok"}));
    let number = sandbox.state()["etcp"]["users"][PHONE]["code"].clone();
    let login =
        |number: &Value| etcp(&sandbox, "userlogin", &json!({"mobilePhone": PHONE, "code": number, "appId": "ETCP"}));
    assert_eq!(code(&login(&json!("none"))), 20203);
    let answer = login(&number);
    assert_eq!((code(&answer), answer["message"].as_str()), (0, Some("ok")));
    assert_eq!(answer["data"]["token"].as_str().map(str::len), Some(36));
    assert_eq!(code(&login(&number)), 20203);
}

#[test]
fn the_examples_of_the_document() {
    let sandbox = Sandbox::start();
    let joint = json!({"appId": "ETCP", "carNumber": "渝AJS537", "mobilePhone": "13508381199"});
    let token = etcp(&sandbox, "usersignin", &joint)["data"]["token"].clone();
    let bound = etcp(&sandbox, "bindcar", &json!({"plateColor": "2", "plateNumber": "渝B757D0", "token": token}));
    assert_eq!(bound, json!({"code": 0, "message": "ok"}));
    let unbound = etcp(&sandbox, "unbindcar", &json!({"token": token, "plateNumber": "京F43264"}));
    assert_eq!(code(&unbound), 20100);
    let none = etcp(&sandbox, "orderhistory", &json!({"token": token}));
    assert_eq!(none, json!({"code": 0, "message": "ok", "data": []}));
    // As printed it names both a position and a city, which its own text forbids.
    let both = json!({"lat": "39.87274", "lon": "116.429718", "radius": "500", "payType": "1", "city": "北京市", "scrollId": ""});
    assert_eq!(code(&etcp(&sandbox, "surroundingparking", &both)), 6);
    let mut near = both.clone();
    near["city"] = "".into();
    let parks = etcp(&sandbox, "surroundingparking", &near);
    let park = &parks["data"]["list"][0];
    assert_eq!((&park["type"], &park["payType"], &park["distance"]), (&json!("ss"), &json!("1"), &json!("1m")));
    let status = etcp(&sandbox, "parkingstatus", &json!({"parkingId": park["id"]}));
    assert_eq!((&status["data"]["totalSpace"], &status["data"]["status"]), (&json!("114"), &json!("充足")));
}

#[test]
fn a_stay_is_paid_and_shows_in_the_history() {
    let sandbox = Sandbox::start();
    let token = signed_in(&sandbox, PHONE);
    let plate = "渝DE3787";
    etcp(&sandbox, "bindcar", &json!({"token": token, "plateNumber": plate}));
    let empty = etcp(&sandbox, "orderunpay", &json!({"token": token, "plateNumber": plate}));
    assert_eq!(empty, json!({"code": 0, "message": "ok", "data": []}));
    enter(&sandbox, plate, 40);
    let first = fee(&sandbox, &token, plate);
    assert_eq!((&first["parkingFee"], &first["remainingFee"]), (&json!(2), &json!(2)));
    assert_eq!((&first["carNumber"], &first["parkingId"]), (&json!("渝****87"), &json!(3126)));
    assert_eq!(first["verificationInfo"].as_str().map(str::len), Some(128));
    // It grows with time.
    sandbox.control("/etcp/settings", &json!({"ahead_s": 3600}));
    let grown = fee(&sandbox, &token, plate);
    assert_eq!(grown["remainingFee"], json!(4));
    let answer = etcp(&sandbox, "orderpaid", &payment(&token, &grown, "M1", "4.0"));
    assert_eq!((&answer["message"], &answer["data"]["payment"]), (&json!("支付通知成功"), &json!(4)));
    assert!(answer["data"]["payOrderId"].as_str().is_some_and(|number| number.starts_with("no")), "{answer}");
    let paid = fee(&sandbox, &token, plate);
    assert_eq!((&paid["parkingFee"], &paid["remainingFee"]), (&json!(4), &json!(0)));
    // A payment holds for the free exit time; then a new fee runs from it.
    sandbox.control("/etcp/settings", &json!({"ahead_s": 3600 + 20 * 60}));
    let again = fee(&sandbox, &token, plate);
    assert_eq!((&again["parkingFee"], &again["remainingFee"]), (&json!(6), &json!(2)));
    sandbox.control("/etcp/exit", &json!({"plateNumber": plate}));
    let history = etcp(&sandbox, "orderhistory", &json!({"token": token}));
    let row = &history["data"][0];
    assert_eq!((&row["parkingFee"], &row["actual"], &row["parkingId"]), (&json!("6.0"), &json!("2.0"), &json!("3126")));
    assert_eq!(row["orderId"], first["orderId"]);
}

#[test]
fn history_goes_back_seven_days_newest_entry_first() {
    let sandbox = Sandbox::start();
    let token = signed_in(&sandbox, PHONE);
    let day = 86400;
    let mut numbers = Vec::new();
    for (at, plate) in [(0, "京A00001"), (3 * day, "京A00002"), (5 * day, "京A00001")] {
        sandbox.control("/etcp/settings", &json!({"ahead_s": at, "token_life": "unused"}));
        etcp(&sandbox, "bindcar", &json!({"token": token, "plateNumber": plate}));
        numbers.push(enter(&sandbox, plate, 30)["orderId"].clone());
        sandbox.control("/etcp/exit", &json!({"plateNumber": plate}));
    }
    let shown = |at: i64| {
        sandbox.control("/etcp/settings", &json!({"ahead_s": at}));
        let answer = etcp(&sandbox, "orderhistory", &json!({"token": token}));
        let rows = answer["data"].as_array().expect("rows").clone();
        rows.iter().map(|row| row["orderId"].clone()).collect::<Vec<Value>>()
    };
    assert_eq!(shown(5 * day + 60), [numbers[2].clone(), numbers[1].clone(), numbers[0].clone()]);
    assert_eq!(shown(8 * day), [numbers[2].clone(), numbers[1].clone()]);
    assert_eq!(shown(13 * day), Vec::<Value>::new());
}

#[test]
fn every_value_of_chapter_10() {
    let sandbox = Sandbox::start();
    let token = signed_in(&sandbox, PHONE);
    let plate = "京MZ1173";
    etcp(&sandbox, "bindcar", &json!({"token": token, "plateNumber": plate}));
    enter(&sandbox, plate, 30);
    let first = fee(&sandbox, &token, plate);
    let fault = |number: i64| {
        let body = json!({"platform": "etcp", "kind": "code", "value": number, "count": 1});
        sandbox.control("/faults", &body);
        code(&etcp(&sandbox, "orderhistory", &json!({"token": token})))
    };
    let data = json!({"mobilePhone": PHONE}).to_string();
    let send = |time: &str, merchant: &str, key: &str| {
        code(&etcp_raw(&sandbox, "uservalidatecode", &data, time, merchant, key))
    };
    let pay = |number: &str, amount: &str| code(&etcp(&sandbox, "orderpaid", &payment(&token, &first, number, amount)));
    let bind = |plate: &str| code(&etcp(&sandbox, "bindcar", &json!({"token": token, "plateNumber": plate})));

    // No cause of theirs is documented.
    assert_eq!((fault(1), fault(2)), (1, 2));
    assert_eq!(send(&stamp(-601), MERCHANT, MERCHANT_KEY), 3);
    assert_eq!(send(&stamp(605), MERCHANT, MERCHANT_KEY), 3);
    assert_eq!(send(&stamp(0), MERCHANT, "another"), 4);
    assert_eq!(send(&stamp(0), "another", MERCHANT_KEY), 5);
    assert_eq!(send("yesterday", MERCHANT, MERCHANT_KEY), 6);
    assert_eq!(bind("京A1"), 6);
    assert_eq!(send("", MERCHANT, MERCHANT_KEY), 20102);
    assert_eq!(code(&etcp(&sandbox, "userlogin", &json!({"mobilePhone": PHONE, "appId": "ETCP"}))), 20102);
    assert_eq!(code(&etcp(&sandbox, "orderhistory", &json!({}))), 20102);
    assert_eq!(code(&etcp(&sandbox, "orderhistory", &json!({"token": "dead"}))), 20101);
    assert_eq!(code(&etcp(&sandbox, "uservalidatecode", &json!({"mobilePhone": "1380000000"}))), 20201);
    assert_eq!(send(&stamp(0), MERCHANT, MERCHANT_KEY), 0);
    assert_eq!(send(&stamp(0), MERCHANT, MERCHANT_KEY), 20202);
    let wrong = json!({"mobilePhone": PHONE, "code": "-", "appId": "ETCP"});
    assert_eq!(code(&etcp(&sandbox, "userlogin", &wrong)), 20203);
    assert_eq!(pay("M1", "1.99"), 20206);
    assert_eq!(pay("M1", "2.00"), 0);
    assert_eq!(pay("M1", "2"), 8);
    sandbox.control("/etcp/exit", &json!({"plateNumber": plate}));
    assert_eq!(pay("M2", "2"), 7);
    assert_eq!((bind("京A00002"), bind("京A00003"), bind("京A00004")), (0, 0, 20100));
}

#[test]
fn methods_versions_and_addresses() {
    let sandbox = Sandbox::start();
    let host = sandbox.etcp.strip_prefix("http://").expect("http");
    let status = |method: &str, path: &str| {
        let answer = exchange(host, &format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"));
        answer.split(' ').nth(1).expect("a status").to_owned()
    };
    assert_eq!(status("POST", "/merchant/open/1.0.0/openapi/orderhistory"), "405");
    assert_eq!(status("GET", "/merchant/open/1.0.0/openapi/bindcar"), "405");
    assert_eq!(status("GET", "/merchant/open/2.0.0/openapi/orderhistory"), "404");
    assert_eq!(status("GET", "/merchant/open/1.0.0/openapi/nothing"), "404");
    // A JSON body is no form: the merchant is not found.
    let body = "{\"merchant_no\":\"9827c6b5c6d94485b912b6e90c92a7ae\"}";
    let (_, answer) =
        crate::client::http("POST", &format!("{}/merchant/open/1.0.0/openapi/bindcar", sandbox.etcp), body);
    assert_eq!(code(&answer), 5);
}
