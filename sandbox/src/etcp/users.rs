//! Users: codes, logins, plates (ETCP 8.1 to 8.5).

use super::{Call, Done, Etcp, TokenLife};
use crate::{beijing, clock, json};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const MINUTE: i64 = 60;
const DAY: i64 = 86400;
/// What a phone may hold at a time, and how many different ones within a month.
const MOST_PLATES: usize = 3;
const MOST_A_MONTH: usize = 4;

/// A plate: the same text in two colours is two plates.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Plate {
    /// Its text.
    pub text: String,
    /// Its colour: 1 blue, 2 black, 3 yellow, 4 white.
    pub colour: String,
}

/// A user: a phone.
#[derive(Default)]
pub struct User {
    code: Option<String>,
    code_sent: Option<i64>,
    plates: Vec<(Plate, bool)>,
    bound: Vec<(Plate, i64)>,
}

/// A login.
pub struct Token {
    phone: String,
    made: i64,
    used: i64,
}

impl User {
    /// What may be shown: the code too, for it is the text message.
    pub fn shown(&self) -> Value {
        let plates: Vec<Value> = self
            .plates
            .iter()
            .map(|(plate, ours)| json!({"plate": plate.text, "color": plate.colour, "ours": ours}))
            .collect();
        json!({"code": self.code, "code_sent": self.code_sent.map(beijing::shown), "plates": plates})
    }
}

impl Etcp {
    /// Whose token this is, if it lives; it is used by asking.
    pub fn user_of(&mut self, token: &str) -> Option<String> {
        let (now, life) = (self.now(), self.token_life);
        let found = self.tokens.get_mut(token)?;
        let lives = match life {
            TokenLife::Day => now - found.made < DAY,
            TokenLife::Unused => now - found.used < 30 * DAY,
            TokenLife::Seconds(seconds) => now - found.made < seconds,
        };
        if !lives {
            self.tokens.remove(token);
            return None;
        }
        found.used = now;
        Some(found.phone.clone())
    }

    /// A new token; the one before is dead.
    fn token(&mut self, phone: &str) -> String {
        let now = self.now();
        let hex = clock::token();
        let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
        let token = parts.join("-");
        self.tokens.retain(|_, old| old.phone != phone);
        self.tokens.insert(token.clone(), Token { phone: phone.to_owned(), made: now, used: now });
        token
    }

    /// Whether a plate belongs to a user of this merchant.
    pub fn is_ours(&self, text: &str) -> bool {
        self.users.values().any(|user| user.plates.iter().any(|(plate, ours)| *ours && plate.text == text))
    }

    /// Whether a plate is this user's.
    pub fn holds(&self, phone: &str, text: &str) -> bool {
        self.users.get(phone).is_some_and(|user| user.plates.iter().any(|(plate, _)| plate.text == text))
    }

    /// The texts of a user's plates.
    pub fn plates_of(&self, phone: &str) -> BTreeSet<String> {
        let user = self.users.get(phone);
        user.into_iter().flat_map(|user| user.plates.iter().map(|(plate, _)| plate.text.clone())).collect()
    }

    /// Binds a plate, through this merchant or another.
    pub fn bind(&mut self, phone: &str, plate: Plate, ours: bool) -> Result<(), super::Code> {
        let now = self.now();
        let held = |user: &User| user.plates.iter().any(|(other, _)| *other == plate);
        if self.users.iter().any(|(other, user)| other != phone && held(user)) {
            return Err(20100);
        }
        let user = self.users.entry(phone.to_owned()).or_default();
        if held(user) {
            return Ok(());
        }
        let mut month: BTreeSet<&Plate> =
            user.bound.iter().filter(|(_, at)| now - at < 30 * DAY).map(|(plate, _)| plate).collect();
        month.insert(&plate);
        if user.plates.len() >= MOST_PLATES || month.len() > MOST_A_MONTH {
            return Err(20100);
        }
        user.bound.push((plate.clone(), now));
        user.plates.push((plate, ours));
        Ok(())
    }
}

/// A phone number of the mainland.
fn phone(call: &Call) -> Result<String, super::Code> {
    let phone = call.text("mobilePhone");
    let fits = phone.len() == 11 && phone.starts_with('1') && phone.bytes().all(|byte| byte.is_ascii_digit());
    if fits { Ok(phone) } else { Err(20201) }
}

pub fn plate(data: &json::Members) -> Result<Plate, super::Code> {
    let text = json::filled(data, "plateNumber").unwrap_or_default();
    let colour = json::filled(data, "plateColor").unwrap_or_else(|| "1".into());
    let fits = (7..=8).contains(&text.chars().count()) && ["1", "2", "3", "4"].contains(&colour.as_str());
    if fits { Ok(Plate { text, colour }) } else { Err(6) }
}

pub fn send_code(call: &mut Call) -> Done {
    let phone = phone(call)?;
    let now = call.etcp.now();
    let user = call.etcp.users.entry(phone).or_default();
    if user.code_sent.is_some_and(|sent| now - sent < MINUTE) {
        return Err(20202);
    }
    let number = u64::from_str_radix(&clock::token()[..8], 16).unwrap_or_default();
    user.code = Some(format!("{:06}", number % 1_000_000));
    user.code_sent = Some(now);
    Ok(Value::Null)
}

pub fn log_in(call: &mut Call) -> Done {
    let phone = phone(call)?;
    let code = call.text("code");
    let user = call.etcp.users.get_mut(&phone).ok_or(20203)?;
    if user.code.as_deref() != Some(code.as_str()) {
        return Err(20203);
    }
    // A code opens once.
    user.code = None;
    Ok(json!({"data": {"token": call.etcp.token(&phone)}}))
}

/// Whether carNumber binds the plate is not stated; it does not.
pub fn sign_in(call: &mut Call) -> Done {
    let phone = phone(call)?;
    call.etcp.users.entry(phone.clone()).or_default();
    Ok(json!({"data": {"token": call.etcp.token(&phone)}}))
}

pub fn bind(call: &mut Call) -> Done {
    let plate = plate(call.data)?;
    let phone = call.phone.clone();
    call.etcp.bind(&phone, plate, true).map(|()| Value::Null)
}

/// The call names no colour: all plates of this text go. Only what was bound through this merchant can be unbound.
pub fn unbind(call: &mut Call) -> Done {
    let text = plate(call.data)?.text;
    let user = call.etcp.users.get_mut(&call.phone).ok_or(20100)?;
    let before = user.plates.len();
    user.plates.retain(|(plate, ours)| !(*ours && plate.text == text));
    if user.plates.len() < before { Ok(Value::Null) } else { Err(20100) }
}
