//! Finding the interface of a message.

use super::table::{self, INTERFACES};
use super::types::*;
use super::value::text_of;
use crate::json::{self, Members, Value};
use std::borrow::Cow;

/// Every interface, sorted by id.
pub fn all() -> &'static [Interface] {
    INTERFACES
}

/// The interface of an id (`cloud.in_park`).
pub fn by_id(id: &str) -> Option<&'static Interface> {
    INTERFACES.binary_search_by(|entry| entry.id.cmp(id)).ok().map(|place| &INTERFACES[place])
}

/// The uplink that the software or the wire calls so, calls about the link itself included.
pub fn uplink(platform: Platform, service: &str) -> Option<&'static Interface> {
    named(table::uplinks(), service).find(|entry| entry.platform == platform)
}

/// The same, for names that need the message: `parkInfo` is the outer name of several calls.
pub fn uplink_for(platform: Platform, service: &str, members: &Members) -> Option<&'static Interface> {
    if service != "parkInfo" {
        return uplink(platform, service);
    }
    let inner = members.get("data")?.get("service_name")?.as_str()?;
    let mut calls =
        INTERFACES.iter().filter(|entry| entry.platform == platform && entry.direction == Direction::Uplink);
    calls.find(|entry| entry.service.and_then(|name| name.strip_prefix("parkInfo.")) == Some(inner))
}

/// The downlink that the platform calls so. The cloud link also carries Bolink's, and the other way round.
///
/// `pay_notice` is two interfaces: the cloud's has a `type`, Bolink's has none, whatever link it comes by.
pub fn downlink(platform: Platform, service: &str, members: &Members) -> Option<&'static Interface> {
    let sdk = [Platform::Cloud, Platform::Bolink];
    let first = match service {
        "pay_notice" if sdk.contains(&platform) => sdk[usize::from(!has_value(members, "type"))],
        _ => platform,
    };
    let found = || named(table::downlinks(), service);
    let relayed = |entry: &&Interface| sdk.contains(&first) && sdk.contains(&entry.platform);
    found().find(|entry| entry.platform == first).or_else(|| found().find(relayed))
}

/// The uplink whose reply travels under this name (`car_type_upload`).
pub fn by_reply_name(platform: Platform, name: &str) -> Option<&'static Interface> {
    INTERFACES.iter().find(|entry| {
        entry.platform == platform && entry.direction == Direction::Uplink && entry.reply_names.contains(&name)
    })
}

/// A platform that an upload may go to, and what the catalogue knows of it there.
#[derive(Debug, Clone, Copy)]
pub struct Candidate {
    /// Where it goes.
    pub platform: Platform,
    /// `None`: unknown to the catalogue; it passes as it is.
    pub interface: Option<&'static Interface>,
}

/// Where an upload by service_name may go. An order (in_park, out_park) without `data_target` goes to the cloud and to
/// Bolink; an unknown service goes where `data_target` says; with neither, or with an unknown `data_target`, nowhere.
pub fn route(service: &str, data_target: Option<&str>, members: &Members) -> Vec<Candidate> {
    let sdk = [Platform::Cloud, Platform::Bolink, Platform::Screen];
    // `outpark`, the wire's name of an exit, is to the software the payment result that it acknowledges.
    let own = |entry: &&Interface, platform| {
        entry.service == Some(service) || service == "parkInfo" || downlink(platform, service, members).is_none()
    };
    let at = |platform| uplink_for(platform, service, members).filter(|entry| own(entry, platform));
    match data_target.filter(|target| !target.is_empty()) {
        None => sdk
            .into_iter()
            .filter_map(|platform| at(platform).map(|entry| Candidate { platform, interface: Some(entry) }))
            .collect(),
        Some(target) => {
            let known = |platform| at(platform).or_else(|| sdk.into_iter().find_map(at));
            Platform::from_data_target(target)
                .map(|platform| Candidate { platform, interface: known(platform) })
                .into_iter()
                .collect()
        }
    }
}

/// What makes two downlinks the same one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RepeatKey {
    /// The interface and the values of its [`Interface::dedupe_by`].
    pub key: String,
    /// The message itself, where only the content tells: a repeat of the *last* message with this key.
    pub content: Option<String>,
}

impl Interface {
    /// The members of a message: those inside `data` where the interface wraps them. `data` may be JSON or its text.
    pub fn members<'a>(&self, message: &'a Members) -> Cow<'a, Members> {
        if !self.wrapped {
            return Cow::Borrowed(message);
        }
        match message.get("data") {
            Some(Value::Object(data)) => Cow::Borrowed(data),
            Some(Value::String(text)) => json::members_of(text.as_bytes()).map_or(Cow::Borrowed(message), Cow::Owned),
            _ => Cow::Borrowed(message),
        }
    }

    /// Whether these members ask for money now (see [`Interface::never_late`]).
    pub fn asks_now(&self, members: &Members) -> bool {
        self.never_late.is_some_and(|(name, values)| {
            let value = members.get(name).and_then(Value::as_str);
            values.is_empty() || value.is_some_and(|value| values.contains(&value))
        })
    }

    /// What a downlink is recognised by when it comes again; `None` where every delivery is to be handled.
    pub fn repeat_key(&self, members: &Members) -> Option<RepeatKey> {
        let number = self.dedupe_by.first()?;
        if !has_value(members, number) {
            return None;
        }
        let by_content = self.dedupe_by.contains(&CONTENT);
        let mut key = self.id.to_owned();
        for name in self.dedupe_by.iter().filter(|name| **name != CONTENT) {
            let value = members.get(name).and_then(text_of).unwrap_or_default();
            // The length keeps ("a","bc") and ("ab","c") apart.
            key.push_str(&format!("|{}:{value}", value.len()));
        }
        // Members come in no fixed order.
        let content = by_content.then(|| {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by_key(|(name, _)| *name);
            sorted.into_iter().collect::<Members>().to_string()
        });
        Some(RepeatKey { key, content })
    }
}

fn named(index: &'static [(&'static str, Platform, u16)], name: &str) -> impl Iterator<Item = &'static Interface> {
    let start = index.partition_point(|(known, ..)| (known.len(), *known) < (name.len(), name));
    let found = index[start..].iter().take_while(move |(known, ..)| *known == name);
    found.map(|(.., place)| &INTERFACES[usize::from(*place)])
}

fn has_value(members: &Members, name: &str) -> bool {
    members.get(name).and_then(text_of).is_some_and(|text| !text.trim().is_empty())
}
