//! The listener: what reaches the software, what is refused and how, what is answered twice but asked once.
#![allow(missing_docs)]

mod listener_support;

use listener_support::*;
use parklink::catalogue::{self, Direction, Platform};
use parklink::config::{Config, Unknown};
use parklink::error::Code;
use parklink::sdk::Sdk;
use parklink::wire::form;
use serde_json::{Value, json};
use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[test]
fn a_price_is_asked_and_answered() {
    let bench = Bench::open(json!({}), |event| {
        assert_eq!((&event["platform"], &event["kind"]), (&json!("union"), &json!("request")));
        Some(json!({"state": 1, "price": "6.50", "duration": 60, "order_id": event["data"]["order_id"]}))
    });
    let answered = bench.push("/union", &union(&price("2184-263")));
    assert_eq!(answered.status, 200);
    assert!(answered.header("content-type").unwrap().starts_with("application/json"));
    // The members that tie it to the question are filled in, and nothing that the document does not have.
    assert_eq!(
        answered.json(),
        json!({"state": 1, "price": "6.50", "duration": 60, "order_id": "10000", "query_order_no": "2184-263",
               "park_id": "20003", "errmsg": ""})
    );
    assert_eq!(bench.heard.lock().unwrap()[0]["data"], price("2184-263"));
}

/// Sections 5, 9 and 11: each push reaches the callback under its own id, and its answer repeats what it must.
#[test]
fn every_push_of_the_open_api() {
    let bench = Bench::open(json!({"listen": {"max_age_s": 0}}), |event| {
        let mut answer = json!({"state": 1, "errmsg": "", "price": "1.00", "duration": 1, "verify_code": "810335"});
        for member in ["channel_id", "operate", "liftrod_id", "order_id", "car_number", "timetemp", "prepay"] {
            answer[member] = event["data"].get(member).cloned().unwrap_or(json!("1"));
        }
        Some(answer)
    });
    let mut count = 0;
    for interface in catalogue::all() {
        let Some(service) = interface.service.filter(|_| interface.platform == Platform::Union) else { continue };
        if interface.direction != Direction::Downlink || service == "get_inpark_image" {
            continue;
        }
        let mut data = json!({"service_name": service});
        for field in interface.fields.iter().filter(|field| !field.path.contains(['.', '['])) {
            if data.get(field.path).is_none() {
                data[field.path] = json!("1");
            }
        }
        let body = match service {
            "people_data" => {
                let list = json!([{"projectId": 62, "villageName": "陈前区域"}]).to_string();
                let sign = md5(&format!("{list}key={KEY}"));
                format!("{{\"sign\":\"{sign}\",\"union_id\":200188,\"service_name\":\"people_data\",\"data\":{list}}}")
            }
            _ => union(&data),
        };
        let answered = bench.push("/union", &body);
        assert_eq!((answered.status, &answered.json()["state"]), (200, &json!(1)), "{service}: {answered:?}");
        assert_eq!(bench.heard.lock().unwrap().last().unwrap()["interface"], interface.id);
        let repeats_name = interface.reply_fields.iter().any(|field| field.path == "service_name");
        assert_eq!(answered.json().get("service_name").is_some(), repeats_name, "{service}");
        for key in interface.correlate_by {
            assert!(answered.json().get(key).is_some(), "{service} {key}");
        }
        count += 1;
    }
    assert_eq!(count, 21);
}

/// What a push lacks its answer cannot repeat: the software's word reaches the platform all the same.
#[test]
fn a_payment_without_its_number_can_be_answered() {
    let bench = Bench::open(json!({}), |_| Some(json!({"state": 1})));
    for number in [None, Some(Value::Null)] {
        let mut payment =
            json!({"service_name": "outpark", "state": 1, "park_id": "20003", "order_id": "o1", "total": 0.01});
        if let Some(number) = number {
            payment["trade_no"] = number;
        }
        let answered = bench.push("/union", &union(&payment));
        assert_eq!((answered.status, &answered.json()["state"]), (200, &json!(1)), "{answered:?}");
    }
}

