//! Nodes that mean harm, each in one way.

use piecework_bencode::{DictWriter, Value, decode_prefix, encode_dict};
use piecework_dht::NodeId;
use piecework_types::{InfoHash, Rng, Time};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// In which way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hostility {
    /// Sits right at a torrent's info-hash with its like, and knows nobody else.
    Sybil {
        /// Which of the plan's torrents.
        torrent: u32,
    },
    /// Answers everything with nodes that do not exist, right at what is sought, and with addresses of
    /// the asker's own home.
    Poisoner,
    /// Announces others with the token that it got for itself, and uses old tokens and those of other
    /// torrents.
    Replayer,
    /// Asks far too often, in its own name and in a victim's, in the shortest ways and in broken ones.
    Flooder,
    /// Sends answers to questions that nobody asked it, in other nodes' names.
    Forger,
}

/// A packet of a hostile node.
pub(super) struct Sent {
    /// Whom it says it is from.
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) bytes: Vec<u8>,
    /// It gives back a token that does not belong there.
    pub(super) is_replay: bool,
}

/// What hostile nodes know of the network.
pub(super) struct Surroundings<'a> {
    pub(super) honest: &'a [SocketAddr],
    pub(super) torrents: &'a [InfoHash],
    /// Addresses and ids of those who sit at each torrent.
    pub(super) sybils: &'a [(u32, SocketAddr, [u8; 20])],
}

/// Between two deeds of a flooder, and of the others.
const FLOOD_GAP: Duration = Duration::from_millis(250);
const DEED_GAP: Duration = Duration::from_secs(1);
/// Queries of one deed of a flooder.
const FLOOD: usize = 15;
/// Nodes that all flooders flood at once: this one of the honest, and those that follow.
const FLOODED_FIRST: usize = 7;
const FLOODED: usize = 2;
/// Tokens that are kept until they are too old.
const TOKENS_MAX: usize = 40;
/// By then a token counts no longer.
const TOKEN_LIFE: Duration = Duration::from_secs(601);

struct Token {
    of: SocketAddr,
    torrent: usize,
    token: Vec<u8>,
    at: Time,
}

/// A hostile node.
pub(super) struct Hostile {
    kind: Hostility,
    address: SocketAddr,
    id: [u8; 20],
    rng: Rng,
    /// Its last transaction. Each begins elsewhere, for they speak in one victim's name.
    sent: u32,
    tokens: Vec<Token>,
    /// What was asked of whom, for the tokens that come.
    asked: Vec<(Vec<u8>, usize)>,
}

impl Hostile {
    pub(super) fn new(
        kind: Hostility,
        address: SocketAddr,
        torrents: &[InfoHash],
        mut rng: Rng,
    ) -> Self {
        // Whoever does not care where it sits takes an id that fits.
        let mut id = NodeId::for_address(address.ip(), &mut rng).0;
        if let Hostility::Sybil { torrent } = kind {
            let near = torrents[torrent as usize].0;
            id[..16].copy_from_slice(&near[..16]);
        }
        let sent = rng.next_u64() as u32;
        Self { kind, address, id, rng, sent, tokens: Vec::new(), asked: Vec::new() }
    }

    pub(super) const fn id(&self) -> [u8; 20] {
        self.id
    }

    /// Its next deed, and when it wants to do another.
    pub(super) fn act(&mut self, around: &Surroundings<'_>, now: Time) -> (Vec<Sent>, Time) {
        let mut sent = Vec::new();
        match self.kind {
            Hostility::Sybil { .. } | Hostility::Poisoner => {
                let to = self.anybody(around);
                let target = self.id;
                let bytes = self.query("find_node", |dict| dict.bytes("target", target));
                sent.push(self.own(to, bytes));
            }
            Hostility::Replayer => self.replay(around, now, &mut sent),
            Hostility::Flooder => self.flood(around, &mut sent),
            Hostility::Forger => {
                let (from, to) = (self.anybody(around), self.anybody(around));
                let nodes = (0..8).map(|_| self.forged()).collect::<Vec<_>>();
                let transaction = self.rng.next_u64().to_be_bytes();
                let bytes = answer(&transaction[..4], [7; 20], |dict| {
                    dict.bytes("nodes", compact(&nodes));
                });
                sent.push(Sent { from, to, bytes, is_replay: false });
            }
        }
        let gap = if self.kind == Hostility::Flooder { FLOOD_GAP } else { DEED_GAP };
        (sent, now + gap)
    }

