//! The open API: envelope, lots, stays, the city, the smart community.

use crate::client::{Sandbox, UKEY, exchange, http};
use crate::vendor::{beside, inside, md5, raw};
use parklink::wire::sign::keyed;
use serde_json::{Value, json};

const ORDERS: &str = "/unionapi/neworder";

pub fn entry(sandbox: &Sandbox, number: &str, plate: &str) -> Value {
    let data =
        json!({"park_id": "21782", "order_id": number, "car_number": plate, "in_time": now() - 3600, "empty_plot": 20});
    inside(sandbox, &format!("{ORDERS}/addorder"), data)
}

pub fn exit(sandbox: &Sandbox, number: &str, plate: &str, pay_type: &str, total: &str) -> Value {
    let data = json!({"park_id": "21782", "order_id": number, "car_number": plate, "in_time": now() - 3600,
        "out_time": now(), "empty_plot": 21, "total": total, "pay_type": pay_type, "auth_code": "134789575154465610"});
    inside(sandbox, &format!("{ORDERS}/updateorder"), data)
}

pub fn now() -> i64 {
    chrono::Utc::now().timestamp()
}

#[test]
fn the_documents_vector_with_its_own_vendor() {
    let sandbox = Sandbox::start();
    sandbox.control("/lots", &json!({"park_id": "1", "union_id": "10001", "ukey": "NQ0eSXs720170114"}));
    // Data and sign as printed.
    let data = "{\"park_id\":\"1001\",\"name\":\"北京上地三街9号院停车场\",\"address\":\"北京上地三街9号\",\
        \"phone\":\"139000334443\",\"lng\":\"123.994449\",\"city_id\":110000,\"lat\":\"332.466666\",\"total_plot\":90,\
        \"empty_plot\":56,\"union_id\":10001,\"price_desc\":\"2元每小时\",\"rand\":\"0.210354312785198048\"}";
    let body = format!("{{\"data\":{data},\"sign\":\"F2BA9A4E4362E2C41676FC720B14290C\"}}");
    let answer = raw(&sandbox, "/unionapi/newpark/addpark", &body);
    assert_eq!((&answer["state"], &answer["park_id"]), (&json!(1), &json!("1001")));
    assert!(answer["username"].is_number());
    // Every flipped byte of data is refused: no answer says success.
    for at in 0..data.len() {
        let mut bytes = data.as_bytes().to_vec();
        bytes[at] ^= 1;
        let Ok(data) = String::from_utf8(bytes) else { continue };
        let body = format!("{{\"data\":{data},\"sign\":\"F2BA9A4E4362E2C41676FC720B14290C\"}}");
        assert_eq!(raw(&sandbox, "/unionapi/newpark/addpark", &body)["state"], 0, "byte {at}");
    }
}

#[test]
fn the_sign_covers_the_exact_text() {
    let sandbox = Sandbox::start();
    for data in [
        r#"{"union_id":200208,"park_id":"21782","service_name":"parking_business_count"}"#,
        r#"{ "park_id" : "21782",  "union_id":"200208", "service_name":"parking_business_count", "x":1.0 }"#,
        r#"{"service_name":"parking_business_count","union_id":200208,"park_id":"\u00321782","n":null}"#,
    ] {
        let send = |sign: String| {
            raw(&sandbox, "/unionapi/neworder/uploadData", &format!("{{\"sign\":\"{sign}\",\"data\":{data}}}"))
        };
        assert_eq!(send(keyed(data, UKEY))["data"]["parking_business_count"], 0, "{data}");
        assert_eq!(send(keyed(data, "wrong"))["errmsg"], "签名错误", "{data}");
    }
}

