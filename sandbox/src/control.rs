//! The control API: look at the state, act as cloud, platform and driver, switch faults on.

use crate::app::App;
use crate::cloud::sync;
use crate::faults::{KINDS, Platform};
use crate::json::{self, Members};
use crate::world::World;
use crate::{acts, downlinks, etcp, http, pushes, settings};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// The part of a request's address after the question mark.
pub type Parameters = Query<HashMap<String, String>>;
/// What went wrong, for the caller.
pub type Refusal = (StatusCode, String);

/// What `GET /` says: how to ask, what it does.
const PAGES: &[(&str, &str)] = &[
    ("GET /", "this"),
    (
        "GET /state[?parts=cloud,bolink,…]",
        "everything, or these parts: cloud, bolink, union, etcp, pushes, orders, tables, downlinks, payments, faults, …",
    ),
    (
        "POST /downlink[?wait_ms=N|wait=1]",
        "{park_id?, link?: cloud|bolink|union|etcp, local_id?, message: {…}}: send or push a message; with wait the answer",
    ),
    ("POST /sync", "{park_id?, service_name, data, made_s_ago?}: queue a scheduled change"),
    ("POST /sync/run", "run a round of scheduled downlinks now"),
    ("POST /driver/scan", "{park_id?, car_number?, order_id?, pay_scene?, out_channel_id?}: ask the lot for the price"),
    ("POST /driver/pay", "{park_id?, query_order_no? or order_id + amount}: prepay, tell the lot"),
    ("POST /driver/enter", "{park_id?, phone, channel_id, car_number?}: come without a plate"),
    ("POST /driver/exit-pay", "{park_id?, out_channel_id, order_id? + car_number? + amount?}: scan the exit code, pay"),
    ("POST /driver/settle", "{trade_no, paid?}: pay what a vendor ordered over the open API (3.3, 3.4, 3.9, 3.10)"),
    ("POST /driver/packet", "{trade_no, state: 2|3}: take a red packet, or let it go back"),
    ("POST /driver/repair", "{park_id?, order_id}: pay an escaped order in the mini program (5.9)"),
    ("POST /push-url", "{union?, etcp?, speed?}: where pushes go, how many times sooner they are sent again"),
    ("POST /approve", "{park_id}: a lot that was published over the open API is approved"),
    ("POST /city", "{car_number, reason: 0|1|2|99}: what the city answers about a car (API 10.4)"),
    ("POST /pass", "{park_id?, car_number, begin_time, end_time, …}: a month member of the lot"),
    ("POST /balance", "{car_number, balance, autopay?}: set a driver's balance; pushed when it changed"),
    ("POST /price", "{park_id?, price_id, car_type, describe?, operate_type?}: change a price in the cloud (queued)"),
    ("POST /coupon", "{park_id?, car_number or order_id, money? or duration?, …}: give a coupon (deliver_ticket)"),
    ("POST /etc", "{answer: paid|refused|pending, result?: paid|refused}: what ETC answers"),
    ("POST /electronic", "{answer: auto|paid|refused|never}: what becomes of wallet and code payments"),
    ("POST /screen", "{park_id?, channel_id, device_ip, …}: bind a smart screen"),
    ("POST /prepay-card", "{park_id?, card_id, balance}: a stored-value card"),
    ("POST /lots", "{park_id, …}: add or change a lot"),
    ("POST /faults", "{platform: cloud|bolink|union|etcp, kind, value?, count?, service?}: switch a fault on"),
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
        .route("/driver/{action}", post(acts::act))
        .route("/etcp/{action}", post(etcp::control::act))
        .route("/faults", post(fault).delete(clear_faults))
        .route("/{setting}", post(settings::set))
        .with_state(app)
}

pub fn reply(result: Result<Value, Refusal>) -> Response {
    match result {
        Ok(value) => http::answer(StatusCode::OK, value.to_string()),
        Err((status, text)) => http::answer(status, json!({"error": text}).to_string()),
    }
}

pub fn bad(text: impl Into<String>) -> Refusal {
    (StatusCode::BAD_REQUEST, text.into())
}

pub fn members(body: &Bytes) -> Result<Members, Refusal> {
    if body.is_empty() {
        return Ok(Members::new());
    }
    serde_json::from_slice(body).map_err(|error| bad(format!("the body is no JSON object: {error}")))
}

pub fn lot_of(world: &World, request: &Members) -> Result<String, Refusal> {
    match json::filled(request, "park_id") {
        Some(lot) if world.lot(&lot).is_some() => Ok(lot),
        Some(lot) => Err(bad(format!("park_id: the sandbox has no lot `{lot}`"))),
        None => world.lots.first().map(|lot| lot.park_id.clone()).ok_or_else(|| bad("there is no lot")),
    }
}

pub fn need(request: &Members, name: &str) -> Result<String, Refusal> {
    json::filled(request, name).ok_or_else(|| bad(format!("{name}: missing")))
}

async fn help() -> Response {
    let pages: Members = PAGES
        .iter()
        .chain(&etcp::control::PAGES)
        .map(|(page, does)| ((*page).to_owned(), Value::from(*does)))
        .collect();
    let kinds: Members = KINDS.iter().map(|(kind, does)| ((*kind).to_owned(), Value::from(*does))).collect();
    let mut value = json!({"program": "parklink-sandbox", "version": env!("CARGO_PKG_VERSION"), "pages": pages});
    value["faults"] = Value::Object(kinds);
    value["faults"]["token_kill"] = "all but union: every token dies, at once and once".into();
    reply(Ok(value))
}

