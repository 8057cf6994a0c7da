//! Beijing time, whatever the host's zone.

use chrono::{DateTime, NaiveDate, NaiveDateTime};

const AHEAD: i64 = 8 * 3600;

fn local(seconds: i64) -> NaiveDateTime {
    DateTime::from_timestamp(seconds + AHEAD, 0).unwrap_or_default().naive_utc()
}

fn seconds(time: NaiveDateTime) -> i64 {
    time.and_utc().timestamp() - AHEAD
}

/// yyyy-MM-dd HH:mm:ss
pub fn shown(at: i64) -> String {
    local(at).format("%Y-%m-%d %H:%M:%S").to_string()
}

/// yyyy-MM-dd
pub fn day(at: i64) -> String {
    local(at).format("%Y-%m-%d").to_string()
}

/// When the day of this time began.
pub fn midnight(at: i64) -> i64 {
    at - (at + AHEAD).rem_euclid(86400)
}

/// Reads yyyy-MM-dd HH:mm:ss.
pub fn read(text: &str) -> Option<i64> {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").ok().map(seconds)
}

/// Reads yyyy-MM-dd: its midnight.
pub fn read_day(text: &str) -> Option<i64> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0).map(seconds)
}

/// Reads yyyyMMddHHmmss.
pub fn read_stamp(text: &str) -> Option<i64> {
    let is_whole = text.len() == 14 && text.bytes().all(|byte| byte.is_ascii_digit());
    NaiveDateTime::parse_from_str(text, "%Y%m%d%H%M%S").ok().filter(|_| is_whole).map(seconds)
}
