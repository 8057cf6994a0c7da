//! The catalogue: whole, consistent in itself, and true to the documents' own examples.

use parklink::catalogue::*;
use parklink::json::{Members, Value};
use std::collections::BTreeSet;

/// A value of the library's.
macro_rules! json {
    ($($value:tt)*) => {
        Value::from(serde_json::json!($($value)*))
    };
}

fn members(value: Value) -> Members {
    value.as_object().expect("an object").clone()
}

/// The data files: (entry, interface).
fn data() -> Vec<(Members, &'static Interface)> {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/catalogue/data");
    let mut entries = Vec::new();
    for file in std::fs::read_dir(dir).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let list = parklink::json::parse(&text).unwrap();
        entries.extend(list.as_array().unwrap().iter().map(|entry| {
            let entry = entry.as_object().unwrap().clone();
            let interface = by_id(entry["id"].as_str().unwrap()).expect("in the table");
            (entry, interface)
        }));
    }
    entries
}

/// `2.1` to `2.44` and the like.
fn run(section: &str, numbers: std::ops::RangeInclusive<u32>) -> impl Iterator<Item = String> {
    numbers.map(move |n| format!("{section}.{n}"))
}

#[test]
fn every_section_of_the_three_documents_is_there() {
    let plain = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    // The SDK document has no 2.7.
    let sdk = plain(&["1.1", "1.2", "1.2.1", "1.3", "1.4", "4.1", "4.2", "5.2"])
        .into_iter()
        .chain(run("2", 1..=6))
        .chain(run("2", 8..=44))
        .chain(run("3", 1..=44))
        .chain(run("5.1", 1..=12))
        .chain(run("7", 1..=7));
    let api = plain(&["7", "9.1"])
        .into_iter()
        .chain(run("1", 1..=3))
        .chain(run("2", 1..=6))
        .chain(run("3", 1..=11))
        .chain(run("4", 1..=4))
        .chain(run("5", 1..=14))
        .chain(run("6", 1..=5))
        .chain(run("8", 1..=9))
        .chain(run("10", 1..=6))
        .chain(run("11", 1..=7));
    let etcp = plain(&["1-3", "4-5", "6-7", "9", "10"]).into_iter().chain(run("8", 1..=10)).chain(run("9", 1..=2));
    let wanted: BTreeSet<String> = sdk
        .map(|s| format!("SDK {s}"))
        .chain(api.map(|s| format!("API {s}")))
        .chain(etcp.map(|s| format!("ETCP {s}")))
        .collect();
    // What stands behind the number is a remark: `SDK 1.2 (TCP link)`.
    let there: BTreeSet<String> = all().iter().map(|i| i.section.split(" (").next().unwrap().to_owned()).collect();
    let missing: Vec<_> = wanted.difference(&there).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert_eq!(wanted.len(), 8 + 43 + 44 + 12 + 7 + 67 + 17);
}

#[test]
fn ids_are_unique_and_found() {
    for pair in all().windows(2) {
        assert!(pair[0].id < pair[1].id, "{} {}", pair[0].id, pair[1].id);
    }
    for interface in all() {
        assert_eq!(by_id(interface.id).unwrap().section, interface.section);
        assert!(
            interface.id.starts_with(interface.platform.name()) || interface.id.starts_with("sdk."),
            "{}",
            interface.id
        );
    }
    assert!(by_id("cloud.nothing").is_none() && by_id("").is_none());
    assert_eq!(data().len(), all().len());
}

#[test]
fn the_documents_examples_validate() {
    let mut seen = 0;
    let mut bad = Vec::new();
    for (entry, interface) in data().iter().filter(|(_, i)| i.direction != Direction::Definition) {
        for (key, side) in [("request_example", Side::Request), ("reply_example", Side::Reply)] {
            let Some(example) = entry.get(key).and_then(Value::as_object) else { continue };
            let example = if side == Side::Request { interface.members(example).into_owned() } else { example.clone() };
            // A few were cut in the document: what they have must be right, what they lack says nothing.
            let cut = side == Side::Request && entry.contains_key("example_cut");
            let problems = validate(interface, &example, side);
            let problems = problems.iter().filter(|p| !(cut && matches!(p.rule, Rule::Required(_))));
            bad.extend(problems.map(|problem| format!("{} {key}: {problem}", interface.id)));
            seen += 1;
        }
    }
    assert!(bad.is_empty(), "{} problems in {seen} examples:\n{}", bad.len(), bad.join("\n"));
    assert!(seen > 150, "{seen}");
}

