//! Records and answers held against their tables before anything is sent.

use super::{Outcome, Sdk, outcome, platforms, route};
use crate::catalogue::{self, Interface, Rule, Side};
use crate::config::Config;
use crate::error::{Code, Error, Result};
use crate::inbox::{Answer, echoed};
use crate::json::Value;
use crate::link::{Members, RequestKind};
use crate::listener;
use std::sync::Arc;
use std::time::Instant;

/// What to do with a record that breaks its document's rules.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Validation {
    /// Refuse it.
    Strict,
    /// Log it and send it.
    Warn,
    /// Send it.
    Off,
}

impl Validation {
    pub fn of(config: &Config) -> Validation {
        match config.word("validation") {
            "off" => Validation::Off,
            "warn" => Validation::Warn,
            _ => Validation::Strict,
        }
    }
}

/// Problems that one error names.
const SHOWN: usize = 5;

impl Sdk {
    /// Holds a message against its table, as the option says.
    pub(super) fn check(&self, interface: Option<&'static Interface>, members: &Members, side: Side) -> Result<()> {
        let Some(interface) = interface.filter(|_| self.validation != Validation::Off) else { return Ok(()) };
        let mut problems: Vec<String> =
            catalogue::validate(interface, members, side).iter().map(ToString::to_string).collect();
        if side == Side::Request {
            problems.extend(platforms::problems(interface, members));
        }
        self.judge(interface, &problems, side)
    }

    /// The same for an answer. What it only repeats of the question may be longer than the table says, and what the question
    /// lacks cannot be repeated.
    fn check_answer(&self, answer: &Answer, asked: &Members) -> Result<()> {
        let Some(interface) = answer.interface.filter(|_| self.validation != Validation::Off) else { return Ok(()) };
        let mut problems = catalogue::validate(interface, &answer.data, Side::Reply);
        let repeated = |path: &String| answer.data.get(path).is_some_and(|value| asked.get(path) == Some(value));
        let is_there = |value: &Value| !value.is_null() && value.as_str() != Some("");
        let lacking = |path: &str| {
            !asked.get(path).is_some_and(is_there)
                && interface.fields.iter().any(|field| field.path == path)
                && echoed(Some(interface)).any(|name| name == path)
        };
        problems.retain(|problem| match problem.rule {
            Rule::MaxLen(_) => !repeated(&problem.path),
            Rule::Required(_) => !lacking(&problem.path),
            _ => true,
        });
        let mut problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        problems.extend(listener::problem(answer));
        self.judge(interface, &problems, Side::Reply)
    }

    fn judge(&self, interface: &Interface, problems: &[String], side: Side) -> Result<()> {
        if problems.is_empty() {
            return Ok(());
        }
        let what = if side == Side::Reply { "the answer to " } else { "" };
        let message = format!("{what}{}: {}", interface.id, problems[..problems.len().min(SHOWN)].join("; "));
        if self.validation == Validation::Warn {
            self.log.warn(format_args!("{message} (sent all the same: validation is warn)"));
            return Ok(());
        }
        Err(Error::new(Code::Invalid, message))
    }

    /// Answers an open downlink. A wrong answer changes nothing: the downlink stays open.
    pub(super) fn answer(&self, event_id: u64, members: Members) -> Result<Outcome> {
        self.inbox.answer(event_id, members, |answer, asked| {
            self.check_answer(answer, asked)?;
            let Some(link) = self.links.iter().find(|link| link.platform() == answer.platform) else { return Ok(()) };
            let (interface, now) = (answer.interface, Instant::now());
            link.check(&route::request(
                answer.platform,
                interface,
                &answer.service,
                &Arc::new(answer.data.clone()),
                now,
                RequestKind::Answer,
            ))
        })?;
        Ok(outcome::handed_over())
    }
}
