//! What the server's resend guard remembers of us. It remembers a signature before it checks token and rate, and lets an
//! order pass each service at most twice a token; so a record can be "already handled" without ever having been stored.

use std::collections::{HashMap, HashSet, VecDeque};

/// The server forgets after 5000 keys; remembering a little longer does no harm.
const MEMORY: usize = 10_000;

/// Passes of an order through one service under the current token.
const PASSES: usize = 2;

/// Our picture of that memory.
#[derive(Debug, Default)]
pub struct Guard {
    passes: HashMap<(String, String), Vec<String>>,
    not_stored: HashSet<String>,
    not_stored_order: VecDeque<String>,
}

impl Guard {
    /// Whether this record would be refused unless a new login comes first: its order has used up its passes.
    pub fn needs_login(&self, service: &str, order_id: &str, sign: &str) -> bool {
        let signs = self.passes.get(&(service.to_owned(), order_id.to_owned()));
        signs.is_some_and(|signs| signs.len() >= PASSES && !signs.iter().any(|known| known == sign))
    }

    /// A record with an order went out.
    pub fn sent(&mut self, service: &str, order_id: &str, sign: &str) {
        if self.passes.len() >= MEMORY {
            self.passes.clear();
        }
        let signs = self.passes.entry((service.to_owned(), order_id.to_owned())).or_default();
        if !signs.iter().any(|known| known == sign) {
            signs.push(sign.to_owned());
        }
    }

    /// A new token: passes count anew, signatures stay remembered.
    pub fn new_login(&mut self) {
        self.passes.clear();
    }

    /// The record was refused after its signature had been remembered: sent again unchanged it would be lost.
    pub fn refused(&mut self, sign: &str) {
        if self.not_stored.insert(sign.to_owned()) {
            self.not_stored_order.push_back(sign.to_owned());
            if self.not_stored_order.len() > MEMORY
                && let Some(oldest) = self.not_stored_order.pop_front()
            {
                self.not_stored.remove(&oldest);
            }
        }
    }

    /// Whether this signature is remembered by the server for a record that it has not stored.
    pub fn must_change(&self, sign: &str) -> bool {
        self.not_stored.contains(sign)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_third_different_record_of_an_order_needs_a_new_login() {
        let mut guard = Guard::default();
        assert!(!guard.needs_login("in_park", "A1", "S1"));
        guard.sent("in_park", "A1", "S1");
        guard.sent("in_park", "A1", "S1");
        assert!(!guard.needs_login("in_park", "A1", "S2"));
        guard.sent("in_park", "A1", "S2");
        assert!(guard.needs_login("in_park", "A1", "S3"));
        assert!(!guard.needs_login("in_park", "A1", "S2"), "the same bytes again are told as received");
        assert!(!guard.needs_login("out_park", "A1", "S3") && !guard.needs_login("in_park", "A2", "S3"));
        guard.new_login();
        assert!(!guard.needs_login("in_park", "A1", "S3"));
    }

    #[test]
    fn a_refused_signature_is_changed_even_after_a_login() {
        let mut guard = Guard::default();
        guard.refused("S1");
        guard.new_login();
        assert!(guard.must_change("S1") && !guard.must_change("S2"));
    }
}
