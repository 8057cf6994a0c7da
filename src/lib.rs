//! parklink: the connection library of a parking lot.

pub mod abi;
pub mod catalogue;
pub mod config;
pub mod error;
pub mod inbox;
pub mod json;
pub mod link;
pub mod listener;
pub mod log;
pub mod outbox;
pub mod sdk;
pub mod store;
pub mod wire;
