//! A till with its drive, its chain and its buyers, in virtual time.

use super::LINK;
use crate::*;
use piecework_types::Time;
use std::collections::BTreeMap;
use std::time::Duration;

pub(super) const WALL: u64 = 1_800_000_000;
pub(super) const PAYEE: Address = Address::new([2; 20]);
pub(super) const TORRENT: TorrentKey = [7; 20];
/// The price of a link at the floor.
pub(super) const UNIT: u128 = 250;

pub(super) fn price(per_mib: u128) -> Price {
    Price::new(per_mib).unwrap()
}

pub(super) fn network() -> Network {
    let (vault, token) = (Address::new([4; 20]), Address::new([3; 20]));
    Network { chain_id: 1, vault, token, genesis: [9; 8] }
}

pub(super) fn config() -> TillConfig {
    TillConfig {
        networks: vec![network()],
        payee: PAYEE,
        floor: price(1000),
        link_bytes: u32::try_from(LINK).unwrap(),
        links_max: 1024,
        free_permille: 250,
    }
}

/// An account that may owe 10 GiB at the floor.
pub(super) fn facts() -> Facts {
    Facts {
        free: 400_000_000,
        bond: 256 * 10_000_000,
        epoch: 5,
        is_final: true,
        chain_time: WALL,
        fee: 100,
        ..Facts::default()
    }
}

pub(super) struct Shop {
    pub(super) till: Till,
    pub(super) now: Time,
    pub(super) wall: u64,
    /// What the chain says of everybody; none: it does not answer.
    pub(super) facts: Option<Facts>,
    /// Whether the drive, and the chain, answer at once.
    pub(super) drive: bool,
    pub(super) chain: bool,
    /// Whether counts are told at once.
    pub(super) counts: bool,
    pub(super) said: Vec<(PeerKey, Message)>,
    pub(super) service: BTreeMap<PeerKey, Service>,
    pub(super) asked: Vec<FactsKey>,
    pub(super) cashed: Vec<Sale>,
    pub(super) records: Vec<Record>,
    pub(super) last_write: WriteId,
}

impl Shop {
    /// It sells 8 MiB/s, of which 6 are for the paid class.
    pub(super) fn open() -> Self {
        Self::of(Till::new(config()))
    }

    pub(super) fn of(till: Till) -> Self {
        let mut shop = Self {
            till,
            now: Time::from_micros(1),
            wall: WALL,
            facts: Some(facts()),
            drive: true,
            chain: true,
            counts: true,
            said: Vec::new(),
            service: BTreeMap::new(),
            asked: Vec::new(),
            cashed: Vec::new(),
            records: Vec::new(),
            last_write: WriteId::default(),
        };
        shop.tell(TillInput::Sell(true));
        shop.tell(TillInput::Capacity { bytes_per_second: 8 << 20 });
        shop
    }

    pub(super) fn tell(&mut self, input: TillInput) {
        self.till.handle(self.now, self.wall, input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.till.poll() {
            match output {
                TillOutput::Send { peer, message } => self.said.push((peer, message)),
                TillOutput::Serve { peer, service } => drop(self.service.insert(peer, service)),
                TillOutput::Cash(sale) => self.cashed.push(*sale),
                TillOutput::CountWanted { peer } => {
                    if self.counts {
                        self.till.handle(self.now, self.wall, TillInput::Counted { peer });
                    }
                }
                TillOutput::Write(write) => {
                    self.records.push(write.record);
                    self.last_write = write.id;
                    if self.drive {
                        self.till.handle(self.now, self.wall, TillInput::Written(write.id));
                    }
                }
                TillOutput::FactsWanted(key) => {
                    self.asked.push(key);
                    if self.chain {
                        let facts = self.facts;
                        self.till.handle(self.now, self.wall, TillInput::Facts { key, facts });
                    }
                }
            }
        }
    }

    /// Lets time pass, with every wake-up that is asked for.
    pub(super) fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        let (start, wall) = (self.now, self.wall);
        loop {
            let next = self.till.poll_timeout();
            assert!(next > self.now || next == Time::NEVER, "it wants to wake at once, again");
            self.now = next.min(end);
            self.wall = wall + self.now.since(start).as_secs();
            self.tell(TillInput::Timeout);
            if self.now == end {
                return;
            }
        }
    }

