//! The exports that work on a handle.

use super::callbacks::{DownlinkCallbacks, Given, LogCallbacks};
use super::encoding::{Encoding, decode_config};
use super::facts::ParklinkCode;
use super::handles::{self, Entry};
use super::text::{Out, bytes, read};
use super::{guard, process};
use crate::config::{Config, Unknown};
use crate::error::Result;
use crate::sdk::{Outcome, Sdk};
use std::ffi::c_char;
use std::ptr;
use std::time::Duration;

/// A handle: a lot and its connections to the platforms. It is a token, not an address; never look behind it.
#[derive(Debug)]
pub struct Parklink {
    _private: [u8; 0],
}

/// Longest configuration taken; the texts of a handle have `limits.text_bytes`.
const LONGEST_CONFIG: usize = 4 << 20;

pub(super) fn millis(timeout_ms: u32) -> Duration {
    Duration::from_millis(timeout_ms.into())
}

/// Opens the connections of one lot.
///
/// config_json: one JSON object, its members in docs/options.md; borrowed for the call. A member that is no option is
/// an error which names the nearest one.
/// out: gets the handle; NULL in it when the call fails. Close it with parklink_close.
///
/// Starts the connections and does not wait for them: see parklink_wait_ready. They reconnect and log in again by
/// themselves until the handle is closed. With store.dir it waits for the disk: a damaged store is rebuilt inside the
/// call, and one that another program holds locked is waited for up to 10 seconds. Any thread.
/// Errors: ARGUMENT, ENCODING, TOO_LARGE, CONFIG (also: not JSON, a file of certificates, a proxy), TLS (no certificates to
/// check servers against), IO (the log folder, listen.addr, a thread; with a store its disk), DISK_FULL, STORE_READ_ONLY,
/// STORE_LOCKED (also: another handle has it), STORE_FOREIGN, STORE_NEWER, STORE_DAMAGED (and it could not be replaced),
/// BUSY (1024 handles are open), FORKED.
///
/// # Safety
/// See the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn parklink_open(config_json: *const c_char, out: *mut *mut Parklink) -> ParklinkCode {
    // SAFETY: NULL or a place for a pointer, by contract.
    let out = unsafe { Out::new(out, ptr::null_mut()) };
    guard::run(|| {
        out.needed("out")?;
        // SAFETY: NULL or a string by contract.
        let text = decode_config(unsafe { bytes(config_json, "config_json", LONGEST_CONFIG) }?)?;
        let config = Config::parse(&text, Unknown::Refuse)?;
        let encoding = Encoding::of(config.word("encoding"));
        let limit = usize::try_from(config.number("limits.text_bytes")).unwrap_or(LONGEST_CONFIG);
        process::settle()?;
        out.set(handles::insert(Entry { sdk: Sdk::open(config)?, encoding, limit })?);
        Ok(())
    })
}

/// Closes a handle. Every call that waits on it in another thread is woken and returns PARKLINK_E_CLOSED, but an upload
/// PARKLINK_E_QUEUED where its record could be stored; what was under way may have been taken. Every thread of the handle
/// ends, every destroy runs; after the return no callback of the handle runs.
///
/// timeout_ms: how long to wait, first for answers to downlinks that are on their way (one that its platform does not
/// take costs all of it, unless it is on disk: then it is tried once), with what is left, at least 50 ms, for a callback
/// that is running. When that still runs then, the call returns PARKLINK_E_TIMEOUT; the handle is dead all the same, no
/// further callback starts, and destroy runs when the callback returns at last. Beside that, ending the connections takes
/// a moment, and with a store writing down what was sent: up to 3 seconds a platform on a disk that does not take it, and
/// the journal's way into the database.
/// left: gets how much is not finished, in one number: downlinks that you have not answered (one older than events.keep_s
/// may still count), answers that were not sent, and, with a store, records that wait on disk for any platform and go out
/// after the next open. Dead letters do not count. Told with TIMEOUT too; 0 when the call fails otherwise. May be NULL.
/// The parts stand in parklink_status before, and in the log.
///
/// Any thread, but not inside a callback of this handle: there it does nothing and returns PARKLINK_E_IN_CALLBACK.
/// Errors: ARGUMENT, CLOSED (also for the second of two closes), IN_CALLBACK, TIMEOUT, FORKED.
///
/// # Safety
/// See the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn parklink_close(handle: *mut Parklink, timeout_ms: u32, left: *mut u64) -> ParklinkCode {
    // SAFETY: NULL or a place for a number, by contract.
    let left = unsafe { Out::new(left, 0) };
    guard::run(|| {
        let closed = handles::close(handle, millis(timeout_ms))?;
        left.set(closed.left);
        closed.ended()
    })
}

