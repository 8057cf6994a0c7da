//! The link to the parking cloud (停车云): one TCP connection, lines of JSON, a heartbeat.
//!
//! Two threads: the reader reads, the keeper connects, logs in, beats and watches the time. Callers write themselves.

mod classify;
mod guard;
mod line;
mod picture;
mod rate;
mod reading;
mod state;

pub use self::state::is_already_handled;

use self::picture::Pictures;
use self::rate::Rate;
use self::reading::Reading;
use self::state::{Facts, Phase, State};
use super::backoff::Backoff;
use super::dial::{Cancel, dial};
use super::once::once;
use super::{Data, Link, Members, Pending, Request, RequestKind, Sink};
use crate::catalogue::{Platform, Shown};
use crate::config::Config;
use crate::error::{Code, Error, Result};
use crate::json::{self, Value};
use crate::log::Log;
use crate::wire::frame::Frame;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A connection that stood this long was a good one: the pauses start over.
const STEADY: Duration = Duration::from_secs(30);

/// Why a connection ended that our own code failed on.
const DEFECT: &str = "a defect of the library was caught; please report it";

/// A socket that takes no bytes for so long is dead.
const WRITE_PATIENCE: Duration = Duration::from_secs(5);

/// The link.
pub struct CloudLink {
    inner: Arc<Inner>,
    keeper: Mutex<Option<JoinHandle<()>>>,
}

struct Inner {
    state: Mutex<State>,
    changed: Condvar,
    facts: Facts,
    cancel: Arc<Cancel>,
    pictures: Option<Pictures>,
    sink: Arc<dyn Sink>,
    host: String,
    port: u16,
    connect_patience: Duration,
    retry: (Duration, Duration),
    reading: Mutex<Option<Arc<Reading>>>,
}

impl CloudLink {
    /// Starts it. It connects by itself.
    pub fn open(config: &Config, log: Arc<Log>, sink: Arc<dyn Sink>) -> Result<CloudLink> {
        let key = config.text("ckey").or_else(|| config.text("ukey")).unwrap_or_default().to_owned();
        let login = line::signed(&Data::from(login_data(config)), &key)?;
        let count = |key| usize::try_from(config.number(key)).unwrap_or(0);
        let line_limit = count("cloud.line_limit");
        line::measure_login(&login, line_limit)?;
        let cancel = Arc::new(Cancel::default());
        let facts = Facts {
            key,
            login,
            heartbeat: Duration::from_secs(config.number("cloud.heartbeat_s").unsigned_abs()),
            heartbeat_patience: config.millis("cloud.heartbeat_timeout_ms"),
            request_patience: config.millis("cloud.request_timeout_ms"),
            line_limit,
            login_pause: config.millis("cloud.login_pause_ms"),
            log: log.clone(),
        };
        let rate = Rate::new(
            count("cloud.orders_per_second"),
            count("cloud.requests_per_window"),
            config.millis("cloud.window_ms"),
        );
        let inner = Arc::new(Inner {
            state: Mutex::new(State::new(rate)),
            changed: Condvar::new(),
            facts,
            pictures: Pictures::new(config, log, cancel.clone())?,
            cancel,
            sink,
            host: config.text("cloud_addr").unwrap_or_default().to_owned(),
            port: u16::try_from(config.number("cport")).unwrap_or(0),
            connect_patience: config.millis("cloud.connect_timeout_ms"),
            retry: (config.millis("cloud.retry_first_ms"), config.millis("cloud.retry_longest_ms")),
            reading: Mutex::default(),
        });
        let for_keeper = inner.clone();
        let keeper = thread::Builder::new()
            .name("parklink-cloud".into())
            .spawn(move || for_keeper.keep())
            .map_err(|error| Error::new(Code::Io, format!("no thread for the cloud link: {error}")))?;
        Ok(CloudLink { inner, keeper: Mutex::new(Some(keeper)) })
    }
}

