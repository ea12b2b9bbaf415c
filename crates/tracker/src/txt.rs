//! The one question to the DNS that trackers need, TXT records of a name (RFC 1035), and its answer.
//!
//! Owns what of an answer counts: it has to bear the question's number and name. Must not know sockets,
//! servers or time.

use simple_dns::rdata::{OPT, RData};
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE};
use std::time::Duration;
use thiserror::Error;

/// Longest answer over UDP that we ask for (RFC 6891): below every usual MTU.
pub const TXT_PACKET_BYTES_MAX: u16 = 1232;

/// Records read of one answer.
const RECORDS_MAX: usize = 64;

/// What a name's TXT records say.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TxtAnswer {
    /// The texts, those that are UTF-8; none if the name has no records or does not exist.
    pub records: Vec<String>,
    /// For how long they count; `None` without records.
    pub ttl: Option<Duration>,
}

/// Why a packet is no answer.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum TxtFault {
    /// It answers another question, or is forged: the answer may still come.
    #[error("a packet that does not answer the question")]
    Noise,
    /// It is cut: ask again over TCP.
    #[error("the answer does not fit a packet")]
    Truncated,
    /// The server does not answer this question.
    #[error("the server answers {code}")]
    Refused {
        /// Its words.
        code: String,
    },
}

/// The packet that asks for the TXT records of `name`; `None` if that is no name. `id` is drawn at random:
/// with the port it keeps strangers from forging answers.
pub fn encode_txt_question(name: &str, id: u16) -> Option<Vec<u8>> {
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let (kind, class) = (QTYPE::TYPE(TYPE::TXT), QCLASS::CLASS(CLASS::IN));
    packet.questions.push(Question::new(Name::new(name).ok()?, kind, class, false));
    let udp_packet_size = TXT_PACKET_BYTES_MAX;
    *packet.opt_mut() = Some(OPT { opt_codes: Vec::new(), udp_packet_size, version: 0 });
    packet.build_bytes_vec().ok()
}

/// Reads the answer to the question for `name` with this `id`.
///
/// # Errors
/// When the packet is not that, is cut, or the server refuses.
pub fn decode_txt_answer(packet: &[u8], name: &str, id: u16) -> Result<TxtAnswer, TxtFault> {
    let packet = Packet::parse(packet).map_err(|_| TxtFault::Noise)?;
    let bare = |name: &str| name.trim_end_matches('.').to_ascii_lowercase();
    let is_asked = |question: &Question<'_>| {
        question.qtype == QTYPE::TYPE(TYPE::TXT) && bare(&question.qname.to_string()) == bare(name)
    };
    let answers_it = packet.id() == id && packet.has_flags(PacketFlag::RESPONSE);
    if !answers_it || !packet.questions.first().is_some_and(is_asked) {
        return Err(TxtFault::Noise);
    }
    if packet.has_flags(PacketFlag::TRUNCATION) {
        return Err(TxtFault::Truncated);
    }
    match packet.rcode() {
        RCODE::NoError => {}
        RCODE::NameError => return Ok(TxtAnswer::default()),
        code => return Err(TxtFault::Refused { code: format!("{code:?}") }),
    }
    let mut answer = TxtAnswer::default();
    // A name may be an alias, so the records may stand under another.
    for record in packet.answers.into_iter().take(RECORDS_MAX) {
        if let RData::TXT(text) = record.rdata {
            let ttl = Duration::from_secs(record.ttl.into());
            answer.ttl = Some(answer.ttl.map_or(ttl, |least| least.min(ttl)));
            answer.records.extend(String::try_from(text));
        }
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop, proptest};

    /// Header (id, flags, counts), the question for t.example, and the rest.
    fn answer(id: u16, flags: u16, answers: u16, rest: &[u8]) -> Vec<u8> {
        let mut packet = Vec::new();
        for number in [id, flags, 1, answers, 0, 0] {
            packet.extend(number.to_be_bytes());
        }
        packet.extend(b"\x01t\x07example\0\0\x10\0\x01");
        [packet.as_slice(), rest].concat()
    }

    /// A record under the name of the question, with these texts.
    fn record(ttl: u32, texts: &[&[u8]]) -> Vec<u8> {
        let data: Vec<u8> =
            texts.iter().flat_map(|text| [&[text.len() as u8], *text].concat()).collect();
        let mut bytes = b"\xc0\x0c\0\x10\0\x01".to_vec();
        bytes.extend(ttl.to_be_bytes());
        bytes.extend((data.len() as u16).to_be_bytes());
        [bytes, data].concat()
    }

    #[test]
    fn a_question_has_its_number_its_name_and_asks_for_recursion() {
        let question = encode_txt_question("t.Example", 0x1234).expect("a name");
        assert_eq!(question[..6], [0x12, 0x34, 0x01, 0x00, 0, 1]);
        assert_eq!(&question[12..27], b"\x01t\x07Example\0\0\x10\0\x01");
        assert_eq!(encode_txt_question(&"x".repeat(64), 1), None);
    }

    #[test]
    fn parts_of_a_text_are_joined_and_the_shortest_life_counts() {
        let rest = [record(900, &[b"BITTOR", b"RENT UDP:1"]), record(300, &[b"v=spf1 -all"])];
        let read = decode_txt_answer(&answer(7, 0x8180, 2, &rest.concat()), "T.example.", 7);
        let records = vec!["BITTORRENT UDP:1".to_owned(), "v=spf1 -all".to_owned()];
        assert_eq!(read, Ok(TxtAnswer { records, ttl: Some(Duration::from_secs(300)) }));
        // An alias in front, and a text that is none.
        let alias = b"\xc0\x0c\0\x05\0\x01\0\0\0\x09\0\x02\xc0\x0e";
        let rest = [alias.to_vec(), record(60, &[b"\xff"]), record(60, &[b"x"])];
        let read = decode_txt_answer(&answer(7, 0x8180, 3, &rest.concat()), "t.example", 7);
        assert_eq!(read.expect("an answer").records, ["x"]);
    }

    #[test]
    fn what_answers_another_question_is_noise() {
        let good = answer(7, 0x8180, 0, &[]);
        assert_eq!(decode_txt_answer(&good, "t.example", 7), Ok(TxtAnswer::default()));
        for (packet, name, id) in [
            (good.clone(), "t.example", 8),
            (good.clone(), "u.example", 7),
            (answer(7, 0x0100, 0, &[]), "t.example", 7),
            (good[..20].to_vec(), "t.example", 7),
            (Vec::new(), "t.example", 7),
        ] {
            assert_eq!(decode_txt_answer(&packet, name, id), Err(TxtFault::Noise));
        }
    }

    #[test]
    fn a_cut_answer_a_refusal_and_a_name_that_does_not_exist_are_told_apart() {
        let read = |flags| decode_txt_answer(&answer(7, flags, 0, &[]), "t.example", 7);
        assert_eq!(read(0x8380), Err(TxtFault::Truncated));
        assert!(matches!(read(0x8182), Err(TxtFault::Refused { .. })));
        assert_eq!(read(0x8183), Ok(TxtAnswer::default()));
    }

    proptest! {
        #[test]
        fn arbitrary_packets_are_no_reason_to_panic(
            rest in prop::collection::vec(any::<u8>(), 0..100),
            answers in 0_u16..4,
        ) {
            let _ = decode_txt_answer(&rest, "t.example", 7);
            let _ = decode_txt_answer(&answer(7, 0x8180, answers, &rest), "t.example", 7);
        }
    }
}
