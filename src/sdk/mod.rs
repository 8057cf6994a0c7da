//! The library for Rust: open, upload, call, on_downlink, reply, poll, status, close. The C interface is a thin dress over it.

use crate::catalogue::Platform;
use crate::config::Config;
use crate::error::{Code, Error, Result};
use crate::link::Members;
use crate::log::Level;
use std::time::Duration;

/// What a platform says on its own.
#[derive(Debug, Clone)]
pub struct Event {
    /// The number to answer under; 0 when no answer is expected.
    pub id: u64,
    /// Who said it.
    pub platform: Platform,
    /// The whole message as it came.
    pub message: Members,
    /// The event as JSON: `event_id`, `platform`, `interface`, `service_name`, `kind` (`request`, `notice`, `echo`),
    /// `redelivered`, `data` (the members without the wrapper).
    pub json: String,
}

/// What came of an upload or call.
#[derive(Debug)]
pub struct Outcome {
    /// The platform's reply; there when it replied, a refusal included.
    pub reply: Option<Members>,
    /// Why it is not a success.
    pub error: Option<Error>,
}

/// Takes downlinks, one at a time, on the dispatch thread.
pub type DownlinkHandler = Box<dyn Fn(&Event) + Send>;

/// Takes lines of the log, on the dispatch thread.
pub type LogHandler = Box<dyn Fn(Level, &str) + Send>;

/// An open connection to the platforms of one lot.
#[derive(Debug)]
pub struct Sdk {
    config: Config,
}

impl Sdk {
    /// Starts the links; they connect by themselves, this does not wait for them.
    pub fn open(config: Config) -> Result<Sdk> {
        Ok(Sdk { config })
    }

    /// Uploads a record by its service_name to every platform that takes it, and waits for the answer. A record under
    /// the name of a downlink is the answer to that downlink.
    pub fn upload(&self, json: &str) -> Outcome {
        let _ = (json, &self.config);
        Outcome { reply: None, error: Some(Error::new(Code::Internal, "not built yet")) }
    }

    /// The same with the service_name fixed: `in_park`, `out_park`, `etc_pay`, `pay_status`.
    pub fn upload_as(&self, service: &str, json: &str) -> Outcome {
        let _ = service;
        self.upload(json)
    }

    /// Calls one interface by its id in the catalogue, on its own platform only.
    pub fn call(&self, interface: &str, json: &str) -> Outcome {
        let _ = interface;
        self.upload(json)
    }

    /// Sets or removes the handler; the old one is dropped on the dispatch thread when its last call is over.
    pub fn on_downlink(&self, handler: Option<DownlinkHandler>) -> Result<()> {
        drop(handler);
        Ok(())
    }

    /// Sets or removes the log handler; dropped like the other.
    pub fn on_log(&self, handler: Option<LogHandler>) -> Result<()> {
        drop(handler);
        Ok(())
    }

    /// Answers a downlink. `json` holds the reply's members; service_name and the members that tie it to the downlink
    /// are filled in.
    pub fn reply(&self, event_id: u64, json: &str) -> Result<()> {
        let _ = (event_id, json);
        Ok(())
    }

    /// Waits for the next downlink when no handler is set.
    pub fn poll(&self, timeout: Duration) -> Result<Event> {
        let _ = timeout;
        Err(Error::new(Code::NoEvent, "none"))
    }

    /// Everything a field engineer asks for.
    pub fn status(&self) -> Members {
        Members::new()
    }

    /// Waits until every link is up or has failed once, at most `timeout`; tells which.
    pub fn wait_ready(&self, timeout: Duration) -> Result<()> {
        let _ = timeout;
        Ok(())
    }

    /// Whether this is the dispatch thread, in a callback.
    pub fn is_in_callback(&self) -> bool {
        false
    }

    /// Ends everything: wakes every sleeper, joins every thread, drops every handler. Tells how many downlinks stay
    /// unanswered. From inside a callback it is refused.
    pub fn close(&self, timeout: Duration) -> Result<u64> {
        let _ = timeout;
        Ok(0)
    }
}
