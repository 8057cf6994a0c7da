//! Frames of the cloud link. We send one line a message; the server sends a line feed, the text, a carriage return.

use memchr::memchr2;
use std::borrow::Cow;

/// A frame from the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A text.
    Text(Cow<'a, str>),
    /// A line feed directly followed by a carriage return: the server's wordless answer.
    Empty,
}

/// The server sends without a limit of its own; this one only keeps a broken peer from eating the memory.
pub const LONGEST_FRAME: usize = 16 << 20;

/// Cuts the received bytes into frames, however they were split on the way.
#[derive(Debug, Default)]
pub struct Decoder {
    pending: Vec<u8>,
    after_line_feed: bool,
}

/// A frame grew beyond [`LONGEST_FRAME`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameTooLong;

impl Decoder {
    /// Takes the next received bytes and hands every complete frame to `each`.
    pub fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(Frame<'_>)) -> Result<(), FrameTooLong> {
        let mut rest = bytes;
        while let Some(at) = memchr2(b'\r', b'\n', rest) {
            let is_empty = at == 0 && self.pending.is_empty();
            // Nearly every frame comes in one piece.
            let text = match self.pending.is_empty() {
                true => &rest[..at],
                false => {
                    self.pending.extend_from_slice(&rest[..at]);
                    &self.pending[..]
                }
            };
            if is_empty {
                if rest[at] == b'\r' && self.after_line_feed {
                    each(Frame::Empty);
                }
            } else {
                each(Frame::Text(match std::str::from_utf8(text) {
                    Ok(text) => Cow::Borrowed(text),
                    Err(_) => String::from_utf8_lossy(text),
                }));
                self.pending.clear();
            }
            self.after_line_feed = rest[at] == b'\n';
            rest = &rest[at + 1..];
        }
        if self.pending.len() + rest.len() > LONGEST_FRAME {
            return Err(FrameTooLong);
        }
        if !rest.is_empty() {
            self.pending.extend_from_slice(rest);
            self.after_line_feed = false;
        }
        Ok(())
    }
}
