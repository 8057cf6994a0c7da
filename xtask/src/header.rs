//! The C headers: the declarations of `src/abi`, set into the texts that stand beside them as `*.h.in`.

use parklink::abi::ABI_VERSION;
use parklink::error::Code;
use parklink::log::Level;
use std::path::{Path, PathBuf};

/// A header: where it goes, its text, the files whose exports it declares.
struct Header {
    path: &'static str,
    template: &'static str,
    sources: &'static [&'static str],
    /// The macro of its functions' calling convention.
    functions: &'static str,
    /// The same for the functions it is given.
    callbacks: &'static str,
}

const HEADERS: &[Header] = &[
    Header {
        path: "include/parklink.h",
        template: "src/abi/parklink.h.in",
        sources: &["src/abi/callbacks.rs", "src/abi/calls.rs", "src/abi/outbox.rs", "src/abi/facts.rs"],
        functions: "PARKLINK_CALL",
        callbacks: "PARKLINK_CALL",
    },
    Header {
        path: "include/upload_util.h",
        template: "src/abi/upload_util.h.in",
        sources: &["src/abi/upload_util/mod.rs"],
        functions: "UPLOAD_UTIL_CALL",
        callbacks: "UPLOAD_UTIL_CALLBACK",
    },
];

/// Every header as it ought to be, with its path below the workspace.
pub fn render() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace");
    HEADERS.iter().map(|header| (PathBuf::from(header.path), one(root, header))).collect()
}

fn one(root: &Path, header: &Header) -> String {
    let template = std::fs::read_to_string(root.join(header.template)).expect("the template is part of the sources");
    let version = env!("CARGO_PKG_VERSION");
    let mut numbers = version.split(['.', '-']);
    let mut number = || numbers.next().expect("a version has three numbers").to_owned();
    let facts = [
        ("@VERSION@", version.to_owned()),
        ("@MAJOR@", number()),
        ("@MINOR@", number()),
        ("@PATCH@", number()),
        ("@ABI@", ABI_VERSION.to_string()),
        ("@CODES@", codes()),
        ("@LEVELS@", levels()),
        ("@DECLARATIONS@", declarations(root, header)),
    ];
    let text = facts.iter().fold(template, |text, (place, fact)| text.replace(place, fact));
    // Compilers of Chinese Windows read a file without a mark as GBK, and may lose the end of a comment in it.
    assert!(text.is_ascii(), "{} must be plain ASCII", header.path);
    text
}

fn codes() -> String {
    let mut lines = vec!["#define PARKLINK_OK 0".to_owned()];
    for code in Code::ALL {
        let again = if code.is_retryable() { " Again." } else { "" };
        lines.push(format!("/** {}{again} */", code.doc()));
        lines.push(format!("#define PARKLINK_E_{} ({})", code.name().to_uppercase(), *code as i32));
    }
    lines.join("\n")
}

fn levels() -> String {
    let all = [Level::Error, Level::Warn, Level::Info, Level::Debug, Level::Trace];
    let line = |level: &Level| format!("#define PARKLINK_LOG_{} {}", level.name().to_uppercase(), *level as i32);
    all.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn declarations(root: &Path, header: &Header) -> String {
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml is part of the sources");
    let builder = cbindgen::Builder::new().with_config(config);
    let builder = header.sources.iter().fold(builder, |builder, source| builder.with_src(root.join(source)));
    let mut bytes = Vec::new();
    builder.generate().expect("src/abi is plain Rust").write(&mut bytes);
    let text = String::from_utf8(bytes).expect("cbindgen writes UTF-8");
    tidy(&text, header)
}

/// What cbindgen cannot be told: calling conventions, and that Rust's notes on safety are not for readers of C.
fn tidy(text: &str, header: &Header) -> String {
    let text = text.replace(" *\n * # Safety\n * See the header.\n", "");
    text.trim().lines().map(|line| with_convention(line, header)).collect::<Vec<_>>().join("\n")
}

/// `int32_t name(…);` and `typedef void (*name)(…);` with the convention before the name; other lines as they are.
fn with_convention(line: &str, header: &Header) -> String {
    let Some(bracket) = line.find('(').filter(|_| line.starts_with(|first: char| first.is_ascii_alphabetic())) else {
        return line.to_owned();
    };
    if let Some(rest) = line[bracket..].strip_prefix("(*") {
        return format!("{}({} *{rest}", &line[..bracket], header.callbacks);
    }
    let name = line[..bracket].rfind([' ', '*']).map_or(0, |before| before + 1);
    // The typedefs of the structs do without the word.
    let arguments = line[name..].replace("struct ", "");
    format!("{}{} {arguments}", &line[..name], header.functions)
}
