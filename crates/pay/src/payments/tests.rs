#![allow(clippy::unwrap_used)]

use super::*;
use crate::{
    Address, CloseReason, Facts, Key, Lane, Network, Payer, Price, PurseConfig, Record, Service,
    TillConfig, Wish,
};
use piecework_bencode::encode_dict;
use std::time::Duration;

const WALL: u64 = 1_795_000_000;
const TORRENT: TorrentKey = [7; 20];
const LINK_BYTES: u32 = 256 << 10;
const LINE: PeerKey = PeerKey(1);

fn network() -> Network {
    let (vault, token) = (Address::new([1; 20]), Address::new([2; 20]));
    Network { chain_id: 9, vault, token, genesis: [3; 8] }
}

/// A rich account, as its vault has it.
fn facts() -> Facts {
    let (free, bond) = (1 << 60, 1 << 60);
    Facts { free, bond, epoch: 5, is_final: true, chain_time: WALL, ..Facts::default() }
}

fn till() -> Till {
    Till::new(TillConfig {
        networks: vec![network()],
        payee: Address::new([4; 20]),
        floor: Price::new(1 << 20).unwrap(),
        link_bytes: LINK_BYTES,
        links_max: 1024,
        free_permille: 250,
    })
}

fn purse(secret: u8) -> Purse {
    let key = Key::new(&[secret; 32]).unwrap();
    let (account, network) = (key.address(), network());
    let payer = Payer { network, account, key, delegation: None, elsewhere: 0, quiet_until: 0 };
    Purse::new(PurseConfig { payers: vec![payer], day_max: u128::MAX }, [secret; 32])
}

/// Payments with what became of their outputs.
struct Node {
    payments: Payments,
    now: Time,
    service: Option<Service>,
    is_buying: bool,
    sale: Option<crate::Sale>,
    purchase: Option<crate::Purchase>,
    faults: Vec<(PayFault, bool)>,
    sent: VecDeque<Vec<u8>>,
}

impl Node {
    fn new(till: Option<Till>, purse: Option<Purse>, seed: u8) -> Self {
        let config = PaymentsConfig { till, purse, offsets: false, entropy: [seed; 32] };
        let mut node = Self {
            payments: Payments::new(config),
            now: Time::ZERO,
            service: None,
            is_buying: false,
            sale: None,
            purchase: None,
            faults: Vec::new(),
            sent: VecDeque::new(),
        };
        node.tell(PaymentsInput::Till(TillInput::Capacity { bytes_per_second: 100 << 20 }));
        node.tell(PaymentsInput::Till(TillInput::Sell(true)));
        node.tell(PaymentsInput::Purse(PurseInput::Buy(true)));
        let (network, facts) = (network(), Some(facts()));
        node.tell(PaymentsInput::Purse(PurseInput::Funds { network, facts }));
        node
    }

    fn want(&mut self) {
        let (lane, budget) = (Lane::Fast, 1 << 50);
        let price_max = Price::new(1 << 30).unwrap();
        let wish =
            Wish { torrent: TORRENT, lane, budget, price_max, left: 1 << 40, rate_max: None };
        self.tell(PaymentsInput::Purse(PurseInput::Want(wish)));
    }

    fn tell(&mut self, input: PaymentsInput) {
        self.payments.handle(self.now, WALL, input);
        while let Some(output) = self.payments.poll() {
            self.carry_out(output);
        }
    }

