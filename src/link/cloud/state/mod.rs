//! The state of the cloud link: what is queued, what is under way, what the server remembers. The only writer to the
//! socket, and only one request at a time: replies that name nothing would otherwise belong to anyone.

mod clock;
mod job;
mod late;
mod receive;
#[cfg(test)]
mod rig;
mod send;
mod words;

pub use self::words::is_already_handled;

use self::job::{Job, Owed, UnderWay};
use super::guard::Guard;
use super::line::Signed;
use super::rate::Rate;
use crate::error::{Code, Error, Result};
use crate::json::members;
use crate::link::Members;
use crate::link::backoff::Backoff;
pub use crate::link::phase::Phase;
use crate::log::Log;
use std::collections::VecDeque;
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What does not change while the link is open.
#[derive(Debug)]
pub struct Facts {
    pub key: String,
    pub login: Signed,
    pub heartbeat: Duration,
    pub heartbeat_patience: Duration,
    pub request_patience: Duration,
    pub line_limit: usize,
    pub login_pause: Duration,
    pub log: Arc<Log>,
}

/// Counters for the status.
#[derive(Debug, Default)]
pub struct Counts {
    pub connections: u64,
    pub logins: u64,
    pub sent: u64,
    pub replies: u64,
    pub downlinks: u64,
    pub echoes: u64,
    pub heartbeats: u64,
}

/// The state, behind the link's one lock.
pub struct State {
    pub phase: Phase,
    pub since: SystemTime,
    pub last_error: Option<Error>,
    /// A connection is being read from.
    pub reading: bool,
    call_ended: bool,
    /// It was ended on purpose: the next one needs no pause.
    pub reconnect_now: bool,
    pub counts: Counts,
    /// When the keeper means to look again; it is woken when something is due sooner.
    pub keeper_looks_at: Instant,
    wire: Option<TcpStream>,
    token: Option<String>,
    wants_login: bool,
    /// Until then the token serves all but those who want the next one.
    is_token_good: bool,
    last_login: Option<Instant>,
    login_not_before: Option<Instant>,
    relogin: Backoff,
    /// Why the connection is being given up, when we know better than its end tells.
    reason: Option<Error>,
    under_way: Option<UnderWay>,
    queue: VecDeque<Box<Job>>,
    rate: Rate,
    guard: Guard,
    owed_empty: u32,
    owed: Vec<Owed>,
    beat_at: Instant,
    beat_sent: Option<Instant>,
}

impl State {
    pub fn new(rate: Rate) -> Self {
        let now = Instant::now();
        State {
            phase: Phase::Connecting,
            since: SystemTime::now(),
            last_error: None,
            reading: false,
            call_ended: false,
            reconnect_now: false,
            counts: Counts::default(),
            keeper_looks_at: now,
            wire: None,
            token: None,
            wants_login: false,
            is_token_good: false,
            last_login: None,
            login_not_before: None,
            relogin: Backoff::new(Duration::from_secs(1), Duration::from_secs(30)),
            reason: None,
            under_way: None,
            queue: VecDeque::new(),
            rate,
            guard: Guard::default(),
            owed_empty: 0,
            owed: Vec::new(),
            beat_at: now,
            beat_sent: None,
        }
    }

