//! Engines that pay each other for pieces over loopback, with a drive and a chain in memory.
#![allow(missing_docs, clippy::unwrap_used)]

mod books;

use books::{Books, Drive, FLOOR, facts, price};
use piecework_metainfo::Version;
use piecework_node::{
    AddTorrent, Engine, EngineConfig, PayHandle, PayNews, PayWish, PortChoice, Source, TorrentKey,
    What,
};
use piecework_pay::{Lane, Side};
use piecework_testkit::{Fixture, FixtureBuilder, Incoming, PATIENCE, PeerStream};
use piecework_types::PeerId;
use piecework_wire::Message;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const MIB: u64 = 1 << 20;

/// What a seller's uplink carries.
const UPLINK: u64 = 32 * MIB;

struct Node {
    engine: Engine,
    key: TorrentKey,
    folder: TempDir,
}

fn fixture(mib: u64) -> Fixture {
    FixtureBuilder::file("payload", (mib * MIB) as usize).piece_length(256 << 10).build()
}

fn engine(folder: &Path, up_limit: Option<u64>) -> Engine {
    let mut config = EngineConfig::new(folder.join("state"));
    (config.port, config.shards, config.workers) = (PortChoice::Any, 1, 1);
    (config.up_limit, config.exchanges_peers, config.rest_after) = (up_limit, false, None);
    Engine::start(&config).unwrap()
}

fn spec(fixture: &Fixture, folder: &Path) -> AddTorrent {
    let source = Source::Metainfo(Arc::new(fixture.metainfo().clone()));
    AddTorrent::new(source, folder.join("data"))
}

fn seed(fixture: &Fixture, folder: TempDir) -> Node {
    fixture.write_payload(&folder.path().join("data")).unwrap();
    let engine = engine(folder.path(), Some(UPLINK));
    let spec = spec(fixture, folder.path());
    let key = engine.add(AddTorrent { is_seed_only: true, is_trusted: true, ..spec }).unwrap();
    Node { engine, key, folder }
}

fn leech(fixture: &Fixture, seed: &Node, down_limit: Option<u64>) -> Node {
    let node = lonely(fixture, down_limit);
    node.engine.add_peers(node.key, vec![seed.address()]);
    node
}

/// Somebody who knows no peer.
fn lonely(fixture: &Fixture, down_limit: Option<u64>) -> Node {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path(), None);
    let key = engine.add(AddTorrent { down_limit, ..spec(fixture, folder.path()) }).unwrap();
    Node { engine, key, folder }
}

fn fast() -> PayWish {
    PayWish { lane: Lane::Fast, budget: 1_000_000_000, price_max: price(100 * FLOOR) }
}

impl Node {
    fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.engine.port()).into()
    }

    fn is_complete(&self) -> bool {
        self.engine.figures(self.key).unwrap().is_complete
    }

    /// Waits until everything is there, and is what it should be.
    fn wait_done(&self, fixture: &Fixture) {
        wait_until(|| self.is_complete());
        while !matches!(self.engine.next_event(PATIENCE).unwrap().what, What::Done) {}
        assert_eq!(fixture.faults(&self.folder.path().join("data")), [""; 0]);
    }

    fn buys(&self, books: &Books) -> PayHandle {
        let pay = books.start(&self.engine);
        pay.want(self.key, fast());
        pay.buy(true);
        pay
    }

    fn sells(&self, books: &Books) -> PayHandle {
        let pay = books.start(&self.engine);
        pay.sell(true).unwrap();
        pay
    }
}

fn wait_until(mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + 3 * PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "it never came to that");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether the engine mentions payments to somebody who calls.
fn mentions_pay(fixture: &Fixture, address: SocketAddr) -> bool {
    static CALLS: AtomicU8 = AtomicU8::new(0);
    // Somebody else each time: the last one may not have gone yet.
    let id = PeerId([CALLS.fetch_add(1, Ordering::Relaxed); 20]);
    let mut stream = PeerStream::connect(address).unwrap();
    stream.send_handshake(fixture.info_hash(), id).unwrap();
    stream.receive_handshake().unwrap();
    loop {
        if let Some(Incoming::Message(Message::Extended { id: 0, payload })) =
            stream.receive(PATIENCE).unwrap()
        {
            return payload.windows(6).any(|bytes| bytes == b"pw_pay");
        }
    }
}

