//! Settings of the control API: what platforms and drivers are to answer, and what is known from elsewhere.

use crate::app::App;
use crate::control::{Parameters, Refusal, ask, bad, lot_of, members, need, patience, reply};
use crate::driver::{Electronic, EtcAnswer};
use crate::faults::Platform;
use crate::json::{self, Members};
use crate::world::World;
use crate::{clock, downlinks, lots, pushes, union};
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;

/// Changes what the request's page is named for.
pub async fn set(
    State(app): State<Arc<App>>,
    Path(setting): Path<String>,
    Query(parameters): Parameters,
    body: Bytes,
) -> Response {
    let request = match members(&body) {
        Ok(request) => request,
        Err(refusal) => return reply(Err(refusal)),
    };
    if setting == "coupon" {
        return reply(coupon(&app, &parameters, &request).await);
    }
    reply(change(&mut app.world(), &setting, &request))
}

fn change(world: &mut World, setting: &str, request: &Members) -> Result<Value, Refusal> {
    match setting {
        "reset" => world.reset(),
        "sync" => {
            let lot = lot_of(world, request)?;
            let service = need(request, "service_name")?;
            let data = request.get("data").and_then(Value::as_object).ok_or_else(|| bad("data: expected an object"))?;
            let ago = json::whole(request, "made_s_ago").map_err(|_| bad("made_s_ago: no number"))?.unwrap_or(0);
            let made = clock::seconds() - ago;
            let id = world.cloud.syncs.add(&lot, &service, data.clone(), made).map_err(bad)?;
            return Ok(json!({"id": id}));
        }
        "price" => {
            let lot = lot_of(world, request)?;
            let mut data = request.clone();
            data.shift_remove("park_id");
            for name in ["create_time", "update_time"] {
                data.entry(name).or_insert_with(|| clock::seconds().into());
            }
            data.entry("operate_type").or_insert_with(|| 1.into());
            let made = clock::seconds();
            let id = world.cloud.syncs.add(&lot, "price_sync", data, made).map_err(bad)?;
            return Ok(json!({"id": id}));
        }
        "balance" => {
            let plate = need(request, "car_number")?;
            let fen = json::fen(&need(request, "balance")?).ok_or_else(|| bad("balance: no amount in yuan"))?;
            let autopay = json::whole(request, "autopay").map_err(|_| bad("autopay: 0 or 1"))?.unwrap_or(1) != 0;
            let changed = world.drivers.set_balance(&plate, fen, autopay);
            // Told where the car is inside.
            let inside = world.orders.iter().filter(|order| order.open && order.text("car_number") == plate);
            let mut stays: Vec<(String, bool, String)> = inside
                .map(|order| (order.lot.clone(), order.platform == Platform::Union, order.text("order_id")))
                .collect();
            stays.dedup_by(|(lot, _, _), (before, _, _)| lot == before);
            let mut pushed = 0;
            for (lot, is_union, number) in stays.into_iter().filter(|_| changed) {
                let sent = if is_union {
                    let message = union::senseless(world, &lot, &number, &plate);
                    pushes::union(world, &lot, message, None, std::time::Duration::ZERO)
                } else {
                    let message = world.drivers.balance_push(&plate);
                    downlinks::send(world, &lot, Some(Platform::Bolink), None, message)
                };
                pushed += u64::from(sent.is_ok());
            }
            return Ok(json!({"changed": changed, "pushed": pushed}));
        }
        "etc" => {
            world.drivers.etc = match need(request, "answer")?.as_str() {
                "paid" => EtcAnswer::Paid,
                "refused" => EtcAnswer::Refused,
                "pending" => match json::filled(request, "result").as_deref() {
                    None | Some("paid") => EtcAnswer::Pending { paid: true },
                    Some("refused") => EtcAnswer::Pending { paid: false },
                    Some(_) => return Err(bad("result: expected paid or refused")),
                },
                _ => return Err(bad("answer: expected paid, refused or pending")),
            };
        }
        "electronic" => {
            world.drivers.electronic = match need(request, "answer")?.as_str() {
                "auto" => Electronic::Auto,
                "paid" => Electronic::Paid,
                "refused" => Electronic::Refused,
                "never" => Electronic::Never,
                _ => return Err(bad("answer: expected auto, paid, refused or never")),
            };
        }
        "push-url" => {
            let number = json::whole(request, "speed").map_err(|_| bad("speed: no number"))?;
            for name in ["union", "etcp"] {
                if json::filled(request, name).is_some_and(|url| !url.starts_with("http://")) {
                    return Err(bad(format!("{name}: expected an address that begins with http://")));
                }
            }
            let speed = number.map(|number| u32::try_from(number).ok().filter(|speed| *speed > 0));
            let speed = speed.map(|speed| speed.ok_or_else(|| bad("speed: expected a number above 0"))).transpose()?;
            let pushes = &mut world.pushes;
            pushes.union_url = json::filled(request, "union").or(pushes.union_url.take());
            pushes.etcp_url = json::filled(request, "etcp").or(pushes.etcp_url.take());
            pushes.speed = speed.unwrap_or(pushes.speed);
        }
        "approve" => {
            let lot = need(request, "park_id")?;
            if !world.union.unapproved.remove(&lot) {
                return Err(bad(format!("park_id: `{lot}` does not wait for approval")));
            }
        }
        "city" => {
            let reason = json::whole(request, "reason").map_err(|_| bad("reason: no number"))?.unwrap_or(0);
            if ![0, 1, 2, 99].contains(&reason) {
                return Err(bad("reason: expected 0, 1, 2 or 99"));
            }
            world.union.city.insert(need(request, "car_number")?, reason);
        }
        "pass" => {
            let lot = lot_of(world, request)?;
            let plate = need(request, "car_number")?;
            world.table(&lot, "upload_month_member").insert(plate, Value::Object(request.clone()));
        }
        "screen" => {
            let lot = lot_of(world, request)?;
            let channel = need(request, "channel_id")?;
            let mut screen = request.clone();
            screen.retain(|name, _| !matches!(name.as_str(), "park_id" | "channel_id"));
            world.table(&lot, "screen").insert(channel, Value::Object(screen));
        }
        "prepay-card" => {
            let lot = lot_of(world, request)?;
            let card = need(request, "card_id")?;
            need(request, "balance")?;
            world.table(&lot, "prepay_card").insert(card, Value::Object(request.clone()));
        }
        "lots" => {
            let new = lots::read(&Value::Object(request.clone()).to_string()).map_err(bad)?;
            world.lots.retain(|lot| new.iter().all(|new| new.park_id != lot.park_id));
            world.lots.extend(new);
        }
        _ => return Err((StatusCode::NOT_FOUND, format!("there is no /{setting}; GET / lists what there is"))),
    }
    Ok(json!({"ok": true}))
}

