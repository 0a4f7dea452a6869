//! Any bytes for [`grepzilla::fuzzing::request`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| grepzilla::fuzzing::request(data));
