//! The link to ETCP's open platform: signed forms, users whose tokens the link keeps and renews, payments made once.

pub mod codes;
mod ledger;
pub mod rules;
mod users;

use self::ledger::{Ledger, Paid};
use self::users::{Users, Way, Whose};
use super::dial::Cancel;
use super::health::Health;
use super::http::Client;
use super::{Link, Members, Pending, Request, shown};
use crate::catalogue::{Interface, Platform};
use crate::config::Config;
use crate::error::{Code, Error, Fate, Result, UNSAID};
use crate::json::{self, Value, members};
use crate::log::{Level, Log};
use crate::wire::{form, sign};
use chrono::{FixedOffset, Utc};
use std::sync::Arc;
use std::time::{Duration, Instant};

const FORM: &str = "application/x-www-form-urlencoded;charset=utf-8";

const TEST: &str = "http://mapi.test.etcp.cn";
const PRODUCTION: &str = "https://mapi.etcp.cn";

/// The refusal that a new token cures.
const INVALID_TOKEN: i64 = 20101;

const PAYMENT: &str = "etcp.orderpaid";

/// The call that logs in without the user.
const JOINT_LOGIN: &str = "etcp.usersignin";

/// The link.
pub struct EtcpLink {
    client: Client,
    cancel: Arc<Cancel>,
    health: Health,
    base: String,
    version: String,
    merchant_no: String,
    key: String,
    /// The user that calls are made for when they name none.
    phone: Option<String>,
    app_id: Option<String>,
    token_life: Duration,
    code_pause: Duration,
    users: Users,
    ledger: Ledger,
    log: Arc<Log>,
}

impl EtcpLink {
    /// Opens it; nothing is sent before the first call.
    pub fn open(config: &Config, log: Arc<Log>) -> Result<EtcpLink> {
        let cancel = Arc::<Cancel>::default();
        let client = Client::new(config, config.millis("etcp.connect_timeout_ms"), log.clone(), cancel.clone())?;
        let base = match config.text("etcp.base").unwrap_or_default() {
            word if word.eq_ignore_ascii_case("test") => TEST,
            word if word.eq_ignore_ascii_case("production") => PRODUCTION,
            url => url.trim_end_matches('/'),
        };
        client.target(base, FORM)?;
        let text = |key| config.text(key).map(str::to_owned);
        let seconds = |key| Duration::from_secs(config.number(key).unsigned_abs());
        Ok(EtcpLink {
            client,
            cancel,
            health: Health::default(),
            base: base.to_owned(),
            version: config.word("etcp.version").to_owned(),
            merchant_no: text("etcp.merchant_no").unwrap_or_default(),
            key: text("etcp.merchant_key").unwrap_or_default(),
            phone: text("etcp.phone"),
            app_id: text("etcp.app_id"),
            token_life: seconds("etcp.token_life_s"),
            code_pause: seconds("etcp.code_interval_s"),
            users: Users::default(),
            ledger: Ledger::default(),
            log,
        })
    }

    fn call(&self, interface: &'static Interface, mut data: Members, deadline: Instant) -> Result<Members> {
        let phone = text(&data, "mobilePhone");
        match interface.id {
            "etcp.uservalidatecode" => self.send_code(interface, &phone.unwrap_or_default(), &data, deadline),
            "etcp.userlogin" | JOINT_LOGIN => {
                let reply = self.ask(interface, &data, deadline)?;
                let way = match interface.id {
                    JOINT_LOGIN => Way::Joint { app_id: text(&data, "appId").unwrap_or_default() },
                    _ => Way::ByCode,
                };
                self.keep(&phone.unwrap_or_default(), &reply, way);
                Ok(reply)
            }
            _ if interface.fields.iter().any(|field| field.path == "token") => {
                data.remove("mobilePhone");
                self.call_as_user(interface, data, phone, deadline)
            }
            _ => self.ask(interface, &data, deadline),
        }
    }

