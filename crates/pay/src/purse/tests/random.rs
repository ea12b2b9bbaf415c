//! The whole purse against sellers, clocks and drives that do as they like.

use super::desk::*;
use crate::purse::*;
use crate::*;
use proptest::prelude::*;

/// What may be spent in all, by one of four limits; the others allow more.
const MOST: u128 = 3_000;

/// Limits of the torrent, the day, the account and the delegation.
#[derive(Clone, Copy, Debug)]
struct Limits {
    budget: u128,
    day: u128,
    free: u128,
    delegated: u128,
}

const LIMITS: [Limits; 4] = [
    Limits { budget: MOST, day: 4_000, free: 5_000, delegated: 6_000 },
    Limits { budget: 6_000, day: MOST, free: 4_000, delegated: 5_000 },
    Limits { budget: 5_000, day: 6_000, free: MOST, delegated: 4_000 },
    Limits { budget: 4_000, day: 5_000, free: 6_000, delegated: MOST },
];

const PEERS: u64 = 4;

#[derive(Clone, Debug)]
enum Step {
    Meets { peer: u64, ask: u128, window: u32, piece: u32 },
    Leaves { peer: u64 },
    Gives { peer: u64, percent: u128, from: i64, paid: bool, rate: u64 },
    Came { peer: u64, bytes: u64, verified_percent: u64 },
    Stat { peer: u64, more: i64 },
    Accepts { peer: u64, window: u32, lies: u128, paid: u128 },
    Closes { peer: u64 },
    Corrupt { peer: u64 },
    Refuses { peer: u64 },
    Wants { lane: u8, budget_percent: u128 },
    Buy(bool),
    Passes { seconds: u64 },
    Sync,
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let peer = || 1..=PEERS;
    // Most words of a seller are honest, or nothing would be bought.
    let percent = prop_oneof![30 => 90..=100_u128, 3 => 10..=100_u128, 1 => 101..=150_u128];
    let from = prop_oneof![30 => 0..100_000_i64, 1 => -400_000..0_i64];
    let bytes = prop_oneof![3 => 0..4 * LINK, 1 => 0..30 * LINK];
    let more = prop_oneof![6 => -600_000..500_000_i64, 1 => 500_000..900_000_i64];
    let budget = prop_oneof![3 => Just(100_u128), 1 => 0..=100_u128];
    let step = prop_oneof![
        4 => (peer(), 90..110_u128, 0..5_u32, 0..3_u32).prop_map(|(peer, ask, window, piece)| {
            let (window, piece) = ((256 << 10) * (window + 1), (16 << 10) << (4 * piece));
            Step::Meets { peer, ask, window, piece }
        }),
        2 => peer().prop_map(|peer| Step::Leaves { peer }),
        8 => (peer(), percent, from, 0..10_u8, 0..4 * MIB).prop_map(
            |(peer, percent, from, paid, rate)| {
                Step::Gives { peer, percent, from, paid: paid > 0, rate }
            }
        ),
        24 => (peer(), bytes, prop_oneof![Just(100_u64), 0..=100_u64]).prop_map(|(peer, bytes, percent)| {
            Step::Came { peer, bytes, verified_percent: percent }
        }),
        3 => (peer(), more).prop_map(|(peer, more)| Step::Stat { peer, more }),
        3 => (peer(), 0..3_u32, 0..2_u128, 0..5_000_u128).prop_map(|(peer, window, lies, paid)| {
            Step::Accepts { peer, window: window * (300 << 10), lies, paid }
        }),
        1 => peer().prop_map(|peer| Step::Closes { peer }),
        1 => peer().prop_map(|peer| Step::Corrupt { peer }),
        1 => peer().prop_map(|peer| Step::Refuses { peer }),
        2 => (1..4_u8, budget).prop_map(|(lane, budget_percent)| {
            Step::Wants { lane, budget_percent }
        }),
        1 => prop_oneof![3 => Just(true), 1 => Just(false)].prop_map(Step::Buy),
        4 => (1..40_u64).prop_map(|seconds| Step::Passes { seconds }),
        6 => Just(Step::Sync),
        1 => Just(Step::Crash),
    ];
    prop::collection::vec(step, 1..250)
}

