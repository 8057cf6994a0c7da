//! What a received body is: whose, whether its signature is right, which event it is, whether it is fresh.

use crate::catalogue::{self, Interface, Platform};
use crate::config::Config;
use crate::json::Value;
use crate::link::Members;
use crate::wire::envelope::{self, Fault};
use crate::wire::push::{self, Reading};
use chrono::{DateTime, FixedOffset, NaiveDateTime, Utc};

/// Members with the time at which a push was made, where they are signed with it.
const TIMES: [(&str, &str); 3] =
    [("etcp.car_in", "pushTime"), ("etcp.car_out", "pushTime"), ("union.nolicence_in_park", "timetemp")];

/// Pushes that come without their name when they have an address of their own, and members that no other push has.
const NAMELESS: [(&str, &[&str]); 2] =
    [("notice_car_owner", &["is_union_user", "order_id"]), ("get_inpark_image", &["comid", "orderid"])];

/// Paths, and what pushes are checked with.
pub struct Keys {
    union: Option<String>,
    union_id: Option<Value>,
    etcp: Option<(String, String)>,
    union_path: String,
    etcp_path: String,
    reading: Reading,
    max_age_s: i64,
}

/// A push to hand on.
#[derive(Debug)]
pub struct Push {
    pub message: Members,
    pub interface: Option<&'static Interface>,
}

/// Why a push is not handed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It is not what the document says.
    Shape(String),
    /// No signature, or a wrong one.
    Signature(&'static str),
    /// Signed, but at another time than now.
    Stale(String),
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Shape(why) => Refusal::Shape(why.to_owned()),
            Fault::Unsigned => Refusal::Signature("the signature is missing"),
            Fault::Forged => Refusal::Signature("the signature is wrong"),
        }
    }
}

impl Keys {
    /// By the configuration.
    pub fn new(config: &Config) -> Keys {
        let text = |key: &str| config.text(key).map(str::to_owned);
        let path = |key: &str| config.word(key).trim_end_matches('/').to_owned();
        Keys {
            union: text("ukey"),
            union_id: text("union_id").map(Value::from),
            etcp: text("etcp.merchant_no").zip(text("etcp.merchant_key")),
            union_path: path("listen.union_path"),
            etcp_path: path("listen.etcp_path"),
            reading: Reading::named(config.word("listen.etcp_sign")),
            max_age_s: config.number("listen.max_age_s"),
        }
    }

    /// The platform that a path is for, and the name that follows it: an address of its own names its push.
    pub fn platform<'a>(&self, path: &'a str) -> Option<(Platform, &'a str)> {
        let below = |base: &str| match path.strip_prefix(base)?.strip_prefix('/') {
            Some(name) => (!name.contains('/')).then_some(name),
            None => (path.len() == base.len() || path == "/").then_some(""),
        };
        let union = || below(&self.union_path).filter(|_| self.union.is_some());
        let etcp = || below(&self.etcp_path).filter(|name| name.is_empty() && self.etcp.is_some());
        // ETCP's path has nothing below it, and may itself lie below the other.
        etcp().map(|name| (Platform::Etcp, name)).or_else(|| union().map(|name| (Platform::Union, name)))
    }

    /// Reads a push.
    pub fn read(&self, platform: Platform, name: &str, body: &str, is_form: bool) -> Result<Push, Refusal> {
        let push = match platform {
            Platform::Etcp => self.read_etcp(body, is_form)?,
            _ => self.read_union(name, body)?,
        };
        self.check_age(&push)?;
        Ok(push)
    }

    fn read_union(&self, name: &str, body: &str) -> Result<Push, Refusal> {
        let key = self.union.as_deref().unwrap_or_default();
        let envelope::Received { data, mut beside } = envelope::read(body, key)?;
        // It stands outside of what is signed, and several vendors may be sent to one address.
        if let (Some(own), Some(told)) = (&self.union_id, beside.get("union_id").filter(|told| !told.is_null()))
            && !catalogue::same_value(told, own)
        {
            return Err(Refusal::Shape("union_id is another vendor's: this push is not for this address".to_owned()));
        }
        let named = [data.get("service_name"), beside.get("service_name")].into_iter().flatten();
        let told = named.filter_map(Value::as_str).map(str::trim).find(|told| !told.is_empty()).map(str::to_owned);
        let service = told.or_else(|| (!name.is_empty()).then(|| name.to_owned())).or_else(|| recognise(&data));
        let Some(service) = service else {
            let why = "data has no service_name: let the platform push to an address that ends with it, as /union/plat_escape_order";
            return Err(Refusal::Shape(why.to_owned()));
        };
        beside.remove("service_name");
        let mut message = Members::new();
        message.insert("service_name", Value::from(service.as_str()));
        message.extend(beside);
        message.insert("data", data);
        let interface = catalogue::downlink(Platform::Union, &service, &message);
        Ok(Push { message, interface: interface.filter(|interface| interface.platform == Platform::Union) })
    }

    fn read_etcp(&self, body: &str, is_form: bool) -> Result<Push, Refusal> {
        let (number, key) = self.etcp.as_ref().map_or(("", ""), |(number, key)| (number, key));
        let members = push::read(body, is_form, self.reading, number, key)?;
        if !members.contains_key("synId") {
            return Err(Refusal::Shape("the push has no synId".to_owned()));
        }
        // The push names no service: one with an exit is an exit.
        let is_exit = members.get("exitTime").is_some_and(|time| !time.is_null() && *time != "");
        let service = if is_exit { "car_out" } else { "car_in" };
        let mut message = Members::new();
        message.insert("service_name", Value::from(service));
        message.extend(members);
        let interface = catalogue::downlink(Platform::Etcp, service, &message);
        Ok(Push { message, interface })
    }

    fn check_age(&self, push: &Push) -> Result<(), Refusal> {
        let Some(interface) = push.interface.filter(|_| self.max_age_s > 0) else { return Ok(()) };
        let Some((_, member)) = TIMES.iter().find(|(id, _)| *id == interface.id) else { return Ok(()) };
        let members = interface.members(&push.message);
        let Some(told) = members.get(member).filter(|told| !told.is_null() && **told != "") else { return Ok(()) };
        let now = Utc::now().timestamp();
        match seconds(told) {
            Some(time) if now.abs_diff(time) <= self.max_age_s.unsigned_abs() => Ok(()),
            _ => Err(Refusal::Stale(format!(
                "{member} {told} is more than {} s from this machine's clock (listen.max_age_s)",
                self.max_age_s
            ))),
        }
    }
}

