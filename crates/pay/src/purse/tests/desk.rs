//! A purse with a drive and sellers whose words the test chooses. Whatever is said is checked against what
//! is on the drive, and every cheque and link by the seller that gets it.

use crate::purse::*;
use crate::*;
use piecework_types::Time;
use std::collections::BTreeMap;
use std::time::Duration;

pub(super) const MIB: u64 = 1 << 20;
pub(super) const LINK: u64 = 256 << 10;
pub(super) const TORRENT: TorrentKey = [7; 20];
/// 2026-11-22, 00:00.
pub(super) const WALL: u64 = 1_795_305_600;

pub(super) fn network() -> Network {
    Network {
        chain_id: 5,
        vault: Address::new([1; 20]),
        token: Address::new([2; 20]),
        genesis: [3; 8],
    }
}

pub(super) fn price(per_mib: u128) -> Price {
    Price::new(per_mib).unwrap()
}

pub(super) fn account() -> Address {
    Address::new([9; 20])
}

pub(super) fn delegation() -> Delegation {
    Delegation {
        session: Key::new(&[5; 32]).unwrap().address(),
        max_amount: 1_000_000_000,
        bond_at_risk: 0,
        valid_until: WALL + 6 * 24 * 3600,
        // A purse does not look at it.
        signature: Key::new(&[5; 32]).unwrap().sign(&B256::ZERO),
    }
}

pub(super) fn payer() -> Payer {
    Payer {
        network: network(),
        account: account(),
        key: Key::new(&[5; 32]).unwrap(),
        delegation: Some(delegation()),
        elsewhere: 0,
        quiet_until: 0,
    }
}

pub(super) fn facts() -> Facts {
    Facts { free: 1_000_000_000, epoch: 4, is_final: true, ..Facts::default() }
}

pub(super) fn wish(lane: Lane) -> Wish {
    Wish {
        torrent: TORRENT,
        lane,
        budget: 1_000_000,
        price_max: price(10_000),
        left: 1 << 30,
        rate_max: None,
    }
}

pub(super) fn terms(peer: u64, ask: u128) -> Terms {
    Terms {
        networks: vec![network()],
        ask: price(ask),
        link_bytes: 256 << 10,
        window: 512 << 10,
        window_max: 32 << 20,
        links_max: 4096,
        payee: payee(peer),
        free_permille: 250,
    }
}

pub(super) fn payee(peer: u64) -> Address {
    Address::left_padding_from(&(100 + peer).to_be_bytes())
}

/// What a seller has of one channel.
#[derive(Clone, Debug)]
pub(super) struct Till {
    pub(super) signed: SignedCheque,
    held: Held,
    /// The most that any cheque and link of the channel was worth.
    pub(super) best: u128,
}

impl Till {
    pub(super) fn last(&self) -> LastCheque {
        LastCheque { signed: self.signed, number: self.held.number(), link: self.held.link() }
    }
}

pub(super) struct Desk {
    pub(super) purse: Purse,
    pub(super) now: Time,
    pub(super) wall: u64,
    /// Records on the drive, and those on their way to it.
    pub(super) drive: BTreeMap<(Address, u64), Purchase>,
    pub(super) spent: u128,
    pub(super) on_way: Vec<Write>,
    /// Whether writes arrive at once.
    pub(super) syncs: bool,
    /// What sellers have, by payee and channel.
    pub(super) tills: BTreeMap<(Address, u64), Till>,
    pub(super) said: Vec<(u64, Message)>,
    pub(super) told: Vec<PurseOutput>,
    payees: BTreeMap<u64, Address>,
}

impl Desk {
    /// Off, with funds.
    pub(super) fn new() -> Self {
        Self::with(PurseConfig { payers: vec![payer()], day_max: 1_000_000_000 })
    }

    pub(super) fn with(config: PurseConfig) -> Self {
        let purse = Purse::new(config, [1; 32]);
        let mut desk = Self {
            purse,
            now: Time::ZERO,
            wall: WALL,
            drive: BTreeMap::new(),
            spent: 0,
            on_way: Vec::new(),
            syncs: true,
            tills: BTreeMap::new(),
            said: Vec::new(),
            told: Vec::new(),
            payees: BTreeMap::new(),
        };
        desk.funds(Some(facts()));
        desk
    }

