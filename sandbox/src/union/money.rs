//! Payments that a vendor orders, refunds, red packets, withdrawals (API 3.3, 3.4, 3.9, 3.10, 4.2 to 4.4).

use super::orders::{SPAN, at, tell};
use super::{Call, Done};
use crate::driver::{self, Electronic};
use crate::json::{self, Members};
use crate::pushes;
use crate::world::{Order, World};
use crate::{beijing, clock};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// What is paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A pass (3.3).
    MonthCard,
    /// A stay (3.4).
    ShortStay,
    /// An exit without payment (3.9).
    Escaped,
    /// Change given back (3.10).
    RedPacket,
}

/// A payment that was ordered.
pub struct Charge {
    kind: Kind,
    lot: String,
    data: Members,
    fen: i64,
    to: Option<String>,
    /// Nothing while it is open.
    outcome: Option<bool>,
}

impl Charge {
    /// What may be shown of it.
    pub fn shown(&self) -> Value {
        json!({"kind": format!("{:?}", self.kind).to_lowercase(), "park_id": self.lot,
            "amount": json::yuan(self.fen), "paid": self.outcome})
    }
}

/// A vendor's serial: of this form, and never used before.
fn serial(call: &Call, fits: fn(u8) -> bool, lengths: std::ops::RangeInclusive<usize>) -> Result<String, String> {
    let serial = call.text("trade_no");
    if !lengths.contains(&serial.len()) || !serial.bytes().all(fits) {
        return Err("trade_no格式错误".into());
    }
    match call.world.union.charges.contains_key(&serial) {
        true => Err("trade_no重复".into()),
        false => Ok(serial),
    }
}

/// Takes the order in; gives what the payer opens.
fn order(call: &mut Call, kind: Kind, serial: String, fen: i64) -> Result<String, String> {
    let to = call.notify_url()?;
    let charge = Charge { kind, lot: call.lot.clone(), data: call.data.clone(), fen, to, outcome: None };
    call.world.union.charges.insert(serial.clone(), charge);
    Ok(format!("http://127.0.0.1/unionapi/t?p={serial}"))
}

pub fn month_card(call: &mut Call) -> Done {
    let fen = call.fen("amount")?;
    let serial = serial(call, |byte| byte.is_ascii_digit(), 16..=32)?;
    let page = order(call, Kind::MonthCard, serial.clone(), fen)?;
    Ok(json!({"payurl": page, "trade_no": serial}))
}

pub fn short_stay(call: &mut Call) -> Done {
    let fen = call.fen("amount")?;
    let serial = serial(call, |byte| byte.is_ascii_digit(), 16..=32)?;
    scanned(call, Kind::ShortStay, serial, fen)
}

pub fn escaped(call: &mut Call) -> Done {
    let (number, plate) = (call.text("order_id"), call.text("car_number"));
    let escaped = call.world.order(&call.lot, |order| {
        order.text("order_id") == number && order.text("car_number") == plate && order.text("pay_type") == "escape"
    });
    let fen = escaped.map(|order| json::member_fen(&order.data, "total")).ok_or("逃单不存在")?;
    // No form of this serial is documented.
    let serial = serial(call, |byte| byte.is_ascii_graphic(), 1..=64)?;
    scanned(call, Kind::Escaped, serial, fen)
}

/// A payer scans, or the lot scanned the payer's code.
fn scanned(call: &mut Call, kind: Kind, serial: String, fen: i64) -> Done {
    let by_gun = call.whole("pay_type") == Some(2);
    let page = order(call, kind, serial.clone(), fen)?;
    if !by_gun {
        return Ok(json!({"payurl": page, "trade_no": serial}));
    }
    match call.world.drivers.electronic {
        Electronic::Never => {}
        Electronic::Refused => conclude(call.world, &serial, false, call.world.pay_delay)?,
        Electronic::Auto | Electronic::Paid => conclude(call.world, &serial, true, call.world.pay_delay)?,
    }
    let state = if kind == Kind::Escaped { 2 } else { 1 };
    Ok(json!({"state": state, "errmsg": "支付中", "trade_no": serial}))
}

