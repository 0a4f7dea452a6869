//! Any bytes for [`grepzilla_fuzz::segment_open`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| grepzilla_fuzz::segment_open(data));
