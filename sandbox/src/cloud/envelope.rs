//! One line of a client: the checks in the server's order, then the service.

use super::guard::Guard;
use super::{arrange, login, services};
use crate::faults::Platform::Cloud;
use crate::json::{self, Members};
use crate::world::{After, World};
use crate::{fastjson, log};
use parklink::wire::sign;
use serde_json::Value;
use std::time::Instant;

/// What comes of a line.
#[derive(Default)]
pub struct Outcome {
    /// The answer: a text, which may be empty, or nothing at all.
    pub reply: Option<String>,
    /// Close the connection afterwards.
    pub close: bool,
    /// What follows.
    pub after: Vec<After>,
    /// The service asked for.
    pub service: String,
}

impl Outcome {
    /// No answer of any kind.
    pub fn silent() -> Self {
        Outcome::default()
    }

    /// An answer whose members are arranged by the number of members in the request.
    pub fn reply(members: Members, request_members: usize) -> Self {
        Outcome { reply: Some(arrange(members, request_members)), ..Outcome::default() }
    }

    /// The wordless answer.
    pub fn empty() -> Self {
        Outcome { reply: Some(String::new()), ..Outcome::default() }
    }

    /// For the log; tokens are cut.
    pub fn shown(&self) -> String {
        match &self.reply {
            None => "no answer".into(),
            Some(text) if text.is_empty() => "empty frame".into(),
            Some(text) => log::masked(text),
        }
    }
}

/// A refusal of the wrapper: it names neither service nor record.
fn refuse(world: &mut World, text: &str) -> Outcome {
    world.counts.add(Cloud, format!("refusals.{text}"));
    Outcome::reply(json::object([("state", 0.into()), ("errmsg", text.into())]), 0)
}

/// Handles one line.
pub fn handle(world: &mut World, connection: u64, line: &str) -> Outcome {
    if line.contains("0x11") && line.chars().count() < 6 {
        return heartbeat(world, connection);
    }
    world.counts.add(Cloud, "lines");
    let Ok(Value::Object(wrapper)) = fastjson::parse(line) else {
        world.counts.add(Cloud, "violations.unparsable_lines");
        log::event("cloud", || format!("#{connection} a line that is no JSON object: no answer"));
        return Outcome::silent();
    };
    let service = json::text(&wrapper, "service_name").unwrap_or_default();
    log::message("cloud", || {
        let data = wrapper.get("data").map(Value::to_string).unwrap_or_default();
        format!("#{connection} <- {service} {data}")
    });
    let mut outcome = checked(world, connection, &wrapper, &service);
    if service != "login" {
        log::event("cloud", || format!("#{connection} {service}: {}", outcome.shown()));
    }
    if outcome.reply.is_none() {
        world.counts.add(Cloud, "unanswered");
    } else if outcome.reply.as_deref() == Some("") {
        world.counts.add(Cloud, "empty_frames");
    }
    outcome.service = service;
    outcome
}

fn heartbeat(world: &mut World, connection: u64) -> Outcome {
    let silenced = world.faults.hit(Cloud, "heartbeat_silence", "0x11").is_some();
    let answered = world.cloud.beat(connection) && !silenced;
    world.counts.add(Cloud, if answered { "heartbeats.answered" } else { "heartbeats.unanswered" });
    log::message("cloud", || format!("#{connection} heartbeat {}", if answered { "answered" } else { "unanswered" }));
    Outcome { reply: answered.then(|| "0x12".to_owned()), service: "0x11".into(), ..Outcome::default() }
}

/// What data holds: its members, and the text that is signed.
enum Data {
    Missing,
    Unusable,
    Members(Members),
}

fn data_of(wrapper: &Members) -> (Data, String) {
    match wrapper.get("data") {
        // The server joins an absent text and the key: the word null stands for it.
        None | Some(Value::Null) => (Data::Missing, "null".into()),
        Some(Value::String(text)) if text.trim().is_empty() => (Data::Missing, text.clone()),
        Some(Value::String(text)) => {
            let data = match fastjson::parse(text) {
                Ok(Value::Object(members)) => Data::Members(members),
                Ok(Value::Null) => Data::Missing,
                _ => Data::Unusable,
            };
            (data, text.clone())
        }
        Some(value) => match json::normal(value) {
            Some(text) => (value.as_object().cloned().map_or(Data::Unusable, Data::Members), text),
            None => (Data::Unusable, String::new()),
        },
    }
}

fn checked(world: &mut World, connection: u64, wrapper: &Members, service: &str) -> Outcome {
    world.counts.add(Cloud, format!("requests.{service}"));
    let (data, signed) = data_of(wrapper);
    let none = Members::new();
    let members = match &data {
        Data::Members(members) => members,
        _ => &none,
    };
    let token = json::filled(wrapper, "token");
    note_reception(world, connection, service, token.as_deref(), members);

    if Guard::watches(service) {
        if matches!(data, Data::Unusable) {
            return refuse(world, "数据格式错误!");
        }
        let sign = json::text(wrapper, "sign");
        let order_id = json::text(members, "order_id");
        if world.cloud.guard.refuses(service, sign.as_deref(), token.as_deref(), order_id.as_deref()) {
            world.counts.add(Cloud, "guard_refusals");
            let reply = json::object([
                ("service_name", service.into()),
                ("state", 0.into()),
                ("errmsg", "数据已处理过...".into()),
                ("order_id", json::maybe(order_id)),
                ("car_number", json::maybe(json::text(members, "car_number"))),
            ]);
            return Outcome::reply(reply, members.len());
        }
    }
    if !wrapper.contains_key("service_name") {
        return refuse(world, "未识别到service_name标记");
    }
    let Some(sign) = json::filled(wrapper, "sign") else { return refuse(world, "未识别到sign标记") };
    if wrapper.get("service_name").is_some_and(Value::is_null) {
        return Outcome::silent();
    }
    if service == "login" {
        return match &data {
            Data::Members(members) => login::handle(world, connection, members, &signed, &sign),
            _ => Outcome::silent(),
        };
    }
    let Some(token) = token else { return refuse(world, "未识别到token标记") };
    let Some(row) = world.cloud.row_of(&token) else { return refuse(world, "error:token无效") };
    let (lot, local_id) = (row.lot.clone(), row.local_id.clone());
    let Some(ckey) = world.lot(&lot).map(|lot| lot.ckey.clone()) else {
        return refuse(world, "error:车场编号异常，未成功在云平台注册");
    };
    if sign::keyed(&signed, &ckey) != sign {
        return refuse(world, "error:签名错误");
    }
    if !world.cloud.row_of(&token).is_none_or(|row| row.accept(Instant::now())) {
        world.counts.add(Cloud, "violations.over_100_requests_in_11_s");
        return refuse(world, "request_over_times");
    }
    match &data {
        Data::Members(members) => {
            let request = services::Request { lot: &lot, local_id: &local_id, service, data: members };
            services::handle(world, &request)
        }
        Data::Missing => refuse(world, "data error"),
        Data::Unusable => Outcome::silent(),
    }
}

/// Counts a record by its number, whatever becomes of it.
fn note_reception(world: &mut World, connection: u64, service: &str, token: Option<&str>, data: &Members) {
    let Some(key) = services::record_key(service, data) else { return };
    let by_token = token.and_then(|token| world.cloud.row_of(token)).map(|row| row.lot.clone());
    let lot = by_token.or_else(|| world.cloud.lot_of(connection)).unwrap_or_default();
    world.counts.received(Cloud, &lot, service, &key);
    if Guard::watches(service) {
        world.counts.order(Cloud, &lot);
    }
}
