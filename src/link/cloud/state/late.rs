//! Words that may be about an earlier request: one that was given up, and whose reply may still come.

use super::job::UnderWay;
use super::words::{OVER_TIMES, errmsg, is_already_handled, is_token_refusal};
use super::{Facts, State};
use crate::link::Members;
use std::time::Instant;

impl State {
    pub(super) fn nameless(&mut self, facts: &Facts, reply: Members, now: Instant) {
        let text = errmsg(&reply);
        let is_own = match &self.under_way {
            // No login is ever refused so: it is late.
            Some(UnderWay::Login { .. }) if is_token_refusal(&text) || text.contains(OVER_TIMES) => false,
            Some(UnderWay::Login { .. }) => return self.login_reply(facts, &reply, now),
            // These refuse the one as well as the other; but a charge that was taken after a login in between would be made
            // twice.
            Some(UnderWay::Job { job, .. })
                if (is_token_refusal(&text) || text.contains(OVER_TIMES))
                    && (self.owed.is_empty() || !job.asks_now()) =>
            {
                self.owed.iter().filter_map(|owed| owed.given).for_each(|given| self.guard.refused(given));
                true
            }
            Some(UnderWay::Job { job, .. }) => self.owed.is_empty() || !job.is_named(),
            None => false,
        };
        if is_own {
            return self.reply(facts, reply, now);
        }
        // A late one of a request that was given up.
        facts.log.warn(format_args!("cloud: a nameless reply that belongs to nothing under way: {text}"));
        if is_token_refusal(&text) && matches!(self.under_way, Some(UnderWay::Job { .. })) {
            // If it was said of the one under way, the token is dead; if not, a login too many does no harm.
            self.is_token_good = false;
            self.want_login(facts, now);
        }
        let owed = if self.owed.is_empty() { None } else { self.owed.remove(0).given };
        // It may as well be about the one under way: neither is known to be stored.
        let own = match &self.under_way {
            Some(UnderWay::Job { job, .. }) => job.doubtful(),
            _ => None,
        };
        owed.into_iter().chain(own).for_each(|given| self.guard.refused(given));
    }

