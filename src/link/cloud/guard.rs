//! What the server's resend guard remembers of us. It remembers a signature before it checks token and rate, and lets an
//! order pass each service at most twice a token; so a record can be "already handled" without ever having been stored.

use crate::json::Text;
use crate::wire::sign::Sign;
use foldhash::HashMap;
use std::collections::VecDeque;
use std::time::{SystemTime, UNIX_EPOCH};

/// The server forgets after 5000 keys; remembering a little longer does no harm.
const MEMORY: usize = 10_000;

/// Passes of an order through one service under the current token.
const PASSES: usize = 2;

/// What has passed of each order.
type Passes = HashMap<Text, [Option<Sign>; PASSES]>;

/// Our picture of that memory.
#[derive(Debug, Default)]
pub struct Guard {
    passes: Passes,
    /// Those before them; nothing is in both.
    older_passes: Passes,
    /// Of what it remembers without having stored it: the stamp that it goes out with instead.
    stamps: HashMap<Sign, u128>,
    stamps_order: VecDeque<Sign>,
}

/// What the server counts passes by.
pub fn key(service: &str, order_id: &str) -> Text {
    let mut key = Text::from(service);
    key.push(' ');
    key.push_str(order_id);
    key
}

impl Guard {
    /// Whether a record with an order may go out. If not, it would be refused unless a new login comes first, for its
    /// order has used up its passes.
    pub fn may_pass(&self, order: &Text, sign: Sign) -> bool {
        let signs = self.passes.get(order).or_else(|| self.older_passes.get(order));
        signs.is_none_or(|signs| signs.iter().any(|known| known.is_none_or(|known| known == sign)))
    }

    /// It goes out.
    pub fn pass(&mut self, order: &Text, sign: Sign) {
        if self.passes.len() >= MEMORY / 2 {
            self.older_passes = std::mem::take(&mut self.passes);
        }
        let older = &mut self.older_passes;
        let signs = self.passes.entry(order.clone()).or_insert_with(|| older.remove(order).unwrap_or_default());
        if !signs.contains(&Some(sign))
            && let Some(free) = signs.iter_mut().find(|known| known.is_none())
        {
            *free = Some(sign);
        }
    }

    /// A new token: passes count anew, signatures stay remembered.
    pub fn new_login(&mut self) {
        self.passes.clear();
        self.older_passes.clear();
    }

    /// The record that was given with this signature was refused after the signature it went out with had been remembered:
    /// sent again unchanged it would be lost. From now on it has another stamp, until it is refused with that one too:
    /// when its reply is lost, the same bytes again are told as received.
    pub fn refused(&mut self, given: Sign) {
        let stamp = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_micros());
        if self.stamps.insert(given, stamp).is_none() {
            self.stamps_order.push_back(given);
            if self.stamps_order.len() > MEMORY
                && let Some(oldest) = self.stamps_order.pop_front()
            {
                self.stamps.remove(&oldest);
            }
        }
    }

    /// The stamp of a record that was refused: with the signature it was given with it would be lost.
    pub fn stamp(&self, given: Sign) -> Option<u128> {
        if self.stamps.is_empty() { None } else { self.stamps.get(&given).copied() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign(text: &str) -> Sign {
        Sign::keyed(text, "key")
    }

    #[test]
    fn the_third_different_record_of_an_order_needs_a_new_login() {
        let mut guard = Guard::default();
        let (order, s1, s2, s3) = (key("in_park", "A1"), sign("1"), sign("2"), sign("3"));
        for sign in [s1, s1, s2] {
            assert!(guard.may_pass(&order, sign));
            guard.pass(&order, sign);
        }
        assert!(!guard.may_pass(&order, s3));
        assert!(guard.may_pass(&order, s2), "the same bytes again are told as received");
        assert!(guard.may_pass(&key("out_park", "A1"), s3) && guard.may_pass(&key("in_park", "A2"), s3));
        guard.new_login();
        assert!(guard.may_pass(&order, s3));
    }

    #[test]
    fn passes_of_the_last_orders_are_known_however_many_were_before() {
        for before in (0..MEMORY).step_by(MEMORY / 5) {
            let mut guard = Guard::default();
            let (other, order) = (sign("0"), key("in_park", "A1"));
            let others = |guard: &mut Guard, from: usize, to: usize| {
                (from..to).for_each(|number| guard.pass(&key("in_park", &number.to_string()), other));
            };
            others(&mut guard, 0, before);
            guard.pass(&order, sign("1"));
            others(&mut guard, before, before + MEMORY / 2 - 1);
            guard.pass(&order, sign("2"));
            assert!(!guard.may_pass(&order, sign("3")), "after {before} others");
        }
    }

    #[test]
    fn a_refused_signature_is_changed_even_after_a_login() {
        let mut guard = Guard::default();
        guard.refused(sign("1"));
        guard.new_login();
        assert!(guard.stamp(sign("1")).is_some() && guard.stamp(sign("2")).is_none());
    }
}