#[test]
fn the_keys_exist() {
    for i in all() {
        let has = |fields: &[Field], name: &str| fields.iter().any(|field| field.path == name);
        for name in i.correlate_by {
            assert!(has(i.fields, name), "{}: {name} is no member of the request", i.id);
            assert!(
                i.reply_fields.is_empty() || has(i.reply_fields, name),
                "{}: {name} is no member of the reply",
                i.id
            );
        }
        for name in i.dedupe_by.iter().filter(|name| **name != CONTENT) {
            assert!(has(i.fields, name), "{}: {name}", i.id);
        }
        assert!(i.order_by.is_none_or(|name| has(i.fields, name)), "{}", i.id);
        for side in [i.fields, i.reply_fields] {
            for field in side {
                assert!(
                    field.required_if.is_none_or(|(path, values)| has(side, path) && !values.is_empty()),
                    "{} {}",
                    i.id,
                    field.path
                );
                assert_eq!(side.iter().filter(|other| other.path == field.path).count(), 1, "{} {}", i.id, field.path);
            }
        }
        // Over a shared connection an answer must say what it answers, unless the document gives it nothing to say it with.
        let nothing_to_echo = ["bolink.check_vip", "bolink.space_notify", "bolink.query_car_info", "screen.sweepcode"];
        let own_call = matches!(i.platform, Platform::Union | Platform::Etcp);
        if i.direction == Direction::Downlink && i.expects_reply && !own_call && !nothing_to_echo.contains(&i.id) {
            assert!(!i.correlate_by.is_empty(), "{}", i.id);
        }
        let repeated = matches!(i.class, Class::Money) && i.direction == Direction::Downlink;
        assert!(!repeated || !i.dedupe_by.is_empty() || i.id.ends_with("check_vip"), "{}: money without a key", i.id);
    }
}

#[test]
fn what_the_wire_showed() {
    // (service, what its reply echoes)
    for (service, echo) in [
        ("in_park", &["order_id"][..]),
        ("out_park", &["order_id"]),
        ("upload_order", &["order_id"]),
        ("upload_collector", &["user_id"]),
        ("work_record", &["uuid"]),
        ("upload_liftrod", &["liftrod_id"]),
        ("upload_gate", &["channel_id"]),
        ("upload_month_member", &["card_id"]),
        ("upload_month_card", &["package_id"]),
        ("month_pay_record", &["card_id"]),
        ("upload_blackuser", &["black_uuid"]),
        ("upload_price", &["price_id"]),
        ("park_log", &["log_id"]),
        ("upload_confirm_order", &[]),
    ] {
        assert_eq!(uplink(Platform::Cloud, service).unwrap().correlate_by, echo, "{service}");
    }
    let car_type = by_reply_name(Platform::Cloud, "car_type_upload").unwrap();
    assert_eq!(car_type.id, "cloud.upload_car_type");
    assert_eq!(car_type.reply_aliases, [("car_type_id", "cartype_id")]);
    // (downlink, wrapped, what its answer must have, how long it is waited for)
    for (service, wrapped, answer, ms) in [
        ("price_sync", true, &["price_id"][..], 120_000),
        ("month_card_sync", true, &["package_id"], 120_000),
        ("month_member_sync", true, &["card_id", "operate_type"], 120_000),
        ("collector_sync", true, &["user_id"], 120_000),
        ("car_type_sync", true, &["car_type_id"], 120_000),
        ("blackuser_sync", true, &["black_uuid"], 120_000),
        ("month_pay_sync", true, &["trade_no", "card_id"], 120_000),
        ("gate_sync", true, &["channel_id"], 120_000),
        ("lock_car", false, &["order_id", "is_locked"], 2_000),
        ("query_prodprice", false, &["trade_no"], 2_000),
        ("deliver_ticket", false, &["ticket_id", "order_id"], 7_700),
        ("operate_liftrod", false, &["channel_id", "operate"], 3_000),
        ("confirm_order_inform", false, &["event_id"], 2_000),
    ] {
        let i = downlink(Platform::Cloud, service, &Members::new()).unwrap();
        let always = i.reply_fields.iter().filter(|field| field.required.always()).map(|field| field.path);
        let wanted: BTreeSet<&str> = answer.iter().copied().chain(["state"]).collect();
        assert_eq!(always.collect::<BTreeSet<_>>(), wanted, "{service}");
        assert_eq!((i.wrapped, i.deadline_ms, i.expects_reply), (wrapped, ms, true), "{service}");
    }
}

