//! Sending: the queue, the login, one request after the other.

use super::job::{Job, UnderWay};
use super::{Facts, Phase, State, closed};
use crate::catalogue::Shown;
use crate::error::{Code, Error, Result};
use crate::json::Value;
use crate::link::cloud::guard;
use crate::link::cloud::line::{self, Signed};
use crate::link::once::Giver;
use crate::link::{Members, Request, RequestKind};
use std::borrow::Cow;
use std::io::Write;
use std::net::Shutdown;
use std::time::{Duration, Instant};

/// An answer to a downlink is answered by an empty frame, or by nothing on some servers; the lane waits no longer.
const ANSWER_PATIENCE: Duration = Duration::from_secs(2);

impl State {
    /// Queues a request. The caller pumps.
    pub fn queue(&mut self, facts: &Facts, mut request: Request, done: Giver<Result<Members>>) -> Result<()> {
        match self.phase {
            Phase::Connecting | Phase::Up => {}
            Phase::Closed => return Err(closed()),
            Phase::Down => return Err(self.offline()),
            Phase::Refused => return Err(self.offline()),
        }
        let mut signed = self.sign(facts, &mut request)?;
        let is_guarded = line::is_guarded(&request.service);
        let given = signed.sign;
        if is_guarded && let Some(stamp) = self.guard.stamp(given) {
            signed = self.vary(facts, &mut request, stamp)?;
        }
        // Nulls do not reach the server.
        let order = request.data.get("order_id").filter(|order| is_guarded && !order.is_null());
        let order = order.map(|order| guard::key(&request.service, &order.plain()));
        let wants_login = false;
        let job = Job { request, signed, given, is_guarded, order, wants_login, attempts: 0, refused: None, done };
        self.line_up(Box::new(job), false);
        Ok(())
    }

    fn sign(&self, facts: &Facts, request: &mut Request) -> Result<Signed> {
        let Request { service, data, .. } = request;
        line::fitting(service, self.token.as_deref(), data, &facts.key, facts.line_limit)
    }

    /// Adds or changes the member that only makes the bytes other ones, and signs anew.
    pub(super) fn vary(&self, facts: &Facts, request: &mut Request, stamp: u128) -> Result<Signed> {
        request.data.set_stamp(stamp.to_string());
        self.sign(facts, request)
    }

    /// Puts a job in line: behind those of its kind, or before them when it has been refused for a passing reason.
    pub(super) fn line_up(&mut self, job: Box<Job>, is_again: bool) {
        let kind = job.request.kind;
        let at =
            self.queue.partition_point(|other| other.request.kind < kind || (!is_again && other.request.kind == kind));
        self.queue.insert(at, job);
    }

    /// Sends what may be sent now.
    pub fn pump(&mut self, facts: &Facts, now: Instant) {
        while self.wire.is_some() && self.under_way.is_none() {
            if self.wants_login && self.login_not_before.is_none_or(|at| at <= now) {
                self.send_login(facts, now);
            } else if !self.send_next(facts, now) {
                return;
            }
        }
    }

    pub(super) fn send_login(&mut self, facts: &Facts, now: Instant) {
        let text = line::compose("login", None, &facts.login);
        facts.log.debug(format_args!("cloud: login"));
        if self.write(facts, &text) {
            self.counts.logins += 1;
            self.under_way = Some(UnderWay::Login { deadline: now + facts.request_patience });
        }
    }

