//! Entries, exits and charges on the payment platform: what moves money there.

use crate::cloud::envelope::Outcome;
use crate::cloud::services::Request;
use crate::driver::{self, EtcAnswer};
use crate::faults::Platform;
use crate::json::{self, Members};
use crate::later::{Answer, reply, store};
use crate::orders::{enter, leave};
use crate::world::{After, Order, World};
use serde_json::{Value, json};

/// ETC answers as it is set: paid, refused, or pending with a later result.
pub fn etc(world: &mut World, platform: Platform, lot: &str, local_id: &str, data: &Members) -> Answer {
    store(world, lot, "etc_pay", data);
    let answer = world.drivers.etc.clone();
    let paid = |world: &mut World| driver::book(world, lot, data, "etc", "outpay", json::member_fen(data, "total"));
    match answer {
        EtcAnswer::Paid => {
            let mut payment = paid(world);
            for name in ["park_id", "pay_scene", "in_time", "remark"] {
                payment.shift_remove(name);
            }
            (reply("etc_pay", 1, "etc扣费成功", Value::Object(payment)), Vec::new())
        }
        EtcAnswer::Refused => {
            (reply("etc_pay", 0, "etc扣费失败", json!({"order_id": data.get("order_id")})), Vec::new())
        }
        EtcAnswer::Pending { paid: will_be } => {
            let message = if will_be {
                driver::result(paid(world), 1, "支付成功")
            } else {
                driver::result(
                    driver::payment(lot, data, "etc", "outpay", json::member_fen(data, "total")),
                    0,
                    "etc扣费失败",
                )
            };
            let after = vec![After::Downlink {
                platform,
                lot: lot.to_owned(),
                local_id: Some(local_id.to_owned()),
                message,
                delay: world.pay_delay,
            }];
            (reply("etc_pay", 2, "等待异步结果", json!({"order_id": data.get("order_id")})), after)
        }
    }
}

/// An entry on the payment platform.
pub fn entry(world: &mut World, request: &Request) -> Answer {
    let text = |name: &str| json::filled(request.data, name);
    let number = text("order_id");
    let answer = |state: i64, errmsg: &str| {
        reply(request.service, state, errmsg, json!({"order_id": request.data.get("order_id")}))
    };
    let (Some(number), Some(plate)) = (number, text("car_number")) else {
        return (answer(0, "数据无效"), Vec::new());
    };
    let inside = |order: &Order| order.platform == Platform::Bolink && order.open && order.text("order_id") == number;
    if world.order(request.lot, inside).is_some() {
        return (answer(0, "该订单已经存在"), Vec::new());
    }
    enter(world, Platform::Bolink, request);
    let mut after = Vec::new();
    if world.lot(request.lot).is_some_and(|lot| lot.contactless) {
        after.push(After::Downlink {
            platform: Platform::Bolink,
            lot: request.lot.to_owned(),
            local_id: Some(request.local_id.to_owned()),
            message: world.drivers.balance_push(&plate),
            delay: std::time::Duration::ZERO,
        });
    }
    (answer(1, ""), after)
}

/// An exit on the payment platform: an electronic payment is answered with 2, its result comes later.
pub fn exit(world: &mut World, platform: Platform, request: &Request) -> Answer {
    let data = request.data;
    let pay_type = json::text(data, "pay_type").unwrap_or_default();
    let answer =
        |state: i64, errmsg: &str| reply(request.service, state, errmsg, json!({"order_id": data.get("order_id")}));
    if !matches!(pay_type.as_str(), "wallet" | "sweepcode") {
        leave(world, Platform::Bolink, request);
        return (answer(1, ""), Vec::new());
    }
    let after = match driver::charge(world, request.lot, data, &pay_type) {
        None => Vec::new(),
        Some(message) => {
            if message.get("state") == Some(&1.into()) {
                leave(world, Platform::Bolink, request);
            }
            vec![After::Downlink {
                platform,
                lot: request.lot.to_owned(),
                local_id: Some(request.local_id.to_owned()),
                message,
                delay: world.pay_delay,
            }]
        }
    };
    (answer(2, "等待异步结果"), after)
}

/// An exit with an electronic payment that the cloud hands on.
pub fn relayed_exit(world: &mut World, request: &Request) -> Outcome {
    let (reply, after) = exit(world, Platform::Cloud, request);
    Outcome { after, ..Outcome::reply(reply, request.data.len()) }
}
