//! The simulated driver: balances, payments, price questions, entries without a plate.

use crate::json::{self, Members};
use crate::world::World;
use crate::{clock, log};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What ETC answers.
#[derive(Debug, Clone)]
pub enum EtcAnswer {
    /// Paid at once.
    Paid,
    /// Refused.
    Refused,
    /// Undecided; the result comes later.
    Pending {
        /// Whether it will be paid.
        paid: bool,
    },
}

/// What becomes of electronic payments at the exit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Electronic {
    /// Wallets by balance, codes are paid.
    Auto,
    /// Paid.
    Paid,
    /// Refused.
    Refused,
    /// No result ever comes.
    Never,
}

#[derive(Clone)]
struct Wallet {
    fen: i64,
    autopay: bool,
}

/// An answer to a price question, which a payment can refer to.
#[derive(Clone)]
pub struct Quote {
    /// The lot.
    pub lot: String,
    /// The question.
    pub question: Members,
    /// The lot's answer.
    pub answer: Members,
}

/// Drivers and their money.
pub struct Drivers {
    wallets: BTreeMap<String, Wallet>,
    /// Every payment made.
    pub payments: Vec<Members>,
    /// Answers to price questions, newest last.
    pub quotes: Vec<Quote>,
    /// What ETC answers.
    pub etc: EtcAnswer,
    /// What becomes of wallets and codes.
    pub electronic: Electronic,
    scans: BTreeMap<String, (Instant, String)>,
}

impl Default for Drivers {
    fn default() -> Self {
        Drivers {
            wallets: BTreeMap::new(),
            payments: Vec::new(),
            quotes: Vec::new(),
            etc: EtcAnswer::Paid,
            electronic: Electronic::Auto,
            scans: BTreeMap::new(),
        }
    }
}

impl Drivers {
    /// The push of a plate's balance.
    pub fn balance_push(&self, plate: &str) -> Members {
        let wallet = self.wallets.get(plate);
        json::object([
            ("service_name", "update_balance".into()),
            ("car_number", plate.into()),
            ("balance", json::yuan(wallet.map_or(0, |wallet| wallet.fen)).into()),
            ("autopay", i64::from(wallet.is_some_and(|wallet| wallet.autopay)).into()),
        ])
    }

    /// Whether the platform knows the driver.
    pub fn knows(&self, plate: &str) -> bool {
        self.wallets.contains_key(plate)
    }

    /// Sets a balance; true when something changed.
    pub fn set_balance(&mut self, plate: &str, fen: i64, autopay: bool) -> bool {
        let before = self.wallets.insert(plate.to_owned(), Wallet { fen, autopay });
        before.is_none_or(|before| before.fen != fen || before.autopay != autopay)
    }

    /// Balances and settings.
    pub fn shown(&self) -> Value {
        let wallets: Members = self
            .wallets
            .iter()
            .map(|(plate, wallet)| {
                (plate.clone(), json!({"balance": json::yuan(wallet.fen), "autopay": i64::from(wallet.autopay)}))
            })
            .collect();
        json!({
            "balances": wallets,
            "etc": format!("{:?}", self.etc).to_lowercase(),
            "electronic": format!("{:?}", self.electronic).to_lowercase(),
        })
    }
}

/// A payment's members, made from an order's.
pub fn payment(lot: &str, data: &Members, pay_type: &str, scene: &str, fen: i64) -> Members {
    let echo = |name: &str| data.get(name).cloned().unwrap_or(Value::Null);
    let plate = json::text(data, "car_number").unwrap_or_default();
    let channel = match pay_type {
        "wallet" => 2.into(),
        "etc" => Value::Null,
        _ => 0.into(),
    };
    json::object([
        ("park_id", lot.into()),
        ("trade_no", format!("{pay_type}{}{lot}", clock::stamp()).into()),
        ("order_id", echo("order_id")),
        ("car_number", plate.clone().into()),
        ("pay_type", pay_type.into()),
        ("pay_scene", scene.into()),
        ("pay_channel", channel),
        ("total", json::yuan_number(fen)),
        ("pay_time", clock::seconds().into()),
        ("in_time", echo("in_time")),
        ("out_channel_id", echo("out_channel_id")),
        ("arrive_money", json::yuan_number(fen)),
        ("fee", json::number("0.0")),
        ("account_type", 1.into()),
        ("remark", format!("收到停车费-{plate}").into()),
    ])
}

