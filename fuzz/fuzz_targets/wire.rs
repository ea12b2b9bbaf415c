//! The bytes of a connection as the driver reads them: a handshake attempt, then frames. Whatever
//! decodes must encode to the very bytes it came from.

#![no_main]

use libfuzzer_sys::fuzz_target;
use piecework_wire::{Decoded, Handshake, HandshakeStep, Limits, block_header, decode, encode};

fuzz_target!(|stream: &[u8]| {
    let mut rest = stream;
    if let Ok(HandshakeStep::Complete(handshake)) = Handshake::decode(stream) {
        let bytes = handshake.encode();
        assert_eq!(bytes, stream[..bytes.len()]);
        rest = &stream[bytes.len()..];
    }
    let limits = Limits { pieces_max: 1000, extended_bytes_max: 4096, ..Limits::default() };
    loop {
        match decode(rest, &limits) {
            Ok(Decoded::Incomplete { need_bytes }) => {
                assert!(need_bytes > rest.len());
                assert!(need_bytes <= limits.frame_bytes_max());
                return;
            }
            Ok(Decoded::Message { message, consumed }) => {
                let mut bytes = Vec::new();
                encode(&message, &mut bytes);
                assert_eq!(bytes, rest[..consumed]);
                rest = &rest[consumed..];
            }
            Ok(Decoded::Block { request, header_bytes }) => {
                assert_eq!(block_header(request), rest[..header_bytes]);
                assert!((1..=limits.block_bytes_max).contains(&request.length));
                let payload = &rest[header_bytes..];
                rest = &payload[payload.len().min(request.length as usize)..];
            }
            Ok(Decoded::Skipped { consumed }) => rest = &rest[consumed..],
            Err(_) => return,
        }
    }
});
