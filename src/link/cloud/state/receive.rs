//! Receiving: whose reply it is, and what a refusal means for the record.

use super::job::{Job, UnderWay};
use super::words::{OVER_TIMES, errmsg, is_already_handled, is_token_refusal, says_handled};
use super::{Facts, Phase, State};
use crate::error::{Code, Error};
use crate::json::Value;
use crate::link::Members;
use crate::link::cloud::classify::{self, Kind};
use std::time::Instant;

/// How often a refused token or rate is tried again within one call.
const ATTEMPTS: u32 = 3;

impl State {
    /// A message with a text came in; what the caller hands up is returned.
    pub fn message(&mut self, facts: &Facts, message: Members, now: Instant) -> Option<Members> {
        self.forget_owed(now);
        if self.is_guards_word_on_answer(&message) {
            self.reply(facts, message, now);
            return None;
        }
        let expected = match &self.under_way {
            Some(UnderWay::Job { job, .. }) if !job.is_answer() => Some(job.expected()),
            _ => None,
        };
        let owed = &self.owed;
        match classify::classify(&message, expected, |name| owed.iter().any(|owed| owed.is_named(name))) {
            Kind::Login => self.login_reply(facts, &message, now),
            Kind::Nameless => self.nameless(facts, message, now),
            Kind::Reply if self.is_late_no(&message) => facts.log.warn(format_args!("cloud: a late no to a charge")),
            Kind::Reply => self.reply(facts, message, now),
            Kind::Stray => {
                let name = message.plain("service_name").into_owned();
                if let Some(at) = self.owed.iter().position(|owed| owed.is_named(&name)) {
                    self.owed.remove(at);
                    facts.log.warn(format_args!("cloud: the reply to an earlier {name} came too late"));
                    return None;
                }
                return Some(message);
            }
            Kind::Echo => {
                self.counts.echoes += 1;
                return Some(message);
            }
            Kind::Downlink | Kind::Unknown => {
                self.call_ended = false;
                self.counts.downlinks += 1;
                return Some(message);
            }
        }
        None
    }

    /// The resend guard also looks at answers (nolicence_in_park contains in_park), and refuses under the downlink's name.
    pub(super) fn is_guards_word_on_answer(&self, message: &Members) -> bool {
        let Some(UnderWay::Job { job, .. }) = &self.under_way else { return false };
        job.is_answer()
            && message.get("service_name").and_then(Value::as_str) == Some(job.request.service.as_str())
            && is_already_handled(message)
    }

    pub(super) fn login_reply(&mut self, facts: &Facts, reply: &Members, now: Instant) {
        if !matches!(self.under_way, Some(UnderWay::Login { .. })) {
            facts.log.warn(format_args!("cloud: a login reply that nobody waits for"));
            return;
        }
        self.under_way = None;
        let token = Some(reply.plain("token").into_owned()).filter(|token| !token.is_empty());
        match token.filter(|_| is_state(reply, "1")) {
            Some(token) => {
                facts.log.protect(&token);
                self.token = Some(token);
                self.wants_login = false;
                self.queue.iter_mut().for_each(|job| job.wants_login = false);
                self.is_token_good = true;
                self.last_login = Some(now);
                self.last_error = None;
                self.guard.new_login();
                self.rate.new_login();
                self.beat_at = now + facts.heartbeat;
                self.beat_sent = None;
                facts.log.info(format_args!("cloud: logged in"));
                self.enter(Phase::Up);
                self.pump(facts, now);
            }
            None => {
                let reason = errmsg(reply);
                self.reason = Some(Error::new(
                    Code::LoginRefused,
                    format!("the cloud refused the login: {reason}; check park_id, ckey (or ukey) and cloud_addr"),
                ));
                self.disconnect();
            }
        }
    }

    /// The reply to the job under way.
    pub(super) fn reply(&mut self, facts: &Facts, reply: Members, now: Instant) {
        let Some(UnderWay::Job { mut job, .. }) = self.under_way.take_if(|way| matches!(way, UnderWay::Job { .. }))
        else {
            return;
        };
        self.rate.answered(now);
        self.counts.replies += 1;
        self.call_ended = !job.is_answer();
        let text = errmsg(&reply);
        let is_handled = says_handled(&text);
        let is_nameless = !reply.contains_key("service_name");
        if is_nameless && is_token_refusal(&text) {
            self.guard.refused(job.given);
            self.refused(facts, job, &text, now);
            self.is_token_good = false;
            self.want_login(facts, now);
        } else if is_nameless && text.contains(OVER_TIMES) {
            self.rate.refused(now);
            self.guard.refused(job.given);
            self.refused(facts, job, &text, now);
        } else if is_handled && self.guard.stamp(job.signed.sign).is_some() && !job.asks_now() {
            // The older server remembers signatures of every service: it speaks of the try that it refused; so does each of
            // another call of the same bytes. A charge is not made once more by us: that call's may be under way.
            job.is_guarded = true;
            self.refused(facts, job, &text, now);
        } else {
            if job.is_guarded && !is_settled(&job, &reply, is_handled) {
                self.guard.refused(job.given);
            }
            job.end(Ok(reply));
        }
        self.pump(facts, now);
    }

