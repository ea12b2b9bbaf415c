//! A till and a purse against each other over a line with a delay, in virtual time.

use crate::*;
use piecework_types::Time;
use std::collections::VecDeque;
use std::time::Duration;

const MIB: u64 = 1 << 20;
const WALL: u64 = 1_795_305_600;
const TORRENT: TorrentKey = [7; 20];
const PEER: PeerKey = PeerKey(1);
const ONE_WAY: Duration = Duration::from_millis(50);
const STEP: Duration = Duration::from_millis(10);
const LINK: u64 = 256 << 10;
/// A stream that does not fill the paid lane: the price stays at the ask.
const LIVE: Lane = Lane::Live { rate: 4 * MIB };
/// What a MiB costs.
const PRICE: u128 = 1_000;
/// What the uplink carries, bytes a second; a quarter of it is for the free class.
const UPLINK: u64 = 8 * MIB;

fn network() -> Network {
    let (vault, token) = (Address::new([4; 20]), Address::new([3; 20]));
    Network { chain_id: 1, vault, token, genesis: [9; 8] }
}

/// What the vault says of the buyer's account.
fn facts() -> Facts {
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

fn payer() -> Payer {
    let owner = Key::new(&[1; 32]).unwrap();
    let key = Key::new(&[5; 32]).unwrap();
    let (max_amount, bond_at_risk) = (100_000_000, 256 * 10_000_000);
    let valid_until = WALL + 6 * 24 * 3600;
    let word = Delegate {
        owner: owner.address(),
        session: key.address(),
        token: network().token,
        max_amount,
        bond_at_risk,
        valid_until,
    };
    let signature = owner.sign(&word.digest(&network().domain().separator()));
    let session = key.address();
    let delegation = Delegation { session, max_amount, bond_at_risk, valid_until, signature };
    Payer {
        network: network(),
        account: owner.address(),
        key,
        delegation: Some(delegation),
        elsewhere: 0,
        quiet_until: 0,
    }
}

/// What travels on the line.
enum Parcel {
    ToSeller(Message),
    ToBuyer(Message),
    Bytes(u64),
}

struct Line {
    till: Till,
    purse: Purse,
    now: Time,
    parcels: VecDeque<(Time, Parcel)>,
    service: Service,
    sent: u64,
    came: u64,
    /// Whether what comes is told the buyer, which then pays.
    tells: bool,
    /// When the first byte came, and how long the paid lane has waited for money at a stretch.
    first_at: Option<Time>,
    waited: Duration,
    waited_most: Duration,
    refused: Vec<RefusedCode>,
}

impl Line {
    /// Both have said hello at the beginning of time.
    fn open(lane: Lane) -> Self {
        let till = Till::new(TillConfig {
            networks: vec![network()],
            payee: Address::new([2; 20]),
            floor: Price::new(PRICE).unwrap(),
            link_bytes: u32::try_from(LINK).unwrap(),
            links_max: 1024,
            free_permille: 250,
        });
        let config = PurseConfig { payers: vec![payer()], day_max: 100_000_000 };
        let mut line = Self {
            till,
            purse: Purse::new(config, [8; 32]),
            now: Time::ZERO,
            parcels: VecDeque::new(),
            service: Service::Free,
            sent: 0,
            came: 0,
            tells: true,
            first_at: None,
            waited: Duration::ZERO,
            waited_most: Duration::ZERO,
            refused: Vec::new(),
        };
        line.sell(TillInput::Sell(true));
        line.sell(TillInput::Capacity { bytes_per_second: UPLINK });
        line.buy(PurseInput::Buy(true));
        line.buy(PurseInput::Funds { network: network(), facts: Some(facts()) });
        line.want(lane, 10_000_000);
        let meeting = Meeting {
            peer: PEER,
            torrent: TORRENT,
            info_hash: TORRENT,
            verified_bytes: 16 << 10,
            initiator: [11; 32],
            responder: [12; 32],
            offsets: false,
        };
        line.buy(PurseInput::Met(meeting));
        line.sell(TillInput::Met(meeting));
        line
    }

    fn want(&mut self, lane: Lane, budget: u128) {
        let price_max = Price::new(10 * PRICE).unwrap();
        let left = 4 << 30;
        self.buy(PurseInput::Want(Wish {
            torrent: TORRENT,
            lane,
            budget,
            price_max,
            left,
            rate_max: None,
        }));
    }

    fn wall(&self) -> u64 {
        WALL + self.now.as_micros() / 1_000_000
    }

    fn sell(&mut self, input: TillInput) {
        self.till.handle(self.now, self.wall(), input);
        while let Some(output) = self.till.poll() {
            match output {
                TillOutput::Send { message, .. } => {
                    self.parcels.push_back((self.now + ONE_WAY, Parcel::ToBuyer(message)));
                }
                TillOutput::Serve { service, .. } => self.service = service,
                TillOutput::FactsWanted(key) => {
                    let facts = Some(facts());
                    self.till.handle(self.now, self.wall(), TillInput::Facts { key, facts });
                }
                TillOutput::Write(write) => {
                    self.till.handle(self.now, self.wall(), TillInput::Written(write.id));
                }
                TillOutput::CountWanted { peer } => {
                    self.till.handle(self.now, self.wall(), TillInput::Counted { peer });
                }
                TillOutput::Cash(_) => {}
            }
        }
    }

    fn buy(&mut self, input: PurseInput) {
        self.purse.handle(self.now, self.wall(), input);
        while let Some(output) = self.purse.poll() {
            match output {
                PurseOutput::Send { message, .. } => {
                    self.parcels.push_back((self.now + ONE_WAY, Parcel::ToSeller(message)));
                }
                PurseOutput::Write(write) => {
                    self.purse.handle(self.now, self.wall(), PurseInput::Written(write.id));
                }
                PurseOutput::Buying { .. }
                | PurseOutput::NearlySpent(_)
                | PurseOutput::Held { .. } => {}
            }
        }
    }

    /// Time passes until `bytes` have come, at most an hour.
    fn until_came(&mut self, bytes: u64) {
        while self.came < bytes && self.now < Time::ZERO + Duration::from_secs(3600) {
            self.step();
        }
    }

    fn passes(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.now < end {
            self.step();
        }
    }

    fn step(&mut self) {
        self.now += STEP;
        if self.till.poll_timeout() <= self.now {
            self.sell(TillInput::Timeout);
        }
        if self.purse.poll_timeout() <= self.now {
            self.buy(PurseInput::Timeout);
        }
        self.serve();
        let mut came = false;
        while let Some((_, parcel)) = self.parcels.pop_front_if(|(at, _)| *at <= self.now) {
            match parcel {
                Parcel::ToSeller(message) => self.sell(TillInput::Heard { peer: PEER, message }),
                Parcel::ToBuyer(Message::Terms(terms)) => {
                    let said = Message::Terms(terms.clone()).encode();
                    self.buy(PurseInput::Terms { peer: PEER, terms, said });
                }
                Parcel::ToBuyer(message) => {
                    if let Message::Refused(refused) = &message {
                        self.refused.push(refused.code);
                    }
                    self.buy(PurseInput::Heard { peer: PEER, message });
                }
                Parcel::Bytes(bytes) => {
                    self.came += bytes;
                    self.first_at.get_or_insert(self.now);
                    came = true;
                }
            }
        }
        if came && self.tells {
            let counts = Counts { bytes: self.came, verified: self.came, back: 0 };
            self.buy(PurseInput::Came { peer: PEER, counts });
        }
    }

    /// The paid lane gets what it was allocated.
    fn serve(&mut self) {
        let Service::Paid { rate, limit, .. } = self.service else { return };
        let step_bytes = rate * STEP.as_micros() as u64 / 1_000_000;
        let bytes = step_bytes.min(limit.saturating_sub(self.sent));
        self.waited = if bytes == 0 { self.waited + STEP } else { Duration::ZERO };
        self.waited_most = self.waited_most.max(self.waited);
        if bytes > 0 {
            self.sent += bytes;
            self.parcels.push_back((self.now + ONE_WAY, Parcel::Bytes(bytes)));
            let counts = Counts { bytes: self.sent, verified: 0, back: 0 };
            self.sell(TillInput::Served { peer: PEER, counts });
        }
    }

    fn paid(&self) -> u128 {
        self.purse.torrent(&TORRENT).unwrap().spent
    }
}

#[test]
fn paid_bytes_come_within_three_round_trips_of_the_hello() {
    for lane in [Lane::Medium, Lane::Fast, Lane::Live { rate: MIB }] {
        let mut line = Line::open(lane);
        line.until_came(1);
        let took = line.first_at.unwrap().since(Time::ZERO);
        // Terms, opening, bytes: one and a half, and the steps in between.
        assert!(took <= 3 * ONE_WAY + 3 * STEP, "{lane:?} {took:?}");
    }
}

#[test]
fn a_gibibyte_is_paid_to_within_a_link_and_no_payment_is_late() {
    let mut line = Line::open(LIVE);
    line.until_came(1 << 30);
    let seller = line.purse.sellers(&TORRENT).next().unwrap();
    let price = Price::new(PRICE).unwrap();
    let (cost, paid) = (price.of(line.came), line.paid());
    assert!(paid <= cost && cost < paid + price.of(LINK), "{paid} of {cost}");
    assert!(seller.owed < price.of(LINK) && seller.price == price, "{seller:?}");
    // The seller has waited a round trip and what comes between two steps, and never longer.
    assert!(line.waited_most <= 2 * ONE_WAY + 3 * STEP, "{:?}", line.waited_most);
    // 197 s at that rate, and at first the small window.
    assert!(line.now < Time::ZERO + Duration::from_secs(205), "{:?}", line.now);
    let account = line.till.accounts().next().unwrap();
    assert_eq!((account.defaults, line.refused), (0, vec![]));
}

#[test]
fn a_buyer_that_stops_leaves_nothing_unpaid() {
    let mut line = Line::open(LIVE);
    line.until_came(100 * MIB);
    line.want(Lane::Slow, 10_000_000);
    line.passes(Duration::from_secs(10));
    assert!(matches!(line.service, Service::Free));
    let (cost, paid) = (Price::new(PRICE).unwrap().of(line.came), line.paid());
    assert_eq!(paid, cost);
    let account = line.till.accounts().next().unwrap();
    assert_eq!((line.came, account.uncashed), (line.sent, paid));
    // And begins again where it has ended.
    let was = line.came;
    line.want(LIVE, 10_000_000);
    line.until_came(was + 30 * MIB);
    assert_eq!(line.paid() - paid, 30 * PRICE);
    assert_eq!(line.refused, []);
}

#[test]
fn a_budget_ends_a_trade_with_nothing_unpaid_and_nothing_over() {
    let mut line = Line::open(LIVE);
    line.want(LIVE, 100 * PRICE);
    line.passes(Duration::from_secs(60));
    let cost = Price::new(PRICE).unwrap().of(line.came);
    let paid = line.paid();
    assert_eq!(paid, cost);
    assert!((60 * PRICE..=100 * PRICE).contains(&paid), "{paid}");
    let account = line.till.accounts().next().unwrap();
    assert_eq!((account.uncashed, account.defaults, line.refused), (paid, 0, vec![]));
}

#[test]
fn a_buyer_that_tells_nothing_gets_a_window_and_no_more() {
    let mut line = Line::open(LIVE);
    line.tells = false;
    line.passes(Duration::from_secs(90));
    // By the seller's word it pays what counts may differ by, which doubles its window.
    assert_eq!(line.paid(), Price::new(PRICE).unwrap().of(2 * LINK));
    assert_eq!(line.came, (2 + 2 * 2) * LINK);
    assert_eq!(line.till.accounts().next().unwrap().defaults, 1);
}
