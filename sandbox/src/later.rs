//! Services the published cloud server does not know but the documents describe, and the payment platform's own,
//! which reach it over its HTTP link or, since SDK 4, through the cloud. Answered from the sandbox's own state.

use crate::cloud::services::Request;
use crate::faults::Platform;
use crate::json::{self, Members};
use crate::world::{After, Order, World};
use crate::{clock, driver, stays};
use serde_json::{Value, json};

/// The member that records of a service are counted by.
pub fn key_of(service: &str) -> Option<&'static str> {
    Some(match service {
        "inpark" | "outpark" | "etc_pay" | "upload_invoice" | "upload_duration_info" => "order_id",
        "prepay_card_record" => "trade_no",
        "upload_ticket_deduction" => "ticket_id",
        "upload_park_data" | "laterpay_order_upload" => "uuid",
        _ => return None,
    })
}

/// An answer and what follows it.
pub type Answer = (Members, Vec<After>);

/// Answers a request, if the service is known.
pub fn handle(
    world: &mut World,
    platform: Platform,
    lot: &str,
    local_id: &str,
    service: &str,
    data: &Members,
) -> Option<Answer> {
    let member = |name: &str| json::text(data, name);
    let echo = |name: &str| data.get(name).cloned().unwrap_or(Value::Null);
    let ok = |errmsg: &str, more: Value| reply(service, 1, errmsg, more);
    let refused = |errmsg: &str, more: Value| reply(service, 0, errmsg, more);
    let park_id = Value::from(lot);
    let url = |page: &str| format!("http://127.0.0.1/unionapi/{page}");
    let answer = match service {
        "check_account" | "query_blpay" => match window(data) {
            Err(text) => refused(text, json!({})),
            Ok(window) if service == "check_account" => {
                ok("查询成功", json!({"data": account(world, lot, data, window)}))
            }
            Ok(window) => ok("查询成功", json!({"data": payments(world, lot, data, window)})),
        },
        "query_month_card" => {
            let plate = member("car_number").unwrap_or_default();
            let cards = members(world, lot, &plate, "", ("b_time", "e_time", "mobile"));
            let more = json!({"vip_list": cards, "random_str": echo("random_str"), "msg_id": clock::stamp()});
            ok("查询成功!", more)
        }
        "query_month_card_page" => {
            let (plate, card) = (member("car_number").unwrap_or_default(), member("card_id").unwrap_or_default());
            let cards = members(world, lot, &plate, &card, ("begin_time", "end_time", "tel"));
            let rows = json::whole(data, "rp").ok().flatten().unwrap_or(10).clamp(1, 100) as usize;
            let page = json::whole(data, "page").ok().flatten().unwrap_or(1).max(1);
            let shown: Vec<&Value> = cards.iter().skip((page as usize - 1) * rows).take(rows).collect();
            let more = json!({"park_id": park_id, "count": cards.len(), "page": page,
                "random_str": echo("random_str"), "vip_list": shown});
            ok("查询成功", more)
        }
        "prepay_card_record" => {
            let trade = member("trade_no").unwrap_or_default();
            let card = member("card_id").unwrap_or_default();
            let known = world.table(lot, service).insert(trade, Value::Object(data.clone())).is_some();
            if !known {
                let fen = stored_value(world, lot, &card).unwrap_or(0) + json::member_fen(data, "total_price");
                let balance = json!({"card_id": card, "car_number": echo("car_number"), "balance": json::yuan(fen)});
                world.table(lot, "prepay_card").insert(card, balance);
            }
            ok("", json!({"park_id": park_id, "card_id": echo("card_id"), "trade_no": echo("trade_no")}))
        }
        "query_prepay_card_balance" => {
            let more = json!({"park_id": park_id, "card_id": echo("card_id"), "random_str": echo("random_str")});
            match stored_value(world, lot, &member("card_id").unwrap_or_default()) {
                Some(fen) => {
                    let mut answer = ok("查询余额成功!", more);
                    answer.insert("balance".into(), json::yuan(fen).into());
                    answer
                }
                None => refused("储值卡不存在", more),
            }
        }
        "upload_ticket_deduction" => {
            store(world, lot, service, data);
            ok("上传成功!", json!({"park_id": park_id, "ticket_id": echo("ticket_id")}))
        }
        "upload_invoice" | "upload_duration_info" => {
            store(world, lot, service, data);
            ok("上传成功", json!({}))
        }
        "upload_park_data" => {
            store(world, lot, service, data);
            let result = if member("upload_target").as_deref() == Some("2") { json!({}) } else { Value::Null };
            ok("上传成功", json!({"uuid": echo("uuid"), "result": result}))
        }
        "upload_file" => ok("upload data success!", json!({})),
        "laterpay_order_upload" => {
            store(world, lot, service, data);
            json::object([
                ("service_name", service.into()),
                ("uuid", echo("uuid")),
                ("state", 1.into()),
                ("message", "操作成功".into()),
            ])
        }
        "query_escape" => {
            let plate = member("car_number").unwrap_or_default();
            let orders = escaped(world, lot, &plate);
            ok("查询成功", json!({"escapeOrder": orders}))
        }
        "screen_info" => {
            let channel = member("channel_id").unwrap_or_default();
            let screen = world.table(lot, "screen").get(&channel).cloned();
            let more = json!({"park_id": park_id, "channel_id": channel});
            match screen.as_ref().and_then(Value::as_object) {
                Some(screen) => {
                    let mut answer = ok("获取成功", more);
                    answer.extend(screen.clone());
                    answer
                }
                None => refused("未绑定智慧屏", more),
            }
        }
        "pay_status" => {
            let plate = member("car_number").unwrap_or_default();
            let push = world.drivers.balance_push(&plate);
            let known = i64::from(world.drivers.knows(&plate));
            let more = json!({"balance": push.get("balance"), "autopay": push.get("autopay"), "is_exist": known,
                "net_status": 1, "car_number": plate, "order_id": echo("order_id")});
            ok("", more)
        }
        "code_url" => {
            let kind = member("type").unwrap_or_default();
            let channel = member("channel_id");
            let page = match kind.as_str() {
                "1" => "prepaypage",
                "2" => "outpark",
                "3" => "nolienceinpark",
                _ => return Some((refused("type错误", json!({"type": echo("type")})), Vec::new())),
            };
            if kind != "1" && channel.is_none() {
                return Some((refused("channel_id不能为空", json!({"type": echo("type")})), Vec::new()));
            }
            let code = format!("{page}?code={lot}-{}", channel.clone().unwrap_or_default());
            let more = json!({"code_url": url(&code), "type": echo("type"), "channel_id": json::maybe(channel)});
            ok("getCodeUrl success", more)
        }
        "query_order" => {
            let found = driver::paid(world, lot, data);
            let rows = if found.is_empty() {
                vec![json!({"state": 0, "order_id": echo("order_id"), "car_number": echo("car_number")})]
            } else {
                found
            };
            json::object([
                ("service_name", service.into()),
                ("time_temp", echo("time_temp")),
                ("query_order_no", format!("{}{lot}", clock::stamp()).into()),
                ("data", rows.into()),
            ])
        }
        "query_inpark" => {
            let plate = member("car_number").unwrap_or_default();
            let inside = world.orders.iter().filter(|order| order.lot == lot && order.open);
            let rows: Vec<Value> = inside
                .filter(|order| order.text("car_number") == plate)
                .map(|order| {
                    json!({"local_id": order.local_id, "in_time": order.data.get("in_time"),
                        "car_number": plate, "order_id": order.text("order_id")})
                })
                .collect();
            if rows.is_empty() {
                refused("未查询到在场订单", json!({"query_time": echo("query_time")}))
            } else {
                ok("查询成功", json!({"query_time": echo("query_time"), "data": rows}))
            }
        }
        "query_park_dailyorder" => {
            let page = format!(
                "parkdailyorder?serialno={}&start_time={}&end_time={}&park_id={lot}&local_id={local_id}",
                clock::stamp(),
                member("start_time").unwrap_or_default(),
                member("end_time").unwrap_or_default(),
            );
            ok("success", json!({"order_url": url(&page)}))
        }
        "parkInfo" => return park_info(world, lot, data).map(|answer| (answer, Vec::new())),
        "etc_pay" => return Some(stays::etc(world, platform, lot, local_id, data)),
        "inpark" if platform == Platform::Bolink => {
            return Some(stays::entry(world, &Request { lot, local_id, service, data }));
        }
        "outpark" if platform == Platform::Bolink => {
            return Some(stays::exit(world, platform, &Request { lot, local_id, service, data }));
        }
        _ => return None,
    };
    Some((answer, Vec::new()))
}

