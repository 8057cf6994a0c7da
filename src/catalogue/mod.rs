//! The interfaces as data.

pub mod types;

pub use types::*;

/// Every entry.
pub fn all() -> &'static [Interface] {
    &[]
}
