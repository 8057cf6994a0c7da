//! ETCP's open platform: ten signed calls, users and their plates, stays whose fee grows.

pub mod control;
mod parks;
mod stays;
mod users;

use crate::app::App;
use crate::digest::md5;
use crate::faults::Platform::Etcp as Here;
use crate::http::{answer, faults_after, faults_before};
use crate::json::{self, Members};
use crate::world::World;
use crate::{beijing, clock, log};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::Response;
use axum::routing::any;
use parklink::catalogue::{self, Interface, Rule, Side, validate};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A merchant.
#[derive(Debug, Clone)]
pub struct Merchant {
    /// Its number.
    pub number: String,
    /// Its key.
    pub key: String,
}

impl Default for Merchant {
    /// The document's.
    fn default() -> Self {
        Merchant { number: "9827c6b5c6d94485b912b6e90c92a7ae".into(), key: "noxxxxx".into() }
    }
}

/// How long a token lives: the two documents differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TokenLife {
    /// A day from the login.
    #[default]
    Day,
    /// Thirty days without use.
    Unused,
    /// So many seconds from the login, for tests.
    Seconds(i64),
}

/// ETCP's own state.
#[derive(Default)]
pub struct Etcp {
    /// Who may call.
    pub merchant: Merchant,
    /// How long tokens live.
    pub token_life: TokenLife,
    /// How far a time stamp may be off, in seconds.
    pub window: Option<i64>,
    /// How far ETCP's own clock is ahead. Time stamps go by the real one.
    ahead: i64,
    users: BTreeMap<String, users::User>,
    tokens: BTreeMap<String, users::Token>,
    parks: parks::Parks,
    stays: Vec<stays::Stay>,
    /// The merchant's payment numbers, which may never come again.
    external: BTreeMap<String, String>,
}

impl Etcp {
    /// The time here.
    pub fn now(&self) -> i64 {
        clock::seconds() + self.ahead
    }

    /// Every token dies.
    pub fn kill_tokens(&mut self) -> usize {
        std::mem::take(&mut self.tokens).len()
    }

    /// Forgets users and stays; who may call, the parks and the settings stay.
    pub fn forget(self) -> Self {
        Etcp {
            merchant: self.merchant,
            token_life: self.token_life,
            window: self.window,
            parks: self.parks,
            ..Etcp::default()
        }
    }

    /// Adds what is not a count.
    pub fn show(&self, into: &mut Value) {
        into["now"] = beijing::shown(self.now()).into();
        into["token_life"] = format!("{:?}", self.token_life).to_lowercase().into();
        into["users"] = self.users.iter().map(|(phone, user)| (phone.clone(), user.shown())).collect();
        into["tokens"] = self.tokens.len().into();
        into["parks"] = self.parks.shown(&self.stays);
        into["stays"] = self.stays.iter().map(|stay| stay.shown(self.now())).collect();
        into["external_orders"] = json!(self.external);
    }
}

/// The document's values, with its words.
const CODES: [(i64, &str); 16] = [
    (0, "ok"),
    (1, "失败"),
    (2, "服务器异常"),
    (3, "时间戳超时"),
    (4, "签名校验非法"),
    (5, "没有找到商户密钥"),
    (6, "参数错误"),
    (7, "更新订单失败"),
    (8, "生产订单失败"),
    (20100, "操作失败"),
    (20101, "无效token"),
    (20102, "缺少必要参数"),
    (20201, "手机号错误"),
    (20202, "获取验证码失败"),
    (20203, "手机验证码错误"),
    (20206, "支付金额与应付金额不匹配"),
];

/// A refusal: its value.
pub type Code = i64;

/// A call that passed all checks.
pub struct Call<'a> {
    etcp: &'a mut Etcp,
    data: &'a Members,
    /// The user, for calls with a token.
    phone: String,
}

impl Call<'_> {
    fn text(&self, name: &str) -> String {
        json::filled(self.data, name).unwrap_or_default()
    }
}

/// What a call gives: further members of the answer, or the value of its refusal.
type Done = Result<Value, Code>;

/// What carries a call out.
type Run = fn(&mut Call) -> Done;

/// Calls by their name in the catalogue.
const CALLS: [(&str, Run); 10] = [
    ("etcp.uservalidatecode", users::send_code),
    ("etcp.userlogin", users::log_in),
    ("etcp.usersignin", users::sign_in),
    ("etcp.bindcar", users::bind),
    ("etcp.unbindcar", users::unbind),
    ("etcp.orderhistory", stays::history),
    ("etcp.orderunpay", stays::fee),
    ("etcp.orderpaid", stays::paid),
    ("etcp.surroundingparking", parks::around),
    ("etcp.parkingstatus", parks::status),
];

