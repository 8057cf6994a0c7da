//! Entries, exits, and what is asked about them (API 3.1, 3.2, 3.8, 3.11, 4.1).

use super::{Call, Done};
use crate::cloud::services::Request;
use crate::driver;
use crate::faults::Platform::Union as Here;
use crate::json::{self, Members};
use crate::orders::{enter as note_entry, leave as note_exit};
use crate::pushes;
use crate::world::{Order, World};
use crate::{beijing, clock, log};
use serde_json::{Value, json};
use std::time::Duration;

/// The longest span of a query in seconds: one month.
pub const SPAN: i64 = 31 * 86400;

fn exit(call: &mut Call, lot: &str) {
    let request = Request { lot, local_id: "", service: "updateorder", data: call.data };
    note_exit(call.world, Here, &request);
}

/// Pushes what follows; without an address there is nobody to tell.
pub fn tell(world: &mut World, lot: &str, message: Members, to: Option<String>, delay: Duration) {
    if let Err(text) = pushes::union(world, lot, message, to, delay) {
        log::event("union", || format!("not pushed: {text}"));
    }
}

/// Whether a plate's exits can be debited, as API 5.2 tells it.
pub fn senseless(world: &World, lot: &str, order: &str, plate: &str) -> Members {
    let union_id = world.lot(lot).map(|lot| json::number(&lot.union_id)).unwrap_or_default();
    let autopay = world.drivers.balance_push(plate).get("autopay") == Some(&1.into());
    json::object([
        ("union_id", union_id),
        ("park_id", lot.into()),
        ("order_id", order.into()),
        ("service_name", "notice_car_owner".into()),
        ("car_number", plate.into()),
        ("is_union_user", i64::from(autopay).into()),
        ("rand", format!("0.{}", clock::stamp()).into()),
    ])
}

pub fn enter(call: &mut Call) -> Done {
    let (lot, number, plate) = (call.lot.clone(), call.text("order_id"), call.text("car_number"));
    call.world.counts.received(Here, &lot, "addorder", &number);
    let ours = |order: &Order| order.platform == Here && order.text("order_id") == number;
    if call.world.order(&lot, ours).is_some() {
        return Err("该订单已经存在".into());
    }
    let request = Request { lot: &lot, local_id: "", service: "addorder", data: call.data };
    note_entry(call.world, Here, &request);
    call.world.counts.accepted(Here, &lot, "addorder", &number);
    let message = senseless(call.world, &lot, &number, &plate);
    tell(call.world, &lot, message, None, Duration::ZERO);
    let escaped = unpaid(call.world, &plate);
    let escaped = if escaped.is_empty() { Value::Null } else { Value::Array(escaped) };
    Ok(json!({"order_id": number, "errmsg": "上传成功", "escapeOrder": escaped}))
}

pub fn leave(call: &mut Call) -> Done {
    let (lot, number, pay_type) = (call.lot.clone(), call.text("order_id"), call.text("pay_type"));
    call.fen("total")?;
    call.world.counts.received(Here, &lot, "updateorder", &number);
    let settled = |order: &Order| {
        order.platform == Here && order.text("order_id") == number && !order.open && order.text("pay_type") != "escape"
    };
    if call.world.order(&lot, settled).is_some() {
        return Err("订单已结算".into());
    }
    let is_electronic = matches!(pay_type.as_str(), "wallet" | "sweepcode");
    let mut trade = Value::Null;
    if is_electronic {
        if let Some(message) = driver::charge(call.world, &lot, call.data, &pay_type) {
            if message.get("state") == Some(&1.into()) {
                exit(call, &lot);
            }
            trade = message.get("trade_no").cloned().unwrap_or_default();
            let delay = call.world.pay_delay;
            tell(call.world, &lot, at(&lot, message), None, delay);
        }
    } else {
        exit(call, &lot);
    }
    call.world.counts.accepted(Here, &lot, "updateorder", &number);
    let kind = if is_electronic { "app" } else { "cash" };
    Ok(json!({"order_id": number, "pay_type": kind, "trade_no": trade, "errmsg": "上传成功"}))
}

/// The result of a charge as the open API sends it: it names the lot.
pub fn at(lot: &str, mut message: Members) -> Members {
    message.insert("park_id".into(), lot.into());
    message
}

