//! One connection carries replies, downlinks, copies of other systems' records, and replies that name nothing. This tells
//! them apart. Pure.

use crate::catalogue::{self, Interface, Platform};
use crate::json::Value;
use crate::link::{Data, Members};

/// What the request under way says of the reply that belongs to it.
#[derive(Clone, Copy)]
pub struct Expected<'a> {
    /// Its name.
    pub service: &'a str,
    /// What the catalogue knows of it: other names of its reply, members that the reply repeats.
    pub interface: Option<&'static Interface>,
    /// Its members.
    pub data: &'a Data,
}

/// Whether the reply to a request may come under this name.
pub fn is_reply_name(service: &str, interface: Option<&Interface>, name: &str) -> bool {
    name == service || interface.is_some_and(|interface| interface.reply_names.contains(&name))
}

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The login's reply.
    Login,
    /// A reply without a name: it belongs to whatever is under way.
    Nameless,
    /// The reply to the request under way.
    Reply,
    /// The reply to a request that nobody waits for any more, or the later result of one.
    Stray,
    /// The platform wants something.
    Downlink,
    /// An entry or exit of another system of the lot.
    Echo,
    /// Unknown to the catalogue.
    Unknown,
}

/// Members that a reply to an entry or exit may have; any other makes the message an echo.
const ORDER_REPLY: [&str; 5] = ["service_name", "state", "errmsg", "order_id", "car_number"];

/// Tells what a message is. `late` says whether a reply under that name is still owed from a request given up.
pub fn classify(message: &Members, expected: Option<Expected<'_>>, late: impl Fn(&str) -> bool) -> Kind {
    let Some(name) = message.get("service_name").and_then(Value::as_str).filter(|name| !name.is_empty()) else {
        return Kind::Nameless;
    };
    if name == "login" {
        return Kind::Login;
    }
    let expected = expected.filter(|expected| is_reply_name(expected.service, expected.interface, name));
    let has_state = message.contains_key("state");
    if name == "in_park" || name == "out_park" {
        if !has_state || message.keys().any(|member| !ORDER_REPLY.contains(&member)) {
            return Kind::Echo;
        }
        return match expected {
            Some(expected) if repeats(message, expected, true) => Kind::Reply,
            _ if late(name) => Kind::Stray,
            _ => Kind::Echo,
        };
    }
    if catalogue::downlink(Platform::Cloud, name, message).is_some() {
        return Kind::Downlink;
    }
    match expected {
        Some(expected) if repeats(message, expected, late(name)) => Kind::Reply,
        Some(_) => Kind::Stray,
        None if is_uplink(name) => Kind::Stray,
        None => Kind::Unknown,
    }
}

/// Whether the reply repeats the request's keys. A reply may leave one out or empty (a refusal for missing fields does);
/// when it is `strict` a different value makes it another request's.
fn repeats(message: &Members, expected: Expected<'_>, strict: bool) -> bool {
    let Some(interface) = expected.interface.filter(|_| strict) else { return true };
    let is_other = |name: &str, asked: &Value| {
        message.get(name).is_some_and(|found| !found.plain().is_empty() && !catalogue::same_value(found, asked))
    };
    interface.correlate_by.iter().all(|name| {
        let Some(asked) = expected.data.get(name) else { return true };
        // A reply may carry the key under the name that is really on the wire.
        let mut aliases = interface.reply_aliases.iter().filter(|(documented, _)| documented == name);
        !is_other(name, asked) && !aliases.any(|(_, wire)| is_other(wire, asked))
    })
}

fn is_uplink(name: &str) -> bool {
    let known = |platform| catalogue::uplink(platform, name).or_else(|| catalogue::by_reply_name(platform, name));
    known(Platform::Cloud).or_else(|| known(Platform::Bolink)).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::json;

    fn kind(message: Value, expected: Option<(&str, &'static str, &str)>, late: bool) -> Kind {
        let data = expected.map(|(_, key, value)| Data::from(Members::from([(key, Value::from(value))])));
        let expected = expected.zip(data.as_ref()).map(|((service, ..), data)| Expected {
            service,
            interface: catalogue::uplink(Platform::Cloud, service),
            data,
        });
        classify(message.as_object().unwrap(), expected, |_| late)
    }

    const IN_PARK: Option<(&str, &str, &str)> = Some(("in_park", "order_id", "A1"));

    #[test]
    fn replies_echoes_and_downlinks_are_told_apart() {
        let reply = json!({"service_name":"in_park","state":1,"errmsg":"","order_id":"A1"});
        assert_eq!(kind(reply.clone(), IN_PARK, false), Kind::Reply);
        // An echo that its sender gave a state, and nothing but the reply's names: only the order tells.
        let echo = json!({"service_name":"in_park","state":1,"errmsg":"","order_id":"E9"});
        assert_eq!(kind(echo, IN_PARK, false), Kind::Echo);
        assert_eq!(
            kind(json!({"service_name":"in_park","state":1,"order_id":"A1","in_time":5}), IN_PARK, false),
            Kind::Echo
        );
        assert_eq!(
            kind(json!({"service_name":"in_park","order_id":"A1","car_number":"京A1"}), IN_PARK, false),
            Kind::Echo
        );
        assert_eq!(kind(reply, None, true), Kind::Stray);
        // The guard's refusal adds car_number.
        let guard =
            json!({"service_name":"in_park","state":0,"errmsg":"数据已处理过...","order_id":"A1","car_number":"京A1"});
        assert_eq!(kind(guard, IN_PARK, false), Kind::Reply);
        assert_eq!(
            kind(json!({"service_name":"lock_car","order_id":"A1","is_locked":1}), IN_PARK, false),
            Kind::Downlink
        );
        assert_eq!(kind(json!({"state":0,"errmsg":"error:token无效"}), IN_PARK, false), Kind::Nameless);
        assert_eq!(kind(json!({"service_name":"login","state":1,"token":"t"}), None, false), Kind::Login);
        assert_eq!(kind(json!({"service_name":"newer_thing","x":1}), IN_PARK, false), Kind::Unknown);
    }

    #[test]
    fn a_late_reply_of_the_same_service_is_not_taken_for_the_next_ones() {
        let expected = Some(("upload_collector", "user_id", "u2"));
        let late = json!({"service_name":"upload_collector","state":1,"errmsg":"","user_id":"u1"});
        assert_eq!(kind(late, expected, true), Kind::Stray);
        let own = json!({"service_name":"upload_collector","state":1,"errmsg":"","user_id":"u2"});
        assert_eq!(kind(own, expected, true), Kind::Reply);
        // A refusal for missing fields leaves the key empty.
        let refusal = json!({"service_name":"park_log","state":0,"errmsg":"x","log_id":""});
        assert_eq!(kind(refusal, Some(("park_log", "log_id", "7")), true), Kind::Reply);
        let null = json!({"service_name":"in_park","state":0,"errmsg":"数据无效","order_id":null});
        assert_eq!(kind(null, IN_PARK, false), Kind::Reply);
        // Numbers come back for text.
        let number = json!({"service_name":"upload_gate","state":1,"channel_id":12});
        assert_eq!(kind(number, Some(("upload_gate", "channel_id", "12")), true), Kind::Reply);
    }
}
