//! The sandbox from outside: clients written from the documents, over real sockets.

mod bolink;
mod checks;
mod client;
mod documented;
mod downlinks;
mod driver;
mod echoes;
mod faults;
mod frames;
mod guard;
mod login;
mod program;
mod services;
mod signature;
mod sync;
