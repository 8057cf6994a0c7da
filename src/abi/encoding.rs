//! The encodings of texts that cross the interface, and the way between them and our UTF-8.

use crate::error::{Code, Error, Result};
use encoding_rs::{DecoderResult, EncoderResult, GBK};
use std::borrow::Cow;

/// How a handle's texts are encoded, both ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    Gbk,
}

impl Encoding {
    /// What the option `encoding` says.
    pub(super) fn of(word: &str) -> Encoding {
        if word == "gbk" { Encoding::Gbk } else { Encoding::Utf8 }
    }

    /// The caller's bytes as text; `name` is the argument's, for the message.
    pub(super) fn decode<'a>(self, bytes: &'a [u8], name: &str) -> Result<Cow<'a, str>> {
        let wrong = |encoding: &str, offset: usize| {
            let byte = bytes.get(offset).copied().unwrap_or_default();
            let text = format!("{name} is not {encoding}: byte {offset} (0x{byte:02X}) does not belong there");
            Error::new(Code::Encoding, text)
        };
        let text = match self {
            Encoding::Utf8 => match std::str::from_utf8(bytes) {
                Ok(text) => Cow::Borrowed(text),
                Err(error) => return Err(wrong("UTF-8", error.valid_up_to())),
            },
            Encoding::Gbk => {
                let mut decoder = GBK.new_decoder_without_bom_handling();
                let mut text =
                    String::with_capacity(decoder.max_utf8_buffer_length(bytes.len()).unwrap_or(bytes.len()));
                match decoder.decode_to_string_without_replacement(bytes, &mut text, true) {
                    (DecoderResult::InputEmpty, _) => Cow::Owned(text),
                    (DecoderResult::Malformed(bad, after), read) => {
                        return Err(wrong("GBK", read.saturating_sub(usize::from(bad + after))));
                    }
                    (DecoderResult::OutputFull, read) => return Err(wrong("GBK", read)),
                }
            }
        };
        // Files written by Windows' editors begin with a mark that JSON does not allow.
        Ok(match text {
            Cow::Borrowed(text) => Cow::Borrowed(text.strip_prefix('\u{FEFF}').unwrap_or(text)),
            text => text,
        })
    }

    /// Our text in the caller's encoding. What GBK cannot carry becomes `\uXXXX`: in JSON such characters stand only
    /// inside strings, where that is the same character.
    pub(super) fn encode(self, text: &str) -> Vec<u8> {
        match self {
            Encoding::Utf8 => {
                // One more for the NUL that follows.
                let mut bytes = Vec::with_capacity(text.len() + 1);
                bytes.extend_from_slice(text.as_bytes());
                bytes
            }
            Encoding::Gbk => to_gbk(text),
        }
    }
}

fn to_gbk(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some((at, character)) = rest.char_indices().find(|(_, character)| is_later(*character)) {
        encode(&rest[..at], &mut bytes);
        escape(character, &mut bytes);
        rest = &rest[at + character.len_utf8()..];
    }
    encode(rest, &mut bytes);
    bytes
}

/// Characters that the encoder knows and GBK does not: strict readers refuse their bytes. The euro sign is Windows' own; the
/// others came with GB 18030, or stand where GBK leaves room for private use.
fn is_later(character: char) -> bool {
    matches!(character,
        '\u{1F9}' | '\u{1E3F}' | '\u{20AC}' | '\u{2E80}'..='\u{2EFF}' | '\u{2FF0}'..='\u{2FFF}' | '\u{303E}'
        | '\u{3400}'..='\u{4DBF}' | '\u{9FA6}'..='\u{9FFF}' | '\u{E000}'..='\u{F8FF}' | '\u{FE10}'..='\u{FE1F}')
}

fn encode(text: &str, bytes: &mut Vec<u8>) {
    let mut encoder = GBK.new_encoder();
    let mut rest = text;
    loop {
        bytes.reserve(rest.len() + 16);
        match encoder.encode_from_utf8_to_vec_without_replacement(rest, bytes, true) {
            (EncoderResult::InputEmpty, _) => return,
            (EncoderResult::OutputFull, read) => rest = &rest[read..],
            (EncoderResult::Unmappable(character), read) => {
                rest = &rest[read..];
                escape(character, bytes);
            }
        }
    }
}

fn escape(character: char, bytes: &mut Vec<u8>) {
    for unit in character.encode_utf16(&mut [0; 2]) {
        bytes.extend_from_slice(format!("\\u{unit:04X}").as_bytes());
    }
}

