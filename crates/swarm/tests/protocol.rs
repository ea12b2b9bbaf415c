//! One machine and peers that follow a script: what it says, when, and what it bears.

#![allow(clippy::unwrap_used)]

use piecework_bencode::encode_dict;
use piecework_hash::{sha1, sha256};
use piecework_swarm::{Config, Content, DropReason, Hello, Input, Output, Part, Swarm};
use piecework_types::{
    BLOCK_BYTES, Bitfield, Blame, Block, ChunkId, InfoHashes, PeerId, PeerSlot, PieceGrid,
    PieceIndex, Sha256Digest, Time,
};
use piecework_wire::extension::{
    Extension, ExtensionHandshake, ExtensionIds, ExtensionMessage, MetadataMessage, Pex, PexFlags,
    PexPeer,
};
use piecework_wire::{Message, Request};
use proptest::prelude::*;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

const A: PeerSlot = PeerSlot(0);
const B: PeerSlot = PeerSlot(1);
const PIECES: u32 = 20;
const BLOCKS: u32 = 2;

/// A machine under test, its clock, and what it said.
struct Bench {
    swarm: Swarm,
    now: Time,
    chunk: u32,
}

impl Bench {
    fn without_metadata() -> Self {
        let config = Config {
            info_hashes: InfoHashes { v1: Some(sha1(&metadata(false))), v2: None },
            our_id: PeerId([9; 20]),
            seed: 5,
            ..Config::default()
        };
        Self { swarm: Swarm::new(config, Time::ZERO), now: Time::ZERO, chunk: 0 }
    }

    fn with(have: Bitfield) -> Self {
        let mut bench = Self::without_metadata();
        bench.ready(have, false);
        bench.said();
        bench
    }

    fn leech() -> Self {
        Self::with(Bitfield::new(PIECES))
    }

    fn seed() -> Self {
        Self::with(Bitfield::full(PIECES))
    }

    fn ready(&mut self, have: Bitfield, is_private: bool) {
        self.tell(Input::ContentReady(Content {
            grid: grid(),
            have,
            priorities: vec![4; PIECES as usize],
            metadata: metadata(is_private),
            layers: None,
        }));
    }

    fn tell(&mut self, input: Input) {
        self.swarm.handle(input, self.now);
    }

    /// Everything the machine wants done now.
    fn said(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.swarm.poll()).collect()
    }

    fn join(&mut self, slot: PeerSlot, fast: bool) {
        let hello = Hello {
            address: ([80, 4, 4, 200 - slot.0 as u8], 6881).into(),
            peer_id: PeerId([slot.0 as u8; 20]),
            outgoing: false,
            fast,
            extended: true,
            dht: true,
            v2: false,
        };
        self.tell(Input::Connected { slot, hello });
        self.tell(Input::Room { slot, bytes: 1 << 20 });
    }

    /// Lets a peer join and say these things; what was said before the last one is left out.
    fn peer(&mut self, slot: PeerSlot, fast: bool, messages: impl IntoIterator<Item = Message>) {
        self.join(slot, fast);
        for message in messages {
            self.said();
            self.hear(slot, message);
        }
    }

    fn hear(&mut self, slot: PeerSlot, message: Message) {
        self.tell(Input::Received { slot, message });
    }

    fn messages(&mut self, to: PeerSlot) -> Vec<Message> {
        let sent = self.said().into_iter().filter_map(|output| match output {
            Output::Send { slot, message } if slot == to => Some(message),
            _ => None,
        });
        sent.collect()
    }

    /// Why the peer was dropped, and whether it is banned.
    fn dropped(&mut self, who: PeerSlot) -> Option<(DropReason, bool)> {
        self.said().into_iter().find_map(|output| match output {
            Output::Disconnect { slot, reason, ban } if slot == who => Some((reason, ban)),
            _ => None,
        })
    }

    /// A block comes from the peer; what the machine says then.
    fn block(&mut self, slot: PeerSlot, request: Request) -> Vec<Output> {
        self.chunk += 1;
        self.tell(Input::BlockArrived { slot, request, chunk: ChunkId(self.chunk) });
        self.said()
    }

    /// Time passes, with every wake-up the machine asks for.
    fn pass(&mut self, span: Duration) -> Vec<Output> {
        let end = self.now + span;
        let mut said = Vec::new();
        while let Some((at, _)) = self.swarm.poll_timeout().filter(|(at, _)| *at <= end) {
            self.now = at;
            self.tell(Input::Timeout);
            said.extend(self.said());
        }
        self.now = end;
        said
    }
}

fn grid() -> PieceGrid {
    PieceGrid::contiguous(u64::from(PIECES * BLOCKS * BLOCK_BYTES), BLOCKS * BLOCK_BYTES).unwrap()
}

fn metadata(is_private: bool) -> Arc<[u8]> {
    let info = encode_dict(|info| {
        info.bytes("name", "torrent");
        info.bytes("pieces", [0; 20 * PIECES as usize]);
        if is_private {
            info.int("private", 1);
        }
    });
    info.into()
}

fn requests(messages: &[Message]) -> Vec<Request> {
    let asked = messages.iter().filter_map(|message| match message {
        Message::Request(request) => Some(*request),
        _ => None,
    });
    asked.collect()
}

fn handshake(fill: impl FnOnce(&mut ExtensionHandshake)) -> Message {
    let mut handshake =
        ExtensionHandshake { ids: ExtensionIds::ours(|_| true), ..ExtensionHandshake::default() };
    fill(&mut handshake);
    Message::Extended { id: 0, payload: ExtensionMessage::Handshake(handshake).encode() }
}

const fn block_of(piece: u32, number: u32) -> Request {
    Request { piece, begin: number * BLOCK_BYTES, length: BLOCK_BYTES }
}

mod introduction {
    use super::*;

    #[test]
    fn a_seed_says_have_all_then_its_extensions_then_what_is_allowed_while_choked() {
        let mut bench = Bench::seed();
        bench.join(A, true);
        let said = bench.messages(A);
        assert_eq!(said[0], Message::HaveAll);
        let Message::Extended { id: 0, payload } = &said[1] else { panic!("{said:?}") };
        let shake = ExtensionHandshake::decode(payload).unwrap();
        assert_eq!((shake.requests_max, shake.upload_only), (Some(2000), true));
        assert_eq!(shake.metadata_bytes, Some(metadata(false).len() as u32));
        assert_eq!(shake.client.as_deref(), Some("Piecework 0.1"));
        assert!(shake.ids.get(Extension::DontHave).is_some());
        let allowed = said[2..].iter().filter(|said| matches!(said, Message::AllowedFast(_)));
        assert_eq!((allowed.count(), said.len()), (10, 12));
    }

    #[test]
    fn without_the_fast_extension_a_bitfield_is_sent_only_if_there_is_anything() {
        let mut bench = Bench::leech();
        bench.join(A, false);
        assert!(matches!(bench.messages(A)[..], [Message::Extended { id: 0, .. }]));
        let mut bench = Bench::seed();
        bench.join(A, false);
        let full = Bitfield::full(PIECES).to_wire();
        assert_eq!(bench.messages(A)[0], Message::Bitfield(full));
    }

