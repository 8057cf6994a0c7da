//! The limits of the server, kept before it enforces them. Pure: the time is handed in.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Orders in any second, requests of one login in any window.
#[derive(Debug)]
pub struct Rate {
    orders: Window,
    requests: Window,
    blocked_until: Option<Instant>,
}

#[derive(Debug)]
struct Window {
    most: usize,
    span: Duration,
    stamps: VecDeque<Instant>,
}

impl Window {
    fn ready_at(&self) -> Option<Instant> {
        if self.most == 0 || self.stamps.len() < self.most {
            return None;
        }
        self.stamps.get(self.stamps.len() - self.most).map(|first| *first + self.span)
    }

    fn stamp(&mut self, now: Instant) {
        if self.most > 0 {
            self.stamps.push_back(now);
            while self.stamps.len() > self.most {
                self.stamps.pop_front();
            }
        }
    }
}

impl Rate {
    /// Limits; 0 is none.
    pub fn new(orders_per_second: usize, requests: usize, window: Duration) -> Self {
        let window_of = |most, span| Window { most, span, stamps: VecDeque::new() };
        // A little longer than the documented spans: the server's clock reads when it handles, ours when we send.
        let margin = Duration::from_millis(20);
        Rate {
            orders: window_of(orders_per_second, Duration::from_secs(1) + margin),
            requests: window_of(requests, window + margin),
            blocked_until: None,
        }
    }

    /// When the next request may go; `None`: now.
    pub fn ready_at(&self, is_order: bool, now: Instant) -> Option<Instant> {
        self.free_at(is_order).filter(|at| *at > now)
    }

    /// The same, also when that moment is past already.
    pub fn free_at(&self, is_order: bool) -> Option<Instant> {
        let order = is_order.then(|| self.orders.ready_at()).flatten();
        [order, self.requests.ready_at(), self.blocked_until].into_iter().flatten().max()
    }

    /// A request was sent.
    pub fn sent(&mut self, is_order: bool, now: Instant) {
        if is_order {
            self.orders.stamp(now);
        }
        self.requests.stamp(now);
    }

    /// It was answered: the server counted it at some time before now. Only one is under way, so it is the last.
    pub fn answered(&mut self, now: Instant) {
        if let Some(last) = self.requests.stamps.back_mut() {
            *last = now;
        }
    }

    /// The server refused for over_times: nothing goes before its window has passed.
    pub fn refused(&mut self, now: Instant) {
        self.blocked_until = Some(now + self.requests.span);
    }

    /// A new login: the server counts by token.
    pub fn new_login(&mut self) {
        self.requests.stamps.clear();
        self.blocked_until = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_holds_more_orders_and_no_window_more_requests_than_allowed() {
        let mut rate = Rate::new(9, 100, Duration::from_secs(11));
        let start = Instant::now();
        let mut now = start;
        let mut sent = Vec::new();
        while now < start + Duration::from_secs(60) {
            match rate.ready_at(true, now) {
                Some(at) => now = at,
                None => {
                    rate.sent(true, now);
                    sent.push(now);
                    now += Duration::from_millis(1);
                    rate.answered(now);
                }
            }
        }
        assert!(sent.len() >= 500, "{} in a minute", sent.len());
        for span in sent.windows(10) {
            assert!(span[9] - span[0] > Duration::from_secs(1));
        }
        for span in sent.windows(101) {
            assert!(span[100] - span[0] > Duration::from_secs(11));
        }
    }

    #[test]
    fn a_refusal_blocks_for_the_window_and_a_login_frees() {
        let mut rate = Rate::new(0, 2, Duration::from_secs(11));
        let now = Instant::now();
        assert_eq!(rate.ready_at(true, now), None);
        rate.refused(now);
        assert!(rate.ready_at(false, now + Duration::from_secs(11)).is_some());
        assert_eq!(rate.ready_at(false, now + Duration::from_secs(12)), None);
        rate.sent(false, now);
        rate.sent(false, now);
        assert!(rate.ready_at(false, now).is_some());
        rate.new_login();
        assert_eq!(rate.ready_at(false, now), None);
    }
}
