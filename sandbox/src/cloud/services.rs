//! The services of the cloud link as its published server has them, each as a row of facts.

use super::envelope::Outcome;
use super::sync;
use crate::faults::Platform::Cloud;
use crate::json::{self, Members, NotANumber};
use crate::later;
use crate::orders::{enter, leave, replace};
use crate::world::{After, World};
use serde_json::Value;

/// A request that passed all checks of the wrapper.
pub struct Request<'a> {
    /// The lot.
    pub lot: &'a str,
    /// The client.
    pub local_id: &'a str,
    /// The service.
    pub service: &'a str,
    /// Its data.
    pub data: &'a Members,
}

/// How a service treats its record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    InPark,
    OutPark,
    WholeOrder,
    /// operate_type absent counts as update.
    Collector,
    /// Stored whatever is there; an unknown collector is only a warning.
    Record {
        warns: bool,
    },
    Gate,
    /// A known record is updated whatever operate_type says, except delete.
    Card,
    CarType,
    BlackList,
    Price,
    Log,
    ConfirmOrder,
}

struct Service {
    name: &'static str,
    way: Way,
    /// The record's number.
    key: &'static str,
    wholes: &'static [&'static str],
    decimals: &'static [&'static str],
}

const ORDER_WHOLES: &[&str] = &["in_time", "out_time", "duration", "islocked", "empty_plot"];
const ORDER_DECIMALS: &[&str] =
    &["total", "reduce_amount", "amount_receivable", "electronic_prepay", "electronic_pay", "cash_prepay", "cash_pay"];

const fn service(
    name: &'static str,
    way: Way,
    key: &'static str,
    wholes: &'static [&'static str],
    decimals: &'static [&'static str],
) -> Service {
    Service { name, way, key, wholes, decimals }
}

const SERVICES: &[Service] = &[
    service("in_park", Way::InPark, "order_id", ORDER_WHOLES, ORDER_DECIMALS),
    service("out_park", Way::OutPark, "order_id", ORDER_WHOLES, ORDER_DECIMALS),
    service("upload_order", Way::WholeOrder, "order_id", ORDER_WHOLES, ORDER_DECIMALS),
    service("upload_collector", Way::Collector, "user_id", &["create_time", "update_time", "sex", "operate_type"], &[]),
    service(
        "work_record",
        Way::Record { warns: true },
        "uuid",
        &["start_time", "end_time", "worksite_id", "state"],
        &[],
    ),
    service(
        "upload_liftrod",
        Way::Record { warns: true },
        "liftrod_id",
        &["create_time", "update_time", "reason"],
        &[],
    ),
    service("upload_gate", Way::Gate, "channel_id", &["operate_type", "passtype", "worksite_id"], &[]),
    service(
        "upload_month_member",
        Way::Card,
        "card_id",
        &["operate_type", "begin_time", "end_time", "create_time", "update_time", "limit_day_type"],
        &["price", "amount_receivable"],
    ),
    service("upload_month_card", Way::Card, "package_id", &["operate_type", "create_time", "update_time"], &["price"]),
    service(
        "month_pay_record",
        Way::Record { warns: false },
        "card_id",
        &["pay_time", "buy_month", "start_time", "limit_time"],
        &[],
    ),
    service(
        "upload_car_type",
        Way::CarType,
        "car_type_id",
        &["sort", "create_time", "update_time", "operate_type"],
        &[],
    ),
    service("upload_blackuser", Way::BlackList, "black_uuid", &["operate_type", "create_time"], &[]),
    service("upload_price", Way::Price, "price_id", &["operate_type", "create_time", "update_time"], &[]),
    service("park_log", Way::Log, "log_id", &["operate_time"], &[]),
    service("upload_confirm_order", Way::ConfirmOrder, "event_id", &["upload_time"], &[]),
];

fn find(name: &str) -> Option<&'static Service> {
    SERVICES.iter().find(|service| service.name == name)
}

/// The number a record is counted by.
pub fn record_key(service: &str, data: &Members) -> Option<String> {
    let name = match service {
        "month_pay_record" => "trade_no",
        _ => find(service).map(|service| service.key).or_else(|| later::key_of(service))?,
    };
    json::text(data, name)
}

