//! The signature covers the server's own re-serialisation: every vector is accepted through the real port.

use crate::client::{CKEY, Sandbox};
use serde_json::{Value, json};

fn vectors() -> Vec<Value> {
    let text = include_str!("../../../tests/vectors/cloud-sign.json");
    serde_json::from_str(text).expect("vectors")
}

/// Wraps data around by hand, so that it goes out as it stands.
fn request(token: &str, sign: &str, data: &str) -> String {
    format!("{{\"service_name\":\"nothing\",\"token\":\"{token}\",\"sign\":\"{sign}\",\"data\":{data}}}\n")
}

#[test]
fn every_vector_is_accepted() {
    let sandbox = Sandbox::start();
    let vectors = vectors();
    assert_eq!(vectors.len(), 68);
    for vector in vectors {
        let text = |name: &str| vector[name].as_str().expect(name);
        let client = format!("client of {}", text("note"));
        // A lot with the vector's key; a client of its own, so that no rate is met.
        sandbox.control("/lots", &json!({"park_id": "21782", "ckey": text("key")}));
        let mut connection = sandbox.connect();
        let data = json!({"park_id": "21782", "local_id": client}).to_string();
        connection.token = connection.try_login(&data, text("key"))["token"].as_str().expect("token").to_owned();
        // What is accepted and unknown is answered without words; a wrong sign is refused.
        connection.send(request(&connection.token.clone(), text("sign"), text("data_sent")));
        assert_eq!(connection.frame(), "", "{}", text("note"));
        connection.send(request(&connection.token.clone(), &text("sign").to_lowercase(), text("data_sent")));
        let refused = connection.json();
        // A sign of digits only has no lower case.
        assert_eq!(refused["errmsg"], "error:签名错误", "{}", text("note"));
    }
}

#[test]
fn the_sign_is_over_the_normal_form_not_the_bytes() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    let sign = |text: &str| parklink::wire::sign::keyed(text, CKEY);
    // The same data in other clothes, signed as normal form.
    for data in ["{\"a\":1}", "{ \"a\" : 1 }", "{a:1,}", "{'a':01,\"b\":null}", "{\"a\":9,\"a\":+1}", "{,\"a\":1.}"] {
        client.send(request(&client.token.clone(), &sign("{\"a\":1}"), data));
        assert_eq!(client.frame(), "", "{data}");
    }
    // Signed as bytes it is refused.
    client.send(request(&client.token.clone(), &sign("{ \"a\" : 1 }"), "{ \"a\" : 1 }"));
    assert_eq!(client.json()["errmsg"], "error:签名错误");
    // In a JSON text the inner text itself is signed.
    let inner = "{ \"a\" : 1.50, \"b\":null }";
    let data = serde_json::to_string(inner).expect("text");
    client.send(request(&client.token.clone(), &sign(inner), &data));
    assert_eq!(client.frame(), "");
}

#[test]
fn the_place_of_data_in_the_wrapper_does_not_matter() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    let sign = parklink::wire::sign::keyed("{\"a\":1}", CKEY);
    let token = client.token.clone();
    client.send(format!("{{\"data\":{{\"a\":1}},\"token\":\"{token}\",\"sign\":\"{sign}\",\"service_name\":\"x\"}}\n"));
    assert_eq!(client.frame(), "");
}