async fn coupon(app: &Arc<App>, parameters: &HashMap<String, String>, request: &Members) -> Result<Value, Refusal> {
    let (lot, message) = {
        let world = app.world();
        let lot = lot_of(&world, request)?;
        let plate = json::filled(request, "car_number");
        let number = json::filled(request, "order_id");
        if plate.is_none() && number.is_none() {
            return Err(bad("car_number: missing, and so is order_id"));
        }
        let inside = world.order(&lot, |order| {
            order.open && (Some(order.text("order_id")) == number || Some(order.text("car_number")) == plate)
        });
        let number = number.or_else(|| inside.map(|order| order.text("order_id")));
        let plate = plate.or_else(|| inside.map(|order| order.text("car_number")));
        let by_time = request.contains_key("duration");
        let now = clock::seconds();
        let mut message = json::object([
            ("service_name", "deliver_ticket".into()),
            ("ticket_id", clock::stamp().into()),
            ("ticket_type", i64::from(by_time).into()),
            ("duration", 0.into()),
            ("money", "0".into()),
            ("car_number", plate.unwrap_or_default().into()),
            ("order_id", number.unwrap_or_default().into()),
            ("create_time", now.into()),
            ("limit_day", (now + 86400).into()),
            ("time_range", "".into()),
            ("shopName", "".into()),
            ("remark", "".into()),
        ]);
        if by_time {
            message.insert("ticket_unit".into(), 1.into());
        }
        for (name, value) in request.iter().filter(|(name, _)| *name != "park_id") {
            message.insert(name.clone(), value.clone());
        }
        (lot, message)
    };
    let wait = patience(parameters, "deliver_ticket")?;
    ask(app, &lot, None, None, message, wait).await
}