/// Waits until every configured platform has logged us in, or one has failed to. The open API and ETCP have no login
/// and are not looked at.
///
/// timeout_ms: how long at most; 0 only looks.
///
/// Not needed before other calls: it tells early what is wrong with keys and addresses. Any thread, but not inside a
/// callback of this handle.
/// Errors: OFFLINE (also: not in time), LOGIN_REFUSED (the text of both tells which platform and why), IN_CALLBACK,
/// ARGUMENT, CLOSED, FORKED.
///
/// # Safety
/// See the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn parklink_wait_ready(handle: *mut Parklink, timeout_ms: u32) -> ParklinkCode {
    guard::on(handle, |entry| entry.sdk.wait_ready(millis(timeout_ms)))
}

/// Uploads a record and waits for the platform's answer.
///
/// json: one JSON object with service_name and the fields of the documents (SDK 2.1 to 2.44, 4.1, 7.1 to 7.7); borrowed
/// for the call. It goes to every configured platform that takes this service, or to the one that data_target in it
/// names; Bolink's goes by the cloud where there is no link to Bolink. Under the service_name of a downlink it is the
/// answer to the oldest open one whose keys it repeats (see parklink_reply), and is sent also where none is open.
/// reply: gets the platform's reply as JSON, with any code; NULL in it when there is none. May be NULL. Free it with
/// parklink_string_free.
///
/// An entry or exit that goes to the cloud and to Bolink has one code: Bolink's, or where that is OK or QUEUED and the
/// cloud failed, the cloud's; of a charge that Bolink took always Bolink's. The reply is Bolink's too; its member links
/// has, for each platform, code (a name as parklink_error_name gives), message and reply. Send it again only to the one
/// that does not have it: data_target "cloud" or "bolink".
///
/// With a store, a record that may be sent late and is not certainly with its platform is stored: QUEUED, do not send it
/// again. reply then has its ticket (with two platforms: links.<platform>.reply).
///
/// Waits at most the platform's request_timeout_ms (cloud., bolink., union., etcp.; with two platforms the longer one),
/// or for a charge what its document gives the platform when that is longer. A record that finds older ones of its order
/// in the store waits for its turn: QUEUED when that does not come. With a store it also waits for uploads of its order that
/// have not returned in other threads, and is stored when they are back: QUEUED. Any thread, also inside a callback.
/// Errors: ARGUMENT, ENCODING, JSON, TOO_LARGE, UNKNOWN_INTERFACE, INVALID, UNKNOWN_EVENT (an answer, and the downlink was
/// answered meanwhile), NOT_CONFIGURED, UNSUPPORTED, OFFLINE, TIMEOUT, BROKEN, REFUSED, LOGIN_REFUSED, RATE_LIMITED,
/// PROTOCOL, HTTP, TLS, PROXY, NOT_STORED, QUEUED, PENDING (wait for the downlink), IO (the file of upload_file), CLOSED,
/// FORKED. Where the record was to be stored and could not be: OUTBOX_FULL, DISK_FULL, STORE_READ_ONLY, STORE_LOCKED,
/// STORE_DAMAGED, IO; the text then has both reasons. After which of them the platform may have the record tells
/// parklink_error_is_retryable.
///
/// # Safety
/// See the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn parklink_upload(
    handle: *mut Parklink,
    json: *const c_char,
    reply: *mut *mut c_char,
) -> ParklinkCode {
    // SAFETY: the caller promises what the header says.
    unsafe { ask(handle, json, reply, Sdk::upload) }
}

/// Calls one interface by its id, on its own platform only (Bolink's by the cloud where there is no link to Bolink). With
/// the id of a downlink it is the answer to one, as in parklink_upload.
///
/// interface_id: its id in docs/interfaces/README.md, such as "bolink.query_order"; borrowed for the call.
/// json: its fields; borrowed for the call. service_name is filled in.
/// reply: as in parklink_upload, and so are waiting, storing, threads and errors.
///
/// # Safety
/// See the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn parklink_call(
    handle: *mut Parklink,
    interface_id: *const c_char,
    json: *const c_char,
    reply: *mut *mut c_char,
) -> ParklinkCode {
    // SAFETY: NULL or a place for a pointer, by contract.
    let reply = unsafe { Out::new(reply, ptr::null_mut()) };
    guard::on(handle, |entry| {
        // SAFETY: NULL or strings, by contract.
        let (id, json) = unsafe { (entry.text(interface_id, "interface_id")?, entry.text(json, "json")?) };
        finish(entry.sdk.call(&id, &json), entry, &reply)
    })
}