    fn send_code(&self, interface: &Interface, phone: &str, data: &Members, deadline: Instant) -> Result<Members> {
        self.users.book_code(phone, self.code_pause).map_err(|wait| {
            let message = format!(
                "a code was sent to this phone less than {} s ago (ETCP 8.1 allows one a minute): try again in {} s; nothing was sent",
                self.code_pause.as_secs(),
                wait.as_secs() + 1
            );
            Error { wait: Some(wait), ..Error::new(Code::RateLimited, message) }
        })?;
        let outcome = self.ask(interface, data, deadline);
        let may_be_sent = match &outcome {
            Ok(reply) => code(reply) == Some(0),
            Err(error) => error.fate() == Fate::Unknown,
        };
        if !may_be_sent {
            self.users.free_code(phone);
        }
        outcome
    }

    fn keep(&self, phone: &str, reply: &Members, way: Way) {
        if let Some(token) = token_of(reply) {
            self.log.protect(&token);
            self.users.keep(phone, &token, way);
        }
    }

    /// A call that carries a token: the user's, renewed when it is old or refused.
    fn call_as_user(
        &self,
        interface: &Interface,
        mut data: Members,
        phone: Option<String>,
        deadline: Instant,
    ) -> Result<Members> {
        let given = text(&data, "token");
        let phone = phone.or_else(|| self.phone.clone().filter(|_| given.is_none()));
        let whose = self.users.whose(given.as_deref(), phone.as_deref());
        let token = self.token(&whose, deadline)?;
        let mut payment = None;
        if interface.id == PAYMENT {
            let amount = text(&data, "payment").map_or(Value::Null, Value::from);
            data.insert("payment", amount);
            payment = Some(self.ledger.book(&data)?);
        }
        let asked = Instant::now();
        let ask = |data: &Members| {
            let outcome = self.ask(interface, data, deadline);
            if let Some(payment) = &payment {
                payment.note(Paid::of(&outcome));
            }
            outcome
        };
        data.insert("token", Value::from(token.as_str()));
        let mut reply = ask(&data)?;
        if code(&reply) == Some(INVALID_TOKEN)
            && let Whose::Known { phone, way, .. } = &whose
            && let Some(token) = self.next_token(phone, way, &token, deadline)?
        {
            data.insert("token", Value::from(token));
            reply = ask(&data)?;
        }
        if interface.id == "etcp.orderunpay" && code(&reply) == Some(0) {
            self.ledger.note_fees(&reply, asked);
        }
        Ok(reply)
    }

    /// The token to start with.
    fn token(&self, whose: &Whose, deadline: Instant) -> Result<String> {
        match whose {
            Whose::Foreign(token) => Ok(token.clone()),
            Whose::Known { phone, token, age, way } => {
                let is_old = !self.token_life.is_zero() && *age > self.token_life;
                match self.app_id_for(phone, Some(way)).filter(|_| is_old) {
                    Some(app_id) => self.log_in(phone, &app_id, Some(token), deadline),
                    None => Ok(token.clone()),
                }
            }
            Whose::Absent(phone) => match self.app_id_for(phone, None) {
                Some(app_id) => self.log_in(phone, &app_id, None, deadline),
                None => {
                    let message = "mobilePhone: this user is not logged in: do it with a code (ETCP 8.1, 8.2) or, where you vouch for the number, by joint login (8.3)";
                    Err(Error::new(Code::Invalid, message))
                }
            },
            Whose::Unsaid(users) => {
                let message =
                    format!("token: {users} users are logged in and the call names none: give token or mobilePhone");
                Err(Error::new(Code::Invalid, message))
            }
        }
    }

