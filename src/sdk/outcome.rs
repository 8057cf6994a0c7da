//! What a platform's reply means.

use crate::catalogue::{Class, Interface, Platform, Required, is_number, same_value};
use crate::error::{Code, Error, UNSAID};
use crate::json::{Value, members};
use crate::link::{Members, cloud};

/// What came of an upload or call.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The platform's reply; there when it replied, a refusal included.
    pub reply: Option<Members>,
    /// Why it is not a success.
    pub error: Option<Error>,
}

impl From<Error> for Outcome {
    fn from(error: Error) -> Self {
        Outcome { reply: None, error: Some(error) }
    }
}

/// An answer to a downlink was taken over.
pub fn handed_over() -> Outcome {
    let reply = members! {"state": 1, "errmsg": ""};
    Outcome { reply: Some(reply), error: None }
}

/// Brings a reply to one meaning: where another member tells the outcome (`code` 0, 1 or 200), `state` and `errmsg` tell
/// it too.
fn with_state(interface: Option<&Interface>, reply: &mut Members) {
    let Some((member, values)) = interface.and_then(|interface| interface.success) else { return };
    let Some(told) = reply.get(member).filter(|told| !told.is_null()) else { return };
    let is_success = values.iter().any(|value| same_value(told, &Value::from(*value)));
    let message = reply.get("message").cloned().unwrap_or_else(|| Value::from(""));
    if !is_success || !reply.contains_key("state") {
        reply.insert("state", Value::from(u8::from(is_success)));
    }
    reply.or_insert("errmsg", || message);
}

/// Whether an answer lacks what tells of its outcome: neither done nor refused. To a charge that is a number; a record
/// that is kept until the platform has it needs any `state`, where the document says that there is one: a gateway's
/// words are no receipt.
fn is_unsaid(interface: Option<&Interface>, reply: &Members) -> bool {
    let Some(interface) = interface else { return false };
    let state = reply.get("state").filter(|state| !state.is_null());
    let is_said = match (interface.durable, interface.class) {
        (true, _) => state.is_some(),
        (false, Class::Money) => state.is_some_and(is_number),
        (false, _) => true,
    };
    !is_said && interface.reply_fields.iter().any(|it| it.path == "state" && it.required == Required::Yes)
}

/// Whether state 2 says that the outcome comes as a downlink. Only what asks for money has one; the reply to a debt (SDK 2.44)
/// has a 2 that nobody explains, beside the words 操作失败: no receipt.
fn may_come_later(interface: &Interface) -> bool {
    interface.class == Class::Money || interface.never_late.is_some()
}

/// Reads `state`. Without one the reply itself is the answer (query_order), but not to a charge or a record.
pub fn of_reply(
    platform: Platform,
    interface: Option<&Interface>,
    service: &str,
    is_charge: bool,
    mut reply: Members,
) -> Outcome {
    with_state(interface, &mut reply);
    if platform == Platform::Cloud && cloud::is_already_handled(&reply) {
        // It was taken the first time; only our knowledge of that was lost. Taken is not paid (SDK 2.2).
        reply.insert("state", Value::from(if is_charge { 2 } else { 1 }));
    }
    let state = reply.plain("state");
    let is = |number: u8| reply.get("state").is_some_and(|state| same_value(state, &Value::from(number)));
    let error = match &*state {
        _ if is_unsaid(interface, &reply) => {
            let what = if state.is_empty() { "without state" } else { "a state that is no number" };
            let message = format!("{service}: {} answered {what}{UNSAID}", platform.name());
            Some(Error::new(Code::Protocol, message))
        }
        "" => None,
        _ if is(1) => None,
        _ if is(2) && interface.is_none_or(may_come_later) => Some(Error::new(
            Code::Pending,
            format!("{service}: {} has taken it, the result comes as a downlink", platform.name()),
        )),
        state => {
            // Older cloud services tell missing fields in `error`.
            let mut words = ["errmsg", "error", "message"].into_iter().map(|name| reply.plain(name));
            let why = words.find(|text| !text.is_empty());
            let why = why.as_deref().unwrap_or("no reason given (of an update or delete: nothing matched)");
            Some(Error::new(Code::Refused, format!("{service}: {} answered state {state}: {why}", platform.name())))
        }
    };
    Outcome { reply: Some(reply), error }
}

/// The outcomes of one record on several platforms as one: the platform that takes the money speaks, a failure of the
/// other is told, and `links` holds each one's own. Of a charge only the former's counts: what became of the other's copy
/// must not look like what became of the money.
pub fn join(mut outcomes: Vec<(Platform, Outcome)>, is_charge: bool) -> Outcome {
    let each: Members = outcomes
        .iter()
        .map(|(platform, outcome)| {
            let code = outcome.error.as_ref().map_or("ok", |error| error.code.name());
            let message = outcome.error.as_ref().map_or("", |error| error.message.as_str());
            (platform.name().to_owned(), members! {"code": code, "message": message, "reply": outcome.reply.clone()})
        })
        .collect();
    let at = outcomes.iter().position(|(platform, _)| *platform == Platform::Bolink).unwrap_or(0);
    let (_, mut first) = outcomes.swap_remove(at);
    let other = outcomes.into_iter().find_map(|(platform, outcome)| outcome.error.map(|error| (platform, error)));
    // What is on disk is no trouble; what the other platform will never have is.
    let is_kept = |error: &Error| error.code == Code::Queued;
    if let Some((_, error)) = other
        && !is_charge
        && first.error.as_ref().is_none_or(|it| it.code == Code::Pending || is_kept(it) && !is_kept(&error))
    {
        first.error = Some(error);
    }
    let mut reply = first.reply.unwrap_or_default();
    reply.insert("links", Value::Object(each));
    Outcome { reply: Some(reply), error: first.error }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue;
    use crate::json::json;

    #[test]
    fn two_is_pending_only_of_what_asks_for_money() {
        let code = |id: &str, reply: Value| {
            let interface = catalogue::by_id(id).unwrap();
            let reply = reply.as_object().unwrap().clone();
            let outcome = of_reply(interface.platform, Some(interface), "it", false, reply);
            outcome.error.map(|error| (error.code, error.message))
        };
        let debt = code("bolink.laterpay_order_upload", json!({"state": 2, "message": "操作失败"})).unwrap();
        assert_eq!(debt, (Code::Refused, "it: bolink answered state 2: 操作失败".to_owned()));
        for id in ["bolink.out_park", "cloud.etc_pay", "union.refund", "union.updateorder", "union.bolinkescapePay"] {
            assert_eq!(code(id, json!({"state": "2"})).unwrap().0, Code::Pending, "{id}");
        }
    }
}
