//! Any mixture of honest and dishonest inputs, against what must hold whatever comes.

use super::shop::*;
use super::*;
use crate::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

/// What happens next, to one of a few buyers.
#[derive(Clone, Debug)]
enum Deed {
    Come,
    Bid(u128, u64),
    /// As many thousandths of what may be served.
    Serve(u64),
    Pay(u32),
    Forge,
    Fold,
    Leave,
    Pass(u64),
    Written,
    Cashed(bool),
    Chain(bool),
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        2 => Just(Deed::Come),
        3 => (0..4000_u128, 0..8 * MIB).prop_map(|(price, rate)| Deed::Bid(price, rate)),
        6 => (0..1200_u64).prop_map(Deed::Serve),
        6 => (1..4_u32).prop_map(Deed::Pay),
        1 => Just(Deed::Forge),
        1 => Just(Deed::Fold),
        1 => Just(Deed::Leave),
        4 => (0..30_000_u64).prop_map(Deed::Pass),
        3 => Just(Deed::Written),
        1 => any::<bool>().prop_map(Deed::Cashed),
        1 => any::<bool>().prop_map(Deed::Chain),
    ]
}

/// The world outside of the till: what it has really served, at which price, and what it was paid.
#[derive(Default)]
struct World {
    /// By peer: the words of price with their offsets, and bytes sent.
    asks: BTreeMap<PeerKey, Bill>,
    /// Until which write everything is on the drive, and what was heard that far.
    read: usize,
    /// What was paid for by account, on connections that are gone.
    gone: BTreeMap<Address, u128>,
}

impl World {
    /// Hears the prices as a buyer would, and serves no further than the till has said.
    fn hear(&mut self, shop: &Shop) {
        for (peer, message) in &shop.said[self.read..] {
            if let Message::Ask(ask) = message {
                let price = if ask.paid { ask.price } else { Price::default() };
                let bill = self.asks.entry(*peer).or_default();
                assert!(
                    price <= bill.price() || ask.from >= bill.bytes(),
                    "a price for bytes that were sent: {ask:?} {bill:?}"
                );
                bill.set_price(ask.from, price);
            }
        }
        self.read = shop.said.len();
    }
}

fn run(deeds: &[(usize, Deed)], limit: u128) {
    let mut shop = Shop::open();
    let exposure = limit;
    let mut facts = Facts { bond: 256 * exposure, fee: 1, ..facts() };
    shop.facts = Some(facts);
    let mut world = World::default();
    // Two accounts with two connections each.
    let mut numbers = 10;
    let mut buyers: Vec<Option<Buyer>> = (0..4).map(|_| None).collect();
    let mut cashed = 0;
    for (place, deed) in deeds {
        let account = 10 + u8::try_from(place / 2).unwrap();
        shop.drive = false;
        match (deed, &mut buyers[*place]) {
            (Deed::Come, slot @ None) => {
                numbers += 1;
                let buyer = Buyer::new(account, numbers);
                buyer.come(&mut shop);
                *slot = Some(buyer);
            }
            (Deed::Bid(price, rate), Some(buyer)) => {
                buyer.bid(&mut shop, *price, *rate, numbers as u32);
            }
            (Deed::Serve(permille), Some(buyer)) => {
                world.hear(&shop);
                let sent = world.asks.entry(buyer.peer).or_default();
                let to = match shop.service.get(&buyer.peer) {
                    Some(Service::Paid { limit, .. }) => {
                        let more = limit.saturating_sub(sent.bytes());
                        sent.bytes()
                            + (u128::from(more) * u128::from((*permille).min(1000)) / 1000) as u64
                    }
                    _ => {
                        // The swarm has left the paid lane, be it that the buyer has not heard of it.
                        sent.set_price(sent.bytes(), Price::default());
                        sent.bytes() + permille * 20
                    }
                };
                sent.reach(to);
                shop.serve(buyer.peer, to);
            }
            (Deed::Pay(links), Some(buyer)) if buyer.revealed + links <= 1024 => {
                buyer.pay(&mut shop, *links);
            }
            (Deed::Forge, Some(buyer)) => {
                let link = B256::new([9; 32]);
                let number = buyer.revealed + 1;
                shop.hear(buyer.peer, Message::Link { number, link });
            }
            (Deed::Fold, Some(buyer)) => {
                let value = buyer.cheque.cheque.worth(buyer.revealed).unwrap();
                let cheque = buyer.next_cheque(value);
                shop.hear(buyer.peer, Message::Cheque(cheque));
            }
            (Deed::Leave, slot @ Some(_)) => {
                let peer = slot.take().unwrap().peer;
                let view = shop.till.buyers().find(|it| it.peer == peer);
                if let (Some(view), Some(bill)) = (view, world.asks.get(&peer)) {
                    *world.gone.entry(view.payer).or_default() += bill.due().min(view.paid);
                }
                shop.tell(TillInput::Left { peer });
                shop.service.remove(&peer);
            }
            (Deed::Pass(millis), _) => shop.pass(Duration::from_millis(*millis)),
            (Deed::Written, _) => {
                let id = shop.last_write;
                shop.tell(TillInput::Written(id));
            }
            (Deed::Cashed(whole), _) => {
                if let Some(sale) = shop.cashed.get(cashed).cloned() {
                    cashed += 1;
                    let cheque = sale.last.signed.cheque;
                    let (payer, channel) = (cheque.payer, cheque.channel);
                    let paid = whole.then(|| cheque.worth(sale.last.number).unwrap());
                    shop.tell(TillInput::Cashed { payer, network: network(), channel, paid });
                }
            }
            (Deed::Chain(answers), _) => {
                facts.chain_time = shop.wall;
                shop.facts = answers.then_some(facts);
            }
            _ => {}
        }
        world.hear(&shop);
        check(&shop, &world, exposure);
    }
    shop.seconds(1);
    let (sums, sales) = shop.books();
    for (channel, sale) in sales {
        let value = sale.last.signed.cheque.worth(sale.last.number).unwrap();
        assert_eq!(sums.get(&channel).copied().unwrap_or(0), value, "channel {channel}");
    }
}

