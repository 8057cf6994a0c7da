//! Time: what is due, and when to look again.

use super::job::{Job, Owed, UnderWay};
use super::{Facts, Phase, State};
use crate::error::{Code, Error};
use crate::link::Members;
use crate::link::cloud::classify::Expected;
use std::time::{Duration, Instant};

/// A reply that comes later than this after its request was given up is not expected any more.
const LATE: Duration = Duration::from_secs(60);

impl State {
    pub(super) fn forget_owed(&mut self, now: Instant) {
        self.owed.retain(|owed| now.duration_since(owed.since) < LATE);
    }

    /// Does what is due; tells when to look again.
    pub fn tick(&mut self, facts: &Facts, now: Instant) -> Instant {
        self.expire(facts, now);
        self.beat(facts, now);
        self.pump(facts, now);
        self.next_look(facts, now)
    }

    /// Ends what has waited its time.
    pub fn expire(&mut self, facts: &Facts, now: Instant) {
        if self.under_way.as_ref().is_some_and(|way| way.deadline() <= now) {
            match self.under_way.take() {
                Some(UnderWay::Login { .. }) => {
                    self.reason = Some(Error::new(Code::Timeout, "the cloud did not answer the login"));
                    self.disconnect();
                }
                Some(UnderWay::Job { job, .. }) => self.unanswered(facts, *job, now),
                None => {}
            }
        }
        self.expire_queue(now);
    }

    fn expire_queue(&mut self, now: Instant) {
        while let Some(at) = self.queue.iter().position(|job| job.request.deadline <= now) {
            if let Some(job) = self.queue.remove(at) {
                let error = self.late_in_queue(&job);
                job.unsent(error);
            }
        }
    }

    pub(super) fn unanswered(&mut self, facts: &Facts, job: Job, now: Instant) {
        self.rate.answered(now);
        if job.is_answer() {
            self.owed_empty += 1;
            return job.end(Ok(Members::new()));
        }
        let (name, given) = (&job.request.service, job.doubtful());
        facts.log.warn(format_args!("cloud: no answer to {name}"));
        let Expected { service, interface, .. } = job.expected();
        let (service, order) = (service.into(), job.order.clone());
        self.owed.push(Owed { service, interface, is_guarded: job.is_guarded, order, given, since: now });
        let message = format!("{name}: the cloud has not answered in time; it may or may not have taken the record");
        job.end(Err(Error::new(Code::Timeout, message)));
    }

    pub(super) fn beat(&mut self, facts: &Facts, now: Instant) {
        if self.phase != Phase::Up || self.wire.is_none() {
            return;
        }
        if self.beat_sent.is_some_and(|sent| sent + facts.heartbeat_patience <= now) {
            // Silence also means that another connection took this lot's place: only a new login tells.
            facts.log.warn(format_args!("cloud: the heartbeat is not answered, logging in again"));
            self.beat_sent = None;
            self.beat_at = now + facts.heartbeat;
            self.is_token_good = false;
            self.want_login(facts, now);
        } else if self.beat_at <= now && self.beat_sent.is_none() {
            self.beat_at = now + facts.heartbeat;
            if self.write(facts, "0x11\n") {
                self.counts.heartbeats += 1;
                self.beat_sent = Some(now);
            }
        }
    }

    /// Whether certainly nothing is due before that; a quick look for what nearly every request finds.
    pub fn is_quiet_until(&self, facts: &Facts, time: Instant) -> bool {
        let is_late = |way: &UnderWay| way.deadline() >= time;
        self.queue.is_empty()
            && !self.wants_login
            && self.under_way.as_ref().is_none_or(is_late)
            && self.beat_due(facts).is_none_or(|due| due >= time)
    }

    /// Nothing but the limits keeps the next request back.
    fn may_send(&self) -> bool {
        self.wire.is_some() && self.has_token() && self.under_way.is_none()
    }

    /// When the heartbeat is to be sent, or its answer has been waited for long enough.
    fn beat_due(&self, facts: &Facts) -> Option<Instant> {
        (self.phase == Phase::Up).then(|| self.beat_sent.map_or(self.beat_at, |sent| sent + facts.heartbeat_patience))
    }

    /// When something is due next.
    pub fn next_look(&self, facts: &Facts, now: Instant) -> Instant {
        // Its moment may have come since it was looked at: then it is due at once, not never.
        let waiting = self.queue.iter().find(|job| !job.wants_login).filter(|_| self.may_send());
        let rate = waiting.and_then(|job| self.rate.free_at(job.is_guarded));
        let queued = self.queue.iter().map(|job| job.request.deadline).min();
        let login =
            self.login_not_before.filter(|_| self.wants_login && self.wire.is_some() && self.under_way.is_none());
        let way = self.under_way.as_ref().map(UnderWay::deadline);
        let soonest = [rate, queued, self.beat_due(facts), login, way].into_iter().flatten().min();
        soonest.unwrap_or(now + Duration::from_secs(60)).max(now + Duration::from_millis(1))
    }
}

#[cfg(test)]
mod tests {
    use super::super::rig::Rig;
    use crate::json::members;
    use crate::link::cloud::rate::Rate;
    use std::time::{Duration, Instant};

    #[test]
    fn a_request_whose_moment_came_between_two_looks_is_due_at_once() {
        let span = Duration::from_secs(11);
        let now = Instant::now();
        let Rig { mut state, facts, .. } = {
            let mut rig = Rig::new(Rate::new(0, 1, span), now);
            for _ in 0..2 {
                rig.queue("newer_log", members! {"order_id": "A1"}, now + Duration::from_secs(3600));
            }
            rig
        };
        state.pump(&facts, now);
        state.empty(&facts, now);
        assert_eq!(state.queue.len(), 1, "the second waits for the limit");
        let free = now + span + Duration::from_millis(20);
        assert_eq!(state.next_look(&facts, now), free);
        // Looked at just before, found waiting; told when to look again just after.
        state.pump(&facts, free - Duration::from_micros(1));
        assert_eq!(state.queue.len(), 1);
        assert!(state.next_look(&facts, free) <= free + Duration::from_millis(1));
        state.pump(&facts, free);
        assert!(state.queue.is_empty());
    }
}
