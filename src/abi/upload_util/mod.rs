//! The native functions of the original SDK, by their names, so that software made for it switches by changing a file
//! name. What it may rely on stands in `upload_util.h.in`.

// The names are the original's.
#![allow(non_snake_case)]

mod session;
mod shape;
mod strings;

use super::encoding::Encoding;
use super::text::{read, to_c};
use super::{guard, process};
use crate::error::{Code, Error, Result};
use crate::json::Value;
use crate::link::Members;
use session::Session;
use std::borrow::Cow;
use std::ffi::c_char;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::Duration;

/// Takes downlinks and later answers: one JSON text, UTF-8, borrowed for the call.
pub type ReceiveData = Option<unsafe extern "system" fn(json: *const c_char)>;

/// Longest text taken.
const LONGEST: usize = 4 << 20;
/// How long Init waits for the logins.
const LOGIN: Duration = Duration::from_secs(10);

static CURRENT: Mutex<Option<Arc<Session>>> = Mutex::new(None);
/// Held while a session is opened, which can take long: one at a time, and nobody else waits for it.
static OPENING: Mutex<()> = Mutex::new(());
static RECEIVE: Mutex<ReceiveData> = Mutex::new(None);

/// Connects and logs in, and waits for it up to 10 seconds; before that, with option store.dir, for the store to open.
///
/// json: the members of SDK 1.1 or 1.2 and the options of docs/options.md; others are passed over, with a line in the log.
///
/// Answers {"state":1,"errmsg":""} when every configured platform has logged us in, and {"state":0,"errmsg":"..."} when one
/// refused (errmsg holds its reason) or did not answer in time, or when it could not begin (a wrong configuration, its log
/// folder, store or port). State 1 with an errmsg: the cloud does not know the lot, payment works (SDK 5.2). Once it has
/// begun, the library goes on trying by itself after a 0, and the other functions work as soon as it has succeeded. Called
/// again with the same text it tells how things stand, again after up to 10 seconds; with another text it first does what
/// UnInit does. Called with the same text inside the function of SetReceiveData it does not wait: it tells how things stand
/// at once. With another text do not call it there: with a store, nothing may run after it.
///
/// # Safety
/// See the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn UploadUtilNative_Init(json: *const c_char) -> *mut c_char {
    answer(|| {
        // SAFETY: NULL or a string by contract.
        let text = unsafe { take(json) }?;
        // Whoever waited there would keep its messages waiting.
        let patience = if session::is_in_function() { Duration::ZERO } else { LOGIN };
        Ok(init(&text)?.ready(patience))
    })
}

/// Uploads an entry (SDK 2.1) and waits for the answer, by default 10 seconds (cloud.request_timeout_ms,
/// bolink.request_timeout_ms): state, order_id, service_name, errmsg, and what else the platform says.
///
/// # Safety
/// See the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn UploadUtilNative_UploadInParkOrder(json: *const c_char) -> *mut c_char {
    // SAFETY: NULL or a string by contract.
    uploaded(|| unsafe { take(json) }, Some("in_park"))
}

/// Uploads an exit (SDK 2.2) and waits for the answer as for an entry's. State 2: the platform is taking the money, or did
/// not say whether it has. Raise the barrier only when outpark (SDK 3.4) comes through the function of SetReceiveData and
/// says state 1. When it says another, call again; when nothing comes within 2 minutes, ask (query_order, SDK 2.19) or
/// call again.
///
/// # Safety
/// See the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn UploadUtilNative_UploadOutParkOrder(json: *const c_char) -> *mut c_char {
    // SAFETY: NULL or a string by contract.
    uploaded(|| unsafe { take(json) }, Some("out_park"))
}

/// Asks whether a plate can pay without contact, and whether the payment platform can be reached (SDK 4.1). Answers from
/// what that pushed last, without asking it.
///
/// # Safety
/// See the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn UploadUtilNative_GetPayStatus(json: *const c_char) -> *mut c_char {
    // SAFETY: NULL or a string by contract.
    uploaded(|| unsafe { take(json) }, Some("pay_status"))
}

/// Uploads any record by its service_name, or answers a downlink under the downlink's service_name.
///
/// A record: {"state":1,"errmsg":"send success!"} says that it was taken over; the platform's answer, or state 0 when there
/// is none, comes later through the function of SetReceiveData, under the same service_name. 1000 may wait for their turn,
/// one more is refused (state 0). Records that the documents answer at once (in_park, out_park, pay_status, upload_carpic,
/// check_account, screen_info) and, with set_params.fast true, all records, are answered on the call. An answer to a
/// downlink: state 1 says that it is on its way.
///
/// # Safety
/// See the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn UploadUtilNative_UploadData(json: *const c_char) -> *mut c_char {
    // SAFETY: NULL or a string by contract.
    uploaded(|| unsafe { take(json) }, None)
}

