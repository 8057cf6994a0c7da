//! The structs of callbacks, as C gives them, and what they become.

use super::encoding::Encoding;
use super::text::to_c;
use crate::error::{Code, Error, Result};
use crate::log::Level;
use crate::sdk::{DeliveryHandler, DownlinkHandler, Event, LogHandler};
use std::ffi::{c_char, c_void};
use std::mem::{MaybeUninit, offset_of};

/// Says that the library has no further use for `user_data`.
pub type Destroy = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

/// Takes a downlink.
pub type OnDownlink = Option<unsafe extern "C" fn(user_data: *mut c_void, event_id: u64, event_json: *const c_char)>;

/// Takes a line of the log.
pub type OnLog = Option<unsafe extern "C" fn(user_data: *mut c_void, level: i32, line: *const c_char)>;

/// Takes what became of a submitted record.
pub type OnDelivery = Option<unsafe extern "C" fn(user_data: *mut c_void, report_json: *const c_char)>;

/// What parklink_on_downlink registers. Set struct_size to sizeof(parklink_downlink_callbacks) and what you do not use
/// to NULL.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct DownlinkCallbacks {
    /// The size of this struct in bytes, as your compiler sees it: the struct may grow in later versions. A member that is
    /// not wholly inside counts as NULL; user_data and destroy must be.
    pub struct_size: usize,
    /// Given to each of the functions below as it is.
    pub user_data: *mut c_void,
    /// Called exactly once when the library has no further use for user_data, also when registering fails. May be NULL.
    pub destroy: Destroy,
    /// Called for every downlink. event_id is what parklink_reply wants, 0 when the platform expects no answer.
    /// event_json is borrowed: it is gone when the function returns. Its members: event_id, platform ("cloud", "bolink",
    /// "union", "etcp", or "parklink": the library itself), interface (id in the catalogue, null when it is not known),
    /// service_name, kind ("request": it wants an answer; "notice": it does not; "echo": what another system of the lot
    /// uploaded; "result": the later reply to a record of yours), redelivered (true: the software may have had it before;
    /// with a store), data (the members of the message, without its wrapper).
    ///
    /// The library itself says, as a notice: "store_replaced", when a damaged store was set aside and a new one took its
    /// place; data has at_ms, path, old_file, rows (taken over), why. It waits for you, also for the next open, until
    /// on_downlink has returned, or parklink_poll is called again after it gave it. Ignore those that you do not know.
    pub on_downlink: OnDownlink,
}

/// What parklink_on_log registers. Set struct_size to sizeof(parklink_log_callbacks) and what you do not use to NULL.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct LogCallbacks {
    /// The size of this struct in bytes, as your compiler sees it: the struct may grow in later versions. A member that is
    /// not wholly inside counts as NULL; user_data and destroy must be.
    pub struct_size: usize,
    /// Given to each of the functions below as it is.
    pub user_data: *mut c_void,
    /// Called exactly once when the library has no further use for user_data, also when registering fails. May be NULL.
    pub destroy: Destroy,
    /// Called for every line up to the level of option "log.level". level is one of PARKLINK_LOG_*. line begins with the
    /// local time, has no line end and is borrowed: it is gone when the function returns. Keys, tokens and paying codes are
    /// blotted out in it; plates are not.
    pub on_log: OnLog,
}

/// What parklink_on_delivery registers. Set struct_size to sizeof(parklink_delivery_callbacks) and what you do not use to
/// NULL.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct DeliveryCallbacks {
    /// The size of this struct in bytes, as your compiler sees it: the struct may grow in later versions. A member that is
    /// not wholly inside counts as NULL; user_data and destroy must be.
    pub struct_size: usize,
    /// Given to each of the functions below as it is.
    pub user_data: *mut c_void,
    /// Called exactly once when the library has no further use for user_data, also when registering fails. May be NULL.
    pub destroy: Destroy,
    /// Called for every stored record that is settled on one of its platforms. report_json is borrowed: it is gone when
    /// the function returns. Its members: ticket, platform, interface, service_name, outcome ("delivered"; "dead": a dead
    /// letter; "dropped": a log record (SDK 2.6) that made room, or was too old), code (a name as parklink_error_name
    /// gives: "ok", "pending", "refused", "expired", "outbox_full", and so on), message, reply (the platform's, or null).
    pub on_delivery: OnDelivery,
}

