//! parklink: the connection library of a parking lot.

pub mod catalogue;
pub mod error;
pub mod link;
pub mod wire;
