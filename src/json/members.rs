//! The members of an object, in their order.

use super::{Text, Value};
use std::borrow::Cow;
use std::collections::HashMap;

/// Up to so many names are compared one by one, which is quicker than hashing them.
const FEW: usize = 32;

/// As many as most messages have.
const USUAL: usize = 16;

/// The members of an object. No name stands in it twice; whoever gives it again changes the value in its place.
#[derive(Debug, Clone, Default)]
pub struct Members {
    list: Vec<(Text, Value)>,
    /// A bit for each name, and perhaps for some that are gone: a name whose bit is free is not there.
    seen: u64,
}

impl Members {
    /// None.
    pub const fn new() -> Members {
        Members { list: Vec::new(), seen: 0 }
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    #[inline]
    fn place(&self, name: &str) -> Option<usize> {
        if self.seen & bit(name) == 0 { None } else { self.search(name) }
    }

    fn search(&self, name: &str) -> Option<usize> {
        self.list.iter().position(|(known, _)| known.as_str() == name)
    }

    fn push(&mut self, name: Text, value: Value) {
        self.seen |= bit(&name);
        self.list.push((name, value));
    }

    /// The value of a name.
    #[inline]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.place(name).map(|place| &self.list[place].1)
    }

    /// For looking many names up, most of them in their order.
    pub fn finder(&self) -> Finder<'_> {
        Finder { members: self, place: 0 }
    }

    /// The value of a name, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        self.place(name).map(|place| &mut self.list[place].1)
    }

    /// The text of a name, whether it was written as a text or not; none when the name is not there or null.
    #[inline]
    pub fn plain(&self, name: &str) -> Cow<'_, str> {
        self.get(name).map_or(Cow::Borrowed(""), Value::plain)
    }

    /// Whether the name is there.
    #[inline]
    pub fn contains_key(&self, name: &str) -> bool {
        self.place(name).is_some()
    }

    /// Gives a name a value; returns the one it had.
    pub fn insert(&mut self, name: impl AsRef<str> + Into<Text>, value: impl Into<Value>) -> Option<Value> {
        let value = value.into();
        match self.get_mut(name.as_ref()) {
            Some(known) => Some(std::mem::replace(known, value)),
            None => {
                self.push(name.into(), value);
                None
            }
        }
    }

    /// Gives a name a value when it has none.
    pub fn or_insert(&mut self, name: impl AsRef<str> + Into<Text>, value: impl FnOnce() -> Value) {
        if !self.contains_key(name.as_ref()) {
            self.push(name.into(), value());
        }
    }

    /// Takes a name away; the others keep their order.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        self.place(name).map(|place| self.list.remove(place).1)
    }

    /// Keeps those that fit.
    pub fn retain(&mut self, mut fits: impl FnMut(&str, &Value) -> bool) {
        self.list.retain(|(name, value)| fits(name, value));
    }

    /// Each with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> + Clone {
        self.list.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The names.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.list.iter().map(|(name, _)| name.as_str())
    }

    /// The values.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.list.iter().map(|(_, value)| value)
    }
}

/// The value of a name; null when there is none.
impl std::ops::Index<&str> for Members {
    type Output = Value;

    fn index(&self, name: &str) -> &Value {
        self.get(name).unwrap_or(&Value::Null)
    }
}

/// Looks names up: documents come in the order of their table, and lack much of it.
#[derive(Debug)]
pub struct Finder<'a> {
    members: &'a Members,
    /// Where the next one stands, if it comes in order.
    place: usize,
}

impl<'a> Finder<'a> {
    /// The value of a name, whose bit is at hand.
    #[inline]
    pub fn get(&mut self, name: &str, bit: u64) -> Option<&'a Value> {
        if self.members.seen & bit == 0 { None } else { self.look(name) }
    }

    fn look(&mut self, name: &str) -> Option<&'a Value> {
        let list = &self.members.list;
        let (before, after) = list.split_at(self.place.min(list.len()));
        let found = after.iter().position(|(known, _)| known.as_str() == name).map(|at| at + before.len());
        let place = found.or_else(|| before.iter().position(|(known, _)| known.as_str() == name))?;
        self.place = place + 1;
        Some(&list[place].1)
    }
}

/// Members as they come, of which a name may come twice.
#[derive(Default)]
pub(super) struct Builder {
    members: Members,
    /// Where each name stands, once there are many.
    places: HashMap<Text, usize>,
}

