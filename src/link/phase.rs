//! Where a link with a connection of its own stands.

/// Where the link stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Connecting or logging in, for the first time or because the token died; callers wait for it.
    Connecting,
    /// Logged in.
    Up,
    /// A failure; a pause before the next try.
    Down,
    /// The platform refused the login; a long pause before the next try.
    Refused,
    /// The end.
    Closed,
}

impl Phase {
    /// Its name in the status.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Connecting => "connecting",
            Phase::Up => "up",
            Phase::Down => "down",
            Phase::Refused => "refused",
            Phase::Closed => "closed",
        }
    }
}
