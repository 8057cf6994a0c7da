//! Bolink's open HTTP API: one signed call a request. What the tables of the catalogue ask for is checked by them; each
//! call is a row here.

mod city;
mod etc;
mod invoices;
mod money;
mod orders;
mod parks;

pub use money::{move_packet, repair, settle};
pub use orders::{at, senseless};

use crate::app::App;
use crate::faults::Platform::Union as Here;
use crate::http::{answer, faults_after, faults_before};
use crate::json::{self, Members};
use crate::signed::{self, Parts};
use crate::world::World;
use crate::{clock, log};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use parklink::catalogue::{self, Interface, Side, validate};
use parklink::wire::sign;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// The open API's own state.
#[derive(Default)]
pub struct Union {
    /// Lots that were published and are not approved yet.
    pub unapproved: BTreeSet<String>,
    /// Lots that were disabled.
    disabled: BTreeSet<String>,
    /// The nonce a vendor last used.
    rands: BTreeMap<String, String>,
    /// Payments ordered, by the vendor's serial.
    pub charges: BTreeMap<String, money::Charge>,
    invoices: BTreeMap<String, invoices::Invoice>,
    /// Plates the city refuses, with the reason.
    pub city: BTreeMap<String, i64>,
}

impl Union {
    /// Adds what is not a count.
    pub fn show(&self, into: &mut Value) {
        into["unapproved"] = json!(self.unapproved);
        into["disabled"] = json!(self.disabled);
        into["charges"] = self.charges.iter().map(|(serial, charge)| (serial.clone(), charge.shown())).collect();
        into["invoices"] = self.invoices.iter().map(|(number, invoice)| (number.clone(), invoice.shown())).collect();
        into["city"] = json!(self.city);
    }
}

/// How a section words its outcome.
#[derive(Clone, Copy)]
enum Words {
    /// `state` 1 or 0, with `errmsg`.
    State,
    /// `code`: of success, of failure; with `message`.
    Code(i64, i64),
    /// `code` 1 or 0, with the state in a text inside `data`.
    Nested,
}

/// A call that passed the checks of the envelope.
pub struct Call<'a> {
    world: &'a mut World,
    /// The lot it is about; empty for calls about none.
    lot: String,
    union_id: String,
    data: &'a Members,
}

impl Call<'_> {
    fn text(&self, name: &str) -> String {
        json::filled(self.data, name).unwrap_or_default()
    }

    fn whole(&self, name: &str) -> Option<i64> {
        json::whole(self.data, name).ok().flatten()
    }

    fn echo(&self, name: &str) -> Value {
        self.data.get(name).cloned().unwrap_or(Value::Null)
    }

    fn fen(&self, name: &str) -> Result<i64, String> {
        json::fen(&self.text(name)).filter(|fen| *fen >= 0).ok_or_else(|| format!("{name}金额格式错误"))
    }

    /// Which rows of a list are asked for: page and size, and the page's number.
    fn page(&self) -> (usize, usize) {
        let page = self.whole("page").unwrap_or(1).max(1) as usize;
        let size = self.whole("size").unwrap_or(20).clamp(1, 100) as usize;
        (page, size)
    }

    /// An address for results; nothing when none was given.
    fn notify_url(&self) -> Result<Option<String>, String> {
        match json::filled(self.data, "notify_url") {
            Some(url) if !url.starts_with("http://") && !url.starts_with("https://") => {
                Err("notify_url必须以http或https开头".into())
            }
            Some(url) if url.contains('?') => Err("notify_url不能带参数".into()),
            url => Ok(url),
        }
    }
}

/// What a call gives: members beside the words of success, or why not.
type Done = Result<Value, String>;

/// What carries a call out.
type Run = fn(&mut Call) -> Done;