    /// Whether something was sent or ended.
    pub(super) fn send_next(&mut self, facts: &Facts, now: Instant) -> bool {
        if !self.has_token() || self.queue.is_empty() {
            return false;
        }
        if self.must_reconnect(now) {
            // Its late reply could name nothing, and would be taken for the next one's.
            facts.log.info(format_args!("cloud: a reply is still owed, connecting anew before the next request"));
            self.reconnect_now = true;
            self.disconnect();
            return false;
        }
        let next = self.next_in_line();
        if next != Some(0) && !self.wants_login {
            facts.log.info(format_args!("cloud: an order has used up this token's two passes, logging in again"));
            self.want_login(facts, now);
            return true;
        }
        if next != Some(0) && self.give_back(now) {
            return true;
        }
        let Some((next, job)) = next.and_then(|next| Some((next, self.queue.get(next)?))) else { return false };
        if job.request.deadline <= now {
            if let Some(job) = self.queue.remove(next) {
                let error = self.late_in_queue(&job);
                job.unsent(error);
            }
            return true;
        }
        let is_guarded = job.is_guarded;
        if self.rate.ready_at(is_guarded, now).is_some() {
            return false;
        }
        let Some(mut job) = self.queue.remove(next) else { return false };
        if let Some(order) = &job.order {
            self.guard.pass(order, job.signed.sign);
        }
        let text = line::compose(&job.request.service, self.token.as_deref(), &job.signed);
        if !self.write(facts, &text) {
            job.unsent(Error::new(Code::Offline, "the connection to the cloud broke before the record was sent"));
            return false;
        }
        job.attempts += 1;
        self.counts.sent += 1;
        self.rate.sent(is_guarded, now);
        let deadline =
            if job.is_answer() { job.request.deadline.min(now + ANSWER_PATIENCE) } else { job.request.deadline };
        self.under_way = Some(UnderWay::Job { job, deadline });
        true
    }

    /// The first in line that this token serves. Who wants the next one is passed over, and so is what stands behind it of
    /// the same order.
    fn next_in_line(&mut self) -> Option<usize> {
        let mut held: Vec<Cow<'_, str>> = Vec::new();
        for (at, job) in self.queue.iter_mut().enumerate() {
            let Job { request, signed, order, wants_login, .. } = &mut **job;
            let is_used_up = order.as_ref().is_some_and(|order| !self.guard.may_pass(order, signed.sign));
            let request: &Request = request;
            let id = move || request.data.get("order_id").filter(|id| !id.is_null()).map(Value::plain);
            let is_behind = || !held.is_empty() && id().is_some_and(|id| held.contains(&id));
            *wants_login = is_used_up || is_behind();
            if !*wants_login {
                return Some(at);
            }
            held.extend(id().filter(|_| is_used_up));
        }
        None
    }

    /// What comes from the store waits for the next token there, where others can pass it.
    fn give_back(&mut self, now: Instant) -> bool {
        let kept = self.queue.iter().position(|job| job.wants_login && job.request.kind == RequestKind::Backlog);
        let Some(job) = kept.and_then(|at| self.queue.remove(at)) else { return false };
        let wait = self.login_not_before.map(|at| at.saturating_duration_since(now)).unwrap_or_default();
        let message = format!("{}: its order waits for the next login; nothing was sent", job.request.service);
        job.unsent(Error { wait: Some(wait), ..Error::new(Code::Offline, message) });
        true
    }

    /// There is a token, and it serves: at least those who do not want the next one.
    pub(super) fn has_token(&self) -> bool {
        self.token.is_some() && (self.is_token_good || !self.wants_login)
    }

    /// A request was given up and its reply may still come. A new connection keeps it away; but not where an order is
    /// owed: its line may still lie before the server, and would be refused and remembered when the token dies with the
    /// connection. Orders' replies have names.
    fn must_reconnect(&mut self, now: Instant) -> bool {
        self.forget_owed(now);
        !self.owed.is_empty() && !self.owed.iter().any(|owed| owed.is_guarded)
    }

    pub(super) fn late_in_queue(&self, job: &Job) -> Error {
        if !self.has_token() || job.wants_login {
            return Error::new(
                Code::Offline,
                "the login to the cloud was not done in the call's time; nothing was sent",
            );
        }
        let message = "the call's time ran out before its turn came (the cloud takes one request at a time and limits their \
                       rate); nothing was sent";
        Error::new(Code::RateLimited, message)
    }

    pub(super) fn write(&mut self, facts: &Facts, text: &str) -> bool {
        let Some(wire) = &mut self.wire else { return false };
        facts.log.trace(format_args!("cloud > {}", Shown(text.as_bytes())));
        match wire.write_all(text.as_bytes()) {
            Ok(()) => true,
            Err(error) => {
                facts.log.warn(format_args!("cloud: writing failed: {error}"));
                // The reader sees the end and reports the loss.
                let _ = wire.shutdown(Shutdown::Both);
                self.wire = None;
                false
            }
        }
    }

