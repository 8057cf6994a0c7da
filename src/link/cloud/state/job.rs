//! A request on its way through the link.

use crate::catalogue::Platform;
use crate::error::{Error, Result};
use crate::link::cloud::classify::{Expected, as_text};
use crate::link::cloud::line::{self, Signed};
use crate::link::once::Giver;
use crate::link::{Members, Request, RequestKind};
use std::time::Instant;

/// A request in the queue or under way.
pub(super) struct Job {
    pub(super) request: Request,
    pub(super) signed: Signed,
    pub(super) expected: Expected,
    pub(super) attempts: u32,
    /// The server remembers an earlier form of it without having stored it.
    pub(super) refused: Option<Error>,
    pub(super) done: Giver<Result<Members>>,
}

impl Job {
    pub(super) fn is_guarded(&self) -> bool {
        line::is_guarded(&self.request.service)
    }

    pub(super) fn is_answer(&self) -> bool {
        self.request.kind == RequestKind::Answer
    }

    /// Its reply carries a name: upload_confirm_order's does not.
    pub(super) fn is_named(&self) -> bool {
        self.request.service != "upload_confirm_order"
    }

    pub(super) fn is_always_worded(&self) -> bool {
        self.request.interface.is_some_and(|interface| interface.always_worded)
    }

    pub(super) fn order_id(&self) -> Option<String> {
        self.request.data.get("order_id").map(as_text)
    }

    pub(super) fn end(self, outcome: Result<Members>) {
        self.done.give(outcome);
    }

    /// The end of a job that was not sent (again).
    pub(super) fn unsent(self, error: Error) {
        let error = self.refused.clone().unwrap_or(error);
        self.end(Err(error));
    }
}

pub(super) enum UnderWay {
    Login { deadline: Instant },
    Job { job: Box<Job>, deadline: Instant },
}

impl UnderWay {
    pub(super) fn deadline(&self) -> Instant {
        match self {
            UnderWay::Login { deadline } | UnderWay::Job { deadline, .. } => *deadline,
        }
    }
}

pub(super) fn expectation(request: &Request) -> Expected {
    let mut names = vec![request.service.clone()];
    let mut keys = Vec::new();
    if let Some(interface) = request
        .interface
        .filter(|interface| interface.platform == Platform::Cloud || request.kind != RequestKind::Answer)
    {
        names.extend(interface.reply_names.iter().map(|name| (*name).to_owned()));
        for name in interface.correlate_by {
            if let Some(value) = request.data.get(name) {
                keys.push((*name, value.clone()));
                // A reply may carry the key under the name that is really on the wire.
                let aliases = interface.reply_aliases.iter().filter(|(documented, _)| documented == name);
                keys.extend(aliases.map(|(_, wire)| (*wire, value.clone())));
            }
        }
    }
    Expected { names, keys }
}

/// A reply that may still come to a request that was given up.
pub(super) struct Owed {
    pub(super) names: Vec<String>,
    pub(super) is_guarded: bool,
    pub(super) since: Instant,
}

impl Owed {
    pub(super) fn is_named(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }
}
