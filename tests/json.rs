//! Our reading of JSON against serde_json's: the same texts are JSON to both, and mean the same.
#![allow(missing_docs)]

use parklink::json;
use proptest::prelude::*;
use serde_json::Value as Plain;

/// Pieces from which texts are made that are nearly JSON.
const PIECES: [&str; 48] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "{\"a\":",
    "\"a\":",
    "\"b\"",
    "\"\"",
    "\"京\"",
    "\"",
    "\\",
    "\"\\u4eac\\\"\"",
    "\"\\ud83d\\ude00\"",
    "\"\\ud800\"",
    "\"\\x\"",
    "\"\\u12\"",
    "\"a\nb\"",
    "\"\u{1}\"",
    "\"\u{7f}\"",
    "0",
    "-0",
    "01",
    "12",
    "-",
    "1.",
    ".5",
    "1.50",
    "1e5",
    "1E+7",
    "-2.5e-3",
    "1e",
    "+1",
    "true",
    "tru",
    "null",
    "nulls",
    " ",
    "\n\t\r",
    "\u{b}",
    "京",
];

fn same(text: &str) {
    let (ours, theirs) = (json::parse(text), serde_json::from_str::<Plain>(text));
    match (ours, theirs) {
        (Ok(ours), Ok(theirs)) => {
            // Written and read by them: they write exponents in a way of their own.
            assert_eq!(ours.to_string().parse::<Plain>().unwrap(), theirs, "{text:?}");
        }
        (Err(ours), Err(_)) => assert!(ours.to_string().contains(" at line "), "{text:?}: {ours}"),
        (ours, theirs) => panic!("{text:?}: {ours:?} and {theirs:?}"),
    }
}

fn plain() -> impl Strategy<Value = Plain> {
    let number = "-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,9})?([eE][+-]?[0-9]{1,3})?";
    let leaf = prop_oneof![
        any::<bool>().prop_map(Plain::from),
        Just(Plain::Null),
        number.prop_map(|digits| digits.parse::<Plain>().unwrap()),
        any::<String>().prop_map(Plain::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let name = prop_oneof!["[a-f]{1,3}", any::<String>()];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Plain::from),
            prop::collection::vec((name, inner), 0..8).prop_map(|members| Plain::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn pieces_in_any_order(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..9)) {
        same(&pieces.concat());
    }

    #[test]
    fn documents_whole_and_with_one_character_changed(
        value in plain(), is_pretty in any::<bool>(), at in any::<prop::sample::Index>(), piece in prop::sample::select(&PIECES[..]),
    ) {
        let text = if is_pretty { serde_json::to_string_pretty(&value).unwrap() } else { value.to_string() };
        same(&text);
        let (at, changed) = text.char_indices().nth(at.index(text.chars().count())).unwrap();
        let (before, after) = (&text[..at], &text[at + changed.len_utf8()..]);
        same(&format!("{before}{piece}{after}"));
        same(&format!("{before}{after}"));
        same(before);
    }
}
