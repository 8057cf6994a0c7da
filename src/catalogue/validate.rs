//! Holds a message against its interface's table.
//!
//! Strict in what is sent, tolerant in how it is written: a number may be text and the other way round, members that
//! the table does not name pass.

use super::types::*;
use super::value::{is_absent, is_decimal, is_secret, same_text, text_of};
use crate::json::{Members, Value};
use std::borrow::Cow;
use std::fmt;

/// Which table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// What the caller sends.
    Request,
    /// What is answered.
    Reply,
}

/// The rule a member breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// It must be there, always or under the condition that stands here.
    Required(Option<&'static str>),
    /// It may not be blank.
    NotBlank,
    /// It must be of this type.
    Kind(Kind),
    /// It may have so many characters.
    MaxLen(u32),
    /// It must be one of these.
    Values(&'static [&'static str]),
}

/// What is wrong with a message. Shown, it names the member, the rule, the section and what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The member: `car_number`, `data[2].coupon_id`.
    pub path: String,
    /// The rule it breaks.
    pub rule: Rule,
    /// The value, shortened; `None` when there is none or it is secret.
    pub found: Option<String>,
    /// The document's section.
    pub section: &'static str,
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem { path, rule, found, section } = self;
        match rule {
            Rule::Required(None) => return write!(out, "{path}: required by {section}, missing"),
            Rule::Required(Some(when)) => return write!(out, "{path}: required by {section} when {when}, missing"),
            Rule::NotBlank => return write!(out, "{path}: required by {section}, blank"),
            Rule::Kind(kind) => write!(out, "{path}: must be {} ({section})", name_of(*kind))?,
            Rule::MaxLen(max) => write!(out, "{path}: at most {max} characters ({section})")?,
            Rule::Values(values) => write!(out, "{path}: must be one of {} ({section})", values.join(", "))?,
        }
        write!(out, ", found {}", found.as_deref().unwrap_or("something else (not shown)"))
    }
}

fn name_of(kind: Kind) -> &'static str {
    match kind {
        Kind::String => "text",
        Kind::Number => "a number",
        Kind::Boolean => "true or false",
        Kind::Object => "an object",
        Kind::Array => "an array",
        Kind::Any => "anything",
    }
}

/// The problems of a message's members; for a wrapped interface those are what stands inside `data`
/// (see [`Interface::members`]).
pub fn validate(interface: &Interface, members: &Members, side: Side) -> Vec<Problem> {
    let fields = match side {
        Side::Request => interface.fields,
        Side::Reply => interface.reply_fields,
    };
    let mut problems = Vec::new();
    let mut finder = members.finder();
    for field in fields {
        let mut check = Check { field, section: interface.section, root: members, problems: &mut problems };
        // Nearly all stand at the top, and most of what is not there need not be.
        if field.is_inside {
            check.walk(members, field.path, String::new());
            continue;
        }
        let value = finder.get(field.path, field.mark);
        if value.is_some() || !matches!(field.required, Required::No) {
            check.member(members, value, field.path, String::new());
        }
    }
    problems
}

/// One field on its way into a message.
struct Check<'a> {
    field: &'static Field,
    section: &'static str,
    root: &'a Members,
    problems: &'a mut Vec<Problem>,
}