fn login_data(config: &Config) -> Members {
    let mut data = Members::new();
    data.insert("park_id", Value::from(config.text("park_id").unwrap_or_default()));
    if let Some(local_id) = config.text("local_id") {
        data.insert("local_id", Value::from(local_id));
    }
    let params = config.object("set_params");
    if !params.is_empty() {
        data.insert("set_params", Value::Object(params));
    }
    data
}

impl Link for CloudLink {
    fn platform(&self) -> Platform {
        Platform::Cloud
    }

    fn begin<'a>(&'a self, request: Request) -> Result<Pending<'a>> {
        let inner = &self.inner;
        if request.service == picture::SERVICE {
            return inner.begin_picture(request);
        }
        let (done, outcome) = once();
        let is_answer = request.kind == RequestKind::Answer;
        let deadline = request.deadline;
        let reading = {
            let mut state = inner.lock();
            state.queue(&inner.facts, request, done)?;
            state.pump(&inner.facts, Instant::now());
            inner.nudge(&state);
            inner.reading().filter(|_| !is_answer)
        };
        Ok(Box::new(move || {
            if let Some(reading) = reading {
                reading.read_for(|frame| inner.take(frame), || outcome.is_ready(), || inner.lock().is_idle());
            }
            // Nobody else may be looking at the time: the keeper may be dialling.
            if !outcome.wait_until(deadline) {
                inner.lock().expire(&inner.facts, Instant::now());
            }
            let dropped = || Err(Error::new(Code::Internal, "the cloud link dropped a request"));
            outcome.take().unwrap_or_else(dropped)
        }))
    }

    fn check(&self, request: &Request) -> Result<()> {
        if request.service == picture::SERVICE {
            return Pictures::check(request);
        }
        let facts = &self.inner.facts;
        if line::surely_fits(&request.service, &request.data, facts.line_limit) {
            return Ok(());
        }
        line::fitting(&request.service, None, &mut request.data.clone(), &facts.key, facts.line_limit).map(|_| ())
    }

    fn status(&self) -> Members {
        self.inner.lock().status()
    }

    fn is_up(&self) -> bool {
        self.inner.lock().phase == Phase::Up
    }

    fn shut(&self) {
        self.inner.lock().close();
        self.inner.cancel.cancel();
        if let Some(pictures) = &self.inner.pictures {
            pictures.shut();
        }
        self.inner.changed.notify_all();
        let keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(keeper) = keeper {
            // A panic in it was its own end; there is nothing to hand on.
            let _ = keeper.join();
        }
    }
}

impl Drop for CloudLink {
    fn drop(&mut self) {
        self.shut();
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin_picture(&self, request: Request) -> Result<Pending<'_>> {
        let Some(pictures) = &self.pictures else {
            let message = "upload_carpic (SDK 2.12) goes by HTTP: give cloud.picture_url, the address of carpicsup.do?action=receivepic";
            return Err(Error::new(Code::Unsupported, message));
        };
        Pictures::check(&request)?;
        Ok(Box::new(move || pictures.send(&request, &self.wait_for_token(request.deadline)?)))
    }

    /// The token; while the first login is under way it is waited for.
    fn wait_for_token(&self, deadline: Instant) -> Result<String> {
        loop {
            let (phase, token) = {
                let state = self.lock();
                (state.phase, state.token())
            };
            let may_come = phase == Phase::Connecting && Instant::now() < deadline;
            if token.is_ok() || !may_come || !self.cancel.sleep(Duration::from_millis(10)) {
                return token;
            }
        }
    }

    fn reading(&self) -> Option<Arc<Reading>> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Wakes the keeper when something is due before it means to look.
    fn nudge(&self, state: &State) {
        if state.is_quiet_until(&self.facts, state.keeper_looks_at) {
            return;
        }
        if state.next_look(&self.facts, Instant::now()) < state.keeper_looks_at {
            self.changed.notify_all();
        }
    }

