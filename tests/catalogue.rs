//! The catalogue: whole, consistent, and true to the documents' own examples.
use parklink::catalogue::*;
use serde_json::{Map, Value};

#[test]
fn examples_validate() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/catalogue/data");
    let mut seen = 0;
    let mut bad = Vec::new();
    for file in std::fs::read_dir(dir).unwrap() {
        let list: Vec<Map<String, Value>> =
            serde_json::from_str(&std::fs::read_to_string(file.unwrap().path()).unwrap()).unwrap();
        for entry in list {
            let interface = by_id(entry["id"].as_str().unwrap()).unwrap();
            if interface.direction == Direction::Definition {
                continue;
            }
            let cut = entry.contains_key("example_cut");
            for (key, side) in [("request_example", Side::Request), ("reply_example", Side::Reply)] {
                let Some(example) = entry.get(key).and_then(Value::as_object) else { continue };
                let members =
                    if side == Side::Request { interface.members(example).into_owned() } else { example.clone() };
                seen += 1;
                for problem in validate(interface, &members, side) {
                    if cut && side == Side::Request && matches!(problem.rule, Rule::Required(_)) {
                        continue;
                    }
                    bad.push(format!("{} {key}: {problem}", interface.id));
                }
            }
        }
    }
    assert!(bad.is_empty(), "{} of {seen}:\n{}", bad.len(), bad.join("\n"));
}
