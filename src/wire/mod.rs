//! The wire: pure code. No I/O, no clock, no threads.

pub mod frame;
pub mod normal;
pub mod sign;