    #[test]
    fn ourselves_are_turned_away() {
        let mut bench = Bench::leech();
        bench.join(PeerSlot(9), true);
        assert_eq!(bench.dropped(PeerSlot(9)), Some((DropReason::SelfConnection, false)));
    }

    /// Whether the connection that we opened is the one that stays, when one that we opened and one
    /// that the peer opened come in this order.
    fn keeps_ours(ours_is_first: bool, we_are_greater: bool) -> bool {
        let mut bench = Bench::leech();
        let peer_id = PeerId([if we_are_greater { 8 } else { 10 }; 20]);
        let mut kept = None;
        for (slot, outgoing) in [(A, ours_is_first), (B, !ours_is_first)] {
            let address = ([1, 2, 3, 4], if outgoing { 1 } else { 2 }).into();
            let hello = Hello {
                address,
                peer_id,
                outgoing,
                fast: true,
                extended: false,
                dht: false,
                v2: false,
            };
            bench.tell(Input::Connected { slot, hello });
        }
        let said = bench.said();
        for output in &said {
            if let Output::Disconnect { slot, reason, ban: false } = output {
                let of = |ours: bool| SocketAddr::from(([1, 2, 3, 4], if ours { 1 } else { 2 }));
                let ours_stays = (*slot == A) != ours_is_first;
                assert_eq!(*reason, DropReason::DuplicatePeer { kept: of(ours_stays) });
                assert_eq!(kept.replace(ours_stays), None, "dropped both");
            }
        }
        assert_eq!(bench.swarm.view().peer_count, 1);
        kept.expect("one of them is dropped")
    }

    #[test]
    fn of_two_connections_between_two_peers_both_keep_the_one_that_the_greater_id_opened() {
        for ours_is_first in [true, false] {
            for we_are_greater in [true, false] {
                assert_eq!(keeps_ours(ours_is_first, we_are_greater), we_are_greater);
            }
        }
    }

    #[test]
    fn a_double_is_no_peer_too_many() {
        let config = Config { peers_max: 1, our_id: PeerId([9; 20]), ..Config::default() };
        let mut swarm = Swarm::new(config, Time::ZERO);
        for (slot, outgoing) in [(A, true), (B, false)] {
            let address = ([1, 2, 3, 4], 5 + slot.0 as u16).into();
            let peer_id = PeerId([10; 20]);
            let hello = Hello {
                address,
                peer_id,
                outgoing,
                fast: true,
                extended: false,
                dht: false,
                v2: false,
            };
            swarm.handle(Input::Connected { slot, hello }, Time::ZERO);
        }
        let slots: Vec<_> = swarm.peer_views().map(|peer| peer.slot).collect();
        assert_eq!(slots, [B]);
    }

    #[test]
    fn claims_made_before_the_metadata_count_once_it_is_known() {
        let mut bench = Bench::without_metadata();
        bench.join(A, true);
        assert_eq!(bench.messages(A)[0], Message::HaveNone);
        bench.hear(A, Message::HaveNone);
        bench.hear(A, Message::Have(7));
        assert_eq!(bench.messages(A), []);
        bench.ready(Bitfield::new(PIECES), false);
        assert!(bench.messages(A).contains(&Message::Interested));
    }

    #[test]
    fn a_wrong_claim_made_early_is_found_late() {
        let mut bench = Bench::without_metadata();
        bench.peer(A, false, [Message::Bitfield(vec![0xff; 100])]);
        bench.ready(Bitfield::new(PIECES), false);
        let (reason, _) = bench.dropped(A).unwrap();
        assert!(matches!(reason, DropReason::Bitfield(_)) && reason.blame() == Blame::Peer);
    }

    #[test]
    fn a_wrong_claim_does_not_take_another_peers_pieces_with_it() {
        let mut bench = Bench::without_metadata();
        bench.peer(A, true, [Message::HaveAll]);
        bench.peer(B, false, [Message::Bitfield(vec![0xff; 100])]);
        bench.ready(Bitfield::new(PIECES), false);
        bench.hear(A, Message::Unchoke);
        assert!(!requests(&bench.messages(A)).is_empty());
        // Debug builds compare availability with what peers have at every tick.
        bench.pass(Duration::from_secs(1));
    }

    #[test]
    fn early_claims_take_bounded_memory() {
        let mut bench = Bench::without_metadata();
        let mut dropped = false;
        for slot in 0..40 {
            bench.peer(PeerSlot(slot), false, [Message::Bitfield(vec![0; 512 * 1024])]);
            dropped |= bench
                .dropped(PeerSlot(slot))
                .is_some_and(|(reason, _)| reason == DropReason::EarlyClaims);
        }
        assert!(dropped);
    }
}

mod asking {
    use super::*;

    #[test]
    fn interest_follows_what_a_peer_has() {
        let mut bench = Bench::leech();
        bench.peer(A, true, [Message::HaveNone]);
        assert_eq!(bench.messages(A), []);
        bench.hear(A, Message::Have(3));
        assert_eq!(bench.messages(A), [Message::Interested]);
        bench.tell(Input::PieceVerified { piece: PieceIndex::trusted(3) });
        assert_eq!(bench.messages(A), [Message::Have(3), Message::NotInterested]);
    }

    #[test]
    fn a_later_bitfield_counts_in_the_place_of_haves_and_idle_ones_are_a_flood() {
        let mut bench = Bench::leech();
        bench.peer(A, true, [Message::HaveNone]);
        assert_eq!(bench.messages(A), []);
        bench.hear(A, Message::Bitfield(vec![0x80, 0, 0]));
        assert_eq!(bench.messages(A), [Message::Interested]);
        (0..40).for_each(|_| bench.hear(A, Message::Bitfield(vec![0x80, 0, 0])));
        assert_eq!(bench.dropped(A), Some((DropReason::Flood, true)));
    }

    #[test]
    fn nothing_is_asked_before_the_unchoke_but_what_is_allowed() {
        let mut bench = Bench::leech();
        bench.peer(A, true, [Message::HaveAll]);
        assert_eq!(bench.messages(A), [Message::Interested]);
        bench.hear(A, Message::AllowedFast(4));
        assert_eq!(requests(&bench.messages(A)), [block_of(4, 0), block_of(4, 1)]);
        bench.hear(A, Message::Unchoke);
        let asked = requests(&bench.messages(A));
        assert!(asked.len() == 2 && asked.iter().all(|request| request.piece != 4));
    }

    #[test]
    fn a_choke_without_the_fast_extension_takes_back_every_request() {
        let mut bench = Bench::leech();
        bench.peer(A, false, [Message::Bitfield(vec![0xff, 0xff, 0xf0]), Message::Unchoke]);
        let asked = requests(&bench.messages(A));
        bench.hear(A, Message::Choke);
        assert!(asked.iter().all(|request| !bench.swarm.is_wanted(A, *request)));
        bench.hear(A, Message::Unchoke);
        assert_eq!(requests(&bench.messages(A)).len(), asked.len());
    }

    #[test]
    fn with_the_fast_extension_a_choked_request_waits_for_its_reject() {
        let mut bench = Bench::leech();
        bench.peer(A, true, [Message::HaveAll, Message::Unchoke]);
        let asked = requests(&bench.messages(A));
        bench.hear(A, Message::Choke);
        assert!(bench.swarm.is_wanted(A, asked[0]));
        bench.hear(A, Message::Reject(asked[0]));
        assert!(!bench.swarm.is_wanted(A, asked[0]));
        assert_eq!(requests(&bench.messages(A)), []);
    }

