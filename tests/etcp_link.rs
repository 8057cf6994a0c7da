//! The link to ETCP against a raw server: forms, signatures, tokens, error values, payments.
#![allow(missing_docs)]

mod http_support;

use http_support::{Asked, Server, answer};
use md5::{Digest, Md5};
use parklink::config::{Config, Unknown};
use parklink::error::Code;
use parklink::link::etcp::codes;
use parklink::sdk::{Outcome, Sdk};
use parklink::wire::{form, sign};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::thread;

const NO: &str = "9827c6b5c6d94485b912b6e90c92a7ae";
const KEY: &str = "noxxxxx";
const PHONE: &str = "13800000001";

/// A call as the platform sees it: its name, its data, and the form.
#[derive(Debug, Clone)]
struct Call {
    method: String,
    path: String,
    name: String,
    data: Value,
    form: String,
}

fn call(asked: &Asked) -> Call {
    let mut line = asked.line.split(' ');
    let (method, target) = (line.next().unwrap(), line.next().unwrap());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let form = if method == "GET" { query.to_owned() } else { asked.body.clone() };
    let data = form::value(&form, "data").unwrap();
    Call {
        method: method.to_owned(),
        path: path.to_owned(),
        name: path.rsplit('/').next().unwrap().to_owned(),
        data: serde_json::from_str(&data).unwrap(),
        form,
    }
}

/// ETCP as far as a test needs it: tokens `t1`, `t2` … of which only the newest of a phone is good.
#[derive(Default)]
struct Platform {
    calls: Vec<Call>,
    tokens: HashMap<String, String>,
    given: usize,
    fee: String,
    /// What the next payments are answered.
    says: Vec<&'static str>,
}

impl Platform {
    fn reply(&mut self, call: Call) -> String {
        if call.name == "orderpaid" && !self.says.is_empty() {
            self.calls.push(call);
            return self.says.remove(0).to_owned();
        }
        self.answer(call).to_string()
    }

    fn answer(&mut self, call: Call) -> Value {
        let phone = call.data["mobilePhone"].as_str().unwrap_or_default().to_owned();
        let token = call.data["token"].as_str().unwrap_or_default().to_owned();
        self.calls.push(call.clone());
        match call.name.as_str() {
            "userlogin" | "usersignin" => {
                self.given += 1;
                let token = format!("token-{}", self.given);
                self.tokens.insert(phone, token.clone());
                json!({"code": 0, "data": {"token": token}, "message": "ok"})
            }
            "uservalidatecode" | "surroundingparking" | "parkingstatus" => json!({"code": 0, "message": "ok"}),
            _ if !self.tokens.values().any(|known| *known == token) => json!({"code": 20101, "message": "无效token"}),
            "orderunpay" => {
                let fee: Value = serde_json::from_str(&self.fee).unwrap_or(Value::from(2));
                json!({"code": 0, "message": "ok", "data": [{"orderId": "B9466E26", "remainingFee": fee, "parkingFee": fee}]})
            }
            _ => json!({"code": 0, "message": "ok"}),
        }
    }
}

struct Bench {
    sdk: Arc<Sdk>,
    platform: Arc<Mutex<Platform>>,
    _server: Server,
}

fn bench(options: Value) -> Bench {
    let platform = Arc::<Mutex<Platform>>::default();
    let for_server = platform.clone();
    let server = Server::answering(move |asked| answer(200, &for_server.lock().unwrap().reply(call(asked))));
    let mut etcp = json!({"base": server.url(""), "merchant_no": NO, "merchant_key": KEY, "app_id": "ETCP"});
    for (name, value) in options.as_object().unwrap() {
        etcp[name] = value.clone();
    }
    let config = json!({"etcp": etcp}).to_string();
    let sdk = Arc::new(Sdk::open(Config::parse(&config, Unknown::Refuse).unwrap()).unwrap());
    Bench { sdk, platform, _server: server }
}

impl Bench {
    fn call(&self, name: &str, data: Value) -> Outcome {
        self.sdk.call(&format!("etcp.{name}"), &data.to_string())
    }

    fn names(&self) -> Vec<String> {
        self.platform.lock().unwrap().calls.iter().map(|call| call.name.clone()).collect()
    }

