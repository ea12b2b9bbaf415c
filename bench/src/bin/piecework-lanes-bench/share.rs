//! What each buyer gets of a limited uplink, beside what the seller has allocated to it.

use crate::market::{Account, MIB, Node, Torrent, wait_until};
use crate::report::Row;
use piecework_pay::Lane;
use piecework_testkit::FixtureBuilder;
use piecework_types::BLOCK_BYTES;
use std::thread;
use std::time::{Duration, Instant};

/// What the seller sends a second.
const UPLINK: u64 = 8 * MIB;

/// One allocation period.
const WINDOW: Duration = Duration::from_secs(10);
/// Before the first window counts.
const WARM_UP: Duration = Duration::from_secs(20);
/// Between two looks at what is allocated: what comes between two looks counts where a lane is at the second.
const LOOK: Duration = Duration::from_millis(50);

/// When a look is so late, the machine did something else: neither this program nor the engines ran, and what
/// a window lacks says nothing of shares. It is measured again.
const HELD_UP: Duration = Duration::from_millis(100);

/// What may be lacking or too much.
const PERCENT: u64 = 3;
const SLACK: u64 = 2 * BLOCK_BYTES as u64;

/// Windows that have to be good, in hundredths.
const GOOD_PERCENT: usize = 95;

/// Who buys beside the slow one.
pub(crate) struct Market {
    pub(crate) id: &'static str,
    title: &'static str,
    lanes: [Lane; 2],
}

/// A fast lane takes whatever a medium one can be outbid for; beside a live one, which wants a rate, a medium
/// one has a part.
pub(crate) const MARKETS: [Market; 2] = [
    Market { id: "fast", title: "slow, medium, fast", lanes: [Lane::Medium, Lane::Fast] },
    Market {
        id: "live",
        title: "slow, medium, live",
        lanes: [Lane::Medium, Lane::Live { rate: 2 * MIB }],
    },
];

/// A buyer.
struct Seat {
    node: Node,
    /// Who is seen at the seller from this address buys with it.
    account: Option<Account>,
    /// Bytes at the last look.
    received: u64,
    /// Bytes that came in the paid lane, and what was allocated, since the window began.
    paid: u64,
    allocated: f64,
}

/// Shares in so many windows.
pub(crate) fn measure(market: &Market, windows: u32) -> Result<Row, String> {
    let scratch = tempfile::tempdir().map_err(|error| error.to_string())?;
    // Half of the windows may be measured twice.
    let (wanted, most) = (windows as usize, windows as usize * 3 / 2);
    let seconds = WARM_UP.as_secs() + WINDOW.as_secs() * most as u64 + 10;
    // Nobody may be done before the end, even one that gets everything.
    let bytes = (UPLINK * seconds).next_multiple_of(MIB);
    let fixture = FixtureBuilder::file("payload", bytes as usize).piece_length(1 << 20).build();
    let folder = scratch.path().join("seller/data");
    fixture.write_payload(&folder).map_err(|error| error.to_string())?;
    let torrent = Torrent { metainfo: fixture.metainfo().clone(), folder };
    drop(fixture);
    let seller = Node::seed(&torrent, &scratch.path().join("seller"), UPLINK)?;
    let till = seller.sells()?;
    let mut seats = Vec::new();
    for (number, lane) in (2_u8..).zip([None].into_iter().chain(market.lanes.map(Some))) {
        let state = scratch.path().join(format!("buyer {number}"));
        let node = Node::leech(&torrent, &state, seller.address())?;
        let account = lane.map(|lane| node.buys(number, lane)).transpose()?;
        seats.push(Seat { node, account, received: 0, paid: 0, allocated: 0.0 });
    }
    wait_until("a paid lane", || till.pay.view().buyers.iter().any(|it| it.trade.is_paid))?;
    thread::sleep(WARM_UP);
    let (mut windows, mut again) = (Vec::new(), 0);
    while windows.len() < wanted {
        match window(&till, &mut seats) {
            Some(window) => windows.push(window),
            None if wanted + again == most => {
                return Err("the machine was held up all the time".into());
            }
            None => again += 1,
        }
    }
    if windows.iter().all(|window| window.shares.len() < 2) {
        return Err("nobody had a paid lane".into());
    }
    Ok(row(market, &windows, again))
}

/// What was got and what was meant, in bytes; the free lane first.
struct Window {
    shares: Vec<(u64, u64)>,
}