#[test]
fn names_lead_to_their_interface() {
    let none = Members::new();
    let down = |platform, service: &str, members: &Members| downlink(platform, service, members).map(|i| i.id);
    assert_eq!(uplink(Platform::Bolink, "inpark").unwrap().id, "bolink.in_park");
    assert_eq!(uplink(Platform::Bolink, "outpark").unwrap().id, "bolink.out_park");
    assert_eq!(uplink(Platform::Cloud, "inpark").map(|i| i.id), None);
    assert_eq!(uplink(Platform::Union, "etcPayApi").unwrap().wire_name, Some("/unionapi/etcPayApi"));
    assert_eq!(uplink(Platform::Etcp, "bindcar").unwrap().id, "etcp.bindcar");
    // The outer name of several calls.
    let count = members(json!({"data": {"service_name": "parking_business_count"}}));
    assert_eq!(uplink_for(Platform::Bolink, "parkInfo", &count).unwrap().section, "SDK 2.40");
    assert!(uplink_for(Platform::Bolink, "parkInfo", &none).is_none());
    // One name, two interfaces: the member type tells, whatever link it came by.
    for platform in [Platform::Cloud, Platform::Bolink] {
        assert_eq!(down(platform, "pay_notice", &members(json!({"type": 1}))), Some("cloud.pay_notice"));
        assert_eq!(down(platform, "pay_notice", &none), Some("bolink.pay_notice"));
    }
    assert_eq!(down(Platform::Union, "pay_notice", &none), Some("union.pay_notice"));
    assert_eq!(down(Platform::Union, "refund", &none), Some("union.refund_notice"));
    assert_eq!(uplink(Platform::Union, "refund").unwrap().id, "union.refund");
    // The cloud relays what is Bolink's.
    assert_eq!(down(Platform::Cloud, "query_price", &none), Some("bolink.query_price"));
    assert_eq!(down(Platform::Cloud, "in_park", &none), Some("cloud.echo.in_park"));
    assert_eq!(down(Platform::Cloud, "brand_new", &none), None);
}

#[test]
fn routes() {
    let to = |service: &str, target: Option<&str>| {
        let found = route(service, target, &Members::new()).into_iter();
        found.map(|c| format!("{}:{}", c.platform.name(), c.interface.map_or("-", |i| i.id))).collect::<Vec<_>>()
    };
    assert_eq!(to("in_park", None), ["cloud:cloud.in_park", "bolink:bolink.in_park"]);
    assert_eq!(to("out_park", None), ["cloud:cloud.out_park", "bolink:bolink.out_park"]);
    assert_eq!(to("out_park", Some("cloud")), ["cloud:cloud.out_park"]);
    assert_eq!(to("upload_order", Some("cloud")), ["cloud:cloud.upload_order"]);
    assert_eq!(to("upload_order", None), ["cloud:cloud.upload_order"]);
    assert_eq!(to("query_order", Some("bolink")), ["bolink:bolink.query_order"]);
    assert_eq!(to("code_url", Some("three")), ["bolink:bolink.code_url"]);
    assert_eq!(to("out", Some("wisdom_screen")), ["screen:screen.out"]);
    assert_eq!(to("screen_info", Some("cloud")), ["cloud:cloud.screen_info"]);
    // An exit on the wire, but to the software the result it acknowledges.
    assert_eq!(to("outpark", Some("bolink")), ["bolink:-"]);
    assert_eq!(to("inpark", Some("bolink")), ["bolink:bolink.in_park"]);
    assert_eq!(to("brand_new", Some("cloud")), ["cloud:-"]);
    assert!(to("brand_new", None).is_empty());
    assert!(to("in_park", Some("clowd")).is_empty());
}

#[test]
fn a_refusal_needs_no_more_than_what_ties_it_to_its_question() {
    let mut seen = 0;
    for (entry, i) in data().iter().filter(|(_, i)| i.direction == Direction::Downlink && i.expects_reply) {
        let Some(example) = entry.get("request_example").and_then(Value::as_object) else { continue };
        let request = i.members(example);
        // Some examples were cut; relayed answers have a form of their own, pictures and people_data none at all.
        if entry.contains_key("example_cut") || !i.reply_fields.iter().any(|field| field.path == "state") {
            continue;
        }
        let always = i.reply_fields.iter().filter(|field| field.required.always()).map(|field| field.path);
        let mut refusal = members(json!({"state": 0, "errmsg": "没有处理"}));
        for name in i.correlate_by.iter().copied().chain(always).filter(|name| *name != "state") {
            let echo = request.get(name).unwrap_or_else(|| panic!("{}: nothing to echo as {name}", i.id));
            refusal.insert(name.to_owned(), echo.clone());
        }
        let problems: Vec<String> = validate(i, &refusal, Side::Reply).iter().map(Problem::to_string).collect();
        assert!(problems.is_empty(), "{}: {problems:?} {refusal:?}", i.id);
        seen += 1;
    }
    assert!(seen > 30, "{seen}");
}