    /// On, with a wish.
    pub(super) fn buying(lane: Lane) -> Self {
        let mut desk = Self::new();
        desk.put(PurseInput::Buy(true));
        desk.put(PurseInput::Want(wish(lane)));
        desk
    }

    /// On, with a wish and one seller that has given the paid lane for 100 a MiB.
    pub(super) fn paid(lane: Lane) -> Self {
        let mut desk = Self::buying(lane);
        desk.meets(1, 100);
        desk.gives(1, 100, 0);
        desk.said.clear();
        desk.told.clear();
        desk
    }

    pub(super) fn put(&mut self, input: PurseInput) {
        self.purse.handle(self.now, self.wall, input);
        loop {
            self.drain();
            if !self.syncs || self.on_way.is_empty() {
                break;
            }
            self.sync();
        }
    }

    /// All that was written reaches the drive.
    pub(super) fn sync(&mut self) {
        let Some(last) = self.on_way.last().map(|write| write.id) else { return };
        for write in std::mem::take(&mut self.on_way) {
            match write.record {
                Record::Purchase(purchase) => {
                    let cheque = purchase.signed.cheque;
                    self.drive.insert((cheque.payee, cheque.channel), *purchase);
                }
                Record::Entry(entry) => self.spent += entry.amount,
                Record::Sale(_) | Record::Standing(_) => panic!("a seller's record"),
            }
        }
        self.purse.handle(self.now, self.wall, PurseInput::Written(last));
        self.drain();
    }

    pub(super) fn drain(&mut self) {
        while let Some(output) = self.purse.poll() {
            match output {
                PurseOutput::Write(write) => self.on_way.push(write),
                PurseOutput::Send { peer, message } => {
                    self.hear(peer.0, &message);
                    self.said.push((peer.0, message));
                }
                other => self.told.push(other),
            }
        }
    }

    fn hear(&mut self, peer: u64, message: &Message) {
        let payee = self.payees[&peer];
        match message {
            Message::Cheque(signed) => {
                let cheque = &signed.cheque;
                cheque.check(payee).unwrap();
                let digest = cheque.digest(&network().domain().separator());
                signed.signature.check(&digest, delegation().session).unwrap();
                let key = (payee, cheque.channel);
                let written = self.drive.get(&key).expect("a cheque is written before it is said");
                assert!(written.signed == *signed || self.wrote_later(&key), "{signed:?}");
                let best = self.tills.get(&key).map_or(0, |till| till.best);
                let best = best.max(cheque.cumulative);
                let held = Held::new(cheque.root, cheque.links).unwrap();
                self.tills.insert(key, Till { signed: *signed, held, best });
            }
            Message::Link { number, link } => {
                // The link is of the cheque that came last on this connection.
                let key = self.last_key(peer);
                let till = self.tills.get_mut(&key).unwrap();
                assert!(till.held.take(*number, *link).unwrap() > 0, "a link is said once");
                let worth = till.signed.cheque.value(*number, *link).unwrap();
                till.best = till.best.max(worth);
                let written = &self.drive[&key];
                assert!(worth <= written.at_most, "no link is worth more than is written");
            }
            _ => {}
        }
    }

    fn wrote_later(&self, key: &(Address, u64)) -> bool {
        let names = |write: &Write| match &write.record {
            Record::Purchase(it) => (it.signed.cheque.payee, it.signed.cheque.channel) == *key,
            _ => false,
        };
        self.on_way.iter().any(names)
    }

    fn last_key(&self, peer: u64) -> (Address, u64) {
        let said = self.said.iter().rev();
        let signed = said.filter(|(to, _)| *to == peer).find_map(|(_, message)| match message {
            Message::Cheque(signed) => Some(signed),
            _ => None,
        });
        signed.map_or_else(
            || *self.tills.keys().rfind(|(payee, _)| *payee == self.payees[&peer]).unwrap(),
            |signed| (signed.cheque.payee, signed.cheque.channel),
        )
    }

