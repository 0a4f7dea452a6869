//! Any bytes for [`grepzilla_fuzz::wal_recovery`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| grepzilla_fuzz::wal_recovery(data));
