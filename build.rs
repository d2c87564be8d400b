//! How the program is linked: relocations in their short form (RELR) where the C library of this machine can read them, as
//! glibc can from 2.36 on. A thirtieth of the size, and as many pages fewer that every start has to read.
use std::env;
use std::process::Command;

const FIRST_MINOR: u32 = 36;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    let builds_here = env::var("HOST").ok() == env::var("TARGET").ok();
    let is_glibc = is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu");
    let is_static = env::var("CARGO_CFG_TARGET_FEATURE").is_ok_and(|all| all.contains("crt-static"));
    if builds_here && is_glibc && !is_static && glibc_minor().is_some_and(|minor| minor >= FIRST_MINOR) {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// The second number of the version of the C library of this machine: `glibc 2.36`.
fn glibc_minor() -> Option<u32> {
    let said = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let said = String::from_utf8(said.stdout).ok()?;
    said.trim().strip_prefix("glibc 2.")?.split('.').next()?.parse().ok()
}