/// `user_data`, and the promise to call `destroy` once.
struct Owner {
    user_data: *mut c_void,
    destroy: Destroy,
}

// SAFETY: the header says that the functions are called with user_data on a thread of the library, one at a time.
unsafe impl Send for Owner {}

impl Owner {
    fn user_data(&self) -> *mut c_void {
        self.user_data
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        if let Some(destroy) = self.destroy {
            // SAFETY: the caller gave this function for this purpose; it has not been called before.
            unsafe { destroy(self.user_data) }
        }
    }
}

/// Copies the members that the caller's header knew whole; the others are zero. Each is as large as a pointer.
///
/// # Safety
/// `given` is not NULL and points to a `size_t` with the number of bytes that can be read there; all-zero bytes are a
/// value of `T`.
unsafe fn copy<T: Copy>(given: *const T, least: usize) -> Result<T> {
    // SAFETY: the first member is that size.
    let size = unsafe { given.cast::<usize>().read() };
    if size < least {
        let text = format!("struct_size is {size}, expected sizeof of the struct ({})", size_of::<T>());
        return Err(Error::new(Code::Argument, text));
    }
    let mut copy = MaybeUninit::<T>::zeroed();
    let members = size.min(size_of::<T>()) / size_of::<usize>();
    // SAFETY: no more bytes than are there and than there is room for; zero bytes in the rest are a value.
    unsafe {
        let bytes = members * size_of::<usize>();
        std::ptr::copy_nonoverlapping(given.cast::<u8>(), copy.as_mut_ptr().cast(), bytes);
        Ok(copy.assume_init())
    }
}

fn missing(member: &str) -> Error {
    let text = format!(
        "{member} is NULL, or not inside struct_size; to remove the callbacks give NULL in place of the struct"
    );
    Error::new(Code::Argument, text)
}

/// Callbacks on their way into the SDK: made before anything can fail, so that `destroy` is called in every case.
pub(super) struct Given<F>(Option<(Owner, Option<F>)>);

/// A struct of callbacks: the head they share, and one function.
pub(super) trait Callbacks: Copy {
    /// The function's type.
    type Function: Copy;

    /// Bytes that every version of the struct has: the head.
    const HEAD: usize;

    /// `user_data`, `destroy`, and the function.
    fn parts(self) -> (*mut c_void, Destroy, Option<Self::Function>);
}

macro_rules! callbacks {
    ($name:ident, $member:ident, $function:ty) => {
        // `copy` counts on it.
        const _: () = assert!(size_of::<$name>() == 4 * size_of::<usize>());

        impl Callbacks for $name {
            type Function = $function;
            const HEAD: usize = offset_of!($name, $member);

            fn parts(self) -> (*mut c_void, Destroy, Option<$function>) {
                (self.user_data, self.destroy, self.$member)
            }
        }
    };
}

type TextFunction = unsafe extern "C" fn(*mut c_void, *const c_char);
callbacks!(DownlinkCallbacks, on_downlink, unsafe extern "C" fn(*mut c_void, u64, *const c_char));
callbacks!(LogCallbacks, on_log, unsafe extern "C" fn(*mut c_void, i32, *const c_char));
callbacks!(DeliveryCallbacks, on_delivery, TextFunction);

impl<F> Given<F> {
    /// Copies the struct; NULL means to remove the callbacks.
    ///
    /// # Safety
    /// `given` is NULL or a struct as the header says.
    pub(super) unsafe fn take<T: Callbacks<Function = F>>(given: *const T) -> Result<Self> {
        if given.is_null() {
            return Ok(Given(None));
        }
        // SAFETY: not NULL, struct_size first by contract; NULL is a value of every member.
        let (user_data, destroy, function) = unsafe { copy(given, T::HEAD) }?.parts();
        Ok(Given(Some((Owner { user_data, destroy }, function))))
    }

