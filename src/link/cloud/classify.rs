//! One connection carries replies, downlinks, copies of other systems' records, and replies that name nothing. This tells
//! them apart. Pure.

use crate::catalogue::{self, Direction, Platform};
use crate::link::Members;
use serde_json::Value;

/// What the request under way says of the reply that belongs to it.
#[derive(Debug, Clone)]
pub struct Expected {
    /// Names its reply may come under.
    pub names: Vec<String>,
    /// Members that the reply repeats, with their values as text.
    pub keys: Vec<(&'static str, String)>,
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
pub fn classify(message: &Members, expected: Option<&Expected>, late: impl Fn(&str) -> bool) -> Kind {
    let Some(name) = message.get("service_name").and_then(Value::as_str).filter(|name| !name.is_empty()) else {
        return Kind::Nameless;
    };
    if name == "login" {
        return Kind::Login;
    }
    if is_downlink(name) {
        return Kind::Downlink;
    }
    let expected = expected.filter(|expected| expected.names.iter().any(|known| known == name));
    let has_state = message.contains_key("state");
    if name == "in_park" || name == "out_park" {
        if !has_state || message.keys().any(|member| !ORDER_REPLY.contains(&member.as_str())) {
            return Kind::Echo;
        }
        return match expected {
            Some(expected) if repeats(message, expected, true) => Kind::Reply,
            _ if late(name) => Kind::Stray,
            _ => Kind::Echo,
        };
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
fn repeats(message: &Members, expected: &Expected, strict: bool) -> bool {
    !strict
        || expected.keys.iter().all(|(name, value)| match message.get(*name).map(as_text) {
            Some(found) => found.is_empty() || found == *value,
            None => true,
        })
}

/// A value as the text that two spellings of it share: the platform answers numbers for text and the other way round.
pub fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn is_downlink(name: &str) -> bool {
    catalogue::all().iter().any(|entry| {
        entry.direction == Direction::Downlink
            && matches!(entry.platform, Platform::Cloud | Platform::Bolink)
            && entry.service == Some(name)
            && !matches!(name, "in_park" | "out_park")
    })
}

fn is_uplink(name: &str) -> bool {
    catalogue::all().iter().any(|entry| {
        entry.direction == Direction::Uplink && (entry.service == Some(name) || entry.reply_names.contains(&name))
    })
}