    #[test]
    fn a_peer_that_refuses_while_unchoked_is_not_asked_again_at_once() {
        let mut bench = Bench::leech();
        bench.peer(A, true, [Message::HaveAll, Message::Unchoke]);
        let asked = requests(&bench.messages(A));
        asked.iter().for_each(|request| bench.hear(A, Message::Reject(*request)));
        assert_eq!(requests(&bench.messages(A)), []);
        let said = bench.pass(Duration::from_secs(1));
        assert!(said.iter().any(|said| matches!(said, Output::Send { .. })));
    }

    #[test]
    fn a_refusal_that_comes_after_the_snub_is_no_end_either() {
        let mut bench = Bench::leech();
        bench.peer(A, true, [Message::HaveAll, Message::Unchoke]);
        let asked = requests(&bench.messages(A));
        bench.pass(Duration::from_secs(12));
        asked.iter().for_each(|request| bench.hear(A, Message::Reject(*request)));
        let said = bench.pass(Duration::from_secs(2));
        let is_request =
            |said: &&Output| matches!(said, Output::Send { slot: A, message: Message::Request(_) });
        assert_eq!(said.iter().filter(is_request).count(), 1);
    }

    #[test]
    fn reqq_is_honoured() {
        let mut bench = Bench::leech();
        let shake = handshake(|shake| shake.requests_max = Some(2));
        bench.peer(A, true, [shake, Message::HaveAll, Message::Unchoke]);
        assert_eq!(requests(&bench.messages(A)).len(), 2);
    }

    #[test]
    fn each_chunk_is_stored_once_or_given_back() {
        let mut bench = Bench::leech();
        bench.peer(A, true, [Message::HaveAll, Message::Unchoke]);
        let asked = requests(&bench.messages(A));
        let stored = |said: &[Output]| said.iter().any(|said| matches!(said, Output::Store { .. }));
        let back = |said: &[Output]| said.iter().any(|said| matches!(said, Output::Discard { .. }));
        let first = bench.block(A, asked[0]);
        assert!(stored(&first) && !back(&first));
        let again = bench.block(A, asked[0]);
        assert!(!stored(&again) && back(&again));
        let stranger = bench.block(B, asked[1]);
        assert!(!stored(&stranger) && back(&stranger));
    }

    #[test]
    fn a_snubbed_peers_blocks_are_asked_of_another_and_cancelled_when_they_come() {
        let mut bench = Bench::leech();
        bench.tell(Input::Prioritise(vec![4]));
        bench.peer(A, true, [Message::HaveAll, Message::Unchoke]);
        let asked = requests(&bench.messages(A));
        assert_eq!(asked.len(), 2);
        bench.peer(B, true, [Message::HaveAll, Message::Choke]);
        bench.pass(Duration::from_secs(6));
        bench.hear(B, Message::Unchoke);
        let again = requests(&bench.messages(B));
        assert_eq!(again, asked);
        let said = bench.block(B, again[0]);
        let is_cancel = |said: &Output| match said {
            Output::Send { slot: A, message: Message::Cancel(of) } => *of == again[0],
            _ => false,
        };
        assert!(said.iter().any(is_cancel), "{said:?}");
    }

    #[test]
    fn storage_that_cannot_be_written_stops_all_asking() {
        let mut bench = Bench::leech();
        bench.peer(A, true, [Message::HaveAll, Message::Unchoke]);
        let asked = requests(&bench.messages(A));
        bench.tell(Input::StorageWritable(false));
        let said = bench.messages(A);
        assert!(asked.iter().all(|request| said.contains(&Message::Cancel(*request))));
        assert!(said.contains(&Message::NotInterested));
        asked.iter().for_each(|request| bench.hear(A, Message::Reject(*request)));
        assert_eq!(bench.pass(Duration::from_secs(5)).len(), 0);
        bench.tell(Input::StorageWritable(true));
        let said = bench.messages(A);
        assert!(said.contains(&Message::Interested) && !requests(&said).is_empty());
    }

    #[test]
    fn pieces_that_are_not_wanted_any_more_are_cancelled() {
        let mut bench = Bench::leech();
        bench.peer(A, true, [Message::HaveAll, Message::Unchoke]);
        let asked = requests(&bench.messages(A));
        bench.tell(Input::Prioritise(vec![0; PIECES as usize]));
        let said = bench.said();
        for request in asked {
            let is_cancel = |said: &Output| match said {
                Output::Send { message: Message::Cancel(of), .. } => *of == request,
                _ => false,
            };
            assert!(said.iter().any(is_cancel));
        }
        assert!(said.iter().any(|said| matches!(said, Output::WantedComplete)));
    }

    #[test]
    fn what_is_wanted_of_a_complete_torrent_later_is_asked_in_the_order_that_was_set_before() {
        let mut bench = Bench::leech();
        bench.tell(Input::Prioritise(vec![0; PIECES as usize]));
        bench.tell(Input::AskFirst(vec![PieceIndex::trusted(PIECES - 1)]));
        let wanted = |said: &[Output]| said.iter().any(|it| matches!(it, Output::WantedComplete));
        assert!(wanted(&bench.said()));
        // No seed, which would have nothing for us nor we for it.
        let later = (1..PIECES).map(Message::Have);
        bench.peer(A, true, [Message::HaveNone].into_iter().chain(later).chain([Message::Unchoke]));
        assert!(!bench.messages(A).contains(&Message::Interested));
        bench.tell(Input::Prioritise(vec![4; PIECES as usize]));
        let said = bench.messages(A);
        assert!(said.contains(&Message::Interested));
        assert_eq!(requests(&said)[0].piece, PIECES - 1);
        for piece in (0..PIECES).map(PieceIndex::trusted) {
            bench.tell(Input::PieceVerified { piece });
        }
        assert!(wanted(&bench.said()), "complete once more");
    }

    #[test]
    fn the_budget_of_the_node_bounds_what_is_asked() {
        let config = Config {
            info_hashes: InfoHashes { v1: Some(sha1(&metadata(false))), v2: None },
            our_id: PeerId([9; 20]),
            outstanding_bytes_max: u64::from(3 * BLOCK_BYTES),
            ..Config::default()
        };
        let mut bench = Bench { swarm: Swarm::new(config, Time::ZERO), now: Time::ZERO, chunk: 0 };
        bench.ready(Bitfield::new(PIECES), false);
        bench.peer(A, true, [Message::HaveAll, Message::Unchoke]);
        assert_eq!(requests(&bench.messages(A)).len(), 4, "each peer may always owe four");
    }
}

mod forgetful {
    use super::*;

