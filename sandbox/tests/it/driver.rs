//! The simulated driver, against a lot that answers.

use crate::client::{Bolink, Sandbox};
use serde_json::{Value, json};

/// Lets a driver act while the lot answers the one message it gets.
fn act(
    sandbox: &Sandbox,
    lot: &Bolink,
    page: &str,
    request: &Value,
    answer: impl FnOnce(&Value) -> Value,
) -> (Value, Value) {
    std::thread::scope(|scope| {
        let driver = scope.spawn(|| sandbox.control(page, request));
        let message = lot.poll();
        let service = message["service_name"].as_str().expect("a message");
        assert_eq!(lot.call(service, &answer(&message))["state"], 1);
        (message, driver.join().expect("the driver"))
    })
}

#[test]
fn scan_ask_the_price_prepay() {
    let sandbox = Sandbox::start();
    let lot = Bolink::log_in(&sandbox, "a");
    lot.call("inpark", &json!({"order_id": "B1", "car_number": "京A1", "in_time": 100}));
    lot.poll();
    let price = |asked: &Value| {
        json!({"state": 1, "order_id": asked["order_id"], "park_id": "21782", "price": "6.5", "duration": 50,
            "query_time": 777, "query_order_no": asked["query_order_no"]})
    };
    let (asked, told) = act(&sandbox, &lot, "/driver/scan", &json!({"car_number": "京A1"}), price);
    assert_eq!((&asked["service_name"], &asked["order_id"]), (&json!("query_price"), &json!("B1")));
    assert_eq!((&asked["pay_scene"], &asked["park_id"]), (&json!(0), &json!("21782")));
    assert_eq!(told["answer"]["price"], "6.5");
    // The question names the car too, whichever of the two the driver came with.
    assert_eq!(asked["car_number"], "京A1");
    let (asked, _) = act(&sandbox, &lot, "/driver/scan", &json!({"order_id": "B1"}), price);
    assert_eq!((&asked["car_number"], &asked["order_id"]), (&json!("京A1"), &json!("B1")));

    let order_no = asked["query_order_no"].clone();
    let confirm = |notice: &Value| json!({"state": 1, "park_id": "21782", "order_id": notice["order_id"], "prepay": notice["prepay"].to_string()});
    let (notice, told) = act(&sandbox, &lot, "/driver/pay", &json!({"query_order_no": order_no}), confirm);
    assert_eq!(notice["prepay"].to_string(), "6.50");
    assert_eq!((&notice["service_name"], &notice["order_id"]), (&json!("prepay_order"), &json!("B1")));
    assert_eq!((&notice["query_order_no"], &notice["query_time"]), (&order_no, &json!(777)));
    assert_eq!((&notice["car_number"], &notice["prepay_type"]), (&json!("京A1"), &json!(1)));
    assert_eq!((&told["answered"], &told["trade_no"]), (&json!(true), &notice["trade_no"]));
    let found = lot.call("query_order", &json!({"order_id": "B1", "time_temp": 1, "pay_scene": "prepay"}));
    assert_eq!(found["data"][0]["trade_no"], notice["trade_no"]);
}

#[test]
fn pay_at_the_exit() {
    let sandbox = Sandbox::start();
    let lot = Bolink::log_in(&sandbox, "a_channels_A1");
    let request = json!({"out_channel_id": "A1"});
    std::thread::scope(|scope| {
        let driver = scope.spawn(|| sandbox.control("/driver/exit-pay", &request));
        // The question names the gate and no car.
        let asked = lot.poll();
        assert_eq!((&asked["pay_scene"], &asked["out_channel_id"]), (&json!(1), &json!("A1")));
        assert!(asked.get("car_number").is_none() && asked.get("order_id").is_none(), "{asked}");
        lot.call(
            "query_price",
            &json!({"state": 1, "order_id": "B7", "car_number": "京A7", "price": "3", "query_order_no": asked["query_order_no"]}),
        );
        let paid = lot.poll();
        assert_eq!((&paid["service_name"], &paid["pay_type"]), (&json!("outpark"), &json!("scancode")));
        assert_eq!((&paid["order_id"], &paid["state"]), (&json!("B7"), &json!(1)));
        assert_eq!((&paid["out_channel_id"], &paid["car_number"]), (&json!("A1"), &json!("京A7")));
        assert_eq!(paid["total"].to_string(), "3.00");
        lot.call("outpark", &json!({"state": 1, "trade_no": paid["trade_no"], "order_id": "B7"}));
        assert_eq!(driver.join().expect("the driver")["answered"], true);
    });
}

