//! Wall-clock time in the units the protocols use.

/// Unix seconds.
pub fn seconds() -> i64 {
    chrono::Utc::now().timestamp()
}

/// Unix milliseconds.
pub fn millis() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

/// Unix seconds of yesterday's midnight, local time.
pub fn yesterday() -> i64 {
    let now = chrono::Local::now();
    let midnight = now.date_naive().and_hms_opt(0, 0, 0).unwrap_or_default();
    midnight.and_local_timezone(chrono::Local).earliest().map_or(now.timestamp(), |at| at.timestamp()) - 86400
}

/// A stamp for numbers that must differ: local time to the second and a count.
pub fn stamp() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed) % 100_000;
    format!("{}{count:05}", chrono::Local::now().format("%Y%m%d%H%M%S"))
}

/// 32 lower-case hex digits nobody can guess.
pub fn token() -> String {
    let mut bytes = [0_u8; 16];
    if getrandom::fill(&mut bytes).is_err() {
        // Without the system's randomness the stamp still keeps tokens apart.
        for (place, byte) in bytes.iter_mut().zip(stamp().bytes().rev()) {
            *place = byte;
        }
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
