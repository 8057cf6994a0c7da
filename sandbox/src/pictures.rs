//! Pictures of the cloud, which come by HTTP.

use crate::app::App;
use crate::faults::Platform::Cloud;
use crate::http::answer;
use crate::json::{self, Members};
use crate::log;
use crate::world::World;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;

/// The most bytes of a picture.
const LARGEST: usize = 201_100;

/// The sources: name, member with the record's number, what that is called in a refusal.
const SOURCES: [(&str, &str, &str); 3] =
    [("order", "order_id", "订单编号"), ("liftrod", "liftrod_id", "抬杆记录编号"), ("confirm", "event_id", "事件编号")];

/// Takes a picture. The token is the TCP link's; the sign is not looked at.
pub async fn receive(
    State(app): State<Arc<App>>,
    Query(query): Query<HashMap<String, String>>,
    body: Bytes,
) -> Response {
    if query.get("action").is_none_or(|action| action != "receivepic") {
        return answer(StatusCode::NOT_FOUND, "");
    }
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mut world = app.world();
    world.counts.add(Cloud, "pictures.received");
    let token = json::value_text(&body["token"]).unwrap_or_default();
    let Some(lot) = world.cloud.row_of(&token).map(|row| row.lot.clone()) else {
        world.counts.add(Cloud, "pictures.unknown_token");
        return answer(StatusCode::OK, "");
    };
    let none = Members::new();
    let data = body["data"].as_object().unwrap_or(&none);
    let (state, text) = match store(&mut world, &lot, data) {
        Ok(()) => (1, "上传成功！".to_owned()),
        Err(text) => (0, text),
    };
    world.counts.add(Cloud, if state == 1 { "pictures.stored" } else { "pictures.refused" });
    log::event("cloud", || format!("picture of {lot}: {text}"));
    answer(StatusCode::OK, json!({"state": state, "errmsg": text}).to_string())
}

fn store(world: &mut World, lot: &str, data: &Members) -> Result<(), String> {
    let source = json::filled(data, "picture_source").ok_or("图片上传失败，缺少必填字段picture_source！")?;
    let content = json::filled(data, "content").ok_or("图片上传失败，缺少图片数据！")?;
    let size = decoded_size(&content);
    if size > LARGEST {
        return Err(format!("图片过大，最大支持200K，实际上传大小：{}K", size / 1024));
    }
    let known = SOURCES.iter().find(|(name, _, _)| *name == source);
    let (_, member, called) = known.ok_or("图片上传失败，缺少必填字段picture_source！")?;
    let number = json::filled(data, member).ok_or_else(|| format!("图片上传失败，缺少{called}！"))?;
    let key = format!("{source}/{number}/{size}");
    let table = world.table(lot, "pictures");
    if table.contains_key(&key) {
        return Err("图片已上传过，不可再传！".into());
    }
    let mut record = data.clone();
    record.insert("content".into(), format!("{size} bytes").into());
    table.insert(key, Value::Object(record));
    Ok(())
}

/// How many bytes a base64 text stands for.
fn decoded_size(text: &str) -> usize {
    text.bytes().filter(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')).count() * 3
        / 4
}