#[test]
fn a_refused_price_is_not_paid() {
    let sandbox = Sandbox::start();
    let lot = Bolink::log_in(&sandbox, "a");
    let refuse = |asked: &Value| json!({"state": 0, "errmsg": "no car", "query_order_no": asked["query_order_no"]});
    let (_, told) = act(&sandbox, &lot, "/driver/exit-pay", &json!({"out_channel_id": "A1"}), refuse);
    assert_eq!(told["paid"], false);
    assert_eq!(sandbox.state()["payments"], json!([]));
}

#[test]
fn coming_without_a_plate() {
    let sandbox = Sandbox::start();
    let lot = Bolink::log_in(&sandbox, "a_channels_A1");
    let scan = json!({"phone": "p1", "channel_id": "A1"});
    let accept = |asked: &Value| json!({"state": 1, "errmsg": "", "car_number": asked["car_number"], "timetemp": asked["timetemp"]});
    let (asked, told) = act(&sandbox, &lot, "/driver/enter", &scan, accept);
    assert_eq!((&asked["service_name"], &asked["channel_id"]), (&json!("nolicence_in_park"), &json!("A1")));
    assert!(asked["timetemp"].is_number() && asked["car_number"].is_string());
    assert_eq!(told["answered"], true);
    // The same phone within 10 s is a duplicate and not sent, unless it is inside: then it is shown success at once.
    let again = sandbox.control("/driver/enter", &scan);
    assert_eq!((&again["sent"], &again["shown"]), (&json!(false), &json!(null)));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("now").as_secs();
    // The lot may put a mark before the identity, never shorten it.
    let plate = format!("无{}", asked["car_number"].as_str().expect("text"));
    lot.call("inpark", &json!({"order_id": "N1", "car_number": plate, "in_time": now}));
    let inside = sandbox.control("/driver/enter", &scan);
    assert_eq!((&inside["sent"], &inside["shown"]), (&json!(false), &json!("success")));
    // Another phone is another car. (The balance that follows an entry came first.)
    assert_eq!(lot.poll()["service_name"], "update_balance");
    let (other, _) = act(&sandbox, &lot, "/driver/enter", &json!({"phone": "p2", "channel_id": "A1"}), accept);
    assert_ne!(other["car_number"], asked["car_number"]);
}

#[test]
fn without_a_session_the_cloud_relays() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    std::thread::scope(|scope| {
        let driver = scope.spawn(|| sandbox.control("/driver/scan", &json!({"car_number": "京A1"})));
        let asked = client.json();
        assert_eq!((&asked["service_name"], &asked["order_id"]), (&json!("query_price"), &json!("")));
        let answer = json!({"service_name": "query_price", "data_target": "bolink", "state": 1, "order_id": "A1",
            "price": "6.0", "duration": 5, "query_order_no": asked["query_order_no"], "park_id": "21782"});
        client.call_empty("query_price", &answer);
        assert_eq!(driver.join().expect("the driver")["answer"], answer);
    });
}

#[test]
fn a_driver_is_told_when_nobody_is_there() {
    let sandbox = Sandbox::start();
    assert_eq!(sandbox.control("/driver/scan", &json!({"car_number": "京A1"}))["sent"], false);
}

#[test]
fn coupons_and_prices_made_in_the_cloud() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    client.call("in_park", &json!({"order_id": "A1", "car_number": "京A1", "in_time": 100}));
    sandbox.control("/coupon", &json!({"car_number": "京A1", "money": "5"}));
    let coupon = client.json();
    assert_eq!((&coupon["service_name"], &coupon["order_id"]), (&json!("deliver_ticket"), &json!("A1")));
    assert_eq!((&coupon["money"], &coupon["ticket_type"]), (&json!("5"), &json!(0)));
    assert!(coupon["ticket_id"].as_str().is_some_and(|id| id.bytes().all(|digit| digit.is_ascii_digit())));
    sandbox.control("/price", &json!({"price_id": "p1", "car_type": "small", "describe": "1/h"}));
    sandbox.control("/sync/run", &json!({}));
    let price = client.json();
    assert_eq!((&price["service_name"], &price["data"]["price_id"]), (&json!("price_sync"), &json!("p1")));
}

#[test]
fn a_notice_nobody_was_there_to_take_is_sent_again() {
    let sandbox = Sandbox::start();
    let payment = json!({"order_id": "B1", "car_number": "京A1", "amount": "2", "out_channel_id": "A1"});
    let told = sandbox.control("/driver/exit-pay", &payment);
    assert_eq!((&told["sent"], &told["paid"]), (&json!(false), &json!(true)));
    let lot = Bolink::log_in(&sandbox, "a_channels_A1");
    // The first attempt comes after three seconds.
    let notice = lot.poll();
    assert_eq!((&notice["service_name"], &notice["trade_no"]), (&json!("outpark"), &told["trade_no"]));
}
