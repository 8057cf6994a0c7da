//! ETCP's error values (ETCP 10): a name for each, and what to do about it.

/// An error value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// The value of `code`.
    pub code: i64,
    /// Our name of it.
    pub name: &'static str,
    /// The document's word.
    pub word: &'static str,
    /// What to do about it; empty for success.
    pub advice: &'static str,
    /// Whether the same call can succeed later without a change.
    pub is_retryable: bool,
}

const fn meaning(
    code: i64,
    name: &'static str,
    word: &'static str,
    is_retryable: bool,
    advice: &'static str,
) -> Meaning {
    Meaning { code, name, word, advice, is_retryable }
}

/// Every value of the document; 20204 and 20205 are not in it.
pub const MEANINGS: [Meaning; 16] = [
    meaning(0, "ok", "成功", false, ""),
    meaning(1, "failed", "失败", false, "the platform gives no cause: check the members against the document"),
    meaning(
        2,
        "server_fault",
        "服务器异常",
        true,
        "try again later; of a payment ask the fee first (8.7), for it may have been taken",
    ),
    meaning(
        3,
        "time_stamp_expired",
        "时间戳超时",
        true,
        "correct this machine's clock: the time stamp is made from it",
    ),
    meaning(4, "bad_signature", "签名校验非法", false, "check etcp.merchant_key"),
    meaning(
        5,
        "unknown_merchant",
        "没有找到商户密钥",
        false,
        "check etcp.merchant_no, and etcp.base: test and production have their own",
    ),
    meaning(6, "bad_parameter", "参数错误", false, "correct the members; the document's table says what each may be"),
    meaning(
        7,
        "order_not_updated",
        "更新订单失败",
        false,
        "ask the fee again (8.7) and pay what it says under a new externalOrderId",
    ),
    meaning(
        8,
        "order_not_made",
        "生产订单失败",
        false,
        "ask the fee again (8.7) and pay what it says under a new externalOrderId",
    ),
    meaning(
        20100,
        "operation_failed",
        "操作失败",
        false,
        "the platform gives no cause; of a plate: it may be another phone's, or the phone has three plates, or had four this month",
    ),
    meaning(20101, "invalid_token", "无效token", false, "log the user in again (8.1 and 8.2, or 8.3)"),
    meaning(20102, "parameter_missing", "缺少必要参数", false, "add the missing member"),
    meaning(20201, "bad_phone", "手机号错误", false, "correct mobilePhone"),
    meaning(20202, "code_not_sent", "获取验证码失败", true, "wait a minute before asking for another code"),
    meaning(20203, "bad_code", "手机验证码错误", false, "let the user type the code again, or send a new one (8.1)"),
    meaning(
        20206,
        "wrong_amount",
        "支付金额与应付金额不匹配",
        false,
        "ask the fee again (8.7) and pay exactly remainingFee; it grows with time",
    ),
];

/// What a value means.
pub fn of(code: i64) -> Option<&'static Meaning> {
    MEANINGS.iter().find(|meaning| meaning.code == code)
}

/// The text of a refusal: the name, what the platform said, what to do.
pub fn explain(code: i64, said: &str) -> String {
    match of(code) {
        Some(Meaning { name, word, advice, .. }) => {
            let said = if said.is_empty() { word } else { said };
            format!("{code} {name}: {said}; {advice}")
        }
        None => format!("{code}, a value that is not in the document: {said}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_has_one_name_and_advice() {
        for (at, meaning) in MEANINGS.iter().enumerate() {
            assert!(MEANINGS[..at].iter().all(|other| other.code < meaning.code && other.name != meaning.name));
            assert_eq!(meaning.advice.is_empty(), meaning.code == 0);
        }
        assert!(of(20204).is_none() && of(20205).is_none());
        assert_eq!(explain(4, ""), "4 bad_signature: 签名校验非法; check etcp.merchant_key");
        assert!(explain(77, "x").contains("not in the document"));
    }
}