    /// What it says to a packet.
    pub(super) fn hear(
        &mut self,
        from: SocketAddr,
        bytes: &[u8],
        around: &Surroundings<'_>,
        now: Time,
    ) -> Option<Sent> {
        let limits = piecework_bencode::Limits::default();
        let (document, _) = decode_prefix(bytes, piecework_bencode::Mode::Lenient, limits).ok()?;
        let root = document.root();
        let transaction = root.get("t")?.as_bytes()?;
        if root.get("y")?.as_bytes()? != b"q" {
            let token = root.get("r")?.get("token")?.as_bytes()?.to_vec();
            let at = self.asked.iter().position(|(asked, _)| asked == transaction)?;
            let (_, torrent) = self.asked.swap_remove(at);
            if self.tokens.len() < TOKENS_MAX {
                self.tokens.push(Token { of: from, torrent, token, at: now });
            }
            return None;
        }
        let arguments = root.get("a")?;
        let target = arguments.get("info_hash").or_else(|| arguments.get("target"));
        let target = target.and_then(Value::as_bytes).unwrap_or(&[0; 20]);
        let target: [u8; 20] = target.try_into().ok()?;
        let nodes = match self.kind {
            Hostility::Sybil { .. } => around
                .sybils
                .iter()
                .filter(|(_, _, id)| id[..16] == self.id[..16])
                .take(8)
                .map(|(_, address, id)| (*id, *address))
                .collect(),
            Hostility::Poisoner => (0..8).map(|_| self.mirage(target)).collect(),
            Hostility::Replayer | Hostility::Flooder | Hostility::Forger => Vec::new(),
        };
        let is_poisoner = self.kind == Hostility::Poisoner;
        let bytes = answer(transaction, self.id, |dict| {
            dict.bytes("nodes", compact(&nodes));
            dict.bytes("token", "mine");
            if is_poisoner {
                dict.list("values", |list| {
                    list.bytes([192, 168, 1, 1, 0x1a, 0xe1]);
                    list.bytes([127, 0, 0, 1, 0, 22]);
                });
            }
        });
        Some(self.own(from, bytes))
    }

    fn replay(&mut self, around: &Surroundings<'_>, now: Time, sent: &mut Vec<Sent>) {
        let to = self.anybody(around);
        let torrent = self.rng.below(around.torrents.len() as u64) as usize;
        let info_hash = around.torrents[torrent].0;
        let bytes = self.query("get_peers", |dict| dict.bytes("info_hash", info_hash));
        if self.asked.len() >= TOKENS_MAX {
            self.asked.remove(0);
        }
        self.asked.push((self.sent.to_be_bytes().to_vec(), torrent));
        sent.push(self.own(to, bytes));
        let old = self.tokens.iter().position(|token| now.since(token.at) > TOKEN_LIFE);
        let Some(at) = old.or_else(|| self.rng.index(self.tokens.len())) else { return };
        let other = around.torrents[(self.tokens[at].torrent + 1) % around.torrents.len()].0;
        let own = around.torrents[self.tokens[at].torrent].0;
        let (of, token) = (self.tokens[at].of, self.tokens[at].token.clone());
        let address = self.address;
        let mut announce = |from, info_hash: [u8; 20], port: u16| {
            let bytes = self.query("announce_peer", |dict| {
                dict.bytes("info_hash", info_hash);
                dict.int("port", port);
                dict.bytes("token", &token);
            });
            sent.push(Sent { from, to: of, bytes, is_replay: true });
        };
        if old.is_some() {
            announce(address, own, FORBIDDEN_PORT);
            self.tokens.swap_remove(at);
        } else {
            announce(victim(), own, FORBIDDEN_PORT);
            announce(address, other, FORBIDDEN_PORT);
        }
    }