    /// A peer without the fast extension that is alive, has everything, and drops the first so many
    /// requests without a word. The second at which all is there.
    fn complete_with_a_peer_that_drops(dropped: usize, seconds_max: u64) -> Option<u64> {
        let mut bench = Bench::leech();
        let full = Message::Bitfield(Bitfield::full(PIECES).to_wire());
        bench.peer(A, false, [full, Message::Unchoke]);
        let mut said = bench.said();
        let (mut seen, mut stored) = (0, [0; PIECES as usize]);
        for second in 0..seconds_max {
            while !said.is_empty() {
                let messages: Vec<_> = said.drain(..).filter_map(message).collect();
                for request in requests(&messages) {
                    seen += 1;
                    if seen <= dropped {
                        continue;
                    }
                    let answer = bench.block(A, request);
                    if answer.iter().any(|said| matches!(said, Output::Store { .. })) {
                        stored[request.piece as usize] += 1;
                        if stored[request.piece as usize] == BLOCKS {
                            let piece = PieceIndex::trusted(request.piece);
                            bench.tell(Input::PieceVerified { piece });
                        }
                    }
                    said.extend(answer);
                    said.extend(bench.said());
                }
            }
            if bench.swarm.view().is_complete {
                return Some(second);
            }
            bench.hear(A, Message::KeepAlive);
            said = bench.pass(Duration::from_secs(1));
        }
        None
    }

    fn message(said: Output) -> Option<Message> {
        match said {
            Output::Send { message, .. } => Some(message),
            _ => None,
        }
    }

    #[test]
    fn one_dropped_request_is_asked_again_of_the_only_peer_that_has_the_piece() {
        let second = complete_with_a_peer_that_drops(1, 1_000);
        assert!(second.is_some_and(|second| second <= 65), "{second:?}");
    }

    #[test]
    fn a_peer_that_drops_all_it_was_asked_at_first_gets_its_queue_back_with_the_first_block() {
        let second = complete_with_a_peer_that_drops(4, 1_000);
        assert!(second.is_some_and(|second| second <= 65), "{second:?}");
    }

    #[test]
    fn a_peer_that_must_answer_each_request_is_asked_for_nothing_twice_however_slow_it_is() {
        let mut bench = Bench::leech();
        bench.peer(A, true, [Message::HaveAll, Message::Unchoke]);
        let mut asked = requests(&bench.messages(A));
        for _ in 0..300 {
            bench.hear(A, Message::KeepAlive);
            let said = bench.pass(Duration::from_secs(1));
            let messages: Vec<_> = said.into_iter().filter_map(message).collect();
            asked.extend(requests(&messages));
        }
        assert_eq!(asked.len(), 4);
        assert!(matches!(bench.block(A, asked[0])[0], Output::Store { .. }));
    }

    #[test]
    fn a_slow_peer_is_asked_for_nothing_twice() {
        let mut bench = Bench::leech();
        let full = Message::Bitfield(Bitfield::full(PIECES).to_wire());
        bench.peer(A, false, [full, Message::Unchoke]);
        let mut asked = requests(&bench.messages(A));
        for next in 0..8 {
            // A block in 40 s, bytes every second: 4 blocks take longer than anything is remembered.
            for _ in 0..40 {
                bench.tell(Input::PayloadProgress { slot: A, bytes: 1024 });
                let said = bench.pass(Duration::from_secs(1));
                let messages: Vec<_> = said.into_iter().filter_map(message).collect();
                asked.extend(requests(&messages));
            }
            let answer = bench.block(A, asked[next]);
            let messages: Vec<_> = answer.into_iter().filter_map(message).collect();
            asked.extend(requests(&messages));
        }
        let count = asked.len();
        asked.sort_unstable();
        asked.dedup();
        assert_eq!(asked.len(), count);
    }
}

mod blame {
    use super::*;

    fn digests(bytes: [u8; 2]) -> Vec<Sha256Digest> {
        bytes.iter().map(|byte| sha256(&[*byte])).collect()
    }

    #[test]
    fn the_only_sender_of_a_bad_piece_is_banned() {
        let mut bench = Bench::leech();
        bench.peer(A, true, [Message::HaveAll, Message::Unchoke]);
        let asked = requests(&bench.messages(A));
        let piece = asked[0].piece;
        for request in asked.iter().filter(|request| request.piece == piece) {
            bench.block(A, *request);
        }
        let piece = PieceIndex::trusted(piece);
        bench.tell(Input::PieceFailed { piece, block_digests: digests([1, 2]) });
        assert_eq!(bench.dropped(A), Some((DropReason::BadData, true)));
    }

    #[test]
    fn of_two_senders_the_one_whose_block_changed_is_banned_even_if_it_is_gone() {
        let mut bench = Bench::leech();
        bench.tell(Input::Prioritise(vec![4]));
        let shake = || handshake(|shake| shake.requests_max = Some(1));
        bench.peer(A, true, [shake(), Message::HaveAll, Message::Unchoke]);
        let first = requests(&bench.messages(A))[0];
        bench.peer(B, true, [shake(), Message::HaveAll, Message::Unchoke]);
        let second = requests(&bench.messages(B))[0];
        bench.block(A, first);
        bench.block(B, second);
        let piece = PieceIndex::trusted(0);
        bench.tell(Input::PieceFailed { piece, block_digests: digests([9, 2]) });
        let asked = bench.said();
        assert!(!asked.iter().any(|said| matches!(said, Output::Disconnect { .. })));
        bench.tell(Input::Disconnected { slot: A });
        bench.tell(Input::PieceVerified { piece });
        let said = bench.said();
        assert!(
            said.iter()
                .any(|said| matches!(said, Output::DigestsWanted { piece: of } if *of == piece))
        );
        bench.tell(Input::PieceDigests { piece, block_digests: digests([1, 2]) });
        let said = bench.said();
        let liar = ([80, 4, 4, 200], 6881).into();
        assert!(matches!(said[..], [Output::Ban { address, .. }] if address == liar), "{said:?}");
    }

    #[test]
    fn a_peer_that_closes_before_the_ban_is_carried_out_is_banned_all_the_same() {
        let mut bench = Bench::leech();
        bench.peer(A, true, [Message::HaveAll, Message::Unchoke]);
        let asked = requests(&bench.messages(A));
        let piece = PieceIndex::trusted(asked[0].piece);
        for request in asked.iter().filter(|request| request.piece == piece.get()) {
            bench.block(A, *request);
        }
        bench.join(B, true);
        bench.said();
        bench.tell(Input::PieceFailed { piece, block_digests: digests([1, 2]) });
        bench.hear(B, Message::HashReject(span()));
        bench.tell(Input::Disconnected { slot: A });
        let ended = bench.said().into_iter().filter_map(|said| match said {
            Output::Ban { address, .. } => Some((Some(address), None)),
            Output::Disconnect { slot, ban, .. } => Some((None, Some((slot, ban)))),
            _ => None,
        });
        let liar = SocketAddr::from(([80, 4, 4, 200], 6881));
        let expected = [(Some(liar), None), (None, Some((B, false)))];
        assert_eq!(ended.collect::<Vec<_>>(), expected, "in the order of the decisions");
    }