#[test]
fn refusals_of_the_envelope_in_the_words_of_the_section() {
    let sandbox = Sandbox::start();
    let refused = |path: &str, body: &str| raw(&sandbox, path, body);
    let order = "/unionapi/neworder/addorder";
    for (body, text) in [
        ("no json", "data error"),
        ("{\"data\":{}}", "未识别到sign标记"),
        ("{\"data\":{},\"sign\":\"A\"}", "未识别到union_id标记"),
        // Beside data is the wrong place for this one.
        ("{\"data\":{},\"union_id\":200208,\"sign\":\"A\"}", "未识别到union_id标记"),
        ("{\"data\":{\"union_id\":1},\"sign\":\"A\"}", "厂商不存在"),
        ("{\"data\":{\"union_id\":200208},\"sign\":\"A\"}", "签名错误"),
    ] {
        assert_eq!(refused(order, body), json!({"state": 0, "errmsg": text}), "{body}");
    }
    let inner = "{\"data\":{\"union_id\":200208},\"sign\":\"A\"}";
    assert_eq!(refused("/unionapi/etcPayApi", inner)["errmsg"], "未识别到union_id标记");
    assert_eq!(refused("/unionapi/invoiceInfo", inner), json!({"code": 500, "message": "签名错误"}));
    assert_eq!(refused("/unionapi/queryOpenInvoiceStatus", inner)["code"], 1);
    let community = refused("/yitong/facekey/personRecord", "{\"data\":{},\"union_id\":\"200208\",\"sign\":\"A\"}");
    assert_eq!((&community["code"], community["data"].is_string()), (&json!(0), true));
    let missing = inside(&sandbox, order, json!({"park_id": "21782", "order_id": "A1"}));
    assert_eq!((&missing["state"], &missing["order_id"]), (&json!(0), &json!("A1")));
    assert!(missing["errmsg"].as_str().is_some_and(|text| text.contains("car_number")), "{missing}");
    let other = json!({"park_id": "404", "order_id": "A1", "car_number": "京A1", "in_time": 1, "empty_plot": 1});
    assert_eq!(inside(&sandbox, order, other)["errmsg"], "车场不存在");
    let (status, _) = http("POST", &format!("{}/unionapi/nothing", sandbox.union), "{}");
    assert_eq!(status, 404);
    let unknown = inside(&sandbox, "/unionapi/neworder/uploadData", json!({"park_id": "21782", "service_name": "x"}));
    assert_eq!(unknown["errmsg"], "没有正确的service_name");
}

#[test]
fn a_lot_is_published_approved_changed_and_disabled() {
    let sandbox = Sandbox::start();
    let park = |rand: &str| {
        json!({"park_id": "10001", "name": "北京上地三街9号院停车场", "address": "北京上地三街9号", "phone": "139000334443",
            "city_id": 110000, "lng": "123.999999", "lat": "32.444444", "total_plot": 122, "empty_plot": 34,
            "price_desc": "2元每小时", "remark": "简要说明", "rand": rand})
    };
    let add = |rand: &str| inside(&sandbox, "/unionapi/newpark/addpark", park(rand));
    assert_eq!(add("0.1")["errmsg"], "添加车场成功");
    assert_eq!(add("0.2")["errmsg"], "车场已存在");
    let update = |data: Value| inside(&sandbox, "/unionapi/newpark/updatepark", data);
    // As printed: without total_plot.
    let free =
        |rand: &str| json!({"park_id": "10001", "type": 1, "empty_plot": 32, "rand": rand, "price_desc": "2元每小时"});
    assert_eq!(update(free("0.3"))["errmsg"], "车场未审核");
    sandbox.control("/approve", &json!({"park_id": "10001"}));
    assert_eq!(update(free("0.3")), json!({"state": 1, "errmsg": "修改车场成功", "park_id": "10001"}));
    assert_eq!(update(free("0.3"))["errmsg"], "rand重复，非法请求");
    assert_eq!(update(json!({"park_id": "10001", "type": 1, "rand": "0.4"}))["state"], 0);
    assert_eq!(update(json!({"park_id": "10001", "type": 2, "rand": "0.5"}))["state"], 1);
    let code = json!({"park_id": "10001", "type": 1});
    assert_eq!(inside(&sandbox, "/unionapi/getqrcodecloud", code)["errmsg"], "车场已停用");
}

