//! What the server's resend guard remembers of us. It remembers a signature before it checks token and rate, and lets an
//! order pass each service at most twice a token; so a record can be "already handled" without ever having been stored.

use crate::json::Text;
use crate::wire::sign::Sign;
use std::collections::{HashMap, HashSet, VecDeque};

/// The server forgets after 5000 keys; remembering a little longer does no harm.
const MEMORY: usize = 10_000;

/// Passes of an order through one service under the current token.
const PASSES: usize = 2;

/// Our picture of that memory.
#[derive(Debug, Default)]
pub struct Guard {
    passes: HashMap<Text, [Option<Sign>; PASSES]>,
    not_stored: HashSet<Sign>,
    not_stored_order: VecDeque<Sign>,
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
        self.passes.get(order).is_none_or(|signs| signs.iter().any(|known| known.is_none_or(|known| known == sign)))
    }

    /// It goes out.
    pub fn pass(&mut self, order: &Text, sign: Sign) {
        if self.passes.len() >= MEMORY {
            self.passes.clear();
        }
        let signs = self.passes.entry(order.clone()).or_default();
        if !signs.contains(&Some(sign))
            && let Some(free) = signs.iter_mut().find(|known| known.is_none())
        {
            *free = Some(sign);
        }
    }

    /// A new token: passes count anew, signatures stay remembered.
    pub fn new_login(&mut self) {
        self.passes.clear();
    }

    /// The record was refused after its signature had been remembered: sent again unchanged it would be lost.
    pub fn refused(&mut self, sign: Sign) {
        if self.not_stored.insert(sign) {
            self.not_stored_order.push_back(sign);
            if self.not_stored_order.len() > MEMORY
                && let Some(oldest) = self.not_stored_order.pop_front()
            {
                self.not_stored.remove(&oldest);
            }
        }
    }

    /// Whether this signature is remembered by the server for a record that it has not stored.
    pub fn must_change(&self, sign: Sign) -> bool {
        !self.not_stored.is_empty() && self.not_stored.contains(&sign)
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
    fn a_refused_signature_is_changed_even_after_a_login() {
        let mut guard = Guard::default();
        guard.refused(sign("1"));
        guard.new_login();
        assert!(guard.must_change(sign("1")) && !guard.must_change(sign("2")));
    }
}