impl Check<'_> {
    /// Goes down to the objects that should hold the field. A container that is missing is its own field's problem.
    fn walk(&mut self, holder: &Members, path: &str, at: String) {
        let Some((head, rest)) = path.split_once('.') else {
            return self.member(holder, holder.get(path), path, at);
        };
        match head.strip_suffix("[]") {
            None => {
                if let Some(Value::Object(inner)) = holder.get(head) {
                    self.walk(inner, rest, format!("{at}{head}."));
                }
            }
            Some(list) => {
                for (place, item) in holder.get(list).and_then(Value::as_array).into_iter().flatten().enumerate() {
                    if let Value::Object(item) = item {
                        self.walk(item, rest, format!("{at}{list}[{place}]."));
                    }
                }
            }
        }
    }

    fn member(&mut self, holder: &Members, value: Option<&Value>, name: &str, at: String) {
        let field = self.field;
        let text = value.and_then(Value::as_str);
        let blank = text.is_some_and(|text| text.chars().all(char::is_whitespace));
        let is_number = field.kind == Kind::Number;
        // To the servers a number that is an empty text is not there, but blanks are no number; a blank text is a text.
        if is_absent(value) || (is_number && text == Some("")) {
            if let Some(rule) = self.required(holder) {
                self.problem(at, name, rule, None);
            }
            return;
        }
        if blank && !is_number {
            if field.not_blank {
                self.problem(at, name, Rule::NotBlank, None);
            }
            return;
        }
        let Some(value) = value else { return };
        if !is_kind(field.kind, value) {
            return self.problem(at, name, Rule::Kind(field.kind), Some(described(value)));
        }
        let max_len = field.max_len.filter(|_| matches!(field.kind, Kind::String | Kind::Number));
        if field.values.is_empty() && max_len.is_none() {
            return;
        }
        let Some(text) = text_of(value) else { return };
        if !field.values.is_empty() && !field.values.iter().any(|allowed| same_text(allowed, &text)) {
            return self.problem(at, name, Rule::Values(field.values), Some(shortened(&text)));
        }
        // No text has more characters than bytes.
        let Some(max) = max_len.filter(|max| text.len() > *max as usize) else { return };
        // Of a number what stands before the point counts: computing leaves long tails.
        let text = match field.kind {
            Kind::Number => Cow::Borrowed(text.split('.').next().unwrap_or(&text)),
            _ => text,
        };
        let length = text.chars().count();
        if length > max as usize {
            // Also for a secret: its length gives nothing away.
            let shown = if is_secret(name) { length.to_string() } else { format!("{length}: {}", shortened(&text)) };
            let problem =
                Problem { path: at + name, rule: Rule::MaxLen(max), found: Some(shown), section: self.section };
            self.problems.push(problem);
        }
    }

    /// The rule by which an absent member is missing.
    fn required(&self, holder: &Members) -> Option<Rule> {
        match self.field.required {
            Required::Yes => Some(Rule::Required(None)),
            Required::No => None,
            Required::When(condition) => {
                let (path, values) = self.field.required_if?;
                // The condition speaks of a member beside this one, or of one at the top.
                let own = self.field.path.rsplit_once('.').map_or("", |(container, _)| container);
                let (beside, name) = path.rsplit_once('.').unwrap_or(("", path));
                let source = if own == beside { holder } else { self.root };
                let text = source.get(name).and_then(text_of)?;
                values.iter().any(|value| same_text(value, &text)).then_some(Rule::Required(Some(condition)))
            }
        }
    }

    fn problem(&mut self, at: String, name: &str, rule: Rule, found: Option<String>) {
        let found = found.filter(|_| !is_secret(name));
        self.problems.push(Problem { path: at + name, rule, found, section: self.section });
    }
}

fn is_kind(kind: Kind, value: &Value) -> bool {
    match kind {
        Kind::Any => true,
        Kind::String => text_of(value).is_some(),
        Kind::Number => value.is_number() || value.as_str().is_some_and(is_decimal),
        Kind::Boolean => {
            value.is_boolean() || text_of(value).is_some_and(|text| ["0", "1", "true", "false"].contains(&&*text))
        }
        // Some write an object or a list as its text.
        Kind::Object => value.is_object() || value.as_str().is_some_and(|text| text.trim_start().starts_with('{')),
        Kind::Array => value.is_array() || value.as_str().is_some_and(|text| text.trim_start().starts_with('[')),
    }
}

fn described(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => shortened(number.as_ref()),
        Value::String(text) => format!("the text {}", shortened(text)),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// At most 40 characters.
fn shortened(text: &str) -> String {
    const MOST: usize = 40;
    if text.chars().count() <= MOST {
        return text.to_owned();
    }
    text.chars().take(MOST - 1).chain(['…']).collect()
}
