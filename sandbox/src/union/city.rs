//! The city's calls (API 10) and the smart community's (API 8).

use super::{Call, Done};
use crate::beijing;
use crate::faults::Platform::Union as Here;
use crate::json;
use crate::world::Order;
use serde_json::{Value, json};

pub fn person(call: &mut Call) -> Done {
    let number = format!("{}-{}", call.text("community_name"), crate::clock::stamp());
    let record = Value::Object(call.data.clone());
    call.world.table("", "personRecord").insert(number, record);
    Ok(json!({}))
}

/// Times and fee can be corrected only after the car has left.
pub fn correct(call: &mut Call) -> Done {
    let (lot, number, kind) = (call.lot.clone(), call.text("order_id"), call.text("type"));
    let ours = |order: &&mut Order| order.platform == Here && order.lot == lot && order.text("order_id") == number;
    let order = call.world.orders.iter_mut().rev().find(ours).ok_or("订单不存在")?;
    if order.open && kind != "1" {
        return Err("车辆未离场，不能纠正时间和费用".into());
    }
    let corrected: &[&str] = match kind.as_str() {
        "1" => &["car_number", "license_color"],
        "2" => &["in_time", "out_time", "total"],
        _ => &["car_number", "license_color", "in_time", "out_time", "total"],
    };
    for name in corrected {
        if let Some(value) = call.data.get(*name) {
            order.data.insert((*name).to_owned(), value.clone());
        }
    }
    Ok(json!({"errmsg": "成功"}))
}

fn inside<'a>(call: &'a Call) -> impl Iterator<Item = &'a Order> {
    call.world.orders.iter().filter(|order| order.platform == Here && order.lot == call.lot && order.open)
}

pub fn count(call: &mut Call) -> Done {
    Ok(json!({"errmsg": "成功", "data": {"parking_business_count": inside(call).count()}}))
}

pub fn list(call: &mut Call) -> Done {
    if call.text("detail_type") != "2" {
        let numbers: Vec<String> = inside(call).map(|order| order.text("order_id")).collect();
        return Ok(json!({"errmsg": "成功", "data": {"ext_order_id_list": numbers}}));
    }
    let shown = |order: &Order| {
        let at = json::whole(&order.data, "in_time").ok().flatten().unwrap_or(0);
        let colour = json::filled(&order.data, "license_color").unwrap_or_else(|| "0".into());
        let kind = if order.text("car_cost_type") == "2" { "12" } else { "11" };
        json!({"order_id": order.text("order_id"), "in_time": beijing::shown(at), "car_number": order.text("car_number"),
            "license_color": colour, "park_order_type": kind})
    };
    let rows: Vec<Value> = inside(call).map(shown).collect();
    Ok(json!({"errmsg": "成功", "data": {"order_detail_list": rows}}))
}

pub fn check(call: &mut Call) -> Done {
    let reason = call.world.union.city.get(&call.text("car_number")).copied().unwrap_or(0);
    let text = match reason {
        0 => Value::Null,
        1 => "仅限会员".into(),
        2 => "城市黑名单".into(),
        _ => "其他".into(),
    };
    let data = json::object([
        ("status", i64::from(reason == 0).to_string().into()),
        ("reason", reason.to_string().into()),
        ("reason_msg", text),
        ("share_status", "0".into()),
    ]);
    Ok(json!({"errmsg": "成功", "data": data}))
}

pub fn screen(call: &mut Call) -> Done {
    let text = match call.text("type").as_str() {
        "1" => "欢迎光临",
        _ => "一路顺风",
    };
    Ok(json!({"screen_str": text}))
}

/// Passes that the lot's month members stand for; only the ordinary kind has a full table.
pub fn passes(call: &mut Call) -> Done {
    let lot = call.lot.clone();
    let is_ordinary = call.text("vip_type") == "1";
    let whole = |name: &str| call.whole(name).unwrap_or(1).max(1);
    let (page, size) = (whole("pageNum"), whole("pageSize"));
    let day =
        |member: &Value, name: &str| json::value_text(&member[name]).and_then(|at| at.parse().ok()).map(beijing::day);
    let members = call.world.table(&lot, "upload_month_member");
    let all: Vec<Value> = members
        .values()
        .filter(|_| is_ordinary)
        .enumerate()
        .map(|(at, member)| {
            json!({"vipId": at + 1, "plateNo": member["car_number"], "plateType": "0",
                "vipStartDateStr": day(member, "begin_time"), "vipEndDateStr": day(member, "end_time"),
                "parkpotId": lot, "isRegion": "0", "isDayparking": "0"})
        })
        .collect();
    let pages = all.len().div_ceil(size as usize);
    let rows: Vec<&Value> = all.iter().skip((page - 1) as usize * size as usize).take(size as usize).collect();
    Ok(json!({"totalCount": all.len(), "totalPages": pages, "pageNum": page, "list": rows}))
}