/// Uploads an entry (SDK 2.1); parklink_upload with service_name in_park.
///
/// # Safety
/// See the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn parklink_in_park(
    handle: *mut Parklink,
    json: *const c_char,
    reply: *mut *mut c_char,
) -> ParklinkCode {
    // SAFETY: the caller promises what the header says.
    unsafe { ask(handle, json, reply, |sdk, json| sdk.upload_as("in_park", json)) }
}

/// Uploads an exit (SDK 2.2); parklink_upload with service_name out_park. PARKLINK_E_PENDING: the platform is taking the
/// money. Then, and where a charge may have been made (see Charges), raise the barrier only when the downlink outpark
/// (SDK 3.4) says state 1. When it says another, call again: the document allows that until the order is settled. When
/// none comes, ask first (bolink.query_order, SDK 2.19).
///
/// # Safety
/// See the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn parklink_out_park(
    handle: *mut Parklink,
    json: *const c_char,
    reply: *mut *mut c_char,
) -> ParklinkCode {
    // SAFETY: the caller promises what the header says.
    unsafe { ask(handle, json, reply, |sdk, json| sdk.upload_as("out_park", json)) }
}

/// Charges by ETC (SDK 2.37, or API 3.7: option etc.by); parklink_upload with service_name etc_pay. PARKLINK_E_PENDING: the
/// outcome comes as a downlink with the same order_id (SDK 3.4 outpark, API 5.5). Where none comes, look whether it was
/// charged before you charge again: no guard against a second charge is documented.
///
/// # Safety
/// See the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn parklink_etc_pay(
    handle: *mut Parklink,
    json: *const c_char,
    reply: *mut *mut c_char,
) -> ParklinkCode {
    // SAFETY: the caller promises what the header says.
    unsafe { ask(handle, json, reply, |sdk, json| sdk.upload_as("etc_pay", json)) }
}

/// Asks whether a plate can pay without contact (SDK 4.1); parklink_upload with service_name pay_status. No platform is
/// asked: net_status says whether the one that takes the money can be reached and heard (Bolink, else the cloud), balance
/// (yuan, decimal text) and autopay are what it pushed last (SDK 4.2) while this handle was open; "0.00" and 0 when it
/// pushed nothing (is_exist 0).
///
/// json: car_number and order_id; borrowed for the call.
/// reply: as in parklink_upload. Any thread, also inside a callback.
/// Errors: ARGUMENT, ENCODING, JSON, TOO_LARGE, INVALID, CLOSED, FORKED.
///
/// # Safety
/// See the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn parklink_pay_status(
    handle: *mut Parklink,
    json: *const c_char,
    reply: *mut *mut c_char,
) -> ParklinkCode {
    // SAFETY: the caller promises what the header says.
    unsafe { ask(handle, json, reply, |sdk, json| sdk.upload_as("pay_status", json)) }
}

/// Registers what takes downlinks; NULL removes it.
///
/// callbacks: copied; the struct is borrowed for the call.
///
/// A registration replaces the one before, whose destroy runs when its last call is over. When the call fails, destroy of
/// the given struct has run before the return. Downlinks that wait are delivered now. Without callbacks and polling the
/// platform gets a refusal in proper form, from 2 seconds after parklink_open on. Any thread, also inside a callback.
/// Errors: ARGUMENT (struct_size or on_downlink), CLOSED, FORKED.
///
/// # Safety
/// See the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn parklink_on_downlink(
    handle: *mut Parklink,
    callbacks: *const DownlinkCallbacks,
) -> ParklinkCode {
    // SAFETY: NULL or a struct as the header says. Outside the guard: destroy runs whatever happens in there.
    let given = unsafe { Given::take(callbacks) };
    guard::on(handle, |entry| entry.sdk.on_downlink(given?.downlinks(entry.encoding)?))
}

/// Answers a downlink, inside the callback or later.
///
/// event_id: the downlink's.
/// json: the members of the answer (state, errmsg and what the document asks for); borrowed for the call. service_name
/// and the members that tie the answer to the downlink are filled in when you leave them out.
///
/// Returns when the answer is on its way, without waiting for the platform, but for the disk with a yes to a downlink that
/// the store keeps. While the platform cannot be reached the answer is sent again: for 2 minutes, such a yes until it is
/// there. Any thread, also inside a callback. Each downlink once, within events.keep_s seconds; after an error other than
/// UNKNOWN_EVENT and CLOSED it can still be answered.
/// Errors: ARGUMENT, ENCODING, JSON, TOO_LARGE (also: for the cloud's line), INVALID, UNKNOWN_EVENT, NOT_CONFIGURED (a
/// downlink of before, and its platform is no longer configured), CLOSED, FORKED.
///
/// # Safety
/// See the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn parklink_reply(handle: *mut Parklink, event_id: u64, json: *const c_char) -> ParklinkCode {
    guard::on(handle, |entry| {
        // SAFETY: NULL or a string by contract.
        let json = unsafe { entry.text(json, "json") }?;
        entry.sdk.reply(event_id, &json)
    })
}

