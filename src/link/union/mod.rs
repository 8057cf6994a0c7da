//! The link to Bolink's open HTTP API (unionapi): a signed envelope a call, the answer on the same call.

mod hosts;
pub mod rules;

use self::hosts::Hosts;
use super::dial::Cancel;
use super::health::Health;
use super::http::Client;
use super::{Link, Members, Pending, Request, shown};
use crate::catalogue::{Interface, Platform, is_number, same_value};
use crate::config::Config;
use crate::error::{Code, Error, Result, UNSAID};
use crate::json::{self, Value, members};
use crate::log::{Level, Log};
use crate::wire::{envelope, form, sign};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The one family of paths whose envelope has a name and a time, too (API 8.2).
const COMMUNITY: &str = "/yitong/";

/// The link.
pub struct UnionLink {
    client: Client,
    cancel: Arc<Cancel>,
    health: Health,
    hosts: Hosts,
    key: String,
    union_id: Value,
    log: Arc<Log>,
}

impl UnionLink {
    /// Opens it; nothing is sent before the first call.
    pub fn open(config: &Config, log: Arc<Log>) -> Result<UnionLink> {
        let cancel = Arc::<Cancel>::default();
        let client = Client::new(config, config.millis("union.connect_timeout_ms"), log.clone(), cancel.clone())?;
        let union_id = config.text("union_id").unwrap_or_default();
        let union_id = union_id.parse::<u64>().map_or_else(|_| Value::from(union_id), Value::from);
        let hosts = Hosts::new(config);
        for url in hosts.all() {
            client.target(&url, JSON)?;
        }
        let key = config.text("ukey").unwrap_or_default().to_owned();
        Ok(UnionLink { client, cancel, health: Health::default(), hosts, key, union_id, log })
    }

    /// The text of `data`, and what stands beside it.
    fn envelope(&self, interface: &Interface, path: &str, mut data: Members) -> Result<String> {
        if let Some(given) = data.get("union_id")
            && !same_value(given, &self.union_id)
        {
            let message = format!("union_id: this handle is {}, found {given}; leave it out", self.union_id);
            return Err(Error::new(Code::Invalid, message));
        }
        let mut beside = Vec::new();
        if interface.union_id_beside {
            data.remove("union_id");
            beside.push(("union_id", self.union_id.clone()));
        } else {
            data.insert("union_id", self.union_id.clone());
        }
        if path.starts_with(COMMUNITY) {
            beside.push(("platform_name", data.remove("platform_name").unwrap_or_default()));
            beside.push(("timestamp", Value::from(milliseconds() / 1000)));
        }
        Ok(envelope::write(&Value::Object(data).to_string(), &self.key, &beside))
    }

    fn exchange(&self, interface: &Interface, url: &str, body: &str, deadline: Instant) -> Result<Members> {
        let target = self.client.target(url, JSON)?;
        let answered = self.client.post(&target, body, deadline).and_then(|response| response.ok());
        let reply = answered.and_then(|body| read(interface, &body));
        self.health.note(&reply);
        if self.log.is_on(Level::Trace)
            && let Ok(reply) = &reply
        {
            self.log.trace(format_args!("union < {} {}", interface.id, shown(reply)));
        }
        reply
    }

    /// Pages that a browser is sent to: their address is the answer, nothing is called.
    fn page(&self, interface: &Interface, url: &str, mut data: Members) -> Members {
        if interface.id == "union.gettoken" {
            let time =
                data.get("timestamp").map_or_else(|| milliseconds().to_string(), |time| time.plain().into_owned());
            data.insert("union_id", self.union_id.clone());
            data.insert("is_private_cloud", Value::from(1));
            data.insert("sign", Value::from(sign::stamped(&self.key, &time)));
            data.insert("timestamp", Value::from(time));
        }
        let texts: Vec<_> = data.iter().map(|(name, value)| (name, value.plain())).collect();
        let pairs: Vec<(&str, &str)> = texts.iter().map(|(name, value)| (*name, &**value)).collect();
        members! {"state": 1, "errmsg": "", "url": format!("{url}?{}", form::text(&pairs))}
    }
}

