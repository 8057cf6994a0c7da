//! Generators.

mod header;

fn main() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace");
    for (path, text) in header::render() {
        std::fs::create_dir_all(root.join(&path).parent().expect("a file lies in a folder")).expect("writable");
        std::fs::write(root.join(&path), text).expect("writable");
    }
}
