//! The interface pages, from the catalogue's data files.
//!
//! The library's table has what the library needs; meanings, examples and notes stand only in the data files, so the
//! pages are made from those. The treatment (class, deadlines, keys) is read from the compiled table: the pages show
//! what the library does.

use crate::Page;
use parklink::catalogue::{self, Direction, Interface, Knowledge};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

type Entry = Map<String, Value>;

type Belongs = fn(&Interface) -> bool;

/// File, title, which entries.
const PAGES: [(&str, &str, Belongs); 6] = [
    ("cloud", "Parking cloud 停车云 (TCP)", |i| i.id.starts_with("cloud.") && !is_definition(i)),
    ("bolink", "Bolink 泊链 (HTTP)", |i| i.id.starts_with("bolink.") && !is_definition(i)),
    ("screen", "Smart screen 智慧屏", |i| i.id.starts_with("screen.") && !is_definition(i)),
    ("union", "Bolink's open HTTP API (unionapi)", |i| i.id.starts_with("union.") && !is_definition(i)),
    ("etcp", "ETCP open platform", |i| i.id.starts_with("etcp.") && !is_definition(i)),
    ("definitions", "Definitions, conventions, and the SDK itself", |i| is_definition(i) || i.id.starts_with("sdk.")),
];

const INTRO: &str = "\
Every interface that the library knows, made from the catalogue (`src/catalogue/data`) by `cargo run -p xtask -- docs`.
Do not edit these pages.

How to read an entry

- **id**: what `parklink_call` and the sandbox take. `upload` takes the service name and finds the entry by it and by
  `data_target`.
- **SDK 2.1**, **API 3.7**, **ETCP 8.4**: the section of the platform's document.
- **whole / in part / title only**: how much of that section was seen. Members that a table does not name always pass.
- **class**: a *record* is a fact the platform keeps; a *query* may be lost; *money* moves money; a *command* moves
  things; a *sync* changes the lot's own tables. **durable**: it survives a crash and an outage.
- **required**: *yes*, *no*, or the condition (one that a machine cannot check is not enforced).
  Members marked *filled in* are the library's: leave them out.
- A number may be written as text and the other way round. An empty text is a value; an empty number is none.
- **only**: the values allowed. Values listed without it are known ones, and others pass.
- In paths `data.x` is a member of an object, `data[].x` one of each element of a list.
- **On the wire** in a note: seen on the published cloud server; it beats the document.
";

fn is_definition(interface: &Interface) -> bool {
    interface.direction == Direction::Definition
}

/// Every page.
pub fn pages(root: &Path) -> Result<Vec<Page>, String> {
    let entries = read(&root.join("src/catalogue/data"))?;
    let mut index = format!("# The interfaces\n\n{INTRO}\n");
    let mut pages = Vec::new();
    for (name, title, belongs) in PAGES {
        let mut page = format!("# {title}\n\nGenerated; see [how to read this](README.md).\n");
        let mut chosen: Vec<&Interface> = catalogue::all().iter().filter(|i| belongs(i)).collect();
        chosen.sort_by_key(|i| (section_order(i.section), i.id));
        write!(
            index,
            "\n## [{title}]({name}.md)\n\n| id | section | title | | direction | class |\n|---|---|---|---|---|---|\n"
        )
        .map_err(|e| e.to_string())?;
        for interface in chosen {
            let entry = entries.get(interface.id).ok_or_else(|| format!("{}: not in the data files", interface.id))?;
            let anchor = interface.id.to_lowercase().replace('.', "");
            let class = if is_definition(interface) { "" } else { interface.class.name() };
            writeln!(
                index,
                "| [`{}`]({name}.md#{anchor}) | {} | {} | {} | {} | {class}{} |",
                interface.id,
                interface.section,
                interface.title,
                interface.title_zh,
                direction(interface),
                if interface.durable { ", durable" } else { "" },
            )
            .map_err(|e| e.to_string())?;
            section(&mut page, interface, entry).map_err(|e| format!("{}: {e}", interface.id))?;
        }
        pages.push((Path::new("docs/interfaces").join(format!("{name}.md")), page));
    }
    pages.push((Path::new("docs/interfaces/README.md").to_owned(), index));
    Ok(pages)
}

