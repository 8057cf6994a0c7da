//! SDK 4.1: whether a plate pays without contact, and whether payment can be reached; answered from what the link knows.

use super::{Outcome, Sdk};
use crate::catalogue::{self, Platform, Side, same_value};
use crate::error::Result;
use crate::json::{Value, members};
use crate::link::Members;

impl Sdk {
    /// Bolink's link is up, and hears what comes of a charge; without one, the cloud's, which carries Bolink's messages.
    pub(super) fn is_payment_up(&self) -> bool {
        let find = |wanted| self.links.iter().find(|link| link.platform() == wanted);
        find(Platform::Bolink).or_else(|| find(Platform::Cloud)).is_some_and(|link| link.hears())
    }

    /// How a link stands: `up`, `connecting`, `down`, `refused`, `closed`.
    pub(crate) fn state_of(&self, platform: Platform) -> Option<String> {
        let link = self.links.iter().find(|link| link.platform() == platform)?;
        link.status().get("state").and_then(Value::as_str).map(str::to_owned)
    }

    pub(super) fn pay_status(&self, members: &Members) -> Result<Outcome> {
        self.check(catalogue::by_id("bolink.pay_status"), members, Side::Request)?;
        let car_number = members.get("car_number").and_then(Value::as_str).unwrap_or_default();
        let known = self.inbox.balance(car_number);
        // Numbers and texts are one to those who push; the answer's kinds are the document's.
        let of = |name: &str| known.as_ref().and_then(|known| known.get(name));
        let balance = match of("balance") {
            Some(Value::Number(text) | Value::String(text)) => text.to_string(),
            _ => "0.00".to_owned(),
        };
        let one = Value::from(1);
        let autopay = of("autopay").is_some_and(|autopay| same_value(autopay, &one) || *autopay == Value::Bool(true));
        let reply = members! {
            "state": 1,
            "balance": balance,
            "is_exist": u8::from(known.is_some()),
            "net_status": u8::from(self.is_payment_up()),
            "service_name": "pay_status",
            "car_number": car_number,
            "order_id": members.get("order_id"),
            "autopay": u8::from(autopay),
            "errmsg": "",
        };
        Ok(Outcome { reply: Some(reply), error: None })
    }
}
