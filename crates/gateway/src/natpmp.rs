//! NAT Port Mapping Protocol as bytes and back (RFC 6886).

use crate::ask::{Ask, Grant, Refusal, Transport};
use std::net::Ipv4Addr;

/// Where gateways listen (section 1.1); PCP shares it.
pub const PORT: u16 = 5351;

/// Bytes read of an answer; a longer one is no answer.
pub const ANSWER_BYTES_MAX: usize = 64;

const VERSION: u8 = 0;
const ANSWER: u8 = 128;
const ADDRESS_ANSWER_BYTES: usize = 12;
const MAP_ANSWER_BYTES: usize = 16;

/// Asks for the external address (section 3.2).
pub const ADDRESS_REQUEST: [u8; 2] = [VERSION, 0];

const fn map_opcode(transport: Transport) -> u8 {
    match transport {
        Transport::Udp => 1,
        Transport::Tcp => 2,
    }
}

/// The request for a mapping, or for its end (sections 3.3, 3.4).
pub fn map_request(ask: &Ask) -> [u8; 12] {
    let mut out = [0; 12];
    out[1] = map_opcode(ask.transport);
    out[4..6].copy_from_slice(&ask.internal_port.to_be_bytes());
    let external_port = if ask.removes() { 0 } else { ask.external_port };
    out[6..8].copy_from_slice(&external_port.to_be_bytes());
    out[8..].copy_from_slice(&ask.lifetime_seconds.to_be_bytes());
    out
}

/// The answer to [`map_request`]; `None` if this datagram is an answer to something else. A grant's
/// lifetime is never 0 unless the request removes.
///
/// # Errors
/// What the gateway said instead.
pub fn map_answer(bytes: &[u8], ask: &Ask) -> Option<Result<Grant, Refusal>> {
    if let Err(refusal) = header(bytes, map_opcode(ask.transport))? {
        return Some(Err(refusal));
    }
    let Some(answer) = bytes.first_chunk::<MAP_ANSWER_BYTES>() else {
        return Some(Err(Refusal::Malformed("the answer is too short")));
    };
    if u16::from_be_bytes([answer[8], answer[9]]) != ask.internal_port {
        return None;
    }
    let external_port = u16::from_be_bytes([answer[10], answer[11]]);
    let lifetime_seconds = u32::from_be_bytes([answer[12], answer[13], answer[14], answer[15]]);
    let grant = Grant { external_port, lifetime_seconds, external_ip: None };
    Some(crate::pcp::judge(grant, ask))
}

/// The answer to [`ADDRESS_REQUEST`]; `None` if this datagram is an answer to something else.
///
/// # Errors
/// What the gateway said instead.
pub fn address_answer(bytes: &[u8]) -> Option<Result<Ipv4Addr, Refusal>> {
    if let Err(refusal) = header(bytes, ADDRESS_REQUEST[1])? {
        return Some(Err(refusal));
    }
    let Some(answer) = bytes.first_chunk::<ADDRESS_ANSWER_BYTES>() else {
        return Some(Err(Refusal::Malformed("the answer is too short")));
    };
    Some(Ok(Ipv4Addr::new(answer[8], answer[9], answer[10], answer[11])))
}

/// Version, opcode and result (section 3.5).
fn header(bytes: &[u8], opcode: u8) -> Option<Result<(), Refusal>> {
    let &[version, got, high, low, ..] = bytes else { return None };
    if version != VERSION {
        return Some(Err(Refusal::Unsupported));
    }
    if got != ANSWER + opcode {
        return None;
    }
    Some(match u16::from_be_bytes([high, low]) {
        0 => Ok(()),
        1 | 5 => Err(Refusal::Unsupported),
        2 => Err(Refusal::told("port mapping is switched off or not allowed")),
        3 => Err(Refusal::told("it has no connection to the outside itself")),
        4 => Err(Refusal::told("it is out of resources")),
        other => Err(Refusal::told(&format!("result {other}"))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASK: Ask = Ask {
        transport: Transport::Tcp,
        internal_port: 6881,
        external_port: 6881,
        lifetime_seconds: 3600,
        is_permanent: false,
        nonce: [0; 12],
    };

    #[test]
    fn a_request_is_laid_out_as_the_rfc_says() {
        assert_eq!(map_request(&ASK), [0, 2, 0, 0, 0x1a, 0xe1, 0x1a, 0xe1, 0, 0, 0x0e, 0x10]);
        let remove = Ask { lifetime_seconds: 0, transport: Transport::Udp, ..ASK };
        assert_eq!(map_request(&remove), [0, 1, 0, 0, 0x1a, 0xe1, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn an_answer_tells_the_port_and_the_time_granted() {
        let answer = [0, 130, 0, 0, 0, 0, 0, 9, 0x1a, 0xe1, 0x20, 0, 0, 0, 0, 60];
        let grant = Grant { external_port: 0x2000, lifetime_seconds: 60, external_ip: None };
        assert_eq!(map_answer(&answer, &ASK), Some(Ok(grant)));
        // Of another port, or of UDP: an answer to somebody else.
        assert_eq!(map_answer(&answer, &Ask { internal_port: 1, ..ASK }), None);
        assert_eq!(map_answer(&answer, &Ask { transport: Transport::Udp, ..ASK }), None);
    }

    #[test]
    fn no_time_no_port_and_no_room_are_refusals() {
        let no_time = [0, 130, 0, 0, 0, 0, 0, 9, 0x1a, 0xe1, 0x20, 0, 0, 0, 0, 0];
        assert_eq!(map_answer(&no_time, &ASK), Some(Err(Refusal::NoTime)));
        let no_port = [0, 130, 0, 0, 0, 0, 0, 9, 0x1a, 0xe1, 0, 0, 0, 0, 0, 60];
        assert!(matches!(map_answer(&no_port, &ASK), Some(Err(Refusal::Malformed(_)))));
        let short = [0, 130, 0, 0, 0];
        assert!(matches!(map_answer(&short, &ASK), Some(Err(Refusal::Malformed(_)))));
        assert!(matches!(map_answer(&[0, 130, 0, 2], &ASK), Some(Err(Refusal::Refused(_)))));
        assert_eq!(map_answer(&[2, 130, 0, 0], &ASK), Some(Err(Refusal::Unsupported)));
    }

    #[test]
    fn the_external_address_is_read() {
        let answer = [0, 128, 0, 0, 0, 0, 0, 9, 11, 22, 33, 44];
        assert_eq!(address_answer(&answer), Some(Ok(Ipv4Addr::new(11, 22, 33, 44))));
        assert_eq!(address_answer(&[0, 130, 0, 0]), None);
    }
}
