//! The memory against resends: the last 5000 keys, common to all lots.

use std::collections::{HashSet, VecDeque};

const MOST_KEYS: usize = 5000;

/// The memory.
#[derive(Default)]
pub struct Guard {
    keys: HashSet<String>,
    by_age: VecDeque<String>,
}

impl Guard {
    /// Whether the guard looks at this service at all.
    pub fn watches(service: &str) -> bool {
        ["in_park", "out_park", "upload_order"].iter().any(|name| service.contains(name))
    }

    /// Whether a request is refused as already handled. It is remembered in any case.
    pub fn refuses(&mut self, service: &str, sign: Option<&str>, token: Option<&str>, order_id: Option<&str>) -> bool {
        if sign.is_some_and(|sign| self.seen(format!("sign {sign}"))) {
            return true;
        }
        let Some(token) = token else { return true };
        // An order may pass twice: each pass leaves a key.
        order_id.is_some_and(|order_id| {
            let key = format!("order {token}{service}{order_id}");
            self.seen(key.clone()) && self.seen(format!("{key} again"))
        })
    }

    fn seen(&mut self, key: String) -> bool {
        if self.keys.contains(&key) {
            return true;
        }
        if self.by_age.len() == MOST_KEYS
            && let Some(oldest) = self.by_age.pop_front()
        {
            self.keys.remove(&oldest);
        }
        self.by_age.push_back(key.clone());
        self.keys.insert(key);
        false
    }

    /// How many keys it holds.
    pub fn len(&self) -> usize {
        self.by_age.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_key_is_forgotten() {
        let mut guard = Guard::default();
        assert!(!guard.refuses("in_park", Some("S"), Some("t"), None));
        for n in 0..MOST_KEYS - 1 {
            assert!(!guard.refuses("in_park", Some(&n.to_string()), Some("t"), None));
        }
        assert!(guard.refuses("in_park", Some("S"), Some("t"), None));
        assert!(!guard.refuses("in_park", Some("one more"), Some("t"), None));
        assert!(!guard.refuses("in_park", Some("S"), Some("t"), None));
    }
}