/// The one version there is.
const VERSION: &str = "1.0.0";
/// How far a time stamp may be off where nothing else is set: the document gives no figure.
const WINDOW: i64 = 600;

/// The routes.
pub fn router(app: Arc<App>) -> Router {
    Router::new().route("/merchant/open/{version}/openapi/{name}", any(call)).with_state(app)
}

async fn call(
    State(app): State<Arc<App>>,
    method: Method,
    Path((version, name)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    head: HeaderMap,
    body: Bytes,
) -> Response {
    let id = format!("etcp.{name}");
    let found = CALLS.iter().find(|(known, _)| *known == id && version == VERSION);
    let Some((interface, run)) = found.and_then(|(id, run)| Some((catalogue::by_id(id)?, *run))) else {
        app.world().counts.add(Here, format!("unknown_calls.{version}/{name}"));
        return answer(StatusCode::NOT_FOUND, "");
    };
    if method.as_str() != interface.method {
        return answer(StatusCode::METHOD_NOT_ALLOWED, "");
    }
    if let Some(response) = faults_before(&app, Here, &name).await {
        return response;
    }
    let kind = head.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let form = match interface.method {
        "GET" => query.unwrap_or_default().into_bytes(),
        _ if kind.starts_with("application/x-www-form-urlencoded") => body.to_vec(),
        _ => Vec::new(),
    };
    let form: HashMap<String, String> = form_urlencoded::parse(&form).into_owned().collect();
    let text = handle(&mut app.world(), interface, run, &form);
    faults_after(&app, Here, &name, text).await
}

fn handle(world: &mut World, interface: &Interface, run: Run, form: &HashMap<String, String>) -> String {
    let name = interface.service.unwrap_or_default();
    world.counts.add(Here, format!("requests.{name}"));
    let done = checked(world, interface, form).and_then(|(data, phone)| {
        let mut call = Call { etcp: &mut world.etcp, data: &data, phone };
        run(&mut call)
    });
    let code = done.as_ref().err().copied().unwrap_or(0);
    let word = CODES.iter().find(|(known, _)| *known == code).map_or("", |(_, word)| word);
    let mut reply = json!({"code": code, "message": word});
    match done {
        Ok(Value::Object(more)) => reply.as_object_mut().into_iter().for_each(|reply| reply.extend(more.clone())),
        Ok(_) => {}
        Err(_) => world.counts.add(Here, format!("refusals.{code}")),
    }
    log::event("etcp", || format!("{name}: {code} {word}"));
    reply.to_string()
}

/// Merchant, time stamp, signature, members, token: in this order, which the document leaves open.
fn checked(
    world: &mut World,
    interface: &Interface,
    form: &HashMap<String, String>,
) -> Result<(Members, String), Code> {
    let given = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    if given("merchant_no") != world.etcp.merchant.number {
        return Err(5);
    }
    if given("time_stamp").is_empty() {
        return Err(20102);
    }
    let at = beijing::read_stamp(given("time_stamp")).ok_or(6)?;
    if (clock::seconds() - at).abs() > world.etcp.window.unwrap_or(WINDOW) {
        return Err(3);
    }
    let signed = format!("{}{}{}", given("data"), world.etcp.merchant.key, given("time_stamp"));
    if md5(&signed) != given("sign") {
        return Err(4);
    }
    let data: Members = serde_json::from_str(given("data")).map_err(|_| 6)?;
    let problems = validate(interface, &data.clone().into(), Side::Request);
    let is_missing = |rule: &Rule| matches!(rule, Rule::Required(_) | Rule::NotBlank);
    // A text of blanks is no text.
    let blank =
        interface.fields.iter().any(|field| field.required.always() && json::filled(&data, field.path).is_none());
    if blank || problems.iter().any(|problem| is_missing(&problem.rule)) {
        return Err(20102);
    }
    if !problems.is_empty() {
        return Err(6);
    }
    let name = interface.service.unwrap_or_default();
    let mut phone = String::new();
    if interface.fields.iter().any(|field| field.path == "token") {
        // The library's own table does not ask for it: there the library fills it in.
        let token = json::filled(&data, "token").ok_or(20102)?;
        phone = world.etcp.user_of(&token).ok_or(20101)?;
    }
    match world.faults.hit(Here, "code", name) {
        Some(code) => Err(code),
        None => Ok((data, phone)),
    }
}