    fn carry_out(&mut self, output: PaymentsOutput) {
        let again = |payments: &mut Payments, now, input| payments.handle(now, WALL, input);
        match output {
            PaymentsOutput::SendPayload { peer, bytes } => {
                assert_eq!(peer, LINE);
                self.sent.push_back(bytes);
            }
            PaymentsOutput::Faulted { fault, is_off, .. } => self.faults.push((fault, is_off)),
            PaymentsOutput::Till(TillOutput::Write(write)) => {
                if let Record::Sale(sale) = write.record {
                    self.sale = Some(*sale);
                }
                let input = PaymentsInput::Till(TillInput::Written(write.id));
                again(&mut self.payments, self.now, input);
            }
            PaymentsOutput::Purse(PurseOutput::Write(write)) => {
                if let Record::Purchase(purchase) = write.record {
                    self.purchase = Some(*purchase);
                }
                let input = PaymentsInput::Purse(PurseInput::Written(write.id));
                again(&mut self.payments, self.now, input);
            }
            PaymentsOutput::Till(TillOutput::FactsWanted(key)) => {
                let facts = Some(facts());
                let input = PaymentsInput::Till(TillInput::Facts { key, facts });
                again(&mut self.payments, self.now, input);
            }
            PaymentsOutput::Till(TillOutput::CountWanted { peer }) => {
                let input = PaymentsInput::Till(TillInput::Counted { peer });
                again(&mut self.payments, self.now, input);
            }
            PaymentsOutput::Till(TillOutput::Serve { service, .. }) => self.service = Some(service),
            PaymentsOutput::Purse(PurseOutput::Buying { is_paid, .. }) => self.is_buying = is_paid,
            PaymentsOutput::Till(TillOutput::Cash(_))
            | PaymentsOutput::Purse(PurseOutput::NearlySpent(_) | PurseOutput::Held { .. }) => {}
            PaymentsOutput::Till(TillOutput::Send { .. })
            | PaymentsOutput::Purse(PurseOutput::Send { .. }) => panic!("{output:?}"),
        }
    }

    fn connect(&mut self, is_initiator: bool) {
        let connection = Connection {
            peer: LINE,
            torrent: TORRENT,
            info_hash: TORRENT,
            is_initiator,
            verified_bytes: 16 << 10,
            is_again: false,
        };
        self.tell(PaymentsInput::Connected(connection));
    }

    fn hear(&mut self, bytes: Vec<u8>) {
        self.tell(PaymentsInput::Payload { peer: LINE, bytes });
    }
}

/// Carries payloads both ways until nobody has anything to say.
fn carry(a: &mut Node, b: &mut Node) {
    while !(a.sent.is_empty() && b.sent.is_empty()) {
        for bytes in std::mem::take(&mut a.sent) {
            b.hear(bytes);
        }
        for bytes in std::mem::take(&mut b.sent) {
            a.hear(bytes);
        }
    }
}

fn wait(nodes: &mut [&mut Node], time: Duration) {
    for node in nodes {
        node.now += time;
        node.tell(PaymentsInput::Timeout);
    }
}

/// Data that the first sells the second.
fn serve(seller: &mut Node, buyer: &mut Node, bytes: u64) {
    let served = Counts { bytes, verified: 0, back: 0 };
    let came = Counts { bytes, verified: bytes, back: 0 };
    let (none, peer) = (Counts::default(), LINE);
    seller.tell(PaymentsInput::Counted { peer, served, came: none });
    buyer.tell(PaymentsInput::Counted { peer, served: none, came });
    carry(seller, buyer);
}

fn trading() -> (Node, Node) {
    let mut seller = Node::new(Some(till()), None, 1);
    let mut buyer = Node::new(None, Some(purse(1)), 2);
    buyer.want();
    seller.connect(false);
    buyer.connect(true);
    carry(&mut seller, &mut buyer);
    (seller, buyer)
}

