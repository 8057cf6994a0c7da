//! Every example the documents print of the open API, sent as printed: signed anew, for their keys are not printed.

use crate::client::{Sandbox, UKEY};
use crate::vendor::{Vendor, raw};
use parklink::wire::sign::keyed;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const CALLS: &str = include_str!("../../../src/catalogue/data/union-calls.json");
const PUSHES: &str = include_str!("../../../src/catalogue/data/union-pushes.json");

/// What is refused because the sandbox has not seen what the example refers to.
const REFUSED: [(&str, &str); 3] = [
    ("union.refund", "交易不存在"),
    ("union.bolinkescapePay", "逃单不存在"),
    ("union.queryOpenInvoiceStatus", "发票不存在"),
];

fn examples(text: &str) -> Vec<(String, Value, Value)> {
    let list: Value = serde_json::from_str(text).expect("JSON");
    let rows = list.as_array().expect("a list").iter();
    let of = |row: &Value| {
        (row["id"].as_str().expect("an id").to_owned(), row["wire_name"].clone(), row["request_example"].clone())
    };
    rows.map(of).filter(|(_, _, example)| example.is_object()).collect()
}

#[test]
fn calls_as_printed() {
    let sandbox = Sandbox::with(&["--pay-delay", "1"]);
    let mut sent = 0;
    for (id, path, example) in examples(CALLS).into_iter().filter(|(_, _, example)| example["data"].is_object()) {
        let data = &example["data"];
        let union_id = if data["union_id"].is_null() { &example["union_id"] } else { &data["union_id"] };
        let union_id = union_id.as_str().map_or_else(|| union_id.to_string(), str::to_owned);
        // The vendor, and the lot, unless the example is about to publish it.
        let park = data["park_id"].as_str().filter(|_| id != "union.addpark").unwrap_or("other");
        sandbox.control("/lots", &json!({"park_id": park, "union_id": union_id}));
        let text = data.to_string();
        let mut body = example.clone();
        body["sign"] = keyed(&text, UKEY).into();
        let answer = raw(&sandbox, path.as_str().expect("a path"), &body.to_string());
        let said = [&answer["errmsg"], &answer["message"]].map(|text| text.as_str().unwrap_or_default().to_owned());
        match REFUSED.iter().find(|(refused, _)| *refused == id) {
            Some((_, why)) => assert!(said.iter().any(|text| text == why), "{id}: {answer}"),
            None => {
                let good = [&answer["state"] == 1, answer["code"] == 200 || answer["code"] == 0];
                assert!(good.contains(&true), "{id}: {answer}");
            }
        }
        sent += 1;
    }
    assert!(sent >= 20, "only {sent} examples were sent");
}

#[test]
fn pushes_as_printed() {
    let sandbox = Sandbox::start();
    let vendor = Vendor::willing();
    sandbox.control("/push-url", &json!({"union": vendor.url}));
    let mut pushed = 0;
    for (id, _, example) in examples(PUSHES) {
        let mut message = if example["data"].is_object() { example["data"].clone() } else { example.clone() };
        let service = id.trim_start_matches("union.").trim_end_matches("_notice").to_owned();
        match id.as_str() {
            // Flat and unsigned, to an address of its own.
            "union.6.4" => {}
            _ => message["service_name"] = service.into(),
        }
        sandbox.control("/downlink", &json!({"link": "union", "message": message}));
        let got = vendor.next().json();
        let names = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<BTreeSet<String>>();
        match id.as_str() {
            // The printed one has no envelope, against the rule of its section.
            "union.recharge" => assert_eq!(got["data"], message),
            "union.people_data" => assert_eq!(names(&got), names(&example)),
            _ => assert_eq!(
                (names(&got), example["data"].is_object().then_some(&got["data"])),
                (names(&example), example["data"].is_object().then_some(&message)),
                "{id}"
            ),
        }
        pushed += 1;
    }
    assert!(pushed >= 10, "only {pushed} examples were pushed");
}
