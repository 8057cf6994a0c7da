//! Who reads the connection. A thread does; but after a call it rests for a moment, and a caller who sends meanwhile reads
//! the reply itself. One of many calls then costs no change of threads on the way back.

use crate::link::recv;
use crate::wire::frame::{Decoder, Frame};
use std::io::ErrorKind;
use std::net::{Shutdown, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long the thread leaves the reading to callers after the last of them: so much later a downlink may be heard.
const REST: Duration = Duration::from_millis(2);

/// A caller reads at most so long; then the thread does, and the caller sleeps until its deadline.
const PATIENCE: Duration = Duration::from_millis(20);

/// The reading end of one connection.
pub struct Reading {
    side: Mutex<Side>,
    turn: Mutex<Turn>,
    changed: Condvar,
}

struct Side {
    stream: TcpStream,
    decoder: Decoder,
    buffer: Vec<u8>,
}

#[derive(Default)]
struct Turn {
    is_resting: bool,
    caller_reads: bool,
    /// Calls since the last look.
    calls: u32,
    /// The thread is needed.
    is_called: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Reading {
    /// Of this connection.
    pub fn new(stream: TcpStream) -> Reading {
        let side = Side { stream, decoder: Decoder::default(), buffer: vec![0; 64 << 10] };
        Reading { side: Mutex::new(side), turn: Mutex::default(), changed: Condvar::new() }
    }

    /// The thread's life: reads until the connection ends; tells why. `may_rest`: a call has just ended and nothing is
    /// under way.
    pub fn run(&self, take: impl Fn(Frame<'_>), may_rest: impl Fn() -> bool) -> String {
        let reason = loop {
            match lock(&self.side).read(&take) {
                Ok(_) => {}
                Err(reason) => break reason,
            }
            self.rest(&may_rest);
        };
        let _ = lock(&self.side).stream.shutdown(Shutdown::Both);
        reason
    }

    fn rest(&self, may_rest: impl Fn() -> bool) {
        let mut turn = lock(&self.turn);
        // Looked at under the lock: whoever sends after this look finds the thread resting.
        if !may_rest() || lock(&self.side).stream.set_read_timeout(Some(PATIENCE)).is_err() {
            return;
        }
        *turn = Turn { is_resting: true, ..Turn::default() };
        loop {
            turn = self.changed.wait_timeout(turn, REST).unwrap_or_else(PoisonError::into_inner).0;
            if !turn.caller_reads && (turn.is_called || turn.calls == 0) {
                break;
            }
            turn.calls = 0;
        }
        turn.is_resting = false;
        // If that fails, the timeouts are seen as such.
        let _ = lock(&self.side).stream.set_read_timeout(None);
    }

    /// Reads in the caller's thread until `is_ready`, if the reading is to be had and it does not take long.
    pub fn read_for(&self, take: impl Fn(Frame<'_>), is_ready: impl Fn() -> bool, is_idle: impl Fn() -> bool) {
        {
            let mut turn = lock(&self.turn);
            if !turn.is_resting || turn.caller_reads || turn.is_called {
                return;
            }
            turn.caller_reads = true;
            turn.calls = turn.calls.saturating_add(1);
        }
        let end = catch_unwind(AssertUnwindSafe(|| {
            let mut side = lock(&self.side);
            // An end of the connection is found again, and told, by the thread.
            while !is_ready() && matches!(side.read(&take), Ok(true)) {}
        }));
        if end.is_err() {
            // What came with the message that failed is gone: the thread finds the end.
            let _ = lock(&self.side).stream.shutdown(Shutdown::Both);
        }
        let mut turn = lock(&self.turn);
        turn.caller_reads = false;
        if end.is_err() || !is_idle() {
            turn.is_called = true;
            drop(turn);
            self.changed.notify_one();
        }
        end.unwrap_or_else(|defect| resume_unwind(defect))
    }
}

impl Side {
    /// Reads once; false when nothing came in time.
    fn read(&mut self, take: impl Fn(Frame<'_>)) -> Result<bool, String> {
        let length = match recv::read(&self.stream, &mut self.buffer) {
            Ok(0) => return Err("closed by the cloud".to_owned()),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(true),
            Err(error) if recv::is_late(&error) => return Ok(false),
            Err(error) => return Err(error.to_string()),
        };
        let fed = self.decoder.feed(&self.buffer[..length], take);
        fed.map(|()| true).map_err(|_| "a message without an end".to_owned())
    }
}
