//! `key` of `countersign-proof`, under libFuzzer.
#![no_main]

use countersign_proof::TARGETS;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let target = TARGETS.iter().find(|target| target.name == "key").expect("a target");
    (target.check)(data);
});
