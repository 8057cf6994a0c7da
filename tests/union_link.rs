//! The link to the open API against a raw server: the bytes that leave, and what each answer means.
#![allow(missing_docs)]

mod http_support;

use http_support::{Asked, Server, answer};
use md5::{Digest, Md5};
use parklink::catalogue::{self, Direction, Platform};
use parklink::config::{Config, Unknown};
use parklink::error::Code;
use parklink::sdk::{Outcome, Sdk};
use serde_json::{Value, json};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

const KEY: &str = "NQ0eSXs720170114";

/// A server that gives one answer to everything and tells what it was asked.
fn server(reply: &str) -> (Server, Receiver<Asked>) {
    let (sender, asked) = channel();
    let reply = reply.to_owned();
    let server = Server::answering(move |request| {
        sender.send(request.clone()).unwrap();
        answer(200, &reply)
    });
    (server, asked)
}

fn open_with(server: &Server, union_id: &str, options: Value) -> Sdk {
    let mut config = json!({
        "union_id": union_id, "ukey": KEY,
        "union": {"base": server.url("")},
    });
    for (name, value) in options.as_object().unwrap() {
        config[name] = value.clone();
    }
    Sdk::open(Config::parse(&config.to_string(), Unknown::Refuse).unwrap()).unwrap()
}

fn open(server: &Server) -> Sdk {
    open_with(server, "200188", json!({}))
}

fn code(outcome: &Outcome) -> Option<Code> {
    outcome.error.as_ref().map(|error| error.code)
}

fn message(outcome: &Outcome) -> &str {
    outcome.error.as_ref().map_or("", |error| &error.message)
}

/// The text of `data` as it stands in a body, and its signature by hand.
fn signed(body: &str) -> (String, String) {
    let start = body.find("{\"data\":").unwrap() + 8;
    let end = body.find(",\"sign\":\"").unwrap();
    let data = &body[start..end];
    let hash = Md5::digest(format!("{data}key={KEY}"));
    (data.to_owned(), hash.iter().map(|byte| format!("{byte:02X}")).collect())
}

