//! Invoices (API 6).

use super::orders::tell;
use super::{Call, Done};
use crate::json::{self, Members};
use crate::{beijing, clock};
use serde_json::{Value, json};

/// Being issued, and issued.
const UNDER_WAY: i64 = 1;
const ISSUED: i64 = 5;

/// An invoice.
pub struct Invoice {
    money: i64,
    asked_ms: i64,
    takes_ms: i64,
}

impl Invoice {
    fn status(&self) -> i64 {
        if clock::millis() - self.asked_ms >= self.takes_ms { ISSUED } else { UNDER_WAY }
    }

    /// What may be shown of it.
    pub fn shown(&self) -> Value {
        json!({"money": json::yuan(self.money), "status": self.status()})
    }
}

fn pdf(number: &str) -> String {
    format!("http://127.0.0.1/invoices/{number}.pdf")
}

pub fn add(call: &mut Call) -> Done {
    let lot = call.lot.clone();
    call.fen("money")?;
    let (number, record) = (call.text("order_id"), Value::Object(call.data.clone()));
    if !number.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Err("order_id格式错误".into());
    }
    call.world.table(&lot, "invoice_orders").insert(number, record);
    Ok(json!({"errmsg": "上传成功"}))
}

/// The issuer is named by what its type asks for.
fn check_issuer(call: &Call) -> Result<(), String> {
    let missing = match call.whole("type") {
        Some(3) if call.text("server_id").is_empty() => Some("server_id"),
        Some(4) if call.lot.is_empty() => Some("park_id"),
        _ => None,
    };
    missing.map_or(Ok(()), |name| Err(format!("{name}不能为空")))
}

pub fn issuer(call: &mut Call) -> Done {
    check_issuer(call)?;
    Ok(json!({"data": {"open_invoice": 1, "start_time": 1_569_859_200, "end_time": 4_102_444_800_i64, "state": 2}}))
}

pub fn open(call: &mut Call) -> Done {
    check_issuer(call)?;
    let to = call.notify_url()?;
    let (number, money) = (call.text("invoice_order_no"), call.fen("money")?);
    if call.whole("open_type").is_none() {
        for name in ["tax_rate", "good_name", "tax_code"] {
            if call.text(name).is_empty() {
                return Err(format!("{name}不能为空"));
            }
        }
    }
    if call.world.union.invoices.contains_key(&number) {
        return Err("invoice_order_no重复".into());
    }
    let delay = call.world.pay_delay;
    let takes_ms = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
    call.world.union.invoices.insert(number.clone(), Invoice { money, asked_ms: clock::millis(), takes_ms });
    if to.is_some() {
        let now = beijing::shown(clock::seconds());
        let message: Members = json::object([
            ("invoice_order_no", number.clone().into()),
            ("notify_time", now.clone().into()),
            ("open_invoiceTime", now.into()),
            ("pdf_url", pdf(&number).into()),
            ("message", "SUCCESS".into()),
            ("status", ISSUED.into()),
        ]);
        let lot = call.lot.clone();
        tell(call.world, &lot, message, to, delay);
    }
    Ok(json!({}))
}

pub fn state(call: &mut Call) -> Done {
    check_issuer(call)?;
    let number = call.text("invoice_order_no");
    let status = call.world.union.invoices.get(&number).ok_or("发票不存在")?.status();
    let address = if status == ISSUED { pdf(&number) } else { String::new() };
    let text = if status == ISSUED { "SUCCESS" } else { "开票中" };
    Ok(json!({"data": {"invoice_order_no": number, "message": text, "pdf_url": address, "status": status}}))
}
