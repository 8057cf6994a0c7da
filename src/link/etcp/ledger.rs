//! What is known of fees and payments, so that no wrong or second payment leaves.

use crate::catalogue::same_value;
use crate::error::{Code, Error, Result};
use crate::json::Value;
use crate::link::Members;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Fees and payments that are kept.
const MOST: usize = 100_000;

#[derive(Debug)]
struct Payment {
    order_id: String,
    amount: Value,
    is_taken: bool,
    /// Sent, and not answered yet.
    is_under_way: bool,
}

#[derive(Debug)]
struct Fee {
    amount: Value,
    /// The externalOrderId of the payment that was made on it.
    paid_under: Option<String>,
}

#[derive(Debug, Default)]
struct State {
    fees: HashMap<String, Fee>,
    payments: HashMap<String, Payment>,
}

/// The fees last told, and the payments made, in this process.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<State>);

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A fee query (8.7) was answered.
    pub fn note_fees(&self, reply: &Members) {
        let mut state = self.lock();
        for order in reply.get("data").and_then(Value::as_array).into_iter().flatten() {
            let (Some(order_id), Some(fee)) = (order.get("orderId"), order.get("remainingFee")) else { continue };
            if fee.is_null() {
                continue;
            }
            if state.fees.len() >= MOST {
                state.fees.clear();
            }
            state.fees.insert(order_id.plain().into_owned(), Fee { amount: fee.clone(), paid_under: None });
        }
    }

    /// A payment (8.8) is about to leave: it must be what the last fee query said, under a number of its own, and the only
    /// one on that query. Under way until the guard goes.
    pub fn book(&self, data: &Members) -> Result<UnderWay<'_>> {
        let (order_id, number) = (text(data, "orderId"), text(data, "externalOrderId"));
        let amount = data.get("payment").cloned().unwrap_or_default();
        let mut state = self.lock();
        if let Some(known) = state.payments.get(&number) {
            if known.is_under_way {
                let message = format!(
                    "externalOrderId: must never repeat (ETCP 8.8); {number} belongs to a payment that is being made now; nothing was sent"
                );
                return Err(Error::new(Code::Invalid, message));
            }
            let is_same = known.order_id == order_id && same_value(&known.amount, &amount);
            if known.is_taken || !is_same {
                let what = if known.is_taken { "was taken by ETCP" } else { "was for another order or amount" };
                let message = format!(
                    "externalOrderId: must never repeat (ETCP 8.8); {number} belongs to a payment that {what}; nothing was sent"
                );
                return Err(Error::new(Code::Invalid, message));
            }
        }
        if let Some(fee) = state.fees.get_mut(&order_id) {
            // Whatever became of the one, the other may be a second.
            if let Some(other) = fee.paid_under.as_ref().filter(|other| **other != number) {
                let message = format!(
                    "externalOrderId: this fee was paid under {other}, or that was tried; ask the fee again (8.7) before you pay under {number}; nothing was sent"
                );
                return Err(Error::new(Code::Invalid, message));
            }
            if !same_value(&fee.amount, &amount) {
                let message = format!(
                    "payment: must equal remainingFee of the last fee query (ETCP 8.8), which is {}, found {amount}; nothing was sent",
                    fee.amount
                );
                return Err(Error::new(Code::Invalid, message));
            }
            fee.paid_under = Some(number.clone());
        }
        if state.payments.len() >= MOST {
            state.payments.retain(|_, payment| !payment.is_taken);
        }
        state.payments.insert(number.clone(), Payment { order_id, amount, is_taken: false, is_under_way: true });
        Ok(UnderWay { ledger: self, number })
    }

    /// ETCP took it: the number is used up.
    pub fn settle(&self, data: &Members) {
        if let Some(payment) = self.lock().payments.get_mut(&text(data, "externalOrderId")) {
            payment.is_taken = true;
        }
    }
}

/// A payment between leaving and its answer.
#[derive(Debug)]
pub struct UnderWay<'a> {
    ledger: &'a Ledger,
    number: String,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Some(payment) = self.ledger.lock().payments.get_mut(&self.number) {
            payment.is_under_way = false;
        }
    }
}

fn text(data: &Members, name: &str) -> String {
    data.plain(name).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::json;

    fn members(value: Value) -> Members {
        value.as_object().unwrap().clone()
    }

    fn payment(order: &str, number: &str, amount: &str) -> Members {
        members(json!({"orderId": order, "externalOrderId": number, "payment": amount}))
    }

    #[test]
    fn a_payment_is_the_fee_that_was_told_last() {
        let ledger = Ledger::default();
        assert!(ledger.book(&payment("unasked", "0", "1")).is_ok());
        ledger.note_fees(&members(json!({"data": [{"orderId": "A", "remainingFee": 2}]})));
        ledger.note_fees(&members(json!({"data": [{"orderId": "A", "remainingFee": 8}]})));
        assert!(ledger.book(&payment("A", "1", "2")).unwrap_err().message.contains("which is 8, found \"2\""));
        assert!(ledger.book(&payment("A", "1", "8.00")).is_ok());
        // Numbers may be texts, and no fee is no fee of nothing.
        ledger.note_fees(&members(
            json!({"data": [{"orderId": 7, "remainingFee": "2.0"}, {"orderId": "B", "remainingFee": null}]}),
        ));
        assert!(ledger.book(&payment("7", "2", "3")).is_err());
        assert!(ledger.book(&payment("B", "3", "3")).is_ok());
    }

    #[test]
    fn a_payment_under_way_is_not_made_beside_itself() {
        let ledger = Ledger::default();
        let under_way = ledger.book(&payment("A", "1", "2")).unwrap();
        assert!(ledger.book(&payment("A", "1", "2")).unwrap_err().message.contains("being made"));
        assert!(ledger.book(&payment("A", "2", "2")).is_ok());
        drop(under_way);
        assert!(ledger.book(&payment("A", "1", "2")).is_ok());
    }

    #[test]
    fn a_fee_is_paid_once() {
        let ledger = Ledger::default();
        let fee = |amount: u32| members(json!({"data": [{"orderId": "A", "remainingFee": amount}]}));
        ledger.note_fees(&fee(8));
        assert!(ledger.book(&payment("A", "1", "8")).is_ok());
        // No answer came: under its own number again, but under no other.
        assert!(ledger.book(&payment("A", "2", "8")).unwrap_err().message.contains("under 1, or that was tried"));
        assert!(ledger.book(&payment("A", "1", "8.0")).is_ok());
        ledger.settle(&payment("A", "1", "8"));
        assert!(ledger.book(&payment("A", "2", "8")).is_err());
        // The car stayed on, and owes again.
        ledger.note_fees(&fee(3));
        assert!(ledger.book(&payment("A", "2", "3")).is_ok());
    }

    #[test]
    fn a_number_pays_once() {
        let ledger = Ledger::default();
        assert!(ledger.book(&payment("A", "1", "2")).is_ok());
        // No answer came: the same payment may be tried again, under its number.
        assert!(ledger.book(&payment("A", "1", "2.0")).is_ok());
        assert!(ledger.book(&payment("B", "1", "2")).is_err());
        assert!(ledger.book(&payment("A", "1", "3")).is_err());
        ledger.settle(&payment("A", "1", "2"));
        assert!(ledger.book(&payment("A", "1", "2")).unwrap_err().message.contains("was taken"));
        assert!(ledger.book(&payment("A", "2", "2")).is_ok());
    }
}