/// What a test knows of one connection.
#[derive(Clone, Copy, Default)]
struct Seen {
    counts: Counts,
    /// The highest price that it said and that was bid, and bytes at risk before they are verified.
    price: u128,
    piece: u64,
}

struct Run {
    limits: Limits,
    desk: Desk,
    seen: [Option<Seen>; PEERS as usize + 1],
    next: u64,
    /// Connection of a seller.
    peers: [u64; PEERS as usize + 1],
    crashes: u8,
    /// Bytes that may be paid on connections that are gone, at their prices.
    gone: u128,
}

impl Limits {
    fn config(&self) -> PurseConfig {
        let delegation = Delegation { max_amount: self.delegated, ..delegation() };
        let payers = vec![Payer { delegation: Some(delegation), ..payer() }];
        PurseConfig { payers, day_max: self.day }
    }

    fn funds(&self) -> Facts {
        Facts { free: self.free, ..facts() }
    }
}

impl Run {
    fn new(limits: Limits, syncs: bool) -> Self {
        let mut desk = Desk::with(limits.config());
        desk.syncs = syncs;
        desk.funds(Some(limits.funds()));
        desk.put(PurseInput::Buy(true));
        let mut run =
            Self { limits, desk, seen: [None; 5], next: 0, peers: [0; 5], crashes: 0, gone: 0 };
        run.wants(2, 100);
        run
    }

