//! A request on its way through the link.

use crate::catalogue::{Interface, Platform};
use crate::error::{Error, Result};
use crate::json::Text;
use crate::link::cloud::classify::{self, Expected};
use crate::link::cloud::line::Signed;
use crate::link::once::Giver;
use crate::link::{Members, Request, RequestKind};
use crate::wire::sign::Sign;
use std::time::Instant;

/// A request in the queue or under way.
pub(super) struct Job {
    pub(super) request: Request,
    pub(super) signed: Signed,
    /// Its signature as it was given, without a stamp of ours.
    pub(super) given: Sign,
    /// The server's resend guard looks at it.
    pub(super) is_guarded: bool,
    /// What that guard counts passes by, where it does.
    pub(super) order: Option<Text>,
    /// It waits for the next token: its order has used up what this one lets pass.
    pub(super) wants_login: bool,
    pub(super) attempts: u32,
    /// The server remembers an earlier form of it without having stored it.
    pub(super) refused: Option<Error>,
    pub(super) done: Giver<Result<Members>>,
}

impl Job {
    /// What its reply is known by.
    pub(super) fn expected(&self) -> Expected<'_> {
        let Request { service, interface, data, kind, .. } = &self.request;
        let is_own = |interface: &&Interface| interface.platform == Platform::Cloud || *kind != RequestKind::Answer;
        Expected { service, interface: interface.filter(is_own), data }
    }

    pub(super) fn is_answer(&self) -> bool {
        self.request.kind == RequestKind::Answer
    }

    /// Its reply carries a name: upload_confirm_order's does not.
    pub(super) fn is_named(&self) -> bool {
        self.request.service != "upload_confirm_order"
    }

    /// It asks for money now; what comes from the store does not.
    pub(super) fn asks_now(&self) -> bool {
        self.request.kind != RequestKind::Backlog
            && self.request.interface.is_some_and(|interface| interface.asks_now(self.request.data.own()))
    }

    /// What becomes another record for the resend guard when it may have been refused: not a charge, which could then be
    /// made twice.
    pub(super) fn doubtful(&self) -> Option<Sign> {
        (self.is_guarded && !self.asks_now()).then_some(self.given)
    }

    pub(super) fn is_always_worded(&self) -> bool {
        self.request.interface.is_some_and(|interface| interface.always_worded)
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

/// A reply that may still come to a request that was given up.
pub(super) struct Owed {
    pub(super) service: Text,
    pub(super) interface: Option<&'static Interface>,
    pub(super) is_guarded: bool,
    /// Its service and order, where the guard counts them.
    pub(super) order: Option<Text>,
    /// What the guard forgets it by, should it have been refused.
    pub(super) given: Option<Sign>,
    pub(super) since: Instant,
}

impl Owed {
    pub(super) fn is_named(&self, name: &str) -> bool {
        classify::is_reply_name(&self.service, self.interface, name)
    }
}
