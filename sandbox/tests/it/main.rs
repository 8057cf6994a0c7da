//! The sandbox from outside: clients written from the documents, over real sockets.

mod bolink;
mod checks;
mod client;
mod documented;
mod downlinks;
mod driver;
mod echoes;
mod etcp;
mod etcp_rules;
mod faults;
mod frames;
mod guard;
mod login;
mod printed;
mod program;
mod pushes;
mod services;
mod signature;
mod sync;
mod union;
mod union_money;
mod vendor;