    /// The token to try after ETCP refused `stale`; `None` when only the user can get one.
    fn next_token(&self, phone: &str, way: &Way, stale: &str, deadline: Instant) -> Result<Option<String>> {
        if let Whose::Known { token, .. } = self.users.whose(None, Some(phone))
            && token != stale
        {
            return Ok(Some(token));
        }
        let Some(app_id) = self.app_id_for(phone, Some(way)) else { return Ok(None) };
        self.log_in(phone, &app_id, Some(stale), deadline).map(Some)
    }

    /// The channel number to log a user in with, when that is ours to do: the merchant has vouched for the phone, by a
    /// joint login or in the configuration.
    fn app_id_for(&self, phone: &str, way: Option<&Way>) -> Option<String> {
        match way {
            Some(Way::Joint { app_id }) => Some(app_id.clone()),
            _ if self.phone.as_deref() == Some(phone) => self.app_id.clone(),
            _ => None,
        }
    }

    /// Joint login, once for all calls that wait for it. No plate goes with it: whether that binds it is not documented.
    fn log_in(&self, phone: &str, app_id: &str, stale: Option<&str>, deadline: Instant) -> Result<String> {
        if self.users.may_renew(phone, stale, deadline) {
            let outcome = self.sign_in(phone, app_id, deadline);
            self.users.renewed(phone);
            // Also when nothing is known of the login: the call itself was not sent.
            let unsent = |error: Error| match error.fate() {
                Fate::Unknown => Error::new(Code::Offline, format!("{}; the call was not sent", error.message)),
                _ => error,
            };
            let token = outcome.map_err(unsent)?;
            self.log.info(format_args!("etcp: a user was logged in again"));
            // Perhaps the one of before: whether a login makes a new one after its day is not documented.
            return Ok(token);
        }
        match self.users.whose(None, Some(phone)) {
            Whose::Known { token, .. } if Some(token.as_str()) != stale => Ok(token),
            _ => {
                Err(Error::new(Code::Offline, "the login of this user was not renewed in time; the call was not sent"))
            }
        }
    }

    fn sign_in(&self, phone: &str, app_id: &str, deadline: Instant) -> Result<String> {
        let interface = crate::catalogue::by_id(JOINT_LOGIN)
            .ok_or_else(|| Error::new(Code::Internal, "the catalogue has no joint login"))?;
        let data = members! {"mobilePhone": phone, "appId": app_id};
        let reply = self.ask(interface, &data, deadline)?;
        self.keep(phone, &reply, Way::Joint { app_id: app_id.to_owned() });
        match code(&reply) {
            Some(0) => token_of(&reply).ok_or_else(|| {
                Error::new(
                    Code::LoginRefused,
                    "ETCP answered the joint login (8.3) without a token; the call was not sent",
                )
            }),
            code => {
                let said = text(&reply, "message").unwrap_or_default();
                let why = codes::explain(code.unwrap_or(-1), &said);
                Err(Error::new(Code::LoginRefused, format!("ETCP refused the joint login (8.3): {why}")))
            }
        }
    }

    /// One signed exchange.
    fn ask(&self, interface: &Interface, data: &Members, deadline: Instant) -> Result<Members> {
        let unsupported = || Error::new(Code::Unsupported, format!("{}: it has no address", interface.id));
        let path = interface.wire_name.ok_or_else(unsupported)?.replace("{version}", &self.version);
        let target = self.client.target(&format!("{}{path}", self.base), FORM)?;
        let is_traced = self.log.is_on(Level::Trace);
        if is_traced {
            let mut told = data.clone();
            // The code of a text message; in a reply the same name is the outcome.
            if told.contains_key("code") {
                told.insert("code", Value::from("***"));
            }
            self.log.trace(format_args!("etcp > {} {}", interface.id, shown(&told)));
        }
        let data = Value::Object(data.clone()).to_string();
        let time_stamp = time_stamp();
        let sign = sign::etcp_call(&data, &self.key, &time_stamp);
        let form = form::text(&[
            ("merchant_no", &self.merchant_no),
            ("time_stamp", &time_stamp),
            ("sign", &sign),
            ("data", &data),
        ]);
        let answered = match interface.method {
            "GET" => self.client.get(&target, &form, deadline),
            _ => self.client.post(&target, &form, deadline),
        };
        let reply = answered.and_then(|response| {
            // No HTTP status is tied to an error: where the body says what is wrong in the document's words, it is believed.
            // A yes is not, and the numbers of a gateway are none of ETCP's.
            let is_success = (200..300).contains(&response.status);
            let is_documented =
                |reply: &Members| code(reply).is_some_and(|code| code != 0 && codes::of(code).is_some());
            match read(interface, &response.body) {
                Ok(reply) if is_success || is_documented(&reply) => Ok(reply),
                outcome => response.ok().and(outcome),
            }
        });
        self.health.note(&reply);
        if let Ok(reply) = &reply
            && is_traced
        {
            self.log.trace(format_args!("etcp < {} {}", interface.id, shown(reply)));
        }
        reply
    }
}

