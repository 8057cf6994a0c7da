//! The codes, and the error that carries one. A number, once given, is never given again.

use std::fmt;
use std::time::Duration;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $number:literal, $name:literal, $retry:literal;)*) => {
        /// What went wrong, by cause: -1xx the caller's input, -2xx the state of the handle, -3xx the network,
        /// -4xx the platform, -5xx this machine, -6xx not an error but not finished either, -9xx the library itself.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(i32)]
        pub enum Code { $($(#[doc = $doc])+ $variant = $number,)* }

        impl Code {
            /// Every code there is.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            /// The name that stands in messages and in the header.
            pub fn name(self) -> &'static str {
                match self { $(Code::$variant => $name,)* }
            }

            /// Whether the same call can succeed later without a change by the caller.
            pub fn is_retryable(self) -> bool {
                match self { $(Code::$variant => $retry,)* }
            }

            /// One line for the reference page and the header.
            pub fn doc(self) -> &'static str {
                match self { $(Code::$variant => concat!($($doc,)+).trim_ascii(),)* }
            }
        }
    };
}

codes! {
    /// An argument is NULL or out of its range.
    Argument = -101, "argument", false;
    /// A text is not in the encoding of the handle (UTF-8, or GBK by option).
    Encoding = -102, "encoding", false;
    /// A text is not JSON, or not a JSON object.
    Json = -103, "json", false;
    /// A text is larger than the library takes.
    TooLarge = -104, "too_large", false;
    /// The configuration is wrong; the message names the option.
    Config = -105, "config", false;
    /// No such interface, or the JSON names none.
    UnknownInterface = -106, "unknown_interface", false;
    /// A field breaks a rule of the platform's document; the message names field, rule, what was found, section.
    Invalid = -107, "invalid", false;
    /// No such event: never given out, answered already, or forgotten.
    UnknownEvent = -108, "unknown_event", false;
    /// The handle is not open (any more).
    Closed = -201, "closed", false;
    /// This call would wait for the callback that it is made from.
    InCallback = -202, "in_callback", false;
    /// The process was forked: the library works only in the process that opened it.
    Forked = -203, "forked", false;
    /// A callback is registered already, or polling is in use beside one.
    Busy = -204, "busy", true;
    /// The platform of this interface is not configured.
    NotConfigured = -205, "not_configured", false;
    /// The interface is documented by title only, or its way to the platform is not known or not built.
    Unsupported = -206, "unsupported", false;
    /// The link to the platform is down.
    Offline = -301, "offline", true;
    /// No answer in time: the platform may or may not have taken the record.
    Timeout = -302, "timeout", true;
    /// The connection broke after the record was sent: the platform may or may not have taken it.
    Broken = -303, "broken", true;
    /// The certificate or the handshake of TLS failed.
    Tls = -304, "tls", false;
    /// The proxy refused or failed.
    Proxy = -305, "proxy", true;
    /// The platform refused the record (state 0); the reply says why.
    Refused = -401, "refused", false;
    /// The platform refused the login; the message holds its reason.
    LoginRefused = -402, "login_refused", false;
    /// The platform answered over_times, or the wait for our own limit would outlast the call.
    RateLimited = -403, "rate_limited", true;
    /// The platform answered with what the protocol does not allow.
    Protocol = -404, "protocol", true;
    /// The platform answered with an HTTP error.
    Http = -405, "http", true;
    /// The platform remembers the record but has not stored it: send it again with changed data.
    NotStored = -406, "not_stored", false;
    /// A file or folder of this machine cannot be used.
    Io = -501, "io", true;
    /// The disk has no room for the record; nothing was acknowledged.
    DiskFull = -502, "disk_full", true;
    /// The store's folder or file cannot be written.
    StoreReadOnly = -503, "store_read_only", false;
    /// Another process has the store open.
    StoreLocked = -504, "store_locked", true;
    /// The store's file is another program's database.
    StoreForeign = -505, "store_foreign", false;
    /// The store was written by a newer version of the library.
    StoreNewer = -506, "store_newer", false;
    /// The store is damaged; at open it is set aside instead.
    StoreDamaged = -507, "store_damaged", false;
    /// The outbox has reached its limit (store.max_records, store.max_bytes).
    OutboxFull = -508, "outbox_full", true;
    /// Of a stored record: it waited longer than store.max_age_days.
    Expired = -509, "expired", false;
    /// The platform could not be told now: the record is on disk and will be sent. The reply holds the ticket.
    Queued = -601, "queued", false;
    /// The platform took the record and will tell the outcome later (state 2): wait for the downlink.
    Pending = -602, "pending", false;
    /// No event came in the time given to the poll.
    NoEvent = -603, "no_event", true;
    /// A defect of the library was caught; the call did nothing more. Please report it.
    Internal = -901, "internal", false;
}

