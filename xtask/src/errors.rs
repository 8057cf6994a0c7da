//! docs/errors.md: every code, from the list that the library itself answers with.

use parklink::error::Code;
use std::path::PathBuf;

const HEAD: &str = "\
# Error codes

Generated from `src/error.rs` by `make docs`. Do not edit.

Every call returns 0 (`PARKLINK_OK`) or one of these. `parklink_last_error` has the text for the case at hand: the option
or field at fault, what was expected, what was found. A number, once given, keeps its meaning for ever; treat one that
you do not know as a failure. **Again** is what `parklink_error_is_retryable` answers: whether the same call can succeed
later without a change by you.

After `timeout`, `broken`, `protocol` and `http` (but HTTP 429 and 503) the platform may have the record already. The parking
cloud knows a repeated entry, exit or order by its bytes: sent again unchanged it counts as success. Elsewhere no guard against a
second copy is documented, or only for entries: see [what is not promised](durability.md#what-is-not-promised). Of what asks
for money now the text says then that it may have been made: ask, or wait for the downlink, before it is charged again or paid another
way. The same goes for `closed`.
";

/// The causes, by hundreds.
const CAUSES: &[(i32, &str)] = &[
    (1, "What you gave"),
    (2, "The state of the handle"),
    (3, "The network"),
    (4, "The platform"),
    (5, "This machine"),
    (6, "Not an error, but not finished either"),
    (9, "The library itself"),
];

/// The page, with its path below the workspace.
pub fn render() -> Vec<(PathBuf, String)> {
    let mut page = HEAD.to_owned();
    let hundred = |code: Code| (-(code as i32)) / 100;
    for code in Code::ALL {
        assert!(CAUSES.iter().any(|(cause, _)| *cause == hundred(*code)), "{}: its cause has no title", code.name());
    }
    for (cause, title) in CAUSES {
        page.push_str(&format!(
            "\n## -{cause}xx: {title}\n\n| number | name | again | meaning |\n| --- | --- | --- | --- |\n"
        ));
        for code in Code::ALL.iter().filter(|code| hundred(**code) == *cause) {
            let again = if code.is_retryable() { "yes" } else { "no" };
            let macro_name = code.name().to_uppercase();
            page.push_str(&format!("| {} | `PARKLINK_E_{macro_name}` | {again} | {} |\n", *code as i32, code.doc()));
        }
    }
    vec![(PathBuf::from("docs/errors.md"), page)]
}