/// Exits without payment, of all lots.
fn unpaid(world: &World, plate: &str) -> Vec<Value> {
    let escaped = |order: &&Order| order.text("car_number") == plate && order.text("pay_type") == "escape";
    let shown = |order: &Order| {
        let at = |name| json::whole(&order.data, name).ok().flatten().unwrap_or(0);
        let minutes = (at("out_time") - at("in_time")).max(0) / 60;
        let union_id = world.lot(&order.lot).map(|lot| json::number(&lot.union_id));
        let picture = |name: &str| json::filled(&order.data, name).unwrap_or_default();
        json!({
            "parkName": park_name(world, &order.lot),
            "unionId": union_id,
            "orderId": order.text("order_id"),
            "inParkPic": picture("inpark_img"),
            "outParkPic": picture("outpark_img"),
            "parkId": order.lot,
            "carNumber": plate,
            "inTime": at("in_time"),
            "outTime": at("out_time"),
            "money": json::yuan(json::member_fen(&order.data, "total")),
            "duration": format!("{}天{}小时{}分钟", minutes / 1440, minutes / 60 % 24, minutes % 60),
        })
    };
    world.orders.iter().filter(escaped).map(shown).collect()
}

pub fn park_name(world: &World, lot: &str) -> String {
    let record = world.tables.get(&(lot.to_owned(), "union_park".to_owned())).and_then(|table| table.get("park"));
    let name = record.and_then(|record| json::value_text(&record["name"]));
    name.unwrap_or_else(|| "测试车场".into())
}

pub fn escaped(call: &mut Call) -> Done {
    let orders = unpaid(call.world, &call.text("car_number"));
    Ok(json!({"errmsg": "查询成功", "escapeOrder": orders}))
}

pub fn charging(call: &mut Call) -> Done {
    let lot = call.lot.clone();
    let record = Value::Object(call.data.clone());
    let number = call.text("start_charge_seq");
    call.world.table(&lot, "uploaddurationinfo").insert(number, record);
    Ok(json!({"errmsg": "上传成功"}))
}

pub fn past(call: &mut Call) -> Done {
    let wanted = [("order_id", call.text("order_id")), ("car_number", call.text("car_number"))];
    if call.lot.is_empty() && wanted.iter().all(|(_, wanted)| wanted.is_empty()) {
        return Err("park_id,order_id,car_number至少传一个".into());
    }
    let begin = call.whole("start_time").unwrap_or_else(|| beijing::midnight(clock::seconds()));
    let end = call.whole("end_time").unwrap_or_else(clock::seconds);
    if end < begin || end - begin > SPAN {
        return Err("查询时间不能超过一个月".into());
    }
    let world = &*call.world;
    let fits = |order: &&Order| {
        let out = json::whole(&order.data, "out_time").ok().flatten();
        order.platform == Here
            && !order.open
            && (call.lot.is_empty() || order.lot == call.lot)
            && world.lot(&order.lot).is_some_and(|lot| lot.union_id == call.union_id)
            && wanted.iter().all(|(name, wanted)| wanted.is_empty() || order.text(name) == *wanted)
            && out.is_some_and(|out| (begin..=end).contains(&out))
    };
    let shown = |order: &&Order| {
        let trade = world.drivers.payments.iter().rev().find(|payment| {
            json::text(payment, "order_id").as_deref() == Some(&order.text("order_id"))
                && json::text(payment, "park_id").as_deref() == Some(&order.lot)
        });
        let members = json::object([
            ("order_id", order.text("order_id").into()),
            ("car_number", order.text("car_number").into()),
            ("in_time", order.data.get("in_time").cloned().unwrap_or_default()),
            ("out_time", order.data.get("out_time").cloned().unwrap_or_default()),
            ("money", json::yuan(json::member_fen(&order.data, "total")).into()),
            ("union_name", "停车宝".into()),
            ("park_name", park_name(world, &order.lot).into()),
            ("trade_no", trade.and_then(|payment| payment.get("trade_no").cloned()).unwrap_or_default()),
        ]);
        Value::Object(members)
    };
    let found: Vec<&Order> = world.orders.iter().filter(fits).collect();
    let (page, size) = call.page();
    let rows: Vec<Value> = found.iter().skip((page - 1) * size).take(size).map(shown).collect();
    Ok(json!({"count": found.len(), "page": page, "data": rows}))
}