    fn wants(&mut self, lane: u8, percent: u128) {
        let lane = [Lane::Slow, Lane::Medium, Lane::Fast, Lane::Live { rate: MIB }][lane as usize];
        let budget = self.limits.budget * percent / 100;
        self.desk.put(PurseInput::Want(Wish { budget, price_max: price(250), ..wish(lane) }));
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Meets { peer, ask, window, piece } => {
                self.leaves(peer);
                self.next += 1;
                self.peers[peer as usize] = self.next;
                let piece_bytes = u64::from(piece);
                self.seen[peer as usize] = Some(Seen { piece: piece_bytes, ..Seen::default() });
                let meeting = Meeting { verified_bytes: piece, ..Desk::meeting(self.next) };
                self.desk.offers(meeting, Terms { window, ..terms(peer, ask) });
            }
            Step::Leaves { peer } => self.leaves(peer),
            Step::Gives { peer, percent, from, paid, rate } => {
                let Some(seen) = self.seen[peer as usize] else { return };
                let key = self.peers[peer as usize];
                let bid = self.desk.bid(key).unwrap_or_default();
                let from = seen.counts.bytes.saturating_add_signed(from);
                let price = bid.price.percent(u32::try_from(percent).unwrap());
                let ask = Ask { price, bid: bid.number, paid, rate, from };
                self.desk.hears(key, Message::Ask(ask));
                if let Some(seen) = self.seen[peer as usize].as_mut().filter(|_| percent <= 100) {
                    seen.price = seen.price.max(price.per_mib());
                }
            }
            Step::Came { peer, bytes, verified_percent } => {
                let Some(seen) = &mut self.seen[peer as usize] else { return };
                let counts = &mut seen.counts;
                counts.bytes += bytes;
                counts.verified += (counts.bytes - counts.verified) * verified_percent / 100;
                let (bytes, verified) = (counts.bytes, counts.verified);
                self.desk.came(self.peers[peer as usize], bytes, verified);
            }
            Step::Stat { peer, more } => {
                let Some(seen) = self.seen[peer as usize] else { return };
                let bytes = seen.counts.bytes.saturating_add_signed(more);
                self.desk.hears(self.peers[peer as usize], Message::Stat { bytes, due: 0 });
            }
            Step::Accepts { peer, window, lies, paid } => self.accepts(peer, window, lies, paid),
            Step::Closes { peer } => {
                let payee = payee(peer);
                let of = |(to, _): &&(Address, u64)| *to == payee;
                let Some((_, channel)) = self.desk.tills.keys().rfind(of).copied() else { return };
                self.says(peer, Message::Close { channel, reason: CloseReason::Done });
            }
            Step::Corrupt { peer } => {
                let key = PeerKey(self.peers[peer as usize]);
                self.desk.put(PurseInput::Corrupt { peer: key });
            }
            Step::Refuses { peer } => {
                let refused = Refused { code: RefusedCode::AskOverBid, text: String::new() };
                self.says(peer, Message::Refused(refused));
            }
            Step::Wants { lane, budget_percent } => self.wants(lane, budget_percent),
            Step::Buy(buys) => self.desk.put(PurseInput::Buy(buys)),
            Step::Passes { seconds } => {
                self.desk.passes(seconds);
                self.desk.funds(Some(self.limits.funds()));
            }
            Step::Sync => self.desk.sync(),
            Step::Crash => self.crashes(),
        }
    }

    fn says(&mut self, peer: u64, message: Message) {
        if self.seen[peer as usize].is_some() {
            self.desk.hears(self.peers[peer as usize], message);
        }
    }

    fn accepts(&mut self, peer: u64, window: u32, lies: u128, paid: u128) {
        let payee = payee(peer);
        let Some(((_, channel), till)) = self.desk.tills.iter().rfind(|(key, _)| key.0 == payee)
        else {
            return;
        };
        let mut last = till.last();
        last.signed.cheque.cumulative += lies;
        let last = Some(last);
        let channel = *channel;
        self.says(peer, Message::Accepted(Accepted { channel, window, last, paid }));
    }

    fn leaves(&mut self, peer: u64) {
        if let Some(seen) = self.seen[peer as usize].take() {
            self.gone += most(&seen);
            self.desk.put(PurseInput::Left { peer: PeerKey(self.peers[peer as usize]) });
        }
    }

    fn crashes(&mut self) {
        for peer in 1..=PEERS {
            if let Some(seen) = self.seen[peer as usize].take() {
                self.gone += most(&seen);
            }
        }
        self.crashes += 1;
        self.desk.crashes(self.limits.config(), [10 + self.crashes; 32]);
        self.desk.funds(Some(self.limits.funds()));
        self.desk.put(PurseInput::Buy(true));
        self.wants(2, 100);
    }

    fn check(&self) {
        let claimable = self.desk.claimable();
        let owed: u128 = self.seen.iter().flatten().map(most).sum();
        assert!(claimable <= owed + self.gone, "{claimable} of {owed} and {}", self.gone);
        assert!(claimable <= MOST, "{claimable} of {:?}", self.limits);
        let view = self.desk.view();
        assert!(claimable <= view.spent + view.reserved);
        if self.crashes == 0 && self.desk.on_way.is_empty() {
            assert_eq!(self.desk.spent, view.spent, "the ledger's lines add up");
        }
        assert!(view.spent + view.reserved <= self.limits.budget.max(view.spent));
        // Whoever lied, nobody has more than what the drive knows as the most.
        let most: u128 = self.desk.drive.values().map(|purchase| purchase.at_most).sum();
        assert!(claimable <= most, "{claimable} {most}");
    }
}

/// What may have been paid on a connection: all that is verified, one piece, what a count may differ, and
/// one of rounding, at the highest price.
fn most(seen: &Seen) -> u128 {
    let piece = if seen.piece > 16 << 10 { seen.piece } else { 0 };
    let slack = (seen.counts.bytes / 200).max(2 * LINK);
    price(seen.price).of(seen.counts.verified + piece + slack) + u128::from(seen.price > 0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn nothing_but_what_is_owed_is_paid_and_no_limit_passed_whatever_happens(
        steps in steps(),
        limits in prop::sample::select(&LIMITS[..]),
        syncs in any::<bool>(),
    ) {
        let mut run = Run::new(limits, syncs);
        for step in &steps {
            run.step(step);
            run.check();
        }
    }
}