    #[test]
    fn protocol_faults_end_the_connection_with_their_reason() {
        let out_of_bounds = DropReason::PieceOutOfBounds { index: 20, piece_count: 20 };
        let bitfield = || Message::Bitfield(vec![0; 3]);
        let cases: [(bool, Vec<Message>, DropReason); 5] = [
            (true, vec![Message::Have(20)], out_of_bounds.clone()),
            (true, vec![Message::AllowedFast(20)], out_of_bounds),
            (false, vec![Message::HaveAll], DropReason::NotNegotiated),
            (true, vec![Message::HashReject(span())], DropReason::NotNegotiated),
            (true, vec![bitfield(), Message::HaveAll], DropReason::SecondBitfield),
        ];
        for (fast, messages, reason) in cases {
            let mut bench = Bench::leech();
            bench.peer(A, fast, messages);
            assert_eq!(bench.dropped(A).map(|(got, _)| got), Some(reason));
        }
    }

    const fn span() -> piecework_wire::HashSpan {
        piecework_wire::HashSpan {
            pieces_root: Sha256Digest([0; 32]),
            base_layer: 0,
            index: 0,
            length: 2,
            proof_layers: 0,
        }
    }
}

mod flooding {
    use super::*;

    /// A seed with 4 MiB of metadata.
    fn bench() -> Bench {
        let mut bench = Bench::without_metadata();
        bench.tell(Input::ContentReady(Content {
            grid: grid(),
            have: Bitfield::full(PIECES),
            priorities: vec![4; PIECES as usize],
            metadata: vec![7; 4 << 20].into(),
            layers: None,
        }));
        bench.peer(A, true, [handshake(|_| ()), Message::HaveNone]);
        bench.said();
        bench
    }

    fn asks(bench: &mut Bench, blocks: std::ops::Range<u32>) {
        for block in blocks {
            let id = ExtensionIds::ours(|_| true).get(Extension::Metadata).unwrap();
            let payload = MetadataMessage::Request { block }.encode();
            bench.hear(A, Message::Extended { id, payload });
        }
    }

    /// Blocks of metadata that were sent, and rejects.
    fn answered(messages: &[Message]) -> (usize, usize) {
        let long = |message: &&Message| match message {
            Message::Extended { payload, .. } => payload.len() > 16_384,
            other => panic!("unexpected {other:?}"),
        };
        let blocks = messages.iter().filter(long).count();
        (blocks, messages.len() - blocks)
    }

    #[test]
    fn metadata_leaves_only_as_fast_as_the_peer_reads_and_nothing_is_rejected() {
        let mut bench = bench();
        asks(&mut bench, 0..64);
        assert_eq!(answered(&bench.messages(A)), (16, 0), "256 KiB, then the rest waits");
        let ticked = bench.pass(Duration::from_secs(3));
        assert!(!ticked.iter().any(|said| matches!(said, Output::Send { .. })));
        bench.tell(Input::Room { slot: A, bytes: 1 << 20 });
        assert_eq!(answered(&bench.messages(A)), (16, 0));
    }

    #[test]
    fn a_fast_reader_gets_sixteen_mebibytes_of_metadata_a_second_and_waits_for_more() {
        let mut bench = bench();
        let mut sent = 0;
        for turn in 0..130 {
            let first = 8 * (turn % 12);
            asks(&mut bench, first..first + 8);
            bench.tell(Input::Room { slot: A, bytes: 1 << 20 });
            let (blocks, rejects) = answered(&bench.messages(A));
            assert_eq!(rejects, 0);
            sent += blocks;
        }
        assert_eq!(sent, 1024);
        let said = bench.pass(Duration::from_secs(1));
        assert_eq!(said.iter().filter(|said| matches!(said, Output::Send { .. })).count(), 16);
    }

    #[test]
    fn questions_that_would_wait_in_too_long_a_row_are_rejected() {
        let mut bench = bench();
        asks(&mut bench, 0..100);
        assert_eq!(answered(&bench.messages(A)), (16, 100 - 16 - 64));
    }

    #[test]
    fn a_flood_of_what_cannot_be_served_ends_the_connection_and_costs_little() {
        let cancelled = |message: Message| {
            let mut bench = bench();
            for _ in 0..100_000 {
                bench.hear(A, message.clone());
            }
            let said = bench.said();
            let bytes = said.iter().map(|said| match said {
                Output::Send { message: Message::Reject(_), .. } => 17,
                Output::Send { message: Message::Extended { payload, .. }, .. } => payload.len(),
                _ => 0,
            });
            assert!(bytes.sum::<usize>() < 512 * 1024, "after {message:?}");
            said.into_iter().find_map(|said| match said {
                Output::Disconnect { reason, ban, .. } => Some((reason, ban)),
                _ => None,
            })
        };
        let id = ExtensionIds::ours(|_| true).get(Extension::Metadata).unwrap();
        let payload = MetadataMessage::Request { block: 0 }.encode();
        for flood in [Message::Request(block_of(0, 0)), Message::Extended { id, payload }] {
            assert_eq!(cancelled(flood), Some((DropReason::RequestFlood, false)));
        }
    }

    #[test]
    fn two_thousand_requests_that_were_on_their_way_when_we_choked_are_no_flood() {
        let mut bench = bench();
        for _ in 0..2_000 {
            bench.hear(A, Message::Request(block_of(0, 0)));
        }
        assert_eq!(bench.messages(A).len(), 2_000);
        assert_eq!(bench.swarm.view().peer_count, 1);
    }
}

mod serving {
    use super::*;

    fn served(bench: &mut Bench, to: PeerSlot) -> Vec<Block> {
        let sent = bench.said().into_iter().filter_map(|output| match output {
            Output::SendBlock { slot, block } if slot == to => Some(block),
            _ => None,
        });
        sent.collect()
    }

    #[test]
    fn an_interested_peer_is_unchoked_in_the_same_poll_and_never_before() {
        let mut bench = Bench::seed();
        bench.join(A, true);
        assert!(!bench.messages(A).contains(&Message::Unchoke));
        bench.hear(A, Message::Interested);
        assert_eq!(bench.messages(A), [Message::Unchoke]);
        // Interest that ends before the poll unchokes nobody.
        bench.join(B, true);
        bench.said();
        bench.hear(B, Message::Interested);
        bench.hear(B, Message::NotInterested);
        assert_eq!(bench.messages(B), []);
    }

