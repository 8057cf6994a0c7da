//! docs/options.md: every option, from the table that the library itself reads.

use parklink::config::{OPTIONS, Spec, Takes};
use std::path::PathBuf;

const HEAD: &str = "\
# Options

Generated from `src/config/options` by `make docs`. Do not edit.

The members of the one JSON object that `parklink_open` takes (and `UploadUtilNative_Init`, which passes over members it
does not know). An option with a dot in its name stands in a group: `cloud.heartbeat_s` is written
`{\"cloud\":{\"heartbeat_s\":30}}`. A member that is no option is an error which names the nearest one. Numbers may be
given as text and text as numbers. Where this page gives no default, leaving the option out means that there is none.
A secret never appears in a log line, an error text or the status.
";

/// The groups in the order of the page: prefix, title.
const GROUPS: &[(&str, &str)] = &[
    ("", "The lot and its platforms"),
    ("cloud", "The link to the parking cloud"),
    ("bolink", "The link to Bolink"),
    ("union", "The link to Bolink's open API"),
    ("etc", "ETC"),
    ("etcp", "The link to ETCP"),
    ("listen", "The listener"),
    ("http", "HTTP"),
    ("files", "Log files"),
    ("store", "The store"),
    ("outbox", "Records that wait for their platform"),
    ("events", "What the platforms ask"),
    ("limits", "Limits"),
    ("log", "The log"),
];

/// The page, with its path below the workspace.
pub fn render() -> Vec<(PathBuf, String)> {
    let mut page = HEAD.to_owned();
    let group_of = |spec: &Spec| spec.key.split_once('.').map_or("", |(group, _)| group);
    for spec in OPTIONS {
        assert!(GROUPS.iter().any(|(group, _)| *group == group_of(spec)), "{}: its group has no title here", spec.key);
    }
    for (group, title) in GROUPS {
        page.push_str(&format!("\n## {title}\n\n| option | takes | default | meaning |\n| --- | --- | --- | --- |\n"));
        for spec in OPTIONS.iter().filter(|spec| group_of(spec) == *group) {
            page.push_str(&row(spec));
        }
    }
    vec![(PathBuf::from("docs/options.md"), page)]
}

fn row(spec: &Spec) -> String {
    let default = if spec.default.is_empty() { String::new() } else { format!("`{}`", spec.default) };
    let secret = if spec.is_secret { " Secret." } else { "" };
    format!("| `{}` | {} | {default} | {}{secret} |\n", spec.key, takes(spec.takes), spec.doc.replace('|', "\\|"))
}

fn takes(takes: Takes) -> String {
    match takes {
        Takes::Text(longest) => format!("text, at most {longest} characters"),
        Takes::Folder => "folder".to_owned(),
        Takes::Number(least, most) => format!("{least} to {most}"),
        Takes::Word(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
        Takes::Flag => "0 or 1".to_owned(),
        Takes::Object => "object".to_owned(),
    }
}
