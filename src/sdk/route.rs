//! Which platforms a record goes to, and in what form.

use super::Sdk;
use crate::catalogue::{self, Candidate, Direction, Interface, Platform};
use crate::error::{Code, Error, Result};
use crate::json::{Text, Value};
use crate::link::{Data, Link, Members, Request, RequestKind};
use std::sync::Arc;
use std::time::Instant;

/// One platform's share of a record.
pub struct Way<'a> {
    pub link: &'a dyn Link,
    pub interface: Option<&'static Interface>,
    service: Text,
}

impl Way<'_> {
    /// The name the software uses.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// Whether it asks the platform for money now.
    pub fn is_charge(&self, members: &Members) -> bool {
        self.interface.is_some_and(|interface| interface.asks_now(members))
    }

    /// The record in this platform's form.
    pub fn request(&self, members: &Arc<Members>, deadline: Instant, kind: RequestKind) -> Request {
        request(self.link.platform(), self.interface, &self.service, members, deadline, kind)
    }
}

/// A record in the form of the link that carries it. The cloud's carries service_name and data_target inside `data`
/// too, as other SDKs do: it keeps an exit and an order of the same content apart in the server's resend guard. Bolink's
/// HTTP mode has neither inside, and names of its own for entries and exits.
pub fn request(
    link: Platform,
    interface: Option<&'static Interface>,
    service: &str,
    members: &Arc<Members>,
    deadline: Instant,
    kind: RequestKind,
) -> Request {
    let mut head = Vec::new();
    let home = interface.map_or(link, |interface| interface.platform);
    if link == Platform::Cloud {
        head.push(("service_name", Value::from(service)));
        let target = members.get("data_target").cloned().or_else(|| home.data_target().map(Value::from));
        head.extend(target.map(|target| ("data_target", target)));
    }
    if link == Platform::Union {
        // Some calls of the open API name their service inside (API 10).
        let inside = |name: &str| interface.is_some_and(|known| known.fields.iter().any(|field| field.path == name));
        let named = ["service_name", "data_target"].into_iter().filter(|name| inside(name));
        head.extend(named.filter_map(|name| members.get(name).map(|value| (name, value.clone()))));
    }
    let data = Data::new(head, members.clone());
    let wire_name = interface
        .filter(|_| link == Platform::Bolink && kind != RequestKind::Answer)
        .and_then(|interface| interface.wire_name);
    let service = wire_name.unwrap_or(service).into();
    Request { interface, service, data, deadline, kind }
}

impl Sdk {
    /// The link of a platform. Without a link to Bolink the cloud carries its records on (SDK 4.x).
    pub(super) fn way(&self, platform: Platform, interface: Option<&'static Interface>) -> Result<Way<'_>> {
        let service = interface.and_then(|interface| interface.service).unwrap_or_default();
        self.way_as(service.split('.').next().unwrap_or_default(), platform, interface)
    }

    fn way_as(&self, service: &str, platform: Platform, interface: Option<&'static Interface>) -> Result<Way<'_>> {
        let find = |wanted| self.links.iter().find(|link| link.platform() == wanted);
        let relay = || (platform == Platform::Bolink).then(|| find(Platform::Cloud)).flatten();
        match find(platform).or_else(relay) {
            Some(link) => Ok(Way { link: link.as_ref(), interface, service: service.into() }),
            None => Err(missing(platform, interface)),
        }
    }

    /// Every way a record goes. An order goes to each platform that is configured; anything else to the one that
    /// takes it.
    pub(super) fn ways(&self, service: &str, target: Option<&str>, candidates: &[Candidate]) -> Result<Vec<Way<'_>>> {
        if candidates.is_empty() {
            return Err(unknown(service, target));
        }
        let mut ways: Vec<Way<'_>> = Vec::new();
        let mut refusal = None;
        for candidate in candidates {
            if let Some(interface) = candidate.interface
                && interface.platform != candidate.platform
            {
                let message = format!(
                    "data_target: {service} goes to {} ({}), found {}",
                    interface.platform.data_target().unwrap_or(interface.platform.name()),
                    interface.section,
                    target.unwrap_or_default()
                );
                return Err(Error::new(Code::Invalid, message));
            }
            // A login of the software's would take the place of the library's own.
            if let Some(interface) = candidate.interface.filter(|interface| interface.direction == Direction::Local) {
                return Err(not_a_call(interface));
            }
            match self.way_as(service, candidate.platform, candidate.interface) {
                Ok(way) => {
                    if !ways.iter().any(|known| known.link.platform() == way.link.platform()) {
                        ways.push(way);
                    }
                }
                Err(error) => refusal = Some(error),
            }
        }
        match refusal {
            Some(error) if ways.is_empty() => Err(error),
            _ => Ok(ways),
        }
    }
}

/// Of what the library does by itself.
pub(super) fn not_a_call(interface: &Interface) -> Error {
    let message = format!("{} ({}) is not a call of the software's", interface.id, interface.section);
    Error::new(Code::Unsupported, message)
}

fn unknown(service: &str, target: Option<&str>) -> Error {
    let is_pushed = |platform| catalogue::downlink(platform, service, &Members::new()).is_some();
    let message = match target {
        None if is_pushed(Platform::Union) || is_pushed(Platform::Etcp) => {
            format!("service_name: {service} is a platform's push, and none waits for an answer: answered, or too old")
        }
        Some(target) => format!("data_target: expected cloud, bolink or wisdom_screen, found {target}"),
        None => format!(
            "service_name: \"{service}\" is in no document; if the platform knows it all the same, add data_target (cloud or bolink)"
        ),
    };
    Error::new(Code::UnknownInterface, message)
}

fn missing(platform: Platform, interface: Option<&'static Interface>) -> Error {
    let what =
        interface.map_or_else(|| "it".to_owned(), |interface| format!("{} ({})", interface.id, interface.section));
    match platform {
        Platform::Cloud => {
            Error::new(Code::NotConfigured, format!("{what} goes to the parking cloud: give cloud_addr when opening"))
        }
        Platform::Bolink => Error::new(
            Code::NotConfigured,
            format!("{what} goes to Bolink: give bolink_addr or cloud_addr when opening"),
        ),
        Platform::Screen => Error::new(
            Code::Unsupported,
            format!(
                "{what} goes to the smart screen itself, and how a screen is spoken to is in no document; nothing was sent"
            ),
        ),
        Platform::Union | Platform::Etcp | Platform::Library => super::platforms::missing(platform, &what),
    }
}