impl Builder {
    /// The next one.
    pub(super) fn push(&mut self, name: Text, value: Value) {
        if self.members.is_empty() {
            // Room is made at once: growing costs more than reading.
            self.members.list.reserve(USUAL);
        }
        let bit = bit(&name);
        let known = if self.members.seen & bit == 0 { None } else { self.place(&name) };
        match known {
            Some(place) => self.members.list[place].1 = value,
            None => {
                if self.members.len() >= FEW {
                    self.places.insert(name.clone(), self.members.len());
                }
                self.members.seen |= bit;
                self.members.list.push((name, value));
            }
        }
    }

    fn place(&mut self, name: &str) -> Option<usize> {
        let all = &self.members.list;
        if all.len() > FEW && self.places.len() < all.len() {
            self.places = all.iter().enumerate().map(|(place, (name, _))| (name.clone(), place)).collect();
        }
        if all.len() > FEW { self.places.get(name).copied() } else { self.members.search(name) }
    }
}

impl From<Builder> for Members {
    fn from(builder: Builder) -> Members {
        builder.members
    }
}

/// One bit of 64 for a name, by length, beginning, middle and end.
#[inline]
pub const fn bit(name: &str) -> u64 {
    let bytes = name.as_bytes();
    let [first, .., last] = bytes else { return 1 };
    let middle = bytes[bytes.len() / 2];
    1 << ((*first as usize * 31 + middle as usize * 17 + *last as usize * 7 + bytes.len() * 5) & 63)
}

impl<N: AsRef<str> + Into<Text>, V: Into<Value>> Extend<(N, V)> for Members {
    fn extend<I: IntoIterator<Item = (N, V)>>(&mut self, more: I) {
        let mut members = Builder { members: std::mem::take(self), places: HashMap::new() };
        more.into_iter().for_each(|(name, value)| members.push(name.into(), value.into()));
        *self = members.into();
    }
}

impl<N: AsRef<str> + Into<Text>, V: Into<Value>> FromIterator<(N, V)> for Members {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(all: I) -> Members {
        let mut members = Members::new();
        members.extend(all);
        members
    }
}

impl<const N: usize> From<[(&str, Value); N]> for Members {
    fn from(all: [(&str, Value); N]) -> Members {
        all.into_iter().collect()
    }
}

impl IntoIterator for Members {
    type Item = (Text, Value);
    type IntoIter = std::vec::IntoIter<(Text, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

/// In any order.
impl PartialEq for Members {
    fn eq(&self, other: &Members) -> bool {
        if self.len() != other.len() {
            return false;
        }
        if self.len() <= FEW {
            return self.iter().all(|(name, value)| other.get(name) == Some(value));
        }
        let others: HashMap<&str, &Value> = other.iter().collect();
        self.iter().all(|(name, value)| others.get(name) == Some(&value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_place_and_its_last_value() {
        let mut members: Members = [("b", 1), ("a", 2), ("b", 3)].into_iter().collect();
        assert_eq!(members.iter().map(|(name, _)| name).collect::<String>(), "ba");
        assert_eq!(members.insert("b", 4), Some(Value::from(3)));
        members.or_insert("b", || Value::from(9));
        members.or_insert("c", || Value::from(5));
        assert_eq!(members.remove("a"), Some(Value::from(2)));
        assert_eq!(members, [("c", 5), ("b", 4)].into_iter().collect());
        assert_ne!(members, [("c", 5), ("b", 5)].into_iter().collect());
    }

    #[test]
    fn very_many_are_no_trouble() {
        let many = || (0..200_000).map(|at| (format!("n{}", at % 100_000), at));
        let members: Members = many().collect();
        assert_eq!(members.len(), 100_000);
        assert_eq!(members.get("n7"), Some(&Value::from(100_007)));
        assert_eq!(members, many().skip(100_000).collect());
    }

    #[test]
    fn looked_for_in_order_or_not() {
        let members: Members = [("a", 1), ("b", 2), ("c", 3)].into_iter().collect();
        let mut finder = members.finder();
        for (name, found) in [("a", 1), ("c", 3), ("a", 1), ("b", 2), ("c", 3)] {
            assert_eq!(finder.get(name, bit(name)), Some(&Value::from(found)), "{name}");
        }
        assert_eq!(finder.get("d", bit("d")), None);
    }
}
