//! One request and its answer over a kept connection. The request's head is made once for each target; what an answer may
//! look like is read here (httparse reads its head).

use super::{LONGEST_ANSWER, Response};
use crate::error::Code;
use std::io::{Error, ErrorKind};
use std::time::Instant;
use ureq::Timeout;
use ureq::unversioned::transport::time::Duration;
use ureq::unversioned::transport::{NextTimeout, Transport};

type Result<T> = std::result::Result<T, ureq::Error>;

/// Headers that are read of an answer at most.
const HEADERS: usize = 128;

/// The longest head of an answer.
const LONGEST_HEAD: usize = 64 << 10;

/// The time that is left, as ureq's transports want it.
pub fn left(deadline: Instant) -> Result<NextTimeout> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(ureq::Error::Timeout(Timeout::Global));
    }
    Ok(NextTimeout { after: Duration::Exact(left), reason: Timeout::Global, per_read: None, per_write: None })
}

/// What ends a body.
enum Body {
    Length(usize),
    Chunks,
    Close,
}

struct Head {
    response: Response,
    body: Body,
    is_kept: bool,
}

/// Sends and reads; tells besides whether the connection can be used again.
pub fn exchange(
    line: &mut dyn Transport,
    head: &str,
    body: Option<&[u8]>,
    deadline: Instant,
) -> Result<(Response, bool)> {
    let mut room = [0; 20];
    match body {
        Some(body) => {
            let length = decimal(body.len(), &mut room);
            send(line, &[head.as_bytes(), b"Content-Length: ", length, b"\r\n\r\n", body], deadline)?;
        }
        None => send(line, &[head.as_bytes(), b"\r\n"], deadline)?,
    }
    let Head { mut response, body, is_kept } = read_head(line, deadline)?;
    match body {
        Body::Length(length) => take(line, length, &mut response.body, deadline)?,
        Body::Chunks => take_chunks(line, &mut response.body, deadline)?,
        Body::Close => loop {
            let length = line.buffers().input().len();
            take(line, length, &mut response.body, deadline)?;
            if !more(line, deadline)? {
                break;
            }
        },
    }
    // Some servers put a mark before UTF-8; JSON knows none.
    if response.body.starts_with(b"\xEF\xBB\xBF") {
        response.body.drain(..3);
    }
    // What nobody asked for would be taken for the next answer.
    let is_kept = is_kept && !matches!(body, Body::Close) && line.buffers().input().is_empty();
    Ok((response, is_kept))
}

fn decimal(mut number: usize, room: &mut [u8; 20]) -> &[u8] {
    let mut at = room.len();
    loop {
        at -= 1;
        room[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &room[at..];
        }
    }
}

/// Fills the line's buffer as far as it goes, so that a request of usual size is one piece.
fn send(line: &mut dyn Transport, parts: &[&[u8]], deadline: Instant) -> Result<()> {
    let mut filled = 0;
    for part in parts {
        let mut part = *part;
        while !part.is_empty() {
            let room = &mut line.buffers().output()[filled..];
            let count = room.len().min(part.len());
            room[..count].copy_from_slice(&part[..count]);
            part = &part[count..];
            filled += count;
            if line.buffers().output().len() == filled {
                line.transmit_output(filled, left(deadline)?)?;
                filled = 0;
            }
        }
    }
    if filled > 0 { line.transmit_output(filled, left(deadline)?) } else { Ok(()) }
}

/// Reads more; false at the end of the connection.
fn more(line: &mut dyn Transport, deadline: Instant) -> Result<bool> {
    line.await_input(left(deadline)?)
}

fn needs_more(line: &mut dyn Transport, deadline: Instant) -> Result<()> {
    if more(line, deadline)? {
        return Ok(());
    }
    Err(ureq::Error::Io(Error::new(ErrorKind::UnexpectedEof, "the server closed it")))
}

fn wrong(what: impl std::fmt::Display) -> ureq::Error {
    let text = format!("the server answered what is not HTTP: {what}");
    ureq::Error::Other(Box::new(crate::error::Error::new(Code::Protocol, text)))
}

fn read_head(line: &mut dyn Transport, deadline: Instant) -> Result<Head> {
    needs_more(line, deadline)?;
    loop {
        let input = line.buffers().input();
        match parse(input)? {
            Some((used, head)) => {
                line.buffers().input_consume(used);
                if let Some(head) = head {
                    return Ok(head);
                }
            }
            None if input.len() > LONGEST_HEAD => return Err(wrong("a head without an end")),
            None => needs_more(line, deadline)?,
        }
    }
}

