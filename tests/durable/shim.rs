//! Building and loading the layer between a child and its files.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The library, built once a run.
pub fn library() -> &'static PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let path = std::env::current_exe().unwrap().with_file_name("rig-shim.so");
        let fresh = path.with_extension(std::process::id().to_string());
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/durable/shim.c");
        let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
        let mut built = Command::new(compiler);
        built.args(["-shared", "-fPIC", "-O1", "-Wall", "-o"]).arg(&fresh).arg(source).arg("-ldl");
        let mut built = built.spawn_checked();
        assert!(built.wait().unwrap().success(), "the layer does not compile");
        // In one step: another run of the tests may be loading it.
        std::fs::rename(&fresh, &path).unwrap();
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
