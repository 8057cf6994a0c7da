//! Faults that the control API switches on.

use crate::json::{self, Members};
use serde_json::Value;

/// Which platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    /// The parking cloud.
    Cloud,
    /// Bolink.
    Bolink,
    /// Bolink's open HTTP API.
    Union,
    /// ETCP.
    Etcp,
}

impl Platform {
    /// All of them.
    pub const ALL: [Platform; 4] = [Platform::Cloud, Platform::Bolink, Platform::Union, Platform::Etcp];
    /// What a request may name.
    pub const EXPECTED: &str = "expected cloud, bolink, union or etcp";

    /// Its name in the control API.
    pub fn name(self) -> &'static str {
        match self {
            Platform::Cloud => "cloud",
            Platform::Bolink => "bolink",
            Platform::Union => "union",
            Platform::Etcp => "etcp",
        }
    }

    /// The platform of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|platform| platform.name() == name)
    }
}

/// The kinds of faults. Before the colon stand the platforms that have them.
pub const KINDS: [(&str, &str); 13] = [
    ("delay_ms", "all: answers come `value` milliseconds later"),
    ("drop", "all: requests are handled and not answered (over HTTP the connection closes wordlessly)"),
    ("close", "all: requests are handled, then the connection is closed instead of an answer"),
    ("garbage", "all: answers are bytes that are no JSON"),
    ("silence", "all: requests are neither handled nor answered"),
    ("reject_login", "cloud, bolink: logins are refused"),
    ("heartbeat_silence", "cloud: heartbeats are not answered"),
    ("refuse", "cloud: new connections are closed at once"),
    ("split", "cloud: everything is sent in pieces of `value` bytes"),
    ("http_status", "bolink, union, etcp: the answer is this HTTP status and the request is not handled"),
    ("code", "union, etcp: the request passes its checks and is then refused with this state or code"),
    ("wrong_sign", "union, etcp: pushes go out with a wrong signature"),
    ("push_again", "union, etcp: pushes that were answered are sent `value` times more"),
];

/// What switches one on may say.
const MEMBERS: [&str; 5] = ["platform", "kind", "value", "count", "service"];

fn unknown(kind: &str) -> String {
    let kinds: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
    format!("kind: `{kind}` is none of {} and token_kill", kinds.join(", "))
}

/// One fault.
#[derive(Debug, Clone)]
pub struct Fault {
    platform: Platform,
    kind: &'static str,
    value: i64,
    /// How often it still happens; nothing: until cleared.
    left: Option<i64>,
    /// Only for this service (`download` is the long poll).
    service: Option<String>,
}

/// The faults that are on.
#[derive(Debug, Default)]
pub struct Faults {
    list: Vec<Fault>,
}

impl Faults {
    /// Switches one on.
    pub fn add(&mut self, request: &Members) -> Result<(), String> {
        let platform = json::text(request, "platform").and_then(|name| Platform::named(&name));
        let platform = platform.ok_or_else(|| format!("platform: {}", Platform::EXPECTED))?;
        let kind = json::text(request, "kind").ok_or("kind: missing")?;
        let found = KINDS.iter().find(|(name, _)| *name == kind);
        let (kind, does) = found.ok_or_else(|| unknown(&kind))?;
        let having = does.split(':').next().unwrap_or_default();
        if having != "all" && having.split(", ").all(|name| name != platform.name()) {
            return Err(format!("kind: {kind} happens on {having} only, not on {}", platform.name()));
        }
        if let Some(name) = request.keys().find(|name| !MEMBERS.contains(&name.as_str())) {
            return Err(format!("{name}: no member of a fault; expected {}", MEMBERS.join(", ")));
        }
        let number = |name| json::whole(request, name).map_err(|_| format!("{name}: no number"));
        let value = number("value")?;
        let needs = matches!(*kind, "delay_ms" | "http_status" | "split" | "push_again")
            || (*kind == "code" && platform == Platform::Etcp);
        if needs && value.is_none_or(|value| value < 1) {
            return Err(format!("value: {kind} needs a number above 0"));
        }
        if *kind == "http_status" && value.is_some_and(|value| !(200..1000).contains(&value)) {
            return Err("value: an HTTP status has three digits, 200 or more".into());
        }
        let left = number("count")?;
        if left.is_some_and(|left| left < 1) {
            return Err("count: expected a number above 0, or none for `until cleared`".into());
        }
        let service = json::text(request, "service");
        self.list.push(Fault { platform, kind, value: value.unwrap_or(0), left, service });
        Ok(())
    }

    /// Switches off what the request names: a platform, a kind, or all.
    pub fn clear(&mut self, platform: Option<&str>, kind: Option<&str>) -> Result<(), String> {
        if platform.is_some_and(|name| Platform::named(name).is_none()) {
            return Err(format!("platform: {}", Platform::EXPECTED));
        }
        if let Some(kind) = kind.filter(|kind| KINDS.iter().all(|(name, _)| name != kind)) {
            return Err(unknown(kind));
        }
        self.list.retain(|fault| {
            platform.is_some_and(|name| name != fault.platform.name()) || kind.is_some_and(|kind| kind != fault.kind)
        });
        Ok(())
    }

    /// Whether this fault hits now; if so it is used up once. Gives its value.
    pub fn hit(&mut self, platform: Platform, kind: &str, service: &str) -> Option<i64> {
        let fits = |fault: &Fault| {
            fault.platform == platform
                && fault.kind == kind
                && fault.service.as_deref().is_none_or(|wanted| wanted == service)
        };
        let at = self.list.iter().position(fits)?;
        let fault = self.list.get_mut(at)?;
        let value = fault.value;
        if let Some(left) = &mut fault.left {
            *left -= 1;
            if *left == 0 {
                self.list.remove(at);
            }
        }
        Some(value)
    }

    /// What is on.
    pub fn shown(&self) -> Value {
        self.list
            .iter()
            .map(|fault| {
                Value::Object(json::object([
                    ("platform", fault.platform.name().into()),
                    ("kind", fault.kind.into()),
                    ("value", fault.value.into()),
                    ("left", fault.left.map_or(Value::Null, Value::from)),
                    ("service", json::maybe(fault.service.clone())),
                ]))
            })
            .collect()
    }
}
