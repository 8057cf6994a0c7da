//! Turns the catalogue's data files into one constant table: nothing is parsed or built when the library starts.

use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

type Entry = Map<String, Value>;

/// Reads every data file and gives the text of the generated module.
pub fn generate(dir: &Path) -> String {
    let entries = read(dir);
    let mut out = String::from("/// Every interface, sorted by id.\npub static INTERFACES: &[Interface] = &[\n");
    for (id, entry) in &entries {
        interface(&mut out, id, entry);
    }
    out.push_str("];\n\n");
    index(&mut out, &entries, "UPLINKS", &["uplink", "local"]);
    index(&mut out, &entries, "DOWNLINKS", &["downlink"]);
    out
}

fn read(dir: &Path) -> BTreeMap<String, Entry> {
    let mut entries = BTreeMap::new();
    let files = std::fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    for file in files {
        let path = file.expect("a directory entry").path();
        if path.extension().is_none_or(|ext| ext != "json") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let list: Vec<Entry> = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        for entry in list {
            let id = need(&entry, "id").to_owned();
            if entries.insert(id.clone(), entry).is_some() {
                panic!("{}: {id} is there twice", path.display());
            }
        }
    }
    entries
}

fn interface(out: &mut String, id: &str, e: &Entry) {
    let aliases = e.get("reply_aliases").and_then(Value::as_array).into_iter().flatten();
    let aliases: Vec<String> = aliases.map(|pair| format!("({}, {})", quoted(&pair[0]), quoted(&pair[1]))).collect();
    let members = [
        ("id", format!("{id:?}")),
        ("platform", variant("Platform", need(e, "platform"))),
        ("section", format!("{:?}", need(e, "section"))),
        ("title", format!("{:?}", need(e, "title"))),
        ("title_zh", format!("{:?}", need(e, "title_zh"))),
        ("direction", variant("Direction", need(e, "direction"))),
        ("knowledge", variant("Knowledge", need(e, "knowledge"))),
        ("service", option(text(e, "service"))),
        ("wire_name", option(text(e, "wire_name"))),
        ("method", format!("{:?}", text(e, "method").unwrap_or(""))),
        ("union_id_beside", flag(e, "union_id_beside")),
        ("fields", fields(id, e, "fields")),
        ("reply_fields", fields(id, e, "reply_fields")),
        ("wrapped", flag(e, "wrapped")),
        ("class", variant("Class", text(e, "class").unwrap_or("query"))),
        ("durable", flag(e, "durable")),
        ("never_late", condition(e.get("never_late"))),
        ("order_by", option(text(e, "order_by"))),
        ("correlate_by", strings(e.get("correlate_by"))),
        ("dedupe_by", strings(e.get("dedupe_by"))),
        ("deadline_ms", e.get("deadline_ms").and_then(Value::as_u64).unwrap_or(0).to_string()),
        ("expects_reply", flag(e, "expects_reply")),
        ("is_synchronous", flag(e, "is_synchronous")),
        ("always_worded", flag(e, "always_worded")),
        ("success", condition(e.get("success"))),
        ("reply_names", strings(e.get("reply_names"))),
        ("reply_aliases", format!("&[{}]", aliases.join(", "))),
    ];
    out.push_str("  Interface {\n");
    for (name, value) in members {
        writeln!(out, "    {name}: {value},").expect("text");
    }
    out.push_str("  },\n");
}

fn fields(id: &str, e: &Entry, side: &str) -> String {
    let mut out = String::from("&[");
    for field in e.get(side).and_then(Value::as_array).into_iter().flatten() {
        let f = field.as_object().unwrap_or_else(|| panic!("{id}: a field is no object"));
        let required = match need(f, "required") {
            // What the library fills itself is never missing.
            _ if f.contains_key("by_library") => "Required::No".to_owned(),
            "yes" => "Required::Yes".to_owned(),
            "no" => "Required::No".to_owned(),
            "when" => format!("Required::When({:?})", need(f, "when")),
            other => panic!("{id}: required {other:?}"),
        };
        let required_if = condition(f.get("required_if"));
        let max_len = f.get("max_len").and_then(Value::as_u64).map_or("None".to_owned(), |n| format!("Some({n})"));
        write!(
            out,
            "\n      Field {{ path: {:?}, mark: {}, is_inside: {}, kind: {}, max_len: {max_len}, required: {required}, required_if: {required_if}, values: {}, not_blank: {} }},",
            need(f, "path"),
            format_args!("mark({:?})", need(f, "path")),
            need(f, "path").contains('.'),
            variant("Kind", need(f, "type")),
            strings(f.get("values")),
            flag(f, "not_blank"),
        )
        .expect("text");
    }
    out.push(']');
    out
}

/// Names to places in the table, sorted by length and name: what the software calls an interface, and what the wire calls it.
fn index(out: &mut String, entries: &BTreeMap<String, Entry>, name: &str, directions: &[&str]) {
    let mut names = std::collections::BTreeSet::new();
    for (place, entry) in entries.values().enumerate() {
        if directions.contains(&need(entry, "direction")) {
            let platform = variant("Platform", need(entry, "platform"));
            let known = [text(entry, "service"), text(entry, "wire_name")];
            // A path is no name, and parkInfo is the outer name of several.
            for name in known.into_iter().flatten().filter(|n| !n.contains('/') && *n != "parkInfo") {
                names.insert((name.len(), name, platform.clone(), place));
            }
        }
    }
    writeln!(out, "static {name}: &[(&str, Platform, u16)] = &[").expect("text");
    for (_, name, platform, place) in names {
        writeln!(out, "  ({name:?}, {platform}, {place}),").expect("text");
    }
    out.push_str("];\n\n");
}

fn text<'a>(e: &'a Entry, key: &str) -> Option<&'a str> {
    e.get(key).and_then(Value::as_str)
}

/// A member and the values it has when the condition holds.
fn condition(pair: Option<&Value>) -> String {
    let pair = pair.and_then(Value::as_array);
    pair.map_or("None".to_owned(), |pair| format!("Some(({}, {}))", quoted(&pair[0]), strings(Some(&pair[1]))))
}

fn need<'a>(e: &'a Entry, key: &str) -> &'a str {
    text(e, key).unwrap_or_else(|| panic!("{:?}: no {key}", e.get("id").or(e.get("path"))))
}

fn flag(e: &Entry, key: &str) -> String {
    e.get(key).and_then(Value::as_bool).unwrap_or(false).to_string()
}

fn option(value: Option<&str>) -> String {
    value.map_or("None".to_owned(), |v| format!("Some({v:?})"))
}

fn strings(value: Option<&Value>) -> String {
    let list = value.and_then(Value::as_array).into_iter().flatten();
    let list: Vec<String> = list.map(quoted).collect();
    format!("&[{}]", list.join(", "))
}

fn quoted(value: &Value) -> String {
    format!("{:?}", value.as_str().unwrap_or_else(|| panic!("{value}: a text was expected")))
}

/// `record` to `Class::Record`; the compiler refuses what is no variant.
fn variant(kind: &str, name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().unwrap_or_default().to_ascii_uppercase();
    format!("{kind}::{first}{}", letters.as_str())
}