    /// Nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.under_way.is_none()
    }

    /// Nothing is under way, and the last that was heard ended a call: the next thing is likely another call.
    pub fn is_between_calls(&mut self) -> bool {
        std::mem::take(&mut self.call_ended) && self.is_idle()
    }

    fn enter(&mut self, phase: Phase) {
        if self.phase != phase && self.phase != Phase::Closed {
            self.phase = phase;
            self.since = SystemTime::now();
        }
    }

    /// Why nothing goes out now.
    pub fn offline(&self) -> Error {
        let reason = self.last_error.as_ref().map_or("not connected yet", |error| error.message.as_str());
        let code = if self.phase == Phase::Refused { Code::LoginRefused } else { Code::Offline };
        Error::new(code, format!("the link to the cloud is down: {reason}"))
    }

    /// The token, for what goes another way than the line.
    pub fn token(&self) -> Result<String> {
        if self.phase == Phase::Closed {
            return Err(closed());
        }
        self.token.clone().ok_or_else(|| self.offline())
    }

    /// A connection stands; the login goes first.
    pub fn connected(&mut self, facts: &Facts, wire: TcpStream, now: Instant) {
        if self.phase == Phase::Closed {
            let _ = wire.shutdown(Shutdown::Both);
            return;
        }
        self.wire = Some(wire);
        self.reading = true;
        self.reason = None;
        self.counts.connections += 1;
        self.token = None;
        self.owed_empty = 0;
        self.owed.clear();
        self.beat_sent = None;
        self.wants_login = true;
        self.login_not_before = None;
        self.pump(facts, now);
    }

    /// Closes the connection; the reader then reports the loss.
    pub fn disconnect(&mut self) {
        if let Some(wire) = self.wire.take() {
            let _ = wire.shutdown(Shutdown::Both);
        }
    }

    /// The connection is gone, or nobody reads it: the server hears of that too.
    pub fn lost(&mut self, facts: &Facts, reason: &str) {
        self.disconnect();
        self.token = None;
        self.reading = false;
        self.wants_login = false;
        self.beat_sent = None;
        if let Some(UnderWay::Job { job, .. }) = self.under_way.take() {
            let name = &job.request.service;
            let message = format!(
                "{name}: the connection to the cloud broke ({reason}); it may or may not have taken the record"
            );
            job.end(Err(Error::new(Code::Broken, message)));
        }
        if self.phase == Phase::Closed {
            return;
        }
        let was_up = self.phase == Phase::Up;
        let error = self.reason.take().unwrap_or_else(|| Error::new(Code::Offline, reason.to_owned()));
        facts.log.warn(format_args!("cloud: {}", error.message));
        let is_refused = error.code == Code::LoginRefused;
        self.last_error = Some(error);
        if was_up && !is_refused {
            // Most losses are over in a second: callers wait for the first new try.
            self.enter(Phase::Connecting);
        } else {
            self.enter(if is_refused { Phase::Refused } else { Phase::Down });
            let offline = self.offline();
            self.fail_queued(&offline);
        }
    }

    /// Nothing is sent any more.
    pub fn close(&mut self) {
        self.enter(Phase::Closed);
        self.disconnect();
        if let Some(UnderWay::Job { job, .. }) = self.under_way.take() {
            job.end(Err(closed()));
        }
        self.fail_queued(&closed());
    }

    fn fail_queued(&mut self, error: &Error) {
        for job in self.queue.drain(..) {
            job.unsent(error.clone());
        }
    }

    /// For `parklink_status`.
    pub fn status(&self) -> Members {
        let since = self.since.duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        members! {
            "state": self.phase.name(),
            "since": since,
            "last_error": self.last_error.as_ref().map(|error| error.message.clone()),
            "connections": self.counts.connections,
            "logins": self.counts.logins,
            "requests": self.counts.sent,
            "replies": self.counts.replies,
            "downlinks": self.counts.downlinks,
            "echoes": self.counts.echoes,
            "heartbeats": self.counts.heartbeats,
            "queued": self.queue.len(),
        }
    }
}

fn closed() -> Error {
    Error::new(Code::Closed, "the handle is closed")
}

#[cfg(test)]
mod tests {
    use super::rig::Rig;
    use super::*;

    #[test]
    fn a_lost_connection_is_shut_whoever_else_holds_it() {
        let now = Instant::now();
        let mut rig = Rig::new(Rate::new(0, 0, Duration::ZERO), now);
        let held_to_read = rig.state.wire.as_ref().unwrap().try_clone().unwrap();
        rig.state.lost(&rig.facts, "no thread to read with");
        assert!(rig.hears_the_end());
        drop(held_to_read);
    }
}
