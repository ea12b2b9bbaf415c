//! A node of the DHT that hears arbitrary packets at arbitrary times, looks things up and stores what it
//! is told to. The input is a sequence of steps, each a byte that says what happens and what it needs.
//! An answer is made of a query that the node sent: else none would ever be believed.

#![no_main]

use libfuzzer_sys::fuzz_target;
use piecework_dht::krpc::{Body, ErrorAnswer, ErrorCode, Message, Response};
use piecework_dht::{
    AMPLIFICATION_MAX, Config, Contact, Dht, EndpointConfig, EndpointIndex, Family, Goal,
    ImmutableItem, Item, NodeId, Output,
};
use piecework_types::{InfoHash, Rng, Time};
use std::net::SocketAddr;
use std::time::Duration;

struct Play<'a> {
    rest: &'a [u8],
    dht: Dht,
    now: Time,
    /// The last packets the node sent, and whom to.
    sent: Vec<(EndpointIndex, SocketAddr, Vec<u8>)>,
    lookups: usize,
    finished: usize,
}

fuzz_target!(|bytes: &[u8]| {
    let mut v4 = EndpointConfig::new(Family::V4);
    v4.routers = vec![address(0, Family::V4)];
    let mut v6 = EndpointConfig::new(Family::V6);
    v6.routers = vec![address(1, Family::V6)];
    let dht = Dht::new(Config::new(vec![v4, v6]), [7; 32], Rng::new(1), Time::ZERO);
    let (sent, now) = (Vec::new(), Time::ZERO);
    let mut play = Play { rest: bytes, dht, now, sent, lookups: 0, finished: 0 };
    while let Some(step) = play.byte() {
        play.step(step);
        play.drain(0);
    }
    // Nobody answers any more: every lookup ends.
    for _ in 0..10_000 {
        if play.dht.load().0 == 0 {
            break;
        }
        play.now = play.now.max(play.dht.poll_timeout().0);
        play.dht.handle_timeout(play.now);
        play.drain(0);
    }
    assert_eq!((play.dht.load().0, play.finished), (0, play.lookups));
});

fn address(number: u8, family: Family) -> SocketAddr {
    match family {
        Family::V4 => ([20, number, 3, 4], 6881).into(),
        Family::V6 => ([0x20, 1, 0xd, 0xb8, 0, number, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], 6881).into(),
    }
}

impl Play<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    fn number(&mut self) -> u8 {
        self.byte().unwrap_or(0)
    }

    fn bytes(&mut self) -> Vec<u8> {
        let length = self.number().into();
        let (bytes, rest) = self.rest.split_at(self.rest.len().min(length));
        self.rest = rest;
        bytes.to_vec()
    }

    fn id(&mut self) -> [u8; 20] {
        let (first, last) = (self.number(), self.number());
        let mut id = [0; 20];
        (id[0], id[19]) = (first, last);
        id
    }

    fn step(&mut self, step: u8) {
        let family = if step & 0x80 == 0 { Family::V4 } else { Family::V6 };
        let endpoint = EndpointIndex(step >> 7);
        match step & 0x7f {
            0 => {
                let from = address(self.number(), family);
                let packet = self.bytes();
                self.dht.handle_packet(endpoint, from, &packet, self.now);
                self.drain(packet.len());
            }
            1 => {
                let gap = Duration::from_millis(200) * self.number().into();
                self.now += gap;
                self.dht.handle_timeout(self.now);
            }
            2 => {
                let gap = Duration::from_secs(self.number().into());
                self.now += gap;
            }
            3 => self.start(endpoint),
            4 => {
                let address = address(self.number(), family);
                self.dht.add_node(endpoint, address, self.now);
            }
            5 => {
                let is_read_only = self.number() & 1 == 1;
                self.dht.set_read_only(is_read_only);
            }
            _ => self.answer(),
        }
    }

    fn start(&mut self, endpoint: EndpointIndex) {
        let kind = self.number();
        let id = self.id();
        let item = ImmutableItem::new(b"2:ab".to_vec()).map(Item::Immutable);
        let goal = match kind % 6 {
            0 => Goal::Nodes(NodeId(id)),
            1 => Goal::Peers { info_hash: InfoHash(id), no_seeds: false, scrape: kind > 100 },
            2 => Goal::Announce { info_hash: InfoHash(id), port: None, seed: true },
            3 => Goal::Immutable(NodeId(id)),
            4 => Goal::Sample(NodeId(id)),
            _ => Goal::Put { item: item.expect("canonical"), compare: None },
        };
        self.lookups += usize::from(self.dht.start(endpoint, goal, self.now).is_ok());
    }

    /// Answers the query that was sent last.
    fn answer(&mut self) {
        let Some((endpoint, to, query)) = self.sent.pop() else { return };
        let Ok(query) = Message::decode(&query) else { return };
        let kind = self.number();
        let mut response = Response::new(NodeId(self.id()));
        for _ in 0..kind % 9 {
            let id = NodeId(self.id());
            let number = self.number();
            response
                .nodes
                .get_or_insert_default()
                .push(Contact { id, address: address(number, Family::V4) });
            response
                .nodes6
                .get_or_insert_default()
                .push(Contact { id, address: address(number, Family::V6) });
        }
        if kind & 0x10 != 0 {
            response.token = Some(self.bytes()).filter(|token| token.len() <= 64);
            response.values.push(address(kind, Family::V4));
        }
        if kind & 0x20 != 0 {
            response.value = Some(b"2:ab".to_vec());
            response.sequence = Some(kind.into());
        }
        let text = String::from("no");
        let body = match kind & 0xc0 {
            0xc0 => Body::Error(ErrorAnswer { code: ErrorCode::GENERIC, text }),
            _ => Body::Response(Box::new(response)),
        };
        let seen_as = Some(address(kind & 3, Family::V4));
        let message = Message { transaction: query.transaction, version: None, seen_as, body };
        self.dht.handle_packet(endpoint, to, &message.encode(), self.now);
    }

    /// Takes what the node says; `heard` is the length of the packet that it has just heard.
    fn drain(&mut self, heard: usize) {
        let mut answered = 0;
        while let Some(output) = self.dht.poll() {
            match output {
                Output::Send { endpoint, to, bytes } => {
                    assert!(bytes.len() <= piecework_dht::krpc::PACKET_BYTES_MAX);
                    match Message::decode(&bytes).expect("what is sent can be read").body {
                        Body::Query(_) => {
                            self.sent.truncate(63);
                            self.sent.push((endpoint, to, bytes));
                        }
                        Body::Response(_) | Body::Error(_) => answered += bytes.len(),
                    }
                }
                Output::Finished { outcome, .. } => {
                    assert!(outcome.asked <= 60 && outcome.closest.len() <= 8);
                    self.finished += 1;
                }
                _ => {}
            }
        }
        assert!(answered <= heard * AMPLIFICATION_MAX);
    }
}
