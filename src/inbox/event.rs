//! A message from a platform as the software sees it.

use super::Open;
use crate::catalogue::{self, Interface, Platform};
use crate::json::{self, Text, Value};
use crate::link::Members;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Instant;

/// What a message is to the software.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// It waits for an answer.
    Request,
    /// It tells something; no answer is expected.
    Notice,
    /// An entry or exit that another system of the lot uploaded.
    Echo,
    /// The later result of a record that was uploaded.
    Result,
}

impl EventKind {
    /// The name in the event's JSON.
    pub fn name(self) -> &'static str {
        match self {
            EventKind::Request => "request",
            EventKind::Notice => "notice",
            EventKind::Echo => "echo",
            EventKind::Result => "result",
        }
    }
}

/// What a platform says on its own.
#[derive(Debug, Clone)]
pub struct Event {
    /// Its own number.
    pub id: u64,
    /// Who said it; the library itself when no platform did.
    pub platform: Platform,
    /// What the catalogue knows of it.
    pub interface: Option<&'static Interface>,
    /// Its name.
    pub service: Text,
    /// What it is.
    pub kind: EventKind,
    /// The whole message as it came.
    pub message: Arc<Members>,
    /// Its members without the wrapper.
    pub data: Arc<Members>,
    /// The software may have been called for it before: the process ended, or it never answered.
    pub redelivered: bool,
    /// It is on disk.
    pub is_stored: bool,
}

impl Event {
    /// Looks a message up.
    pub fn new(id: u64, platform: Platform, message: Members) -> Event {
        let service = Text::from(message.get("service_name").and_then(Value::as_str).unwrap_or_default());
        let (interface, kind) = recognise(platform, &service, &message);
        let data = Arc::new(unwrap(interface, &message));
        let message = Arc::new(message);
        Event { id, platform, interface, service, kind, message, data, redelivered: false, is_stored: false }
    }

    /// The number to answer under; 0 when no answer is expected.
    pub fn answer_id(&self) -> u64 {
        if self.kind == EventKind::Request { self.id } else { 0 }
    }

    /// The event as JSON: `event_id`, `platform`, `interface`, `service_name`, `kind`, `redelivered`, `data`.
    pub fn json(&self) -> String {
        let mut out = String::with_capacity(512);
        out.push_str("{\"event_id\":");
        // Writing to a text cannot fail.
        let _ = write!(out, "{}", self.answer_id());
        out.push_str(",\"platform\":");
        json::string(&mut out, self.platform.name());
        out.push_str(",\"interface\":");
        match self.interface {
            Some(interface) => json::string(&mut out, interface.id),
            None => out.push_str("null"),
        }
        out.push_str(",\"service_name\":");
        json::string(&mut out, &self.service);
        out.push_str(",\"kind\":");
        json::string(&mut out, self.kind.name());
        out.push_str(",\"redelivered\":");
        out.push_str(if self.redelivered { "true" } else { "false" });
        out.push_str(",\"data\":");
        self.data.write(&mut out);
        out.push('}');
        out
    }

    /// Nobody says it again: it stays on disk until it is taken, also when there is no room and nobody listens.
    pub(super) fn stays(&self) -> bool {
        self.redelivered && self.is_stored || self.platform == Platform::Library
    }

    pub(super) fn to_open(&self) -> Open {
        Open {
            platform: self.platform,
            interface: self.interface,
            service: self.service.clone(),
            data: self.data.clone(),
            since: Instant::now(),
            is_stored: self.is_stored,
        }
    }
}

fn recognise(platform: Platform, service: &str, message: &Members) -> (Option<&'static Interface>, EventKind) {
    if platform == Platform::Library {
        return (None, EventKind::Notice);
    }
    if matches!(service, "in_park" | "out_park") {
        return (catalogue::uplink(platform, service), EventKind::Echo);
    }
    if let Some(interface) = catalogue::downlink(platform, service, message) {
        let kind = if interface.expects_reply { EventKind::Request } else { EventKind::Notice };
        return (Some(interface), kind);
    }
    let known = |platform| {
        catalogue::uplink_for(platform, service, message).or_else(|| catalogue::by_reply_name(platform, service))
    };
    // The cloud also carries Bolink's records on, and brings their results.
    let relayed = || known(Platform::Bolink).filter(|_| platform == Platform::Cloud);
    match known(platform).or_else(relayed) {
        Some(interface) if message.contains_key("state") => (Some(interface), EventKind::Result),
        // A newer platform's: the software may know it, and may answer.
        _ => (None, EventKind::Request),
    }
}

/// The members without the wrapper. Messages differ from their documents: a member may stand beside `data` instead of in
/// it, `data` may be JSON text.
fn unwrap(interface: Option<&'static Interface>, message: &Members) -> Members {
    let is_wrapped = match interface {
        Some(interface) => interface.wrapped,
        None => message.len() <= 2 && message.contains_key("data"),
    };
    let inner = match message.get("data").filter(|_| is_wrapped) {
        Some(Value::Object(inner)) => Some(inner.clone()),
        Some(Value::String(text)) => json::members_of(text.as_bytes()),
        _ => None,
    };
    let is_outside = |name: &str| name == "service_name" || (name == "data" && inner.is_some());
    let beside = message.iter().filter(|(name, _)| !is_outside(name));
    match &inner {
        None => beside.collect(),
        // What is inside wins.
        Some(inner) => {
            let beside = beside.filter(|(name, _)| !inner.contains_key(name));
            inner.iter().chain(beside).collect()
        }
    }
}