/// The usual answer with further members; null ones are left out.
pub fn reply(service: &str, state: i64, errmsg: &str, more: Value) -> Members {
    let mut answer =
        json::object([("service_name", service.into()), ("state", state.into()), ("errmsg", errmsg.into())]);
    if let Value::Object(more) = more {
        answer.extend(more.into_iter().filter(|(_, value)| !value.is_null()));
    }
    answer
}

/// Keeps a record under its number.
pub fn store(world: &mut World, lot: &str, service: &str, data: &Members) {
    let key = key_of(service).and_then(|key| json::text(data, key)).unwrap_or_default();
    world.table(lot, service).insert(key, Value::Object(data.clone()));
}

/// begin_time and end_time, at most 24 hours apart.
fn window(data: &Members) -> Result<(i64, i64), &'static str> {
    let time = |name| json::whole(data, name).ok().flatten().ok_or("begin_time,end_time不能为空");
    let (begin, end) = (time("begin_time")?, time("end_time")?);
    if begin > end || end - begin > 86400 { Err("查询时间不能超过24小时") } else { Ok((begin, end)) }
}

fn account(world: &World, lot: &str, data: &Members, (begin, end): (i64, i64)) -> Value {
    let entries = json::whole(data, "type") == Ok(Some(0));
    let time = if entries { "in_time" } else { "out_time" };
    let within = |order: &&Order| {
        order.lot == lot
            && order.platform == Platform::Cloud
            && order.open <= entries
            && json::whole(&order.data, time).ok().flatten().is_some_and(|at| (begin..=end).contains(&at))
    };
    let orders: Vec<&Order> = world.orders.iter().filter(within).collect();
    let sum = |names: &[&str]| {
        let fen = orders.iter().flat_map(|order| names.iter().map(|name| json::member_fen(&order.data, name))).sum();
        json::yuan_number(fen)
    };
    let list: Vec<&Members> = orders.iter().map(|order| &order.data).collect();
    json!({
        "count": orders.len(),
        "amount_receive_total": sum(&["amount_receivable"]),
        "cash_pay_total": sum(&["cash_pay", "cash_prepay"]),
        "ele_pay_total": sum(&["electronic_pay", "electronic_prepay"]),
        "reduce_total": sum(&["reduce_amount"]),
        "order_list": list,
    })
}