#[test]
fn a_buyer_and_a_seller_come_to_the_same_sum_over_sealed_messages() {
    let (mut seller, mut buyer) = trading();
    assert!(matches!(seller.service, Some(Service::Paid { .. })), "{:?}", seller.service);
    assert!(buyer.is_buying);
    for links in 1..=40 {
        serve(&mut seller, &mut buyer, links * u64::from(LINK_BYTES));
        wait(&mut [&mut seller, &mut buyer], Duration::from_millis(250));
        carry(&mut seller, &mut buyer);
    }
    buyer.tell(PaymentsInput::Purse(PurseInput::Forget(TORRENT)));
    carry(&mut seller, &mut buyer);
    wait(&mut [&mut seller, &mut buyer], Duration::from_secs(1));
    let (sale, purchase) = (seller.sale.unwrap(), buyer.purchase.unwrap());
    // 10 MiB at 2^20 a MiB, folded.
    assert_eq!(sale.last.signed, purchase.signed);
    assert_eq!((sale.last.number, purchase.value()), (0, 10 << 20));
    assert!(seller.faults.is_empty() && buyer.faults.is_empty());
    assert_eq!(seller.service, Some(Service::Free));
    assert!(!buyer.is_buying);
}

#[test]
fn three_faults_end_the_trade_of_a_connection_and_the_machines_are_told() {
    let (mut seller, mut buyer) = trading();
    for is_off in [false, false, true] {
        seller.hear(b"garbage".to_vec());
        assert!(
            matches!(seller.faults.last(), Some((PayFault::Bencode(_), off)) if *off == is_off)
        );
    }
    assert_eq!(seller.payments.till().unwrap().buyers().count(), 0);
    // The connection stays, and is served as all others are.
    assert_eq!(seller.service, Some(Service::Free));
    // Whatever else is said there is not heard.
    serve(&mut seller, &mut buyer, 1 << 20);
    assert_eq!(seller.faults.len(), 3);

    let (_, mut buyer) = trading();
    (0..3).for_each(|_| buyer.hear(b"garbage".to_vec()));
    assert!(!buyer.is_buying);
}

#[test]
fn who_says_too_much_is_told_so() {
    let (mut seller, mut buyer) = trading();
    buyer.sent.clear();
    let later = encode_dict(|dict| dict.int("t", 77));
    for _ in 0..1000 {
        seller.hear(later.clone());
    }
    assert_eq!(seller.faults, [(PayFault::TooManyMessages { max: 200 }, false)]);
    assert_eq!(seller.sent.len(), 1);
    carry(&mut seller, &mut buyer);
    // It takes its business elsewhere.
    assert!(!buyer.is_buying);
}

#[test]
fn who_neither_buys_nor_sells_says_nothing() {
    let mut nobody = Node::new(None, None, 1);
    nobody.connect(true);
    assert!(nobody.sent.is_empty());
    nobody.hear(b"garbage".to_vec());
    assert!(nobody.faults.is_empty());
    assert_eq!(nobody.payments.poll_timeout(), Time::NEVER);
}

/// Two that buy of each other and sell to each other.
fn mutual() -> (Node, Node) {
    let mut a = Node::new(Some(till()), Some(purse(1)), 1);
    let mut b = Node::new(Some(till()), Some(purse(2)), 2);
    a.want();
    b.want();
    a.connect(true);
    b.connect(false);
    carry(&mut a, &mut b);
    for node in [&a, &b] {
        assert!(node.is_buying);
        assert!(matches!(node.service, Some(Service::Paid { .. })), "{:?}", node.service);
    }
    (a, b)
}

#[test]
fn where_both_buy_and_sell_a_refusal_is_for_the_trade_that_it_is_about() {
    let (mut a, mut b) = mutual();
    let mut refuse = |a: &mut Node, code| {
        let refused = Message::Refused(Refused { code, text: String::new() });
        let Some(PaymentsOutput::SendPayload { bytes, .. }) = b.payments.seal(LINE, &refused)
        else {
            panic!("not met")
        };
        a.hear(bytes);
    };
    // A word of a seller, and one of a buyer.
    refuse(&mut a, RefusedCode::BadSignature);
    assert!(!a.is_buying);
    assert!(matches!(a.service, Some(Service::Paid { .. })));
    let (mut a, mut b) = mutual();
    let refused = Refused { code: RefusedCode::Disagree, text: String::new() };
    let refused = b.payments.seal(LINE, &Message::Refused(refused));
    let Some(PaymentsOutput::SendPayload { bytes, .. }) = refused else { panic!("not met") };
    a.hear(bytes);
    assert!(a.is_buying);
    assert_eq!(a.service, Some(Service::Free));
}

