//! What the open API and ETCP need before a call leaves, and which of Bolink's ways a charge by ETC goes.

use super::Sdk;
use crate::catalogue::{Direction, Interface, Platform};
use crate::config::Config;
use crate::error::{Code, Error, Result};
use crate::json::Value;
use crate::link::etcp::EtcpLink;
use crate::link::union::UnionLink;
use crate::link::{Link, Members, etcp, union};
use crate::log::Log;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

/// The call that charges by ETC over the open API (API 3.7).
const ETC_BY_UNION: &str = "union.etcPayApi";

/// The links that the configuration asks for.
pub fn open(config: &Config, log: &Arc<Log>) -> Result<Vec<Box<dyn Link>>> {
    let mut links: Vec<Box<dyn Link>> = Vec::new();
    if config.text("union.base").is_some() {
        links.push(Box::new(UnionLink::open(config, log.clone())?));
    }
    if config.text("etcp.base").is_some() {
        links.push(Box::new(EtcpLink::open(config, log.clone())?));
    }
    Ok(links)
}

/// Rules beside the catalogue's tables.
pub fn problems(interface: &Interface, members: &Members) -> Vec<String> {
    let mut problems = union::rules::problems(interface, members);
    problems.extend(etcp::rules::problems(interface, members));
    problems
}

/// What to tell when a platform is not configured.
pub fn missing(platform: Platform, what: &str) -> Error {
    let message = match platform {
        Platform::Etcp => format!("{what} goes to ETCP: give etcp.base when opening"),
        _ => format!("{what} goes to Bolink's open API: give union.base when opening"),
    };
    Error::new(Code::NotConfigured, message)
}

impl Sdk {
    /// The id of the call that `etc_pay` is, when the open API carries it: `etc.by`, else whether there is a cloud link.
    pub(super) fn etc_by_union(&self, service: &str, target: Option<&str>) -> Option<&'static str> {
        let is_chosen = || {
            let has = |platform| self.links.iter().any(|link| link.platform() == platform);
            match self.config.word("etc.by") {
                "union" => true,
                "sdk" => false,
                _ => has(Platform::Union) && !has(Platform::Cloud),
            }
        };
        (service == "etc_pay" && target.is_none() && is_chosen()).then_some(ETC_BY_UNION)
    }

    /// Takes a call in the document's own envelope too, and fills in what the configuration knows.
    pub(super) fn prepare(&self, interface: &Interface, members: &mut Members) {
        if !matches!(interface.platform, Platform::Union | Platform::Etcp) || interface.direction != Direction::Uplink {
            return;
        }
        let has = |path: &str| interface.fields.iter().any(|field| field.path == path);
        let is_enveloped = interface.wrapped && !has("data") && members.get("data").is_some_and(Value::is_object);
        if is_enveloped && let Some(Value::Object(inner)) = members.remove("data") {
            members.remove("sign");
            members.extend(inner);
        }
        let mut fill = |path: &str, value: Option<Value>| {
            let is_missing = members.get(path).is_none_or(|value| value.is_null() || *value == "");
            if let Some(value) = value.filter(|_| is_missing && has(path)) {
                members.insert(path.to_owned(), value);
            }
        };
        let text = |key: &str| self.config.text(key).map(Value::from);
        match interface.platform {
            Platform::Union => {
                // A search that names no lot is about all of them.
                let is_needed = interface
                    .fields
                    .iter()
                    .any(|it| it.path == "park_id" && (it.required.always() || it.required_if.is_some()));
                fill("park_id", text("park_id").filter(|_| is_needed));
                fill("rand", Some(Value::from(random())));
                if interface.id == ETC_BY_UNION {
                    fill("pay_type", text("etc.pay_type"));
                }
            }
            _ => fill("appId", text("etcp.app_id").filter(|_| interface.id.contains("user"))),
        }
    }
}

/// A number that no call repeats (API 2.1 refuses the one before); no secret hangs on it.
fn random() -> String {
    format!("0.{:020}", RandomState::new().build_hasher().finish())
}