#[test]
fn a_push_without_its_name_is_known_by_its_address_or_its_members() {
    let bench = Bench::yes(json!({}));
    let escape = json!({"amount": 0.01, "trade_no": "20170921336510038", "park_id": "21781", "out_trade_no": "M617",
        "openid": "o", "pay_platform_fee": "0.00006", "state": 1, "receipt_amount": "0.00994"});
    let answered = bench.push("/union/plat_escape_order", &union(&escape));
    assert_eq!(answered.json(), json!({"state": 1, "errmsg": "", "trade_no": "20170921336510038"}));
    assert_eq!(bench.push("/union", &union(&escape)).status, 400, "it could be either of two payments");
    let owner = json!({"union_id": 109010, "park_id": "1001", "order_id": "1089922", "car_number": "苏K55098",
        "is_union_user": 1, "rand": "0.99993232345436"});
    assert_eq!(bench.push("/union", &union(&owner)).status, 200);
    let heard: Vec<Value> = bench.heard.lock().unwrap().iter().map(|event| event["interface"].clone()).collect();
    assert_eq!(heard, ["union.plat_escape_order", "union.notice_car_owner"]);
}

/// A wrong picture is the software's to mend: the platform would be told that there is none.
#[test]
fn what_is_no_base64_is_no_answer() {
    let bench = Bench::open(json!({}), |_| None);
    let push = union(&json!({"comid": "3251", "type": "in", "orderid": "1"}));
    std::thread::scope(|scope| {
        let answered = scope.spawn(|| bench.push("/union", &push));
        let id = loop {
            match bench.heard.lock().unwrap().last() {
                Some(event) => break event["event_id"].as_u64().unwrap(),
                None => std::thread::yield_now(),
            }
        };
        for wrong in ["data:image/jpeg;base64,/9j/4A==", "/9j/4A", "####"] {
            let error = bench.sdk.reply(id, &json!({"content_base64": wrong}).to_string()).unwrap_err();
            assert!(error.code == Code::Invalid && error.message.contains("content_base64"), "{error}");
        }
        bench.sdk.reply(id, r#"{"content_base64": "/9j/4A=="}"#).unwrap();
        assert_eq!(answered.join().unwrap().body, b"\xff\xd8\xff\xe0");
    });
}

#[test]
fn a_picture_is_bytes() {
    let bench = Bench::open(json!({}), |event| {
        Some(match event["data"]["orderid"].as_str() {
            Some("png") => json!({"content_base64": "iVBORw0KGgo=", "content_type": "image/png"}),
            Some("jpeg") => json!({"content_base64": "/9j/4A=="}),
            Some("lines") => json!({"content_base64": "/9j/\r\n4A==\r\n"}),
            _ => json!({"state": 0, "errmsg": "没有图片"}),
        })
    });
    let ask = |order: &str| bench.push("/union", &union(&json!({"comid": "3251", "type": "in", "orderid": order})));
    let png = ask("png");
    assert_eq!((png.status, png.header("content-type")), (200, Some("image/png")));
    assert_eq!(png.body, b"\x89PNG\r\n\x1a\n");
    let jpeg = ask("jpeg");
    assert_eq!((jpeg.header("content-type"), jpeg.body.as_slice()), (Some("image/jpeg"), &b"\xff\xd8\xff\xe0"[..]));
    assert_eq!(ask("lines").body, b"\xff\xd8\xff\xe0");
    let none = ask("none");
    assert_eq!((none.status, &none.json()["errmsg"]), (404, &json!("没有图片")));
}

fn car(id: &str) -> Value {
    let beijing = chrono::Utc::now() + chrono::TimeDelta::hours(8);
    json!({"synId": id, "plateNumber": "渝ATX061", "parkName": "ETCP智慧停车场", "parkId": 1,
        "entranceTime": "2017-08-20 12:59:54", "userType": "76", "pushTime": beijing.format("%Y-%m-%d %H:%M:%S").to_string(),
        "fixParkingId": "U7", "remainingDays": "11"})
}

#[test]
fn etcp_pushes_in_each_reading() {
    let bench = Bench::yes(json!({}));
    let answered = bench.push("/etcp", &etcp(&car("a")));
    assert_eq!((answered.status, answered.json()), (200, json!({"code": 0, "message": "ok"})));
    let mut exit = car("a");
    exit["exitTime"] = json!("2017-08-19 12:07:19");
    exit["stayedTime"] = json!(148980);
    assert_eq!(bench.push("/etcp", &etcp(&exit)).status, 200);
    // A form with data, and JSON that was made again with blanks.
    let text = car("b").to_string();
    let sign = md5(&format!("{NO}{text}{ETCP_KEY}"));
    let form = form::text(&[("data", &text), ("signment", &sign)]);
    let mut client = bench.connect();
    client.send(request("/etcp", &form).replace("application/json;charset=utf-8", "application/x-www-form-urlencoded"));
    assert_eq!(client.read().unwrap().json(), json!({"code": 0, "message": "ok"}));
    let mut with_sign = car("c");
    with_sign["signment"] = json!(md5(&format!("{NO}{}{ETCP_KEY}", car("c"))));
    assert_eq!(bench.push("/etcp", &serde_json::to_string_pretty(&with_sign).unwrap()).status, 200);
    let heard: Vec<Value> = bench.heard.lock().unwrap().iter().map(|event| event["interface"].clone()).collect();
    assert_eq!(heard, ["etcp.car_in", "etcp.car_out", "etcp.car_in", "etcp.car_in"]);
    // A chosen reading takes no other.
    let strict = Bench::yes(json!({"listen": {"etcp_sign": "text"}}));
    let answered = strict.push("/etcp", &serde_json::to_string_pretty(&with_sign).unwrap());
    assert_eq!((answered.status, &answered.json()["code"]), (401, &json!(4)));
    assert_eq!(strict.push("/etcp", &etcp(&car("d"))).status, 200);
    assert_eq!(strict.calls(), 1);
}

#[test]
fn the_software_may_answer_etcp_in_either_words() {
    for (answer, expected) in [
        (json!({"code": 0, "message": "好"}), json!({"code": 0, "message": "好"})),
        (json!({"state": 0, "errmsg": "忙"}), json!({"code": 1, "message": "忙"})),
    ] {
        let bench = Bench::open(json!({}), move |_| Some(answer.clone()));
        assert_eq!(bench.push("/etcp", &etcp(&car("a"))).json(), expected);
    }
}

#[test]
fn what_is_refused_and_how() {
    let limits = json!({"listen": {"max_body_bytes": 4096, "body_timeout_ms": 300, "header_timeout_ms": 300}});
    let bench = Bench::open(limits, |_| Some(json!({"state": 1, "price": "1", "duration": 1})));
    let good = union(&price("1"));
    let unsigned = format!("{{\"data\":{}}}", price("1"));
    let forged = good.replace("10000", "10001");
    let cases: [(&str, &str, &str, u16); 10] = [
        ("POST", "/union", &unsigned, 401),
        ("POST", "/union", &forged, 401),
        ("POST", "/union", "{\"data\":", 400),
        ("POST", "/union", "[]", 400),
        ("POST", "/nowhere", &good, 404),
        ("POST", "/union/a/b", &good, 404),
        ("GET", "/union", "", 405),
        ("PUT", "/etcp", &good, 405),
        ("POST", "/etcp", &good, 401),
        ("POST", "/etcp", "{}", 401),
    ];
    for (method, path, body, status) in cases {
        let mut client = bench.connect();
        client.send(request(path, body).replace("POST", method));
        let answered = client.read().unwrap();
        assert_eq!(answered.status, status, "{method} {path} {body}");
        assert_eq!(answered.header("allow").is_some(), status == 405);
        if path.starts_with("/etcp") && method == "POST" {
            assert_eq!(answered.json()["code"], 4);
        }
    }
    for (kind, status) in [
        ("text/html", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/x-www-form-urlencoded", 415),
        ("application/octet-stream", 415),
        ("text/plain", 200),
        ("APPLICATION/JSON", 200),
        ("text/json;charset=UTF-8", 200),
    ] {
        let mut client = bench.connect();
        client.send(request("/union", &good).replace("application/json;charset=utf-8", kind));
        assert_eq!(client.read().unwrap().status, status, "{kind}");
    }
    let calls = bench.calls();
    let large = union(&json!({"service_name": "query_price", "query_order_no": "x".repeat(5000)}));
    assert_eq!(bench.push("/union", &large).status, 413);
    let mut gbk = good.clone().into_bytes();
    gbk[20] = 0xff;
    let mut client = bench.connect();
    client.send(request("/union", &good).split("\r\n\r\n").next().unwrap());
    client.send("\r\n\r\n");
    client.send(&gbk);
    assert_eq!(client.read().unwrap().status, 400);
    // A body that stops half way, and one whose sender leaves.
    let half = &request("/union", &good)[..request("/union", &good).len() - 20];
    let mut client = bench.connect();
    client.send(half);
    assert_eq!(client.read().unwrap().status, 408);
    let mut client = bench.connect();
    client.send(half);
    client.reader.get_mut().shutdown(std::net::Shutdown::Write).unwrap();
    assert!(client.read().is_none_or(|answered| answered.status == 400));
    // A head that never ends.
    let mut client = bench.connect();
    let begun = Instant::now();
    client.send("POST /union HTTP/1.1\r\nHost: h\r\n");
    assert!(client.read().is_none_or(|answered| answered.status == 408));
    assert!(begun.elapsed() < Duration::from_secs(5));
    // A head that is too long, and a pause that is.
    let mut client = bench.connect();
    client.send(request("/union", &good).replace("Host: h", &format!("Host: h\r\nX: {}", "x".repeat(20_000))));
    assert_eq!(client.read().unwrap().status, 431);
    assert_eq!(bench.calls(), calls);
    let mut client = bench.connect();
    assert_eq!(client.post("/union", &good).status, 200);
    let begun = Instant::now();
    assert!(client.read().is_none() && begun.elapsed() < Duration::from_secs(5));
}

/// The examples of the documents, signed, as pushes.
#[test]
fn every_example_of_a_push() {
    let bench = Bench::open(json!({"listen": {"max_age_s": 0}}), |event| {
        let picture = event["interface"] == "union.get_inpark_image";
        Some(match picture {
            true => json!({"content_base64": "/9j/4A=="}),
            false => json!({"state": 1, "errmsg": "", "price": "1", "duration": 1, "verify_code": "1"}),
        })
    });
    let mut count = 0;
    for file in ["union-pushes", "etcp"] {
        let path = format!("{}/src/catalogue/data/{file}.json", env!("CARGO_MANIFEST_DIR"));
        let entries: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        for entry in entries.iter().filter(|entry| entry["direction"] == "downlink" && entry["service"].is_string()) {
            let (example, service) = (&entry["request_example"], entry["service"].as_str().unwrap());
            let (path, body) = match (file, example) {
                (_, Value::Null) => continue,
                ("etcp", example) => {
                    let mut members = example.clone();
                    members.as_object_mut().unwrap().shift_remove("signment");
                    ("/etcp".to_owned(), etcp(&members))
                }
                // 5.12 prints its members without the wrapper; 9.1 has a list.
                (_, example) => {
                    let data = example.get("data").unwrap_or(example);
                    (format!("/union/{service}"), union(data))
                }
            };
            let answered = bench.push(&path, &body);
            assert_eq!(answered.status, 200, "{service}: {answered:?}");
            assert_eq!(bench.heard.lock().unwrap().last().unwrap()["interface"], entry["id"]);
            // Unsigned, as 5.12 and 6.4 print it, it is nobody's.
            assert_eq!(bench.push(&path, &example["data"].to_string()).status / 100, 4);
            count += 1;
        }
    }
    assert_eq!((count, bench.calls()), (13, 13));
}

/// Each byte of a signed push flipped: none of them reaches the callback.
#[test]
fn no_flipped_byte_passes() {
    let bench = Bench::yes(json!({}));
    for (path, body) in [("/union", union(&price("1"))), ("/etcp", etcp(&car("a")))] {
        let mut client = bench.connect();
        for at in 0..body.len() {
            let mut bytes = body.clone().into_bytes();
            bytes[at] ^= 1 << (at % 7);
            client.send(request(path, &body).split("\r\n\r\n").next().unwrap());
            client.send("\r\n\r\n");
            client.send(&bytes);
            let answered = client.read().expect("the connection stays usable");
            assert!(matches!(answered.status, 400 | 401), "byte {at}: {answered:?}");
        }
        assert_eq!(bench.calls(), 0);
    }
}

#[test]
fn a_push_of_another_time_is_refused() {
    let bench = Bench::yes(json!({}));
    let enter = |time: i64| {
        json!({"service_name": "nolicence_in_park", "car_number": "EA47829", "park_id": "21798", "union_id": 20002,
               "timetemp": time, "channel_id": "A1"})
    };
    let now = chrono::Utc::now().timestamp();
    assert_eq!(bench.push("/union", &union(&enter(now))).status, 200);
    for time in [now - 2000, now + 2000, 0] {
        assert_eq!(bench.push("/union", &union(&enter(time))).status, 403);
    }
    let mut old = car("old");
    old["pushTime"] = json!("2017-08-20 12:59:57");
    let answered = bench.push("/etcp", &etcp(&old));
    assert_eq!((answered.status, &answered.json()["code"]), (403, &json!(3)));
    old.as_object_mut().unwrap().shift_remove("pushTime");
    assert_eq!(bench.push("/etcp", &etcp(&old)).status, 200, "pushTime is optional");
    assert_eq!(bench.calls(), 2);
}

#[test]
fn pipelined_and_chunked_requests() {
    let bench = Bench::yes(json!({}));
    let mut client = bench.connect();
    let many: String = (0..20).map(|at| request("/union", &union(&charged(&at.to_string())))).collect();
    client.send(many);
    for at in 0..20 {
        assert_eq!(client.read().unwrap().json()["trade_no"], at.to_string());
    }
    // In chunks of one byte, in pieces of any size.
    let body = union(&charged("chunked"));
    let mut chunked = "POST /union HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n".as_bytes().to_vec();
    for byte in body.bytes() {
        chunked.extend_from_slice(b"1\r\n");
        chunked.push(byte);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    for piece in chunked.chunks(97) {
        client.send(piece);
    }
    assert_eq!(client.read().unwrap().json()["trade_no"], "chunked");
    // With Expect, the body is asked for.
    let expecting = request("/union", &union(&charged("expected")));
    let (head, body) = expecting.split_once("\r\n\r\n").unwrap();
    client.send(format!("{head}\r\nExpect: 100-continue\r\n\r\n"));
    assert_eq!(client.read().unwrap().status, 100);
    client.send(body);
    assert_eq!(client.read().unwrap().json()["trade_no"], "expected");
    assert_eq!(bench.calls(), 22);
}

#[test]
fn over_tls_with_a_certificate_of_its_own() {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap().self_signed(&key).unwrap();
    let (dir, _) = store_options("tls");
    std::fs::create_dir_all(&dir).unwrap();
    let file = |name: &str, text: String| {
        let path = dir.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (cert, key) = (file("cert.pem", certificate.pem()), file("key.pem", key.serialize_pem()));
    let bench = Bench::yes(json!({"listen": {"tls_cert": cert, "tls_key": key, "header_timeout_ms": 500}}));
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connect = || {
        let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
        let connection = rustls::ClientConnection::new(Arc::new(config.clone()), name).unwrap();
        let stream = TcpStream::connect(("127.0.0.1", bench.port)).unwrap();
        BufReader::new(rustls::StreamOwned::new(connection, stream))
    };
    let mut client = connect();
    for number in ["1", "2"] {
        client.get_mut().write_all(request("/union", &union(&charged(number))).as_bytes()).unwrap();
        assert_eq!(read(&mut client).unwrap().json()["trade_no"], number);
    }
    // A handshake that is none, and one that never comes.
    let mut plain = bench.connect();
    plain.send(request("/union", &union(&charged("3"))));
    assert!(plain.read().is_none());
    let mut silent = bench.connect();
    let begun = Instant::now();
    assert_eq!(silent.reader.read(&mut [0]).unwrap_or(0), 0);
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(bench.calls(), 2);
    for (cert, word) in [("/nowhere.pem", "listen.tls_cert"), (key.as_str(), "listen.tls_cert")] {
        let config = json!({"listen": {"tls_cert": cert, "tls_key": key}});
        let error = Sdk::open(parse(&config)).unwrap_err();
        assert!(error.code == Code::Config && error.message.contains(word), "{error}");
    }
    let _ = std::fs::remove_dir_all(dir);
}

#[test]
fn a_path_is_served_only_with_its_key() {
    let config = json!({"ukey": KEY, "listen": {"addr": "127.0.0.1:0", "union_path": "/hooks/bolink/"}});
    let sdk = Sdk::open(Config::parse(&config.to_string(), Unknown::Refuse).unwrap()).unwrap();
    sdk.on_downlink(Some(Box::new(|_| {}))).unwrap();
    let addr = sdk.status()["listener"]["addr"].as_str().unwrap().to_owned();
    let port = addr.rsplit(':').next().unwrap().parse().unwrap();
    assert_eq!(Client::connect(port).post("/etcp", &etcp(&car("1"))).status, 404);
    assert_eq!(Client::connect(port).post("/union", "{}").status, 404);
    assert_eq!(Client::connect(port).post("/hooks/bolink", "{}").status, 401);
}