/// Ends it all: records that were taken over may still go out for up to 5 seconds, then the connections are closed.
/// Returns within 10 seconds, but for a connection that takes no bytes (5 seconds more) and a store on a slow disk;
/// afterwards the function of SetReceiveData is not called any more (one that has not come back by then is not waited
/// for). Called inside that function, it returns at once and the end follows by itself. Without an Init before it, it does
/// nothing.
#[unsafe(no_mangle)]
pub extern "C" fn UploadUtilNative_UnInit() {
    let _ = guard::caught(|| {
        // What is being opened is ended too. Inside the software's function, which an opening may wait for, there is none.
        let opening = (!session::is_in_function()).then(|| lock(&OPENING));
        let session = lock(&CURRENT).take();
        drop(opening);
        if let Some(session) = session {
            session.end();
        }
        Ok(())
    });
}

/// Sets the function that takes downlinks and later answers; NULL removes it. Best before Init, and kept over UnInit. It is
/// called on a thread of the library, one message at a time; while it works, further messages wait (beyond events.queue
/// downlinks are refused). Every function here may be called inside it. Without it the platforms get a refusal to what
/// they ask, from 2 seconds after Init on.
///
/// # Safety
/// See the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn UploadUtilNative_SetReceiveData(receive: ReceiveData) {
    let _ = guard::caught(|| {
        *lock(&RECEIVE) = receive;
        match current() {
            Ok(session) => session.listen(receive.is_some()),
            Err(_) => Ok(()),
        }
    });
}

/// Frees a string that one of these functions returned, earlier than it would be freed anyway. Not in the original; NULL is
/// allowed.
///
/// # Safety
/// See the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn UploadUtilNative_FreeString(text: *mut c_char) {
    let _ = guard::caught(|| {
        // SAFETY: by contract a string that one of these functions returned, or NULL.
        unsafe { strings::take_back(text) };
        Ok(())
    });
}

/// A record under the name that its function has, or under its own.
fn uploaded<'a>(take: impl FnOnce() -> Result<Cow<'a, str>>, service: Option<&str>) -> *mut c_char {
    answer(|| {
        let session = match current() {
            Ok(session) => session,
            Err(error) => return Ok(shape::unsent(service, &take().unwrap_or_default(), error)),
        };
        match service {
            Some(service) => Ok(session.upload_as(service, &take()?)),
            None => session.upload(&take()?),
        }
    })
}

/// Runs the body of an export and gives its answer out, whatever becomes of it.
fn answer(body: impl FnOnce() -> Result<Members>) -> *mut c_char {
    let answer = guard::caught(body).unwrap_or_else(|error| shape::failure(&error));
    strings::give(&Value::Object(answer).to_string())
}

