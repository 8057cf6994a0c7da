//! The members of an object, in their order.

use super::write::is_literal;
use super::{Text, Value};
use std::borrow::Cow;
use std::collections::HashMap;

/// Up to so many names are compared one by one, which is quicker than hashing them.
const FEW: usize = 32;

/// As many as most messages have.
const USUAL: usize = 16;

/// A member, and the mark of its name: only names of the same mark can be the same.
#[derive(Debug, Clone)]
pub struct Member {
    name: Text,
    value: Value,
    mark: u8,
}

impl Member {
    fn is(&self, name: &str, mark: u8) -> bool {
        self.mark == mark && self.name.as_str() == name
    }
}

/// The members of an object. No name stands in it twice; whoever gives it again changes the value in its place.
#[derive(Debug, Clone, Default)]
pub struct Members {
    list: Vec<Member>,
    /// A bit for each mark, and perhaps for some that are gone; and [`ODD`].
    marks: u64,
}

/// The bit that is no mark's: some name or text may not stand for itself in every form; see [`is_literal`]. One more
/// member would make every value larger.
const ODD: u64 = 1 << 63;

impl Members {
    /// None.
    pub const fn new() -> Members {
        Members { list: Vec::new(), marks: 0 }
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
        let mark = mark(name);
        if self.has(mark) { self.search(name, mark) } else { None }
    }

    #[inline]
    fn has(&self, mark: u8) -> bool {
        self.marks >> mark & 1 != 0
    }

    fn search(&self, name: &str, mark: u8) -> Option<usize> {
        self.list.iter().position(|member| member.is(name, mark))
    }

    #[inline]
    fn push(&mut self, name: Text, value: Value, mark: u8) {
        self.marks |= 1 << mark;
        self.list.push(Member { name, value, mark });
    }

    /// The value of a name.
    #[inline]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.place(name).map(|place| &self.list[place].value)
    }

    /// For looking many names up, most of them in their order.
    pub fn finder(&self) -> Finder<'_> {
        Finder { members: self, place: 0 }
    }

    /// Whether each name and each text directly in it is known to stand for itself in every form; see [`is_literal`].
    #[inline]
    pub fn is_literal(&self) -> bool {
        self.marks & ODD == 0
    }

    /// Before a member comes in.
    fn heed(&mut self, name: &str, value: &Value) {
        if self.is_literal() && !(is_literal(name) && value.as_str().is_none_or(is_literal)) {
            self.marks |= ODD;
        }
    }

    /// The value of a name, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        self.marks |= ODD;
        self.place(name).map(|place| &mut self.list[place].value)
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
        self.heed(name.as_ref(), &value);
        if let Some(place) = self.place(name.as_ref()) {
            return Some(std::mem::replace(&mut self.list[place].value, value));
        }
        let mark = mark(name.as_ref());
        self.push(name.into(), value, mark);
        None
    }

    /// Gives a name a value when it has none.
    pub fn or_insert(&mut self, name: impl AsRef<str> + Into<Text>, value: impl FnOnce() -> Value) {
        if !self.contains_key(name.as_ref()) {
            self.insert(name, value());
        }
    }

    /// Takes a name away; the others keep their order.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        self.place(name).map(|place| self.list.remove(place).value)
    }

    /// Keeps those that fit.
    pub fn retain(&mut self, mut fits: impl FnMut(&str, &Value) -> bool) {
        self.list.retain(|member| fits(&member.name, &member.value));
    }

    /// Each with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> + Clone {
        self.list.iter().map(|member| (member.name.as_str(), &member.value))
    }

    /// Each with its value, but for these names.
    pub fn iter_but<'a>(&'a self, names: &'a [&str]) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let marks = names.iter().fold(0, |marks, name| marks | 1u64 << mark(name));
        let is_one = move |member: &Member| marks >> member.mark & 1 != 0 && names.contains(&member.name.as_str());
        self.list.iter().filter(move |member| !is_one(member)).map(|member| (member.name.as_str(), &member.value))
    }

    /// The names.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.list.iter().map(|member| member.name.as_str())
    }

    /// The values.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.list.iter().map(|member| &member.value)
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
    /// The value of a name, whose mark is at hand.
    #[inline]
    pub fn get(&mut self, name: &str, mark: u8) -> Option<&'a Value> {
        if self.members.has(mark) { self.look(name, mark) } else { None }
    }

    fn look(&mut self, name: &str, mark: u8) -> Option<&'a Value> {
        let list = &self.members.list;
        let is_next = list.get(self.place).is_some_and(|member| member.is(name, mark));
        let place = if is_next { self.place } else { self.members.search(name, mark)? };
        self.place = place + 1;
        Some(&list[place].value)
    }
}

/// Members as they come, of which a name may come twice.
pub(super) struct Builder {
    members: Members,
    /// Where each name stands, once there are many.
    places: Option<HashMap<Text, usize>>,
}

impl Builder {
    /// None yet. Who reads a document knows beforehand whether all in it is literal.
    pub(super) fn new(is_literal: bool) -> Builder {
        let marks = if is_literal { 0 } else { ODD };
        Builder { members: Members { list: Vec::new(), marks }, places: None }
    }

    /// Where the value of the next name goes.
    #[inline]
    pub(super) fn slot(&mut self, name: &str) -> &mut Value {
        let mark = mark(name);
        let mut place = self.members.len();
        if self.members.has(mark) || place >= FEW {
            place = self.place_with_care(name, mark);
        }
        if place == self.members.len() {
            if place == 0 {
                // Room is made at once: growing costs more than reading.
                self.members.list = Vec::with_capacity(USUAL);
            }
            self.members.push(Text::from(name), Value::Null, mark);
        }
        &mut self.members.list[place].value
    }

    /// It may be there already.
    fn place_with_care(&mut self, name: &str, mark: u8) -> usize {
        let Members { list, .. } = &self.members;
        if list.len() < FEW {
            return self.members.search(name, mark).unwrap_or(list.len());
        }
        let all = || list.iter().enumerate().map(|(place, member)| (member.name.clone(), place)).collect();
        *self.places.get_or_insert_with(all).entry(Text::from(name)).or_insert(list.len())
    }
}

impl From<Builder> for Members {
    fn from(builder: Builder) -> Members {
        builder.members
    }
}

/// One of 63 marks for a name, by length, beginning, middle and end.
#[inline]
pub const fn mark(name: &str) -> u8 {
    let bytes = name.as_bytes();
    let [first, .., last] = bytes else { return 0 };
    let middle = bytes[bytes.len() / 2];
    let mark = ((*first as usize * 31 + middle as usize * 17 + *last as usize * 7 + bytes.len() * 5) & 63) as u8;
    if mark == 63 { 0 } else { mark }
}

impl<N: AsRef<str> + Into<Text>, V: Into<Value>> Extend<(N, V)> for Members {
    fn extend<I: IntoIterator<Item = (N, V)>>(&mut self, more: I) {
        let mut members = Builder { members: std::mem::take(self), places: None };
        for (name, value) in more {
            let value = value.into();
            members.members.heed(name.as_ref(), &value);
            *members.slot(name.as_ref()) = value;
        }
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
    type IntoIter = std::iter::Map<std::vec::IntoIter<Member>, fn(Member) -> (Text, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter().map(|member| (member.name, member.value))
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
            assert_eq!(finder.get(name, mark(name)), Some(&Value::from(found)), "{name}");
        }
        assert_eq!(finder.get("d", mark("d")), None);
    }
}
