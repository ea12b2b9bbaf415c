//! Port Control Protocol: the MAP request as bytes and back (RFC 6887, sections 7 and 11).

use crate::ask::{Ask, Grant, Refusal, Site};
use std::net::Ipv6Addr;

/// Bytes read of an answer (section 7: no message is longer).
pub const ANSWER_BYTES_MAX: usize = 1100;

const VERSION: u8 = 2;
const MAP: u8 = 1;
const ANSWER: u8 = 0x80;
const MAP_BYTES: usize = 60;

/// The request for a mapping, or for its end.
pub fn map_request(ask: &Ask, site: Site) -> [u8; MAP_BYTES] {
    let mut out = [0; MAP_BYTES];
    out[0] = VERSION;
    out[1] = MAP;
    out[4..8].copy_from_slice(&ask.lifetime_seconds.to_be_bytes());
    out[8..24].copy_from_slice(&site.ours.to_ipv6_mapped().octets());
    out[24..36].copy_from_slice(&ask.nonce);
    out[36] = ask.transport.ip_protocol();
    out[40..42].copy_from_slice(&ask.internal_port.to_be_bytes());
    let external_port = if ask.removes() { 0 } else { ask.external_port };
    out[42..44].copy_from_slice(&external_port.to_be_bytes());
    // Any external address of the IPv4 family (section 11.1).
    out[44..].copy_from_slice(&std::net::Ipv4Addr::UNSPECIFIED.to_ipv6_mapped().octets());
    out
}

/// The answer to [`map_request`]; `None` if this datagram is an answer to something else. A grant's
/// lifetime is never 0 unless the request removes.
///
/// # Errors
/// What the gateway said instead.
pub fn map_answer(bytes: &[u8], ask: &Ask) -> Option<Result<Grant, Refusal>> {
    let &[version, opcode, _, result, ..] = bytes else { return None };
    if version != VERSION {
        // A gateway that knows NAT-PMP alone says so in its own form (RFC 6886, section 9).
        return Some(Err(Refusal::Unsupported));
    }
    if opcode != ANSWER | MAP {
        return None;
    }
    let Some(answer) = bytes.first_chunk::<MAP_BYTES>() else {
        return Some(Err(Refusal::Malformed("the answer is too short")));
    };
    let is_ours = answer[24..36] == ask.nonce
        && answer[36] == ask.transport.ip_protocol()
        && answer[40..42] == ask.internal_port.to_be_bytes();
    if !is_ours {
        return None;
    }
    if result != 0 {
        return Some(Err(refusal(result, ask)));
    }
    let mut external = [0; 16];
    external.copy_from_slice(&answer[44..]);
    let grant = Grant {
        external_port: u16::from_be_bytes([answer[42], answer[43]]),
        lifetime_seconds: u32::from_be_bytes([answer[4], answer[5], answer[6], answer[7]]),
        external_ip: Ipv6Addr::from(external).to_ipv4_mapped(),
    };
    Some(judge(grant, ask))
}

/// A grant must be worth something.
pub(crate) const fn judge(grant: Grant, ask: &Ask) -> Result<Grant, Refusal> {
    if ask.removes() {
        Ok(grant)
    } else if grant.external_port == 0 {
        Err(Refusal::Malformed("the external port is 0"))
    } else if grant.lifetime_seconds == 0 {
        Err(Refusal::NoTime)
    } else {
        Ok(grant)
    }
}

/// Section 7.4.
fn refusal(result: u8, ask: &Ask) -> Refusal {
    match result {
        1 | 4 => Refusal::Unsupported,
        2 => Refusal::told("port mapping is not allowed here"),
        7 => Refusal::told("it has no connection to the outside itself"),
        8 => Refusal::told("it is out of resources"),
        10 => Refusal::told("we have as many mappings as it allows"),
        11 => Refusal::PortTaken(ask.external_port),
        12 => Refusal::told("there is another NAT between it and us"),
        other => Refusal::told(&format!("result {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ask::Transport;
    use std::net::Ipv4Addr;

    const ASK: Ask = Ask {
        transport: Transport::Udp,
        internal_port: 6881,
        external_port: 7000,
        lifetime_seconds: 3600,
        is_permanent: false,
        nonce: *b"abcdefghijkl",
    };
    const SITE: Site =
        Site { gateway: Ipv4Addr::new(10, 1, 0, 1), ours: Ipv4Addr::new(10, 1, 0, 2) };

    /// What a gateway that grants everything answers.
    fn granted(lifetime: u32) -> [u8; MAP_BYTES] {
        let mut answer = map_request(&ASK, SITE);
        answer[1] |= ANSWER;
        answer[4..8].copy_from_slice(&lifetime.to_be_bytes());
        answer[44..].copy_from_slice(&Ipv4Addr::new(11, 22, 33, 44).to_ipv6_mapped().octets());
        answer
    }

    #[test]
    fn a_request_is_laid_out_as_the_rfc_says() {
        let request = map_request(&ASK, SITE);
        assert_eq!(request[..8], [2, 1, 0, 0, 0, 0, 0x0e, 0x10]);
        assert_eq!(request[8..24], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 1, 0, 2]);
        assert_eq!(&request[24..36], b"abcdefghijkl");
        assert_eq!(request[36..44], [17, 0, 0, 0, 0x1a, 0xe1, 0x1b, 0x58]);
        assert_eq!(request[44..], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0]);
    }

    #[test]
    fn an_answer_tells_port_time_and_address() {
        let grant = Grant {
            external_port: 7000,
            lifetime_seconds: 120,
            external_ip: Some(Ipv4Addr::new(11, 22, 33, 44)),
        };
        assert_eq!(map_answer(&granted(120), &ASK), Some(Ok(grant)));
        assert_eq!(map_answer(&granted(0), &ASK), Some(Err(Refusal::NoTime)));
    }

    #[test]
    fn an_answer_with_another_nonce_is_not_ours() {
        let mut answer = granted(120);
        answer[30] ^= 1;
        assert_eq!(map_answer(&answer, &ASK), None);
    }

    #[test]
    fn a_gateway_of_the_older_method_is_understood() {
        assert_eq!(map_answer(&[0, 129, 0, 1, 0, 0, 0, 9], &ASK), Some(Err(Refusal::Unsupported)));
    }

    #[test]
    fn a_refusal_says_why() {
        let mut answer = granted(30);
        answer[3] = 11;
        assert_eq!(map_answer(&answer, &ASK), Some(Err(Refusal::PortTaken(7000))));
        answer[3] = 12;
        assert!(matches!(map_answer(&answer, &ASK), Some(Err(Refusal::Refused(_)))));
    }
}
