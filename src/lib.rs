//! parklink: the connection library of a parking lot.

pub mod catalogue;
pub mod config;
pub mod error;
pub mod link;
pub mod log;
pub mod sdk;
pub mod wire;