    #[test]
    fn requests_are_served_as_room_allows_and_cancels_are_honoured() {
        let mut bench = Bench::seed();
        bench.peer(A, true, [Message::HaveNone, Message::Interested]);
        bench.said();
        bench.tell(Input::Room { slot: A, bytes: u64::from(BLOCK_BYTES) });
        (0..3).for_each(|piece| bench.hear(A, Message::Request(block_of(piece, 0))));
        assert_eq!(served(&mut bench, A).len(), 1);
        bench.hear(A, Message::Cancel(block_of(1, 0)));
        assert_eq!(bench.messages(A), [Message::Reject(block_of(1, 0))]);
        bench.tell(Input::Room { slot: A, bytes: 1 << 20 });
        let rest = served(&mut bench, A);
        assert_eq!(rest.iter().map(|block| block.piece.get()).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn a_choked_peer_gets_rejects_but_for_its_allowed_set() {
        let mut bench = Bench::seed();
        bench.join(A, true);
        let said = bench.messages(A);
        let allowed = said.iter().find_map(|message| match message {
            Message::AllowedFast(piece) => Some(*piece),
            _ => None,
        });
        let allowed = allowed.unwrap();
        let other = (0..PIECES).find(|piece| !said.contains(&Message::AllowedFast(*piece)));
        bench.hear(A, Message::Request(block_of(allowed, 0)));
        assert_eq!(served(&mut bench, A).len(), 1);
        let refused = block_of(other.unwrap(), 0);
        bench.hear(A, Message::Request(refused));
        assert_eq!(bench.messages(A), [Message::Reject(refused)]);
    }

    #[test]
    fn without_the_fast_extension_refusals_are_silent() {
        let mut bench = Bench::seed();
        bench.peer(A, false, [Message::Request(block_of(0, 0))]);
        assert_eq!(bench.messages(A), []);
    }

    #[test]
    fn spans_that_do_not_exist_are_refused_and_many_of_them_are_too_many() {
        let mut bench = Bench::seed();
        bench.peer(A, true, [Message::Interested]);
        bench.said();
        let absurd = Request { piece: 0, begin: u32::MAX, length: u32::MAX };
        bench.hear(A, Message::Request(absurd));
        assert_eq!(bench.messages(A), [Message::Reject(absurd)]);
        (0..40).for_each(|_| bench.hear(A, Message::Request(absurd)));
        assert_eq!(bench.dropped(A), Some((DropReason::BadRequests, false)));
    }

    #[test]
    fn requests_beyond_reqq_are_refused() {
        let mut bench = Bench::seed();
        bench.peer(A, true, [Message::Interested]);
        bench.said();
        bench.tell(Input::Room { slot: A, bytes: 0 });
        for nth in 0..2100 {
            bench.hear(A, Message::Request(block_of(nth % PIECES, nth / PIECES % 2)));
        }
        let rejects = bench.messages(A);
        assert_eq!(rejects.len(), 100);
        assert!(rejects.iter().all(|message| matches!(message, Message::Reject(_))));
    }

    #[test]
    fn an_upload_limit_is_asked_for_quota_and_obeyed() {
        let mut bench = Bench::seed();
        bench.tell(Input::UploadLimited(true));
        bench.peer(A, true, [Message::Interested]);
        bench.said();
        (0..4).for_each(|piece| bench.hear(A, Message::Request(block_of(piece, 0))));
        let said = bench.said();
        let wanted = u64::from(4 * BLOCK_BYTES);
        assert!(matches!(said[..], [Output::UploadQuotaWanted { bytes, .. }] if bytes == wanted));
        bench.tell(Input::UploadQuota { part: Part::Open, bytes: u64::from(2 * BLOCK_BYTES) });
        assert_eq!(served(&mut bench, A).len(), 2);
    }

    #[test]
    fn a_super_seed_claims_nothing_and_shows_one_piece_at_a_time() {
        let mut bench = Bench::seed();
        bench.tell(Input::SuperSeed(true));
        bench.join(A, true);
        let said = bench.messages(A);
        let shown = |said: &[Message]| -> Vec<u32> {
            let haves = said.iter().filter_map(|message| match message {
                Message::Have(piece) => Some(*piece),
                _ => None,
            });
            haves.collect()
        };
        assert_eq!(said[0], Message::HaveNone);
        assert!(!said.iter().any(|said| matches!(said, Message::AllowedFast(_))));
        let [piece] = shown(&said)[..] else { panic!("{said:?}") };
        bench.peer(B, true, [Message::HaveNone]);
        bench.said();
        bench.hear(B, Message::Have(piece));
        assert_eq!(shown(&bench.messages(A)).len(), 1, "it has spread");
        bench.hear(A, Message::Interested);
        let hidden = (0..PIECES).find(|hidden| *hidden != piece).unwrap();
        bench.said();
        bench.hear(B, Message::Interested);
        bench.said();
        bench.hear(B, Message::Request(block_of(hidden, 0)));
        let answer = bench.messages(B);
        let shown_to_b = answer.is_empty();
        assert!(shown_to_b || answer == [Message::Reject(block_of(hidden, 0))]);
    }
}

mod staying {
    use super::*;

    #[test]
    fn a_quiet_connection_gets_keep_alives_and_a_silent_peer_goes() {
        let mut bench = Bench::leech();
        bench.join(A, true);
        bench.said();
        let said = bench.pass(Duration::from_secs(110));
        let is_alive =
            |said: &Output| matches!(said, Output::Send { message: Message::KeepAlive, .. });
        assert_eq!(said.iter().filter(|said| is_alive(said)).count(), 1);
        let said = bench.pass(Duration::from_secs(15));
        let is_idle =
            |said: &Output| matches!(said, Output::Disconnect { reason: DropReason::Idle, .. });
        assert!(said.iter().any(is_idle));
        assert_eq!(bench.swarm.poll_timeout(), None);
    }

    #[test]
    fn two_that_only_upload_part() {
        let mut bench = Bench::seed();
        bench.peer(A, true, [Message::HaveAll]);
        assert_eq!(bench.dropped(A), Some((DropReason::SeedToSeed, false)));
        let shake = handshake(|shake| shake.upload_only = true);
        bench.peer(B, true, [Message::HaveNone, shake]);
        assert_eq!(bench.dropped(B), Some((DropReason::SeedToSeed, false)));
    }

    #[test]
    fn completion_is_told_once_and_seeds_are_let_go() {
        let mut bench = Bench::with({
            let mut have = Bitfield::full(PIECES);
            have.remove(PieceIndex::trusted(0));
            have
        });
        bench.peer(A, true, [Message::HaveAll]);
        bench.said();
        let piece = PieceIndex::trusted(0);
        bench.tell(Input::PieceVerified { piece });
        bench.tell(Input::PieceVerified { piece });
        let said = bench.said();
        let complete = said.iter().filter(|said| matches!(said, Output::WantedComplete));
        assert_eq!(complete.count(), 1);
        assert!(said.iter().any(|said| matches!(said, Output::Disconnect { slot: A, .. })));
        bench.tell(Input::PieceLost { piece });
        bench.tell(Input::PieceVerified { piece });
        let again = bench.said().into_iter().filter(|said| matches!(said, Output::WantedComplete));
        assert_eq!(again.count(), 1);
    }

    #[test]
    fn a_lost_piece_is_taken_back_before_peers_that_understand() {
        let mut bench = Bench::seed();
        bench.peer(A, true, [handshake(|_| ())]);
        bench.said();
        bench.tell(Input::PieceLost { piece: PieceIndex::trusted(6) });
        let id = Extension::DontHave.our_id();
        let payload = 6_u32.to_be_bytes().to_vec();
        assert!(bench.messages(A).contains(&Message::Extended { id, payload }));
        bench.hear(A, Message::Interested);
        bench.said();
        bench.hear(A, Message::Request(block_of(6, 0)));
        assert_eq!(bench.messages(A), [Message::Reject(block_of(6, 0))]);
    }

    #[test]
    fn gossip_is_passed_on_but_not_in_private() {
        let address = ([10, 0, 0, 1], 1234).into();
        let added = vec![PexPeer { address, flags: PexFlags::default() }];
        let pex = || {
            let pex = Pex { added: added.clone(), dropped: Vec::new() };
            let payload = ExtensionMessage::Pex(pex).encode();
            Message::Extended { id: Extension::Pex.our_id(), payload }
        };
        for is_private in [false, true] {
            let mut bench = Bench::without_metadata();
            bench.ready(Bitfield::new(PIECES), is_private);
            bench.peer(A, true, [pex()]);
            let learned =
                bench.said().into_iter().any(|said| matches!(said, Output::PeersLearned { .. }));
            assert_eq!(learned, !is_private);
        }
    }

    fn lists(messages: Vec<Message>) -> Vec<Pex> {
        let lists = messages.into_iter().filter_map(|message| match message {
            Message::Extended { id, payload } if id == Extension::Pex.our_id() => {
                Some(Pex::decode(&payload).unwrap())
            }
            _ => None,
        });
        lists.collect()
    }

    #[test]
    fn peers_hear_of_each_other_once_a_minute_and_of_who_has_gone() {
        let mut bench = Bench::leech();
        bench.peer(A, true, [handshake(|shake| shake.listen_port = Some(1001))]);
        let encrypts = handshake(|shake| {
            shake.listen_port = Some(1002);
            shake.prefers_encryption = true;
        });
        bench.peer(B, true, [encrypts]);
        bench.said();
        let to_a = |said: Vec<Output>| {
            let sent = said.into_iter().filter_map(|said| match said {
                Output::Send { slot: A, message } => Some(message),
                _ => None,
            });
            lists(sent.collect())
        };
        let b: SocketAddr = ([80, 4, 4, 199], 1002).into();
        let heard = to_a(bench.pass(Duration::from_secs(2)));
        let added = vec![PexPeer { address: b, flags: PexFlags::ENCRYPTION }];
        assert_eq!(heard, [Pex { added, dropped: Vec::new() }]);
        bench.tell(Input::Disconnected { slot: B });
        assert_eq!(to_a(bench.pass(Duration::from_secs(58))), []);
        let heard = to_a(bench.pass(Duration::from_secs(2)));
        assert_eq!(heard, [Pex { added: Vec::new(), dropped: vec![b] }]);
    }

    #[test]
    fn nobody_is_told_of_others_before_the_metadata_is_known_or_in_private() {
        for is_private in [false, true] {
            let mut bench = Bench::without_metadata();
            for slot in [A, B] {
                bench.peer(slot, true, [handshake(|shake| shake.listen_port = Some(1001))]);
            }
            let tells = |said: Vec<Output>| {
                let sent = said.into_iter().filter_map(|said| match said {
                    Output::Send { message, .. } => Some(message),
                    _ => None,
                });
                !lists(sent.collect()).is_empty()
            };
            assert!(!tells(bench.pass(Duration::from_secs(5))));
            bench.ready(Bitfield::new(PIECES), is_private);
            assert_eq!(tells(bench.pass(Duration::from_secs(5))), !is_private);
        }
    }

    #[test]
    fn a_private_torrent_does_not_offer_to_exchange_peers() {
        for is_private in [false, true] {
            let mut bench = Bench::without_metadata();
            bench.ready(Bitfield::new(PIECES), is_private);
            bench.said();
            bench.join(A, true);
            let messages = bench.messages(A);
            let payload = messages.iter().find_map(|message| match message {
                Message::Extended { id: 0, payload } => Some(payload),
                _ => None,
            });
            let shake = ExtensionHandshake::decode(payload.unwrap()).unwrap();
            assert_eq!(shake.ids.get(Extension::Pex).is_some(), !is_private);
        }
    }

    #[test]
    fn a_peer_that_sends_lists_without_pause_is_ignored_and_then_banned() {
        let mut bench = Bench::leech();
        let address = ([81, 0, 0, 1], 1234).into();
        let added = vec![PexPeer { address, flags: PexFlags::default() }];
        let payload = ExtensionMessage::Pex(Pex { added, dropped: Vec::new() }).encode();
        let list = Message::Extended { id: Extension::Pex.our_id(), payload };
        bench.peer(A, true, [list.clone()]);
        let heard = |said: &Output| matches!(said, Output::PeersLearned { .. });
        assert_eq!(bench.said().iter().filter(|said| heard(said)).count(), 1);
        for _ in 0..8 {
            bench.hear(A, list.clone());
            assert!(bench.said().is_empty());
        }
        bench.hear(A, list);
        assert_eq!(bench.dropped(A), Some((DropReason::ExchangeFlood, true)));
    }

    #[test]
    fn outputs_for_a_peer_that_is_gone_never_reach_the_next_one_in_its_slot() {
        let mut bench = Bench::seed();
        bench.join(A, true);
        bench.tell(Input::Disconnected { slot: A });
        assert!(bench.said().is_empty());
        bench.join(A, false);
        assert!(matches!(bench.messages(A)[0], Message::Bitfield(_)));
    }
}

/// Anything a peer can send, sense or nonsense.
fn any_message() -> impl Strategy<Value = Message> {
    let index = prop_oneof![4 => 0..PIECES, 1 => any::<u32>()];
    let span = || {
        let begin =
            prop_oneof![3 => (0..BLOCKS).prop_map(|nth| nth * BLOCK_BYTES), 1 => any::<u32>()];
        let length = prop_oneof![3 => Just(BLOCK_BYTES), 1 => any::<u32>()];
        let piece = prop_oneof![4 => 0..PIECES, 1 => any::<u32>()];
        (piece, begin, length).prop_map(|(piece, begin, length)| Request { piece, begin, length })
    };
    let extended = prop_oneof![
        Just(handshake(|_| ())),
        (1_u32..40_000).prop_map(|bytes| handshake(|shake| shake.metadata_bytes = Some(bytes))),
        Just(handshake(|shake| shake.upload_only = true)),
        index.clone().prop_map(|index| Message::Extended {
            id: Extension::DontHave.our_id(),
            payload: ExtensionMessage::DontHave(index).encode(),
        }),
        (any::<u8>(), prop::collection::vec(any::<u8>(), 0..30))
            .prop_map(|(id, payload)| Message::Extended { id, payload }),
    ];
    prop_oneof![
        1 => Just(Message::Choke),
        4 => Just(Message::Unchoke),
        2 => Just(Message::Interested),
        1 => Just(Message::NotInterested),
        4 => index.clone().prop_map(Message::Have),
        1 => Just(Message::Bitfield(vec![0xff, 0x0f, 0xf0])),
        1 => Just(Message::Bitfield(vec![0xff; 2])),
        1 => Just(Message::HaveAll),
        1 => Just(Message::HaveNone),
        4 => span().prop_map(Message::Request),
        1 => span().prop_map(Message::Cancel),
        1 => span().prop_map(Message::Reject),
        1 => index.clone().prop_map(Message::Suggest),
        1 => index.prop_map(Message::AllowedFast),
        2 => extended,
        1 => Just(Message::KeepAlive),
    ]
}

#[derive(Clone, Debug)]
enum Event {
    Join(u32, bool),
    Leave(u32),
    Hear(u32, Message),
    /// The peer answers what it was asked, the nth request.
    Answer(u32, usize),
    Refuse(u32, usize),
    Stray(u32, Request),
    Verify(u32),
    Fail(u32),
    Lose(u32),
    Ready(bool),
    Writable(bool),
    Prioritise(Vec<u8>),
    AskFirst(Vec<u32>),
    SuperSeed(bool),
    Room(u32, u64),
    Pass(u64),
}

fn event() -> impl Strategy<Value = Event> {
    let slot = || 0_u32..4;
    let stray = (0..PIECES, 0..BLOCKS).prop_map(|(piece, number)| block_of(piece, number));
    prop_oneof![
        3 => (slot(), any::<bool>()).prop_map(|(slot, fast)| Event::Join(slot, fast)),
        1 => slot().prop_map(Event::Leave),
        12 => (slot(), any_message()).prop_map(|(slot, message)| Event::Hear(slot, message)),
        8 => (slot(), any::<usize>()).prop_map(|(slot, nth)| Event::Answer(slot, nth)),
        1 => (slot(), any::<usize>()).prop_map(|(slot, nth)| Event::Refuse(slot, nth)),
        1 => (slot(), stray).prop_map(|(slot, request)| Event::Stray(slot, request)),
        1 => (0..PIECES).prop_map(Event::Verify),
        1 => (0..PIECES).prop_map(Event::Fail),
        1 => (0..PIECES).prop_map(Event::Lose),
        2 => any::<bool>().prop_map(Event::Ready),
        1 => any::<bool>().prop_map(Event::Writable),
        1 => prop::collection::vec(0_u8..8, PIECES as usize).prop_map(Event::Prioritise),
        1 => prop::collection::vec(0..PIECES + 2, 0..4).prop_map(Event::AskFirst),
        1 => any::<bool>().prop_map(Event::SuperSeed),
        2 => (slot(), 0_u64..100_000).prop_map(|(slot, bytes)| Event::Room(slot, bytes)),
        2 => (0_u64..30_000).prop_map(Event::Pass),
    ]
}

/// A driver's books: what is open, asked, and not given back.
struct Books {
    bench: Bench,
    open: [bool; 4],
    asked: Vec<(PeerSlot, Request)>,
    stored: Vec<(u32, u32)>,
}

impl Books {
    fn play(&mut self, event: Event) {
        let bench = &mut self.bench;
        match event {
            Event::Join(slot, fast) if !self.open[slot as usize] => {
                self.open[slot as usize] = true;
                bench.join(PeerSlot(slot), fast);
            }
            Event::Leave(slot) => self.leave(PeerSlot(slot)),
            Event::Hear(slot, message) => {
                let slot = PeerSlot(slot);
                if let Message::Reject(request) = &message {
                    self.answered(slot, *request);
                }
                self.bench.hear(slot, message);
            }
            Event::Answer(slot, nth) => {
                if let Some(request) = self.nth(slot, nth) {
                    self.arrive(PeerSlot(slot), request);
                }
            }
            Event::Refuse(slot, nth) => {
                if let Some(request) = self.nth(slot, nth) {
                    self.bench.hear(PeerSlot(slot), Message::Reject(request));
                }
            }
            Event::Stray(slot, request) => self.arrive(PeerSlot(slot), request),
            Event::Verify(piece) => {
                let piece = PieceIndex::trusted(piece);
                self.stored.retain(|(of, _)| *of != piece.get());
                bench.tell(Input::PieceVerified { piece });
            }
            Event::Fail(index) => {
                let piece = PieceIndex::trusted(index);
                self.stored.retain(|(of, _)| *of != index);
                let block_digests = vec![sha256(&index.to_be_bytes()); BLOCKS as usize];
                bench.tell(Input::PieceFailed { piece, block_digests });
            }
            Event::Lose(index) => {
                self.stored.retain(|(of, _)| *of != index);
                bench.tell(Input::PieceLost { piece: PieceIndex::trusted(index) });
            }
            Event::Ready(full) => {
                let have = if full { Bitfield::full(PIECES) } else { Bitfield::new(PIECES) };
                bench.ready(have, false);
            }
            Event::Writable(writable) => bench.tell(Input::StorageWritable(writable)),
            Event::Prioritise(priorities) => bench.tell(Input::Prioritise(priorities)),
            Event::AskFirst(pieces) => {
                let pieces = pieces.into_iter().map(PieceIndex::trusted).collect();
                bench.tell(Input::AskFirst(pieces));
            }
            Event::SuperSeed(wanted) => bench.tell(Input::SuperSeed(wanted)),
            Event::Room(slot, bytes) => {
                bench.tell(Input::Room { slot: PeerSlot(slot), bytes });
            }
            Event::Pass(millis) => {
                let said = bench.pass(Duration::from_millis(millis));
                self.note(said);
            }
            Event::Join(..) => {}
        }
        let said = self.bench.said();
        self.note(said);
    }

    fn nth(&self, slot: u32, nth: usize) -> Option<Request> {
        let asked = self.asked.iter().filter(|(of, _)| *of == PeerSlot(slot));
        let asked: Vec<_> = asked.collect();
        nth.checked_rem(asked.len()).map(|nth| asked[nth].1)
    }

    fn arrive(&mut self, slot: PeerSlot, request: Request) {
        self.answered(slot, request);
        let said = self.bench.block(slot, request);
        let returned = said.iter().filter(|said| match said {
            Output::Store { chunk, .. } | Output::Discard { chunk } => chunk.0 == self.bench.chunk,
            _ => false,
        });
        assert_eq!(returned.count(), 1, "one answer for each chunk");
        self.note(said);
    }

    fn answered(&mut self, slot: PeerSlot, request: Request) {
        if let Some(at) = self.asked.iter().position(|asked| *asked == (slot, request)) {
            self.asked.swap_remove(at);
        }
    }

    fn leave(&mut self, slot: PeerSlot) {
        self.open[slot.0 as usize] = false;
        self.asked.retain(|(of, _)| *of != slot);
        self.bench.tell(Input::Disconnected { slot });
    }

    fn note(&mut self, said: Vec<Output>) {
        let have = self.bench.swarm.view().have.clone();
        for output in said {
            match output {
                Output::Send { slot, message } => {
                    assert!(self.open[slot.0 as usize], "speaks to {slot:?}, which is gone");
                    if let Message::Request(request) = message {
                        assert!(self.bench.swarm.is_wanted(slot, request));
                        let piece = PieceIndex::trusted(request.piece);
                        let stored = (request.piece, request.begin);
                        assert!(!have.contains(piece), "asks what it has");
                        assert!(!self.stored.contains(&stored), "asks what it holds");
                        self.asked.push((slot, request));
                    }
                }
                Output::SendBlock { slot, block } => {
                    assert!(self.open[slot.0 as usize] && have.contains(block.piece));
                }
                Output::Store { block, .. } => {
                    let stored = (block.piece.get(), block.begin);
                    assert!(!self.stored.contains(&stored), "stores a block twice");
                    self.stored.push(stored);
                }
                Output::Disconnect { slot, .. } => {
                    assert!(std::mem::take(&mut self.open[slot.0 as usize]));
                    self.asked.retain(|(of, _)| *of != slot);
                }
                _ => {}
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn bears_whatever_peers_and_disks_do(events in prop::collection::vec(event(), 0..120)) {
        let bench = Bench::without_metadata();
        let mut books = Books { bench, open: [false; 4], asked: Vec::new(), stored: Vec::new() };
        for event in events {
            books.play(event);
        }
        // Debug builds compare all parts with each other at every tick.
        books.play(Event::Pass(2_000));
    }
}
