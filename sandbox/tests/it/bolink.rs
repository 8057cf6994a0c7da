//! The HTTP link: login, upload, long poll, exits with asynchronous results.

use crate::client::{Bolink, Sandbox, UKEY, http, http_begin, line};
use serde_json::json;
use std::time::{Duration, Instant};

#[test]
fn the_documents_own_login_is_accepted() {
    let sandbox = Sandbox::start();
    sandbox.control("/lots", &json!({"park_id": "21835"}));
    // Data and sign as printed.
    let body = "{\"service_name\":\"login\",\"sign\":\"CB649425CB5548A375099103AB04CC1E\",\"data\":\
        {\"union_id\":\"200208\",\"park_id\":\"21835\",\"local_id\":\"0071cc97102b_1001_qh321_quanhao-atest1\"}}";
    let (status, answer) = http("POST", &format!("{}/bpd/upload.do", sandbox.bolink), body);
    assert_eq!(status, 200);
    assert_eq!((&answer["state"], &answer["service_name"]), (&json!(1), &json!("login")));
    assert_eq!(answer["token"].as_str().map(str::len), Some(32));
}

#[test]
fn the_sign_covers_the_exact_text() {
    let sandbox = Sandbox::start();
    let client = Bolink::log_in(&sandbox, "a");
    for data in [
        r#"{"order_id":"B1","car_number":"京A1","in_time":1}"#,
        r#"{ "order_id" : "B2" , "car_number":"京A1", "in_time" : 1.0, "null":null }"#,
        r#"{"in_time":1e3,"car_number":"\u4eacA1","order_id":"B3","order_id":"B3"}"#,
    ] {
        assert_eq!(client.upload("inpark", data, UKEY)["state"], 1, "{data}");
        assert_eq!(client.upload("inpark", data, "wrong")["errmsg"], "error:签名错误", "{data}");
    }
    // Signed as normal form, sent with blanks: refused.
    let signed = line("inpark", &client.token, r#"{"a":1}"#, UKEY).replace(r#"{"a":1}"#, r#"{ "a":1}"#);
    let (_, answer) = http("POST", &format!("{}/bpd/upload.do", sandbox.bolink), &signed);
    assert_eq!(answer, json!({"state": 0, "errmsg": "error:签名错误"}));
}

#[test]
fn refusals() {
    let sandbox = Sandbox::start();
    let url = format!("{}/bpd/upload.do", sandbox.bolink);
    let login =
        |data: serde_json::Value| http("POST", &url, &line("login", "", &data.to_string(), UKEY)).1["errmsg"].clone();
    assert_eq!(login(json!({"union_id": "200208", "park_id": "404"})), "车场不存在");
    assert_eq!(login(json!({"union_id": "1", "park_id": "21782"})), "车场不存在");
    assert_eq!(login(json!({"union_id": "200208"})), "未识别到park_id标记");
    for (body, text) in [
        ("{}", "未识别到service_name标记"),
        ("{\"service_name\":\"inpark\"}", "未识别到sign标记"),
        ("{\"service_name\":\"inpark\",\"sign\":\"S\"}", "未识别到token标记"),
        ("{\"service_name\":\"inpark\",\"sign\":\"S\",\"token\":\"dead\",\"data\":{}}", "error:token无效"),
        ("no json", "data error"),
    ] {
        assert_eq!(http("POST", &url, body).1, json!({"state": 0, "errmsg": text}), "{body}");
    }
    let (_, answer) = http("POST", &format!("{}/bpd/download.do", sandbox.bolink), "{\"token\":\"dead\"}");
    assert_eq!(answer, json!({"state": 0, "errmsg": "error:token无效"}));
}

#[test]
fn a_new_login_kills_the_old_token_and_ends_its_poll() {
    let sandbox = Sandbox::start();
    let old = Bolink::log_in(&sandbox, "a");
    std::thread::scope(|scope| {
        let poll = scope.spawn(|| old.poll());
        sandbox.until("a poll is open", |state| state["bolink"]["polls_open"] == 1);
        let _new = Bolink::log_in(&sandbox, "a");
        assert_eq!(poll.join().expect("the poll")["errmsg"], "error:token无效");
    });
    assert_eq!(old.call("inpark", &json!({"n": 1}))["errmsg"], "error:token无效");
    let new = Bolink::log_in(&sandbox, "b");
    assert_eq!(new.call("logout", &json!({}))["state"], 1);
    assert_eq!(new.poll()["errmsg"], "error:token无效");
}

#[test]
fn a_poll_is_held_and_answered_at_once_when_something_comes() {
    let sandbox = Sandbox::with(&["--poll-hold", "0.3"]);
    let client = Bolink::log_in(&sandbox, "a");
    let begin = Instant::now();
    let nothing = client.poll();
    assert!(begin.elapsed() >= Duration::from_millis(300));
    assert!(nothing.get("service_name").is_none(), "{nothing}");

    let sandbox = Sandbox::start();
    let client = Bolink::log_in(&sandbox, "a");
    let message = json!({"service_name": "refund", "trade_no": "t1", "refund_money": 1.50});
    std::thread::scope(|scope| {
        let poll = scope.spawn(|| client.poll());
        sandbox.until("a poll is open", |state| state["bolink"]["polls_open"] == 1);
        sandbox.control("/downlink", &json!({"message": message}));
        assert_eq!(poll.join().expect("the poll"), message);
    });
    // Answers come back through upload.do under the message's name.
    assert_eq!(client.call("refund", &json!({"state": 1, "trade_no": "t1"}))["state"], 1);
    let state = sandbox.state();
    assert_eq!(state["downlinks"]["answered"], 1);
    assert_eq!(state["bolink"]["polls_open"], 0);
    assert_eq!(state["bolink"]["polls_overlapping"], json!(null));
}

#[test]
fn a_second_poll_at_once_is_noted() {
    let sandbox = Sandbox::with(&["--poll-hold", "0.2"]);
    let client = Bolink::log_in(&sandbox, "a");
    std::thread::scope(|scope| {
        let first = scope.spawn(|| client.poll());
        sandbox.until("a poll is open", |state| state["bolink"]["polls_open"] == 1);
        client.poll();
        first.join().expect("the poll");
    });
    assert_eq!(sandbox.state()["bolink"]["polls_overlapping"], 1);
}

#[test]
fn a_message_is_not_lost_in_a_poll_that_was_broken_off() {
    let sandbox = Sandbox::start();
    let client = Bolink::log_in(&sandbox, "a");
    let url = format!("{}/bpd/download.do", sandbox.bolink);
    let poll = http_begin("POST", &url, &json!({"token": client.token}).to_string());
    sandbox.until("a poll is open", |state| state["bolink"]["polls_open"] == 1);
    drop(poll);
    sandbox.until("it is gone", |state| state["bolink"]["polls_open"] == 0);
    sandbox.control("/downlink", &json!({"message": {"service_name": "refund", "trade_no": "t1"}}));
    assert_eq!(client.poll()["trade_no"], "t1");
}

#[test]
fn entries() {
    let sandbox = Sandbox::start();
    let client = Bolink::log_in(&sandbox, "a");
    sandbox.control("/balance", &json!({"car_number": "京A1", "balance": "28.3", "autopay": 1}));
    let order = json!({"order_id": "B1", "car_number": "京A1", "in_time": 1490875218, "empty_plot": 5});
    let done = json!({"service_name": "inpark", "state": 1, "errmsg": "", "order_id": "B1"});
    assert_eq!(client.call("inpark", &order), done);
    // Contactless payment is on: the balance follows.
    let push = json!({"service_name": "update_balance", "car_number": "京A1", "balance": "28.30", "autopay": 1});
    assert_eq!(client.poll(), push);
    // Again only when it changes.
    for (balance, pushed) in [("28.30", 0), ("20", 1)] {
        let told = sandbox.control("/balance", &json!({"car_number": "京A1", "balance": balance, "autopay": 1}));
        assert_eq!(told["pushed"], pushed, "{balance}");
    }
    assert_eq!(client.poll()["balance"], "20.00");
    let again = client.call("inpark", &order);
    assert_eq!((&again["state"], &again["errmsg"]), (&json!(0), &json!("该订单已经存在")));
    let found = client.call("query_inpark", &json!({"car_number": "京A1", "query_time": 7}));
    let row = json!({"local_id": "a", "in_time": 1490875218, "car_number": "京A1", "order_id": "B1"});
    assert_eq!((&found["state"], &found["query_time"], &found["data"]), (&json!(1), &json!(7), &json!([row])));
    let records = &sandbox.state()["bolink"]["records"]["21782"]["inpark"]["B1"];
    assert_eq!(records, &json!({"received": 2, "accepted": 1}));
}

fn exit(pay_type: &str, more: serde_json::Value) -> serde_json::Value {
    let mut order = json!({"order_id": "B1", "car_number": "京A1", "in_time": 100, "out_time": 200, "total": "6.50"});
    order["pay_type"] = json!(pay_type);
    for (name, value) in more.as_object().expect("members") {
        order[name] = value.clone();
    }
    order
}

#[test]
fn exits_without_electronic_payment_are_done_at_once() {
    let sandbox = Sandbox::start();
    let client = Bolink::log_in(&sandbox, "a");
    for pay_type in ["cash", "monthuser", "free"] {
        let answer = client.call("outpark", &exit(pay_type, json!({})));
        assert_eq!((&answer["state"], &answer["order_id"]), (&json!(1), &json!("B1")), "{pay_type}");
    }
    assert_eq!(sandbox.state()["downlinks"]["sent"], 0);
}

#[test]
fn electronic_exits_get_their_result_later() {
    let sandbox = Sandbox::with(&["--pay-delay", "20"]);
    let client = Bolink::log_in(&sandbox, "a");
    sandbox.control("/balance", &json!({"car_number": "京A1", "balance": "10.00", "autopay": 1}));
    // pay_type, further members, state of the result
    let cases = [
        ("wallet", json!({}), 1),
        // 3.50 are left.
        ("wallet", json!({}), 0),
        ("wallet", json!({"car_number": "京STRANGE"}), 0),
        ("sweepcode", json!({"auth_code": "134567"}), 1),
        ("sweepcode", json!({}), 0),
    ];
    for (pay_type, more, state) in cases {
        let answer = client.call("outpark", &exit(pay_type, more.clone()));
        assert_eq!((&answer["state"], &answer["service_name"]), (&json!(2), &json!("outpark")));
        let result = client.poll();
        assert_eq!(result["service_name"], "outpark");
        assert_eq!(result["state"], state, "{pay_type} {more}: {result}");
        assert_eq!((&result["order_id"], &result["pay_type"]), (&json!("B1"), &json!(pay_type)));
        assert_eq!(result["total"].to_string(), "6.50");
        for name in ["trade_no", "errmsg", "pay_time", "car_number", "arrive_money", "fee", "account_type", "remark"] {
            assert!(result.get(name).is_some(), "{name} in {result}");
        }
        // The answer to it shares its name with the exit.
        let acknowledged = client
            .call("outpark", &json!({"state": 1, "errmsg": "", "trade_no": result["trade_no"], "order_id": "B1"}));
        assert_eq!(acknowledged["state"], 1);
    }
    let state = sandbox.state();
    assert_eq!((&state["downlinks"]["sent"], &state["downlinks"]["answered"]), (&json!(5), &json!(5)));
    assert_eq!(state["drivers"]["balances"]["京A1"]["balance"], "3.50");
    // Both payments are found when asked for.
    let found = client.call("query_order", &json!({"order_id": "B1", "time_temp": 1516934957889_u64}));
    assert_eq!(found["time_temp"], 1516934957889_u64);
    assert_eq!(found["data"].as_array().map(Vec::len), Some(2));
    assert_eq!((&found["data"][0]["state"], &found["data"][0]["pay_scene"]), (&json!(1), &json!("outpay")));
    let none = client.call("query_order", &json!({"order_id": "B2", "time_temp": 1}));
    assert_eq!(none["data"][0]["state"], 0);
}

#[test]
fn the_result_of_an_electronic_exit_can_be_set() {
    let sandbox = Sandbox::with(&["--pay-delay", "1"]);
    let client = Bolink::log_in(&sandbox, "a");
    for (answer, state) in [("paid", 1), ("refused", 0)] {
        sandbox.control("/electronic", &json!({"answer": answer}));
        client.call("outpark", &exit("wallet", json!({})));
        assert_eq!(client.poll()["state"], state, "{answer}");
    }
    sandbox.control("/electronic", &json!({"answer": "never"}));
    assert_eq!(client.call("outpark", &exit("wallet", json!({})))["state"], 2);
    assert_eq!(sandbox.state()["downlinks"]["sent"], 2);
}

#[test]
fn messages_bound_to_a_gate_go_to_the_client_that_lists_it() {
    let sandbox = Sandbox::with(&["--poll-hold", "0.05"]);
    let a = Bolink::log_in(&sandbox, "a_channels_A1");
    let b = Bolink::log_in(&sandbox, "b_channels_B1_B2");
    let ask = |gate: &str| {
        sandbox.control(
            "/downlink",
            &json!({"message": {"service_name": "query_price", "out_channel_id": gate, "pay_scene": 1}}),
        )
    };
    assert_eq!(ask("B2")["sent"], true);
    assert_eq!(b.poll()["out_channel_id"], "B2");
    assert_eq!(ask("A1")["sent"], true);
    assert_eq!(a.poll()["out_channel_id"], "A1");
    assert_eq!(ask("C1")["sent"], false);
}

#[test]
fn unknown_services_and_pages() {
    let sandbox = Sandbox::start();
    let client = Bolink::log_in(&sandbox, "a");
    assert_eq!(client.call("in_park", &json!({"order_id": "x"}))["state"], 0);
    assert_eq!(http("POST", &format!("{}/bpd/other.do", sandbox.bolink), "").0, 404);
    assert_eq!(http("GET", &format!("{}/bpd/upload.do", sandbox.bolink), "").0, 405);
}
