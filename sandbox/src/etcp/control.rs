//! Control of ETCP: cars come and go, clocks run ahead, settings change.

use super::TokenLife;
use super::stays::Stay;
use super::users::plate;
use crate::app::App;
use crate::control::{Refusal, bad, members, need, reply};
use crate::json::{self, Members};
use crate::pushes::{self, Reading};
use crate::world::World;
use crate::{beijing, clock};
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use std::sync::Arc;

/// What `GET /` says.
pub const PAGES: [(&str, &str); 5] = [
    (
        "POST /etcp/enter",
        "{plateNumber, park_id?, minutes_ago?, fixParkingId?, remainingDays?}: a car comes; pushed (9.1)",
    ),
    ("POST /etcp/exit", "{plateNumber}: it leaves, what is open is paid in cash; pushed (9.2)"),
    ("POST /etcp/bind", "{mobilePhone, plateNumber, plateColor?}: a plate is bound through another merchant"),
    ("POST /etcp/park", "{park_id, name?, lat?, lon?, city?, total?, taken?, electronic?, third_party?, unit_fen?, …}"),
    (
        "POST /etcp/settings",
        "{ahead_s?, token_life?: day|unused|seconds, time_window_s?, push_sign?: text|remade|form, merchant_no?, merchant_key?}",
    ),
];

/// Something happens there.
pub async fn act(State(app): State<Arc<App>>, Path(action): Path<String>, body: Bytes) -> Response {
    reply(members(&body).and_then(|request| carry_out(&mut app.world(), &action, &request)))
}

fn carry_out(world: &mut World, action: &str, request: &Members) -> Result<Value, Refusal> {
    match action {
        "enter" => enter(world, request),
        "exit" => exit(world, request),
        "bind" => {
            let phone = need(request, "mobilePhone")?;
            let bound = plate(request).and_then(|plate| world.etcp.bind(&phone, plate, false));
            bound.map(|()| json!({"ok": true})).map_err(|code| bad(format!("refused with {code}")))
        }
        "park" => world.etcp.parks.set(request).map(|()| json!({"ok": true})).map_err(bad),
        "settings" => settings(world, request),
        _ => Err((StatusCode::NOT_FOUND, format!("there is no /etcp/{action}; GET / lists what there is"))),
    }
}

fn settings(world: &mut World, request: &Members) -> Result<Value, Refusal> {
    let whole = |name: &str| json::whole(request, name).map_err(|_| bad(format!("{name}: no number")));
    if let Some(ahead) = whole("ahead_s")? {
        world.etcp.ahead = ahead;
    }
    if let Some(window) = whole("time_window_s")? {
        world.etcp.window = Some(window);
    }
    if let Some(life) = json::filled(request, "token_life") {
        world.etcp.token_life = match life.as_str() {
            "day" => TokenLife::Day,
            "unused" => TokenLife::Unused,
            seconds => TokenLife::Seconds(
                seconds.parse().map_err(|_| bad("token_life: expected day, unused or a number of seconds"))?,
            ),
        };
    }
    if let Some(name) = json::filled(request, "push_sign") {
        world.pushes.reading = Reading::named(&name).ok_or_else(|| bad("push_sign: expected text, remade or form"))?;
    }
    let merchant = &mut world.etcp.merchant;
    for (name, into) in [("merchant_no", &mut merchant.number), ("merchant_key", &mut merchant.key)] {
        if let Some(text) = json::filled(request, name) {
            *into = text;
        }
    }
    Ok(json!({"now": beijing::shown(world.etcp.now())}))
}

fn enter(world: &mut World, request: &Members) -> Result<Value, Refusal> {
    let plate = need(request, "plateNumber")?;
    let number = json::whole(request, "park_id").map_err(|_| bad("park_id: no number"))?;
    let ago = json::whole(request, "minutes_ago").map_err(|_| bad("minutes_ago: no number"))?.unwrap_or(0);
    let etcp = &mut world.etcp;
    if etcp.stays.iter().any(|stay| stay.left.is_none() && stay.plate == plate) {
        return Err(bad("plateNumber: this car is inside"));
    }
    let entered = etcp.now() - ago * 60;
    let park = etcp.parks.find(number).ok_or_else(|| bad("park_id: there is no such park"))?;
    let mut stay = Stay::begin(plate, park.number, park.name.clone(), entered, park.tariff);
    let text = |name: &str| json::filled(request, name);
    stay.lease = text("fixParkingId").map(|space| (space, text("remainingDays").unwrap_or_default()));
    let message = notice(&stay);
    let (id, plate) = (stay.id.clone(), stay.plate.clone());
    world.etcp.stays.push(stay);
    let pushed = push(world, &plate, message);
    Ok(json!({"orderId": id, "pushed": pushed}))
}

fn exit(world: &mut World, request: &Members) -> Result<Value, Refusal> {
    let plate = need(request, "plateNumber")?;
    let now = world.etcp.now();
    let inside = world.etcp.stays.iter().position(|stay| stay.left.is_none() && stay.plate == plate);
    let at = inside.ok_or_else(|| bad("plateNumber: this car is not inside"))?;
    let Some(stay) = world.etcp.stays.get_mut(at) else { return Err(bad("plateNumber: gone")) };
    stay.leave(now);
    let (id, fee, entered) = (stay.id.clone(), stay.fee(now), stay.entered);
    let Some(stay) = world.etcp.stays.get(at) else { return Err(bad("plateNumber: gone")) };
    let mut message = notice(stay);
    message.insert("exitTime".into(), beijing::shown(now).into());
    message.insert("stayedTime".into(), (now - entered).into());
    message.insert("receivableFee".into(), fee.into());
    let pushed = push(world, &plate, message);
    Ok(json!({"orderId": id, "fee": json::yuan(fee), "pushed": pushed}))
}

/// What both pushes have.
fn notice(stay: &Stay) -> Members {
    let (space, days) = stay.lease.clone().unwrap_or_default();
    json::object([
        ("synId", stay.id.to_lowercase().into()),
        ("plateNumber", stay.plate.clone().into()),
        ("parkName", stay.park_name.clone().into()),
        ("parkId", stay.park.into()),
        ("entranceTime", beijing::shown(stay.entered).into()),
        ("userType", if stay.lease.is_some() { "76" } else { "77" }.into()),
        // The real time, however far ETCP's clock was put ahead: receivers look at how fresh a push is.
        ("pushTime", beijing::shown(clock::seconds()).into()),
        ("fixParkingId", space.into()),
        ("remainingDays", days.into()),
    ])
}

/// Only cars of the merchant's users are told of. Gives the push's number, or why there is none.
fn push(world: &mut World, plate: &str, message: Members) -> Value {
    if !world.etcp.is_ours(plate) {
        return "no: the plate is not bound through this merchant".into();
    }
    match pushes::etcp(world, message) {
        Ok(id) => id.into(),
        Err(text) => format!("no: {text}").into(),
    }
}
