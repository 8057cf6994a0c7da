//! Generators: what is made from the sources and checked in. `check` fails when any of it is stale.
//!
//! A new one is a line in [`GENERATORS`].

mod errors;
mod header;
mod interfaces;
mod options;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// A generated file: its path in the repository and its text.
type Page = (PathBuf, String);
type Generator = fn(&Path) -> Result<Vec<Page>, String>;

/// Subcommand and what it makes. Several may share a subcommand.
const GENERATORS: &[(&str, Generator)] = &[
    ("docs", interfaces::pages),
    ("docs", |_| Ok(options::render())),
    ("docs", |_| Ok(errors::render())),
    ("header", |_| Ok(header::render())),
];

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let command = std::env::args().nth(1).unwrap_or_default();
    let chosen: Vec<Generator> =
        GENERATORS.iter().filter(|(name, _)| command == "check" || command == *name).map(|(_, make)| *make).collect();
    if chosen.is_empty() {
        let mut names: Vec<&str> = GENERATORS.iter().map(|(name, _)| *name).collect();
        names.dedup();
        eprintln!("usage: cargo run -p xtask -- {}|check", names.join("|"));
        return ExitCode::from(2);
    }
    match chosen.into_iter().try_for_each(|make| finish(root, make(root)?, command == "check")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("xtask: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// Writes the pages, or compares them with what is there.
fn finish(root: &Path, pages: Vec<Page>, check: bool) -> Result<(), String> {
    for (name, text) in pages {
        let path = root.join(&name);
        // A checkout may have turned the line ends.
        let there = std::fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
        if there == text {
            continue;
        }
        if check {
            return Err(format!("{} is stale: run `cargo run -p xtask -- docs` and `-- header`", name.display()));
        }
        let folder = path.parent().unwrap_or(root);
        std::fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        std::fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
        println!("wrote {}", name.display());
    }
    Ok(())
}