/// What was served to an account and has not been cashed is within its exposure. What connections that are
/// gone have left unpaid is bounded apart.
fn check(shop: &Shop, world: &World, exposure: u128) {
    let mut served: BTreeMap<Address, (u128, u64)> = BTreeMap::new();
    for buyer in shop.till.buyers() {
        let Some(bill) = world.asks.get(&buyer.peer) else { continue };
        let sum = served.entry(buyer.payer).or_default();
        sum.0 += bill.due();
        sum.1 += bill.priced(bill.covered(buyer.paid), bill.bytes());
    }
    for account in shop.till.accounts() {
        let (money, bytes) = served.get(&account.payer).copied().unwrap_or_default();
        let gone = world.gone.get(&account.payer).copied().unwrap_or_default();
        let at_risk = (money + gone).saturating_sub(account.cashed);
        // Each connection rounds its bill up.
        let connections = world.asks.len() as u128;
        assert!(at_risk <= exposure + connections, "{at_risk} over {exposure}");
        assert!(bytes <= WINDOW_MAX, "over every window: {bytes}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_account_is_ever_served_beyond_its_exposure_and_the_ledger_adds_up(
        deeds in prop::collection::vec((0..4_usize, deed()), 1..120),
        limit in prop_oneof![Just(4 * UNIT), Just(40 * UNIT), Just(4_000 * UNIT)],
    ) {
        run(&deeds, limit);
    }

    #[test]
    fn who_never_pays_has_one_window_at_most_however_it_connects(
        deeds in prop::collection::vec((0..4_usize, deed()), 1..120),
    ) {
        let mut shop = Shop::open();
        let mut sent: BTreeMap<PeerKey, Bill> = BTreeMap::new();
        let (mut number, mut read) = (0, 0);
        let mut live: Vec<PeerKey> = Vec::new();
        for (_, deed) in deeds {
            match deed {
                Deed::Come if live.len() < 8 => {
                    number += 1;
                    Buyer::new(10, number).come(&mut shop);
                    live.push(PeerKey(number));
                }
                Deed::Leave => if let Some(peer) = live.pop() {
                    shop.tell(TillInput::Left { peer });
                },
                Deed::Pass(millis) => shop.pass(Duration::from_millis(millis)),
                _ => for peer in live.clone() {
                    let Some(limit) = shop.limit(peer) else { continue };
                    sent.entry(peer).or_default().reach(limit);
                    shop.serve(peer, limit);
                },
            }
            for (peer, message) in &shop.said[read..] {
                if let Message::Ask(ask) = message {
                    let price = if ask.paid { ask.price } else { Price::default() };
                    sent.entry(*peer).or_default().set_price(ask.from, price);
                }
            }
            read = shop.said.len();
            let stolen: u64 = sent.values().map(|bill| bill.priced(0, bill.bytes())).sum();
            let open: u64 = live.iter().filter_map(|peer| sent.get(peer))
                .map(|bill| bill.priced(0, bill.bytes())).sum();
            prop_assert!(open <= FIRST, "{open} on connections that live");
            // One window that connections which broke may leave, and one more until it is recorded.
            prop_assert!(stolen <= 2 * FIRST, "{stolen} in all");
        }
    }
}
