//! What a driver does, step by step: scan, pay, enter, pay at the exit.

use crate::app::App;
use crate::control::{Parameters, Refusal, ask, bad, link_of, lot_of, members, need, patience, reply};
use crate::downlinks;
use crate::driver::{self, Quote, Scan};
use crate::faults::Platform;
use crate::json::{self, Members};
use crate::union;
use crate::world::World;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// A driver acts.
pub async fn act(
    State(app): State<Arc<App>>,
    Path(action): Path<String>,
    Query(parameters): Parameters,
    body: Bytes,
) -> Response {
    let request = match members(&body) {
        Ok(request) => request,
        Err(refusal) => return reply(Err(refusal)),
    };
    let lot = match lot_of(&app.world(), &request) {
        Ok(lot) => lot,
        Err(refusal) => return reply(Err(refusal)),
    };
    reply(match action.as_str() {
        "scan" => scan(&app, &lot, &parameters, &request).await,
        "pay" => pay(&app, &lot, &parameters, &request).await,
        "enter" => enter(&app, &lot, &parameters, &request).await,
        "exit-pay" => exit_pay(&app, &lot, &parameters, &request).await,
        "settle" => settle(&app, &request),
        "packet" => packet(&app, &request),
        "repair" => repair(&app, &lot, &request),
        _ => Err((StatusCode::NOT_FOUND, format!("a driver cannot `{action}`; GET / lists what there is"))),
    })
}

fn driver_wait(parameters: &HashMap<String, String>, service: &str) -> Result<Option<Duration>, Refusal> {
    Ok(patience(parameters, service)?.or_else(|| Some(downlinks::patience(service))))
}

async fn scan(
    app: &Arc<App>,
    lot: &str,
    parameters: &HashMap<String, String>,
    request: &Members,
) -> Result<Value, Refusal> {
    let question = driver::price_question(&app.world(), lot, request);
    let wait = driver_wait(parameters, "query_price")?;
    let result = ask(app, lot, link_of(request)?, None, question.clone(), wait).await?;
    if let Some(answer) = result["answer"].as_object() {
        let quote = Quote { lot: lot.to_owned(), question, answer: answer.clone() };
        app.world().drivers.quotes.push(quote);
    }
    Ok(result)
}

/// The quote a payment refers to; without one the request itself stands for it.
fn quote_for(world: &World, lot: &str, request: &Members) -> Quote {
    let asked = json::filled(request, "query_order_no");
    let number = json::filled(request, "order_id");
    let fits = |quote: &&Quote| {
        let text = |name: &str| json::text(&quote.answer, name).or_else(|| json::text(&quote.question, name));
        quote.lot == lot
            && (asked.is_none() || text("query_order_no") == asked)
            && (number.is_none() || text("order_id") == number)
    };
    let found = world.drivers.quotes.iter().rev().find(fits).cloned();
    let own = Quote { lot: lot.to_owned(), question: Members::new(), answer: request.clone() };
    found.unwrap_or(own)
}

/// What a payment is made for, and how much.
fn bill(world: &World, lot: &str, quote: &Quote, request: &Members) -> Result<(Members, i64), Refusal> {
    let price = json::filled(request, "amount").or_else(|| json::filled(&quote.answer, "price"));
    let price = price.ok_or_else(|| bad("amount: missing, and there is no price answer to go by"))?;
    let fen = json::fen(&price).ok_or_else(|| bad(format!("amount: `{price}` is no amount in yuan")))?;
    let mut order = Members::new();
    for part in [&quote.question, &quote.answer, request] {
        order.extend(
            part.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.clone(), value.clone())),
        );
    }
    let number = json::filled(&order, "order_id").ok_or_else(|| bad("order_id: missing"))?;
    if json::filled(&order, "car_number").is_none()
        && let Some(inside) = world.order(lot, |order| order.text("order_id") == number)
    {
        order.insert("car_number".into(), inside.text("car_number").into());
    }
    Ok((order, fen))
}

/// Tells the lot of a payment, now or as soon as somebody is there.
async fn tell(
    app: &Arc<App>,
    lot: &str,
    request: &Members,
    message: Members,
    wait: Option<Duration>,
) -> Result<Value, Refusal> {
    let link = link_of(request)?;
    let result = ask(app, lot, link, None, message.clone(), wait).await?;
    // Pushes go out again by themselves.
    if result["sent"] == false && link != Some(Platform::Union) {
        app.send_again(lot.to_owned(), message);
    }
    Ok(result)
}

