//! What concerns the whole process: a fork leaves a child without our threads, an unload would leave threads without code.

use crate::error::{Code, Error, Result};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

static FORKED: AtomicBool = AtomicBool::new(false);

/// Whether this process is a child of the one that opened the library. Set by the fork itself, so asking costs nothing.
pub(super) fn is_forked() -> bool {
    FORKED.load(Ordering::Relaxed)
}

/// Prepares the process; to be called before the first thread is started.
pub(super) fn settle() -> Result<()> {
    static DONE: OnceLock<bool> = OnceLock::new();
    if *DONE.get_or_init(prepare) {
        Ok(())
    } else {
        Err(Error::new(Code::Internal, "the system refused to note the library for forks or to pin it in memory"))
    }
}

#[cfg(unix)]
fn prepare() -> bool {
    extern "C" fn in_child() {
        FORKED.store(true, Ordering::Relaxed);
    }
    // Pinning is the linker's work here: -z nodelete, see build.rs.
    // SAFETY: the handler only stores into an atomic, which is allowed between fork and exec, and its code stays loaded.
    unsafe { libc::pthread_atfork(None, None, Some(in_child)) == 0 }
}

#[cfg(windows)]
fn prepare() -> bool {
    use std::ffi::c_void;
    const PIN: u32 = 1;
    const FROM_ADDRESS: u32 = 4;
    #[link(name = "kernel32")]
    unsafe extern "system" {
        fn GetModuleHandleExW(flags: u32, address: *const c_void, module: *mut *mut c_void) -> i32;
    }
    let mut module = std::ptr::null_mut();
    // SAFETY: with FROM_ADDRESS the second argument is any address inside the module; the third is a place for a handle.
    unsafe { GetModuleHandleExW(PIN | FROM_ADDRESS, (&raw const FORKED).cast(), &raw mut module) != 0 }
}

#[cfg(not(any(unix, windows)))]
fn prepare() -> bool {
    true
}
