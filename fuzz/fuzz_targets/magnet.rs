//! Magnet links. A link that is read and printed reads the same again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use piecework_metainfo::{MAGNET_BYTES_MAX, Magnet};

fuzz_target!(|text: &str| {
    let Ok(magnet) = text.parse::<Magnet>() else { return };
    let printed = magnet.to_string();
    assert!(printed.is_ascii());
    // Percent-encoding may have made it too long to be read again.
    if printed.len() <= MAGNET_BYTES_MAX {
        assert_eq!(printed.parse(), Ok(magnet));
    }
});