#[test]
fn repeats() {
    let key = |id: &str, message: Value| by_id(id).unwrap().repeat_key(&members(message));
    // The same payment, delivered twice in another member order.
    let first = key("bolink.outpark", json!({"trade_no": "t1", "order_id": "o1", "state": 1, "total": 0.04}));
    let again = key("bolink.outpark", json!({"total": 0.04, "state": "1", "order_id": "o1", "trade_no": "t1"}));
    assert!(first.is_some() && first == again);
    // A pending payment that became paid is news.
    assert_ne!(first, key("bolink.outpark", json!({"trade_no": "t1", "order_id": "o1", "state": 2})));
    // Two failures without a number must both be heard.
    assert_eq!(key("bolink.outpark", json!({"trade_no": "", "order_id": "o1", "state": 0})), None);
    // A record is recognised by its content, whatever the order of its members.
    let one = key("cloud.gate_sync", json!({"channel_id": "A1", "passname": "east", "operate_type": 2})).unwrap();
    let same = key("cloud.gate_sync", json!({"operate_type": 2, "passname": "east", "channel_id": "A1"})).unwrap();
    let changed = key("cloud.gate_sync", json!({"operate_type": 2, "passname": "west", "channel_id": "A1"})).unwrap();
    assert_eq!(one, same);
    assert!(one.key == changed.key && one.content != changed.content);
    // Two discounts of one car, told in turns until they are answered, are two: neither is forgotten for the other.
    let discount = |charge: &str| {
        let told = json!({"car_number": "京A1", "type": 3, "start_charge_seq": charge, "duration": 10});
        key("union.pay_notice", told).unwrap().key
    };
    assert_ne!(discount("C1"), discount("C2"));
    // A command that says something else is another, whatever number it comes under.
    for id in ["cloud.operate_liftrod", "union.operate_liftrod"] {
        let gate = |operate: u8| key(id, json!({"liftrod_id": "L1", "channel_id": "A1", "operate": operate}));
        assert!(gate(0).is_some() && gate(0) != gate(1), "{id}");
    }
    // The same stay told again with another fee is news; told again later it is not.
    let exit = |fee: u32, told: &str| {
        key(
            "etcp.car_out",
            json!({"synId": "S1", "exitTime": "2017-08-19 12:07:19", "receivableFee": fee, "pushTime": told}),
        )
    };
    assert!(exit(500, "12:08:00") == exit(500, "12:09:00") && exit(500, "12:08:00") != exit(600, "12:09:00"));
    // An operator who picks one order, another, and the first again says three things.
    let pick = |order: &str| key("cloud.confirm_order_inform", json!({"event_id": "E1", "order_id": order})).unwrap();
    assert!(pick("A").key == pick("B").key && pick("A").content != pick("B").content);
    // Questions are asked again on purpose.
    assert_eq!(key("bolink.query_price", json!({"order_id": "o1"})), None);
    // The parts of a key do not run into each other.
    let a = key("cloud.month_pay_sync", json!({"trade_no": "a", "card_id": "bc"}));
    assert_ne!(a, key("cloud.month_pay_sync", json!({"trade_no": "ab", "card_id": "c"})));
}

#[test]
fn what_it_costs() {
    let start = std::time::Instant::now();
    let found = by_id("cloud.in_park").is_some() && uplink(Platform::Bolink, "outpark").is_some();
    let first = start.elapsed();
    assert!(found);
    let mut texts = BTreeSet::new();
    let mut bytes = std::mem::size_of_val(all());
    for i in all() {
        texts.extend([i.id, i.section, i.title, i.title_zh, i.service.unwrap_or(""), i.wire_name.unwrap_or("")]);
        for field in i.fields.iter().chain(i.reply_fields) {
            bytes += std::mem::size_of::<Field>() + std::mem::size_of_val(field.values);
            texts.insert(field.path);
            texts.extend(field.values);
        }
        for list in [i.correlate_by, i.dedupe_by, i.reply_names] {
            bytes += std::mem::size_of_val(list);
            texts.extend(list);
        }
    }
    bytes += texts.iter().map(|text| text.len()).sum::<usize>();
    println!("catalogue: {} interfaces, {bytes} bytes, first look-ups {first:?}", all().len());
    assert!(bytes < 2 << 20);
}
