//! Announces of the local network. What was understood is understood the same way after we have written it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use piecework_tracker::local::{GROUPS, LocalMessage, NAMES_MAX};

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut message) = LocalMessage::decode(bytes) else { return };
    message.info_hashes.truncate(NAMES_MAX);
    let again = message.encode(GROUPS[0]);
    // A cookie of somebody else may be as long as a packet.
    if let Ok(read) = LocalMessage::decode(&again) {
        assert_eq!(read, message);
    }
});