/// The head at the beginning of `input`, if it is whole; a preliminary one is only skipped.
fn parse(input: &[u8]) -> Result<Option<(usize, Option<Head>)>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut answer = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(used) = answer.parse(input).map_err(wrong)? else { return Ok(None) };
    let status = answer.code.unwrap_or(0);
    if (100..200).contains(&status) && status != 101 {
        return Ok(Some((used, None)));
    }
    let mut body = if matches!(status, 204 | 304) { Body::Length(0) } else { Body::Close };
    let mut is_kept = answer.version == Some(1);
    let mut retry_after = None;
    let mut is_chunked = false;
    for header in answer.headers.iter() {
        let text = || String::from_utf8_lossy(header.value).trim().to_owned();
        if header.name.eq_ignore_ascii_case("content-length") {
            let text = text();
            let digits = Some(&text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
            let length = digits.and_then(|text| text.parse().ok());
            let length = length.ok_or_else(|| wrong("a Content-Length that is no number"))?;
            match body {
                Body::Length(known) if known != length && status != 204 && status != 304 => {
                    return Err(wrong("two lengths"));
                }
                Body::Close => body = Body::Length(length),
                _ => {}
            }
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            is_chunked |= text().to_ascii_lowercase().ends_with("chunked");
        } else if header.name.eq_ignore_ascii_case("connection") {
            let has = |wanted: &str| text().split(',').any(|word| word.trim().eq_ignore_ascii_case(wanted));
            is_kept = (is_kept || has("keep-alive")) && !has("close");
        } else if header.name.eq_ignore_ascii_case("retry-after") {
            retry_after = Some(text());
        }
    }
    if is_chunked && !matches!(status, 204 | 304) {
        body = Body::Chunks;
    }
    let response = Response { status, body: Vec::new(), retry_after };
    Ok(Some((used, Some(Head { response, body, is_kept }))))
}

/// Takes so many bytes of the body.
fn take(line: &mut dyn Transport, mut length: usize, body: &mut Vec<u8>, deadline: Instant) -> Result<()> {
    if length > LONGEST_ANSWER || body.len() + length > LONGEST_ANSWER {
        return Err(ureq::Error::BodyExceedsLimit(LONGEST_ANSWER as u64));
    }
    while length > 0 {
        let input = line.buffers().input();
        let count = input.len().min(length);
        body.extend_from_slice(&input[..count]);
        line.buffers().input_consume(count);
        length -= count;
        if length > 0 {
            needs_more(line, deadline)?;
        }
    }
    Ok(())
}

fn take_chunks(line: &mut dyn Transport, body: &mut Vec<u8>, deadline: Instant) -> Result<()> {
    loop {
        let input = line.buffers().input();
        match httparse::parse_chunk_size(input).map_err(|_| wrong("a chunk without a size"))? {
            httparse::Status::Complete((used, size)) => {
                line.buffers().input_consume(used);
                if size == 0 {
                    // Trailers, up to an empty line.
                    while !read_line(line, deadline)?.is_empty() {}
                    return Ok(());
                }
                let size = usize::try_from(size).unwrap_or(usize::MAX);
                take(line, size, body, deadline)?;
                if !read_line(line, deadline)?.is_empty() {
                    return Err(wrong("a chunk longer than its size"));
                }
            }
            httparse::Status::Partial if input.len() > LONGEST_HEAD => {
                return Err(wrong("a chunk's size without an end"));
            }
            httparse::Status::Partial => needs_more(line, deadline)?,
        }
    }
}

/// The rest of a line, without its end.
fn read_line(line: &mut dyn Transport, deadline: Instant) -> Result<Vec<u8>> {
    loop {
        let input = line.buffers().input();
        if let Some(end) = input.iter().position(|byte| *byte == b'\n') {
            let text = input[..end].strip_suffix(b"\r").unwrap_or(&input[..end]).to_vec();
            line.buffers().input_consume(end + 1);
            return Ok(text);
        }
        if input.len() > LONGEST_HEAD {
            return Err(wrong("a line without an end"));
        }
        needs_more(line, deadline)?;
    }
}