    fn flood(&mut self, around: &Surroundings<'_>, sent: &mut Vec<Sent>) {
        let target = self.id;
        let torrent = around.torrents[0].0;
        for number in 0..FLOOD {
            let to = around.honest[(FLOODED_FIRST + number % FLOODED) % around.honest.len()];
            let mut bytes = match self.rng.below(6) {
                0 => self.query("ping", |_| {}),
                1 => self.query("find_node", |dict| {
                    dict.bytes("target", target);
                    dict.list("want", |list| {
                        list.bytes("n4");
                        list.bytes("n6");
                    });
                }),
                2 => self.query("get_peers", |dict| {
                    dict.bytes("info_hash", torrent);
                    dict.int("scrape", 1);
                }),
                3 => self.query("get", |dict| dict.bytes("target", target)),
                4 => self.query("sample_infohashes", |dict| dict.bytes("target", target)),
                _ => self.query("put", |_| {}),
            };
            if self.rng.chance(1, 10) {
                let cut = self.rng.below(bytes.len() as u64) as usize;
                bytes.truncate(cut);
            }
            let from = if self.rng.chance(1, 3) { victim() } else { self.address };
            sent.push(Sent { from, to, bytes, is_replay: false });
        }
    }

    fn query(&mut self, method: &str, fill: impl FnOnce(&mut DictWriter<'_>)) -> Vec<u8> {
        self.sent = self.sent.wrapping_add(1);
        let (id, transaction) = (self.id, self.sent.to_be_bytes());
        encode_dict(|dict| {
            dict.dict("a", |dict| {
                dict.bytes("id", id);
                fill(dict);
            });
            dict.bytes("q", method);
            dict.bytes("t", transaction);
            dict.bytes("y", "q");
        })
    }

    const fn own(&self, to: SocketAddr, bytes: Vec<u8>) -> Sent {
        Sent { from: self.address, to, bytes, is_replay: false }
    }

    fn anybody(&mut self, around: &Surroundings<'_>) -> SocketAddr {
        around.honest[self.rng.below(around.honest.len() as u64) as usize]
    }

    /// A node that only a forged answer names.
    fn forged(&mut self) -> ([u8; 20], SocketAddr) {
        let ip = Ipv4Addr::from((FORGED_NETWORK << 24) | self.rng.below(1 << 24) as u32);
        let mut id = [0; 20];
        id.iter_mut().for_each(|byte| *byte = self.rng.next_u64() as u8);
        (id, (ip, 6881).into())
    }

    /// A node that does not exist, next to what is sought.
    fn mirage(&mut self, target: [u8; 20]) -> ([u8; 20], SocketAddr) {
        let mut id = target;
        id[18] ^= self.rng.next_u64() as u8;
        id[19] ^= self.rng.next_u64() as u8;
        let ip = Ipv4Addr::from((110 << 24) | self.rng.below(10 << 24) as u32);
        (id, (ip, 6881).into())
    }
}

/// Nobody has an address in this network but who is named in forged answers.
const FORGED_NETWORK: u32 = 105;
/// The port that only replayed tokens announce.
const FORBIDDEN_PORT: u16 = 666;

/// In whose name hostile nodes speak.
pub(super) fn victim() -> SocketAddr {
    ([104, 1, 1, 1], 6881).into()
}

/// Whether only forged answers name this address.
pub(super) fn is_forged(address: SocketAddr) -> bool {
    matches!(address.ip(), IpAddr::V4(ip) if u32::from(ip.octets()[0]) == FORGED_NETWORK)
}

/// Whether only a replayed token can have announced this peer.
pub(super) const fn is_forbidden(peer: SocketAddr) -> bool {
    peer.port() == FORBIDDEN_PORT
}

fn answer(transaction: &[u8], id: [u8; 20], fill: impl FnOnce(&mut DictWriter<'_>)) -> Vec<u8> {
    encode_dict(|dict| {
        dict.dict("r", |dict| {
            dict.bytes("id", id);
            fill(dict);
        });
        dict.bytes("t", transaction);
        dict.bytes("y", "r");
    })
}

fn compact(nodes: &[([u8; 20], SocketAddr)]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(nodes.len() * 26);
    for (id, address) in nodes {
        bytes.extend(id);
        if let IpAddr::V4(ip) = address.ip() {
            bytes.extend(ip.octets());
        }
        bytes.extend(address.port().to_be_bytes());
    }
    bytes
}