#[test]
fn codes_settings_and_onboarding() {
    let sandbox = Sandbox::start();
    let code = |data: Value| inside(&sandbox, "/unionapi/getqrcodecloud", data);
    let lane = code(json!({"type": 2, "channel_id": "A1", "park_id": "21782", "create": 1, "change": 1}));
    assert_eq!(
        (&lane["errmsg"], &lane["type"], &lane["channel_id"]),
        (&json!("getCodeUrl success"), &json!(2), &json!("A1"))
    );
    assert!(lane["code_url"].as_str().is_some_and(|url| url.starts_with("http")));
    let bare = code(json!({"type": 3, "park_id": "21782"}));
    assert!(bare["errmsg"].as_str().is_some_and(|text| text.contains("channel_id")), "{bare}");
    assert_eq!(code(json!({"type": 4, "park_id": "21782"}))["state"], 0);
    let set =
        inside(&sandbox, "/unionapi/newpark/setUp", json!({"nolience_config": {"is_verify": 1}, "park_id": "21782"}));
    assert_eq!(set, json!({"state": 1, "errmsg": "设置成功"}));
    assert_eq!(beside(&sandbox, "/unionapi/lsbind", json!({"park_id": "21782"}))["errmsg"], "合同未签约");
    // The printed example spells percent otherwise.
    let split = json!({"park_id": "21782", "account_no": "1324564", "account_name": "测试商户", "percen": 10});
    assert!(beside(&sandbox, "/unionapi/lsaccountsplit", split)["contract_url"].is_string());
    let much = json!({"park_id": "21782", "account_no": "1324564", "account_name": "测试商户", "percent": 31});
    assert_eq!(beside(&sandbox, "/unionapi/lsaccountsplit", much)["state"], 0);
    assert_eq!(
        beside(&sandbox, "/unionapi/lsbind", json!({"park_id": "21782"})),
        json!({"state": 1, "errmsg": "成功"})
    );
    let base = json!({"merchant_type": 1, "merchant_shortname": "测试停车场", "merchant_name": "测试停车场",
        "license_address": "硅谷亮城2号楼", "regprov_id": 110_000, "regcity_id": 110_100, "regarea_id": 110_101});
    let data = json!({"park_id": "21782", "incom_type": 2, "base_info": base});
    assert_eq!(beside(&sandbox, "/unionapi/newpark/lsregister", data.clone())["state"], 1);
    assert_eq!(beside(&sandbox, "/unionapi/newpark/lsregister", data)["state"], 0);
}

#[test]
fn the_browsers_pages() {
    let sandbox = Sandbox::start();
    let host = sandbox.union.strip_prefix("http://").expect("http");
    sandbox.control("/lots", &json!({"park_id": "park2020010921", "union_id": "200279", "ukey": "1232FDA8DCD1E3D7"}));
    assert_eq!(md5("1232FDA8DCD1E3D71584082770000"), "0F1A106C865E84863EC862DD93FE1156");
    let page = |sign: &str| {
        let query = "park_id=park2020010921&union_id=200279&is_private_cloud=1&timestamp=1584082770000";
        http("GET", &format!("{}/web/parkingos/gettoken?{query}&sign={sign}", sandbox.union), "").1
    };
    assert_eq!(page("0F1A106C865E84863EC862DD93FE1156")["state"], 1);
    assert_eq!(page("0F1A106C865E84863EC862DD93FE1157")["errmsg"], "签名错误");
    let path = "/unionapi/getlicence?redirectUrl=https%3A%2F%2Fbaidu.com%3Fa%3D100%26b%3D200";
    let ask = |agent: &str| {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\nConnection: close\r\n\r\n");
        let answer = exchange(host, &request);
        assert!(answer.starts_with("HTTP/1.1 302"), "{answer}");
        answer.lines().find_map(|line| line.strip_prefix("location: ").map(str::to_owned)).expect("a location")
    };
    let plate = ask("one");
    assert!(plate.starts_with("https://baidu.com?a=100&b=200&licence=") && plate.len() == 38 + 7, "{plate}");
    assert_eq!(ask("one"), plate);
    assert_ne!(ask("two"), plate);
}