    pub(super) fn seconds(&mut self, seconds: u64) {
        self.pass(Duration::from_secs(seconds));
    }

    pub(super) fn hear(&mut self, peer: PeerKey, message: Message) {
        self.tell(TillInput::Heard { peer, message });
    }

    pub(super) fn serve(&mut self, peer: PeerKey, bytes: u64) {
        let counts = Counts { bytes, ..Counts::default() };
        self.tell(TillInput::Served { peer, counts });
    }

    /// A peer that buys; blocks are verified one by one.
    pub(super) fn meet(&mut self, number: u64) -> PeerKey {
        let peer = PeerKey(number);
        self.tell(TillInput::Met(meeting(number)));
        peer
    }

    pub(super) fn limit(&self, peer: PeerKey) -> Option<u64> {
        match self.service.get(&peer) {
            Some(Service::Paid { limit, .. }) => Some(*limit),
            _ => None,
        }
    }

    /// What was said since it was last asked.
    pub(super) fn heard(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.said).into_iter().map(|(_, message)| message).collect()
    }

    /// The codes of all refusals since it was last asked.
    pub(super) fn refusals(&mut self) -> Vec<RefusedCode> {
        let refused = self.heard().into_iter().filter_map(|message| match message {
            Message::Refused(refused) => Some(refused.code),
            _ => None,
        });
        refused.collect()
    }

    pub(super) fn last_ask(&self, peer: PeerKey) -> Ask {
        let asks = self.said.iter().rev().filter(|(to, _)| *to == peer);
        let mut asks = asks.filter_map(|(_, message)| match message {
            Message::Ask(ask) => Some(*ask),
            _ => None,
        });
        asks.next().unwrap()
    }

    /// Sums of the ledger by channel, and the last record of each.
    pub(super) fn books(&self) -> (BTreeMap<u64, u128>, BTreeMap<u64, Sale>) {
        let (mut sums, mut sales) = (BTreeMap::new(), BTreeMap::new());
        for record in &self.records {
            match record {
                Record::Entry(entry) => *sums.entry(entry.channel).or_default() += entry.amount,
                Record::Sale(sale) => {
                    sales.insert(sale.last.signed.cheque.channel, (**sale).clone());
                }
                Record::Standing(_) | Record::Purchase(_) => {}
            }
        }
        (sums, sales)
    }
}

pub(super) fn meeting(number: u64) -> Meeting {
    Meeting {
        peer: PeerKey(number),
        torrent: TORRENT,
        info_hash: TORRENT,
        verified_bytes: 16 << 10,
        initiator: [1; 32],
        responder: [u8::try_from(number % 256).unwrap(); 32],
        offsets: false,
    }
}

/// Somebody who pays, with one channel.
pub(super) struct Buyer {
    pub(super) key: Key,
    pub(super) owner: Key,
    pub(super) delegation: Option<Delegation>,
    pub(super) peer: PeerKey,
    pub(super) channel: u64,
    pub(super) links: Links,
    pub(super) cheque: SignedCheque,
    pub(super) revealed: u32,
}

impl Buyer {
    /// The account `account` with its own key, on a connection and a channel of these numbers.
    pub(super) fn new(account: u8, number: u64) -> Self {
        let key = || Key::new(&[account; 32]).unwrap();
        let links = Links::new(B256::left_padding_from(&number.to_be_bytes()), 1024).unwrap();
        let cheque = Cheque {
            payer: key().address(),
            payee: PAYEE,
            token: network().token,
            epoch: 5,
            cumulative: 0,
            root: links.root(),
            unit: UNIT,
            links: 1024,
            channel: number,
        };
        let cheque = signed(&key(), cheque);
        let (key, owner, peer) = (key(), key(), PeerKey(number));
        let (delegation, channel, revealed) = (None, number, 0);
        Self { key, owner, delegation, peer, channel, links, cheque, revealed }
    }

