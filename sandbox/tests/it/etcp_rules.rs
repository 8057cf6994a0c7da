//! ETCP's rules: tokens, plates, parks, pushes.

use crate::client::Sandbox;
use crate::vendor::{MERCHANT, MERCHANT_KEY, Vendor, code, etcp, md5, signed_in};
use serde_json::{Value, json};

const DAY: i64 = 86400;

fn lives(sandbox: &Sandbox, token: &str, ahead: i64) -> bool {
    sandbox.control("/etcp/settings", &json!({"ahead_s": ahead}));
    let answer = etcp(sandbox, "orderhistory", &json!({"token": token}));
    assert!([0, 20101].contains(&code(&answer)), "{answer}");
    code(&answer) == 0
}

#[test]
fn a_token_lives_a_day_or_thirty_days_without_use() {
    let sandbox = Sandbox::start();
    let token = signed_in(&sandbox, "13800000001");
    assert!(lives(&sandbox, &token, DAY - 60));
    assert!(!lives(&sandbox, &token, DAY + 1));
    sandbox.control("/etcp/settings", &json!({"token_life": "unused", "ahead_s": 0}));
    let token = signed_in(&sandbox, "13800000001");
    assert!(lives(&sandbox, &token, 29 * DAY));
    assert!(lives(&sandbox, &token, 58 * DAY));
    assert!(!lives(&sandbox, &token, 88 * DAY + 1));
    sandbox.control("/etcp/settings", &json!({"token_life": "60", "ahead_s": 0}));
    let token = signed_in(&sandbox, "13800000001");
    assert!(lives(&sandbox, &token, 59 - 5));
    assert!(!lives(&sandbox, &token, 61));
}

#[test]
fn the_last_login_counts_and_all_can_be_killed() {
    let sandbox = Sandbox::start();
    let old = signed_in(&sandbox, "13800000001");
    let other = signed_in(&sandbox, "13800000002");
    let new = signed_in(&sandbox, "13800000001");
    assert!(!lives(&sandbox, &old, 0));
    assert!(lives(&sandbox, &new, 0));
    let killed = sandbox.control("/faults", &json!({"platform": "etcp", "kind": "token_kill"}));
    assert_eq!(killed["killed"], 2);
    assert!(!lives(&sandbox, &other, 0));
}

#[test]
fn three_plates_at_a_time_four_in_a_month_one_phone_a_plate() {
    let sandbox = Sandbox::start();
    sandbox.control("/etcp/settings", &json!({"token_life": "unused"}));
    let one = signed_in(&sandbox, "13800000001");
    let two = signed_in(&sandbox, "13800000002");
    let call = |name: &str, token: &str, plate: &str, colour: &str| {
        let data = json!({"token": token, "plateNumber": plate, "plateColor": colour});
        code(&etcp(&sandbox, name, &data))
    };
    assert_eq!(call("bindcar", &one, "京A00001", "1"), 0);
    assert_eq!(call("bindcar", &one, "京A00001", "1"), 0);
    // The same text in another colour is another plate.
    assert_eq!(call("bindcar", &two, "京A00001", "1"), 20100);
    assert_eq!(call("bindcar", &two, "京A00001", "3"), 0);
    assert_eq!(call("bindcar", &one, "京AD12345", "1"), 0);
    assert_eq!(call("bindcar", &one, "京A00003", "4"), 0);
    assert_eq!(call("bindcar", &one, "京A00004", "1"), 20100);
    assert_eq!(call("bindcar", &one, "京A00004", "5"), 6);
    assert_eq!(call("unbindcar", &one, "京A00003", "1"), 0);
    assert_eq!(call("bindcar", &one, "京A00004", "1"), 0);
    assert_eq!(call("unbindcar", &one, "京A00004", "1"), 0);
    // The fifth different one within a month; one of the four may come back.
    assert_eq!(call("bindcar", &one, "京A00005", "1"), 20100);
    assert_eq!(call("bindcar", &one, "京A00003", "4"), 0);
    assert_eq!(call("unbindcar", &one, "京A00003", "4"), 0);
    sandbox.control("/etcp/settings", &json!({"ahead_s": 31 * DAY - 100}));
    let one = signed_in(&sandbox, "13800000001");
    assert_eq!(call("bindcar", &one, "京A00005", "1"), 0);
}

#[test]
fn what_another_merchant_bound_counts_and_stays() {
    let sandbox = Sandbox::start();
    let token = signed_in(&sandbox, "13800000001");
    sandbox.control("/etcp/bind", &json!({"mobilePhone": "13800000001", "plateNumber": "京A00001"}));
    let unbound = etcp(&sandbox, "unbindcar", &json!({"token": token, "plateNumber": "京A00001"}));
    assert_eq!(code(&unbound), 20100);
    for (plate, wanted) in [("京A00002", 0), ("京A00003", 0), ("京A00004", 20100)] {
        assert_eq!(code(&etcp(&sandbox, "bindcar", &json!({"token": token, "plateNumber": plate}))), wanted, "{plate}");
    }
    // No push for a car that is not the merchant's.
    let came = sandbox.control("/etcp/enter", &json!({"plateNumber": "京A00001"}));
    assert!(came["pushed"].as_str().is_some_and(|text| text.starts_with("no")), "{came}");
}

