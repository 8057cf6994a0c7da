//! Building and loading the layer between a child and its files.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The library, built once a run.
pub fn library() -> &'static PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let path = std::env::current_exe().unwrap().with_file_name(format!("rig-shim-{}.so", std::process::id()));
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/durable/shim.c");
        let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
        let mut built = Command::new(compiler);
        built.args(["-shared", "-fPIC", "-O1", "-Wall", "-o"]).arg(&path).arg(source).arg("-ldl");
        let mut built = built.spawn_checked();
        assert!(built.wait().unwrap().success(), "the layer does not compile");
        path
    })
}

trait SpawnChecked {
    fn spawn_checked(&mut self) -> std::process::Child;
}

impl SpawnChecked for Command {
    fn spawn_checked(&mut self) -> std::process::Child {
        self.spawn().expect("a C compiler is needed for this test (make setup-test)")
    }
}