    /// Signed for by a session key until then.
    pub(super) fn delegated(account: u8, number: u64, valid_until: u64) -> Self {
        let mut buyer = Self::new(account, number);
        buyer.key = Key::new(&[account + 100; 32]).unwrap();
        let delegate = Delegate {
            owner: buyer.owner.address(),
            session: buyer.key.address(),
            token: network().token,
            max_amount: 1_000_000_000,
            bond_at_risk: 256 * 1_000_000,
            valid_until,
        };
        let digest = delegate.digest(&network().domain().separator());
        buyer.delegation = Some(Delegation {
            session: delegate.session,
            max_amount: delegate.max_amount,
            bond_at_risk: delegate.bond_at_risk,
            valid_until,
            signature: buyer.owner.sign(&digest),
        });
        buyer.cheque = signed(&buyer.key, buyer.cheque.cheque);
        buyer
    }

    /// What it opens with, under the terms that were said on its connection.
    pub(super) fn opening(&self, shop: &Shop, last: Option<LastCheque>) -> Open {
        let to_us = |(peer, _): &&(PeerKey, Message)| *peer == self.peer;
        let mut terms = shop.said.iter().filter(to_us).map(|(_, message)| message);
        let terms = terms.rfind(|message| matches!(message, Message::Terms(_))).unwrap();
        let Meeting { initiator, responder, info_hash, .. } = meeting(self.peer.0);
        let bind = Bind::new(&initiator, &responder, info_hash, &terms.encode());
        Open {
            network: 0,
            payer: self.owner.address(),
            delegation: self.delegation,
            funded_at: 0,
            last,
            authority: self.key.sign(&bind.digest(&network().domain().separator())),
        }
    }

    /// Meets the till and opens, with a cheque, in one flight.
    pub(super) fn enter(&self, shop: &mut Shop) {
        shop.meet(self.peer.0);
        let open = self.opening(shop, None);
        shop.hear(self.peer, Message::Open(Box::new(open)));
        shop.hear(self.peer, Message::Cheque(self.cheque));
    }

    pub(super) fn bid(&self, shop: &mut Shop, per_mib: u128, rate: u64, number: u32) {
        let bid = Bid { price: price(per_mib), spend: 1 << 60, rate, number };
        shop.hear(self.peer, Message::Bid(bid));
    }

    /// Opens and bids the floor for 1 MiB/s.
    pub(super) fn come(&self, shop: &mut Shop) {
        self.enter(shop);
        self.bid(shop, 1000, 1 << 20, 1);
    }

    /// Shows so many links more.
    pub(super) fn pay(&mut self, shop: &mut Shop, links: u32) {
        self.revealed += links;
        let link = self.links.link(self.revealed).unwrap();
        shop.hear(self.peer, Message::Link { number: self.revealed, link });
    }

    /// The best cheque and link.
    pub(super) fn last(&self) -> LastCheque {
        let link = self.links.link(self.revealed).unwrap_or_default();
        LastCheque { signed: self.cheque, number: self.revealed, link }
    }

    /// A further cheque of the channel, with another chain.
    pub(super) fn next_cheque(&mut self, cumulative: u128) -> SignedCheque {
        self.links = Links::new(keccak256(self.links.root()), 1024).unwrap();
        self.revealed = 0;
        let root = self.links.root();
        self.cheque = signed(&self.key, Cheque { cumulative, root, ..self.cheque.cheque });
        self.cheque
    }
}

pub(super) fn signed(key: &Key, cheque: Cheque) -> SignedCheque {
    let signature = key.sign(&cheque.digest(&network().domain().separator()));
    SignedCheque { cheque, signature }
}