    fn last(&self) -> Call {
        self.platform.lock().unwrap().calls.last().unwrap().clone()
    }

    fn forget_tokens(&self) {
        self.platform.lock().unwrap().tokens.clear();
    }
}

fn code(outcome: &Outcome) -> Option<Code> {
    outcome.error.as_ref().map(|error| error.code)
}

fn message(outcome: &Outcome) -> &str {
    outcome.error.as_ref().map_or("", |error| &error.message)
}

#[test]
fn the_documents_vector() {
    let data = r#"{"param1":"value1","param2":"value2","param3":"value3"}"#;
    assert_eq!(sign::etcp_call(data, "noxxxxx", "20170721132452"), "A3DE1813F4DDBADFC18555E18A2E579D");
    assert_ne!(sign::etcp_call(data, "20170721132452", "noxxxxx"), "A3DE1813F4DDBADFC18555E18A2E579D");
    for at in 0..data.len() {
        let mut bytes = data.as_bytes().to_vec();
        bytes[at] ^= 1;
        let text = String::from_utf8(bytes).unwrap();
        let sign = sign::etcp_call(&text, "noxxxxx", "20170721132452");
        assert!(!sign::is_same("A3DE1813F4DDBADFC18555E18A2E579D", &sign));
    }
}

#[test]
fn all_ten_calls_as_the_document_has_them() {
    let bench = bench(json!({}));
    assert!(bench.call("usersignin", json!({"mobilePhone": PHONE})).error.is_none());
    let calls = [
        ("uservalidatecode", "GET", json!({"mobilePhone": "13800000002"})),
        ("userlogin", "POST", json!({"mobilePhone": PHONE, "code": "562371", "appId": "ETCP"})),
        ("usersignin", "POST", json!({"appId": "ETCP", "carNumber": "渝AJS537", "mobilePhone": PHONE})),
        ("bindcar", "POST", json!({"plateColor": "2", "plateNumber": "渝B757D0"})),
        ("unbindcar", "POST", json!({"plateNumber": "京F43264"})),
        ("orderhistory", "GET", json!({})),
        ("orderunpay", "GET", json!({"plateNumber": "渝DE3787"})),
        (
            "orderpaid",
            "POST",
            json!({"externalOrderId": "20170612095857258937", "orderId": "58231364-19F8", "payTime": "2017-06-12 09:58:58",
                   "payment": "8.0", "verificationInfo": "FSED9Jvx/+="}),
        ),
        ("surroundingparking", "POST", json!({"city": "北京市", "scrollId": ""})),
        ("parkingstatus", "POST", json!({"parkingId": "VujsvT8mDNA="})),
    ];
    for (name, method, data) in calls {
        let before = chrono::Utc::now();
        let outcome = bench.call(name, data.clone());
        assert!(outcome.error.is_none(), "{name}: {outcome:?}");
        let reply = outcome.reply.unwrap();
        assert_eq!((reply["state"].as_i64(), reply["code"].as_i64()), (Some(1), Some(0)));
        let call = bench.last();
        assert_eq!((call.method.as_str(), call.path), (method, format!("/merchant/open/1.0.0/openapi/{name}")));
        assert_eq!(form::value(&call.form, "merchant_no").as_deref(), Some(NO));
        let text = form::value(&call.form, "data").unwrap();
        let stamp = form::value(&call.form, "time_stamp").unwrap();
        let hash = Md5::digest(format!("{text}{KEY}{stamp}"));
        let expected: String = hash.iter().map(|byte| format!("{byte:02X}")).collect();
        assert_eq!(form::value(&call.form, "sign").unwrap(), expected);
        let stamp = chrono::NaiveDateTime::parse_from_str(&stamp, "%Y%m%d%H%M%S").unwrap();
        let beijing = before.naive_utc() + chrono::TimeDelta::hours(8);
        assert!((stamp - beijing).num_seconds().abs() <= 2, "{stamp} is not Beijing's {beijing}");
        for (member, value) in data.as_object().unwrap() {
            assert_eq!(&call.data[member], value, "{name}");
        }
    }
}

