//! What the cloud says in words only.

use crate::link::Members;
use std::borrow::Cow;

/// The refusal of the 101st request in 11 seconds.
pub const OVER_TIMES: &str = "request_over_times";

/// Whether the server says that it has this record already: the older server says so with state 1; the last is a
/// picture's.
pub fn is_already_handled(reply: &Members) -> bool {
    says_handled(&errmsg(reply))
}

/// The same of its words.
pub fn says_handled(text: &str) -> bool {
    // Nearly always there is nothing to look through.
    !text.is_empty() && (text.contains("数据已处理过") || text.contains("sign重复") || text.contains("图片已上传过"))
}

/// What a reply says in words.
pub fn errmsg(reply: &Members) -> Cow<'_, str> {
    reply.plain("errmsg")
}

/// Whether the token is what it refuses.
pub fn is_token_refusal(text: &str) -> bool {
    text.contains("token无效") || text.contains("车场没有登录") || text.contains("未识别到token")
}
