//! What Init starts and UnInit ends: an SDK, a queue for the uploads that are answered later, and the one thread that calls
//! the software's function.

use super::shape;
use crate::catalogue::Platform;
use crate::config::{Config, Unknown};
use crate::error::{Code, Error, Result};
use crate::json::{self, Value};
use crate::link::Members;
use crate::sdk::{Outcome, Sdk};
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Uploads that wait for their turn; one more is refused at once.
const UPLOADS: usize = 1000;
/// Messages that wait for the software's function. Beyond it downlinks wait in the SDK, whose own queue is `events.queue`.
const MESSAGES: usize = 64;
/// How long one that was taken over is tried while the rate, the platform's or our own, keeps it back.
const HELD_BACK: Duration = Duration::from_secs(60);

/// Between its tries: a platform that counts them must not be asked again at once.
const HELD_BACK_PAUSE: Duration = Duration::from_secs(1);
/// How long UnInit lets waiting uploads go out.
const DRAIN: Duration = Duration::from_secs(5);
/// How long UnInit waits in all for a function of the software's that does not return.
const END: Duration = Duration::from_secs(10);

/// How the cloud says that it does not know the lot.
const NO_LOT: &str = "车场不存在";

/// What gets the messages.
pub(super) type Deliver = fn(&str);

thread_local! {
    /// Whether this thread is inside the software's function.
    static IN_FUNCTION: Cell<bool> = const { Cell::new(false) };
}

/// Whether this is a call from inside the software's function.
pub(super) fn is_in_function() -> bool {
    IN_FUNCTION.get()
}

pub(super) struct Session {
    /// What Init was called with, to know it again.
    text: String,
    sdk: Arc<Sdk>,
    /// `set_params.fast`: every upload is answered on the call.
    is_fast: bool,
    uploads: Mutex<Option<Sender<Box<Upload>>>>,
    messages: Mutex<Option<Sender<String>>>,
    is_over: Arc<AtomicBool>,
    /// These say by closing that their thread has ended.
    uploader: Receiver<()>,
    deliverer: Receiver<()>,
}

struct Upload {
    service: String,
    record: Members,
    json: String,
}

impl Session {
    pub(super) fn open(text: &str, deliver: Deliver) -> Result<Session> {
        let config = Config::parse(text, Unknown::Pass)?;
        let is_fast = config.object("set_params").get("fast").is_some_and(is_yes);
        // The original SDK's messages have no mark.
        let sdk = Arc::new(Sdk::open_for(config, false)?);
        let is_over = Arc::new(AtomicBool::new(false));
        let (messages, to_deliver) = bounded(MESSAGES);
        let (uploads, to_upload) = bounded(UPLOADS);
        let over = Arc::clone(&is_over);
        let deliverer = start("parklink-receive", move || deliver_all(&to_deliver, &over, deliver))?;
        let (uploading, answers) = (Arc::clone(&sdk), messages.clone());
        let uploader = start("parklink-upload", move || upload_all(&to_upload, &uploading, &answers))?;
        Ok(Session {
            text: text.to_owned(),
            sdk,
            is_fast,
            uploads: Mutex::new(Some(uploads)),
            messages: Mutex::new(Some(messages)),
            is_over,
            uploader,
            deliverer,
        })
    }

    pub(super) fn is_of(&self, text: &str) -> bool {
        self.text == text
    }

    /// Takes downlinks, or leaves them to the SDK, which refuses them in proper form.
    pub(super) fn listen(&self, is_wanted: bool) -> Result<()> {
        let messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(messages) = messages.filter(|_| is_wanted) else { return self.sdk.on_downlink(None) };
        self.sdk.on_downlink(Some(Box::new(move |event| {
            // The original SDK says nothing of its own; the log does.
            if event.platform == Platform::Library {
                return;
            }
            // Waits while the software is slow; ends when the session does.
            let _ = messages.send(event.message.to_string());
        })))
    }

    /// What Init answers: whether every platform has logged us in.
    pub(super) fn ready(&self, timeout: Duration) -> Members {
        let end = Instant::now() + timeout;
        match self.sdk.wait_ready(timeout) {
            Ok(()) => shape::plain(1, ""),
            // The documents' answer for a lot that is at home at the payment platform only (SDK 5.2).
            Err(error) if error.message.contains(NO_LOT) && self.is_payment_up(end) => shape::plain(1, &error.message),
            Err(error) => shape::failure(&error),
        }
    }

    /// Whether the payment platform has logged us in, which it may still be about to.
    fn is_payment_up(&self, end: Instant) -> bool {
        loop {
            match self.sdk.state_of(Platform::Bolink).as_deref() {
                Some("up") => return true,
                Some("connecting") if Instant::now() < end => thread::sleep(Duration::from_millis(20)),
                _ => return false,
            }
        }
    }

