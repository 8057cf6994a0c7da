//! What the end of an attempt means for a record.

use crate::catalogue::Platform;
use crate::error::{Code, Error, Fate};
use crate::json::{Value, members};
use crate::sdk::Outcome;
use crate::store::Dropped;
use std::time::Duration;

/// The verdict.
#[derive(Debug)]
pub enum Verdict {
    /// The platform has it.
    Delivered,
    /// Repetition cannot help.
    Dead(Error),
    /// Sent, and no answer or one that tells nothing: send the same bytes again after a pause.
    Unanswered(Error),
    /// Not stored although remembered: send it again with other bytes.
    Change(Error),
    /// The link is not there: nothing was sent, all wait.
    NoLink(Error),
    /// The platform asks for patience.
    Busy(Error, Option<Duration>),
}

/// Judges the outcome of an attempt.
pub fn judge(outcome: &Outcome) -> Verdict {
    let Some(error) = outcome.error.clone() else { return Verdict::Delivered };
    let wait = error.wait;
    match error.fate() {
        // What comes of it is told by a downlink.
        Fate::Taken => Verdict::Delivered,
        Fate::Unsent => Verdict::NoLink(error),
        Fate::Unknown => Verdict::Unanswered(error),
        Fate::Unstored => Verdict::Change(error),
        Fate::Later => Verdict::Busy(error, wait),
        Fate::Refused if error.code == Code::Http && !is_of_the_record(&error) => Verdict::Unanswered(error),
        Fate::Refused => Verdict::Dead(error),
    }
}

/// Whether the cloud's resend guard has seen these bytes before.
pub fn is_remembered(platform: Platform, outcome: &Outcome) -> bool {
    let reply = outcome.reply.as_ref().filter(|_| platform == Platform::Cloud && outcome.error.is_none());
    reply.is_some_and(crate::link::cloud::is_already_handled)
}

/// Of a record that may have been sent before and whose answer was lost: whether this refusal says that it arrived then.
/// Bolink has an entry's order already (SDK 2.1); its open API says so in words that were not seen (API 3.1).
pub fn is_there_already(platform: Platform, outcome: &Outcome) -> bool {
    let words = outcome.reply.as_ref().and_then(|reply| reply.get("errmsg")).and_then(Value::as_str);
    let says = |words: &str| match platform {
        Platform::Bolink => words.contains("该订单已经存在"),
        Platform::Union => words.contains("订单") && (words.contains("已经存在") || words.contains("已存在")),
        _ => false,
    };
    words.is_some_and(says)
}

/// Whether an HTTP status speaks of the record itself. Others (an address that is gone while a gateway is set up anew, a
/// captive portal) would make dead letters of a whole backlog; if it is the record all the same, the number
/// of attempts shows it.
fn is_of_the_record(error: &Error) -> bool {
    matches!(error.status, Some(400 | 413 | 422))
}

/// What the software is told of a settled record.
pub fn report(ticket: i64, platform: Platform, interface: Option<&str>, service: &str, outcome: &Outcome) -> String {
    let (word, code, message) = match &outcome.error {
        None => ("delivered", "ok", ""),
        Some(error) if error.code == Code::Pending => ("delivered", error.code.name(), error.message.as_str()),
        Some(error) => ("dead", error.code.name(), error.message.as_str()),
    };
    let report = members! {
        "ticket": ticket,
        "platform": platform.name(),
        "interface": interface,
        "service_name": service,
        "outcome": word,
        "code": code,
        "message": message,
        "reply": outcome.reply.clone(),
    };
    report.to_string()
}

/// What it is told of a log record that was dropped.
pub fn report_dropped(dropped: &Dropped, why: &Error) -> String {
    let report = members! {
        "ticket": dropped.ticket,
        "platform": &dropped.platform,
        "interface": dropped.interface.clone(),
        "service_name": &dropped.service,
        "outcome": "dropped",
        "code": why.code.name(),
        "message": &why.message,
        "reply": Value::Null,
    };
    report.to_string()
}
