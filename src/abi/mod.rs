//! The C interface: a thin dress over [`crate::sdk`], and the only room with `unsafe` in it.
//!
//! The contract stands once, in `parklink.h.in`; `cargo run -p xtask -- header` sets the declarations of these files,
//! with their doc comments, into it and writes `include/`.

mod callbacks;
mod calls;
mod encoding;
mod facts;
mod guard;
mod handles;
mod outbox;
mod process;
mod text;
mod upload_util;

pub use callbacks::*;
pub use calls::*;
pub use facts::*;
pub use outbox::*;
pub use upload_util::*;
