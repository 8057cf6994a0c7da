//! The state of the link: the one token there is, and why there is none. Only the poll thread logs in; everyone else
//! waits here for what it brings.

use crate::error::{Code, Error, Result};
pub use crate::link::phase::Phase;
use chrono::Utc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A login: its token, and which login it was.
#[derive(Debug, Clone)]
pub struct Login {
    /// The token.
    pub token: Arc<str>,
    /// 1 for the first login.
    pub number: u64,
}

/// A look at the state.
#[derive(Debug, Clone)]
pub struct View {
    /// Where the link stands.
    pub phase: Phase,
    /// Since when, in unix seconds.
    pub since: i64,
    /// The last failure, also when it is over.
    pub last_error: Option<Error>,
    /// How many logins succeeded.
    pub logins: u64,
    /// Polls are refused, not one alone.
    pub is_deaf: bool,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    since: i64,
    last_error: Option<Error>,
    login: Option<Login>,
    logins: u64,
    /// The login whose token the poll under way holds.
    polling: Option<u64>,
    /// Polls refused in a row.
    refusals: u32,
}

/// The state, shared.
#[derive(Debug)]
pub struct Session {
    state: Mutex<State>,
    changed: Condvar,
}

/// How often a waiting caller looks whether a poll with the dead token has begun after all.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

impl Session {
    /// Not logged in yet.
    pub fn new() -> Self {
        let state = State {
            phase: Phase::Connecting,
            since: Utc::now().timestamp(),
            last_error: None,
            login: None,
            logins: 0,
            polling: None,
            refusals: 0,
        };
        Session { state: Mutex::new(state), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, state: &mut State, phase: Phase) {
        if state.phase != phase && state.phase != Phase::Closed {
            state.phase = phase;
            state.since = Utc::now().timestamp();
        }
        self.changed.notify_all();
    }

    /// What there is to tell.
    pub fn view(&self) -> View {
        let state = self.lock();
        let last_error = state.last_error.clone();
        View { phase: state.phase, since: state.since, last_error, logins: state.logins, is_deaf: state.refusals > 1 }
    }

    /// The login worked.
    pub fn logged_in(&self, token: &str) -> Login {
        let mut state = self.lock();
        state.logins += 1;
        let login = Login { token: token.into(), number: state.logins };
        state.login = Some(login.clone());
        state.refusals = 0;
        self.enter(&mut state, Phase::Up);
        login
    }

    /// The platform does not know the token of this login any more. True for the first who says so. `stop_poll` ends a
    /// poll that holds this token; under the lock, so that it cannot hit the poll of the next login.
    pub fn token_lost(&self, number: u64, stop_poll: impl Fn()) -> bool {
        let mut state = self.lock();
        if state.login.as_ref().is_none_or(|login| login.number != number) {
            return false;
        }
        state.login = None;
        stop_poll();
        self.enter(&mut state, Phase::Connecting);
        true
    }

    /// The platform cannot be reached, or refused the login.
    pub fn failed(&self, error: Error) {
        let mut state = self.lock();
        state.login = None;
        let phase = if error.code == Code::LoginRefused { Phase::Refused } else { Phase::Down };
        state.last_error = Some(error);
        self.enter(&mut state, phase);
    }

    /// The end.
    pub fn close(&self) {
        let mut state = self.lock();
        state.login = None;
        self.enter(&mut state, Phase::Closed);
    }

    /// A poll begins with the token of this login; false when that is not the present one.
    pub fn poll_begins(&self, number: u64) -> bool {
        let mut state = self.lock();
        let is_present = state.login.as_ref().is_some_and(|login| login.number == number);
        state.polling = is_present.then_some(number);
        is_present
    }

    /// The poll is over.
    pub fn poll_ends(&self) {
        self.lock().polling = None;
    }

    /// The poll was answered, or held.
    pub fn poll_answered(&self) {
        self.lock().refusals = 0;
    }

    /// The poll was refused: uploads go on. Waits so long, or until this login is not the present one any more.
    pub fn poll_refused(&self, number: u64, error: Error, pause: Duration) {
        let mut state = self.lock();
        state.last_error = Some(error);
        state.refusals = state.refusals.saturating_add(1);
        let is_present = |state: &mut State| state.login.as_ref().is_some_and(|login| login.number == number);
        drop(self.changed.wait_timeout_while(state, pause, is_present));
    }

    /// The login to use, waiting for the one under way. `stop_poll` ends a poll that still holds a dead token.
    pub fn login(&self, deadline: Instant, stop_poll: impl Fn()) -> Result<Login> {
        let mut state = self.lock();
        loop {
            match (state.phase, &state.login) {
                (Phase::Up, Some(login)) => return Ok(login.clone()),
                (Phase::Closed, _) => return Err(Error::new(Code::Closed, "the handle was closed")),
                (Phase::Down | Phase::Refused, _) => return Err(offline(&state)),
                (Phase::Connecting | Phase::Up, _) => {}
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::new(Code::Offline, "Bolink: logging in takes longer than the call may wait"));
            }
            if state.polling.is_some() {
                stop_poll();
            }
            let waited = self.changed.wait_timeout(state, left.min(LOOK_AGAIN));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

fn offline(state: &State) -> Error {
    match &state.last_error {
        Some(error) if error.code == Code::LoginRefused => error.clone(),
        Some(error) => Error::new(Code::Offline, format!("the link to Bolink is down: {}", error.message)),
        None => Error::new(Code::Offline, "the link to Bolink is down"),
    }
}
