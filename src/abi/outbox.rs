//! The exports for records that must arrive.

use super::callbacks::{DeliveryCallbacks, Given};
use super::calls::{Parklink, millis};
use super::facts::ParklinkCode;
use super::guard;
use super::text::Out;
use std::ffi::c_char;
use std::path::Path;
use std::ptr;

/// Stores a record; when it returns PARKLINK_OK the record is on disk, and it is sent until each of its platforms has it
/// or it is a dead letter, whatever happens to network, program or power meanwhile.
///
/// json: as in parklink_upload; borrowed for the call. Records of one order (order_id; card_id of cards, and so on) leave
/// in the order in which they were stored, those of other orders are not held up. Charges (an exit with pay_type wallet or
/// sweepcode, etc_pay) are not stored, and questions only with "validation": "off": upload them.
/// ticket: gets the number that parklink_on_delivery tells the outcome under, one for all platforms. May be NULL.
///
/// Needs option store.dir. Waits for the disk, not for the platform (but for an upload of the same order that has not
/// returned in another thread); concurrent calls share one sync. Any thread, also inside a callback.
/// Errors: ARGUMENT, ENCODING, JSON, TOO_LARGE (also: for the cloud's line), UNKNOWN_INTERFACE, INVALID, NOT_CONFIGURED
/// (also: no store.dir), UNSUPPORTED, OUTBOX_FULL, DISK_FULL, STORE_READ_ONLY, STORE_LOCKED (another program holds the
/// database), STORE_DAMAGED (and it could not be replaced), IO, CLOSED, FORKED. After any of them nothing is stored.
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
/// As parklink_on_downlink; both run on the same thread. A record for two platforms is reported twice, once for each. What
/// was settled before you registered is not told; around a crash an outcome may be told twice or never. Any thread, also
/// inside a callback.
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
/// left: gets how many are not; a record for two platforms counts twice. May be NULL.
///
/// PARKLINK_OK with more than 0 in left: the time was over. Records of platforms that are no longer configured count too,
/// and keep it from 0. Any thread, but not inside a callback of this handle.
/// Errors: ARGUMENT (handle), NOT_CONFIGURED (no store.dir), IN_CALLBACK, CLOSED (also: while it waited), FORKED.
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
/// limit: how many at most. All of them are in memory at once: ask for some hundred at a time.
/// json: gets a JSON array, oldest first; each with id, ticket, platform, interface (may be null), service_name, data,
/// created_ms and died_ms (milliseconds since 1970), attempts, code (a name as parklink_error_name gives), message, reply
/// (the platform's, or null). Not NULL. Free it with parklink_string_free.
///
/// Waits for the disk. Any thread, also inside a callback.
/// Errors: ARGUMENT, NOT_CONFIGURED (no store.dir), DISK_FULL, IO, STORE_READ_ONLY, STORE_LOCKED, STORE_DAMAGED, CLOSED,
/// FORKED.
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

/// Puts dead letters back at the end of the line, as if they were new. To the cloud they go with another random_temp: it
/// remembers what it has refused, and would not look at the same bytes again. No limit of the outbox holds them up.
///
/// ticket: whose; 0 for all.
/// count: gets how many. May be NULL.
///
/// Waits for the disk; all or none are put back. Any thread, also inside a callback.
/// Errors: ARGUMENT (handle), NOT_CONFIGURED (no store.dir), DISK_FULL, IO, STORE_READ_ONLY, STORE_LOCKED, STORE_DAMAGED,
/// CLOSED, FORKED.
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
/// Waits for the disk. Any thread, also inside a callback. Errors: as parklink_dead_retry.
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

/// Writes every dead letter into a file, one JSON object a line as parklink_dead_list has them, in UTF-8; they stay in
/// the store.
///
/// path: the file, made or written over, in the encoding of the handle; borrowed for the call.
/// count: gets how many. May be NULL.
///
/// Returns when the file is on disk; after a failure half of it may be there. Any thread, also inside a callback.
/// Errors: ARGUMENT, ENCODING, TOO_LARGE (path), NOT_CONFIGURED (no store.dir), IO (also: the file, its folder, its disk),
/// DISK_FULL, STORE_READ_ONLY, STORE_LOCKED, STORE_DAMAGED, CLOSED, FORKED.
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
