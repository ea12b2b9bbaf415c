//! IP filter lists. Each line blocks what it says, and nothing panics or goes out of bounds.

#![no_main]

use libfuzzer_sys::fuzz_target;
use piecework_filter::{BAD_LINES_SHOWN, FilterBuilder};

fuzz_target!(|bytes: &[u8]| {
    let mut builder = FilterBuilder::default();
    let Ok(reading) = builder.read(bytes) else { return };
    assert!(reading.bad_lines.len() <= reading.bad.min(BAD_LINES_SHOWN));
    let filter = builder.build();
    assert!(filter.range_count() <= reading.blocked);
    assert_eq!(filter.is_empty(), reading.blocked == 0);
    // The order of the lines makes no difference.
    let mut lines: Vec<&[u8]> = bytes.split(|&byte| byte == b'\n').collect();
    lines.reverse();
    let mut reversed = FilterBuilder::default();
    if reversed.read(&lines.join(&b'\n')).is_ok_and(|again| again.blocked == reading.blocked) {
        assert_eq!(reversed.build(), filter);
    }
});