/// The zone of the host must not matter: the same under zones at either end of the world.
#[test]
fn the_time_stamp_is_beijings_in_every_zone() {
    if std::env::var_os("ETCP_ZONE_TEST").is_some() {
        return all_ten_calls_as_the_document_has_them();
    }
    for zone in ["Pacific/Kiritimati", "America/Los_Angeles", "UTC-3"] {
        let mut again = std::process::Command::new(std::env::current_exe().unwrap());
        again.args(["--exact", "the_time_stamp_is_beijings_in_every_zone"]);
        let output = again.env("TZ", zone).env("ETCP_ZONE_TEST", "1").output().unwrap();
        assert!(output.status.success(), "{zone}: {}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn every_error_value_has_its_name_and_advice() {
    for meaning in codes::MEANINGS {
        let code_told = meaning.code;
        let server =
            Server::answering(move |_| answer(200, &json!({"code": code_told, "message": "说明"}).to_string()));
        let config = json!({"etcp": {"base": server.url(""), "merchant_no": NO, "merchant_key": KEY}}).to_string();
        let sdk = Sdk::open(Config::parse(&config, Unknown::Refuse).unwrap()).unwrap();
        let outcome = sdk.call("etcp.parkingstatus", r#"{"parkingId":"x"}"#);
        let reply = outcome.reply.clone().unwrap();
        if code_told == 0 {
            assert!(outcome.error.is_none());
            continue;
        }
        assert_eq!(code(&outcome), Some(Code::Refused), "{code_told}");
        for part in [meaning.name, meaning.advice, "说明", &code_told.to_string()] {
            assert!(message(&outcome).contains(part), "{outcome:?}");
        }
        assert_eq!((reply["state"].as_i64(), reply["error"]["name"].as_str()), (Some(0), Some(meaning.name)));
        assert!(!message(&outcome).contains(KEY));
    }
    assert_eq!(codes::MEANINGS.len(), 16);
}

#[test]
fn log_in_once_call_many() {
    let bench = bench(json!({}));
    bench.call("userlogin", json!({"mobilePhone": PHONE, "code": "1", "appId": "ETCP"}));
    for _ in 0..3 {
        assert!(bench.call("orderhistory", json!({})).error.is_none());
        assert_eq!(bench.last().data, json!({"token": "token-1"}));
    }
    // Two users: a call must say whose it is.
    bench.call("userlogin", json!({"mobilePhone": "13800000002", "code": "1", "appId": "ETCP"}));
    let outcome = bench.call("orderhistory", json!({}));
    assert_eq!(code(&outcome), Some(Code::Invalid), "{outcome:?}");
    assert!(bench.call("orderhistory", json!({"mobilePhone": PHONE})).error.is_none());
    assert_eq!(bench.last().data, json!({"token": "token-1"}));
    assert!(bench.call("orderhistory", json!({"token": "token-2"})).error.is_none());
}

#[test]
fn a_joint_login_is_renewed_when_its_token_is_refused() {
    let bench = bench(json!({}));
    let reply = bench.call("usersignin", json!({"mobilePhone": PHONE, "carNumber": "渝AJS537"})).reply.unwrap();
    assert_eq!(reply["data"]["token"], "token-1");
    bench.forget_tokens();
    // The software keeps using the token that it once got.
    for _ in 0..2 {
        assert!(bench.call("orderhistory", json!({"token": "token-1"})).error.is_none());
        assert_eq!(bench.last().data["token"], "token-2");
    }
    assert_eq!(bench.names(), ["usersignin", "orderhistory", "usersignin", "orderhistory", "orderhistory"]);
    let calls = bench.platform.lock().unwrap().calls.clone();
    // No plate with the renewal: whether it would bind it is not documented.
    assert_eq!(calls[2].data, json!({"mobilePhone": PHONE, "appId": "ETCP"}));
}

#[test]
fn many_calls_renew_once() {
    let bench = bench(json!({}));
    bench.call("usersignin", json!({"mobilePhone": PHONE}));
    bench.forget_tokens();
    let callers: Vec<_> = (0..16)
        .map(|_| {
            let sdk = bench.sdk.clone();
            thread::spawn(move || sdk.call("etcp.orderhistory", "{}").error.is_none())
        })
        .collect();
    assert!(callers.into_iter().all(|caller| caller.join().unwrap()));
    assert_eq!(bench.names().iter().filter(|name| *name == "usersignin").count(), 2);
}

#[test]
fn a_login_by_code_is_the_users_to_repeat() {
    let bench = bench(json!({}));
    bench.call("userlogin", json!({"mobilePhone": PHONE, "code": "1", "appId": "ETCP"}));
    bench.forget_tokens();
    let outcome = bench.call("orderhistory", json!({}));
    assert_eq!(code(&outcome), Some(Code::Refused));
    assert!(message(&outcome).contains("invalid_token"), "{outcome:?}");
    assert_eq!(bench.names(), ["userlogin", "orderhistory"]);
    let outcome = bench.call("orderhistory", json!({"token": "not-ours"}));
    assert_eq!(outcome.reply.unwrap()["code"], 20101);
    assert_eq!(code(&bench.call("orderhistory", json!({"mobilePhone": "13800000003"}))), Some(Code::Invalid));
}

#[test]
fn the_configured_user_is_logged_in_when_first_needed() {
    let bench = bench(json!({"phone": PHONE}));
    assert!(bench.call("bindcar", json!({"plateNumber": "京AD12345"})).error.is_none());
    assert_eq!(bench.names(), ["usersignin", "bindcar"]);
    bench.forget_tokens();
    assert!(bench.call("bindcar", json!({"plateNumber": "京AD12345"})).error.is_none());
    assert_eq!(bench.names(), ["usersignin", "bindcar", "bindcar", "usersignin", "bindcar"]);
}

#[test]
fn an_old_token_is_renewed_before_it_is_used() {
    let bench = bench(json!({"token_life_s": 1}));
    bench.call("usersignin", json!({"mobilePhone": PHONE}));
    bench.call("orderhistory", json!({}));
    thread::sleep(std::time::Duration::from_millis(1100));
    bench.call("orderhistory", json!({}));
    assert_eq!(bench.names(), ["usersignin", "orderhistory", "usersignin", "orderhistory"]);
}

#[test]
fn one_code_a_minute_and_phone() {
    let bench = bench(json!({}));
    assert!(bench.call("uservalidatecode", json!({"mobilePhone": PHONE})).error.is_none());
    let outcome = bench.call("uservalidatecode", json!({"mobilePhone": PHONE}));
    assert_eq!(code(&outcome), Some(Code::RateLimited), "{outcome:?}");
    assert!(bench.call("uservalidatecode", json!({"mobilePhone": "13800000002"})).error.is_none());
    assert_eq!(bench.names().len(), 2);
}

fn payment(amount: Value, number: &str) -> Value {
    json!({"externalOrderId": number, "orderId": "B9466E26", "payTime": "2017-06-12 09:58:58", "payment": amount,
           "verificationInfo": "FSED9Jvx"})
}

#[test]
fn a_payment_is_the_remaining_fee_and_made_once() {
    let bench = bench(json!({"phone": PHONE}));
    bench.platform.lock().unwrap().fee = "8.00".into();
    assert!(bench.call("orderunpay", json!({"plateNumber": "渝DE3787"})).error.is_none());
    let outcome = bench.call("orderpaid", payment(json!("7.99"), "1"));
    assert_eq!(code(&outcome), Some(Code::Invalid));
    assert!(message(&outcome).contains("8.00"), "{outcome:?}");
    for wrong in [json!("-8"), json!("8.0元"), json!(""), json!(0)] {
        assert_eq!(code(&bench.call("orderpaid", payment(wrong, "1"))), Some(Code::Invalid));
    }
    let number: Value = serde_json::from_str("8.0").unwrap();
    assert!(bench.call("orderpaid", payment(number, "1")).error.is_none());
    assert_eq!(bench.last().data["payment"], "8.0", "decimal text, never a float");
    assert_eq!(code(&bench.call("orderpaid", payment(json!("8.0"), "1"))), Some(Code::Invalid));
    assert_eq!(bench.names().iter().filter(|name| *name == "orderpaid").count(), 1);
    // The car stays on and owes again; how much, the next query says.
    let outcome = bench.call("orderpaid", payment(json!("8.0"), "2"));
    assert_eq!(code(&outcome), Some(Code::Invalid));
    assert!(message(&outcome).contains("ask the fee again"), "{outcome:?}");
    bench.platform.lock().unwrap().fee = "3.00".into();
    assert!(bench.call("orderunpay", json!({"plateNumber": "渝DE3787"})).error.is_none());
    assert!(bench.call("orderpaid", payment(json!("3"), "2")).error.is_none());
}

/// An order is not paid twice because its payment has two numbers.
#[test]
fn a_second_number_waits_until_the_first_is_known() {
    let bench = bench(json!({"phone": PHONE}));
    let ask = || assert!(bench.call("orderunpay", json!({"plateNumber": "渝DE3787"})).error.is_none());
    let pay = |number: &str| bench.call("orderpaid", payment(json!("2"), number));
    let paid = || bench.names().iter().filter(|name| *name == "orderpaid").count();
    let says = |next: &[&'static str]| bench.platform.lock().unwrap().says = next.to_vec();
    ask();
    // Known to have failed: another number may follow at once.
    says(&[r#"{"code":8,"message":"x"}"#]);
    assert_eq!(code(&pay("1")), Some(Code::Refused));
    // An answer that does not tell, and ETCP's own fault: either may have been taken.
    for (round, answer) in [(0, "<html>"), (1, r#"{"code":2,"message":"x"}"#)] {
        let (first, second) = (format!("{round}-first"), format!("{round}-second"));
        says(&[answer]);
        assert!(pay(&first).error.is_some());
        let outcome = pay(&second);
        assert_eq!(code(&outcome), Some(Code::Invalid), "{outcome:?}");
        assert!(message(&outcome).contains("8.7") && message(&outcome).contains(&first), "{outcome:?}");
        // The same under its own number; that this is refused does not tell what became of it the first time.
        says(&[r#"{"code":7,"message":"x"}"#]);
        assert_eq!(code(&pay(&first)), Some(Code::Refused));
        assert_eq!(code(&pay(&second)), Some(Code::Invalid));
        // The fee is due still: it was not taken.
        ask();
        let before = paid();
        says(&[r#"{"code":7,"message":"x"}"#]);
        assert_eq!(code(&pay(&second)), Some(Code::Refused));
        assert_eq!(code(&pay(&first)), Some(Code::Invalid), "another followed it");
        assert_eq!(paid(), before + 1);
    }
    assert!(pay("last").error.is_none());
}

#[test]
fn documented_rules_are_kept_before_anything_leaves() {
    let bench = bench(json!({"phone": PHONE}));
    for (name, data) in [
        ("bindcar", json!({"plateNumber": "京F4326"})),
        ("bindcar", json!({"plateNumber": "京F43264", "plateColor": "5"})),
        ("unbindcar", json!({"plateNumber": "京AD123456"})),
        ("surroundingparking", json!({"lat": "39.87274", "lon": "116.429718", "radius": "500", "city": "北京市"})),
        ("surroundingparking", json!({"lat": "39.87274", "lon": "116.429718", "radius": "5000"})),
        ("userlogin", json!({"mobilePhone": PHONE})),
    ] {
        assert_eq!(code(&bench.call(name, data.clone())), Some(Code::Invalid), "{name} {data}");
    }
    assert!(bench.names().is_empty());
}

#[test]
fn answers_that_are_none() {
    for (status, body, expected) in [
        (200, "<html>", Code::Protocol),
        (200, "{\"message\":\"ok\"}", Code::Protocol),
        (502, "<html>", Code::Http),
        (500, "{\"code\":2,\"message\":\"x\"}", Code::Refused),
    ] {
        let server = Server::answering(move |_| answer(status, body));
        let config = json!({"etcp": {"base": server.url(""), "merchant_no": NO, "merchant_key": KEY}}).to_string();
        let sdk = Sdk::open(Config::parse(&config, Unknown::Refuse).unwrap()).unwrap();
        assert_eq!(code(&sdk.call("etcp.parkingstatus", r#"{"parkingId":"x"}"#)), Some(expected), "{body}");
    }
}