    /// What keeps the promise to destroy, and the function; `None` to remove them.
    fn both(self, member: &str) -> Result<Option<(Owner, F)>> {
        let Some((owner, function)) = self.0 else { return Ok(None) };
        function.map(|function| Some((owner, function))).ok_or_else(|| missing(member))
    }
}

impl Given<unsafe extern "C" fn(*mut c_void, u64, *const c_char)> {
    pub(super) fn downlinks(self, encoding: Encoding) -> Result<Option<DownlinkHandler>> {
        let Some((owner, function)) = self.both("on_downlink")? else { return Ok(None) };
        Ok(Some(Box::new(move |event: &Event| {
            let json = to_c(&event.json(), encoding);
            // SAFETY: the caller's function, with the caller's user_data and a string that lives through the call.
            unsafe { function(owner.user_data(), event.answer_id(), json.as_ptr()) }
        })))
    }
}

impl Given<unsafe extern "C" fn(*mut c_void, i32, *const c_char)> {
    pub(super) fn lines(self, encoding: Encoding) -> Result<Option<LogHandler>> {
        let Some((owner, function)) = self.both("on_log")? else { return Ok(None) };
        Ok(Some(Box::new(move |level: Level, line: &str| {
            let line = to_c(line, encoding);
            // SAFETY: the caller's function, with the caller's user_data and a string that lives through the call.
            unsafe { function(owner.user_data(), level as i32, line.as_ptr()) }
        })))
    }
}

impl Given<TextFunction> {
    pub(super) fn deliveries(self, encoding: Encoding) -> Result<Option<DeliveryHandler>> {
        let Some((owner, function)) = self.both("on_delivery")? else { return Ok(None) };
        Ok(Some(Box::new(move |report: &str| {
            let report = to_c(report, encoding);
            // SAFETY: the caller's function, with the caller's user_data and a string that lives through the call.
            unsafe { function(owner.user_data(), report.as_ptr()) }
        })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    unsafe extern "C" fn note(user_data: *mut c_void) {
        // SAFETY: the test gave a counter.
        unsafe { &*user_data.cast::<AtomicUsize>() }.fetch_add(1, Ordering::Relaxed);
    }

    unsafe extern "C" fn hear(_: *mut c_void, _: *const c_char) {}

    #[test]
    fn a_member_that_the_size_cuts_is_not_there() {
        let destroyed = AtomicUsize::new(0);
        let word = size_of::<usize>();
        let take = |struct_size: usize| {
            let user_data = (&raw const destroyed).cast_mut().cast();
            let given = DeliveryCallbacks { struct_size, user_data, destroy: Some(note), on_delivery: Some(hear) };
            destroyed.store(0, Ordering::Relaxed);
            // SAFETY: a struct as the header says, or a shorter one.
            unsafe { Given::take(&raw const given) }.and_then(|given| given.both("on_delivery"))
        };
        for size in 3 * word..4 * word {
            let error = take(size).map(|_| ()).unwrap_err();
            assert_eq!(error.code, Code::Argument, "{size}");
            assert!(error.message.contains("on_delivery") && error.message.contains("struct_size"), "{error}");
            assert_eq!(destroyed.load(Ordering::Relaxed), 1, "{size}: registering failed, so it is destroyed");
        }
        // A cut destroy is no function to call.
        for size in 0..3 * word {
            assert_eq!(take(size).map(|_| ()).unwrap_err().code, Code::Argument, "{size}");
            assert_eq!(destroyed.load(Ordering::Relaxed), 0, "{size}");
        }
        for size in [4 * word, 4 * word + 1, 9 * word] {
            let both = take(size).unwrap();
            assert_eq!(destroyed.load(Ordering::Relaxed), 0);
            drop(both);
            assert_eq!(destroyed.load(Ordering::Relaxed), 1);
        }
    }
}
