//! The answer to a downlink: what the software says, and what the platform needs beside it to know which it answers.

use super::Open;
use crate::catalogue::{Field, Interface, Platform, Required, Side, validate};
use crate::error::{Code, Error, Result};
use crate::json::{Value, members};
use crate::link::Members;

/// An answer on its way.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The event it answers; 0 when it is not kept until the platform has it.
    pub event_id: u64,
    /// The platform it goes to.
    pub platform: Platform,
    /// What is answered.
    pub interface: Option<&'static Interface>,
    /// The name it goes under.
    pub service: String,
    /// Its members.
    pub data: Members,
}

/// The outer form of the answers that Bolink relays further (SDK 3.39, 3.40).
const RELAYED: &str = "parkInfo";
const RELAY_PATH: &str = "commapi/upMessage";

/// Makes the answer complete: names, and the members that tie it to the downlink. The software's own values win.
pub(crate) fn complete(open: &Open, given: Members) -> Answer {
    let mut data = Members::new();
    data.insert("service_name", Value::from(open.service.as_str()));
    let home = open.interface.map_or(open.platform, |interface| interface.platform);
    if let Some(target) = home.data_target() {
        data.insert("data_target", Value::from(target));
    }
    data.extend(given);
    for name in echoed(open.interface) {
        if !data.contains_key(name)
            && let Some(value) = repeated(&open.data, name)
        {
            data.insert(name.to_owned(), value.clone());
        }
    }
    if open.platform == Platform::Etcp {
        super::push::in_both_words(&mut data);
    }
    let is_relayed = open.interface.is_some_and(|interface| interface.reply_names.contains(&RELAYED));
    if is_relayed && !data.contains_key("path") {
        let target = data.remove("data_target").unwrap_or_else(|| Value::from("bolink"));
        let outer = members! {"service_name": RELAYED, "data_target": target, "path": RELAY_PATH, "data": data};
        data = outer;
    } else {
        data.or_insert("errmsg", || Value::from(""));
    }
    let service = if is_relayed { RELAYED.to_owned() } else { open.service.to_string() };
    Answer { event_id: 0, platform: open.platform, interface: open.interface, service, data }
}

/// What the downlink says under a name. The answer to SDK 3.28 spells in_time otherwise: In_time.
fn repeated<'a>(asked: &'a Members, name: &str) -> Option<&'a Value> {
    asked.get(name).or_else(|| asked.iter().find(|(it, _)| it.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

/// Members that an answer repeats from its downlink.
pub(crate) fn echoed(interface: Option<&'static Interface>) -> impl Iterator<Item = &'static str> {
    let keys = interface.map_or(&[][..], |interface| interface.correlate_by);
    let fields = interface.map_or(&[][..], |interface| interface.reply_fields);
    // A refusal needs less than a "yes", but what a "yes" repeats is the same.
    let is_needed = |field: &&Field| field.required == Required::Yes || field.required_if == Some(("state", &["1"]));
    let required = fields.iter().filter(is_needed).map(|field| field.path);
    keys.iter().copied().chain(required.filter(|path| !matches!(*path, "state" | "errmsg" | "price" | "duration")))
}

/// A well-formed no.
pub fn refusal(open: &Open, text: &str) -> Answer {
    let given = members! {"state": 0, "errmsg": text};
    complete(open, given)
}

/// Holds an answer against the interface's table.
pub fn check(answer: &Answer) -> Result<()> {
    let Some(interface) = answer.interface else { return Ok(()) };
    let problems = validate(interface, &answer.data, Side::Reply);
    if problems.is_empty() {
        return Ok(());
    }
    let problems: Vec<String> = problems.iter().take(5).map(ToString::to_string).collect();
    Err(Error::new(Code::Invalid, format!("the reply to {}: {}", answer.service, problems.join("; "))))
}