fn payments(world: &World, lot: &str, data: &Members, (begin, end): (i64, i64)) -> Value {
    const ROWS: usize = 100;
    let page = json::whole(data, "page_number").ok().flatten().unwrap_or(1).max(1);
    let within = |payment: &&Members| {
        json::text(payment, "park_id").as_deref() == Some(lot)
            && json::whole(payment, "pay_time").ok().flatten().is_some_and(|at| (begin..=end).contains(&at))
    };
    let all: Vec<&Members> = world.drivers.payments.iter().filter(within).collect();
    let total = all.iter().map(|payment| json::member_fen(payment, "total")).sum();
    let rows: Vec<&&Members> = all.iter().skip((page as usize - 1) * ROWS).take(ROWS).collect();
    json!({
        "page_number": page,
        "page_count": all.len().div_ceil(ROWS),
        "park_id": lot,
        "count": all.len(),
        "ele_pay_total": json::yuan_number(total),
        "order_list": rows,
    })
}

/// Month cards of the lot by plate and number; empty matches all.
fn members(world: &mut World, lot: &str, plate: &str, card: &str, names: (&str, &str, &str)) -> Vec<Value> {
    let (begin, end, phone) = names;
    let fits = |member: &&Members| {
        let plates = json::text(member, "car_number").unwrap_or_default();
        (plate.is_empty() || plates.split(',').any(|one| one == plate))
            && (card.is_empty() || json::text(member, "card_id").as_deref() == Some(card))
    };
    let table = world.table(lot, "upload_month_member");
    table
        .values()
        .filter_map(Value::as_object)
        .filter(fits)
        .map(|member| {
            let text = |name| json::text(member, name).unwrap_or_default();
            json!({
                "card_id": text("card_id"),
                "car_number": text("car_number"),
                "name": text("name"),
                begin: member.get("begin_time"),
                end: member.get("end_time"),
                phone: text("tel"),
            })
        })
        .collect()
}

fn stored_value(world: &mut World, lot: &str, card: &str) -> Option<i64> {
    let record = world.table(lot, "prepay_card").get(card)?.as_object()?;
    Some(json::member_fen(record, "balance"))
}

fn escaped(world: &World, lot: &str, plate: &str) -> Vec<Value> {
    let union_id = world.lot(lot).map(|lot| lot.union_id.clone()).unwrap_or_default();
    let unpaid =
        |order: &&Order| order.lot == lot && order.text("car_number") == plate && order.text("pay_type") == "escape";
    let shown = |order: &Order| {
        json!({
            "carNumber": plate,
            "orderId": order.text("order_id"),
            "inTime": order.data.get("in_time"),
            "outTime": order.data.get("out_time"),
            "money": json::yuan_number(json::member_fen(&order.data, "total")),
            "unionId": union_id,
            "parkName": lot,
            "inParkPic": "",
            "outParkPic": "",
        })
    };
    world.orders.iter().filter(unpaid).map(shown).collect()
}

fn park_info(world: &mut World, lot: &str, data: &Members) -> Option<Members> {
    let inner = data.get("data").and_then(Value::as_object)?;
    let service = json::text(inner, "service_name")?;
    let inside =
        || world.orders.iter().filter(|order| order.lot == lot && order.open && order.platform == Platform::Bolink);
    Some(match service.as_str() {
        "correct_business" | "park_check" => reply("parkInfo", 1, "成功", json!({})),
        "parking_business_count" => {
            reply("parkInfo", 1, "成功", json!({"data": {"parking_business_count": inside().count()}}))
        }
        "parking_business_list" => {
            let list: Vec<&Members> = inside().map(|order| &order.data).collect();
            reply("parkInfo", 1, "成功", json!({"data": {"parking_business_list": list}}))
        }
        "get_screen_str" => reply("parkInfo", 1, "成功", json!({"screen_str": "一路顺风"})),
        _ => return None,
    })
}