    /// The keeper's life.
    fn keep(self: Arc<Self>) {
        let mut backoff = Backoff::new(self.retry.0, self.retry.1);
        loop {
            // A defect in a message's handling must not silence the link for good.
            let end = catch_unwind(AssertUnwindSafe(|| self.clone().connect_and_watch(&mut backoff)));
            if let Err(reason) = end.unwrap_or_else(|_| Err(DEFECT.into())) {
                self.lock().lost(&self.facts, &reason);
            }
            if std::mem::take(&mut self.lock().reconnect_now) {
                continue;
            }
            let pause = backoff.pause();
            self.facts.log.debug(format_args!("cloud: next try in {} ms", pause.as_millis()));
            if !self.cancel.sleep(pause) {
                return;
            }
        }
    }

    /// One connection, from dialling to its end; the error is the reason of the end.
    fn connect_and_watch(self: Arc<Self>, backoff: &mut Backoff) -> std::result::Result<(), String> {
        let to = format!("{}:{}", self.host, self.port);
        self.facts.log.info(format_args!("cloud: connecting to {to}"));
        let stream = dial(&self.host, self.port, self.connect_patience, &self.cancel)
            .map_err(|error| format!("cannot connect to {to}: {error}"))?;
        let broken = |error: std::io::Error| format!("the connection to {to} broke: {error}");
        stream.set_write_timeout(Some(WRITE_PATIENCE)).map_err(broken)?;
        let reading = Arc::new(Reading::new(stream.try_clone().map_err(broken)?));
        *self.reading.lock().unwrap_or_else(PoisonError::into_inner) = Some(reading.clone());
        let connected = Instant::now();
        self.lock().connected(&self.facts, stream, connected);
        let for_reader = self.clone();
        let reader = thread::Builder::new()
            .name("parklink-cloud-r".into())
            .spawn(move || for_reader.read(&reading))
            .map_err(|error| format!("no thread to read with: {error}"))?;
        self.watch();
        let end = reader.join();
        if connected.elapsed() > STEADY {
            backoff.reset();
        }
        let reason = end.unwrap_or_else(|_| DEFECT.into());
        Err(format!("{to}: {reason}"))
    }

    /// Watches the time until the reader has ended.
    fn watch(&self) {
        let mut state = self.lock();
        while state.reading {
            let now = Instant::now();
            let look = state.tick(&self.facts, now);
            state.keeper_looks_at = look;
            let wait = look.saturating_duration_since(now);
            state = self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
            if state.phase == Phase::Closed {
                state.disconnect();
                return;
            }
        }
    }

    /// Reads until the connection ends; tells why.
    fn read(&self, reading: &Reading) -> String {
        let run = || reading.run(|frame| self.take(frame), || self.lock().is_between_calls());
        let end = catch_unwind(AssertUnwindSafe(run));
        self.lock().reading = false;
        self.changed.notify_all();
        end.unwrap_or_else(|defect| resume_unwind(defect))
    }

    fn take(&self, frame: Frame<'_>) {
        let log = &self.facts.log;
        let text = match frame {
            Frame::Empty => {
                let mut state = self.lock();
                state.empty(&self.facts, Instant::now());
                return self.nudge(&state);
            }
            Frame::Text(text) => text,
        };
        if text.trim_ascii() == "0x12" {
            return self.lock().beat_answered();
        }
        let shown = Shown(text.as_bytes());
        log.trace(format_args!("cloud < {shown}"));
        let Ok(Value::Object(message)) = json::received(&text) else {
            return log.warn(format_args!(
                "cloud: not understood: {}",
                shown.to_string().chars().take(200).collect::<String>()
            ));
        };
        let up = {
            let mut state = self.lock();
            let up = state.message(&self.facts, message, Instant::now());
            self.nudge(&state);
            up
        };
        if let Some(message) = up {
            self.sink.received(Platform::Cloud, message);
        }
    }
}
