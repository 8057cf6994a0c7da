//! Build facts that Cargo has no key for.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let os = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    if os == "linux" || os == "android" {
        // rustc gives a cdylib no SONAME; the number in it is the ABI number.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libparklink.so.1");
        // Its threads live as long as the process: unloading must not pull the code from under them.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