fn recognise(data: &Value) -> Option<String> {
    let fits = |members: &[&str]| members.iter().all(|member| data.get(member).is_some());
    NAMELESS.iter().find(|(_, members)| fits(members)).map(|(name, _)| (*name).to_owned())
}

/// Unix seconds of a time: a number of seconds, or a date and time in Beijing.
fn seconds(value: &Value) -> Option<i64> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    if let Ok(number) = text.parse::<i64>() {
        return Some(number);
    }
    let beijing = FixedOffset::east_opt(8 * 3600)?;
    let time = NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S").ok()?;
    let time: DateTime<FixedOffset> = time.and_local_timezone(beijing).single()?;
    Some(time.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::json;

    #[test]
    fn times_are_unix_seconds_or_beijings() {
        assert_eq!(seconds(&json!(1523275758)), Some(1523275758));
        assert_eq!(seconds(&json!("1523275758")), Some(1523275758));
        assert_eq!(seconds(&json!("2017-08-20 12:59:57")), Some(1503205197));
        assert_eq!(seconds(&json!("yesterday")), None);
        assert_eq!(seconds(&json!([])), None);
    }

    fn keys(union: &str, etcp: &str) -> Keys {
        Keys {
            union: Some("k".into()),
            union_id: None,
            etcp: Some(("n".into(), "k".into())),
            union_path: union.into(),
            etcp_path: etcp.into(),
            reading: Reading::Auto,
            max_age_s: 0,
        }
    }

    #[test]
    fn a_time_as_far_away_as_can_be_is_stale() {
        let keys = Keys { max_age_s: 1800, ..keys("/union", "/etcp") };
        let interface = catalogue::by_id("union.nolicence_in_park");
        let check = |time: i64| {
            let Value::Object(message) = json!({"service_name": "nolicence_in_park", "data": {"timetemp": time}})
            else {
                panic!("an object")
            };
            keys.check_age(&Push { message, interface })
        };
        let now = Utc::now().timestamp();
        assert_eq!(check(now), Ok(()));
        for time in [now - 3600, i64::MIN, i64::MIN + now - 2, i64::MAX] {
            assert!(matches!(check(time), Err(Refusal::Stale(_))), "{time}");
        }
    }

    #[test]
    fn paths() {
        let usual = keys("/union", "/etcp");
        for (path, expected) in [
            ("/union", Some((Platform::Union, ""))),
            ("/union/", Some((Platform::Union, ""))),
            ("/union/repair", Some((Platform::Union, "repair"))),
            ("/union/repair/x", None),
            ("/unions", None),
            ("/", None),
            ("/etcp", Some((Platform::Etcp, ""))),
            ("/etcp/x", None),
        ] {
            assert_eq!(usual.platform(path), expected, "{path}");
        }
        assert_eq!(keys("", "/etcp").platform("/"), Some((Platform::Union, "")));
        assert_eq!(keys("", "/etcp").platform("/etcp"), Some((Platform::Etcp, "")));
        assert_eq!(keys("", "/etcp").platform("/repair"), Some((Platform::Union, "repair")));
        assert_eq!(keys("/p", "/p/etcp").platform("/p/etcp"), Some((Platform::Etcp, "")));
        assert_eq!(keys("/p", "").platform("/p/repair"), Some((Platform::Union, "repair")));
    }
}