#[test]
fn stays_come_and_go() {
    let sandbox = Sandbox::start();
    let came = entry(&sandbox, "A1", "京GH0093");
    assert_eq!(came, json!({"state": 1, "errmsg": "上传成功", "order_id": "A1"}));
    assert_eq!(entry(&sandbox, "A1", "京GH0093")["errmsg"], "该订单已经存在");
    entry(&sandbox, "A2", "京GH0094");
    let gone = exit(&sandbox, "A1", "京GH0093", "cash", "6.00");
    assert_eq!((&gone["state"], &gone["order_id"], &gone["pay_type"]), (&json!(1), &json!("A1"), &json!("cash")));
    assert_eq!(exit(&sandbox, "A1", "京GH0093", "cash", "6.00")["errmsg"], "订单已结算");
    assert_eq!(exit(&sandbox, "A2", "京GH0094", "card", "6.00")["state"], 0);
    exit(&sandbox, "A2", "京GH0094", "escape", "7.5");
    let data = json!({"park_id": "21782", "car_number": "京GH0094", "time_temp": now()});
    let escaped = beside(&sandbox, "/unionapi/neworder/queryescape", data);
    let row = &escaped["escapeOrder"][0];
    assert_eq!((&row["orderId"], &row["money"], &row["unionId"]), (&json!("A2"), &json!("7.50"), &json!(200_208)));
    assert_eq!(row["duration"], "0天1小时0分钟");
    // A car that owes is told of when it comes again.
    assert_eq!(entry(&sandbox, "A3", "京GH0094")["escapeOrder"][0]["orderId"], "A2");
    let past = |data: Value| inside(&sandbox, "/unionapi/neworder/queryorders", data);
    let all = past(json!({"park_id": "21782", "start_time": now() - 86400, "size": 1}));
    assert_eq!((&all["count"], &all["page"], &all["data"][0]["money"]), (&json!(2), &json!(1), &json!("6.00")));
    assert_eq!(past(json!({"car_number": "京GH0094", "start_time": now() - 86400}))["count"], 1);
    assert_eq!(past(json!({}))["state"], 0);
    assert_eq!(past(json!({"park_id": "21782", "start_time": 1}))["errmsg"], "查询时间不能超过一个月");
    let charged = json!({"park_id": "21782", "platform_id": 2, "car_number": "晋SS0000", "start_charge_seq": "2021110300012",
        "calculation_method": 1, "duration": 2.12, "reduce_amount": "1", "out_time": 1_635_911_040});
    assert_eq!(inside(&sandbox, "/zld/openservice/uploaddurationinfo", charged)["state"], 1);
}