pub fn red_packet(call: &mut Call) -> Done {
    let fen = call.fen("amount")?;
    if !(100..10_000).contains(&fen) {
        return Err("金额必须大于等于1元小于100元".into());
    }
    let serial = serial(call, |byte| byte.is_ascii_alphanumeric(), 16..=28)?;
    let page = order(call, Kind::RedPacket, serial, fen)?;
    Ok(json!({"errmsg": "Success", "data": {"url": page}}))
}

/// The payer pays, or fails to; the vendor is told. Gives the message.
pub fn settle(world: &mut World, serial: &str, paid: bool) -> Result<(), String> {
    conclude(world, serial, paid, Duration::ZERO)
}

fn conclude(world: &mut World, serial: &str, paid: bool, delay: Duration) -> Result<(), String> {
    let charge = world.union.charges.get_mut(serial).ok_or("there is no such order")?;
    if charge.outcome.is_some() {
        return Err("it is settled already".into());
    }
    charge.outcome = Some(paid);
    let (kind, lot, to, fen) = (charge.kind, charge.lot.clone(), charge.to.clone(), charge.fen);
    let mut data = charge.data.clone();
    let payment = if paid && kind != Kind::RedPacket {
        data.entry("order_id").or_insert_with(|| serial.into());
        driver::book(world, &lot, &data, "scancode", "outpay", fen)
    } else {
        driver::payment(&lot, &data, "scancode", "outpay", fen)
    };
    if let Some(payment) = world.drivers.payments.last_mut().filter(|_| paid && kind != Kind::RedPacket) {
        // A later status query asks by the vendor's serial.
        payment.insert("vendor_trade_no".into(), serial.into());
    }
    if paid && kind == Kind::Escaped {
        let number = json::text(&data, "order_id");
        for order in world.orders.iter_mut().filter(|order| order.lot == lot && Some(order.text("order_id")) == number)
        {
            order.data.insert("pay_type".into(), "scancode".into());
        }
    }
    let message = notice(world, kind, &lot, &data, &payment, serial, paid);
    tell(world, &lot, message, to, delay);
    Ok(())
}

/// Yuan with five decimals; units are hundred-thousandths.
fn fine(units: i64) -> String {
    format!("{}.{:05}", units / 100_000, units % 100_000)
}

fn notice(
    world: &World,
    kind: Kind,
    lot: &str,
    data: &Members,
    payment: &Members,
    serial: &str,
    paid: bool,
) -> Members {
    let echo = |name: &str| data.get(name).cloned().unwrap_or_default();
    let paid_with = |name: &str| payment.get(name).cloned().unwrap_or_default();
    let union_id = world.lot(lot).map(|lot| json::number(&lot.union_id)).unwrap_or_default();
    let total = paid_with("total");
    let fen = json::member_fen(payment, "total");
    let state = Value::from(i64::from(paid));
    let channel = i64::from(["ali", "alipay"].contains(&json::text(data, "channel").as_deref().unwrap_or_default()));
    match kind {
        Kind::MonthCard => json::object([
            ("service_name", "monthcard_pay".into()),
            ("state", state),
            ("amount", total),
            ("park_id", lot.into()),
            ("car_number", echo("car_number")),
            ("attach", data.get("attach").map(|attach| attach.to_string().into()).unwrap_or_default()),
            ("trade_no", paid_with("trade_no")),
            ("card_id", echo("card_id")),
            ("out_trade_no", serial.into()),
            ("pay_time", paid_with("pay_time")),
            ("arrive_money", paid_with("arrive_money")),
            ("fee", paid_with("fee")),
            ("account_type", 1.into()),
            ("remark", paid_with("remark")),
        ]),
        Kind::ShortStay | Kind::Escaped => json::object([
            ("service_name", if kind == Kind::ShortStay { "plat_unified_order" } else { "plat_escape_order" }.into()),
            ("park_id", lot.into()),
            ("state", state),
            ("amount", json::yuan(fen).into()),
            // Six thousandths are the platform's.
            ("receipt_amount", fine(fen * 994).into()),
            ("pay_platform_fee", fine(fen * 6).into()),
            ("trade_no", serial.into()),
            ("pay_channel", if kind == Kind::ShortStay { channel.into() } else { Value::Null }),
            ("pay_time", paid_with("pay_time")),
            ("description", json::text(data, "description").unwrap_or_default().into()),
            ("out_trade_no", paid_with("trade_no")),
        ]),
        Kind::RedPacket => packet(union_id, lot, data, serial, if paid { 1 } else { 0 }),
    }
}

