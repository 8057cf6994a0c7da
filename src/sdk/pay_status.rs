//! SDK 4.1: whether a plate pays without contact, and whether payment can be reached; answered from what the link knows.

use super::{Outcome, Sdk};
use crate::catalogue::{self, Platform, Side};
use crate::error::Result;
use crate::json::{Value, members};
use crate::link::Members;

impl Sdk {
    /// Bolink's link is up; without one, the cloud's, which carries Bolink's messages.
    pub(super) fn is_payment_up(&self) -> bool {
        let find = |wanted| self.links.iter().find(|link| link.platform() == wanted);
        find(Platform::Bolink).or_else(|| find(Platform::Cloud)).is_some_and(|link| link.is_up())
    }

    pub(super) fn pay_status(&self, members: &Members) -> Result<Outcome> {
        self.check(catalogue::by_id("bolink.pay_status"), members, Side::Request)?;
        let car_number = members.get("car_number").and_then(Value::as_str).unwrap_or_default();
        let known = self.inbox.balance(car_number);
        let of = |name: &str, otherwise: Value| {
            known.as_ref().and_then(|known| known.get(name)).cloned().unwrap_or(otherwise)
        };
        let reply = members! {
            "state": 1,
            "balance": of("balance", Value::from("0.00")),
            "is_exist": u8::from(known.is_some()),
            "net_status": u8::from(self.is_payment_up()),
            "service_name": "pay_status",
            "car_number": car_number,
            "order_id": members.get("order_id"),
            "autopay": of("autopay", Value::from(0)),
            "errmsg": "",
        };
        Ok(Outcome { reply: Some(reply), error: None })
    }
}
