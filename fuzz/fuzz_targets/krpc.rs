//! Packets of the DHT. Whatever is read must be written so that it is read alike.

#![no_main]

use libfuzzer_sys::fuzz_target;
use piecework_dht::krpc::{Body, Message, PACKET_BYTES_MAX};
use piecework_dht::{SAVED_NODES_MAX, Saved};

fuzz_target!(|packet: &[u8]| {
    let saved = Saved::decode(packet);
    assert!(saved.endpoints.iter().all(|endpoint| endpoint.nodes.len() <= SAVED_NODES_MAX));
    assert_eq!(Saved::decode(&saved.encode()), saved);
    let Ok(message) = Message::decode(packet) else { return };
    let again = message.encode();
    // A method of the future is written as one without a name of its own; lists are cut.
    assert!(again.len() <= PACKET_BYTES_MAX + 64);
    if again.len() > PACKET_BYTES_MAX {
        return;
    }
    assert_eq!(Message::decode(&again).as_ref(), Ok(&message));
    if let Body::Response(response) = &message.body {
        assert!(
            response.nodes.iter().all(|nodes| nodes.len() <= 16) && response.values.len() <= 128
        );
    }
});
