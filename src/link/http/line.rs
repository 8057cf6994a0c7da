//! One connection: a socket as ureq's transport. A request is held until its answer is awaited, so that it leaves in one
//! piece; waiting is bounded by the socket's own timeout, so that no thread is needed to watch it.

use crate::link::recv::{self, is_late};
use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};
use ureq::unversioned::transport::{Buffers, NextTimeout, Transport};

/// Nothing of a request left this machine: sending it on another connection cannot make it arrive twice.
#[derive(Debug)]
pub struct NotSent(pub io::Error);

impl std::fmt::Display for NotSent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "not sent: {}", self.0)
    }
}

impl std::error::Error for NotSent {}

/// A connected socket.
pub struct Line {
    stream: Arc<TcpStream>,
    buffer: Buffer,
    /// What a forwarding proxy wants before the path: `http://host:port`.
    prefix: Option<String>,
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
    /// Something of the present request was sent.
    sent: bool,
    /// It lies in the pool; whoever takes it out must look whether the server closed it meanwhile.
    idle: bool,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line").finish_non_exhaustive()
    }
}

impl Line {
    /// A line over `stream`; with a `prefix` when the other end is a forwarding proxy.
    pub fn new(stream: Arc<TcpStream>, prefix: Option<String>) -> Self {
        Line {
            stream,
            buffer: Buffer::default(),
            prefix,
            read_timeout: None,
            write_timeout: None,
            sent: false,
            idle: false,
        }
    }

    fn flush(&mut self, timeout: NextTimeout) -> Result<(), ureq::Error> {
        if self.buffer.held == 0 {
            return Ok(());
        }
        if let Some(prefix) = &self.prefix {
            self.buffer.insert_after_method(prefix);
        }
        let deadline = deadline(timeout);
        let mut done = 0;
        while done < self.buffer.held {
            let wanted = coarse(deadline, timeout)?;
            if wanted != self.write_timeout {
                self.stream.set_write_timeout(wanted)?;
                self.write_timeout = wanted;
            }
            match (&*self.stream).write(&self.buffer.output[done..self.buffer.held]) {
                Ok(count) => {
                    done += count;
                    self.sent = true;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_late(&error) => return Err(ureq::Error::Timeout(timeout.reason)),
                Err(error) if !self.sent => return Err(ureq::Error::Other(Box::new(NotSent(error)))),
                Err(error) => return Err(error.into()),
            }
        }
        self.buffer.forget_output();
        Ok(())
    }

    /// Whether the other end neither closed nor said anything that nobody asked for.
    fn is_quiet(&self) -> io::Result<bool> {
        self.stream.set_nonblocking(true)?;
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false)?;
        Ok(peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock))
    }
}

impl Transport for Line {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffer
    }

    fn transmit_output(&mut self, amount: usize, _timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.buffer.held += amount;
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.flush(timeout)?;
        let deadline = deadline(timeout);
        loop {
            let wanted = coarse(deadline, timeout)?;
            if wanted != self.read_timeout {
                self.stream.set_read_timeout(wanted)?;
                self.read_timeout = wanted;
            }
            match recv::read(&self.stream, self.buffer.input_append_buf()) {
                Ok(count) => {
                    self.buffer.input_appended(count);
                    return Ok(count > 0);
                }
                // A signal of the host's program; there may be time left.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_late(&error) => return Err(ureq::Error::Timeout(timeout.reason)),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// ureq asks when it puts a connection into the pool and when it takes it out. The second look is the one that counts.
    fn is_open(&mut self) -> bool {
        self.idle = !self.idle;
        self.sent = false;
        self.idle || self.is_quiet().unwrap_or(false)
    }
}

fn deadline(timeout: NextTimeout) -> Option<Instant> {
    (!timeout.after.is_not_happening()).then(|| Instant::now() + *timeout.after)
}

/// The time left, rounded up to 10 ms: the next request mostly wants the same and the socket need not be told again.
fn coarse(deadline: Option<Instant>, timeout: NextTimeout) -> Result<Option<Duration>, ureq::Error> {
    let Some(deadline) = deadline else { return Ok(None) };
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(ureq::Error::Timeout(timeout.reason));
    }
    let steps = left.as_millis() / 10 + 1;
    Ok(Some(Duration::from_millis(u64::try_from(steps).unwrap_or(u64::MAX / 10).saturating_mul(10))))
}

/// What is read ahead and what waits to be sent. It grows with the message and is kept for the next one.
#[derive(Default)]
pub struct Buffer {
    input: Vec<u8>,
    start: usize,
    end: usize,
    progress: bool,
    output: Vec<u8>,
    held: usize,
}

/// Room that is always offered.
const ROOM: usize = 8 << 10;
/// A larger buffer is given back after use.
const KEPT: usize = 256 << 10;

impl Buffer {
    fn insert_after_method(&mut self, prefix: &str) {
        if let Some(space) = self.output[..self.held].iter().position(|byte| *byte == b' ') {
            self.output.splice(space + 1..space + 1, prefix.bytes());
            self.held += prefix.len();
        }
    }

    fn forget_output(&mut self) {
        self.held = 0;
        if self.output.len() > KEPT {
            self.output = Vec::new();
        }
    }
}

impl Buffers for Buffer {
    fn output(&mut self) -> &mut [u8] {
        if self.output.len() - self.held < ROOM {
            self.output.resize(self.held + self.held.max(ROOM), 0);
        }
        &mut self.output[self.held..]
    }

    fn input(&self) -> &[u8] {
        &self.input[self.start..self.end]
    }

    fn input_append_buf(&mut self) -> &mut [u8] {
        if self.input.len() - self.end < ROOM {
            self.input.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            if self.input.len() - self.end < ROOM {
                self.input.resize(self.end + 2 * ROOM, 0);
            }
        }
        &mut self.input[self.end..]
    }

    fn input_appended(&mut self, amount: usize) {
        self.end += amount;
    }

    fn input_consume(&mut self, amount: usize) {
        self.progress = amount > 0;
        self.start += amount;
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
    }

    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        self.output();
        self.input_append_buf();
        (&mut self.input[self.end..], &mut self.output[self.held..])
    }

    fn can_use_input(&self) -> bool {
        self.progress && self.start < self.end
    }
}
