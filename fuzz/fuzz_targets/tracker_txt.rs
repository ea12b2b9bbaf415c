//! Answers of a DNS server to the question for a tracker's TXT records, which is `t.example` with number 7.

#![no_main]

use libfuzzer_sys::fuzz_target;
use piecework_tracker::{HostPreference, decode_txt_answer};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(answer) = decode_txt_answer(bytes, "t.example", 7) {
        assert!(answer.records.len() <= 64);
        assert!(answer.ttl.is_some() || answer.records.is_empty());
        let _ = HostPreference::read(answer.records.iter().map(String::as_str));
    }
});
