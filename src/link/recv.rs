//! Reading that ends when another thread shuts the socket, on every system. On Windows a read that already waits is not
//! woken by that; the next one is told. So the wait is made of short ones there.

use std::io::{self, ErrorKind, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// The longest of those.
const LOOK: Duration = Duration::from_millis(200);

/// Reads as `Read::read` does, at most for the socket's read timeout; Ok(0) or an error once the socket is shut.
pub fn read(stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    if cfg!(windows) {
        let timeout = stream.read_timeout()?;
        let outcome = wait(stream, timeout);
        stream.set_read_timeout(timeout)?;
        outcome?;
    }
    (&*stream).read(buffer)
}

/// Whether an error says that nothing came in time.
pub fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Waits until a read would not. It only peeks: a wait that runs out takes nothing from the socket.
fn wait(stream: &TcpStream, timeout: Option<Duration>) -> io::Result<()> {
    let end = timeout.map(|timeout| Instant::now() + timeout);
    loop {
        let left = end.map_or(LOOK, |end| end.saturating_duration_since(Instant::now()));
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        // A millisecond is the least that the system knows.
        stream.set_read_timeout(Some(left.clamp(Duration::from_millis(1), LOOK)))?;
        match stream.peek(&mut [0]) {
            Err(error) if is_late(&error) => {}
            outcome => return outcome.map(drop),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::{Shutdown, TcpListener};
    use std::thread;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (near, listener.accept().unwrap().0)
    }

    #[test]
    fn a_read_that_waits_ends_when_the_socket_is_shut_and_the_other_end_is_mute() {
        let (near, _mute) = pair();
        let shut = near.try_clone().unwrap();
        let reader = thread::spawn(move || read(&near, &mut [0; 8]));
        // So that it waits already.
        thread::sleep(Duration::from_millis(50));
        shut.shutdown(Shutdown::Both).unwrap();
        assert_eq!(reader.join().unwrap().unwrap(), 0);
    }

    #[test]
    fn waiting_takes_nothing_and_ends_in_time() {
        let (near, mut far) = pair();
        assert!(is_late(&wait(&near, Some(Duration::from_millis(20))).unwrap_err()));
        far.write_all(b"ab").unwrap();
        wait(&near, None).unwrap();
        let mut got = [0; 8];
        assert_eq!(read(&near, &mut got).unwrap(), 2);
        assert_eq!(&got[..2], b"ab");
    }
}
