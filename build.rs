//! Build facts that Cargo has no key for, and the catalogue's table.

mod build_catalogue;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=build_catalogue.rs");
    println!("cargo:rerun-if-changed=src/catalogue/data");
    let var = |name: &str| std::env::var(name).unwrap_or_default();

    let data = std::path::Path::new(&var("CARGO_MANIFEST_DIR")).join("src/catalogue/data");
    let out = std::path::Path::new(&var("OUT_DIR")).join("catalogue.rs");
    std::fs::write(&out, build_catalogue::generate(&data)).unwrap_or_else(|e| panic!("{}: {e}", out.display()));

    let os = var("CARGO_CFG_TARGET_OS");
    if os == "linux" || os == "android" {
        // rustc gives a cdylib no SONAME; the number in it is the ABI number.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libparklink.so.1");
        // Its threads live as long as the process: unloading must not pull the code from under them.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
