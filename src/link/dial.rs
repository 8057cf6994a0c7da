//! Connecting without being held by a name server or a silent address: the waiting is done on a thread of its own, and
//! whoever asked can leave at any time.

use crossbeam_channel::{Receiver, Sender, after, bounded, select};
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

/// A switch that is thrown once; everything that waits with it stops waiting.
#[derive(Debug)]
pub struct Cancel {
    thrown: Mutex<Option<Sender<()>>>,
    waiting: Receiver<()>,
}

impl Default for Cancel {
    fn default() -> Self {
        let (sender, waiting) = bounded(0);
        Cancel { thrown: Mutex::new(Some(sender)), waiting }
    }
}

impl Cancel {
    /// Throws it.
    pub fn cancel(&self) {
        self.thrown.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    }

    /// Whether it was thrown.
    pub fn is_cancelled(&self) -> bool {
        self.thrown.lock().unwrap_or_else(std::sync::PoisonError::into_inner).is_none()
    }

    /// Becomes ready (disconnected) when it is thrown.
    pub fn receiver(&self) -> &Receiver<()> {
        &self.waiting
    }

    /// Sleeps; false when it was thrown meanwhile.
    pub fn sleep(&self, time: Duration) -> bool {
        self.waiting.recv_timeout(time) == Err(crossbeam_channel::RecvTimeoutError::Timeout)
    }
}

/// Connects to `host` (a name or an address) within `timeout`. A name is looked up anew each time, so a lot follows
/// its platform when that moves. Nothing waits when `cancel` is thrown; the look-up then ends unheard.
pub fn dial(host: &str, port: u16, timeout: Duration, cancel: &Cancel) -> io::Result<TcpStream> {
    if cancel.is_cancelled() {
        return Err(closed());
    }
    let (sender, receiver) = bounded(1);
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let deadline = Instant::now() + timeout;
    thread::Builder::new().name("parklink-dial".into()).spawn(move || {
        let _ = sender.send(connect(&host, port, deadline));
    })?;
    select! {
        recv(receiver) -> outcome => outcome.unwrap_or_else(|_| Err(io::Error::other("the connecting thread ended"))),
        recv(after(timeout)) -> _ => Err(io::Error::new(io::ErrorKind::TimedOut, format!("no connection within {timeout:?}"))),
        recv(cancel.receiver()) -> _ => Err(closed()),
    }
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::Interrupted, "closed while connecting")
}

fn connect(host: &str, port: u16, deadline: Instant) -> io::Result<TcpStream> {
    let addresses: Vec<SocketAddr> = match host.parse::<IpAddr>() {
        Ok(address) => vec![SocketAddr::new(address, port)],
        Err(_) => (host, port).to_socket_addrs()?.collect(),
    };
    let mut last = io::Error::new(io::ErrorKind::NotFound, format!("{host} has no address"));
    for (index, address) in addresses.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "no connection in time"));
        }
        // A dead first address must leave time for the others.
        let share = left / (addresses.len() - index) as u32;
        match TcpStream::connect_timeout(address, share) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}