    /// A no to a charge while an earlier call of the same order has no reply yet is taken for that one's: who hears no takes
    /// the money another way. When this charge's own reply does not come either, its end says that it may have been made.
    pub(super) fn is_late_no(&mut self, reply: &Members) -> bool {
        let Some(UnderWay::Job { job, .. }) = &self.under_way else { return false };
        if !job.asks_now() || matches!(&*reply.plain("state"), "1" | "2") || is_already_handled(reply) {
            return false;
        }
        let owed = self.owed.iter().position(|owed| owed.order.is_some() && owed.order == job.order);
        owed.inspect(|at| drop(self.owed.remove(*at))).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::super::rig::Rig;
    use crate::json::{json, members};
    use crate::link::Members;
    use crate::link::cloud::rate::Rate;
    use std::time::{Duration, Instant};

    fn record() -> Members {
        members! {"order_id": "A1", "car_number": "京A12345"}
    }

    fn nameless(errmsg: &str) -> Members {
        members! {"state": 0, "errmsg": errmsg}
    }

    fn rig(now: Instant) -> Rig {
        Rig::new(Rate::new(0, 0, Duration::ZERO), now)
    }

    /// A record went out, and nobody waits for its reply any more.
    fn given_up(rig: &mut Rig, now: Instant, until: Instant) {
        rig.queue("in_park", record(), until);
        rig.state.pump(&rig.facts, now);
        rig.line();
        rig.state.tick(&rig.facts, until);
    }

    #[test]
    fn a_refusal_that_may_be_of_either_of_two_leaves_neither_handled() {
        let now = Instant::now();
        let mut rig = rig(now);
        let [first, second] = [1, 2].map(|second| now + Duration::from_secs(second));
        given_up(&mut rig, now, first);
        let other = || members! {"order_id": "A2", "car_number": "京A12345"};
        rig.queue("in_park", other(), second);
        rig.state.pump(&rig.facts, first);
        rig.line();
        rig.says(nameless("error:签名错误"), first);
        rig.state.tick(&rig.facts, second);
        for data in [record(), other()] {
            rig.queue("in_park", data, second + Duration::from_secs(1));
            rig.state.pump(&rig.facts, second);
            let line = rig.line();
            assert!(line["data"].get("random_temp").is_some(), "{line:?}");
            let order = line["data"]["order_id"].clone();
            rig.says(members! {"service_name": "in_park", "state": 1, "errmsg": "", "order_id": order}, second);
        }
    }

    #[test]
    fn a_late_refusal_does_not_make_a_charge_again() {
        for text in ["error:token无效", "request_over_times"] {
            let now = Instant::now();
            let mut rig = rig(now);
            let [first, end] = [1, 60].map(|second| now + Duration::from_secs(second));
            given_up(&mut rig, now, first);
            let charge = || members! {"order_id": "A2", "pay_type": "wallet"};
            let call = rig.queue("out_park", charge(), end);
            rig.state.pump(&rig.facts, first);
            assert_eq!(rig.line()["service_name"], json!("out_park"));
            // Said of the entry, under a token or in a second that were not the charge's.
            rig.says(nameless(text), first);
            assert!(!rig.state.is_idle() && rig.state.queue.is_empty(), "it waits for its own reply");
            assert_eq!(rig.state.is_token_good, text == "request_over_times", "the token may be dead all the same");
            // The entry's refusal is spent: the next is the charge's own.
            rig.says(nameless(text), first);
            assert!(rig.state.is_idle() && rig.state.queue.len() == 1, "made again, for it was not taken");
            drop(call);
        }
    }

    #[test]
    fn a_late_refusal_is_no_answer_to_a_login_and_leaves_nothing_handled() {
        let now = Instant::now();
        let mut rig = rig(now);
        let [first, end] = [1, 60].map(|second| now + Duration::from_secs(second));
        given_up(&mut rig, now, first);
        let other = members! {"order_id": "A2", "car_number": "京A12345"};
        let call = rig.queue("in_park", other, end);
        rig.state.pump(&rig.facts, first);
        rig.line();
        // The token is dead, for both of them.
        rig.says(nameless("error:token无效"), first);
        let login = first + rig.facts.login_pause + Duration::from_secs(30);
        rig.state.tick(&rig.facts, login);
        assert_eq!(rig.line()["service_name"], json!("login"));
        rig.says(nameless("error:token无效"), login);
        rig.says(members! {"service_name": "login", "state": 1, "token": "t2"}, login);
        assert!(rig.line()["data"].get("random_temp").is_some());
        rig.says(members! {"service_name": "in_park", "state": 1, "errmsg": "", "order_id": "A2"}, login);
        assert_eq!(call.take().unwrap().unwrap()["state"], json!(1));
        rig.queue("in_park", record(), end);
        rig.state.pump(&rig.facts, login);
        assert!(rig.line()["data"].get("random_temp").is_some(), "the server never stored it");
    }

    #[test]
    fn a_no_to_an_earlier_call_of_the_order_is_not_this_charges() {
        let now = Instant::now();
        let mut rig = Rig::new(Rate::new(0, 0, Duration::ZERO), now);
        let charge = |order: &str, total: &str| members! {"order_id": order, "pay_type": "wallet", "total": total};
        let no =
            |order: &str| members! {"service_name": "out_park", "state": 0, "errmsg": "余额不足", "order_id": order};
        let [first, end] = [1, 30].map(|second| now + Duration::from_secs(second));
        rig.queue("out_park", charge("A1", "1"), first);
        rig.state.tick(&rig.facts, now);
        rig.state.tick(&rig.facts, first);
        // Another order's no is its own.
        let other = rig.queue("out_park", charge("A2", "1"), end);
        rig.state.tick(&rig.facts, first);
        rig.says(no("A2"), first);
        assert_eq!(other.take().unwrap().unwrap()["state"], json!(0));
        let again = rig.queue("out_park", charge("A1", "2"), end);
        rig.state.tick(&rig.facts, first);
        rig.says(no("A1"), first);
        assert!(!rig.state.is_idle(), "it was said of the first call");
        rig.says(members! {"service_name": "out_park", "state": 2, "errmsg": "", "order_id": "A1"}, first);
        assert_eq!(again.take().unwrap().unwrap()["state"], json!(2));
    }
}