#[test]
fn money_moves_with_the_bytes_and_both_sides_and_a_stranger_get_what_they_should() {
    let fixture = fixture(64);
    let seller = seed(&fixture, tempfile::tempdir().unwrap());
    let (of_seller, of_buyer) = (Books::new(1), Books::new(2));
    let till = seller.sells(&of_seller);
    // It buys from the first byte on.
    let buyer = lonely(&fixture, None);
    let purse = buyer.buys(&of_buyer);
    wait_until(|| purse.view().is_buying);
    buyer.engine.add_peers(buyer.key, vec![seller.address()]);
    let stranger = leech(&fixture, &seller, None);

    wait_until(|| {
        let (view, other) = (till.view(), purse.view());
        let (Some(sold), Some(bought)) = (view.buyers.first(), other.torrents.first()) else {
            return buyer.is_complete();
        };
        let Some(seller) = bought.sellers.first() else { return false };
        let is_shown = sold.trade.is_paid && seller.trade.is_paid && seller.trade.paid > 0;
        is_shown && view.is_selling && view.ask >= price(FLOOR) && other.is_buying
    });
    assert!(!till.view().buyers.is_empty(), "the trade was seen before it was over");
    buyer.wait_done(&fixture);
    // The channel is closed and cashed, and what was revealed is what was heard.
    of_seller.wait(|kept| (!kept.cashed.is_empty()).then_some(()));
    let bought = of_buyer.kept.look(|kept| kept.sums(Side::Buying));
    let sold = of_seller.wait(|kept| {
        let sold = kept.sums(Side::Selling);
        (sold.1 == bought.1).then_some(sold)
    });
    assert_eq!(of_seller.kept.look(books::Kept::holds), bought.1);
    let paid_for = bought.0;
    assert!(paid_for > 32 * MIB && paid_for <= 64 * MIB, "{bought:?}");
    assert_eq!(sold.0, paid_for, "both count the same bytes");
    assert!(bought.1 >= price(FLOOR).of(paid_for), "{bought:?}");
    assert_eq!(of_buyer.kept.look(|kept| kept.bought_on().len()), 1);
    let nothing = of_seller.kept.look(|kept| kept.sums(Side::Buying));
    assert_eq!(nothing, (0, 0));
    stranger.wait_done(&fixture);
}

#[test]
fn a_hybrid_torrent_of_large_pieces_is_paid_for_as_any_other() {
    let fixture =
        FixtureBuilder::file("payload", 32 << 20).version(Version::Hybrid).piece_length(1 << 20);
    let fixture = fixture.build();
    let seller = seed(&fixture, tempfile::tempdir().unwrap());
    // Else the free lane has brought most of it on a busy machine before the paid one begins.
    seller.engine.set_limits(None, Some(UPLINK / 8));
    let (of_seller, of_buyer) = (Books::new(1), Books::new(2));
    let _till = seller.sells(&of_seller);
    let buyer = lonely(&fixture, None);
    let purse = buyer.buys(&of_buyer);
    wait_until(|| purse.view().is_buying);
    buyer.engine.add_peers(buyer.key, vec![seller.address()]);
    buyer.wait_done(&fixture);
    of_seller.wait(|kept| (!kept.cashed.is_empty()).then_some(()));
    let (bytes, _) = of_buyer.kept.look(|kept| kept.sums(Side::Buying));
    assert!(bytes > 16 * MIB, "{bytes}");
}