/// A failure: its code, and a message that says what to do about it. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// The cause.
    pub code: Code,
    /// For people: the field or option at fault, what was expected, what was found.
    pub message: String,
    /// How long the platform asked to be left alone (`Retry-After`).
    pub wait: Option<Duration>,
    /// The HTTP status, where one was answered.
    pub status: Option<u16>,
}

/// What a failure says of the record that was to go out. The one place that tells "not sent" from "perhaps taken":
/// money hangs on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The way to the platform is not there: nothing was sent.
    Unsent,
    /// No answer, or one that tells nothing: the platform may have taken it or not.
    Unknown,
    /// Not taken, and the platform asks for patience.
    Later,
    /// Remembered by the platform, and not stored.
    Unstored,
    /// Taken, or on disk: no failure of the record's.
    Taken,
    /// Refused, by the platform or before it was sent: repetition changes nothing.
    Refused,
}

/// What every fallible function here returns.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of this code.
    #[cold]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Error { code, message: message.into(), wait: None, status: None }
    }

    /// What it says of the record.
    pub fn fate(&self) -> Fate {
        match self.code {
            Code::Pending | Code::Queued => Fate::Taken,
            Code::Offline | Code::LoginRefused | Code::Closed | Code::Tls | Code::Proxy => Fate::Unsent,
            Code::Timeout | Code::Broken | Code::Protocol | Code::Internal => Fate::Unknown,
            Code::NotStored => Fate::Unstored,
            // Io: this machine has no descriptors or threads just now.
            Code::RateLimited | Code::Io => Fate::Later,
            Code::Http => match self.status {
                Some(429 | 503) => Fate::Later,
                None | Some(408 | 425 | 500..) => Fate::Unknown,
                Some(_) if self.wait.is_some() => Fate::Later,
                Some(_) => Fate::Refused,
            },
            _ => Fate::Refused,
        }
    }

    /// Whether the platform may have taken the record all the same. Closing cuts short what was sent, too.
    pub fn is_doubtful(&self) -> bool {
        self.fate() == Fate::Unknown || self.code == Code::Closed
    }

    /// The error of a charge: to try again is the wrong advice when it is perhaps made.
    pub fn of_charge(mut self) -> Error {
        if self.is_doubtful() {
            let what = match self.status {
                Some(status) => format!("the platform answered HTTP {status}"),
                None => self.message.strip_suffix(UNSAID).unwrap_or(&self.message).to_owned(),
            };
            self.message = format!(
                "{what}{UNSAID}; ask, or wait for the platform's word, before it is charged again or paid another way"
            );
        }
        self
    }
}

/// How a message ends that tells of no answer, or of one that says nothing.
pub const UNSAID: &str = ": whether it was done is not known";

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.name(), self.message)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_failure_says_of_the_record() {
        let http = |status, wait| {
            let error = Error { status, wait, ..Error::new(Code::Http, "") };
            error.fate()
        };
        for (status, fate) in [(404, Fate::Refused), (429, Fate::Later), (502, Fate::Unknown), (503, Fate::Later)] {
            assert_eq!(http(Some(status), None), fate, "{status}");
        }
        // Retry-After makes no unknown known.
        let second = Some(Duration::from_secs(1));
        assert_eq!((http(Some(504), second), http(Some(403), second)), (Fate::Unknown, Fate::Later));
        for code in Code::ALL {
            let error = Error::new(*code, "a; try again later");
            assert_eq!(error.clone().of_charge().message.contains("not known"), error.is_doubtful(), "{code:?}");
        }
    }
}
