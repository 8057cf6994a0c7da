//! The wire: pure code. No I/O, no clock, no threads.

pub mod envelope;
pub mod form;
pub mod frame;
pub mod normal;
pub mod push;
pub mod sign;