/// # Safety
/// `json` is NULL or a C string that stays as it is while `'a` lasts.
unsafe fn take<'a>(json: *const c_char) -> Result<Cow<'a, str>> {
    // SAFETY: the caller promises the same.
    unsafe { read(json, "json", LONGEST, Encoding::Utf8) }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn current() -> Result<Arc<Session>> {
    lock(&CURRENT).clone().ok_or_else(|| Error::new(Code::Closed, "not initialised: call UploadUtilNative_Init first"))
}

/// The running session when it is the one asked for, else a new one in its place.
fn init(text: &str) -> Result<Arc<Session>> {
    process::settle()?;
    // An opening may wait for the software's function: inside it there is no waiting for that.
    let _opening = match OPENING.try_lock() {
        Ok(opening) => opening,
        Err(TryLockError::Poisoned(opening)) => opening.into_inner(),
        Err(TryLockError::WouldBlock) if session::is_in_function() => {
            return Err(Error::new(Code::Busy, "another thread is in UploadUtilNative_Init; try again later"));
        }
        Err(TryLockError::WouldBlock) => lock(&OPENING),
    };
    let other = {
        let mut current = lock(&CURRENT);
        match &*current {
            Some(session) if session.is_of(text) => return Ok(Arc::clone(session)),
            _ => current.take(),
        }
    };
    // Ended before the new one logs in, so that its log-out does not hit the new login.
    if let Some(other) = other {
        other.end();
    }
    let session = Arc::new(Session::open(text, deliver)?);
    *lock(&CURRENT) = Some(Arc::clone(&session));
    // After that: who sets the function now finds the session.
    session.listen(lock(&RECEIVE).is_some())?;
    Ok(session)
}

/// Calls the software's function; no lock is held while it runs.
fn deliver(message: &str) {
    let receive = *lock(&RECEIVE);
    if let Some(receive) = receive {
        let message = to_c(message, Encoding::Utf8);
        // SAFETY: the software's own function, with a string that lives through the call.
        unsafe { receive(message.as_ptr()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::json;
    use crate::log::{Level, Log};
    use crate::store::Store;
    use std::ffi::{CStr, CString};
    use std::thread;
    use std::time::Instant;

    /// The functions have one session for the whole process.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

    /// What Init inside the software's function said, and how long it took.
    static INSIDE: Mutex<Option<(String, Duration)>> = Mutex::new(None);
    static CONFIG: Mutex<Option<CString>> = Mutex::new(None);

    unsafe extern "system" fn init_again(_: *const c_char) {
        let config = lock(&CONFIG).clone().unwrap();
        let begun = Instant::now();
        // SAFETY: a C string that lives through the call, and an answer that is freed only at the end.
        let answer = unsafe { CStr::from_ptr(UploadUtilNative_Init(config.as_ptr())) };
        *lock(&INSIDE) = Some((answer.to_string_lossy().into_owned(), begun.elapsed()));
    }

    /// The cloud takes the connection and says nothing.
    #[test]
    fn inside_the_softwares_function_init_does_not_wait() {
        let _one = lock(&ONE_AT_A_TIME);
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let config = json!({"park_id": "21782", "ckey": "WERRTTTTYY", "cloud_addr": "127.0.0.1",
            "cport": silent.local_addr().unwrap().port()});
        let config = CString::new(config.to_string()).unwrap();
        *lock(&CONFIG) = Some(config.clone());
        // SAFETY: a function of the right type; C strings that live through the calls.
        unsafe { UploadUtilNative_SetReceiveData(Some(init_again)) };
        let init = thread::spawn(move || {
            // SAFETY: a C string that lives through the call.
            unsafe { UploadUtilNative_Init(config.as_ptr()) };
        });
        while current().is_err() {
            thread::sleep(Duration::from_millis(5));
        }
        // Taken over, and found wanting when its turn comes.
        let record = c"{\"service_name\":\"park_log\",\"data_target\":\"cloud\",\"log_id\":\"1\"}";
        // SAFETY: as above.
        let taken = unsafe { CStr::from_ptr(UploadUtilNative_UploadData(record.as_ptr())) };
        assert!(taken.to_string_lossy().contains("send success!"), "{taken:?}");
        let end = Instant::now() + Duration::from_secs(20);
        while lock(&INSIDE).is_none() && Instant::now() < end {
            thread::sleep(Duration::from_millis(5));
        }
        let (answer, took) = lock(&INSIDE).take().unwrap();
        assert!(answer.contains("\"state\":0") && answer.contains("cloud"), "{answer}");
        assert!(took < Duration::from_secs(2), "{took:?}: {answer}");
        // SAFETY: NULL is allowed.
        unsafe { UploadUtilNative_SetReceiveData(None) };
        UploadUtilNative_UnInit();
        init.join().unwrap();
    }

    /// Another program holds the store for a while: whoever does not open it does not wait for it.
    #[test]
    fn nobody_else_waits_for_an_opening() {
        let _one = lock(&ONE_AT_A_TIME);
        let dir = std::env::temp_dir().join(format!("parklink-init-{}", std::process::id()));
        let path = dir.join("parklink-21782.db");
        Store::open(&path, Arc::new(Log::new(Level::Error))).unwrap().close();
        let other = rusqlite::Connection::open(&path).unwrap();
        other.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").unwrap();
        let config = json!({"park_id": "21782", "etcp": {"base": "http://127.0.0.1:1", "merchant_no": "1", "merchant_key": "2"},
            "store": {"dir": dir.to_string_lossy().as_ref()}});
        let config = CString::new(config.to_string()).unwrap();
        let init = thread::spawn(move || {
            // SAFETY: a C string that lives through the call, and an answer that is freed only at the end.
            let answer = unsafe { CStr::from_ptr(UploadUtilNative_Init(config.as_ptr())) };
            answer.to_string_lossy().into_owned()
        });
        thread::sleep(Duration::from_millis(500));
        assert!(!init.is_finished(), "{:?}", init.join());
        let begun = Instant::now();
        // SAFETY: as above.
        let answer = unsafe { CStr::from_ptr(UploadUtilNative_GetPayStatus(c"{}".as_ptr())) };
        assert!(answer.to_string_lossy().contains("UploadUtilNative_Init first"), "{answer:?}");
        // SAFETY: NULL is allowed.
        unsafe { UploadUtilNative_SetReceiveData(None) };
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
        drop(other);
        assert!(init.join().unwrap().contains("\"state\":1"));
        UploadUtilNative_UnInit();
        let _ = std::fs::remove_dir_all(dir);
    }
}