async fn pay(
    app: &Arc<App>,
    lot: &str,
    parameters: &HashMap<String, String>,
    request: &Members,
) -> Result<Value, Refusal> {
    let message = {
        let mut world = app.world();
        let quote = quote_for(&world, lot, request);
        let (order, fen) = bill(&world, lot, &quote, request)?;
        let payment = driver::book(&mut world, lot, &order, "scancode", "prepay", fen);
        driver::prepay_notice(&payment, &quote)
    };
    let wait = driver_wait(parameters, "prepay_order")?;
    let trade = message.get("trade_no").cloned();
    let mut result = tell(app, lot, request, message, wait).await?;
    result["trade_no"] = trade.unwrap_or_default();
    Ok(result)
}

async fn exit_pay(
    app: &Arc<App>,
    lot: &str,
    parameters: &HashMap<String, String>,
    request: &Members,
) -> Result<Value, Refusal> {
    let mut asked = request.clone();
    asked.entry("pay_scene").or_insert_with(|| 1.into());
    if !request.contains_key("amount") {
        let price = scan(app, lot, parameters, &asked).await?;
        if price["answer"]["state"].as_i64() != Some(1) {
            return Ok(json!({"paid": false, "price": price}));
        }
    }
    let message = {
        let mut world = app.world();
        let quote = quote_for(&world, lot, request);
        let (order, fen) = bill(&world, lot, &quote, &asked)?;
        let result = driver::result(driver::book(&mut world, lot, &order, "scancode", "outpay", fen), 1, "支付成功");
        match link_of(request)? {
            Some(Platform::Union) => union::at(lot, result),
            _ => result,
        }
    };
    let wait = driver_wait(parameters, "outpark")?;
    let trade = message.get("trade_no").cloned();
    let mut result = tell(app, lot, request, message, wait).await?;
    result["paid"] = true.into();
    result["trade_no"] = trade.unwrap_or_default();
    Ok(result)
}

async fn enter(
    app: &Arc<App>,
    lot: &str,
    parameters: &HashMap<String, String>,
    request: &Members,
) -> Result<Value, Refusal> {
    let phone = need(request, "phone")?;
    let channel = need(request, "channel_id")?;
    // The identity stands for the plate; it belongs to the phone.
    let hash = parklink::wire::sign::keyed(&phone, lot);
    let plate = json::filled(request, "car_number").unwrap_or_else(|| hash.chars().take(7).collect());
    let scan = driver::scan_entry(&mut app.world(), lot, &phone, &plate, &channel);
    match scan {
        Scan::Duplicate => Ok(json!({"sent": false, "reason": "the same phone scanned within 10 s"})),
        Scan::Inside => Ok(json!({"sent": false, "shown": "success", "car_number": plate})),
        Scan::Ask(message) => {
            let wait = driver_wait(parameters, "nolicence_in_park")?;
            let link = link_of(request)?;
            let message = if link == Some(Platform::Union) { of_vendor(app, lot, request, message) } else { message };
            let mut result = ask(app, lot, link, None, message, wait).await?;
            result["car_number"] = plate.into();
            Ok(result)
        }
    }
}

/// The open API names the vendor too, and the phone where the lot asked for codes (API 2.5).
fn of_vendor(app: &Arc<App>, lot: &str, request: &Members, mut message: Members) -> Members {
    let mut world = app.world();
    let union_id = world.lot(lot).map(|lot| json::number(&lot.union_id)).unwrap_or_default();
    message.insert("union_id".into(), union_id);
    let verified = world.table(lot, "union_park").get("nolience_config").map(|config| config["is_verify"].clone());
    if verified.and_then(|verified| json::value_text(&verified)).as_deref() == Some("1") {
        message.insert("mobile_number".into(), request.get("phone").cloned().unwrap_or_default());
    }
    message
}

fn settle(app: &Arc<App>, request: &Members) -> Result<Value, Refusal> {
    let serial = need(request, "trade_no")?;
    let paid = json::whole(request, "paid").map_err(|_| bad("paid: 0 or 1"))?.unwrap_or(1) != 0;
    union::settle(&mut app.world(), &serial, paid).map(|()| json!({"paid": paid})).map_err(bad)
}

fn packet(app: &Arc<App>, request: &Members) -> Result<Value, Refusal> {
    let serial = need(request, "trade_no")?;
    let state = json::whole(request, "state").ok().flatten().filter(|state| [2, 3].contains(state));
    let state = state.ok_or_else(|| bad("state: expected 2 (taken) or 3 (returned)"))?;
    union::move_packet(&mut app.world(), &serial, state).map(|()| json!({"ok": true})).map_err(bad)
}

fn repair(app: &Arc<App>, lot: &str, request: &Members) -> Result<Value, Refusal> {
    let number = need(request, "order_id")?;
    union::repair(&mut app.world(), lot, &number).map(|id| json!({"sent": id.is_ok(), "push": id.ok()})).map_err(bad)
}