#[test]
fn the_documents_worked_example_leaves_as_it_is_printed() {
    let (server, asked) = server(r#"{"park_id":"1001","state":1}"#);
    let sdk = open_with(&server, "10001", json!({}));
    let data = r#"{"park_id":"1001","name":"北京上地三街9号院停车场","address":"北京上地三街9号","phone":"139000334443","lng":"123.994449","city_id":110000,"lat":"332.466666","total_plot":90,"empty_plot":56,"union_id":10001,"price_desc":"2元每小时","rand":"0.210354312785198048"}"#;
    let outcome = sdk.call("union.addpark", data);
    assert!(outcome.error.is_none(), "{outcome:?}");
    let request = asked.recv().unwrap();
    assert_eq!(request.line, "POST /unionapi/newpark/addpark HTTP/1.1");
    assert!(request.header("content-type").unwrap().starts_with("application/json"));
    assert_eq!(request.body, format!(r#"{{"data":{data},"sign":"F2BA9A4E4362E2C41676FC720B14290C"}}"#));
    // The document's own envelope is taken as well.
    let outcome = sdk.call("union.addpark", &format!(r#"{{"data":{data},"sign":"F2BA"}}"#));
    assert!(outcome.error.is_none(), "{outcome:?}");
    assert_eq!(asked.recv().unwrap().body, request.body);
}

/// Every documented call goes to its path in the envelope of its section, and is signed over its own text.
#[test]
fn every_call_with_an_address() {
    let (server, asked) = server(r#"{"state":1,"code":0,"errmsg":""}"#);
    let sdk = open_with(&server, "200188", json!({"park_id": "21798", "validation": "off"}));
    let beside: [&str; 11] = [
        "lsregister",
        "paymonthcard",
        "bolinkparkpay",
        "lsaccountsplit",
        "lsbind",
        "etcPayApi",
        "queryescape",
        "bolinkescapePay",
        "addInvoiceOrder",
        "personRecord",
        "",
    ];
    let mut calls = 0;
    for interface in catalogue::all() {
        let is_call = interface.platform == Platform::Union && interface.direction == Direction::Uplink;
        let (Some(path), true, "POST") = (interface.wire_name, is_call, interface.method) else { continue };
        let service = interface.service.unwrap();
        let given = json!({"car_number": "京A\"1/2", "total": "0.10", "platform_name": "Shanghai", "n": 1.10});
        sdk.call(interface.id, &given.to_string());
        let request = asked.recv_timeout(Duration::from_secs(5)).unwrap();
        assert_eq!(request.line, format!("POST {path} HTTP/1.1"));
        let body: Value = serde_json::from_str(&request.body).unwrap();
        let (data, sign) = signed(&request.body);
        assert_eq!(body["sign"], sign.as_str(), "{service}");
        assert!(data.contains("京A\\\"1/2") && data.contains("\"n\":1.1"), "{data}");
        let is_beside = beside.contains(&service);
        assert_eq!(body.get("union_id").is_some(), is_beside, "{service}");
        assert_eq!(body["data"].get("union_id").is_some(), !is_beside, "{service}");
        assert_eq!(if is_beside { &body["union_id"] } else { &body["data"]["union_id"] }, &json!(200188));
        let by_name = path.ends_with("/uploadData");
        assert_eq!(body["data"].get("service_name"), by_name.then(|| json!(service)).as_ref(), "{service}");
        assert_eq!(body.get("platform_name").is_some(), service == "personRecord");
        assert_eq!(body.get("timestamp").is_some_and(Value::is_number), service == "personRecord");
        // A search by plate is about all lots.
        let has_park = service != "queryorders" && interface.fields.iter().any(|field| field.path == "park_id");
        assert_eq!(body["data"].get("park_id").is_some(), has_park, "{service}");
        calls += 1;
    }
    assert_eq!(calls, 31);
}

/// The examples of the document leave as they are printed, member by member, signed with our key.
#[test]
fn every_example_of_a_call() {
    let (server, asked) = server(r#"{"state":1,"code":0}"#);
    let path = format!("{}/src/catalogue/data/union-calls.json", env!("CARGO_MANIFEST_DIR"));
    let entries: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut count = 0;
    for entry in entries.iter().filter(|entry| entry["request_example"]["data"].is_object()) {
        let example = &entry["request_example"];
        let union_id = example.get("union_id").or_else(|| example["data"].get("union_id"));
        let union_id = union_id.map_or("200188".to_owned(), |id| id.to_string().trim_matches('"').to_owned());
        // Some examples break their own table.
        let sdk = open_with(&server, &union_id, json!({"validation": "warn"}));
        sdk.call(entry["id"].as_str().unwrap(), &example.to_string());
        let request = asked.recv_timeout(Duration::from_secs(5)).unwrap();
        let (data, sign) = signed(&request.body);
        assert_eq!(request.json()["sign"], sign.as_str());
        let sent: Value = serde_json::from_str(&data).unwrap();
        for (name, value) in example["data"].as_object().unwrap() {
            assert_eq!(&sent[name], value, "{} {name}", entry["id"]);
        }
        count += 1;
    }
    assert_eq!(count, 21);
}

#[test]
fn sections_known_by_title_only_send_nothing() {
    let (server, asked) = server("{}");
    let sdk = open(&server);
    for (id, section) in
        [("union.8.3", "API 8.3"), ("union.8.4", "API 8.4"), ("union.8.8", "API 8.8"), ("union.8.9", "API 8.9")]
    {
        let outcome = sdk.call(id, "{}");
        assert_eq!(code(&outcome), Some(Code::Unsupported));
        assert!(message(&outcome).contains(section), "{outcome:?}");
    }
    // What is seen whole and is no call says that, and a push's name is no unknown one.
    for (id, why) in [
        ("sdk.1.1", "not a call of the software's"),
        ("union.1.2", "not a call of the software's"),
        ("union.car_info", "none waits for an answer"),
        ("etcp.car_in", "none waits for an answer"),
    ] {
        assert!(message(&sdk.call(id, "{}")).contains(why), "{id}");
    }
    assert!(asked.try_recv().is_err());
}

#[test]
fn every_word_for_success_means_the_same() {
    let query = r#"{"park_id":"1","car_number":"京A12345","time_temp":1}"#;
    let invoice = r#"{"type":2,"invoice_order_no":"1"}"#;
    let info = r#"{"type":2}"#;
    let person = r#"{"community_name":"x","platform_name":"Shanghai"}"#;
    let open_invoice = r#"{"type":2,"open_type":0,"invoice_order_no":"1","money":1.23,"buyer_name":"x"}"#;
    let refund = r#"{"park_id":"1","trade_no":"1","refund_money":"0.01"}"#;
    let cases = [
        ("union.queryescape", query, r#"{"state":1}"#, None, 1),
        ("union.queryescape", query, r#"{"state":"1"}"#, None, 1),
        ("union.queryescape", query, r#"{"state":0,"errmsg":"没有"}"#, Some(Code::Refused), 0),
        ("union.refund", refund, r#"{"state":2,"trade_no":"109010","errmsg":"退款中"}"#, Some(Code::Pending), 2),
        ("union.refund", refund, r#"{"trade_no":"109010"}"#, Some(Code::Protocol), -1),
        ("union.invoiceInfo", info, r#"{"code":200,"message":"success","data":{"open_invoice":1,"state":0}}"#, None, 1),
        ("union.invoiceInfo", info, r#"{"code":500,"message":"failed"}"#, Some(Code::Refused), 0),
        ("union.invoiceInfo", info, r#"{"code":0}"#, Some(Code::Refused), 0),
        ("union.queryOpenInvoiceStatus", invoice, r#"{"code":0,"data":{"status":5},"message":"success"}"#, None, 1),
        ("union.queryOpenInvoiceStatus", invoice, r#"{"code":1,"message":"无"}"#, Some(Code::Refused), 0),
        ("union.openInvoice", open_invoice, r#"{"code":"200"}"#, None, 1),
        (
            "union.personRecord",
            person,
            r#"{"code":1,"data":"{\"state\":1,\"message\":\"上报成功\"}","message":"成功"}"#,
            None,
            1,
        ),
        (
            "union.personRecord",
            person,
            r#"{"code":1,"data":"{\"state\":0,\"message\":\"x\"}","message":"成功"}"#,
            Some(Code::Refused),
            0,
        ),
        ("union.personRecord", person, r#"{"code":0,"message":"x"}"#, Some(Code::Refused), 0),
        ("union.queryescape", query, "[]", Some(Code::Protocol), -1),
        ("union.queryescape", query, "<html>", Some(Code::Protocol), -1),
    ];
    for (id, given, reply, expected, state) in cases {
        let (server, _asked) = server(reply);
        let outcome = open(&server).call(id, given);
        assert_eq!(code(&outcome), expected, "{id} {reply}: {outcome:?}");
        let told = outcome.reply.as_ref().and_then(|reply| reply.get("state"));
        let told = told.map_or(-1, |state| state.to_string().trim_matches('"').parse().unwrap());
        assert_eq!(told, state, "{id} {reply}");
    }
}

fn charge(more: Value) -> String {
    let mut charge = json!({
        "total": "0.01", "in_time": 1621502665, "out_channel_id": "出口D-(13)", "car_number": "川AK6F63",
        "inpark_img": "https://img.example/a", "empty_plot": 21, "parking_time": "60",
        "order_id": "liu202104271_hul-abcapi-JR07", "total_original": "0.01", "outpark_img": "https://img.example/b",
        "park_id": "20180427", "lane_no": "000139", "out_time": 1621509665, "in_channel_id": "A1"
    });
    for (name, value) in more.as_object().unwrap() {
        charge[name] = value.clone();
    }
    charge.to_string()
}

#[test]
fn a_charge_by_etc_keeps_the_rules_of_its_provider() {
    let (server, asked) = server(r#"{"state":1,"errmsg":"etc扣费成功","order_id":"x","pay_type":"etc"}"#);
    let sdk = open(&server);
    let fine = [
        charge(json!({"pay_type": "my"})),
        charge(json!({"pay_type": "my", "license_color": 3})),
        charge(json!({"pay_type": "cj", "license_color": 13, "empty_plot": null, "inpark_img": null})),
        charge(json!({"pay_type": "jyyh", "total_original": null, "outpark_img": null})),
        charge(json!({"pay_type": "ystx", "license_color": 77})),
    ];
    for charge in &fine {
        let outcome = sdk.upload_as("etc_pay", charge);
        assert!(outcome.error.is_none(), "{charge}: {outcome:?}");
        assert_eq!(asked.recv().unwrap().line, "POST /unionapi/etcPayApi HTTP/1.1");
    }
    for (charge, word) in [
        (charge(json!({})), "etc.pay_type"),
        (charge(json!({"pay_type": "wx"})), "my, cj, jyyh, ystx"),
        (charge(json!({"pay_type": "my", "empty_plot": null})), "empty_plot"),
        (charge(json!({"pay_type": "my", "inpark_img": null})), "inpark_img"),
        (charge(json!({"pay_type": "my", "license_color": 13})), "license_color"),
        (charge(json!({"pay_type": "cj", "license_color": 7})), "license_color"),
        (charge(json!({"pay_type": "jyyh", "lane_no": null})), "lane_no"),
    ] {
        let outcome = sdk.upload_as("etc_pay", &charge);
        assert_eq!(code(&outcome), Some(Code::Invalid), "{charge}");
        assert!(message(&outcome).contains(word), "{outcome:?}");
    }
    assert!(asked.try_recv().is_err());
    // The document's example names no provider; the lot's is configured.
    let by_option = open_with(&server, "200159", json!({"etc": {"pay_type": "my"}}));
    assert!(by_option.call("union.etcPayApi", &charge(json!({}))).error.is_none());
    assert_eq!(asked.recv().unwrap().json()["data"]["pay_type"], "my");
}

#[test]
fn a_charge_that_is_not_decided_yet_is_pending() {
    let (server, _asked) = server(r#"{"state":2,"errmsg":"处理中"}"#);
    let outcome = open(&server).upload_as("etc_pay", &charge(json!({"pay_type": "jyyh"})));
    assert_eq!(code(&outcome), Some(Code::Pending));
}

#[test]
fn a_charge_goes_by_the_sdk_where_it_is_told_to() {
    let (server, asked) = server("{\"state\":1}");
    let sdk = open_with(&server, "200188", json!({"etc": {"by": "sdk"}}));
    let outcome = sdk.upload_as("etc_pay", &charge(json!({"pay_type": "my"})));
    assert_eq!(code(&outcome), Some(Code::NotConfigured), "{outcome:?}");
    let cloud = json!({"park_id": "20180427", "ckey": "K", "cloud_addr": "127.0.0.1", "cport": 1});
    let sdk = open_with(&server, "200188", cloud.clone());
    let outcome = sdk.upload_as("etc_pay", &charge(json!({"pay_type": "my"})));
    assert_eq!(code(&outcome), Some(Code::Offline), "the cloud's link is tried: {outcome:?}");
    let mut both = cloud;
    both["etc"] = json!({"by": "union"});
    let sdk = open_with(&server, "200188", both);
    assert!(sdk.upload_as("etc_pay", &charge(json!({"pay_type": "my"}))).error.is_none());
    assert_eq!(asked.try_iter().count(), 1);
}

/// API 2.4 and 7 are pages of a browser's: the address is made, nothing is called.
#[test]
fn pages_are_addresses() {
    let (server, asked) = server("{}");
    let config = json!({"union_id": "200279", "ukey": "1232FDA8DCD1E3D7", "union": {"base": "test"}});
    let sdk = Sdk::open(Config::parse(&config.to_string(), Unknown::Refuse).unwrap()).unwrap();
    let reply = sdk.call("union.gettoken", r#"{"park_id":"park2020010921","timestamp":1584082770000}"#).reply.unwrap();
    let url = reply["url"].as_str().unwrap();
    assert!(url.starts_with("https://beta.bolink.club/web/parkingos/gettoken?park_id=park2020010921&"), "{url}");
    for part in
        ["sign=0F1A106C865E84863EC862DD93FE1156", "union_id=200279", "is_private_cloud=1", "timestamp=1584082770000"]
    {
        assert!(url.contains(part), "{url}");
    }
    let reply = sdk.call("union.getlicence", r#"{"redirectUrl":"https://baidu.com?a=100&b=200"}"#).reply.unwrap();
    assert_eq!(
        reply["url"],
        "https://beta.bolink.club/unionapi/getlicence?redirectUrl=https%3A%2F%2Fbaidu.com%3Fa%3D100%26b%3D200"
    );
    drop(server);
    assert!(asked.try_recv().is_err());
}

#[test]
fn wrong_numbers_and_missing_links_are_told() {
    let (server, asked) = server("{}");
    let sdk = open(&server);
    let outcome = sdk.call("union.queryorders", r#"{"union_id":"1","order_id":"1"}"#);
    assert_eq!(code(&outcome), Some(Code::Invalid));
    assert!(message(&outcome).contains("200188") && !message(&outcome).contains(KEY));
    let outcome = sdk.call("etcp.parkingstatus", r#"{"parkingId":"x"}"#);
    assert_eq!(code(&outcome), Some(Code::NotConfigured));
    assert!(message(&outcome).contains("etcp.base"));
    assert!(asked.try_recv().is_err());
    for (config, word) in [
        (r#"{"union":{"base":"test"}}"#, "ukey"),
        (r#"{"union":{"base":"test"},"ukey":"k"}"#, "union_id"),
        (r#"{"etcp":{"base":"test"}}"#, "etcp.merchant_no"),
        (r#"{"etcp":{"base":"test","merchant_no":"1"}}"#, "etcp.merchant_key"),
        (r#"{"ukey":"k","park_id":"1"}"#, "nothing to connect to"),
        (r#"{"listen":{"addr":"127.0.0.1:0"}}"#, "ukey"),
        (r#"{"listen":{"addr":"127.0.0.1:0","tls_cert":"a"},"ukey":"k"}"#, "listen.tls_key"),
        (r#"{"listen":{"addr":"127.0.0.1:0","union_path":"x"},"ukey":"k"}"#, "listen.union_path"),
        (r#"{"listen":{"addr":"127.0.0.1:0","union_path":"/etcp"},"ukey":"k"}"#, "listen.etcp_path"),
    ] {
        let error = Config::parse(config, Unknown::Refuse).unwrap_err();
        assert!(error.message.contains(word), "{config}: {error}");
    }
    let config = Config::parse(r#"{"union":{"base":"ftp://h"},"ukey":"k","union_id":1}"#, Unknown::Refuse).unwrap();
    assert_eq!(Sdk::open(config).unwrap_err().code, Code::Config);
}

#[test]
fn http_errors_silence_and_close() {
    let refusing = Server::answering(|_| answer(503, "busy"));
    let outcome = open(&refusing).call("union.queryorders", r#"{"order_id":"1"}"#);
    assert_eq!(code(&outcome), Some(Code::Http));
    let silent = Server::start(|mut taken| while taken.read().is_some() {});
    let sdk = std::sync::Arc::new(open_with(
        &silent,
        "1",
        json!({"union": {"base": silent.url(""), "request_timeout_ms": 60000}}),
    ));
    let caller = sdk.clone();
    let waiting = std::thread::spawn(move || caller.call("union.queryorders", r#"{"order_id":"1"}"#));
    std::thread::sleep(Duration::from_millis(200));
    let begun = Instant::now();
    sdk.close(Duration::from_secs(1)).unwrap();
    assert_eq!(code(&waiting.join().unwrap()), Some(Code::Closed));
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert_eq!(code(&sdk.call("union.queryorders", r#"{"order_id":"1"}"#)), Some(Code::Closed));
}