    pub(super) fn passes(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now += Duration::from_secs(1);
            self.wall += 1;
            self.put(PurseInput::Timeout);
        }
    }

    pub(super) fn funds(&mut self, facts: Option<Facts>) {
        self.put(PurseInput::Funds { network: network(), facts });
    }

    pub(super) fn meeting(peer: u64) -> Meeting {
        Meeting {
            peer: PeerKey(peer),
            torrent: TORRENT,
            info_hash: TORRENT,
            verified_bytes: 16 << 10,
            initiator: [peer as u8; 32],
            responder: [99; 32],
            offsets: false,
        }
    }

    pub(super) fn meets(&mut self, peer: u64, ask: u128) {
        self.offers(Self::meeting(peer), terms(peer, ask));
    }

    pub(super) fn offers(&mut self, meeting: Meeting, terms: Terms) {
        self.payees.insert(meeting.peer.0, terms.payee);
        self.put(PurseInput::Met(meeting));
        self.put(PurseInput::Terms { peer: meeting.peer, terms, said: b"said".to_vec() });
    }

    pub(super) fn hears(&mut self, peer: u64, message: Message) {
        self.put(PurseInput::Heard { peer: PeerKey(peer), message });
    }

    /// The paid lane at a price from a byte on, at 1 MiB/s.
    pub(super) fn gives(&mut self, peer: u64, per_mib: u128, from: u64) {
        let bid = self.bid(peer).map_or(0, |bid| bid.number);
        let ask = Ask { price: price(per_mib), bid, paid: true, rate: MIB, from };
        self.hears(peer, Message::Ask(ask));
    }

    pub(super) fn came(&mut self, peer: u64, bytes: u64, verified: u64) {
        let counts = Counts { bytes, verified, back: 0 };
        self.put(PurseInput::Came { peer: PeerKey(peer), counts });
    }

    /// The bid that the peer heard last.
    pub(super) fn bid(&self, peer: u64) -> Option<Bid> {
        let view = self.purse.trades.get(&PeerKey(peer))?;
        view.deal().map(|deal| deal.bid)
    }

    /// What all payees can claim.
    pub(super) fn claimable(&self) -> u128 {
        self.tills.values().map(|till| till.best).sum()
    }

    pub(super) fn view(&self) -> TorrentView {
        self.purse.torrent(&TORRENT).unwrap()
    }

    /// Names of what was said to a peer, in order.
    pub(super) fn names(&self, peer: u64) -> Vec<&'static str> {
        let said = self.said.iter().filter(|(to, _)| *to == peer);
        said.map(|(_, message)| match message {
            Message::Terms(_) => "terms",
            Message::Open(_) => "open",
            Message::Accepted(_) => "accepted",
            Message::Bid(bid) if bid.price == Price::default() => "no bid",
            Message::Bid(_) => "bid",
            Message::Ask(_) => "ask",
            Message::Link { .. } => "link",
            Message::Cheque(_) => "cheque",
            Message::Stat { .. } => "stat",
            Message::Close { .. } => "close",
            Message::Refused(_) => "refused",
        })
        .collect()
    }

    /// The last cheque that was said to a peer.
    pub(super) fn cheque(&self, peer: u64) -> Cheque {
        let (payee, channel) = self.last_key(peer);
        self.tills[&(payee, channel)].signed.cheque
    }

    pub(super) fn holds(&self) -> Vec<Option<Hold>> {
        let told = self.told.iter();
        told.filter_map(|it| match it {
            PurseOutput::Held { hold, .. } => Some(*hold),
            _ => None,
        })
        .collect()
    }

    pub(super) fn refusals(&self, peer: u64) -> Vec<RefusedCode> {
        let said = self.said.iter().filter(|(to, _)| *to == peer);
        said.filter_map(|(_, message)| match message {
            Message::Refused(refused) => Some(refused.code),
            _ => None,
        })
        .collect()
    }

    /// The process dies with what is not on the drive, and a new one begins with what is.
    pub(super) fn crashes(&mut self, config: PurseConfig, entropy: [u8; 32]) {
        self.on_way.clear();
        self.purse = Purse::new(config, entropy);
        self.purse.restore(self.drive.values().cloned().map(Box::new).map(Record::Purchase));
        self.funds(Some(facts()));
    }
}
