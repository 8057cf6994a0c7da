//! Planted mistakes, and how they are told.

use parklink::catalogue::*;
use parklink::json::{Members, Value};

/// A value of the library's.
macro_rules! json {
    ($($value:tt)*) => {
        Value::from(serde_json::json!($($value)*))
    };
}

fn members(value: Value) -> Members {
    value.as_object().expect("an object").clone()
}

#[test]
fn bad_input_is_named() {
    let exit = json!({"car_number": "京A12345", "in_time": 1490875218, "out_time": "1490879218", "uid": "1", "car_type": "小车",
        "c_type": "通道扫牌", "pay_type": "cash", "empty_plot": 20, "total": "6.5", "order_id": "A1", "amount_receivable": 6.5,
        "out_uid": "1", "something_new": [1]});
    let with = |change: Value| {
        let mut all = members(exit.clone());
        all.extend(members(change));
        all
    };
    // (id, members, the problems as they are shown)
    let table: &[(&str, Members, &[&str])] = &[
        (
            "union.queryOrderState",
            members(json!({"park_id": "1", "query_type": 2})),
            &["trade_no: required by API 4.3 when query_type is 1 or 2 (monthly-card and short-stay queries), missing"],
        ),
        ("cloud.out_park", with(json!({})), &[]),
        ("cloud.out_park", with(json!({"total": null})), &["total: required by SDK 2.2, missing"]),
        ("cloud.out_park", with(json!({"total": ""})), &["total: required by SDK 2.2, missing"]),
        ("cloud.out_park", with(json!({"total": "6,5"})), &["total: must be a number (SDK 2.2), found the text 6,5"]),
        (
            "cloud.out_park",
            with(json!({"in_time": "abc"})),
            &["in_time: must be a number (SDK 2.2), found the text abc"],
        ),
        ("cloud.out_park", with(json!({"in_time": 1490875218.5, "duration": "", "remark": 5})), &[]),
        ("cloud.out_park", with(json!({"in_time": 149087521800000i64, "total": 6.299999999999999})), &[]),
        (
            "cloud.out_park",
            with(json!({"in_time": 1490875218000000i64, "total": "1000000000000000.00"})),
            &[
                "in_time: at most 15 characters (SDK 2.2), found 16: 1490875218000000",
                "total: at most 15 characters (SDK 2.2), found 16: 1000000000000000",
            ],
        ),
        ("cloud.out_park", with(json!({"car_type": ""})), &[]),
        ("cloud.out_park", with(json!({"car_type": true})), &["car_type: must be text (SDK 2.2), found true"]),
        (
            "cloud.out_park",
            with(json!({"pay_type": "sweepcode"})),
            &["auth_code: required by SDK 2.2 when pay_type=sweepcode, missing"],
        ),
        (
            "cloud.out_park",
            with(
                json!({"pay_type": "sweepcode", "auth_code": "13478957515446561013478957515446561013478957515446561013478957515"}),
            ),
            &["auth_code: at most 64 characters (SDK 2.2), found 65"],
        ),
        (
            "cloud.out_park",
            with(json!({"car_number": "京A1234567890"})),
            &["car_number: at most 8 characters (SDK 2.2), found 12: 京A1234567890"],
        ),
        (
            "cloud.in_park",
            members(json!({"car_number": " ", "order_id": "", "in_time": 1, "car_type": "", "c_type": "", "uid": "",
                "empty_plot": 0, "in_channel_id": ""})),
            &["car_number: required by SDK 2.1, blank", "order_id: required by SDK 2.1, blank"],
        ),
        // To the cloud's server an empty text is no number at all; blanks are text that is none, and it does not answer.
        ("cloud.out_park", with(json!({"duration": ""})), &[]),
        (
            "cloud.out_park",
            with(json!({"duration": "  "})),
            &["duration: must be a number (SDK 2.2), found the text   "],
        ),
        (
            "cloud.upload_month_member",
            members(json!({"card_id": "m1", "car_number": "京A1,京A2", "operate_type": 3})),
            &[],
        ),
        (
            "cloud.upload_month_member",
            members(
                json!({"card_id": "m1", "car_number": "京A1", "operate_type": "1", "begin_time": 1, "end_time": 2, "price": "1"}),
            ),
            &["amount_receivable: required by SDK 2.10 when operate_type is not 3, missing"],
        ),
        (
            "cloud.upload_blackuser",
            members(json!({"black_uuid": "b1", "car_number": "京A1", "operate_type": 7})),
            &["operate_type: must be one of 1, 2, 3 (SDK 2.15), found 7"],
        ),
        (
            "cloud.upload_carpic",
            members(json!({"picture_source": "order", "create_time": 1, "upload_type": "http", "order_id": "A1"})),
            &["park_order_type: required by SDK 2.12 when picture_source=order, missing"],
        ),
        (
            "bolink.parkInfo.correct_business",
            members(
                json!({"path": "commapi/upMessage", "data": {"union_id": 1, "park_id": "1", "service_name": "correct_business",
                "car_number": "京A1", "order_id": "A1", "type": "9", "in_time": "x"}}),
            ),
            &[
                "data.type: must be one of 1, 2, 3 (SDK 2.39), found 9",
                "data.in_time: must be a number (SDK 2.39), found the text x",
            ],
        ),
        (
            "bolink.parkInfo.parking_business_count",
            members(json!({"path": "commapi/upMessage"})),
            &["data: required by SDK 2.40, missing"],
        ),
        (
            "bolink.member_discount",
            members(
                json!({"request_no": "r", "order_id": "o", "car_number": "京A1", "member_id": "m", "coupon_choose": [{"coupon_id": "1"}, {}]}),
            ),
            &["coupon_choose[1].coupon_id: required by SDK 3.30, missing"],
        ),
        // The link knows the user's token; one that is given is nobody's to see.
        ("etcp.bindcar", members(json!({"plateNumber": "京A12345"})), &[]),
        (
            "etcp.bindcar",
            members(json!({"plateNumber": "京A12345", "token": ["s"]})),
            &["token: must be text (ETCP 8.4), found something else (not shown)"],
        ),
        (
            "union.bolinkparkpay",
            members(json!({"title": "停车费"})),
            &[
                "park_id: required by API 3.4, missing",
                "amount: required by API 3.4, missing",
                "order_id: required by API 3.4, missing",
                "car_number: required by API 3.4, missing",
                "in_time: required by API 3.4, missing",
                "trade_no: required by API 3.4, missing",
                "pay_type: required by API 3.4, missing",
                "time_temp: required by API 3.4, missing",
            ],
        ),
        // Title only: anything passes.
        ("cloud.2.25", members(json!({"anything": {"at": ["all"]}})), &[]),
    ];
    for (id, input, wanted) in table {
        let found: Vec<String> =
            validate(by_id(id).unwrap(), input, Side::Request).iter().map(Problem::to_string).collect();
        assert_eq!(found, *wanted, "{id}");
    }
    let long = "长".repeat(500);
    let shown = validate(
        by_id("cloud.park_log").unwrap(),
        &members(json!({"log_id": "1", "operate_time": 1, "user_id": "1", "content": long})),
        Side::Request,
    );
    assert_eq!(shown[0].found.as_deref(), Some(format!("500: {}…", "长".repeat(39)).as_str()));
}