    pub(super) fn want_login(&mut self, facts: &Facts, now: Instant) {
        if self.wants_login {
            return;
        }
        self.wants_login = true;
        let Some(last) = self.last_login else { return };
        if last + Duration::from_secs(60) < now {
            self.relogin.reset();
        }
        // Two programs under one local_id throw each other out: do not race.
        self.login_not_before = Some(last + self.relogin.pause().max(facts.login_pause));
    }
}

#[cfg(test)]
mod tests {
    use super::super::rig::Rig;
    use super::*;
    use crate::json::{json, members};
    use crate::link::Data;
    use crate::link::cloud::rate::Rate;

    const NOBODY_ELSE: Duration = Duration::from_secs(60);

    fn record(order: &str, remark: u32) -> Members {
        members! {"order_id": order, "remark": remark}
    }

    /// Two passes of order A1 are used up.
    fn used_up(now: Instant) -> Rig {
        let mut rig = Rig::new(Rate::new(0, 0, Duration::ZERO), now);
        for remark in 1..=2 {
            rig.queue("in_park", record("A1", remark), now + NOBODY_ELSE);
            assert_eq!(next(&mut rig, now), ("in_park", "A1".into()));
            answered(&mut rig, "in_park", "A1", now);
        }
        rig
    }

    fn next(rig: &mut Rig, now: Instant) -> (&'static str, String) {
        rig.state.pump(&rig.facts, now);
        let line = rig.line();
        let service = ["in_park", "out_park", "login"].into_iter().find(|name| line["service_name"] == *name);
        (service.unwrap(), line["data"].get("order_id").unwrap_or(&Value::Null).plain().into_owned())
    }

    fn answered(rig: &mut Rig, service: &str, order: &str, now: Instant) {
        rig.says(members! {"service_name": service, "state": 1, "errmsg": "", "order_id": order}, now);
    }

    #[test]
    fn only_an_order_without_passes_waits_for_the_next_token() {
        let now = Instant::now();
        let mut rig = used_up(now);
        let third = rig.queue("in_park", record("A1", 3), now + NOBODY_ELSE);
        rig.queue("out_park", record("A1", 4), now + NOBODY_ELSE);
        rig.queue("in_park", record("A2", 5), now + NOBODY_ELSE);
        rig.queue("out_park", record("A2", 6), now + NOBODY_ELSE);
        for service in ["in_park", "out_park"] {
            assert_eq!(next(&mut rig, now), (service, "A2".into()));
            answered(&mut rig, service, "A2", now);
        }
        // The old token's last are answered; the login keeps its distance.
        let due = now + rig.facts.login_pause;
        assert!(rig.state.is_idle() && rig.state.queue.len() == 2);
        assert_eq!(rig.state.next_look(&rig.facts, now), due);
        rig.state.tick(&rig.facts, due - Duration::from_millis(1));
        assert!(rig.state.is_idle());
        assert_eq!(next(&mut rig, due), ("login", String::new()));
        rig.says(members! {"service_name": "login", "state": 1, "token": "t2"}, due);
        for service in ["in_park", "out_park"] {
            assert_eq!(next(&mut rig, due), (service, "A1".into()), "in their order");
            answered(&mut rig, service, "A1", due);
        }
        assert_eq!(third.take().unwrap().unwrap()["state"], json!(1));
    }

    #[test]
    fn a_refused_token_holds_up_everything_also_while_an_order_waits_for_another() {
        let now = Instant::now();
        let mut rig = used_up(now);
        rig.queue("in_park", record("A1", 3), now + NOBODY_ELSE);
        let other = rig.queue("in_park", record("A2", 4), now + Duration::from_secs(1));
        assert_eq!(next(&mut rig, now), ("in_park", "A2".into()));
        rig.says(members! {"state": 0, "errmsg": "error:token无效"}, now);
        rig.queue("in_park", record("A3", 5), now + NOBODY_ELSE);
        rig.state.pump(&rig.facts, now);
        assert!(rig.state.is_idle() && rig.state.queue.len() == 3, "nothing goes out under a dead token");
        rig.state.tick(&rig.facts, now + Duration::from_secs(1));
        assert_eq!(other.take().unwrap().unwrap_err().code, Code::NotStored);
        let due = now + rig.facts.login_pause;
        assert_eq!(next(&mut rig, due), ("login", String::new()));
    }