/// Calls by their name in the catalogue, the words of their section, and what they do.
const CALLS: &[(&str, Words, Run)] = &[
    ("union.addpark", Words::State, parks::add),
    ("union.updatepark", Words::State, parks::update),
    ("union.getqrcodecloud", Words::State, parks::code),
    ("union.setUp", Words::State, parks::set_up),
    ("union.lsregister", Words::State, parks::register),
    ("union.addorder", Words::State, orders::enter),
    ("union.updateorder", Words::State, orders::leave),
    ("union.paymonthcard", Words::State, money::month_card),
    ("union.bolinkparkpay", Words::State, money::short_stay),
    ("union.lsaccountsplit", Words::State, parks::split),
    ("union.lsbind", Words::State, parks::bind),
    ("union.etcPayApi", Words::State, etc::pay),
    ("union.queryescape", Words::State, orders::escaped),
    ("union.bolinkescapePay", Words::State, money::escaped),
    ("union.getWxRedPacketUrlNew", Words::State, money::red_packet),
    ("union.uploaddurationinfo", Words::State, orders::charging),
    ("union.queryorders", Words::State, orders::past),
    ("union.refund", Words::State, money::refund),
    ("union.queryOrderState", Words::State, money::payment_state),
    ("union.querywithDrawList", Words::State, money::withdrawals),
    ("union.addInvoiceOrder", Words::State, invoices::add),
    ("union.invoiceInfo", Words::Code(200, 500), invoices::issuer),
    ("union.openInvoice", Words::Code(0, 1), invoices::open),
    ("union.queryOpenInvoiceStatus", Words::Code(0, 1), invoices::state),
    ("union.personRecord", Words::Nested, city::person),
    ("union.correct_business", Words::State, city::correct),
    ("union.parking_business_count", Words::State, city::count),
    ("union.parking_business_list", Words::State, city::list),
    ("union.park_check", Words::State, city::check),
    ("union.get_screen_str", Words::State, city::screen),
    ("union.get_vip_vehicle_list", Words::State, city::passes),
];

/// The routes.
pub fn router(app: Arc<App>) -> Router {
    const MOST_BYTES: usize = 1 << 20;
    Router::new()
        .route("/web/parkingos/gettoken", get(parks::onboarding_page))
        .route("/unionapi/getlicence", get(licence))
        .route("/unionapi/t", get(pay_page))
        .route("/{*path}", post(call))
        .layer(DefaultBodyLimit::max(MOST_BYTES))
        .with_state(app)
}

async fn call(State(app): State<Arc<App>>, Path(path): Path<String>, body: Bytes) -> Response {
    let path = format!("/{path}");
    let parts: Parts = serde_json::from_slice(&body).unwrap_or_default();
    let (signed, data) = signed::data(&parts);
    let service = data["service_name"].as_str();
    let found = CALLS.iter().find_map(|(id, words, run)| {
        let interface = catalogue::by_id(id)?;
        let is_it =
            interface.wire_name == Some(&path) && (interface.service == service || !path.ends_with("/uploadData"));
        is_it.then_some((interface, *words, *run))
    });
    let Some((interface, words, run)) = found else {
        let known = path.ends_with("/uploadData");
        app.world().counts.add(Here, format!("unknown_calls.{path}"));
        return match known {
            true => answer(StatusCode::OK, refusal(Words::State, "没有正确的service_name").to_string()),
            false => answer(StatusCode::NOT_FOUND, ""),
        };
    };
    let name = interface.service.unwrap_or_default();
    if let Some(response) = faults_before(&app, Here, name).await {
        return response;
    }
    let reply = {
        let mut world = app.world();
        world.counts.add(Here, format!("requests.{name}"));
        log::message("union", || format!("<- {path} {signed}"));
        let mut reply = match checked(&mut world, interface, words, &parts, &signed, &data) {
            Ok((lot, union_id, data)) => {
                let done = run(&mut Call { world: &mut world, lot, union_id, data });
                worded(&mut world, words, done)
            }
            Err(text) => worded(&mut world, words, Err(text)),
        };
        complete(interface, &data, &mut reply);
        log::event("union", || format!("{name}: {}", outcome(&reply)));
        reply
    };
    faults_after(&app, Here, name, reply.to_string()).await
}

fn outcome(reply: &Value) -> String {
    let text = |name: &str| json::value_text(&reply[name]).unwrap_or_default();
    [text("state"), text("code"), text("errmsg"), text("message")].join(" ").trim().to_owned()
}

fn refusal(words: Words, text: &str) -> Value {
    match words {
        Words::State => json!({"state": 0, "errmsg": text}),
        Words::Code(_, failed) => json!({"code": failed, "message": text}),
        Words::Nested => {
            json!({"code": 0, "data": json!({"state": 0, "message": text}).to_string(), "message": text})
        }
    }
}

