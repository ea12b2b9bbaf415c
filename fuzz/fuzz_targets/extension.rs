//! Extension messages: the first byte is the message id, the rest its payload. What was understood
//! must be understood the same way after we have written it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use piecework_wire::extension::ExtensionMessage;

fuzz_target!(|bytes: &[u8]| {
    let Some((&id, payload)) = bytes.split_first() else { return };
    let Ok(Some(message)) = ExtensionMessage::decode(id, payload) else { return };
    let again = message.encode();
    assert_eq!(ExtensionMessage::decode(id, &again), Ok(Some(message)));
});
