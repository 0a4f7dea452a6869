//! Any bytes for [`grepzilla_fuzz::pattern`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| grepzilla_fuzz::pattern(data));