#[test]
fn nobody_hears_of_payments_while_neither_side_is_on_and_selling_wants_a_limit() {
    let fixture = fixture(1);
    let seller = seed(&fixture, tempfile::tempdir().unwrap());
    let address = seller.address();
    assert!(!mentions_pay(&fixture, address));
    let pay = Books::new(1).start(&seller.engine);
    assert!(!mentions_pay(&fixture, address));
    pay.sell(true).unwrap();
    wait_until(|| mentions_pay(&fixture, address));
    pay.sell(false).unwrap();
    wait_until(|| !mentions_pay(&fixture, address));

    seller.engine.set_limits(None, None);
    let refused = pay.sell(true).unwrap_err().to_string();
    assert!(refused.contains("set an upload limit"), "{refused}");
    seller.engine.set_limits(None, Some(UPLINK));
    pay.sell(true).unwrap();
    wait_until(|| pay.view().is_selling && pay.view().capacity == UPLINK);
    // What is sold is a part of the limit: it goes with it, and comes again.
    seller.engine.set_limits(None, None);
    wait_until(|| !pay.view().is_selling);
    seller.engine.set_limits(None, Some(2 * UPLINK));
    wait_until(|| pay.view().is_selling && pay.view().capacity == 2 * UPLINK);
}

#[test]
fn a_drive_that_takes_nothing_stops_the_money_and_no_download() {
    let fixture = fixture(8);
    for is_sellers in [true, false] {
        let seller = seed(&fixture, tempfile::tempdir().unwrap());
        let (of_seller, of_buyer) = (Books::new(1), Books::new(2));
        let broken = if is_sellers { &of_seller } else { &of_buyer };
        broken.drive(Drive::Full);
        seller.sells(&of_seller);
        let buyer = leech(&fixture, &seller, Some(MIB));
        buyer.buys(&of_buyer);
        let told = PayNews::WriteFailed("no space left".into());
        broken.wait(|kept| kept.news.contains(&told).then_some(()));
        assert_eq!(of_seller.kept.look(|kept| kept.sums(Side::Selling)), (0, 0));
        buyer.engine.set_torrent_limits(buyer.key, None, None);
        buyer.wait_done(&fixture);
        let times = broken.kept.look(|kept| kept.news.iter().filter(|it| **it == told).count());
        assert_eq!(times, 1, "it is told once");
        let sold = of_seller.kept.look(|kept| kept.sums(Side::Selling));
        assert_eq!(sold, (0, 0), "nothing leaves that is not written");
    }
}

#[test]
fn a_drive_that_works_again_lets_the_trade_go_on() {
    let fixture = fixture(16);
    let seller = seed(&fixture, tempfile::tempdir().unwrap());
    let (of_seller, of_buyer) = (Books::new(1), Books::new(2));
    of_buyer.drive(Drive::Full);
    seller.sells(&of_seller);
    let buyer = leech(&fixture, &seller, Some(MIB));
    buyer.buys(&of_buyer);
    of_buyer.wait(|kept| (!kept.news.is_empty()).then_some(()));
    of_buyer.drive(Drive::Works);
    of_buyer.wait(|kept| kept.news.contains(&PayNews::WritesAgain).then_some(()));
    of_seller.wait(|kept| (kept.sums(Side::Selling).1 > 0).then_some(()));
    buyer.engine.set_torrent_limits(buyer.key, None, None);
    buyer.wait_done(&fixture);
}

#[test]
fn a_purchase_goes_on_with_a_seller_that_was_away() {
    let fixture = fixture(32);
    let seller = seed(&fixture, tempfile::tempdir().unwrap());
    let (of_seller, of_buyer) = (Books::new(1), Books::new(2));
    seller.sells(&of_seller);
    let buyer = leech(&fixture, &seller, Some(4 * MIB));
    buyer.buys(&of_buyer);
    let before = of_seller.wait(|kept| {
        let sold = kept.sums(Side::Selling);
        (sold.1 > 2 * FLOOR).then_some(sold)
    });
    assert!(!buyer.is_complete());
    let Node { engine, folder, .. } = seller;
    // Without a word to anybody.
    drop(engine);
    // What has come already is read at the buyer's own limit, and while the old connection lives another one
    // is another channel.
    wait_until(|| buyer.engine.figures(buyer.key).is_some_and(|figures| figures.peers == 0));
    let again = seed(&fixture, folder);
    again.sells(&of_seller);
    buyer.engine.add_peers(buyer.key, vec![again.address()]);
    of_seller.wait(|kept| (kept.sums(Side::Selling).1 > before.1).then_some(()));
    buyer.engine.set_torrent_limits(buyer.key, None, None);
    buyer.wait_done(&fixture);
    of_seller.wait(|kept| (!kept.cashed.is_empty()).then_some(()));
    let bought = of_buyer.kept.look(|kept| kept.sums(Side::Buying).1);
    of_seller.wait(|kept| (kept.holds() == bought).then_some(()));
    assert_eq!(of_buyer.kept.look(|kept| kept.bought_on().len()), 1, "it is the same channel");
}

