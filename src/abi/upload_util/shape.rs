//! What the original answers looked like: `state`, `errmsg`, `service_name`, and the number of the record.

use crate::catalogue::{self, Interface};
use crate::error::{Code, Error};
use crate::json::{self, Value, members};
use crate::link::Members;
use crate::sdk::Outcome;

/// An answer of two members.
pub(super) fn plain(state: i32, errmsg: &str) -> Members {
    members! {"state": state, "errmsg": errmsg}
}

/// A failure before there was a record to answer.
pub(super) fn failure(error: &Error) -> Members {
    plain(0, &error.message)
}

/// The answer to a record that could not even be looked at.
pub(super) fn unsent(service: Option<&str>, text: &str, error: Error) -> Members {
    let Ok(Some(record)) = json::parse_members(text) else { return failure(&error) };
    match service.or_else(|| record.get("service_name").and_then(Value::as_str)) {
        Some(service) => answer(service, &record, Outcome::from(error)),
        None => failure(&error),
    }
}

/// The answer to a record: the platform's own where it gave one, with what it left out filled in.
pub(super) fn answer(service: &str, record: &Members, outcome: Outcome) -> Members {
    let mut answer = outcome.reply.unwrap_or_default();
    // Ours, not the documents': how each platform took an order.
    answer.remove("links");
    if answer.get("state").is_some_and(Value::is_null) {
        answer.remove("state");
    }
    if let Some(error) = &outcome.error {
        let state = match error.code {
            // It is on disk and will be sent; who uploads it again makes a second one.
            Code::Queued => 1,
            _ if is_open(service, record, error) => 2,
            _ => 0,
        };
        answer.or_insert("state", || state.into());
        let is_silent = answer.get("errmsg").is_none_or(|text| text.as_str().is_some_and(str::is_empty));
        if is_silent {
            answer.insert("errmsg", error.message.as_str());
        }
    } else {
        answer.or_insert("state", || 1.into());
        answer.or_insert("errmsg", || "".into());
    }
    // The software knows the record by the name it gave it (upload_car_type is answered as car_type_upload).
    answer.insert("service_name", service);
    for name in interface(service, record).map_or(&[][..], |interface| interface.correlate_by) {
        if let Some(value) = record.get(name)
            && !answer.contains_key(name)
        {
            answer.insert(*name, value.clone());
        }
    }
    answer
}

/// The uplink of that name on the platform it goes to.
pub(super) fn interface(service: &str, record: &Members) -> Option<&'static Interface> {
    let target = record.get("data_target").and_then(Value::as_str);
    catalogue::route(service, target, record).iter().find_map(|candidate| candidate.interface)
}

/// Whether money may be moving: then the documents' word is 2, "wait for the downlink, or ask again" (SDK 2.2, 3.4).
fn is_open(service: &str, record: &Members, error: &Error) -> bool {
    let asks_now = || interface(service, record).is_some_and(|interface| interface.asks_now(record));
    error.code == Code::Pending || error.is_doubtful() && asks_now()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Platform;
    use crate::json::json;
    use crate::sdk::of_reply;

    fn members(value: Value) -> Members {
        value.as_object().cloned().unwrap()
    }

    fn answered(service: &str, record: Value, reply: Option<Value>, code: Option<Code>) -> Value {
        let error = code.map(|code| Error::new(code, "why"));
        Value::Object(answer(service, &members(record), Outcome { reply: reply.map(members), error }))
    }

    #[test]
    fn a_reply_without_a_name_gets_the_name_and_the_number_of_its_record() {
        let reply = json!({"state": 0, "errmsg": "error:token无效"});
        let answer = answered("in_park", json!({"order_id": "7"}), Some(reply), Some(Code::Refused));
        assert_eq!(
            answer,
            json!({"state": 0, "errmsg": "error:token无效", "service_name": "in_park", "order_id": "7"})
        );
        let reply = json!({"state": 1, "errmsg": "", "service_name": "car_type_upload", "cartype_id": "3"});
        let answer =
            answered("upload_car_type", json!({"data_target": "cloud", "car_type_id": "3"}), Some(reply), None);
        assert_eq!((&answer["service_name"], &answer["state"]), (&json!("upload_car_type"), &json!(1)));
    }

    #[test]
    fn before_init_the_record_is_named_too() {
        let closed = || Error::new(Code::Closed, "why");
        let of = |service, text| Value::Object(unsent(service, text, closed()));
        let expected = json!({"state": 0, "errmsg": "why", "service_name": "in_park", "order_id": "7"});
        assert_eq!(of(Some("in_park"), r#"{"order_id":"7"}"#), expected);
        assert_eq!(of(None, r#"{"service_name":"in_park","order_id":"7"}"#), expected);
        assert_eq!(of(None, "{}"), json!({"state": 0, "errmsg": "why"}));
        assert_eq!(of(None, "{"), json!({"state": 0, "errmsg": "why"}));
    }

    #[test]
    fn without_a_reply_the_answer_says_why() {
        let answer = answered("in_park", json!({"order_id": "7"}), None, Some(Code::Offline));
        assert_eq!(answer, json!({"state": 0, "errmsg": "why", "service_name": "in_park", "order_id": "7"}));
    }

    #[test]
    fn a_charge_that_the_cloud_has_already_is_not_called_paid() {
        let state = |service, pay_type| {
            let record = members(json!({"order_id": "7", "pay_type": pay_type}));
            let reply = members(json!({"service_name": service, "state": 0, "errmsg": "数据已处理过..."}));
            let interface = interface(service, &record);
            let is_charge = interface.is_some_and(|interface| interface.asks_now(&record));
            let outcome = of_reply(Platform::Cloud, interface, service, is_charge, reply);
            Value::Object(answer(service, &record, outcome))["state"].clone()
        };
        for pay_type in ["wallet", "sweepcode"] {
            assert_eq!(state("out_park", pay_type), 2, "{pay_type}");
        }
        assert_eq!(state("etc_pay", "my"), 2);
        // Of what asks for nothing it says that all is done. Who scans the lane's code pays by himself.
        assert_eq!(
            (state("out_park", "cash"), state("out_park", "scancode"), state("upload_order", "sweepcode")),
            (1.into(), 1.into(), 1.into())
        );
    }

    #[test]
    fn a_charge_of_unknown_outcome_is_not_called_failed() {
        let state = |pay_type: &str, error| {
            let record = members(json!({"order_id": "7", "pay_type": pay_type}));
            Value::Object(answer("out_park", &record, Outcome::from(error)))["state"].clone()
        };
        let of = |code| Error::new(code, "why");
        for code in [Code::Timeout, Code::Broken, Code::Protocol, Code::Closed] {
            assert_eq!((state("wallet", of(code)), state("cash", of(code))), (2.into(), 0.into()), "{code:?}");
        }
        for code in [Code::Offline, Code::LoginRefused, Code::Refused, Code::RateLimited, Code::Invalid] {
            assert_eq!(state("wallet", of(code)), 0, "{code:?}");
        }
        for (status, expected) in [(408, 2), (500, 2), (502, 2), (504, 2), (503, 0), (429, 0), (404, 0), (302, 0)] {
            assert_eq!(state("sweepcode", Error { status: Some(status), ..of(Code::Http) }), expected, "{status}");
        }
    }
}