#[test]
fn where_both_buy_and_sell_one_trade_ends_and_the_other_goes_on() {
    let (mut a, mut b) = mutual();
    a.tell(PaymentsInput::Purse(PurseInput::Forget(TORRENT)));
    carry(&mut a, &mut b);
    assert!(!a.is_buying && b.is_buying, "{} {}", a.is_buying, b.is_buying);
    assert!(matches!(a.service, Some(Service::Paid { .. })));
    assert_eq!(b.service, Some(Service::Free));
    // Somebody else's channel ends nothing.
    let close = Message::Close { channel: 1, reason: CloseReason::Done };
    let Some(PaymentsOutput::SendPayload { bytes, .. }) = b.payments.seal(LINE, &close) else {
        panic!("not met")
    };
    a.hear(bytes);
    assert!(matches!(a.service, Some(Service::Paid { .. })));
}

#[test]
fn every_connection_has_a_key_of_its_own() {
    let mut node = Node::new(Some(till()), None, 1);
    let mut hellos = BTreeSet::new();
    for peer in 1..=20 {
        let connection = Connection {
            peer: PeerKey(peer),
            torrent: TORRENT,
            info_hash: TORRENT,
            is_initiator: true,
            verified_bytes: 16 << 10,
            is_again: false,
        };
        node.payments.handle(node.now, WALL, PaymentsInput::Connected(connection));
        let Some(PaymentsOutput::SendPayload { bytes, .. }) = node.payments.poll() else {
            panic!("no hello")
        };
        assert!(hellos.insert(bytes));
    }
}

#[test]
fn what_comes_of_a_connection_that_is_gone_or_unknown_is_nothing() {
    let (mut seller, mut buyer) = trading();
    seller.tell(PaymentsInput::Disconnected { peer: LINE });
    let _ = std::mem::take(&mut seller.sent);
    serve(&mut seller, &mut buyer, 1 << 20);
    seller.hear(b"garbage".to_vec());
    assert!(seller.faults.is_empty());
    assert_eq!(seller.payments.lines.len(), 0);
}

#[test]
fn links_that_come_too_fast_are_paid_together_and_all_are_paid() {
    let (mut seller, mut buyer) = trading();
    // A GiB in a second, told block by block in virtual time: 4096 links' worth.
    let mut sent = 0;
    for step in 1..=4096_u64 {
        let time = Duration::from_micros(1_000_000 / 4096);
        (seller.now, buyer.now) = (seller.now + time, buyer.now + time);
        if buyer.payments.poll_timeout() <= buyer.now {
            buyer.tell(PaymentsInput::Timeout);
        }
        let bytes = step * u64::from(LINK_BYTES);
        let (none, peer) = (Counts::default(), LINE);
        let counts = Counts { bytes, verified: bytes, back: 0 };
        seller.tell(PaymentsInput::Counted { peer, served: counts, came: none });
        buyer.tell(PaymentsInput::Counted { peer, served: none, came: counts });
        sent += buyer.sent.len();
        carry(&mut seller, &mut buyer);
    }
    wait(&mut [&mut seller, &mut buyer], Duration::from_secs(1));
    carry(&mut seller, &mut buyer);
    wait(&mut [&mut seller, &mut buyer], Duration::from_secs(1));
    assert!(sent < 300, "{sent} messages");
    assert_eq!(seller.faults, []);
    let (sale, purchase) = (seller.sale.unwrap(), buyer.purchase.unwrap());
    let value = sale.last.signed.cheque.worth(sale.last.number).unwrap();
    assert_eq!(value, purchase.value());
    assert_eq!(value, 4096 * u128::from(LINK_BYTES));
}
