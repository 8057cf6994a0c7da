//! The interfaces as data.

pub mod types;

pub use types::*;
