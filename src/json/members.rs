//! The members of an object, in their order.

use super::{Text, Value};
use std::collections::HashMap;

/// Up to so many names are compared one by one, which is quicker than hashing them.
const FEW: usize = 32;

/// The members of an object. No name stands in it twice; whoever gives it again changes the value in its place.
#[derive(Debug, Clone, Default)]
pub struct Members(Vec<(Text, Value)>);

impl Members {
    /// None.
    pub const fn new() -> Members {
        Members(Vec::new())
    }

    /// None, with room for so many.
    pub fn with_capacity(count: usize) -> Members {
        Members(Vec::with_capacity(count))
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|(known, _)| known.as_str() == name)
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| known.as_str() == name).map(|(_, value)| value)
    }

    /// The same, looked for first at the place where the one before it stood: documents come in a table's order.
    pub fn get_near(&self, name: &str, place: &mut usize) -> Option<&Value> {
        if let Some((known, value)) = self.0.get(*place)
            && known.as_str() == name
        {
            *place += 1;
            return Some(value);
        }
        let found = self.place(name)?;
        *place = found + 1;
        Some(&self.0[found].1)
    }

    /// The value of a name, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        self.0.iter_mut().find(|(known, _)| known.as_str() == name).map(|(_, value)| value)
    }

    /// The text of a name, if it has one.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str)
    }

    /// Whether the name is there.
    pub fn contains_key(&self, name: &str) -> bool {
        self.place(name).is_some()
    }

    /// Gives a name a value; returns the one it had.
    pub fn insert(&mut self, name: impl AsRef<str> + Into<Text>, value: impl Into<Value>) -> Option<Value> {
        let value = value.into();
        match self.get_mut(name.as_ref()) {
            Some(known) => Some(std::mem::replace(known, value)),
            None => {
                self.0.push((name.into(), value));
                None
            }
        }
    }

    /// Gives a name a value when it has none.
    pub fn or_insert(&mut self, name: impl AsRef<str> + Into<Text>, value: impl FnOnce() -> Value) {
        if !self.contains_key(name.as_ref()) {
            self.0.push((name.into(), value()));
        }
    }

    /// Takes a name away; the others keep their order.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        self.place(name).map(|place| self.0.remove(place).1)
    }

    /// Keeps those that fit.
    pub fn retain(&mut self, mut fits: impl FnMut(&str, &Value) -> bool) {
        self.0.retain(|(name, value)| fits(name, value));
    }

    /// Each with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> + Clone {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The names.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// The values.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.0.iter().map(|(_, value)| value)
    }
}

/// The value of a name; null when there is none.
impl std::ops::Index<&str> for Members {
    type Output = Value;

    fn index(&self, name: &str) -> &Value {
        self.get(name).unwrap_or(&Value::Null)
    }
}

impl<N: AsRef<str> + Into<Text>, V: Into<Value>> Extend<(N, V)> for Members {
    fn extend<I: IntoIterator<Item = (N, V)>>(&mut self, more: I) {
        let mut places: Option<HashMap<Text, usize>> = None;
        for (name, value) in more {
            if self.len() < FEW {
                self.insert(name, value);
                continue;
            }
            let places = places.get_or_insert_with(|| {
                self.0.iter().enumerate().map(|(place, (name, _))| (name.clone(), place)).collect()
            });
            match places.get(name.as_ref()) {
                Some(place) => self.0[*place].1 = value.into(),
                None => {
                    let name: Text = name.into();
                    places.insert(name.clone(), self.0.len());
                    self.0.push((name, value.into()));
                }
            }
        }
    }
}

impl<N: AsRef<str> + Into<Text>, V: Into<Value>> FromIterator<(N, V)> for Members {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(all: I) -> Members {
        let all = all.into_iter();
        let mut members = Members::with_capacity(all.size_hint().0);
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
        self.0.into_iter()
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
        let mut place = 0;
        for (name, found) in [("a", 1), ("c", 3), ("a", 1), ("b", 2), ("c", 3)] {
            assert_eq!(members.get_near(name, &mut place), Some(&Value::from(found)), "{name}");
        }
        assert_eq!(members.get_near("d", &mut place), None);
    }
}