fn read(dir: &Path) -> Result<BTreeMap<String, Entry>, String> {
    let mut entries = BTreeMap::new();
    for file in std::fs::read_dir(dir).map_err(|e| format!("{}: {e}", dir.display()))? {
        let path = file.map_err(|e| e.to_string())?.path();
        let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let list: Vec<Entry> = serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?;
        entries.extend(list.into_iter().map(|entry| (text_of(&entry, "id").to_owned(), entry)));
    }
    Ok(entries)
}

/// `SDK 2.10` after `SDK 2.9`.
fn section_order(section: &str) -> (String, Vec<u32>) {
    let mut words = section.split_whitespace();
    let document = words.next().unwrap_or_default().to_owned();
    let numbers = words.next().unwrap_or_default().split(['.', '-']).map(|n| n.parse().unwrap_or(u32::MAX)).collect();
    (document, numbers)
}

fn section(page: &mut String, i: &Interface, entry: &Entry) -> std::fmt::Result {
    write!(page, "\n## {}\n\n**{} {}**\n\n{}\n", i.id, i.title, i.title_zh, facts(i).join(" · "))?;
    if !is_definition(i) {
        for line in treatment(i) {
            write!(page, "\n- {line}")?;
        }
        page.push('\n');
    }
    let request = if is_definition(i) { "Members" } else { "Request" };
    table(page, request, entry.get("fields"))?;
    table(page, "Reply", entry.get("reply_fields"))?;
    list(page, "Refusals and errors", entry.get("errors"))?;
    list(page, "Notes", entry.get("notes"))?;
    for (key, title) in [("request_example", "Example"), ("reply_example", "Example of a reply")] {
        if let Some(example) = entry.get(key) {
            let cut = if key == "request_example" && entry.contains_key("example_cut") {
                " (cut in the document)"
            } else {
                ""
            };
            write!(
                page,
                "\n{title}{cut}:\n\n```json\n{}\n```\n",
                serde_json::to_string_pretty(example).unwrap_or_default()
            )?;
        }
    }
    Ok(())
}

fn facts(i: &Interface) -> Vec<String> {
    let mut facts = vec![i.section.to_owned(), direction(i).to_owned()];
    if let Some(service) = i.service {
        facts.push(format!("service name `{service}`"));
    }
    if let Some(wire) = i.wire_name {
        let space = if i.method.is_empty() { "" } else { " " };
        facts.push(format!("on the wire `{}{space}{wire}`", i.method));
    }
    facts.push(match i.knowledge {
        Knowledge::Whole => "seen whole".to_owned(),
        Knowledge::Partial => "seen in part".to_owned(),
        Knowledge::Untyped if i.service.is_none() => "known by its title only: it cannot be used".to_owned(),
        Knowledge::Untyped => "untyped: any members pass".to_owned(),
    });
    facts
}

fn treatment(i: &Interface) -> Vec<String> {
    let names = |list: &[&str]| list.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let mut lines = vec![format!("class: {}{}", i.class.name(), if i.durable { ", durable" } else { "" })];
    if let Some(member) = i.order_by {
        lines.push(format!("records with the same `{member}` leave in order"));
    }
    let ours = i.direction == Direction::Downlink;
    if i.deadline_ms > 0 {
        let who = if ours { "our answer is awaited for" } else { "an answer is awaited for" };
        if !ours || i.expects_reply {
            lines.push(format!("{who} {} s", f64::from(i.deadline_ms) / 1000.0));
        }
    }
    if ours && !i.expects_reply {
        lines.push("no answer is expected".to_owned());
    }
    if i.is_synchronous && !ours {
        lines.push("the answer comes on the call itself".to_owned());
    }
    if let Some((member, values)) = i.success {
        lines.push(format!("success is `{member}` {}; the library adds `state` and `errmsg`", values.join(" or ")));
    }
    if !i.correlate_by.is_empty() {
        lines.push(format!("the answer echoes {}", names(i.correlate_by)));
    }
    match i.dedupe_by {
        [] => {}
        [keys @ .., catalogue::CONTENT] => {
            lines.push(format!("a repeat has the same content as the last message with the same {}", names(keys)));
        }
        keys => lines.push(format!("a repeat has the same {}", names(keys))),
    }
    if !i.reply_names.is_empty() {
        lines.push(format!("the answer travels as {}", names(i.reply_names)));
    }
    for (known, wire) in i.reply_aliases {
        lines.push(format!("the answer writes `{wire}` for `{known}`"));
    }
    if i.wrapped {
        lines.push(format!(
            "the members stand inside `data`{}",
            if i.union_id_beside { ", union_id beside it" } else { "" }
        ));
    }
    lines
}

