//! Stays and their fees (ETCP 8.6 to 8.8).

use super::{Call, Done, Etcp};
use crate::beijing;
use crate::clock;
use crate::json;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// How long past stays are shown, in seconds.
const HISTORY: i64 = 7 * 86400;

/// A fee as it was told, which a payment refers to.
struct Quote {
    verification: String,
    fen: i64,
    at: i64,
}

/// One stay of one car.
pub struct Stay {
    pub id: String,
    pub plate: String,
    pub park: i64,
    pub park_name: String,
    pub entered: i64,
    pub left: Option<i64>,
    /// Long lease: its space and the days left.
    pub lease: Option<(String, String)>,
    pub tariff: Tariff,
    paid: i64,
    last_paid: Option<i64>,
    cash: i64,
    quotes: Vec<Quote>,
}

/// What a park asks.
#[derive(Debug, Clone, Copy)]
pub struct Tariff {
    /// First minutes that cost nothing.
    pub free_minutes: i64,
    /// What each begun unit costs, in fen.
    pub unit_fen: i64,
    /// Minutes of a unit.
    pub unit_minutes: i64,
    /// Minutes to leave after a payment.
    pub exit_minutes: i64,
}

impl Tariff {
    /// The price of so many seconds.
    pub fn price(&self, seconds: i64) -> i64 {
        if seconds <= self.free_minutes * 60 {
            return 0;
        }
        let unit = (self.unit_minutes * 60).max(1);
        (seconds + unit - 1) / unit * self.unit_fen
    }
}

impl Stay {
    /// A car has come.
    pub fn begin(plate: String, park: i64, park_name: String, entered: i64, tariff: Tariff) -> Self {
        let hex = clock::token().to_uppercase();
        let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
        Stay {
            id: parts.join("-"),
            plate,
            park,
            park_name,
            entered,
            left: None,
            lease: None,
            tariff,
            paid: 0,
            last_paid: None,
            cash: 0,
            quotes: Vec::new(),
        }
    }

    /// What is still to pay. A payment holds for the park's free exit time; after it a new fee is reckoned from the
    /// payment until now.
    pub fn remaining(&self, now: i64) -> i64 {
        let until = self.left.unwrap_or(now);
        match self.last_paid {
            _ if self.lease.is_some() => 0,
            None => self.tariff.price(until - self.entered),
            Some(at) if until - at <= self.tariff.exit_minutes * 60 => 0,
            Some(at) => {
                let again = Tariff { free_minutes: 0, ..self.tariff };
                again.price(until - at)
            }
        }
    }

    /// The whole fee.
    pub fn fee(&self, now: i64) -> i64 {
        if self.left.is_some() { self.paid } else { self.paid + self.remaining(now) }
    }

    /// The car leaves; what is open is paid in cash.
    pub fn leave(&mut self, now: i64) {
        self.cash = self.remaining(now);
        self.paid += self.cash;
        self.left = Some(now);
    }

    /// What may be shown of it.
    pub fn shown(&self, now: i64) -> Value {
        json!({
            "orderId": self.id, "plateNumber": self.plate, "parkId": self.park,
            "entranceTime": beijing::shown(self.entered), "exitTime": self.left.map(beijing::shown),
            "fee": json::yuan(self.fee(now)),
            "remaining": json::yuan(if self.left.is_some() { 0 } else { self.remaining(now) }),
            "cash": json::yuan(self.cash),
        })
    }
}

/// Yuan as short as they go: 2, 5.5, 0.25.
fn short(fen: i64) -> String {
    match json::yuan(fen) {
        text if text.ends_with(".00") => text[..text.len() - 3].to_owned(),
        text => text.trim_end_matches('0').to_owned(),
    }
}

/// The same with a decimal at least, as the texts of 8.6 have it.
fn decimal(fen: i64) -> String {
    let text = short(fen);
    if text.contains('.') { text } else { format!("{text}.0") }
}