/// Carries out a request.
pub fn handle(world: &mut World, request: &Request) -> Outcome {
    let Some(service) = find(request.service) else { return other(world, request) };
    if paid_by_bolink(request) {
        return crate::stays::relayed_exit(world, request);
    }
    match carry_out(world, request, service) {
        Ok(Some(reply)) => {
            if reply.get("state").and_then(Value::as_i64) == Some(1)
                && let Some(key) = record_key(service.name, request.data)
            {
                world.counts.accepted(Cloud, request.lot, service.name, &key);
            }
            let after = match service.way {
                Way::InPark | Way::OutPark => echoes(world, request),
                _ => Vec::new(),
            };
            Outcome { after, ..Outcome::reply(reply, request.data.len()) }
        }
        // The server's thread died over it.
        Ok(None) | Err(NotANumber) => Outcome::silent(),
    }
}

/// An exit that the cloud hands on to the payment platform: since SDK 4 there is only this link.
fn paid_by_bolink(request: &Request) -> bool {
    let member = |name| json::text(request.data, name);
    request.service == "out_park"
        && member("data_target").as_deref() == Some("bolink")
        && matches!(member("pay_type").as_deref(), Some("wallet" | "sweepcode"))
}

/// Answers to downlinks, services documented later, and everything unknown.
fn other(world: &mut World, request: &Request) -> Outcome {
    let is_answer = world.downlinks.answer(Cloud, request.lot, request.service, request.data);
    if is_answer || sync::KINDS.iter().any(|kind| kind.name == request.service) {
        sync::answer(world, request);
        return Outcome::empty();
    }
    match later::handle(world, Cloud, request.lot, request.local_id, request.service, request.data) {
        Some((reply, after)) => {
            if reply.get("state").and_then(Value::as_i64) == Some(1)
                && let Some(key) = record_key(request.service, request.data)
            {
                world.counts.accepted(Cloud, request.lot, request.service, &key);
            }
            Outcome { after, ..Outcome::reply(reply, request.data.len()) }
        }
        None => {
            world.counts.add(Cloud, format!("unknown_services.{}", request.service));
            Outcome::empty()
        }
    }
}