fn table(page: &mut String, title: &str, fields: Option<&Value>) -> std::fmt::Result {
    let Some(fields) = fields.and_then(Value::as_array).filter(|fields| !fields.is_empty()) else { return Ok(()) };
    write!(page, "\n{title}:\n\n| member | type | length | required | meaning |\n|---|---|---|---|---|\n")?;
    for field in fields.iter().filter_map(Value::as_object) {
        let length = field.get("max_len").map(Value::to_string).unwrap_or_default();
        let required = match text_of(field, "required") {
            _ if field.contains_key("by_library") => "filled in".to_owned(),
            "when" => cell(text_of(field, "when")),
            plain => plain.to_owned(),
        };
        let mut meaning = cell(text_of(field, "meaning"));
        if let Some(values) = values_of(field) {
            write!(meaning, "{}{values}", if meaning.is_empty() { "" } else { ": " })?;
        }
        if field.contains_key("not_blank") {
            meaning.push_str("; never blank");
        }
        if let Some(example) = field.get("example").filter(|e| e.is_string() || e.is_number()) {
            let example = example.as_str().map_or_else(|| example.to_string(), str::to_owned);
            write!(meaning, "; e.g. `{}`", cell(&example))?;
        }
        let kind = text_of(field, "type");
        writeln!(page, "| `{}` | {kind} | {length} | {required} | {meaning} |", text_of(field, "path"))?;
    }
    Ok(())
}

/// The values, with their meanings where they are known.
fn values_of(field: &Entry) -> Option<String> {
    let meanings = field.get("enum").and_then(Value::as_object);
    let closed = field.get("values").and_then(Value::as_array);
    let names: Vec<&str> = match (closed, meanings) {
        (Some(closed), _) => closed.iter().filter_map(Value::as_str).collect(),
        (None, Some(meanings)) => meanings.keys().map(String::as_str).collect(),
        (None, None) => return None,
    };
    let shown = names.into_iter().map(|name| {
        let meaning = meanings.and_then(|m| m.get(name)).and_then(Value::as_str).filter(|meaning| *meaning != name);
        let name = if name.is_empty() { "(empty)".to_owned() } else { format!("`{}`", cell(name)) };
        meaning.map_or(name.clone(), |meaning| format!("{name} {}", cell(meaning)))
    });
    let shown = shown.collect::<Vec<_>>().join(", ");
    Some(if closed.is_some() { format!("only {shown}") } else { shown })
}

fn list(page: &mut String, title: &str, items: Option<&Value>) -> std::fmt::Result {
    let Some(items) = items.and_then(Value::as_array).filter(|items| !items.is_empty()) else { return Ok(()) };
    write!(page, "\n{title}:\n\n")?;
    for item in items.iter().filter_map(Value::as_str) {
        // Angle brackets would be taken for a tag.
        writeln!(page, "- {}", item.replace('<', "\\<"))?;
    }
    Ok(())
}

fn direction(i: &Interface) -> &'static str {
    match i.direction {
        Direction::Uplink => "we call",
        Direction::Downlink => "they call",
        Direction::Local => "the library itself",
        Direction::Definition => "definition",
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ").replace('<', "\\<")
}

fn text_of<'a>(entry: &'a Entry, key: &str) -> &'a str {
    entry.get(key).and_then(Value::as_str).unwrap_or_default()
}