/// Books a payment and gives its members.
pub fn book(world: &mut World, lot: &str, data: &Members, pay_type: &str, scene: &str, fen: i64) -> Members {
    let payment = payment(lot, data, pay_type, scene, fen);
    log::event("driver", || {
        format!("paid {} for {}", json::yuan(fen), json::text(data, "order_id").unwrap_or_default())
    });
    world.drivers.payments.push(payment.clone());
    payment
}

/// The asynchronous result of a charge.
pub fn result(mut payment: Members, state: i64, errmsg: &str) -> Members {
    for name in ["park_id", "pay_scene", "in_time"] {
        payment.shift_remove(name);
    }
    payment.insert("service_name".into(), "outpark".into());
    payment.insert("state".into(), state.into());
    payment.insert("errmsg".into(), errmsg.into());
    payment
}

/// Charges an exit; gives the result message, or nothing when no result will ever come.
pub fn charge(world: &mut World, lot: &str, data: &Members, pay_type: &str) -> Option<Members> {
    let fen = json::member_fen(data, "total");
    let plate = json::text(data, "car_number").unwrap_or_default();
    let refusal = match world.drivers.electronic {
        Electronic::Never => return None,
        Electronic::Refused => Some("支付失败"),
        Electronic::Paid => None,
        Electronic::Auto if pay_type == "wallet" => match world.drivers.wallets.get(&plate) {
            Some(wallet) if wallet.autopay && wallet.fen >= fen => None,
            Some(wallet) if wallet.autopay => Some("余额不足"),
            _ => Some("未开通无感支付"),
        },
        Electronic::Auto => json::filled(data, "auth_code").is_none().then_some("auth_code不能为空"),
    };
    if let Some(text) = refusal {
        return Some(result(payment(lot, data, pay_type, "outpay", fen), 0, text));
    }
    if pay_type == "wallet"
        && let Some(wallet) = world.drivers.wallets.get_mut(&plate)
    {
        wallet.fen -= fen;
    }
    Some(result(book(world, lot, data, pay_type, "outpay", fen), 1, "支付成功"))
}

/// The payments a payment-status query finds.
pub fn paid(world: &World, lot: &str, query: &Members) -> Vec<Value> {
    let wanted = |payment: &Members, name: &str| {
        let asked = json::filled(query, name);
        asked.is_none() || asked == json::text(payment, name)
    };
    let fits = |payment: &&Members| {
        json::text(payment, "park_id").as_deref() == Some(lot)
            && json::text(payment, "order_id") == json::text(query, "order_id")
            && ["car_number", "pay_type", "pay_scene"].iter().all(|name| wanted(payment, name))
    };
    let settled = |payment: &Members| {
        // Once an order is settled at the exit, asking for its prepayments fails.
        json::text(query, "pay_scene").as_deref() == Some("prepay")
            && world.drivers.payments.iter().any(|other| {
                other.get("order_id") == payment.get("order_id")
                    && json::text(other, "pay_scene").as_deref() == Some("outpay")
            })
    };
    let shown = |payment: &Members| {
        let mut row = payment.clone();
        row.shift_remove("park_id");
        row.insert("state".into(), 1.into());
        Value::Object(row)
    };
    world.drivers.payments.iter().filter(fits).filter(|payment| !settled(payment)).map(shown).collect()
}

