//! The members of a record as one link sends them: shared with the caller, not copied.

use super::Members;
use crate::json::{Value, is_literal};
use std::sync::Arc;

/// The names that tell the library where a record goes; links that want them inside have them in the head.
const ADDRESS: [&str; 2] = ["service_name", "data_target"];

/// The member that only makes the bytes other ones.
const STAMP: &str = "random_temp";

const ADDRESS_AND_STAMP: [&str; 3] = [ADDRESS[0], ADDRESS[1], STAMP];

/// Members in the order in which they are sent: the head, the software's own, the stamp.
#[derive(Debug, Clone)]
pub struct Data {
    head: Vec<(&'static str, Value)>,
    own: Arc<Members>,
    is_addressed: bool,
    stamp: Option<Value>,
}

impl From<Members> for Data {
    fn from(members: Members) -> Data {
        Data { head: Vec::new(), own: Arc::new(members), is_addressed: true, stamp: None }
    }
}

impl Data {
    /// The software's members without their address, behind a head.
    pub fn new(head: Vec<(&'static str, Value)>, own: Arc<Members>) -> Data {
        Data { head, own, is_addressed: false, stamp: None }
    }

    /// Takes service_name and data_target out.
    pub fn without_address(&mut self) {
        self.is_addressed = false;
    }

    /// Adds or changes the stamp.
    pub fn set_stamp(&mut self, text: String) {
        self.stamp = Some(Value::from(text));
    }

    /// The software's members, those that are not sent as they are among them.
    pub fn own(&self) -> &Members {
        &self.own
    }

    fn is_own(&self, name: &str) -> bool {
        !self.hidden().contains(&name)
    }

    /// The software's members that are not sent as they are.
    fn hidden(&self) -> &'static [&'static str] {
        match (self.is_addressed, &self.stamp) {
            (true, None) => &[],
            (true, Some(_)) => &[STAMP],
            (false, None) => &ADDRESS,
            (false, Some(_)) => &ADDRESS_AND_STAMP,
        }
    }

    /// Every member, as sent.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        let head = self.head.iter().map(|(name, value)| (*name, value));
        head.chain(self.own.iter_but(self.hidden())).chain(self.stamp.iter().map(|value| (STAMP, value)))
    }

    /// Every member, and those of the software's that are not sent as they are.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Value)> {
        let head = self.head.iter().map(|(name, value)| (*name, value));
        head.chain(self.own.iter()).chain(self.stamp.iter().map(|value| (STAMP, value)))
    }

    /// Whether every name and text directly in it is known to stand for itself in every form.
    pub fn is_literal(&self) -> bool {
        let mut head = self.head.iter().filter_map(|(_, value)| value.as_str());
        self.own.is_literal() && head.all(is_literal)
    }

    /// A copy, for links that make something else of them.
    pub fn to_members(&self) -> Members {
        self.iter().map(|(name, value)| (name.to_owned(), value.clone())).collect()
    }

    /// A member.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let head = || self.head.iter().find(|(known, _)| *known == name).map(|(_, value)| value);
        let stamp = || self.stamp.as_ref().filter(|_| name == STAMP);
        self.own.get(name).filter(|_| self.is_own(name)).or_else(head).or_else(stamp)
    }
}
