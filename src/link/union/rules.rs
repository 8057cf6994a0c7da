//! Rules of the open API that its tables cannot say.

use crate::catalogue::{Interface, same_value};
use crate::json::Value;
use crate::link::Members;

/// Plate colours by ETC provider (API 3.7): 2 and 3 mean the opposite with `my` and `cj`. No table is known for the others.
const COLOURS: [(&str, &[u32]); 2] = [("my", &[0, 1, 2, 3, 4, 5]), ("cj", &[0, 1, 2, 3, 4, 5, 6, 9, 11, 13])];

/// What is wrong with a call's members, beside what the catalogue's table says.
pub fn problems(interface: &Interface, members: &Members) -> Vec<String> {
    let given = |name: &str| members.get(name).filter(|value| !value.is_null() && *value != "");
    let mut problems = Vec::new();
    match interface.id {
        "union.etcPayApi" | "cloud.etc_pay" => {
            let provider = given("pay_type").and_then(Value::as_str);
            if provider.is_none() && interface.id == "union.etcPayApi" {
                problems.push(
                    "pay_type: required by API 3.7 (my, cj, jyyh or ystx), missing; give it, or set etc.pay_type"
                        .to_owned(),
                );
            }
            let table = COLOURS.iter().find(|(name, _)| Some(*name) == provider);
            if let (Some((name, colours)), Some(colour)) = (table, given("license_color"))
                && !colours.iter().any(|known| same_value(colour, &Value::from(*known)))
            {
                let known: Vec<String> = colours.iter().map(u32::to_string).collect();
                let known = known.join(", ");
                problems.push(format!(
                    "license_color: with pay_type {name} must be one of {known} (API 3.7), found {colour}"
                ));
            }
        }
        "union.personRecord" if given("platform_name").is_none() => {
            problems.push("platform_name: required by API 8.2 (the receiving platform), missing".to_owned());
        }
        "union.queryorders" => {
            let keys = ["park_id", "order_id", "car_number"];
            if keys.iter().all(|name| given(name).is_none()) {
                problems.push(format!("{}: at least one is required by API 4.1, all missing", keys.join(", ")));
            }
        }
        "union.queryOrderState" if given("query_type").is_none() && given("order_id").is_none() => {
            problems.push("order_id: required by API 4.3 without query_type, missing".to_owned());
        }
        "union.openInvoice" if given("open_type").is_none() => {
            let lacking = ["tax_rate", "good_name", "tax_code"].into_iter().filter(|name| given(name).is_none());
            problems.extend(lacking.map(|name| format!("{name}: required by API 6.3 without open_type, missing")));
        }
        _ => {}
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::by_id;
    use crate::json::{json, members};

    fn of(id: &str, members: Value) -> Vec<String> {
        problems(by_id(id).unwrap(), members.as_object().unwrap())
    }

    #[test]
    fn colours_go_by_the_provider() {
        for (provider, colour, is_known) in [
            ("my", json!(0), true),
            ("my", json!("5"), true),
            ("my", json!(6), false),
            ("my", json!(13), false),
            ("cj", json!(6), true),
            ("cj", json!(13), true),
            ("cj", json!(7), false),
            ("cj", json!(10), false),
            ("jyyh", json!(99), true),
            ("ystx", json!(99), true),
        ] {
            for id in ["union.etcPayApi", "cloud.etc_pay"] {
                let found = of(id, Value::Object(members! {"pay_type": provider, "license_color": &colour}));
                assert_eq!(found.is_empty(), is_known, "{id} {provider} {colour}: {found:?}");
            }
        }
    }

    #[test]
    fn a_charge_names_its_provider() {
        assert!(of("union.etcPayApi", json!({}))[0].contains("etc.pay_type"));
        assert!(of("union.etcPayApi", json!({"pay_type": "jyyh"})).is_empty());
        assert!(of("union.addorder", json!({})).is_empty());
    }

    #[test]
    fn what_one_member_stands_for_another_must() {
        assert_eq!(of("union.openInvoice", json!({"tax_rate": 8, "good_name": ""})).len(), 2);
        assert!(of("union.openInvoice", json!({"open_type": 0})).is_empty());
        assert_eq!(of("union.queryOrderState", json!({"park_id": "1"})).len(), 1);
        assert!(of("union.queryOrderState", json!({"query_type": 1})).is_empty());
    }

    #[test]
    fn a_search_names_something() {
        for name in ["park_id", "order_id", "car_number"] {
            assert!(of("union.queryorders", json!({name: "1"})).is_empty());
        }
        assert!(!of("union.queryorders", json!({"page": 1, "park_id": ""})).is_empty());
    }
}
