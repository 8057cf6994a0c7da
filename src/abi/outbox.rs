//! The exports for records that must arrive.

use super::callbacks::{DeliveryCallbacks, Given};
use super::calls::{Parklink, millis};
use super::facts::ParklinkCode;
use super::guard;
use super::text::Out;
use std::ffi::c_char;
use std::path::Path;
use std::ptr;

/// Stores a record; when it returns PARKLINK_OK the record is on disk and will reach its platforms, whatever happens to
/// network, program or power meanwhile.
///
/// json: as in parklink_upload; borrowed for the call. Records of one order (order_id; card_id of cards, and so on) leave
/// in the order in which they were stored, those of other orders are not held up. Questions, and exits that ask for money
/// now (pay_type wallet, sweepcode), are not stored: upload them.
/// ticket: gets the number that parklink_on_delivery tells the outcome under. May be NULL.
///
/// Needs option store.dir. Waits for the disk, not for the platform; concurrent calls share one sync. Any thread, also
/// inside a callback.
/// Errors: ARGUMENT, ENCODING, JSON, TOO_LARGE, UNKNOWN_INTERFACE, INVALID, NOT_CONFIGURED (also: no store.dir),
/// UNSUPPORTED, OUTBOX_FULL, DISK_FULL, STORE_READ_ONLY, IO, CLOSED, FORKED. After any of them nothing is stored.
///
/// # Safety
/// See the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn parklink_submit(handle: *mut Parklink, json: *const c_char, ticket: *mut u64) -> ParklinkCode {
    // SAFETY: NULL or a place for a number, by contract.
    let ticket = unsafe { Out::new(ticket, 0) };
    guard::on(handle, |entry| {
        // SAFETY: NULL or a string by contract.
        let json = unsafe { entry.text(json, "json") }?;
        ticket.set(entry.sdk.submit(&json)?);
        Ok(())
    })
}

/// Registers what hears of the outcome of stored records; NULL removes it.
///
/// callbacks: copied; the struct is borrowed for the call.
///
/// As parklink_on_downlink; both run on the same thread. A record for two platforms is reported twice, once for each. An
/// outcome that falls between a crash and the report is not told again. Any thread.
/// Errors: ARGUMENT (struct_size or on_delivery), CLOSED, FORKED.
///
/// # Safety
/// See the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn parklink_on_delivery(
    handle: *mut Parklink,
    callbacks: *const DeliveryCallbacks,
) -> ParklinkCode {
    // SAFETY: NULL or a struct as the header says. Outside the guard: destroy runs whatever happens in there.
    let given = unsafe { Given::take(callbacks) };
    guard::on(handle, |entry| entry.sdk.on_delivery(given?.deliveries(entry.encoding)?))
}

/// Waits until every stored record is settled: delivered, a dead letter, or (logs only) dropped.
///
/// timeout_ms: how long at most; 0 only looks.
/// left: gets how many are not. May be NULL.
///
/// Any thread, but not inside a callback of this handle.
/// Errors: ARGUMENT, NOT_CONFIGURED (no store.dir), IN_CALLBACK, CLOSED, FORKED.
///
/// # Safety
/// See the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn parklink_flush(handle: *mut Parklink, timeout_ms: u32, left: *mut u64) -> ParklinkCode {
    // SAFETY: NULL or a place for a number, by contract.
    let left = unsafe { Out::new(left, 0) };
    guard::on(handle, |entry| {
        left.set(entry.sdk.flush(millis(timeout_ms))?);
        Ok(())
    })
}

/// Lists dead letters: records that a platform refused for a reason that repetition cannot cure, or that waited longer
/// than store.max_age_days (code "expired").
///
/// after: 0 for the first ones, then the id of the last one seen.
/// limit: how many at most.
/// json: gets a JSON array, oldest first; each with id, ticket, platform, interface, service_name, data, created_ms,
/// died_ms, attempts, code, message, reply. Free it with parklink_string_free.
///
/// Any thread, also inside a callback.
/// Errors: ARGUMENT, NOT_CONFIGURED (no store.dir), IO, CLOSED, FORKED.
///
/// # Safety
/// See the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn parklink_dead_list(
    handle: *mut Parklink,
    after: u64,
    limit: u32,
    json: *mut *mut c_char,
) -> ParklinkCode {
    // SAFETY: NULL or a place for a pointer, by contract.
    let out = unsafe { Out::new(json, ptr::null_mut()) };
    guard::on(handle, |entry| {
        out.needed("json")?;
        out.give(&entry.sdk.dead(after, limit)?.to_string(), entry.encoding);
        Ok(())
    })
}

/// Sends dead letters again, as if they were new. To the cloud they go with another random_temp: it remembers what it has
/// refused, and would not look at the same bytes again.
///
/// ticket: whose; 0 for all.
/// count: gets how many. May be NULL.
///
/// Any thread. Errors: ARGUMENT, NOT_CONFIGURED (no store.dir), DISK_FULL, IO, CLOSED, FORKED.
///
/// # Safety
/// See the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn parklink_dead_retry(handle: *mut Parklink, ticket: u64, count: *mut u64) -> ParklinkCode {
    // SAFETY: NULL or a place for a number, by contract.
    let count = unsafe { Out::new(count, 0) };
    guard::on(handle, |entry| {
        count.set(entry.sdk.retry_dead((ticket != 0).then_some(ticket))?);
        Ok(())
    })
}

/// Deletes dead letters for good.
///
/// ticket: whose; 0 for all.
/// count: gets how many. May be NULL.
///
/// Any thread. Errors: ARGUMENT, NOT_CONFIGURED (no store.dir), IO, CLOSED, FORKED.
///
/// # Safety
/// See the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn parklink_dead_delete(handle: *mut Parklink, ticket: u64, count: *mut u64) -> ParklinkCode {
    // SAFETY: NULL or a place for a number, by contract.
    let count = unsafe { Out::new(count, 0) };
    guard::on(handle, |entry| {
        count.set(entry.sdk.delete_dead((ticket != 0).then_some(ticket))?);
        Ok(())
    })
}

/// Writes every dead letter into a file, one JSON object a line.
///
/// path: the file, made or written over; borrowed for the call.
/// count: gets how many. May be NULL.
///
/// Any thread. Errors: ARGUMENT, ENCODING, NOT_CONFIGURED (no store.dir), IO, CLOSED, FORKED.
///
/// # Safety
/// See the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn parklink_dead_export(
    handle: *mut Parklink,
    path: *const c_char,
    count: *mut u64,
) -> ParklinkCode {
    // SAFETY: NULL or a place for a number, by contract.
    let count = unsafe { Out::new(count, 0) };
    guard::on(handle, |entry| {
        // SAFETY: NULL or a string by contract.
        let path = unsafe { entry.text(path, "path") }?;
        count.set(entry.sdk.export_dead(Path::new(&*path))?);
        Ok(())
    })
}
