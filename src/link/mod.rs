//! The links: one room a platform, and what they share.

pub mod backoff;
pub mod bolink;
pub mod cloud;
mod data;
pub mod dial;
pub mod etcp;
pub mod health;
pub mod http;
pub mod once;
mod phase;
mod recv;
pub mod union;

pub use self::data::Data;
pub use crate::catalogue::shown;
pub use crate::json::Members;

use crate::catalogue::{Interface, Platform};
use crate::error::{Code, Error, Result};
use crate::json::Text;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

/// A record on its way to a platform.
#[derive(Debug)]
pub struct Request {
    /// What the catalogue knows of it; `None` when it knows nothing.
    pub interface: Option<&'static Interface>,
    /// The name it has on this platform's wire.
    pub service: Text,
    /// Its members, as they go into `data`.
    pub data: Data,
    /// When the caller stops waiting.
    pub deadline: Instant,
    /// What it is to the link.
    pub kind: RequestKind,
}

/// What a request is to the link; what someone waits for goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RequestKind {
    /// An answer to a downlink, to which the platform replies without words.
    Answer,
    /// The software waits for it.
    Live,
    /// From the outbox.
    Backlog,
}

/// The reply to come; calling it waits, at most until the deadline of its request.
pub type Pending<'a> = Box<dyn FnOnce() -> Result<Members> + Send + 'a>;

/// A connection to one platform. It keeps itself up: connects, logs in, notices a dead line, tries again.
pub trait Link: Send + Sync {
    /// Which platform.
    fn platform(&self) -> Platform;

    /// Puts a request on its way. Whether the platform may have taken it is the error's [`Fate`](crate::error::Fate).
    fn begin<'a>(&'a self, request: Request) -> Result<Pending<'a>>;

    /// Whether this link could ever send the request: the error tells what is wrong with it.
    fn check(&self, request: &Request) -> Result<()> {
        let _ = request;
        Ok(())
    }

    /// What `parklink_status` tells of this link: `state` (`up`, `connecting`, `down`, `refused`, `closed`), `since`
    /// (unix seconds), `last_error`, counters.
    fn status(&self) -> Members;

    /// Whether requests can go out now.
    fn is_up(&self) -> bool;

    /// Whether it also hears what the platform says on its own, such as what came of a charge.
    fn hears(&self) -> bool {
        self.is_up()
    }

    /// Ends it: wakes everyone who waits in it (they get [`Closed`](crate::error::Code::Closed)) and joins its threads.
    fn shut(&self);
}

/// Sends a request and waits for the reply. A defect on the way is the failure of this one exchange, not the end of the
/// thread that makes one after the other.
pub fn exchange(link: &dyn Link, request: Request) -> Result<Members> {
    let reply = catch_unwind(AssertUnwindSafe(|| link.begin(request).and_then(|pending| pending())));
    reply.unwrap_or_else(|_| Err(Error::new(Code::Internal, "a defect of the library was caught; please report it")))
}

/// Where a link hands up what the platform says on its own.
pub trait Sink: Send + Sync {
    /// A downlink, an echo, or something unknown: the whole message as it came.
    fn received(&self, platform: Platform, message: Members);
}