async fn state(State(app): State<Arc<App>>, Query(parameters): Parameters) -> Response {
    let mut state = app.world().shown();
    if let (Some(parts), Value::Object(members)) = (parameters.get("parts"), &mut state) {
        if let Some(unknown) = parts.split(',').find(|part| !members.contains_key(*part)) {
            let all: Vec<&str> = members.keys().map(String::as_str).collect();
            return reply(Err(bad(format!("parts: `{unknown}` is none of {}", all.join(", ")))));
        }
        members.retain(|name, _| parts.split(',').any(|part| part == name));
    }
    reply(Ok(state))
}

/// How long to wait for the answer: the documented time with `wait=1`, or so many milliseconds.
pub fn patience(parameters: &HashMap<String, String>, service: &str) -> Result<Option<Duration>, Refusal> {
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
    let link = link_of(&request)?;
    let service = json::text(&message, "service_name").unwrap_or_default();
    let wait = patience(parameters, &service)?;
    let local_id = json::text(&request, "local_id");
    let lot = lot_of(&app.world(), &request)?;
    ask(app, &lot, link, local_id.as_deref(), message, wait).await
}

/// The link a request names.
pub fn link_of(request: &Members) -> Result<Option<Platform>, Refusal> {
    match json::filled(request, "link") {
        None => Ok(None),
        Some(name) => Ok(Some(Platform::named(&name).ok_or_else(|| bad(format!("link: {}", Platform::EXPECTED)))?)),
    }
}

/// Pushes a message and, if asked to, waits for the answer.
async fn push(
    app: &Arc<App>,
    lot: &str,
    platform: Platform,
    message: Members,
    wait: Option<Duration>,
) -> Result<Value, Refusal> {
    let pushed = match platform {
        Platform::Etcp => pushes::etcp(&mut app.world(), message),
        _ => pushes::union(&mut app.world(), lot, message, None, Duration::ZERO),
    };
    let id = match pushed {
        Ok(id) => id,
        Err(text) => return Ok(json!({"sent": false, "reason": text})),
    };
    let Some(wait) = wait else { return Ok(json!({"sent": true, "id": id})) };
    let answer = soon(wait, || app.world().pushes.answer(id).cloned()).await;
    Ok(json!({"sent": true, "id": id, "answered": answer.is_some(), "answer": answer}))
}

/// Sends a message and, if asked to, waits for the answer.
pub async fn ask(
    app: &Arc<App>,
    lot: &str,
    link: Option<Platform>,
    local_id: Option<&str>,
    message: Members,
    wait: Option<Duration>,
) -> Result<Value, Refusal> {
    if let Some(platform @ (Platform::Union | Platform::Etcp)) = link {
        return push(app, lot, platform, message, wait).await;
    }
    let question = json::text(&message, "service_name").unwrap_or_default();
    let sent = downlinks::send(&mut app.world(), lot, link, local_id, message);
    let id = match sent {
        Ok(id) => id,
        Err(text) => return Ok(json!({"sent": false, "reason": text})),
    };
    let Some(wait) = wait else { return Ok(json!({"sent": true, "id": id})) };
    let answer = soon(wait, || app.world().downlinks.first_answer(id).cloned()).await;
    let mut result = json!({"sent": true, "id": id, "answered": answer.is_some(), "answer": answer});
    if question == "query_prodprice"
        && let Some(answer) = &answer
        && json::whole(answer, "state") == Ok(Some(0))
    {
        result["shown"] = shown_errmsg(&json::text(answer, "errmsg").unwrap_or_default()).into();
    }
    Ok(result)
}

/// What the page makes of a refused card price: the text up to the first underscore, URL-decoded.
fn shown_errmsg(text: &str) -> String {
    let cut = text.split('_').next().unwrap_or_default();
    let mut bytes = Vec::new();
    let mut rest = cut.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let code = code.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        let (byte, length) = match (first, code) {
            (b'%', Some(code)) => (code, 3),
            (b'+', _) => (b' ', 1),
            _ => (*first, 1),
        };
        bytes.push(byte);
        rest = &rest[length..];
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn soon<T>(wait: Duration, look: impl Fn() -> Option<T>) -> Option<T> {
    let end = tokio::time::Instant::now() + wait;
    loop {
        if let Some(found) = look() {
            return Some(found);
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
            Some(Platform::Etcp) => world.etcp.kill_tokens(),
            Some(Platform::Union) => return Err(bad("token_kill: the open API has no tokens")),
            None => return Err(bad(format!("platform: {}", Platform::EXPECTED))),
        };
        return Ok(json!({"killed": killed}));
    }
    world.faults.add(request).map_err(bad)?;
    Ok(json!({"faults": world.faults.shown()}))
}

async fn clear_faults(State(app): State<Arc<App>>, Query(parameters): Parameters) -> Response {
    let mut world = app.world();
    let named = |name: &str| parameters.get(name).map(String::as_str);
    let cleared = world.faults.clear(named("platform"), named("kind")).map_err(bad);
    reply(cleared.map(|()| json!({"faults": world.faults.shown()})))
}
