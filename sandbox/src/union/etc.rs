//! ETC (API 3.7): four providers, each with its rules.

use super::orders::{at, tell};
use super::{Call, Done};
use crate::driver::{self, EtcAnswer};
use crate::faults::Platform::Union as Here;
use crate::json;
use crate::world::Order;
use serde_json::{Value, json};

/// A provider.
struct Provider {
    pay_type: &'static str,
    /// Members that only this one needs.
    needs: &'static [&'static str],
    /// Plate colours it knows; empty: no table is documented.
    colours: &'static [i64],
    /// Whether it may answer "in progress".
    can_wait: bool,
}

const PROVIDERS: [Provider; 4] = [
    Provider {
        pay_type: "my",
        needs: &["empty_plot", "total_original", "inpark_img", "outpark_img"],
        colours: &[0, 1, 2, 3, 4, 5],
        can_wait: false,
    },
    Provider { pay_type: "cj", needs: &[], colours: &[0, 1, 2, 3, 4, 5, 6, 9, 11, 13], can_wait: false },
    Provider { pay_type: "jyyh", needs: &[], colours: &[], can_wait: true },
    Provider { pay_type: "ystx", needs: &[], colours: &[], can_wait: false },
];

pub fn pay(call: &mut Call) -> Done {
    // The printed example leaves the provider out and has all that the first one needs.
    let named = json::filled(call.data, "pay_type").unwrap_or_else(|| "my".into());
    let provider = PROVIDERS.iter().find(|provider| provider.pay_type == named).ok_or("pay_type错误")?;
    if let Some(missing) = provider.needs.iter().find(|name| json::filled(call.data, name).is_none()) {
        return Err(format!("pay_type为{named}时{missing}必填"));
    }
    let colour = call.whole("license_color").unwrap_or(0);
    if !provider.colours.is_empty() && !provider.colours.contains(&colour) {
        return Err(format!("pay_type为{named}时license_color错误"));
    }
    let fen = call.fen("total")?;
    let (lot, number) = (call.lot.clone(), call.text("order_id"));
    call.world.counts.received(Here, &lot, "etcPayApi", &number);
    let is_paid = |payment: &json::Members| {
        json::text(payment, "order_id").as_deref() == Some(&number)
            && json::text(payment, "park_id").as_deref() == Some(&lot)
            && json::text(payment, "pay_type").as_deref() == Some("etc")
    };
    if call.world.drivers.payments.iter().any(is_paid) {
        return Err("订单已支付".into());
    }
    let (will_be_paid, later) = match call.world.drivers.etc {
        EtcAnswer::Paid => (true, false),
        EtcAnswer::Refused => (false, false),
        EtcAnswer::Pending { paid } => (paid, provider.can_wait),
    };
    let mut payment = if will_be_paid {
        close(call, &lot, &number);
        call.world.counts.accepted(Here, &lot, "etcPayApi", &number);
        driver::book(call.world, &lot, call.data, "etc", "outpay", fen)
    } else {
        driver::payment(&lot, call.data, "etc", "outpay", fen)
    };
    if later {
        let (state, text) = if will_be_paid { (1, "支付成功") } else { (0, "etc扣费失败") };
        let message = at(&lot, driver::result(payment, state, text));
        let delay = call.world.pay_delay;
        tell(call.world, &lot, message, None, delay);
        return Ok(json!({"state": 2, "errmsg": "等待异步结果", "order_id": number}));
    }
    if !will_be_paid {
        return Err("etc扣费失败".into());
    }
    for name in ["park_id", "pay_scene", "in_time", "remark", "pay_channel"] {
        payment.shift_remove(name);
    }
    payment.insert("errmsg".into(), "etc扣费成功".into());
    Ok(Value::Object(payment))
}

/// The stay is over; one that was never told of is none.
fn close(call: &mut Call, lot: &str, number: &str) {
    let ours = |order: &&mut Order| {
        order.platform == Here && order.lot == lot && order.open && order.text("order_id") == number
    };
    if let Some(order) = call.world.orders.iter_mut().rev().find(ours) {
        order.open = false;
        order.update(call.data);
    }
}