    /// A call that is answered on the spot, under a fixed name.
    pub(super) fn upload_as(&self, service: &str, json: &str) -> Members {
        match members(json) {
            Ok(record) => shape::answer(service, &record, self.sdk.upload_as(service, json)),
            Err(error) => shape::failure(&error),
        }
    }

    /// UploadData: a record to be answered later or at once, or the answer to a downlink.
    pub(super) fn upload(&self, json: &str) -> Result<Members> {
        let record = members(json)?;
        let Some(service) = record.get("service_name").and_then(Value::as_str).map(str::to_owned) else {
            return Err(Error::new(Code::UnknownInterface, "\"service_name\" is missing: it names the interface"));
        };
        // What is no uplink of the documents is the answer to a downlink or unknown; neither is answered twice.
        let is_later = shape::interface(&service, &record).is_some_and(|interface| !interface.is_synchronous);
        if self.is_fast || !is_later {
            return Ok(shape::answer(&service, &record, self.sdk.upload(json)));
        }
        let uploads = self.uploads.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let upload = Box::new(Upload { service, record, json: json.to_owned() });
        match uploads.map(|uploads| uploads.try_send(upload)) {
            Some(Ok(())) => Ok(shape::plain(1, "send success!")),
            Some(Err(TrySendError::Full(_))) => {
                Err(Error::new(Code::Busy, format!("{UPLOADS} records are waiting already; try again later")))
            }
            Some(Err(TrySendError::Disconnected(_))) | None => Err(Error::new(Code::Closed, "UnInit is under way")),
        }
    }

    /// Ends it: what waits may still go out for a while, then everything is closed and no message comes any more.
    pub(super) fn end(self: Arc<Self>) {
        if is_in_function() {
            // It would wait for the very function that it is called from.
            self.is_over.store(true, Ordering::Relaxed);
            let _ = thread::Builder::new().name("parklink-uninit".to_owned()).spawn(move || self.end_here());
        } else {
            self.end_here();
        }
    }

    fn end_here(&self) {
        let end = Instant::now() + END;
        drop(self.uploads.lock().unwrap_or_else(PoisonError::into_inner).take());
        let _ = self.uploader.recv_timeout(DRAIN);
        // Refused only inside a callback of the SDK's, where this never runs; late is all the same here.
        let _ = self.sdk.close(end.saturating_duration_since(Instant::now()));
        drop(self.messages.lock().unwrap_or_else(PoisonError::into_inner).take());
        let _ = self.uploader.recv_deadline(end);
        let _ = self.deliverer.recv_deadline(end);
        self.is_over.store(true, Ordering::Relaxed);
    }
}

/// Starts a thread; what is returned closes when it has ended, however it ended.
fn start(name: &str, body: impl FnOnce() + Send + 'static) -> Result<Receiver<()>> {
    let (running, ended) = bounded(0);
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            let _running: Sender<()> = running;
            body();
        })
        .map_err(|error| Error::new(Code::Io, format!("no thread can be started: {error}")))?;
    Ok(ended)
}

fn upload_all(uploads: &Receiver<Box<Upload>>, sdk: &Sdk, answers: &Sender<String>) {
    for upload in uploads {
        let Upload { service, record, json } = *upload;
        let end = Instant::now() + HELD_BACK;
        let mut outcome = upload_one(sdk, &json);
        while is_held_back(&outcome) && Instant::now() < end {
            thread::sleep(HELD_BACK_PAUSE);
            outcome = upload_one(sdk, &json);
        }
        let answer = shape::answer(&service, &record, outcome);
        if answers.send(Value::Object(answer).to_string()).is_err() {
            return;
        }
    }
}

fn upload_one(sdk: &Sdk, json: &str) -> Outcome {
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| sdk.upload(json)));
    caught.unwrap_or_else(|_| {
        Outcome::from(Error::new(Code::Internal, "a defect of the library was caught; please report it"))
    })
}

/// Nothing of it is stored, and it is only early.
fn is_held_back(outcome: &Outcome) -> bool {
    outcome.error.as_ref().is_some_and(|error| matches!(error.code, Code::RateLimited | Code::NotStored))
}

fn deliver_all(messages: &Receiver<String>, is_over: &AtomicBool, deliver: Deliver) {
    for message in messages {
        if !is_over.load(Ordering::Relaxed) {
            IN_FUNCTION.set(true);
            deliver(&message);
            IN_FUNCTION.set(false);
        }
    }
}

/// true, as it is met in set_params: there every option is text somewhere.
fn is_yes(value: &Value) -> bool {
    *value == true || *value == 1 || *value == "1" || *value == "true"
}

fn members(json: &str) -> Result<Members> {
    let wrong = |why: String| Error::new(Code::Json, format!("not a JSON object: {why}"));
    let members = json::parse_members(json).map_err(|error| wrong(error.to_string()))?;
    members.ok_or_else(|| wrong("it is another value".to_owned()))
}