/// The state of a red packet: 0 not sent, 1 sent, 2 taken, 3 returned.
fn packet(union_id: Value, lot: &str, data: &Members, serial: &str, state: i64) -> Members {
    let echo = |name: &str| data.get(name).cloned().unwrap_or_else(|| "".into());
    let text = ["找零失败", "找零成功", "已领取", "未领取已退回"].get(state as usize).copied().unwrap_or_default();
    json::object([
        ("service_name", "recharge".into()),
        ("union_id", union_id),
        ("park_id", lot.into()),
        ("trade_no", serial.into()),
        ("recharge_money", json::yuan_number(json::member_fen(data, "amount"))),
        ("state", state.into()),
        ("errmsg", text.into()),
        ("recharge_channel", 0.into()),
        ("recharge_time", clock::seconds().into()),
        ("car_number", echo("car_number")),
        ("order_id", echo("order_id")),
        ("remark", "现金找零".into()),
    ])
}

/// A red packet moves on: 2 taken, 3 returned.
pub fn move_packet(world: &mut World, serial: &str, state: i64) -> Result<(), String> {
    let charge = world.union.charges.get(serial).filter(|charge| charge.kind == Kind::RedPacket);
    let charge = charge.ok_or("there is no such red packet")?;
    let (lot, to) = (charge.lot.clone(), charge.to.clone());
    let union_id = world.lot(&lot).map(|lot| json::number(&lot.union_id)).unwrap_or_default();
    let message = packet(union_id, &lot, &charge.data, serial, state);
    tell(world, &lot, message, to, Duration::ZERO);
    Ok(())
}

/// The owner of an escaped order pays it in a mini program.
pub fn repair(world: &mut World, lot: &str, number: &str) -> Result<Result<u64, String>, String> {
    let ours =
        |order: &&mut Order| order.lot == lot && order.text("order_id") == number && order.text("pay_type") == "escape";
    let order = world.orders.iter_mut().find(ours).ok_or("there is no such escaped order")?;
    order.data.insert("pay_type".into(), "repair".into());
    let data = order.data.clone();
    let payment = driver::book(world, lot, &data, "repair", "outpay", json::member_fen(&data, "total"));
    let mut message = at(lot, driver::result(payment, 1, "支付成功"));
    message.insert("service_name".into(), "repair".into());
    message.insert("pay_channel".into(), 1.into());
    Ok(pushes::union(world, lot, message, None, Duration::ZERO))
}

pub fn refund(call: &mut Call) -> Done {
    let (lot, trade, to) = (call.lot.clone(), call.text("trade_no"), call.notify_url()?);
    let fen = call.fen("refund_money")?;
    let ours = |payment: &&mut Members| {
        json::text(payment, "trade_no").as_deref() == Some(&trade)
            && json::text(payment, "park_id").as_deref() == Some(&lot)
    };
    let electronic = call.world.drivers.electronic;
    let payment = call.world.drivers.payments.iter_mut().find(ours).ok_or("交易不存在")?;
    let back = json::member_fen(payment, "refunded");
    if fen == 0 || back + fen > json::member_fen(payment, "total") {
        return Err("退款金额错误".into());
    }
    if electronic == Electronic::Refused {
        return Err("退款失败".into());
    }
    payment.insert("refunded".into(), json::yuan(back + fen).into());
    let (plate, number) = (payment.get("car_number").cloned(), payment.get("order_id").cloned());
    if electronic == Electronic::Paid {
        return Ok(json!({"trade_no": trade, "errmsg": "退款成功"}));
    }
    if electronic == Electronic::Auto {
        let message = json::object([
            ("service_name", "refund".into()),
            ("union_id", json::number(&call.union_id)),
            ("park_id", lot.clone().into()),
            ("trade_no", trade.clone().into()),
            ("refund_money", json::yuan_number(fen)),
            ("state", 1.into()),
            ("errmsg", "退款成功".into()),
            ("refund_channel", 0.into()),
            ("refund_time", clock::seconds().into()),
            ("car_number", plate.unwrap_or_default()),
            ("order_id", number.unwrap_or_default()),
            ("arrive_money", 0.into()),
            ("fee", 0.into()),
            ("account_type", 0.into()),
            ("remark", "微信主扫退款".into()),
        ]);
        let delay = call.world.pay_delay;
        tell(call.world, &lot, message, to, delay);
    }
    Ok(json!({"state": 2, "trade_no": trade, "errmsg": "退款中"}))
}

