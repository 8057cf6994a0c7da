//! What messages are made of. Numbers keep the digits they were written with, members keep their order, and a message of
//! the usual size is read with hardly any allocation: short texts lie in the value itself.

mod members;
mod read;
mod write;

pub use self::members::{Finder, Members, mark};
pub use self::read::{members_of, parse, parse_members, received, received_bytes};
pub use self::write::{is_literal, literal, quoted, string};

use std::borrow::Cow;

/// A short text; up to 24 bytes it needs no memory of its own.
pub type Text = compact_str::CompactString;

/// A JSON value.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Value {
    /// null
    #[default]
    Null,
    /// true or false
    Bool(bool),
    /// A number, in its digits as they were written.
    Number(Text),
    /// A text.
    String(Text),
    /// A list.
    Array(Vec<Value>),
    /// An object.
    Object(Members),
}

impl Value {
    /// The text of a text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The members of an object.
    pub fn as_object(&self) -> Option<&Members> {
        match self {
            Value::Object(members) => Some(members),
            _ => None,
        }
    }

    /// The members of an object, to be changed.
    pub fn as_object_mut(&mut self) -> Option<&mut Members> {
        match self {
            Value::Object(members) => Some(members),
            _ => None,
        }
    }

    /// The items of a list.
    pub fn as_array(&self) -> Option<&Vec<Value>> {
        match self {
            Value::Array(items) => Some(items),
            _ => None,
        }
    }

    /// true or false.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(yes) => Some(*yes),
            _ => None,
        }
    }

    /// A whole number.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Value::Number(digits) => digits.parse().ok(),
            _ => None,
        }
    }

    /// A whole number that is not negative.
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Value::Number(digits) => digits.parse().ok(),
            _ => None,
        }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// Whether it is true or false.
    pub fn is_boolean(&self) -> bool {
        matches!(self, Value::Bool(_))
    }

    /// Whether it is a number.
    pub fn is_number(&self) -> bool {
        matches!(self, Value::Number(_))
    }

    /// Whether it is a text.
    pub fn is_string(&self) -> bool {
        matches!(self, Value::String(_))
    }

    /// Whether it is a list.
    pub fn is_array(&self) -> bool {
        matches!(self, Value::Array(_))
    }

    /// Whether it is an object.
    pub fn is_object(&self) -> bool {
        matches!(self, Value::Object(_))
    }

    /// The text, whether it was written as a text or not; of null none.
    pub fn plain(&self) -> Cow<'_, str> {
        match self {
            Value::Null => Cow::Borrowed(""),
            Value::String(text) | Value::Number(text) => Cow::Borrowed(text),
            other => Cow::Owned(other.to_string()),
        }
    }

    /// A member of an object.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.as_object()?.get(name)
    }
}

/// A member of an object; null when there is none.
impl std::ops::Index<&str> for Value {
    type Output = Value;

    fn index(&self, name: &str) -> &Value {
        self.get(name).unwrap_or(&Value::Null)
    }
}

/// An item of a list; null when there is none.
impl std::ops::Index<usize> for Value {
    type Output = Value;

    fn index(&self, at: usize) -> &Value {
        self.as_array().and_then(|items| items.get(at)).unwrap_or(&Value::Null)
    }
}

impl PartialEq<str> for Value {
    fn eq(&self, text: &str) -> bool {
        self.as_str() == Some(text)
    }
}

impl PartialEq<&str> for Value {
    fn eq(&self, text: &&str) -> bool {
        self.as_str() == Some(*text)
    }
}

/// As another library has it.
impl PartialEq<serde_json::Value> for Value {
    fn eq(&self, other: &serde_json::Value) -> bool {
        let other = Value::from(other.clone());
        *self == other
    }
}

impl PartialEq<bool> for Value {
    fn eq(&self, yes: &bool) -> bool {
        self.as_bool() == Some(*yes)
    }
}

impl From<bool> for Value {
    fn from(yes: bool) -> Value {
        Value::Bool(yes)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::String(Text::from(text))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::String(Text::from(text))
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Value {
        Value::String(Text::from(text.as_str()))
    }
}

impl From<Text> for Value {
    fn from(text: Text) -> Value {
        Value::String(text)
    }
}

impl From<Members> for Value {
    fn from(members: Members) -> Value {
        Value::Object(members)
    }
}

impl From<&Value> for Value {
    fn from(value: &Value) -> Value {
        value.clone()
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Value {
        Value::Array(items.into_iter().map(Into::into).collect())
    }
}

/// Nothing is null.
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}

impl FromIterator<Value> for Value {
    fn from_iter<I: IntoIterator<Item = Value>>(items: I) -> Value {
        Value::Array(items.into_iter().collect())
    }
}

macro_rules! from_whole_number {
    ($($kind:ty)*) => {$(
        impl From<$kind> for Value {
            fn from(number: $kind) -> Value {
                Value::Number(compact_str::ToCompactString::to_compact_string(&number))
            }
        }

        impl PartialEq<$kind> for Value {
            fn eq(&self, number: &$kind) -> bool {
                matches!(self, Value::Number(digits) if digits.parse() == Ok(*number))
            }
        }
    )*};
}
from_whole_number!(u8 u16 u32 u64 usize i32 i64);

/// What another library made.
impl From<serde_json::Value> for Value {
    fn from(value: serde_json::Value) -> Value {
        match value {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(yes) => Value::Bool(yes),
            serde_json::Value::Number(number) => Value::Number(Text::from(number.to_string())),
            serde_json::Value::String(text) => Value::from(text),
            serde_json::Value::Array(items) => Value::from(items),
            serde_json::Value::Object(members) => Value::Object(members.into()),
        }
    }
}

impl From<serde_json::Map<String, serde_json::Value>> for Members {
    fn from(members: serde_json::Map<String, serde_json::Value>) -> Members {
        members.into_iter().collect()
    }
}

/// Makes an object's members, written as they look: `members! {"state": 1, "errmsg": ""}`.
macro_rules! object {
    ($($name:literal : $value:expr),* $(,)?) => {
        $crate::json::Members::from([$(($name, $crate::json::Value::from($value))),*])
    };
}
pub(crate) use object as members;

#[cfg(test)]
macro_rules! value {
    ($($value:tt)*) => {
        $crate::json::Value::from(serde_json::json!($($value)*))
    };
}
/// Any value, for tests.
#[cfg(test)]
pub(crate) use value as json;