#[test]
fn parks_around_a_point_and_in_a_city() {
    let sandbox = Sandbox::start();
    let ask = |data: Value| etcp(&sandbox, "surroundingparking", &data);
    let here = |radius: &str, kind: &str| {
        let data = json!({"lat": "39.872748", "lon": "116.429718", "radius": radius, "payType": kind});
        let answer = ask(data);
        let list = answer["data"]["list"].as_array().expect("a list").clone();
        list.iter().map(|park| park["parkingName"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(here("500", "0"), ["ETCP停车场", "测试车场"]);
    assert_eq!(here("3000", "0"), ["ETCP停车场", "测试车场", "第三方停车场"]);
    assert_eq!(here("3000", "1"), ["ETCP停车场", "测试车场"]);
    assert_eq!(here("3000", "2"), ["第三方停车场"]);
    let few = ask(json!({"lat": "39.872748", "lon": "116.429718", "radius": "3000"}));
    assert_eq!(few["data"]["list"][1]["capacityStatus"], "较少");
    assert_eq!(few["data"]["list"][2]["capacityStatus"], "紧张");
    let city = ask(json!({"city": "莆田市"}));
    assert_eq!(city["data"]["list"][0]["parkingName"], "莆田万达广场");
    for (data, wanted) in [
        (json!({}), 20102),
        (json!({"lat": "1"}), 20102),
        (json!({"lat": "1", "lon": "1"}), 20102),
        (json!({"lat": "1", "lon": "1", "radius": "499"}), 6),
        (json!({"lat": "1", "lon": "1", "radius": "3001"}), 6),
        (json!({"lat": "north", "lon": "1", "radius": "500"}), 6),
        (json!({"city": "北京市", "scrollId": "x"}), 6),
        (json!({"city": "北京市", "payType": "3"}), 6),
    ] {
        assert_eq!(code(&ask(data.clone())), wanted, "{data}");
    }
    assert_eq!(code(&etcp(&sandbox, "parkingstatus", &json!({"parkingId": "none"}))), 20100);
}

#[test]
fn lists_are_read_page_by_page() {
    let sandbox = Sandbox::start();
    for number in 0..12 {
        let park = json!({"park_id": 9000 + number, "city": "天津市", "name": format!("车场{number}")});
        sandbox.control("/etcp/park", &park);
    }
    let mut mark = String::new();
    let mut sizes = Vec::new();
    loop {
        let answer = etcp(&sandbox, "surroundingparking", &json!({"city": "天津市", "scrollId": mark}));
        let list = answer["data"]["list"].as_array().expect("a list").clone();
        sizes.push(list.len());
        let Some(last) = list.last() else { break };
        mark = last["scrollId"].as_str().expect("a mark").to_owned();
    }
    assert_eq!(sizes, [10, 2, 0]);
}

#[test]
fn entries_and_exits_are_pushed_signed_and_again() {
    let sandbox = Sandbox::start();
    let token = signed_in(&sandbox, "13800000001");
    etcp(&sandbox, "bindcar", &json!({"token": token, "plateNumber": "渝ATX061"}));
    let vendor = Vendor::start(|count, _| match count {
        0 => Some((500, String::new())),
        1 => Some((200, json!({"code": 1, "message": "later"}).to_string())),
        _ => Some((200, json!({"code": 0, "message": "ok"}).to_string())),
    });
    sandbox.control("/push-url", &json!({"etcp": vendor.url, "speed": 10_000}));
    let lease = json!({"plateNumber": "渝ATX061", "fixParkingId": "U7", "remainingDays": "11"});
    sandbox.control("/etcp/enter", &lease);
    let got = [vendor.next(), vendor.next(), vendor.next()];
    assert!(got.iter().all(|push| push.body == got[0].body));
    vendor.silent();
    let push = got[0].json();
    assert_eq!((&push["userType"], &push["fixParkingId"], &push["parkId"]), (&json!("76"), &json!("U7"), &json!(3126)));
    let (text, signment) = got[0].body.split_once(",\"signment\":\"").expect("a signature");
    assert_eq!(md5(&format!("{MERCHANT}{text}}}{MERCHANT_KEY}")), signment.trim_end_matches("\"}"));
    let state = sandbox.until("confirmed", |state| state["pushes"]["list"][0]["confirmed"] == true);
    assert_eq!(state["pushes"]["list"][0]["attempts"].as_array().map(Vec::len), Some(3));

    // Written again: the body has blanks, what was signed has none.
    sandbox.control("/etcp/settings", &json!({"push_sign": "remade"}));
    sandbox.control("/etcp/exit", &json!({"plateNumber": "渝ATX061"}));
    let got = vendor.next();
    let mut push = got.json();
    assert!(got.body.contains("\": "), "{}", got.body);
    assert_eq!(push["receivableFee"], 0);
    let signment = push.as_object_mut().expect("an object").shift_remove("signment").expect("a signature");
    assert_eq!(md5(&format!("{MERCHANT}{push}{MERCHANT_KEY}")), signment);

    // A form, and a wrong signature.
    sandbox.control("/etcp/settings", &json!({"push_sign": "form"}));
    sandbox.control("/etcp/enter", &json!({"plateNumber": "渝ATX061"}));
    let got = vendor.next();
    assert!(got.head.to_lowercase().contains("content-type: application/x-www-form-urlencoded"), "{}", got.head);
    assert!(got.body.starts_with("data=%7B%22synId%22") && got.body.contains("&signment="), "{}", got.body);
    sandbox.control("/faults", &json!({"platform": "etcp", "kind": "wrong_sign", "count": 1}));
    sandbox.control("/etcp/settings", &json!({"push_sign": "text"}));
    sandbox.control("/etcp/exit", &json!({"plateNumber": "渝ATX061"}));
    let body = vendor.next().body;
    let (text, signment) = body.split_once(",\"signment\":\"").expect("a signature");
    assert_ne!(md5(&format!("{MERCHANT}{text}}}{MERCHANT_KEY}")), signment.trim_end_matches("\"}"));
}
