//! Links the service so that less of it lies in memory.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Addresses that the loader has to adjust are listed as a bitmap, not at 24 bytes each: 400 kB less, all of which
    // is read at each start. glibc 2.36 and binutils 2.38 know it; an older linker ignores it with a warning.
    if std::env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|env| env == "gnu") {
        println!("cargo::rustc-link-arg-bin=simbelld=-Wl,-z,pack-relative-relocs");
    }
}
