//! Generators: `cargo run -p xtask` writes what is generated, `cargo run -p xtask -- check` tells what is not fresh.

mod errors;
mod header;
mod options;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace");
    let only_check = std::env::args().nth(1).is_some_and(|word| word == "check");
    let mut stale = 0;
    for (path, text) in [header::render(), options::render(), errors::render()].concat() {
        let full = root.join(&path);
        if std::fs::read_to_string(&full).is_ok_and(|found| found == text) {
            continue;
        }
        stale += 1;
        if only_check {
            println!("{}: not what the sources make of it; run `make docs`", path.display());
        } else {
            std::fs::create_dir_all(full.parent().expect("a file lies in a folder")).expect("writable");
            std::fs::write(&full, text).expect("writable");
            println!("{}: written", path.display());
        }
    }
    if only_check && stale > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