pub fn payment_state(call: &mut Call) -> Done {
    let by_serial = call.whole("query_type").is_some();
    let (name, wanted) = match by_serial {
        true => ("vendor_trade_no", call.text("trade_no")),
        false => ("order_id", call.text("order_id")),
    };
    if wanted.is_empty() {
        return Err(if by_serial { "trade_no不能为空" } else { "order_id不能为空" }.into());
    }
    let plate = json::filled(call.data, "car_number");
    let fits = |payment: &&Members| {
        json::text(payment, "park_id").as_deref() == Some(&call.lot)
            && json::text(payment, name).as_deref() == Some(&wanted)
            && (by_serial || plate.is_none() || json::text(payment, "car_number") == plate)
    };
    let shown = |payment: &Members| {
        let of = |name: &str| payment.get(name).cloned().unwrap_or_default();
        let members = json::object([
            ("pay_state", 1.into()),
            ("car_number", of("car_number")),
            ("order_id", of("order_id")),
            ("pay_type", of("pay_type")),
            ("pay_scene", of("pay_scene")),
            ("pay_channel", payment.get("pay_channel").cloned().unwrap_or_else(|| 0.into())),
            ("in_time", of("in_time")),
            ("out_time", of("pay_time")),
            ("trade_no", of("trade_no")),
        ]);
        Value::Object(members)
    };
    let rows: Vec<Value> = call.world.drivers.payments.iter().filter(fits).map(shown).collect();
    Ok(json!({"errmsg": "查询成功", "data": rows}))
}

/// One automatic withdrawal a day, of what was paid on it.
pub fn withdrawals(call: &mut Call) -> Done {
    let day = |name: &str| beijing::read_day(&call.text(name)).ok_or_else(|| format!("{name}格式错误"));
    let (first, last) = (day("start_time")?, day("end_time")?);
    if last < first || last - first > SPAN {
        return Err("查询时间不能超过一个月".into());
    }
    let mut days: BTreeMap<String, i64> = BTreeMap::new();
    for payment in &call.world.drivers.payments {
        let at = json::whole(payment, "pay_time").ok().flatten().unwrap_or(0);
        if json::text(payment, "park_id").as_deref() == Some(&call.lot) && (first..last + 86400).contains(&at) {
            *days.entry(beijing::day(at)).or_default() += json::member_fen(payment, "arrive_money");
        }
    }
    let row = |(day, fen): (&String, &i64)| {
        json!({
            "withdraw_time": format!("{day} 23:59:59"), "amount": json::yuan_number(*fen), "auto_type": 1,
            "daily_time": day, "daily_amount": json::yuan_number(*fen), "state": 1, "pay_channel": 4,
            "card_number": "21002030120301203", "trade_no": format!("tx{}{}", call.lot, day.replace('-', "")),
            "remark": "提现成功",
        })
    };
    let (page, size) = call.page();
    let rows: Vec<Value> = days.iter().skip((page - 1) * size).take(size).map(row).collect();
    Ok(json!({"errmsg": "请求成功", "count": days.len(), "data": rows}))
}