/// The answer in the words of its section.
fn worded(world: &mut World, words: Words, done: Done) -> Value {
    let more = match done {
        Ok(more) => more,
        Err(text) => {
            world.counts.add(Here, format!("refusals.{text}"));
            return refusal(words, &text);
        }
    };
    let mut reply = match words {
        Words::State => json!({"state": 1, "errmsg": "success"}),
        Words::Code(good, _) => json!({"code": good, "message": "success"}),
        Words::Nested => {
            json!({"code": 1, "data": json!({"state": 1, "message": "上报成功"}).to_string(), "message": "成功"})
        }
    };
    if let (Value::Object(reply), Value::Object(more)) = (&mut reply, more) {
        reply.extend(more.into_iter().filter(|(_, value)| !value.is_null()));
    }
    reply
}

/// Members that the reply must have, refused or not, and that the request named: they are echoed.
fn complete(interface: &Interface, data: &Value, reply: &mut Value) {
    for field in interface.reply_fields.iter().filter(|field| field.required.always()) {
        if reply.get(field.path).is_none()
            && let Some(value) = data.get(field.path).filter(|value| !value.is_object() && !value.is_array())
        {
            reply[field.path] = value.clone();
        }
    }
}

type Checked<'a> = Result<(String, String, &'a Members), String>;

/// Envelope, vendor, signature, table, lot, in this order.
fn checked<'a>(
    world: &mut World,
    interface: &Interface,
    words: Words,
    parts: &Parts,
    signed: &str,
    data: &'a Value,
) -> Checked<'a> {
    let members = data.as_object().ok_or("data error")?;
    let sign = signed::text(parts, "sign").ok_or("未识别到sign标记")?;
    let stands_beside = interface.union_id_beside || matches!(words, Words::Nested);
    let union_id = match stands_beside {
        true => signed::text(parts, "union_id"),
        false => json::filled(members, "union_id"),
    };
    let union_id = union_id.ok_or("未识别到union_id标记")?;
    let vendor = world.lots.iter().find(|lot| lot.union_id == union_id);
    let key = vendor.map(|lot| lot.ukey.clone()).ok_or("厂商不存在")?;
    if sign::keyed(signed, &key) != sign {
        return Err("签名错误".into());
    }
    if matches!(words, Words::Nested) {
        for name in ["platform_name", "timestamp"] {
            signed::text(parts, name).ok_or_else(|| format!("缺少必填字段{name}"))?;
        }
    }
    if let Some(problem) = validate(interface, &members.clone().into(), Side::Request).first() {
        return Err(format!("参数错误：{problem}"));
    }
    let lot = json::filled(members, "park_id").unwrap_or_default();
    let is_new = interface.id == "union.addpark";
    if !lot.is_empty() && !is_new {
        let ours = world.lot(&lot).is_some_and(|lot| lot.union_id == union_id);
        if !ours {
            return Err("车场不存在".into());
        }
        if world.union.unapproved.contains(&lot) {
            return Err("车场未审核".into());
        }
        if world.union.disabled.contains(&lot) && interface.id != "union.updatepark" {
            return Err("车场已停用".into());
        }
    }
    let service = interface.service.unwrap_or_default();
    if world.faults.hit(Here, "code", service).is_some() {
        return Err("sandbox fault".into());
    }
    Ok((lot, union_id, members))
}

/// The plate of a car without one, for charging platforms: the browser is who it is.
async fn licence(
    State(app): State<Arc<App>>,
    Query(query): Query<HashMap<String, String>>,
    head: HeaderMap,
) -> Response {
    if let Some(response) = faults_before(&app, Here, "getlicence").await {
        return response;
    }
    app.world().counts.add(Here, "requests.getlicence");
    let Some(to) = query.get("redirectUrl").filter(|to| to.starts_with("http")) else {
        return answer(StatusCode::BAD_REQUEST, "redirectUrl");
    };
    let agent = head.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let plate: String = sign::keyed(agent, "licence").chars().take(7).collect();
    let joint = if to.contains('?') { '&' } else { '?' };
    let mut response = answer(StatusCode::FOUND, "");
    if let Ok(location) = format!("{to}{joint}licence={plate}").parse() {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// The page behind a payment address: who opens it pays.
async fn pay_page(State(app): State<Arc<App>>, Query(query): Query<HashMap<String, String>>) -> Response {
    let serial = query.get("p").cloned().unwrap_or_default();
    match settle(&mut app.world(), &serial, true) {
        Ok(_) => answer(StatusCode::OK, json!({"state": 1, "pay_time": clock::seconds()}).to_string()),
        Err(text) => answer(StatusCode::NOT_FOUND, json!({"state": 0, "errmsg": text}).to_string()),
    }
}
