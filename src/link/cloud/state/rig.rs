//! A link that is up, without its threads: the test is the cloud, and the clock.

use super::{Facts, Phase, State};
use crate::catalogue::{self, Platform};
use crate::error::Result;
use crate::json::members;
use crate::link::cloud::line;
use crate::link::cloud::rate::Rate;
use crate::link::once::{Taker, once};
use crate::link::{Data, Members, Request, RequestKind};
use crate::log::{Level, Log};
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub struct Rig {
    pub state: State,
    pub facts: Facts,
    wire: BufReader<TcpStream>,
}

impl Rig {
    /// Logged in now.
    pub fn new(rate: Rate, now: Instant) -> Rig {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let hour = Duration::from_secs(3600);
        let facts = Facts {
            key: "k".into(),
            login: line::signed(&Data::from(members! {"park_id": "1"}), "k").unwrap(),
            heartbeat: hour,
            heartbeat_patience: hour,
            request_patience: hour,
            line_limit: 1024,
            login_pause: Duration::from_secs(7),
            log: Arc::new(Log::new(Level::Error)),
        };
        let mut state = State::new(rate);
        state.phase = Phase::Up;
        state.beat_at = now + hour;
        state.wire = Some(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
        state.token = Some("t1".into());
        state.is_token_good = true;
        state.last_login = Some(now);
        let wire = listener.accept().unwrap().0;
        wire.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let wire = BufReader::new(wire);
        Rig { state, facts, wire }
    }

    /// Queues a request.
    pub fn queue(&mut self, service: &str, data: Members, deadline: Instant) -> Taker<Result<Members>> {
        let data = Data::from(data);
        let interface = catalogue::uplink(Platform::Cloud, service);
        let request = Request { interface, service: service.into(), data, deadline, kind: RequestKind::Live };
        let (done, outcome) = once();
        self.state.queue(&self.facts, request, done).unwrap();
        outcome
    }

    /// The next line that the cloud gets.
    pub fn line(&mut self) -> Members {
        let mut line = String::new();
        self.wire.read_line(&mut line).unwrap();
        crate::json::parse_members(&line).unwrap().unwrap()
    }

    /// Whether the cloud is told that the connection is over.
    pub fn hears_the_end(&mut self) -> bool {
        matches!(self.wire.read_line(&mut String::new()), Ok(0))
    }

    /// What the cloud says.
    pub fn says(&mut self, message: Members, now: Instant) {
        assert!(self.state.message(&self.facts, message, now).is_none(), "it is a reply");
    }
}
