//! libFuzzer at work on the target that `FUZZ_TARGET` names. It needs the coverage instrumentation that
//! `scripts/fuzz` asks the compiler for.
#![no_main]

#[path = "../../tests/fuzz/targets/mod.rs"]
mod targets;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use targets::{TARGETS, Target};

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let names = || TARGETS.iter().map(|target| target.name).collect::<Vec<_>>().join(", ");
    TARGETS
        .iter()
        .find(|target| target.name == name)
        .unwrap_or_else(|| panic!("FUZZ_TARGET is one of {}", names()))
});

fuzz_target!(|bytes: &[u8]| (TARGET.run)(bytes));