/// Now in Beijing, whatever the host's zone: the document names none, and means China's.
fn time_stamp() -> String {
    const BEIJING: i32 = 8 * 3600;
    let now = Utc::now();
    match FixedOffset::east_opt(BEIJING) {
        Some(zone) => now.with_timezone(&zone).format("%Y%m%d%H%M%S").to_string(),
        None => now.format("%Y%m%d%H%M%S").to_string(),
    }
}

/// A text, or a number as it is written; nothing when it is empty.
fn text(data: &Members, name: &str) -> Option<String> {
    match data.get(name)? {
        Value::String(text) => Some(text.to_string()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn code(reply: &Members) -> Option<i64> {
    let text = text(reply, "code")?;
    // Some libraries write every number with a fraction.
    let whole =
        text.split_once('.').filter(|(_, rest)| rest.bytes().all(|digit| digit == b'0')).map(|(whole, _)| whole);
    whole.unwrap_or(&text).parse().ok()
}

/// The token of a login that succeeded.
fn token_of(reply: &Members) -> Option<String> {
    text(reply.get("data")?.as_object()?, "token").filter(|_| code(reply) == Some(0))
}

/// A reply; of a refusal `errmsg` tells the name of the value and what to do, `error` both apart.
fn read(interface: &Interface, body: &[u8]) -> Result<Members> {
    let wrong = |why: &str| Error::new(Code::Protocol, format!("{}: ETCP answered {why}", interface.id));
    let Some(mut reply) = json::members_of(body) else {
        return Err(wrong("what is no JSON object"));
    };
    let code = code(&reply).ok_or_else(|| wrong(&format!("without code{UNSAID}")))?;
    if code != 0 {
        let said = text(&reply, "message").unwrap_or_default();
        reply.insert("errmsg", Value::from(codes::explain(code, &said)));
        if let Some(meaning) = codes::of(code) {
            let error = members! {"name": meaning.name, "advice": meaning.advice, "retryable": meaning.is_retryable};
            reply.insert("error", error);
        }
    }
    Ok(reply)
}

impl Link for EtcpLink {
    fn platform(&self) -> Platform {
        Platform::Etcp
    }

    fn begin<'a>(&'a self, request: Request) -> Result<Pending<'a>> {
        if self.cancel.is_cancelled() {
            return Err(Error::new(Code::Closed, "the handle was closed"));
        }
        let Some(interface) = request.interface else {
            let message = format!("{}: no such call is in ETCP's document; nothing was sent", request.service);
            return Err(Error::new(Code::Unsupported, message));
        };
        Ok(Box::new(move || self.call(interface, request.data.to_members(), request.deadline)))
    }

    fn status(&self) -> Members {
        let mut status = self.health.status();
        status.insert("users", Value::from(self.users.count()));
        status
    }

    fn is_up(&self) -> bool {
        !self.cancel.is_cancelled()
    }

    fn shut(&self) {
        self.cancel.cancel();
        self.client.break_off();
        self.health.close();
    }
}