    #[test]
    fn a_charge_given_twice_at_once_is_not_made_once_more() {
        let now = Instant::now();
        let mut rig = Rig::new(Rate::new(0, 0, Duration::ZERO), now);
        let charge = || members! {"order_id": "A1", "pay_type": "wallet"};
        let first = rig.queue("out_park", charge(), now + NOBODY_ELSE);
        let second = rig.queue("out_park", charge(), now + NOBODY_ELSE);
        assert_eq!(next(&mut rig, now), ("out_park", "A1".into()));
        rig.says(members! {"service_name": "out_park", "state": 2, "errmsg": "", "order_id": "A1"}, now);
        assert_eq!(first.take().unwrap().unwrap()["state"], json!(2));
        assert_eq!(rig.line()["data"].get("random_temp"), None, "the same bytes");
        let handled = members! {"service_name": "out_park", "state": 0, "errmsg": "数据已处理过...", "order_id": "A1"};
        rig.says(handled.clone(), now);
        assert!(rig.state.is_idle() && rig.state.queue.is_empty(), "nothing more goes out");
        assert_eq!(second.take().unwrap().unwrap(), handled);
    }

    #[test]
    fn a_line_without_room_for_the_stamp_goes_with_its_members_in_another_order() {
        let now = Instant::now();
        let mut rig = Rig::new(Rate::new(0, 0, Duration::ZERO), now);
        let record = || {
            Members::from(
                ["order_id", "car_number", "c_type", "uid", "remark", "car_type", "out_uid", "c", "d", "e"]
                    .map(|name| (name, json!("A1"))),
            )
        };
        let signed = line::signed(&Data::from(record()), "k").unwrap();
        rig.facts.line_limit = line::compose("in_park", Some("t1"), &signed).len() - 1;
        let end = now + NOBODY_ELSE;
        let call = rig.queue("in_park", record(), end);
        rig.state.pump(&rig.facts, now);
        let refused = rig.line()["data"].clone();
        rig.says(members! {"state": 0, "errmsg": "error:token无效"}, now);
        rig.state.pump(&rig.facts, now + rig.facts.login_pause);
        assert_eq!(rig.line()["service_name"], json!("login"));
        rig.says(members! {"service_name": "login", "state": 1, "token": "t2"}, now);
        let again = rig.line()["data"].clone();
        assert_ne!(again.to_string(), refused.to_string(), "the cloud would call it handled");
        assert_eq!(again.as_object().unwrap().len(), 10);
        record().iter().for_each(|(name, value)| assert_eq!(again.get(name), Some(value)));
        answered(&mut rig, "in_park", "A1", now);
        assert_eq!(call.take().unwrap().unwrap()["state"], json!(1));
        // What the store keeps has its stamp: each stamp makes an order of its own, always the same.
        let mut texts = Vec::new();
        for stamp in ["1790000000000001", "1790000000000001", "1790000000000002"] {
            let mut stored = record();
            stored.insert("order_id", json!("A2"));
            stored.insert("random_temp", json!(stamp));
            rig.queue("in_park", stored, end);
            rig.state.pump(&rig.facts, now);
            texts.push(rig.line()["data"].to_string());
            answered(&mut rig, "in_park", "A2", now);
        }
        assert_eq!(texts[0], texts[1]);
        assert_ne!(texts[0], texts[2]);
        assert!(!texts[0].contains("random_temp"));
    }

    #[test]
    fn who_waits_in_vain_is_told_what_for() {
        let now = Instant::now();
        let mut rig = used_up(now);
        let third = rig.queue("in_park", record("A1", 3), now + Duration::from_secs(1));
        let sent = rig.queue("in_park", record("A2", 4), now + NOBODY_ELSE);
        let late = rig.queue("in_park", record("A3", 5), now + Duration::from_secs(1));
        assert_eq!(next(&mut rig, now), ("in_park", "A2".into()));
        rig.state.tick(&rig.facts, now + Duration::from_secs(1));
        assert_eq!(third.take().unwrap().unwrap_err().code, Code::Offline);
        assert_eq!(late.take().unwrap().unwrap_err().code, Code::RateLimited);
        assert!(!sent.is_ready());
    }
}