#[test]
fn the_citys_calls() {
    let sandbox = Sandbox::start();
    let city = |service: &str, more: Value| {
        let mut data = json!({"park_id": "21782", "service_name": service});
        for (name, value) in more.as_object().expect("an object") {
            data[name] = value.clone();
        }
        inside(&sandbox, "/unionapi/neworder/uploadData", data)
    };
    entry(&sandbox, "A1", "京HP00G6");
    assert_eq!(city("parking_business_count", json!({}))["data"]["parking_business_count"], 1);
    assert_eq!(city("parking_business_list", json!({}))["data"]["ext_order_id_list"], json!(["A1"]));
    let detail = city("parking_business_list", json!({"detail_type": "2"}));
    let row = &detail["data"]["order_detail_list"][0];
    assert_eq!(
        (&row["order_id"], &row["license_color"], &row["park_order_type"]),
        (&json!("A1"), &json!("0"), &json!("11"))
    );
    assert_eq!(row["in_time"].as_str().map(str::len), Some(19));
    let correct = |kind: &str| {
        city("correct_business", json!({"car_number": "京HP00G7", "order_id": "A1", "type": kind, "total": 1.01}))
    };
    assert_eq!((correct("2")["state"].clone(), correct("1")["state"].clone()), (json!(0), json!(1)));
    exit(&sandbox, "A1", "京HP00G7", "cash", "6.00");
    assert_eq!(correct("2")["state"], 1);
    let check = |plate: &str| city("park_check", json!({"car_number": plate}))["data"].clone();
    assert_eq!(check("京HP00G6")["status"], "1");
    sandbox.control("/city", &json!({"car_number": "京HP00G6", "reason": 2}));
    assert_eq!((&check("京HP00G6")["status"], &check("京HP00G6")["reason"]), (&json!("0"), &json!("2")));
    assert_eq!(city("get_screen_str", json!({"type": "3"}))["screen_str"], "一路顺风");
    sandbox
        .control("/pass", &json!({"car_number": "京A47829", "begin_time": 1_600_000_000, "end_time": 1_700_000_000}));
    let passes = city("get_vip_vehicle_list", json!({"vip_type": "1", "pageNum": "1", "pageSize": "20"}));
    assert_eq!((&passes["totalCount"], &passes["totalPages"], &passes["pageNum"]), (&json!(1), &json!(1), &json!(1)));
    assert_eq!(
        (&passes["list"][0]["plateNo"], &passes["list"][0]["vipStartDateStr"]),
        (&json!("京A47829"), &json!("2020-09-13"))
    );
}

#[test]
fn a_person_is_recorded() {
    let sandbox = Sandbox::start();
    let data = "{\"community_name\":\"陈前区域\",\"pass_type\":\"in\"}";
    let sign = keyed(data, UKEY);
    let send = |beside: &str| {
        raw(&sandbox, "/yitong/facekey/personRecord", &format!("{{{beside}\"sign\":\"{sign}\",\"data\":{data}}}"))
    };
    let answer = send("\"platform_name\":\"shanghai\",\"union_id\":\"200208\",\"timestamp\":\"1645690842\",");
    assert_eq!(answer, json!({"code": 1, "data": "{\"state\":1,\"message\":\"上报成功\"}", "message": "成功"}));
    assert_eq!(send("\"union_id\":\"200208\",\"timestamp\":\"1645690842\",")["code"], 0);
}

#[test]
fn faults_hit_the_open_api_too() {
    let sandbox = Sandbox::start();
    let fault = |kind: &str, value: i64| {
        sandbox.control(
            "/faults",
            &json!({"platform": "union", "kind": kind, "value": value, "count": 1, "service": "addorder"}),
        );
    };
    fault("code", 1);
    assert_eq!(entry(&sandbox, "A1", "京A1")["errmsg"], "sandbox fault");
    fault("http_status", 503);
    let (status, _) = http("POST", &format!("{}/unionapi/neworder/addorder", sandbox.union), "{}");
    assert_eq!(status, 503);
    fault("drop", 1);
    let sent = json!({"park_id": "21782", "order_id": "A2", "car_number": "京A2", "in_time": 1, "empty_plot": 1, "union_id": 200_208}).to_string();
    let body = format!("{{\"data\":{sent},\"sign\":\"{}\"}}", keyed(&sent, UKEY));
    let answer = crate::client::try_http("POST", &format!("{}/unionapi/neworder/addorder", sandbox.union), &body);
    assert!(answer.is_none(), "{answer:?}");
    // It was handled all the same.
    assert_eq!(entry(&sandbox, "A2", "京A2")["errmsg"], "该订单已经存在");
    assert_eq!(sandbox.state()["union"]["records"]["21782"]["addorder"]["A2"], json!({"received": 2, "accepted": 1}));
}