/// Waits for the next downlink: for programs that ask instead of being called.
///
/// timeout_ms: how long at most; 0 only looks.
/// event_json: gets what on_downlink would get, with event_id in it; NULL in it when none came. Free it with
/// parklink_string_free.
///
/// Several threads may poll; each downlink goes to one of them. Answer with parklink_reply. After the first poll downlinks
/// wait for the next, as many as events.queue; more are refused. Any thread, but not inside a callback of this handle.
/// Errors: NO_EVENT (none came in time), ARGUMENT, BUSY (callbacks are registered), IN_CALLBACK, CLOSED, FORKED.
///
/// # Safety
/// See the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn parklink_poll(
    handle: *mut Parklink,
    timeout_ms: u32,
    event_json: *mut *mut c_char,
) -> ParklinkCode {
    // SAFETY: NULL or a place for a pointer, by contract.
    let out = unsafe { Out::new(event_json, ptr::null_mut()) };
    guard::on(handle, |entry| {
        // A downlink without a place to put it would be lost.
        out.needed("event_json")?;
        out.give(&entry.sdk.poll(millis(timeout_ms))?.json(), entry.encoding);
        Ok(())
    })
}

/// Registers what takes the lines of the log; NULL removes it.
///
/// callbacks: copied; the struct is borrowed for the call.
///
/// As parklink_on_downlink; both run on the same thread. The log folder of log_show is written all the same. Lines of
/// before are not told; of those that wait for a slow callback the last 10000 are kept. Any thread, also inside a callback.
/// Errors: ARGUMENT (struct_size or on_log), CLOSED, FORKED.
///
/// # Safety
/// See the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn parklink_on_log(handle: *mut Parklink, callbacks: *const LogCallbacks) -> ParklinkCode {
    // SAFETY: NULL or a struct as the header says. Outside the guard: destroy runs whatever happens in there.
    let given = unsafe { Given::take(callbacks) };
    guard::on(handle, |entry| entry.sdk.on_log(given?.lines(entry.encoding)?))
}

/// Tells everything a field engineer asks for: links, heartbeats, queues, counters.
///
/// json: gets one JSON object, see docs/status.md. NULL asks only whether the handle is good. Free it with
/// parklink_string_free.
///
/// Asks no platform. Any thread, also inside a callback.
/// Errors: ARGUMENT (handle), CLOSED, FORKED.
///
/// # Safety
/// See the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn parklink_status(handle: *mut Parklink, json: *mut *mut c_char) -> ParklinkCode {
    // SAFETY: NULL or a place for a pointer, by contract.
    let out = unsafe { Out::new(json, ptr::null_mut()) };
    guard::on(handle, |entry| {
        if out.is_wanted() {
            out.give(&entry.sdk.status().text(), entry.encoding);
        }
        Ok(())
    })
}

impl Entry {
    /// A text of the caller's.
    ///
    /// # Safety
    /// `text` is NULL or a C string that stays as it is while `'a` lasts.
    pub(super) unsafe fn text<'a>(&self, text: *const c_char, name: &str) -> Result<std::borrow::Cow<'a, str>> {
        // SAFETY: the caller promises the same.
        unsafe { read(text, name, self.limit, self.encoding) }
    }
}

/// The shape that most calls share: a text in, an answer out.
///
/// # Safety
/// `json` is NULL or a C string, `reply` is NULL or a place for a pointer.
unsafe fn ask(
    handle: *mut Parklink,
    json: *const c_char,
    reply: *mut *mut c_char,
    call: impl FnOnce(&Sdk, &str) -> Outcome,
) -> ParklinkCode {
    // SAFETY: NULL or a place for a pointer, as above.
    let reply = unsafe { Out::new(reply, ptr::null_mut()) };
    guard::on(handle, |entry| {
        // SAFETY: NULL or a string, as above.
        let json = unsafe { entry.text(json, "json") }?;
        finish(call(&entry.sdk, &json), entry, &reply)
    })
}

/// A refusal gives both: what the platform said, and the code.
fn finish(outcome: Outcome, entry: &Entry, reply: &Out<*mut c_char>) -> Result<()> {
    if let (true, Some(members)) = (reply.is_wanted(), outcome.reply) {
        reply.give(&members.text(), entry.encoding);
    }
    outcome.error.map_or(Ok(()), Err)
}
