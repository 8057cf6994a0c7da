//! Sending: the queue, the login, one request after the other.

use super::job::{Job, UnderWay};
use super::{Facts, Phase, State, closed};
use crate::error::{Code, Error, Result};
use crate::link::cloud::guard;
use crate::link::cloud::line::{self, Signed};
use crate::link::once::Giver;
use crate::link::{Data, Members, Request};
use std::io::Write;
use std::net::Shutdown;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

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
        let mut signed = line::signed(&request.data, &facts.key)?;
        let is_guarded = line::is_guarded(&request.service);
        if is_guarded && self.guard.must_change(signed.sign) {
            signed = vary(&mut request.data, &facts.key)?;
        }
        line::measure(&request.service, self.token.as_deref(), &request.data, &signed.text, facts.line_limit)?;
        // Nulls do not reach the server.
        let order = request.data.get("order_id").filter(|order| is_guarded && !order.is_null());
        let order = order.map(|order| guard::key(&request.service, &order.plain()));
        self.line_up(Job { request, signed, is_guarded, order, attempts: 0, refused: None, done }, false);
        Ok(())
    }

    /// Puts a job in line: behind those of its kind, or before them when it has been refused for a passing reason.
    pub(super) fn line_up(&mut self, job: Job, is_again: bool) {
        let kind = job.request.kind;
        let at =
            self.queue.partition_point(|other| other.request.kind < kind || (!is_again && other.request.kind == kind));
        self.queue.insert(at, job);
    }

    /// Sends what may be sent now.
    pub fn pump(&mut self, facts: &Facts, now: Instant) {
        while self.wire.is_some() && self.under_way.is_none() {
            if self.wants_login {
                if self.login_not_before.is_some_and(|at| at > now) {
                    return;
                }
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
        if self.token.is_none() || self.queue.is_empty() {
            return false;
        }
        if self.must_reconnect(now) {
            // Its late reply could name nothing, and would be taken for the next one's.
            facts.log.info(format_args!("cloud: a reply is still owed, connecting anew before the next request"));
            self.reconnect_now = true;
            self.disconnect();
            return false;
        }
        let Some(job) = self.queue.front() else { return false };
        if job.request.deadline <= now {
            if let Some(job) = self.queue.pop_front() {
                job.unsent(self.late_in_queue());
            }
            return true;
        }
        let is_guarded = job.is_guarded;
        if self.rate.ready_at(is_guarded, now).is_some() {
            return false;
        }
        if let Some(order) = &job.order
            && !self.guard.pass(order, job.signed.sign)
        {
            facts.log.info(format_args!("cloud: {order} has used up this token's two passes, logging in again"));
            self.want_login(facts, now);
            return true;
        }
        let Some(mut job) = self.queue.pop_front() else { return false };
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
        self.under_way = Some(UnderWay::Job { job: Box::new(job), deadline });
        true
    }

    /// A request was given up and its reply may still come. A new connection keeps it away; but not where an order is
    /// owed: its line may still lie before the server, and would be refused and remembered when the token dies with the
    /// connection. Orders' replies have names.
    fn must_reconnect(&mut self, now: Instant) -> bool {
        self.forget_owed(now);
        !self.owed.is_empty() && !self.owed.iter().any(|owed| owed.is_guarded)
    }

    pub(super) fn late_in_queue(&self) -> Error {
        if self.token.is_none() || self.wants_login {
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
        facts.log.trace(format_args!("cloud > {}", text.trim_end()));
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

/// Adds or changes the member that only makes the bytes other ones, and signs anew.
pub(super) fn vary(data: &mut Data, key: &str) -> Result<Signed> {
    let stamp = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_micros());
    data.set_stamp(stamp.to_string());
    line::signed(data, key)
}