/// Nothing: no answer of any kind.
fn carry_out(world: &mut World, request: &Request, service: &Service) -> Result<Option<Members>, NotANumber> {
    let data = request.data;
    for name in service.wholes {
        json::whole(data, name)?;
    }
    for name in service.decimals {
        json::check_decimal(data, name)?;
    }
    let key = json::text(data, service.key);
    let operate = json::whole(data, "operate_type")?;
    let reply = |name: &str, key_name: &str, state: i64, errmsg: &str| {
        json::object([
            ("service_name", name.into()),
            ("state", state.into()),
            ("errmsg", errmsg.into()),
            (key_name, json::maybe(key.clone())),
        ])
    };
    let plain = |state: i64, errmsg: &str| Some(reply(service.name, service.key, state, errmsg));
    let missing = json::is_empty(key.as_deref());
    let number = record_key(service.name, data).unwrap_or_default();
    let known = world.table(request.lot, service.name).contains_key(&number);
    let stored = Value::Object(data.clone());
    // 1 adds or updates, 2 updates, 3 deletes; the answer is the number of rows.
    let mut apply = |world: &mut World, operate: i64| -> i64 {
        let table = world.table(request.lot, service.name);
        match operate {
            1 => {
                table.insert(number.clone(), stored.clone());
                1
            }
            2 if known => {
                table.insert(number.clone(), stored.clone());
                1
            }
            3 => i64::from(table.shift_remove(&number).is_some()),
            _ => 0,
        }
    };
    Ok(match service.way {
        Way::InPark => {
            if missing || json::filled(data, "car_number").is_none() {
                return Ok(plain(0, "数据无效"));
            }
            enter(world, Cloud, request);
            plain(1, "")
        }
        Way::OutPark => {
            leave(world, Cloud, request);
            plain(1, "")
        }
        Way::WholeOrder => {
            replace(world, request);
            plain(1, "")
        }
        Way::Collector => plain(apply(world, operate.unwrap_or(2)), ""),
        Way::Record { warns } => {
            let collector = json::text(data, "user_id").unwrap_or_default();
            let unknown = warns && !world.table(request.lot, "upload_collector").contains_key(&collector);
            plain(apply(world, 1), if unknown { "收费员不存在" } else { "" })
        }
        Way::Gate if missing => plain(0, "通道编号不能为空"),
        Way::BlackList if missing => plain(0, "black_uuid不能为空"),
        Way::Gate | Way::BlackList | Way::Card => match (service.way, operate) {
            (_, None) => None,
            (Way::Card, Some(operate)) if known && operate != 3 => plain(apply(world, 1), ""),
            (Way::Card, Some(operate)) => plain(apply(world, operate), ""),
            (_, Some(operate)) if !(1..=3).contains(&operate) => plain(0, "未知的操作类型operate_type"),
            // The column may not be null: the insert fails.
            (Way::Gate, Some(1)) if !known && json::whole(data, "worksite_id")?.is_none() => None,
            (Way::Gate, Some(operate)) => plain(apply(world, operate), "上传成功"),
            (_, Some(operate)) => plain(apply(world, operate), ""),
        },
        Way::CarType => match operate {
            None if known => None,
            Some(3) if known => Some(reply("car_type_upload", "cartype_id", apply(world, 3), "")),
            _ => Some(reply("car_type_upload", "cartype_id", apply(world, 1), "")),
        },
        Way::Price => Some(price(world, request, known, operate, &mut apply)),
        Way::Log => {
            let complete =
                !missing && json::filled(data, "operate_time").is_some() && json::filled(data, "content").is_some();
            if !complete {
                let text = "上传数据中没找到必须的字段（log_id,operate_time,content）值!";
                let mut refusal = reply(service.name, service.key, 0, text);
                refusal.insert("log_id".into(), "".into());
                return Ok(Some(refusal));
            }
            plain(apply(world, 1), "")
        }
        Way::ConfirmOrder => {
            let (state, text) =
                if known { (0, "event_id 已存在!") } else { (1, "上传手动匹配事件成功！") };
            if !known {
                apply(world, 1);
            }
            Some(json::object([("state", state.into()), ("errmsg", text.into())]))
        }
    })
}

fn price(
    world: &mut World,
    request: &Request,
    known: bool,
    operate: Option<i64>,
    apply: &mut impl FnMut(&mut World, i64) -> i64,
) -> Members {
    let data = request.data;
    let cloud_id = world.lot(request.lot).map_or(0, |lot| lot.cloud_id);
    let price_id = json::filled(data, "price_id");
    let complete = price_id.is_some() && json::filled(data, "car_type").is_some() && operate.is_some();
    let mut reply = json::object([
        ("service_name", request.service.into()),
        ("price_id", price_id.unwrap_or_default().into()),
        ("park_id", cloud_id.into()),
    ]);
    let operate = operate.unwrap_or(0);
    if complete {
        let done = if operate == 1 && known { 2 } else { operate };
        reply.insert("operate_type".into(), done.into());
        reply.insert("state".into(), apply(world, done).into());
        reply.insert("errmsg".into(), "".into());
    } else {
        reply.insert("operate_type".into(), operate.into());
        reply.insert("state".into(), 0.into());
        reply.insert("error".into(), "上传数据中没找到必须的字段（package_id,price,operate_type）值!".into());
    }
    reply
}

/// A flat copy for every other client of the lot that subscribed.
fn echoes(world: &mut World, request: &Request) -> Vec<After> {
    const MOST: usize = 20;
    let mut copy: Members = request.data.clone();
    copy.insert("service_name".into(), request.service.into());
    let text = super::arrange(copy, request.data.len() + 1);
    let others = world
        .cloud
        .rows_of(request.lot)
        .into_iter()
        .filter(|row| row.local_id.contains("syncdata") && row.local_id != request.local_id);
    let to: Vec<u64> =
        others.take(MOST).filter_map(|row| world.cloud.connection_of(row).map(|connection| connection.id)).collect();
    to.into_iter()
        .map(|connection| {
            world.counts.add(Cloud, "echoes");
            After::Send(connection, text.clone())
        })
        .collect()
}
