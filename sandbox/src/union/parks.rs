//! Lots: publishing, changing, codes, onboarding (API 2, 3.5, 3.6).

use super::{Call, Done};
use crate::app::App;
use crate::digest::md5;
use crate::faults::Platform::Union as Here;
use crate::http::answer;
use crate::json;
use crate::lots::Lot;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;

/// A vendor's nonce may not be the one before.
fn fresh(call: &mut Call) -> Result<(), String> {
    let rand = call.text("rand");
    match call.world.union.rands.insert(call.union_id.clone(), rand.clone()) {
        Some(before) if before == rand => Err("rand重复，非法请求".into()),
        _ => Ok(()),
    }
}

pub fn add(call: &mut Call) -> Done {
    let park = call.text("park_id");
    let known = call.world.lot(&park).is_some();
    fresh(call)?;
    if known {
        return Err("车场已存在".into());
    }
    let vendor = call.world.lots.iter().find(|lot| lot.union_id == call.union_id);
    let mut lot = Lot { free: call.whole("empty_plot").unwrap_or(0), ..vendor.cloned().ok_or("厂商不存在")? };
    lot.set("park_id", &park)?;
    call.world.lots.push(lot);
    call.world.union.unapproved.insert(park.clone());
    let record = Value::Object(call.data.clone());
    call.world.table(&park, "union_park").insert("park".into(), record);
    let username = 1_000_000 + call.world.lots.len();
    Ok(json!({"park_id": park, "errmsg": "添加车场成功", "username": username}))
}

pub fn update(call: &mut Call) -> Done {
    let park = call.lot.clone();
    fresh(call)?;
    if call.whole("type") == Some(2) {
        call.world.union.disabled.insert(park.clone());
        return Ok(json!({"park_id": park, "errmsg": "修改车场成功"}));
    }
    call.world.union.disabled.remove(&park);
    let free = call.whole("empty_plot").unwrap_or(0);
    let data = call.data.clone();
    if let Some(lot) = call.world.lot_mut(&park) {
        lot.free = free;
    }
    let table = call.world.table(&park, "union_park");
    let record = table.entry("park").or_insert_with(|| json!({}));
    for (name, value) in data.into_iter().filter(|(name, _)| !matches!(name.as_str(), "type" | "rand")) {
        record[name.as_str()] = value;
    }
    Ok(json!({"park_id": park, "errmsg": "修改车场成功"}))
}

pub fn code(call: &mut Call) -> Done {
    let page = match call.whole("type") {
        Some(1) => "prepaypage",
        Some(2) => "outpark",
        _ => "nolienceinpark",
    };
    let (lot, channel) = (&call.lot, call.text("channel_id"));
    let url = format!("http://127.0.0.1/unionapi/{page}?code={lot}-{channel}");
    Ok(json!({"code_url": url, "errmsg": "getCodeUrl success", "type": call.echo("type"),
        "channel_id": call.echo("channel_id")}))
}

pub fn set_up(call: &mut Call) -> Done {
    let config = call.data.get("nolience_config").cloned().unwrap_or_default();
    let lot = call.lot.clone();
    call.world.table(&lot, "union_park").insert("nolience_config".into(), config);
    Ok(json!({"errmsg": "设置成功"}))
}

pub fn register(call: &mut Call) -> Done {
    let lot = call.lot.clone();
    let record = Value::Object(call.data.clone());
    if call.world.table(&lot, "union_park").contains_key("lsregister") {
        return Err("进件资料已提交，不可修改".into());
    }
    call.world.table(&lot, "union_park").insert("lsregister".into(), record);
    Ok(json!({"errmsg": "成功"}))
}

pub fn split(call: &mut Call) -> Done {
    if call.whole("percent").is_some_and(|percent| !(1..=30).contains(&percent)) {
        return Err("percent必须为1到30的整数".into());
    }
    let (lot, account) = (call.lot.clone(), call.text("account_no"));
    call.world.table(&lot, "union_park").insert("split".into(), json!({"account_no": account}));
    Ok(json!({"errmsg": "成功", "contract_url": format!("http://127.0.0.1/contract/{lot}")}))
}

pub fn bind(call: &mut Call) -> Done {
    let lot = call.lot.clone();
    match call.world.table(&lot, "union_park").get("split") {
        Some(_) => Ok(json!({"errmsg": "成功"})),
        None => Err("合同未签约".into()),
    }
}

/// Where a browser is sent to; its signature is another one. What the page shows is not documented.
pub async fn onboarding_page(State(app): State<Arc<App>>, Query(query): Query<HashMap<String, String>>) -> Response {
    let text = |name: &str| query.get(name).cloned().unwrap_or_default();
    let mut world = app.world();
    world.counts.add(Here, "requests.gettoken");
    let lot = world.lot(&text("park_id")).filter(|lot| lot.union_id == text("union_id"));
    let refused = match lot {
        None => Some("车场不存在"),
        Some(_) if text("is_private_cloud") != "1" => Some("is_private_cloud"),
        Some(lot) if md5(&format!("{}{}", lot.ukey, text("timestamp"))) != text("sign") => Some("签名错误"),
        Some(_) => None,
    };
    match refused {
        None => answer(StatusCode::OK, json!({"state": 1}).to_string()),
        Some(text) => {
            world.counts.add(Here, format!("refusals.{text}"));
            let members = json::object([("state", 0.into()), ("errmsg", text.into())]);
            answer(StatusCode::FORBIDDEN, Value::Object(members).to_string())
        }
    }
}