/// What a scan of the entry code leads to.
pub enum Scan {
    /// Ask the lot.
    Ask(Members),
    /// The same phone scanned within 10 seconds: a duplicate.
    Duplicate,
    /// The same phone scanned again within 30 seconds after entering: shown success at once.
    Inside,
}

/// A driver without a plate scans the entry code.
pub fn scan_entry(world: &mut World, lot: &str, phone: &str, plate: &str, channel: &str) -> Scan {
    const DUPLICATE: Duration = Duration::from_secs(10);
    const JUST_ENTERED: i64 = 30;
    let now = Instant::now();
    let key = format!("{lot}/{phone}");
    // Whoever has entered in the last 30 seconds, answered or not, is inside.
    let entered = world.order(lot, |order| {
        let at = json::whole(&order.data, "in_time").ok().flatten().unwrap_or(0);
        order.open && order.text("car_number").contains(plate) && clock::seconds() - at <= JUST_ENTERED
    });
    let before = world.drivers.scans.get(&key);
    if before.is_some_and(|(_, scanned)| scanned == plate) && entered.is_some() {
        return Scan::Inside;
    }
    if before.is_some_and(|(at, _)| now - *at < DUPLICATE) {
        return Scan::Duplicate;
    }
    world.drivers.scans.insert(key, (now, plate.to_owned()));
    Scan::Ask(json::object([
        ("service_name", "nolicence_in_park".into()),
        ("park_id", lot.into()),
        ("car_number", plate.into()),
        ("channel_id", channel.into()),
        ("timetemp", clock::seconds().into()),
    ]))
}

/// The question for a price.
pub fn price_question(world: &World, lot: &str, request: &Members) -> Members {
    let scene = json::whole(request, "pay_scene").ok().flatten().unwrap_or(0);
    let (plate, number) = (json::filled(request, "car_number"), json::filled(request, "order_id"));
    let inside = world.order(lot, |order| match (&number, &plate) {
        (Some(number), _) => order.text("order_id") == *number,
        (None, Some(plate)) => order.open && order.text("car_number") == *plate,
        (None, None) => false,
    });
    let known = |given: Option<String>, name: &str| given.or_else(|| inside.map(|order| order.text(name)));
    // At the exit the message names a gate and no car; elsewhere the car, and an unknown order as an empty text.
    let (plate, number) = match scene {
        1 => (plate, json::maybe(number)),
        _ => (known(plate, "car_number"), known(number, "order_id").unwrap_or_default().into()),
    };
    json::object([
        ("service_name", "query_price".into()),
        ("park_id", lot.into()),
        ("pay_scene", scene.into()),
        ("car_number", json::maybe(plate)),
        ("order_id", number),
        ("out_channel_id", json::maybe(json::filled(request, "out_channel_id"))),
        ("query_order_no", format!("{lot}{}p", clock::stamp()).into()),
        ("licence", json::maybe(json::filled(request, "licence"))),
    ])
}

/// The notice of a prepayment.
pub fn prepay_notice(payment: &Members, quote: &Quote) -> Members {
    let echo = |name: &str| payment.get(name).cloned().unwrap_or(Value::Null);
    let asked = |name: &str| quote.answer.get(name).or_else(|| quote.question.get(name)).cloned();
    json::object([
        ("service_name", "prepay_order".into()),
        ("park_id", quote.lot.clone().into()),
        ("car_number", echo("car_number")),
        ("order_id", echo("order_id")),
        ("prepay", echo("total")),
        ("prepay_type", 1.into()),
        ("pay_channel", echo("pay_channel")),
        ("query_order_no", asked("query_order_no").unwrap_or(Value::Null)),
        ("trade_no", echo("trade_no")),
        ("query_time", asked("query_time").unwrap_or_else(|| clock::seconds().into())),
        ("pay_time", echo("pay_time")),
        ("arrive_money", echo("arrive_money")),
        ("fee", echo("fee")),
        ("account_type", 1.into()),
        ("remark", echo("remark")),
    ])
}
