//! The control API: look at the state, act as cloud, platform and driver, switch faults on.

use crate::app::App;
use crate::cloud::sync;
use crate::driver::{self, Electronic, EtcAnswer, Quote, Scan};
use crate::faults::{KINDS, Platform};
use crate::json::{self, Members};
use crate::lots;
use crate::world::World;
use crate::{bolink, clock, downlinks};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

type Parameters = Query<HashMap<String, String>>;
/// What went wrong, for the caller.
type Refusal = (StatusCode, String);

/// What `GET /` says: how to ask, what it does.
const PAGES: &[(&str, &str)] = &[
    ("GET /", "this"),
    ("GET /state", "everything: counts, orders, records, downlinks with their answers, queue, payments, faults"),
    (
        "POST /downlink[?wait_ms=N|wait=1]",
        "{park_id?, link?: cloud|bolink, local_id?, message: {service_name, …}}: send a message; with wait the answer",
    ),
    ("POST /sync", "{park_id?, service_name, data, made_s_ago?}: queue a scheduled change"),
    ("POST /sync/run", "run a round of scheduled downlinks now"),
    ("POST /driver/scan", "{park_id?, car_number?, order_id?, pay_scene?, out_channel_id?}: ask the lot for the price"),
    ("POST /driver/pay", "{park_id?, query_order_no? or order_id + amount}: prepay, tell the lot"),
    ("POST /driver/enter", "{park_id?, phone, channel_id, car_number?}: come without a plate"),
    ("POST /driver/exit-pay", "{park_id?, out_channel_id, order_id? + car_number? + amount?}: scan the exit code, pay"),
    ("POST /balance", "{car_number, balance, autopay?}: set a driver's balance; pushed when it changed"),
    ("POST /price", "{park_id?, price_id, car_type, describe?, operate_type?}: change a price in the cloud (queued)"),
    ("POST /coupon", "{park_id?, car_number or order_id, money? or duration?, …}: give a coupon (deliver_ticket)"),
    ("POST /etc", "{answer: paid|refused|pending, result?: paid|refused}: what ETC answers"),
    ("POST /electronic", "{answer: auto|paid|refused|never}: what becomes of wallet and code payments"),
    ("POST /screen", "{park_id?, channel_id, device_ip, …}: bind a smart screen"),
    ("POST /prepay-card", "{park_id?, card_id, balance}: a stored-value card"),
    ("POST /lots", "{park_id, …}: add or change a lot"),
    ("POST /faults", "{platform: cloud|bolink, kind, value?, count?, service?}: switch a fault on"),
    ("DELETE /faults[?platform=…&kind=…]", "switch faults off"),
    ("POST /reset", "forget all but the lots; cloud connections are closed"),
];

/// The routes.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/", get(help))
        .route("/state", get(state))
        .route("/downlink", post(downlink))
        .route("/sync/run", post(sync_run))
        .route("/driver/{action}", post(act))
        .route("/faults", post(fault).delete(clear_faults))
        .route("/{setting}", post(set))
        .with_state(app)
}

fn reply(result: Result<Value, Refusal>) -> Response {
    match result {
        Ok(value) => bolink::answer(StatusCode::OK, value.to_string()),
        Err((status, text)) => bolink::answer(status, json!({"error": text}).to_string()),
    }
}

fn bad(text: impl Into<String>) -> Refusal {
    (StatusCode::BAD_REQUEST, text.into())
}

fn members(body: &Bytes) -> Result<Members, Refusal> {
    if body.is_empty() {
        return Ok(Members::new());
    }
    serde_json::from_slice(body).map_err(|error| bad(format!("the body is no JSON object: {error}")))
}

fn lot_of(world: &World, request: &Members) -> Result<String, Refusal> {
    match json::filled(request, "park_id") {
        Some(lot) if world.lot(&lot).is_some() => Ok(lot),
        Some(lot) => Err(bad(format!("park_id: the sandbox has no lot `{lot}`"))),
        None => world.lots.first().map(|lot| lot.park_id.clone()).ok_or_else(|| bad("there is no lot")),
    }
}

fn need(request: &Members, name: &str) -> Result<String, Refusal> {
    json::filled(request, name).ok_or_else(|| bad(format!("{name}: missing")))
}

async fn help() -> Response {
    let pages: Members = PAGES.iter().map(|(page, does)| ((*page).to_owned(), Value::from(*does))).collect();
    let kinds: Members = KINDS.iter().map(|(kind, does)| ((*kind).to_owned(), Value::from(*does))).collect();
    let mut value = json!({"program": "parklink-sandbox", "version": env!("CARGO_PKG_VERSION"), "pages": pages});
    value["faults"] = Value::Object(kinds);
    value["faults"]["token_kill"] = "both: every token dies, at once and once".into();
    reply(Ok(value))
}

async fn state(State(app): State<Arc<App>>) -> Response {
    reply(Ok(app.world().shown()))
}

/// How long to wait for the answer: the documented time with `wait=1`, or so many milliseconds.
fn patience(parameters: &HashMap<String, String>, service: &str) -> Result<Option<Duration>, Refusal> {
    if let Some(text) = parameters.get("wait_ms") {
        let millis: u64 = text.parse().map_err(|_| bad(format!("wait_ms: `{text}` is no number")))?;
        return Ok((millis > 0).then(|| Duration::from_millis(millis)));
    }
    Ok(parameters.contains_key("wait").then(|| downlinks::patience(service)))
}