/// Past stays of the user's plates, cash and electronic, newest entry first.
pub fn history(call: &mut Call) -> Done {
    let now = call.etcp.now();
    let plates = call.etcp.plates_of(&call.phone);
    let recent = |stay: &&Stay| stay.left.is_some_and(|left| now - left <= HISTORY) && plates.contains(&stay.plate);
    let mut stays: Vec<&Stay> = call.etcp.stays.iter().filter(recent).collect();
    stays.sort_by_key(|stay| std::cmp::Reverse(stay.entered));
    let shown = |stay: &&Stay| {
        json!({
            "parkingName": stay.park_name, "entranceTime": beijing::shown(stay.entered),
            "exitTime": beijing::shown(stay.left.unwrap_or(now)), "parkingFee": decimal(stay.fee(now)),
            "actual": decimal(stay.cash), "parkingId": stay.park.to_string(), "orderId": stay.id,
            "carNumber": stay.plate,
        })
    };
    Ok(json!({"data": stays.iter().map(shown).collect::<Vec<Value>>()}))
}

/// Only while the car is in a park; the list is empty otherwise. A plate that is not the user's is refused.
pub fn fee(call: &mut Call) -> Done {
    let now = call.etcp.now();
    let plate = call.text("plateNumber");
    if !call.etcp.holds(&call.phone, &plate) {
        return Err(20100);
    }
    let inside = call.etcp.stays.iter_mut().rev().find(|stay| stay.left.is_none() && stay.plate == plate);
    let Some(stay) = inside else { return Ok(json!({"data": []})) };
    let bytes: String = [clock::token(), clock::token(), clock::token()].concat();
    let verification = STANDARD.encode(bytes);
    let (fee, remaining) = (stay.fee(now), stay.remaining(now));
    stay.quotes.push(Quote { verification: verification.clone(), fen: remaining, at: now });
    Ok(json!({"data": [{
        "carNumber": masked(&plate), "entranceTime": beijing::shown(stay.entered), "exitTime": beijing::shown(now),
        "orderId": stay.id, "parkingFee": json::number(&short(fee)), "parkingId": stay.park,
        "parkingName": stay.park_name, "remainingFee": json::number(&short(remaining)),
        "verificationInfo": verification,
    }]}))
}

/// The first and the last two characters stay.
fn masked(plate: &str) -> String {
    let letters: Vec<char> = plate.chars().collect();
    let tail = letters.len().saturating_sub(2);
    let head: String = letters.iter().take(1).collect();
    let end: String = letters[tail..].iter().collect();
    format!("{head}{}{end}", "*".repeat(tail.saturating_sub(1)))
}

/// An amount in yuan with two decimals at most.
fn amount(text: &str) -> Option<i64> {
    let fraction = text.split_once('.').map_or("", |(_, fraction)| fraction);
    json::fen(text).filter(|fen| *fen > 0 && fraction.trim_end_matches('0').len() <= 2)
}

/// A payment must be exactly what the fee query told; the quote holds for the park's free exit time.
pub fn paid(call: &mut Call) -> Done {
    let now = call.etcp.now();
    let Etcp { stays, external, .. } = &mut *call.etcp;
    let (number, order) = (text(call.data, "externalOrderId"), text(call.data, "orderId"));
    let fen = amount(&text(call.data, "payment")).ok_or(6)?;
    beijing::read(&text(call.data, "payTime")).ok_or(6)?;
    if external.contains_key(&number) {
        return Err(8);
    }
    let stay = stays.iter_mut().find(|stay| stay.id == order && stay.left.is_none()).ok_or(7)?;
    let verification = text(call.data, "verificationInfo");
    let quote = stay.quotes.iter().find(|quote| quote.verification == verification).ok_or(6)?;
    let holds = now - quote.at <= stay.tariff.exit_minutes * 60 || quote.fen == stay.remaining(now);
    if fen != quote.fen || !holds {
        return Err(20206);
    }
    stay.paid += fen;
    stay.last_paid = Some(now);
    stay.quotes.clear();
    external.insert(number.clone(), order.clone());
    Ok(json!({"message": "支付通知成功", "data": {
        "externalOrderId": number, "orderId": order, "payOrderId": format!("no{}", clock::stamp()),
        "payTime": text(call.data, "payTime"), "payment": json::number(&short(fen)),
    }}))
}

fn text(data: &json::Members, name: &str) -> String {
    json::filled(data, name).unwrap_or_default()
}
