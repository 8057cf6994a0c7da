//! Cuts the client's bytes into lines: LF or CRLF ends one, a lone CR ends nothing, 1024 bytes are the most.

/// The most bytes before the line end.
pub const LONGEST_LINE: usize = 1024;

/// What a piece of input held.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// A line. What is not UTF-8 has become replacement characters.
    Text(String),
    /// A line that was too long and is thrown away.
    TooLong,
}

/// The line cutter of one connection.
#[derive(Default)]
pub struct Lines {
    pending: Vec<u8>,
    too_long: bool,
}

impl Lines {
    /// Takes the next bytes.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.keep(&bytes[..end]);
            bytes = &bytes[end + 1..];
            if self.pending.last() == Some(&b'\r') {
                self.pending.pop();
            }
            if self.too_long || self.pending.len() > LONGEST_LINE {
                lines.push(Line::TooLong);
            } else {
                lines.push(Line::Text(String::from_utf8_lossy(&self.pending).into_owned()));
            }
            self.pending.clear();
            self.too_long = false;
        }
        self.keep(bytes);
        lines
    }

    fn keep(&mut self, bytes: &[u8]) {
        // One byte more may be the CR of a CRLF; beyond that nothing needs to be kept.
        let room = (LONGEST_LINE + 2).saturating_sub(self.pending.len());
        self.pending.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.too_long |= self.pending.len() > LONGEST_LINE + 1;
    }
}

/// A message to the client: line feed, text, carriage return.
pub fn frame(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() + 2);
    bytes.push(b'\n');
    bytes.extend_from_slice(text.as_bytes());
    bytes.push(b'\r');
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Line {
        Line::Text(text.to_owned())
    }

    #[test]
    fn lines_however_they_are_split() {
        let sent = "a\r\nb\rc\n\n\u{8f66}\n".as_bytes();
        let whole = Lines::default().feed(sent);
        assert_eq!(whole, [text("a"), text("b\rc"), text(""), text("\u{8f66}")]);
        let mut lines = Lines::default();
        let pieces: Vec<Line> = sent.iter().flat_map(|byte| lines.feed(&[*byte])).collect();
        assert_eq!(pieces, whole);
    }

    #[test]
    fn the_limit_is_1024_bytes_before_the_line_end() {
        for (length, end, passes) in
            [(1024, "\n", true), (1024, "\r\n", true), (1025, "\n", false), (1025, "\r\n", false), (9000, "\n", false)]
        {
            let sent = format!("{}{end}ok\n", "x".repeat(length));
            let lines = Lines::default().feed(sent.as_bytes());
            assert_eq!(lines[0] != Line::TooLong, passes, "{length} {end:?}");
            assert_eq!(lines[1], text("ok"));
        }
    }
}
