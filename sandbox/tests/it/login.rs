//! Logins, tokens, and who has the place of a client.

use crate::client::{CKEY, Sandbox, line};
use serde_json::json;

#[test]
fn success() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.connect();
    let answer = client.try_login(
        "{\"park_id\":\"21782\",\"local_id\":\"box1_syncdata_channels_A1_A2\",\"set_params\":{\"receive_cloud\":\"1\"}}",
        CKEY,
    );
    assert_eq!(answer["state"], 1);
    assert_eq!(answer["service_name"], "login");
    let token = answer["token"].as_str().expect("token");
    assert!(token.len() == 32 && token.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)), "{token}");
    assert_eq!(answer.as_object().map(|members| members.len()), Some(3));
}

#[test]
fn refusals_and_closings() {
    let sandbox = Sandbox::start();
    // data, key, text, carries service_name, closed
    let cases = [
        (r#"{"park_id":"21782","local_id":"a"}"#, "wrong", "error:签名错误", true, true),
        (r#"{"park_id":"99999","local_id":"a"}"#, CKEY, "error:云平台车场不存在", true, true),
        (r#"{"park_id":2147483647}"#, CKEY, "error:云平台车场不存在", true, true),
        (r#"{"park_id":"2147483648"}"#, CKEY, "车场不存在", false, false),
        (r#"{"park_id":"no-such-lot"}"#, CKEY, "车场不存在", false, false),
        (r#"{"local_id":"a"}"#, CKEY, "未识别到park_id标记", false, true),
        (r#"{"park_id":"  "}"#, CKEY, "未识别到park_id标记", false, true),
        (r#"{"park_id":"null"}"#, CKEY, "未识别到park_id标记", false, true),
    ];
    for (data, key, text, named, closed) in cases {
        let mut client = sandbox.connect();
        let answer = client.try_login(data, key);
        let mut wanted = json!({"state": 0, "errmsg": text});
        if named {
            wanted["service_name"] = json!("login");
        }
        assert_eq!(answer, wanted, "{data}");
        if closed {
            client.closed();
        } else {
            client.open();
        }
    }
}

#[test]
fn refusals_that_leave_the_connection_open() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.connect();
    let without_sign = [
        "{\"service_name\":\"login\",\"data\":{\"park_id\":\"21782\"}}\n",
        "{\"service_name\":\"login\",\"sign\":\" \",\"data\":{\"park_id\":\"21782\"}}\n",
        "{\"service_name\":\"login\",\"sign\":\"null\",\"data\":{\"park_id\":\"21782\"}}\n",
    ];
    for request in without_sign {
        client.send(request);
        assert_eq!(client.json(), json!({"state": 0, "errmsg": "未识别到sign标记"}), "{request}");
    }
    // data missing or not an object: no answer at all.
    for request in [
        "{\"service_name\":\"login\",\"sign\":\"X\"}\n",
        "{\"service_name\":\"login\",\"sign\":\"X\",\"data\":null}\n",
        "{\"service_name\":\"login\",\"sign\":\"X\",\"data\":[1]}\n",
        "{\"service_name\":\"login\",\"sign\":\"X\",\"data\":7}\n",
    ] {
        client.send(request);
        client.silent();
    }
    client.log_in("a");
}

#[test]
fn a_lower_case_signature_is_refused() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.connect();
    let data = r#"{"park_id":"21782","local_id":"a"}"#;
    let request = line("login", "", data, CKEY);
    let sign = parklink::wire::sign::keyed(data, CKEY);
    client.send(request.replace(&sign, &sign.to_lowercase()));
    assert_eq!(client.json()["errmsg"], "error:签名错误");
    client.closed();
}

#[test]
fn park_id_may_be_a_number_and_the_clouds_own() {
    let sandbox = Sandbox::start();
    sandbox.control("/lots", &json!({"park_id": "test001", "cloud_id": 777, "ckey": "K7"}));
    for (data, key) in [("{\"park_id\":21782}", CKEY), ("{\"park_id\":\"test001\"}", "K7"), ("{\"park_id\":777}", "K7")]
    {
        assert_eq!(sandbox.connect().try_login(data, key)["state"], 1, "{data}");
    }
}

#[test]
fn the_same_login_may_be_sent_again_and_kills_the_old_token() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    let old = client.token.clone();
    client.log_in("a");
    assert_ne!(client.token, old);
    let new = std::mem::replace(&mut client.token, old);
    assert_eq!(client.call("nothing", &json!({"n": 1})), json!({"state": 0, "errmsg": "error:token无效"}));
    client.token = new;
    client.call_empty("nothing", &json!({"n": 2}));
    let state = sandbox.state();
    assert_eq!(state["cloud"]["tokens"], 1);
    assert_eq!(state["cloud"]["violations"]["second_login_within_10_s"], 1);
}

#[test]
fn the_token_belongs_to_the_client_not_the_connection() {
    let sandbox = Sandbox::start();
    let client = sandbox.client("a");
    let mut other = sandbox.connect();
    other.token.clone_from(&client.token);
    other.call_empty("nothing", &json!({"n": 1}));
    // It dies with the connection that logged in.
    client.close();
    sandbox.until("the token dies", |state| state["cloud"]["tokens"] == 0);
    assert_eq!(other.call("nothing", &json!({"n": 2}))["errmsg"], "error:token无效");
}

#[test]
fn a_late_close_of_the_old_connection_does_not_hurt_the_newer_login() {
    let sandbox = Sandbox::start();
    let old = sandbox.client("a");
    let mut newer = sandbox.client("a");
    old.close();
    sandbox.until("one connection is left", |state| state["cloud"]["connections_open"] == 1);
    newer.call_empty("nothing", &json!({"n": 1}));
    newer.beat();
    assert_eq!(newer.frame(), "0x12");
}

#[test]
fn a_login_with_a_wrong_sign_takes_the_place_all_the_same() {
    let sandbox = Sandbox::start();
    let mut rightful = sandbox.client("a_channels_A1");
    let mut wrong = sandbox.connect();
    let answer = wrong.try_login(r#"{"park_id":"21782","local_id":"a_channels_A1"}"#, "wrong");
    assert_eq!(answer["errmsg"], "error:签名错误");
    wrong.closed();
    sandbox.until("it is gone", |state| state["cloud"]["connections_open"] == 1);
    // Uploads work, heartbeats and downlinks do not.
    rightful.call_empty("nothing", &json!({"n": 1}));
    rightful.beat();
    rightful.silent();
    let order =
        json!({"message": {"service_name": "operate_liftrod", "channel_id": "A1", "channel_name": "", "operate": 0}});
    assert_eq!(sandbox.control("/downlink", &order)["sent"], false);
    // Logging in again on the same connection is enough.
    rightful.log_in("a_channels_A1");
    rightful.beat();
    assert_eq!(rightful.frame(), "0x12");
    assert_eq!(sandbox.control("/downlink", &order)["sent"], true);
    assert_eq!(rightful.json()["channel_id"], "A1");
}

#[test]
fn clients_of_one_lot_are_independent() {
    let sandbox = Sandbox::start();
    let mut one = sandbox.client("one");
    let mut two = sandbox.client("two");
    let mut nameless = sandbox.connect();
    let answer = nameless.try_login(r#"{"park_id":"21782"}"#, CKEY);
    nameless.token = answer["token"].as_str().expect("token").to_owned();
    for client in [&mut one, &mut two, &mut nameless] {
        client.call_empty("nothing", &json!({"n": 1}));
        client.beat();
        assert_eq!(client.frame(), "0x12");
    }
    assert_eq!(sandbox.state()["cloud"]["tokens"], 3);
}

#[test]
fn closing_a_connection_with_two_clients_removes_only_one_row() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("one");
    client.log_in("two");
    assert_eq!(sandbox.state()["cloud"]["tokens"], 2);
    client.close();
    let state = sandbox.until("it is gone", |state| state["cloud"]["connections_open"] == 0);
    assert_eq!(state["cloud"]["tokens"], 1);
}

#[test]
fn data_of_a_login_may_be_a_json_text() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.connect();
    let data = r#"{"park_id": "21782", "local_id": "a"}"#;
    let sign = parklink::wire::sign::keyed(data, CKEY);
    client.send(json!({"service_name": "login", "sign": sign, "data": data}).to_string() + "\n");
    assert_eq!(client.json()["state"], 1);
}