async fn downlink(State(app): State<Arc<App>>, Query(parameters): Parameters, body: Bytes) -> Response {
    reply(send_downlink(&app, &parameters, &body).await)
}

async fn send_downlink(app: &Arc<App>, parameters: &HashMap<String, String>, body: &Bytes) -> Result<Value, Refusal> {
    let request = members(body)?;
    let message = match request.get("message") {
        Some(Value::Object(message)) => message.clone(),
        _ => return Err(bad("message: expected an object with service_name")),
    };
    let link = match json::filled(&request, "link") {
        None => None,
        Some(name) => Some(Platform::named(&name).ok_or_else(|| bad("link: expected cloud or bolink"))?),
    };
    let service = json::text(&message, "service_name").unwrap_or_default();
    let wait = patience(parameters, &service)?;
    let local_id = json::text(&request, "local_id");
    let lot = lot_of(&app.world(), &request)?;
    ask(app, &lot, link, local_id.as_deref(), message, wait).await
}

/// Sends a message and, if asked to, waits for the answer.
async fn ask(
    app: &Arc<App>,
    lot: &str,
    link: Option<Platform>,
    local_id: Option<&str>,
    message: Members,
    wait: Option<Duration>,
) -> Result<Value, Refusal> {
    let sent = downlinks::send(&mut app.world(), lot, link, local_id, message);
    let id = match sent {
        Ok(id) => id,
        Err(text) => return Ok(json!({"sent": false, "reason": text})),
    };
    let Some(wait) = wait else { return Ok(json!({"sent": true, "id": id})) };
    let answer = answer_to(app, id, wait).await;
    Ok(json!({"sent": true, "id": id, "answered": answer.is_some(), "answer": answer}))
}

async fn answer_to(app: &Arc<App>, id: u64, wait: Duration) -> Option<Members> {
    let end = tokio::time::Instant::now() + wait;
    loop {
        if let Some(answer) = app.world().downlinks.first_answer(id) {
            return Some(answer.clone());
        }
        if tokio::time::Instant::now() >= end {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn sync_run(State(app): State<Arc<App>>) -> Response {
    let sent = sync::run(&mut app.world());
    reply(Ok(json!({"sent": sent})))
}

async fn fault(State(app): State<Arc<App>>, body: Bytes) -> Response {
    reply(members(&body).and_then(|request| switch_on(&app, &request)))
}

fn switch_on(app: &Arc<App>, request: &Members) -> Result<Value, Refusal> {
    let mut world = app.world();
    if json::text(request, "kind").as_deref() == Some("token_kill") {
        let killed = match json::text(request, "platform").and_then(|name| Platform::named(&name)) {
            Some(Platform::Cloud) => world.cloud.kill_tokens(),
            Some(Platform::Bolink) => world.bolink.kill_tokens(),
            None => return Err(bad("platform: expected cloud or bolink")),
        };
        return Ok(json!({"killed": killed}));
    }
    world.faults.add(request).map_err(bad)?;
    Ok(json!({"faults": world.faults.shown()}))
}

async fn clear_faults(State(app): State<Arc<App>>, Query(parameters): Parameters) -> Response {
    let mut world = app.world();
    let platform = parameters.get("platform").and_then(|name| Platform::named(name));
    world.faults.clear(platform, parameters.get("kind").map(String::as_str));
    reply(Ok(json!({"faults": world.faults.shown()})))
}

async fn set(
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
            // Pushed where the car is inside.
            let inside = world.orders.iter().filter(|order| order.open && order.text("car_number") == plate);
            let mut lots: Vec<String> = inside.map(|order| order.lot.clone()).collect();
            lots.dedup();
            let mut pushed = 0;
            for lot in lots.into_iter().filter(|_| changed) {
                let message = world.drivers.balance_push(&plate);
                pushed += u64::from(downlinks::send(world, &lot, Some(Platform::Bolink), None, message).is_ok());
            }
            return Ok(json!({"changed": changed, "pushed": pushed}));
        }
        "etc" => {
            world.drivers.etc = match need(request, "answer")?.as_str() {
                "paid" => EtcAnswer::Paid,
                "refused" => EtcAnswer::Refused,
                "pending" => {
                    EtcAnswer::Pending { paid: json::filled(request, "result").is_none_or(|result| result == "paid") }
                }
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

async fn act(
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
    let result = ask(app, lot, None, None, question.clone(), wait).await?;
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
    let mut result = ask(app, lot, None, None, message, wait).await?;
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
        driver::result(driver::book(&mut world, lot, &order, "scancode", "outpay", fen), 1, "支付成功")
    };
    let wait = driver_wait(parameters, "outpark")?;
    let trade = message.get("trade_no").cloned();
    let mut result = ask(app, lot, None, None, message, wait).await?;
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
            let mut result = ask(app, lot, None, None, message, wait).await?;
            result["car_number"] = plate.into();
            Ok(result)
        }
    }
}