const JSON: &str = "application/json; charset=utf-8";

fn milliseconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| u64::try_from(time.as_millis()).unwrap_or(0))
}

fn read(interface: &Interface, body: &[u8]) -> Result<Members> {
    let wrong = |why: String| Error::new(Code::Protocol, format!("{}: Bolink answered {why}", interface.id));
    let mut reply = match json::received_bytes(body) {
        Ok(Value::Object(reply)) => reply,
        Ok(_) => return Err(wrong("JSON that is no object".into())),
        Err(error) => return Err(wrong(format!("what is not JSON: {error}"))),
    };
    if let Some(why) = unsaid(interface, &reply) {
        return Err(wrong(format!("{why}{UNSAID}")));
    }
    // API 8.2: the outcome proper is inside data, as JSON text; where it is no text it means the same.
    let inner = match reply.get("data") {
        Some(Value::String(text)) => json::members_of(text.as_bytes()),
        data => data.and_then(Value::as_object).filter(|_| interface.id == "union.personRecord").cloned(),
    };
    if let Some(("code", values)) = interface.success
        && let Some(inner) = inner
        && values.iter().any(|value| reply.get("code").is_some_and(|code| same_value(code, &Value::from(*value))))
        && let Some(state) = inner.get("state")
    {
        if !is_number(state) {
            return Err(wrong(format!("a state inside data that is no number{UNSAID}")));
        }
        reply.insert("state", state.clone());
        // And so does the reason: the message around it says that the report was read.
        if let Some(said) = inner.get("message").filter(|said| !said.is_null()) {
            reply.insert("errmsg", said.clone());
        }
    }
    Ok(reply)
}

/// Why an answer does not tell the outcome. Its word is `state`, or the member that the section names; where no table has
/// one (API 3.4, 10.6), a member that the table does have is the answer.
fn unsaid(interface: &Interface, reply: &Members) -> Option<String> {
    let given = |name: &str| reply.get(name).filter(|value| !value.is_null());
    let word = interface.success.map_or("state", |(member, _)| member);
    match given(word) {
        Some(value) if is_number(value) => None,
        Some(_) => Some(format!("a {word} that is no number")),
        // A refusal in the API's general words.
        None if given("state").is_some_and(|state| same_value(state, &Value::from(0))) => None,
        None => {
            let has_word = interface.reply_fields.iter().any(|field| field.path == word);
            let says = |name: &str| given(name).is_some_and(|value| *value != "");
            let is_answer = !has_word && interface.reply_fields.iter().any(|field| says(field.path));
            (!is_answer).then(|| format!("without {word}"))
        }
    }
}

impl Link for UnionLink {
    fn platform(&self) -> Platform {
        Platform::Union
    }

    fn begin<'a>(&'a self, request: Request) -> Result<Pending<'a>> {
        if self.cancel.is_cancelled() {
            return Err(Error::new(Code::Closed, "the handle was closed"));
        }
        let known = request.interface.and_then(|interface| Some((interface, interface.wire_name?)));
        let Some((interface, path)) = known else {
            let message = format!("{}: no address of it is documented; nothing was sent", request.service);
            return Err(Error::new(Code::Unsupported, message));
        };
        let url = self.hosts.url(path)?;
        if interface.method == "GET" {
            let page = self.page(interface, &url, request.data.to_members());
            return Ok(Box::new(move || Ok(page)));
        }
        if self.log.is_on(Level::Trace) {
            self.log.trace(format_args!("union > {} {}", interface.id, shown(&request.data.to_members())));
        }
        let body = self.envelope(interface, path, request.data.to_members())?;
        Ok(Box::new(move || self.exchange(interface, &url, &body, request.deadline)))
    }

    fn status(&self) -> Members {
        self.health.status()
    }

    fn is_up(&self) -> bool {
        !self.cancel.is_cancelled()
    }

    fn shut(&self) {
        self.cancel.cancel();
        self.client.break_off();
        self.health.close();
    }
}
