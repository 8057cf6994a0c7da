//! What is known of fees and payments, so that no wrong or second payment leaves.

use super::codes;
use crate::catalogue::same_value;
use crate::error::{Code, Error, Result};
use crate::json::Value;
use crate::link::Members;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Fees and payments that are kept; few in tests, which go to the end of it.
const MOST: usize = if cfg!(test) { 1000 } else { 100_000 };

/// ETCP's own trouble: the payment may have been taken (ETCP 10).
const SERVER_FAULT: i64 = 2;

/// What came of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paid {
    /// It was not made: refused, or never sent.
    No,
    /// That is not known, since then.
    Perhaps(Instant),
    /// It was taken, then: the number is used up.
    Yes(Instant),
}

impl Paid {
    /// What the answer to a payment, or the want of one, says of it.
    pub fn of(outcome: &Result<Members>) -> Paid {
        let now = Instant::now();
        let has_failed = match outcome.as_ref().map(super::code) {
            Ok(Some(0)) => return Paid::Yes(now),
            Ok(code) => code.filter(|code| *code != SERVER_FAULT).and_then(codes::of).is_some(),
            Err(error) => !error.is_doubtful(),
        };
        if has_failed { Paid::No } else { Paid::Perhaps(now) }
    }

    fn is_before(self, asked: Instant) -> bool {
        matches!(self, Paid::Perhaps(since) | Paid::Yes(since) if since <= asked)
    }
}

#[derive(Debug)]
struct Payment {
    order_id: String,
    amount: Value,
    paid: Paid,
    /// Sent, and not answered yet.
    is_under_way: bool,
}

#[derive(Debug, Default)]
struct State {
    fees: HashMap<String, Value>,
    payments: HashMap<String, Payment>,
    /// Their numbers, oldest first.
    numbers: VecDeque<String>,
    /// The last number of each order.
    last: HashMap<String, String>,
}

impl State {
    fn forget_oldest(&mut self) {
        let Some(number) = self.numbers.pop_front() else { return };
        let Some(payment) = self.payments.remove(&number) else { return };
        if self.last.get(&payment.order_id) == Some(&number) {
            self.last.remove(&payment.order_id);
        }
    }
}

/// The fees last told, and the payments made, in this process.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<State>);

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A fee query (8.7) that was asked then was answered. What it lists with a fee is to be paid still, or again: a payment
    /// before it of which nothing is known was not taken.
    pub fn note_fees(&self, reply: &Members, asked: Instant) {
        let mut state = self.lock();
        let State { fees, payments, last, .. } = &mut *state;
        for order in reply.get("data").and_then(Value::as_array).into_iter().flatten() {
            let Some(order_id) = order.get("orderId").map(|id| id.plain().into_owned()) else { continue };
            // One that is paid is listed too, and owes nothing.
            let owes = order.get("remainingFee").is_some_and(|fee| !fee.is_null() && !same_value(fee, &Value::from(0)));
            let payment = last.get(&order_id).filter(|_| owes).and_then(|number| payments.get_mut(number));
            match payment.map(|payment| (payment.is_under_way, &mut payment.paid)) {
                Some((false, paid @ Paid::Perhaps(_))) if paid.is_before(asked) => *paid = Paid::No,
                // The car stayed on, and owes again.
                Some((false, paid @ Paid::Yes(_))) if paid.is_before(asked) => drop(last.remove(&order_id)),
                _ => {}
            }
            let Some(fee) = order.get("remainingFee").filter(|fee| !fee.is_null()) else { continue };
            if fees.len() >= MOST {
                fees.clear();
            }
            fees.insert(order_id, fee.clone());
        }
    }

    /// A payment (8.8) is about to leave: it must be what the last fee query said, under a number of its own, and no other
    /// payment of its order may be taken yet. Under way until the guard goes.
    pub fn book(&self, data: &Members) -> Result<UnderWay<'_>> {
        let (order_id, number) = (text(data, "orderId"), text(data, "externalOrderId"));
        let amount = data.get("payment").cloned().unwrap_or_default();
        let mut state = self.lock();
        let last = state.last.get(&order_id);
        let known = state.payments.get(&number);
        if let Some(known) = known {
            let is_same = known.order_id == order_id && same_value(&known.amount, &amount);
            let what = match known.paid {
                _ if known.is_under_way => Some("is being made now"),
                Paid::Yes(_) => Some("was taken by ETCP"),
                _ if !is_same => Some("was for another order or amount"),
                _ if last != Some(&number) => Some("another payment of this order has followed"),
                _ => None,
            };
            if let Some(what) = what {
                let message = format!(
                    "externalOrderId: must never repeat (ETCP 8.8); {number} belongs to a payment that {what}; nothing was sent"
                );
                return Err(Error::new(Code::Invalid, message));
            }
        }
        if let Some((last, before)) =
            last.filter(|last| **last != number).zip(last.and_then(|it| state.payments.get(it)))
        {
            let what = match before.paid {
                _ if before.is_under_way => "is being made now",
                Paid::Perhaps(_) => {
                    "may have been taken: send that one again under its number, or ask the fee again first (ETCP 8.7)"
                }
                Paid::Yes(_) => "was taken: ask the fee again before the next one (ETCP 8.7)",
                Paid::No => "",
            };
            if !what.is_empty() {
                let message = format!("orderId: the payment {last} of this order {what}; nothing was sent");
                return Err(Error::new(Code::Invalid, message));
            }
        }
        if let Some(fee) = state.fees.get(&order_id)
            && !same_value(fee, &amount)
        {
            let message = format!(
                "payment: must equal remainingFee of the last fee query (ETCP 8.8), which is {fee}, found {amount}; nothing was sent"
            );
            return Err(Error::new(Code::Invalid, message));
        }
        let was_doubtful = known.is_some_and(|known| matches!(known.paid, Paid::Perhaps(_)));
        let is_new = known.is_none();
        if is_new {
            while state.numbers.len() >= MOST {
                state.forget_oldest();
            }
            state.numbers.push_back(number.clone());
        }
        state.last.insert(order_id.clone(), number.clone());
        let paid = Paid::Perhaps(Instant::now());
        state.payments.insert(number.clone(), Payment { order_id, amount, paid, is_under_way: true });
        Ok(UnderWay { ledger: self, number, was_doubtful })
    }
}

