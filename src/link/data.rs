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

    /// Lets the order of the software's members say what the stamp says, for lines without room for it: other bytes, and
    /// the same ones whenever the stamp is the same. False when there is none.
    pub fn fold_stamp(&mut self) -> bool {
        let Some(stamp) = self.stamp.take().or_else(|| self.own.get(STAMP).cloned()) else { return false };
        let seed = |sum: u64, byte: u8| (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        let mut seed = stamp.plain().bytes().fold(0xcbf2_9ce4_8422_2325, seed);
        let mut members: Vec<_> = self.own.iter_but(&[STAMP]).collect();
        // Whatever order an earlier stamp has made.
        members.sort_unstable_by_key(|(name, _)| *name);
        for last in (1..members.len()).rev() {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let other = (seed >> 33) as usize % (last + 1);
            members.swap(last, other);
        }
        let own = members.into_iter().map(|(name, value)| (name.to_owned(), value.clone())).collect();
        self.own = Arc::new(own);
        true
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