#[test]
fn replies_are_held_against_their_own_table() {
    let check = |id: &str, reply: Value| {
        let problems = validate(by_id(id).unwrap(), &members(reply), Side::Reply);
        problems.iter().map(Problem::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        check("cloud.lock_car", json!({"state": 1, "order_id": "A1"})),
        ["is_locked: required by SDK 3.9, missing"]
    );
    assert_eq!(
        check("cloud.query_prodprice", json!({"state": 1, "trade_no": "t"})),
        ["price: required by SDK 3.11 when state=1, missing"]
    );
    assert_eq!(
        check("cloud.query_prodprice", json!({"state": 0, "trade_no": "t"})),
        ["errmsg: required by SDK 3.11 when state=0, missing"]
    );
    assert_eq!(
        check(
            "cloud.month_member_sync",
            json!({"state": "1", "card_id": "m1", "operate_type": "1", "card_id_local": "L"})
        ),
        [""; 0]
    );
    assert_eq!(
        check("bolink.outpark", json!({"state": 3, "trade_no": "t", "order_id": "o"})),
        ["state: must be one of 0, 1 (SDK 3.4), found 3"]
    );
    assert_eq!(
        check("bolink.nolicence_in_park", json!({"state": 2, "car_number": "无牌62000F9", "timetemp": 1})),
        [""; 0]
    );
}