/// A payment between leaving and its answer.
#[derive(Debug)]
pub struct UnderWay<'a> {
    ledger: &'a Ledger,
    number: String,
    /// It was sent before, and nobody knows what came of that.
    was_doubtful: bool,
}

impl UnderWay<'_> {
    /// It was answered, or will not be. What a second copy is answered is not documented: a refusal of it says nothing of the
    /// first.
    pub fn note(&self, paid: Paid) {
        let mut state = self.ledger.lock();
        let State { fees, payments, .. } = &mut *state;
        let Some(payment) = payments.get_mut(&self.number) else { return };
        if matches!(paid, Paid::Yes(_)) {
            // The fee is another one now.
            fees.remove(&payment.order_id);
        }
        if paid != Paid::No || !self.was_doubtful {
            payment.paid = paid;
        }
    }
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
        ledger.note_fees(&members(json!({"data": [{"orderId": "A", "remainingFee": 2}]})), Instant::now());
        ledger.note_fees(&members(json!({"data": [{"orderId": "A", "remainingFee": 8}]})), Instant::now());
        assert!(ledger.book(&payment("A", "1", "2")).unwrap_err().message.contains("which is 8, found \"2\""));
        assert!(ledger.book(&payment("A", "1", "8.00")).is_ok());
        // Numbers may be texts, and no fee is no fee of nothing.
        let told = json!({"data": [{"orderId": 7, "remainingFee": "2.0"}, {"orderId": "B", "remainingFee": null}]});
        ledger.note_fees(&members(told), Instant::now());
        assert!(ledger.book(&payment("7", "2", "3")).is_err());
        assert!(ledger.book(&payment("B", "3", "3")).is_ok());
    }

    #[test]
    fn a_payment_under_way_is_not_made_beside_itself() {
        let ledger = Ledger::default();
        let under_way = ledger.book(&payment("A", "1", "2")).unwrap();
        assert!(ledger.book(&payment("A", "1", "2")).unwrap_err().message.contains("being made"));
        // Nor under another number, and a fee query does not change that.
        ledger.note_fees(&members(json!({"data": [{"orderId": "A", "remainingFee": 2}]})), Instant::now());
        assert!(ledger.book(&payment("A", "2", "2")).unwrap_err().message.contains("being made"));
        assert!(ledger.book(&payment("B", "3", "2")).is_ok());
        drop(under_way);
        assert!(ledger.book(&payment("A", "1", "2")).is_ok());
    }

    #[test]
    fn a_number_pays_once() {
        let ledger = Ledger::default();
        assert!(ledger.book(&payment("A", "1", "2")).is_ok());
        // No answer came: the same payment may be tried again, under its number.
        assert!(ledger.book(&payment("A", "1", "2.0")).is_ok());
        assert!(ledger.book(&payment("B", "1", "2")).is_err());
        assert!(ledger.book(&payment("A", "1", "3")).is_err());
        ledger.book(&payment("A", "1", "2")).unwrap().note(Paid::Yes(Instant::now()));
        assert!(ledger.book(&payment("A", "1", "2")).unwrap_err().message.contains("was taken"));
        // The car stays on and owes again; how much, the next query says.
        assert!(ledger.book(&payment("A", "2", "2")).unwrap_err().message.contains("ask the fee again"));
        ledger.note_fees(&members(json!({"data": [{"orderId": "A", "remainingFee": 3}]})), Instant::now());
        assert!(ledger.book(&payment("A", "1", "3")).is_err());
        assert!(ledger.book(&payment("A", "2", "3")).is_ok());
    }

    #[test]
    fn a_fee_that_was_asked_before_says_nothing_of_a_payment() {
        let ledger = Ledger::default();
        let asked = Instant::now();
        ledger.book(&payment("A", "1", "2")).unwrap().note(Paid::Perhaps(Instant::now()));
        let due = members(json!({"data": [{"orderId": "A", "remainingFee": 2}]}));
        ledger.note_fees(&due, asked);
        assert!(ledger.book(&payment("A", "2", "2")).unwrap_err().message.contains("8.7"));
        ledger.note_fees(&due, Instant::now());
        assert!(ledger.book(&payment("A", "2", "2")).is_ok());
    }

    #[test]
    fn the_oldest_payments_are_forgotten_first() {
        let ledger = Ledger::default();
        let pay = |at: usize| ledger.book(&payment(&format!("order-{at}"), &format!("{at}"), "2"));
        for at in 0..=MOST {
            pay(at).unwrap().note(Paid::Yes(Instant::now()));
        }
        assert!(pay(0).is_ok());
        for at in [2, MOST / 2, MOST] {
            assert!(pay(at).unwrap_err().message.contains("was taken"), "{at}");
        }
    }
}