    /// The server refused before looking at the record: try again; a guarded one with other bytes, for its signature is
    /// remembered although nothing was stored.
    pub(super) fn refused(&mut self, facts: &Facts, mut job: Box<Job>, text: &str, now: Instant) {
        facts.log.warn(format_args!("cloud: {} was not taken: {text}", job.request.service));
        let is_rate = text.contains(OVER_TIMES);
        let mut code = if is_rate { Code::RateLimited } else { Code::Offline };
        if job.is_guarded
            && let Some(stamp) = self.guard.stamp(job.given)
        {
            match self.vary(facts, &mut job.request, stamp) {
                Ok(signed) => job.signed = signed,
                Err(error) => return job.end(Err(error)),
            }
            code = Code::NotStored;
        }
        let error = Error::new(
            code,
            format!("{}: the cloud answered {text} and has not stored the record", job.request.service),
        );
        if job.attempts >= ATTEMPTS || job.request.deadline <= now {
            return job.end(Err(error));
        }
        job.refused = Some(error);
        self.line_up(job, true);
    }

    /// A wordless answer. It says "heard" to an answer of ours, and "unknown" to a service that this server does not have;
    /// for those it has it says nothing.
    pub fn empty(&mut self, facts: &Facts, now: Instant) {
        let is_answer = match &self.under_way {
            Some(UnderWay::Job { job, .. }) if job.is_answer() => true,
            Some(UnderWay::Job { job, .. }) if self.owed_empty == 0 && !job.is_always_worded() => false,
            _ => {
                self.owed_empty = self.owed_empty.saturating_sub(1);
                return;
            }
        };
        let Some(UnderWay::Job { job, .. }) = self.under_way.take() else { return };
        self.rate.answered(now);
        self.counts.replies += 1;
        if is_answer {
            job.end(Ok(Members::new()));
        } else {
            let name = &job.request.service;
            let message = format!("{name}: the cloud does not know this service (empty answer)");
            job.end(Err(Error::new(Code::Refused, message)));
        }
        self.pump(facts, now);
    }

    /// A heartbeat was answered.
    pub fn beat_answered(&mut self) {
        self.beat_sent = None;
    }
}

fn is_state(reply: &Members, state: &str) -> bool {
    reply.plain("state") == state
}

/// Whether the same bytes again may be taken for done when the server calls them handled: not after a refusal, for it
/// remembers them before it looks at them, and not while the outcome is still to come, as that of a charge is.
fn is_settled(job: &Job, reply: &Members, is_handled: bool) -> bool {
    if is_handled { !job.asks_now() } else { matches!(&*reply.plain("state"), "" | "1") }
}

#[cfg(test)]
mod tests {
    use super::super::rig::Rig;
    use crate::error::Code;
    use crate::json::{json, members};
    use crate::link::Members;
    use crate::link::cloud::rate::Rate;
    use std::time::{Duration, Instant};

    const HANDLED: &str = "数据已处理过...";

    fn record() -> Members {
        members! {"order_id": "A1", "car_number": "京A12345"}
    }

    fn reply(state: u8, errmsg: &str) -> Members {
        members! {"service_name": "in_park", "state": state, "errmsg": errmsg, "order_id": "A1"}
    }

    fn nameless(errmsg: &str) -> Members {
        members! {"state": 0, "errmsg": errmsg}
    }

    fn rig(now: Instant) -> Rig {
        Rig::new(Rate::new(0, 0, Duration::ZERO), now)
    }

    #[test]
    fn what_went_out_with_other_bytes_and_got_no_reply_goes_out_with_those_again() {
        let now = Instant::now();
        let mut rig = rig(now);
        let soon = now + Duration::from_secs(1);
        rig.queue("in_park", record(), soon);
        rig.state.pump(&rig.facts, now);
        assert_eq!(rig.line()["data"].get("random_temp"), None);
        rig.says(nameless("error:签名错误"), now);
        let unheard = rig.queue("in_park", record(), soon);
        rig.state.pump(&rig.facts, now);
        let changed = rig.line();
        assert!(changed["data"].get("random_temp").is_some());
        rig.state.tick(&rig.facts, soon);
        assert_eq!(unheard.take().unwrap().unwrap_err().code, Code::Timeout);
        // The server stored it and only its reply was lost: other bytes would store it twice.
        for _ in 0..2 {
            let again = rig.queue("in_park", record(), soon + Duration::from_secs(1));
            rig.state.pump(&rig.facts, soon);
            assert_eq!(rig.line(), changed);
            rig.says(reply(0, HANDLED), soon);
            assert_eq!(again.take().unwrap().unwrap()["errmsg"], json!(HANDLED));
        }
    }

    #[test]
    fn one_of_two_equal_records_that_was_refused_is_stored_once() {
        let now = Instant::now();
        let mut rig = rig(now);
        let later = now + Duration::from_secs(60);
        let calls = [rig.queue("in_park", record(), later), rig.queue("in_park", record(), later)];
        rig.state.pump(&rig.facts, now);
        rig.line();
        rig.says(nameless("error:token无效"), now);
        let login = now + rig.facts.login_pause + Duration::from_secs(30);
        rig.state.tick(&rig.facts, login);
        assert_eq!(rig.line()["service_name"], json!("login"));
        rig.says(members! {"service_name": "login", "state": 1, "token": "t2"}, login);
        let changed = rig.line();
        rig.says(reply(1, ""), login);
        assert_eq!(rig.line()["data"].get("random_temp"), None);
        rig.says(reply(0, HANDLED), login);
        assert_eq!(rig.line(), changed);
        rig.says(reply(0, HANDLED), login);
        for call in calls {
            assert_eq!(call.take().unwrap().unwrap()["service_name"], json!("in_park"));
        }
    }
}