/// What came in a window; none if the machine was held up.
fn window(till: &Account, seats: &mut [Seat]) -> Option<Window> {
    for seat in seats.iter_mut() {
        (seat.received, seat.paid, seat.allocated) = (seat.node.received(), 0, 0.0);
    }
    let start = Instant::now();
    let (mut last, mut unpaid, mut free, mut is_held_up) = (start, 0, 0.0, false);
    while start.elapsed() < WINDOW {
        thread::sleep(LOOK.min(WINDOW.saturating_sub(start.elapsed())));
        let view = till.pay.view();
        let now = Instant::now();
        is_held_up |= now.duration_since(last) > LOOK + HELD_UP;
        let seconds = now.duration_since(last).as_secs_f64();
        last = now;
        // Nothing is idle while somebody wants it: what no lane has is of those who do not pay, too.
        let sold: u64 =
            view.buyers.iter().filter(|it| it.trade.is_paid).map(|it| it.trade.rate).sum();
        free += UPLINK.saturating_sub(sold) as f64 * seconds;
        for seat in seats.iter_mut() {
            let received = seat.node.received();
            let came = received.saturating_sub(std::mem::replace(&mut seat.received, received));
            let own = seat.account.as_ref().map(|account| account.own);
            let of = view.buyers.iter().find(|buyer| Some(buyer.trade.payer) == own);
            // A lane comes and goes as others bid: what came counts where it is now.
            match of.filter(|it| it.trade.is_paid).map_or(0, |it| it.trade.rate) {
                0 => unpaid += came,
                rate => {
                    seat.paid += came;
                    seat.allocated += rate as f64 * seconds;
                }
            }
        }
    }
    let mut shares = vec![(unpaid, free as u64)];
    let paid = seats.iter().map(|seat| (seat.paid, seat.allocated as u64));
    shares.extend(paid.filter(|(_, meant)| *meant > 0));
    eprintln!("{}{}", told(&shares), if is_held_up { ": held up, again" } else { "" });
    (!is_held_up).then_some(Window { shares })
}

/// A window for who watches.
fn told(shares: &[(u64, u64)]) -> String {
    let share = |(got, meant): &(u64, u64)| format!("{} of {}", got >> 10, meant >> 10);
    shares.iter().map(share).collect::<Vec<_>>().join(", ") + " KiB"
}

impl Window {
    fn is_good(&self) -> bool {
        let is_within = |(got, meant): &(u64, u64)| {
            let slack = meant * PERCENT / 100 + SLACK;
            got + slack >= *meant && *got <= meant + slack
        };
        self.shares.iter().all(is_within)
    }
}

fn row(market: &Market, windows: &[Window], again: usize) -> Row {
    let good = windows.iter().filter(|window| window.is_good()).count();
    let mib = |bytes: u64| bytes as f64 / MIB as f64;
    let sum = |place: usize| {
        let shares = windows.iter().filter_map(|window| window.shares.get(place));
        shares.fold((0, 0), |(got, meant), share| (got + share.0, meant + share.1))
    };
    let lanes = windows.iter().map(|window| window.shares.len()).max().unwrap_or(0);
    let lane = |place: usize| {
        let ((got, meant), name) = (sum(place), if place == 0 { "free" } else { "paid" });
        format!("{name} {:.1} of {:.1} MiB", mib(got), mib(meant))
    };
    let off = |(got, meant): &(u64, u64)| {
        if *meant == 0 { 0.0 } else { 100.0 * got.abs_diff(*meant) as f64 / *meant as f64 }
    };
    let worst = windows.iter().flat_map(|window| &window.shares).map(off).fold(0.0, f64::max);
    let notes: Vec<String> = (0..lanes).map(lane).collect();
    Row {
        what: format!("share of 8 MiB/s within 3 %: {}", market.title),
        measured: format!("{good} of {} windows", windows.len()),
        gate: format!("at least {GOOD_PERCENT} %"),
        is_met: good * 100 >= windows.len() * GOOD_PERCENT,
        notes: format!(
            "{}; the worst share was {worst:.1} % off; {again} measured again",
            notes.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_good_when_every_share_is_within_three_percent_and_two_blocks() {
        let is_good =
            |got| Window { shares: vec![(20 * MIB, 20 * MIB), (got, 10 * MIB)] }.is_good();
        let slack = 10 * MIB * 3 / 100 + SLACK;
        assert!(is_good(10 * MIB - slack) && is_good(10 * MIB + slack));
        assert!(!is_good(10 * MIB - slack - 1) && !is_good(10 * MIB + slack + 1));
    }
}
