//! Nothing lost, nothing charged twice: the store, the outbox and the durable inbox, proved from outside.
//!
//! Long forms: `RIG_CYCLES=2000` (kills), `RIG_CUTS=1000` (power cuts), `RIG_LONG=1` (order, backlog, torture).
#![allow(missing_docs)]

#[path = "../http_support/mod.rs"]
mod http_support;

mod age;
mod answers;
mod charges;
mod child;
mod cloud;
mod counts;
mod ending;
mod held;
mod inbox;
#[cfg(unix)]
mod kill;
mod lines;
mod order;
mod outbox;
#[cfg(target_os = "linux")]
mod power;
mod sandbox;
#[cfg(target_os = "linux")]
mod shim;
mod support;
#[cfg(target_os = "linux")]
mod torture;
mod troubles;
mod two;
mod versions;