/// The text of a configuration, which names its encoding inside itself.
///
/// UTF-8 unless that fails, or unless the text asks for GBK and holds nothing but what GBK's two-byte characters look
/// like when they happen to be valid UTF-8 too (Chinese in UTF-8 takes three bytes).
pub(super) fn decode_config(bytes: &[u8]) -> Result<Cow<'_, str>> {
    let utf8 = Encoding::Utf8.decode(bytes, "the configuration");
    if utf8.as_ref().is_ok_and(|text| text.is_ascii() || text.chars().any(|c| c >= '\u{800}')) {
        return utf8;
    }
    match Encoding::Gbk.decode(bytes, "the configuration") {
        Ok(text) if asks_for_gbk(&text) => Ok(text),
        _ => utf8,
    }
}

fn asks_for_gbk(text: &str) -> bool {
    serde_json::from_str::<serde_json::Value>(text)
        .is_ok_and(|value| value["encoding"].as_str().is_some_and(|word| word.trim().eq_ignore_ascii_case("gbk")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gbk_goes_both_ways() {
        // 京A12345, as any Chinese Windows writes it.
        let bytes = b"\xBE\xA9A12345";
        assert_eq!(Encoding::Gbk.decode(bytes, "json").unwrap(), "京A12345");
        assert_eq!(Encoding::Gbk.encode("京A12345"), bytes);
    }

    #[test]
    fn what_gbk_lacks_is_escaped_and_nothing_is_lost() {
        let json = serde_json::json!({"a": "京😀é京", "ñ": 1}).to_string();
        let bytes = Encoding::Gbk.encode(&json);
        let back = Encoding::Gbk.decode(&bytes, "json").unwrap();
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&back).unwrap(),
            serde_json::json!({"a": "京😀é京", "ñ": 1})
        );
        assert!(back.contains("\\uD83D\\uDE00") && back.contains("\\u00F1"), "{back}");
    }

    #[test]
    fn what_only_later_standards_have_is_escaped_too() {
        assert_eq!(Encoding::Gbk.encode("5€京"), b"5\\u20AC\xBE\xA9");
        // GBK 1.0 has 21886 characters beside ASCII; 95 of them had no place in Unicode then, and have other bytes in no
        // strict table.
        let mut count = 0;
        for character in '\u{80}'..='\u{FFFF}' {
            let bytes = Encoding::Gbk.encode(&character.to_string());
            if bytes.starts_with(b"\\u") {
                continue;
            }
            count += 1;
            let &[lead, trail] = &bytes[..] else { panic!("{character:?}: {bytes:02X?}") };
            // GBK/1, GBK/2 are GB 2312's places; /3, /4, /5 the ones around them.
            let is_own = match (lead, trail) {
                (_, 0x7F) => false,
                (0x81..=0xA0, 0x40..) | (0xA8..=0xFE, 0x40..=0xA0) => true,
                (0xA1..=0xA9 | 0xB0..=0xF7, 0xA1..=0xFE) => true,
                _ => false,
            };
            assert!(is_own, "{character:?}: {bytes:02X?}");
            assert_eq!(Encoding::Gbk.decode(&bytes, "json").unwrap(), character.to_string());
        }
        assert_eq!(count, 21_886 - 95);
    }

    #[test]
    fn an_error_names_the_byte() {
        let message = |encoding: Encoding, bytes| encoding.decode(bytes, "json").unwrap_err().message;
        assert!(message(Encoding::Utf8, b"{\"a\":\"\xBE\xA9\"}").contains("byte 6 (0xBE)"));
        assert!(message(Encoding::Gbk, b"{\"a\":\"\xFF\"}").contains("byte 6 (0xFF)"));
        assert!(message(Encoding::Gbk, b"\xBE\xA9\xBE").contains("byte 2 (0xBE)"));
        assert!(message(Encoding::Gbk, b"ab\xBE\x20cd").contains("byte 2 (0xBE)"));
    }

    #[test]
    fn a_configuration_tells_its_own_encoding() {
        let gbk = |text: &str| GBK.encode(text).0.into_owned();
        let asks = r#"{"encoding":"gbk","local_id":"东门"}"#;
        assert_eq!(decode_config(&gbk(asks)).unwrap(), asks);
        assert_eq!(decode_config(asks.as_bytes()).unwrap(), asks);
        // D2 BB is 一 in GBK and a Cyrillic letter in UTF-8.
        let short = r#"{"encoding":"GBK","local_id":"一"}"#;
        assert_eq!(decode_config(&gbk(short)).unwrap(), short);
        let silent = r#"{"local_id":"东门"}"#;
        assert_eq!(decode_config(&gbk(silent)).unwrap_err().code, Code::Encoding);
        assert_eq!(decode_config(b"\xEF\xBB\xBF{}").unwrap(), "{}");
    }
}
