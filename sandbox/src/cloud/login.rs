//! Logins of the cloud link.

use super::{Row, Slot};
use crate::cloud::envelope::Outcome;
use crate::faults::Platform;
use crate::json::{self, Members};
use crate::world::World;
use crate::{clock, log};
use parklink::wire::sign;
use serde_json::Value;
use std::collections::VecDeque;

/// A login. `signed` is the text the signature must fit.
pub fn handle(world: &mut World, connection: u64, data: &Members, signed: &str, given: &str) -> Outcome {
    let park_id = json::text(data, "park_id");
    let local_id = json::filled(data, "local_id").unwrap_or_default();
    let client = format!("{}/{local_id}", park_id.as_deref().unwrap_or_default());
    world.counts.login(Platform::Cloud, &client);
    let outcome = decide(world, connection, data, park_id, &local_id, signed, given);
    log::event("cloud", || format!("#{connection} login {client}: {}", outcome.shown()));
    outcome
}

fn decide(
    world: &mut World,
    connection: u64,
    data: &Members,
    park_id: Option<String>,
    local_id: &str,
    signed: &str,
    given: &str,
) -> Outcome {
    if json::is_empty(park_id.as_deref()) {
        return refuse(world, "未识别到park_id标记", false, true);
    }
    let park_id = park_id.unwrap_or_default();
    let number: Option<i32> = park_id.parse().ok();
    let known = world.lots.iter().find(|lot| lot.park_id == park_id);
    let by_cloud_id = || world.lots.iter().find(|lot| number.is_some_and(|number| i64::from(number) == lot.cloud_id));
    let lot = known.or_else(by_cloud_id).cloned();
    if lot.is_none() && number.is_none_or(|number| number < 0) {
        return refuse(world, "车场不存在", false, false);
    }
    // Whoever tries takes the place of lot and local_id, whether the login is then refused or not.
    let key = (lot.as_ref().map_or(park_id, |lot| lot.park_id.clone()), local_id.to_owned());
    let since = world.cloud.next();
    let taken = world.cloud.slots.insert(key, Slot { connection, since });
    if taken.is_some_and(|slot| slot.connection != connection) {
        world.counts.add(Platform::Cloud, "takeovers");
    }
    let Some(lot) = lot else { return refuse(world, "error:云平台车场不存在", true, true) };
    if sign::keyed(signed, &lot.ckey) != given {
        return refuse(world, "error:签名错误", true, true);
    }
    if world.faults.hit(Platform::Cloud, "reject_login", "login").is_some() {
        return refuse(world, "error:登录失败", true, true);
    }
    let set_params = data.get("set_params").and_then(Value::as_object);
    let receive_cloud = set_params.and_then(|params| json::text(params, "receive_cloud"));
    let token = clock::token();
    let row = Row {
        lot: lot.park_id.clone(),
        local_id: local_id.to_owned(),
        token: token.clone(),
        connection,
        login: world.cloud.next(),
        beat: 0,
        receive_cloud: receive_cloud.as_deref() != Some("0"),
        accepted: VecDeque::new(),
    };
    world.cloud.rows.retain(|old| (&old.lot, &old.local_id) != (&row.lot, &row.local_id));
    world.cloud.rows.push(row);
    world.counts.add(Platform::Cloud, "logins.accepted");
    let reply = json::object([("state", 1.into()), ("token", token.into()), ("service_name", "login".into())]);
    Outcome::reply(reply, data.len())
}

fn refuse(world: &mut World, text: &str, named: bool, close: bool) -> Outcome {
    world.counts.add(Platform::Cloud, format!("logins.refused {text}"));
    let name = if named { "login".into() } else { Value::Null };
    let reply = json::object([("state", 0.into()), ("errmsg", text.into()), ("service_name", name)]);
    Outcome { close, ..Outcome::reply(reply, 0) }
}