#[test]
fn a_host_of_payments_that_dies_takes_nothing_else_with_it() {
    let fixture = fixture(8);
    for is_sellers in [true, false] {
        let seller = seed(&fixture, tempfile::tempdir().unwrap());
        let (of_seller, of_buyer) = (Books::new(1), Books::new(2));
        let dying = if is_sellers { &of_seller } else { &of_buyer };
        dying.drive(Drive::Panics);
        seller.sells(&of_seller);
        let buyer = leech(&fixture, &seller, None);
        buyer.buys(&of_buyer);
        buyer.wait_done(&fixture);
        assert!(seller.engine.is_alive() && buyer.engine.is_alive());
        assert_eq!(of_seller.kept.look(|kept| kept.sums(Side::Selling)), (0, 0));
    }
}

#[test]
fn payments_that_are_stopped_pay_what_is_owed_and_can_start_anew() {
    let fixture = fixture(32);
    let seller = seed(&fixture, tempfile::tempdir().unwrap());
    let (of_seller, of_buyer) = (Books::new(1), Books::new(2));
    seller.sells(&of_seller);
    let buyer = leech(&fixture, &seller, Some(4 * MIB));
    let purse = buyer.buys(&of_buyer);
    of_seller.wait(|kept| (kept.sums(Side::Selling).1 > 2 * FLOOR).then_some(()));
    purse.stop();
    // Its last word is a cheque for all that was owed, and the seller has it cashed.
    of_seller.wait(|kept| (!kept.cashed.is_empty()).then_some(()));
    let bought = of_buyer.kept.look(|kept| kept.sums(Side::Buying).1);
    of_seller.wait(|kept| (kept.holds() == bought).then_some(()));
    wait_until(|| !mentions_pay(&fixture, buyer.address()));
    let purse = of_buyer.start(&buyer.engine);
    purse.buy(true);
    wait_until(|| mentions_pay(&fixture, buyer.address()));
    buyer.engine.set_torrent_limits(buyer.key, None, None);
    buyer.wait_done(&fixture);
}

#[test]
fn a_lane_that_is_bought_in_the_middle_of_a_download_is_given_however_slow_the_chain_is() {
    let fixture = fixture(64);
    let seller = seed(&fixture, tempfile::tempdir().unwrap());
    let (of_seller, of_buyer) = (Books::new(1), Books::new(2));
    of_seller.kept.change(|kept| kept.is_chain_slow = true);
    let till = seller.sells(&of_seller);
    let buyer = leech(&fixture, &seller, Some(8 * MIB));
    let came = |bytes: u64| {
        wait_until(|| buyer.engine.figures(buyer.key).unwrap().down_bytes >= bytes);
    };
    came(2 * MIB);
    buyer.buys(&of_buyer);
    let asked = of_seller.wait(|kept| kept.asked.first().copied());
    // Nobody waits for the chain for long: what comes meanwhile is free.
    let before = buyer.engine.figures(buyer.key).unwrap().down_bytes;
    came(before + 8 * MIB);
    of_seller.kept.change(|kept| kept.is_chain_slow = false);
    till.facts(asked, Some(facts()));
    of_seller.wait(|kept| (kept.sums(Side::Selling).1 > 2 * FLOOR).then_some(()));
    // It is told how long the lane was paid, and what it has brought.
    let time = of_buyer.wait(|kept| kept.times.first().copied()).1;
    assert!(time.seconds > 0 && time.paid_bytes > 0, "{time:?}");
    buyer.engine.set_torrent_limits(buyer.key, None, None);
    buyer.wait_done(&fixture);
}
