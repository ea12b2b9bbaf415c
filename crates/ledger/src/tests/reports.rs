//! What reports say beside sums: prices, filters, fees, and time saved.

use super::{NOON, cash_out, entry, fresh};
use crate::{By, Filter, Group, LaneTime, Sums};
use piecework_pay::{Address, Entry, Price, Record, Side};

const DAY: u64 = 86_400;

#[test]
fn time_is_saved_against_the_free_rate_of_the_same_seconds() {
    let time = LaneTime { seconds: 60, paid_bytes: 600, free_bytes: 200 };
    // 200 bytes a minute for nothing: 600 bytes would have taken three minutes.
    assert_eq!(time.saved_seconds(), Some(180));
    assert_eq!(LaneTime { paid_bytes: 0, ..time }.saved_seconds(), Some(0));
    assert_eq!(LaneTime { free_bytes: 0, ..time }.saved_seconds(), None);
    let most = LaneTime { seconds: u64::MAX, paid_bytes: u64::MAX, free_bytes: 1 };
    assert_eq!(most.saved_seconds(), Some(u64::MAX));
}

#[test]
fn time_saved_adds_up_over_days_and_is_unknown_without_a_free_rate() {
    let (_folder, ledger) = fresh();
    for torrent in [1, 2] {
        ledger.write_at(&[Record::Entry(entry(Side::Buying, torrent, 1, 5))], NOON).unwrap();
    }
    let half = LaneTime { seconds: 30, paid_bytes: 300, free_bytes: 100 };
    let without = LaneTime { free_bytes: 0, ..half };
    ledger.lane_time_at([1; 20], half, NOON).unwrap();
    ledger.lane_time_at([1; 20], half, NOON + 1).unwrap();
    ledger.lane_time_at([1; 20], half, NOON + DAY).unwrap();
    ledger.lane_time_at([2; 20], without, NOON).unwrap();
    let saved = |by, filter: Filter| {
        let lines = ledger.spent(by, &filter).unwrap();
        lines.iter().map(|line| line.saved_seconds).collect::<Vec<_>>()
    };
    assert_eq!(saved(By::Torrent, Filter::default()), [Some(270), None]);
    assert_eq!(saved(By::Nothing, Filter::default()), [Some(270)]);
    assert_eq!(saved(By::Peer, Filter::default()), [None]);
    assert_eq!(saved(By::Day, Filter::default()), [Some(180)]);
    let today = Filter { until: Some(NOON / DAY), ..Filter::default() };
    assert_eq!(saved(By::Nothing, today), [Some(180)]);
}

#[test]
fn a_filter_takes_its_first_and_last_day_and_one_torrent() {
    let (_folder, ledger) = fresh();
    for (day, torrent, amount) in [(0, 1, 1), (1, 1, 2), (1, 2, 4), (2, 1, 8)] {
        let entry = entry(Side::Selling, torrent, 1, amount);
        ledger.write_at(&[Record::Entry(entry)], NOON + day * DAY).unwrap();
    }
    let first = NOON / DAY;
    let sum = |since: Option<u64>, until: Option<u64>, torrent: Option<u8>| -> u128 {
        let torrent = torrent.map(|number| [number; 20]);
        let filter = Filter { since, until, torrent };
        let rows = ledger.rows(Side::Selling, &filter).unwrap();
        let lines = ledger.earned(By::Nothing, &filter).unwrap();
        let amount = lines.first().map_or(0, |line| line.sums.amount);
        assert_eq!(amount, rows.iter().map(|row| row.amount).sum::<u128>());
        amount
    };
    assert_eq!(sum(None, None, None), 15);
    assert_eq!(sum(Some(first + 1), Some(first + 1), None), 6);
    assert_eq!(sum(Some(first + 1), None, Some(1)), 10);
    assert_eq!(sum(None, Some(first), Some(2)), 0);
}

#[test]
fn the_last_price_is_the_latest_and_the_mean_is_by_bytes() {
    let (_folder, ledger) = fresh();
    let mut late = entry(Side::Selling, 1, 1, 30);
    late.bytes = 2 << 20;
    let early = Entry { channel: 2, ..entry(Side::Selling, 1, 1, 12) };
    ledger.write_at(&[Record::Entry(late)], NOON + 60).unwrap();
    ledger.write_at(&[Record::Entry(early)], NOON).unwrap();
    let [line] = ledger.earned(By::Torrent, &Filter::default()).unwrap()[..] else {
        panic!("one torrent");
    };
    assert_eq!(line.group, Group::Torrent([1; 20]));
    assert_eq!((line.sums.price, line.sums.price_mean()), (Price::new(30).unwrap(), Some(14)));
    assert_eq!((line.sums.first, line.sums.last), (NOON, NOON + 60));
    assert_eq!(Sums::default().price_mean(), None);
    let rich = Sums { amount: u128::MAX, bytes: u64::MAX, ..Sums::default() };
    assert!(rich.price_mean().is_some_and(|mean| mean > 1 << 80));
}

#[test]
fn parts_of_what_is_settled_and_paid_for_fees_add_up_to_the_whole() {
    let (_folder, ledger) = fresh();
    for (day, torrent, amount) in [(0, 1, 100), (1, 2, 50), (2, 1, 25)] {
        let entry = entry(Side::Selling, torrent, 7, amount);
        ledger.write_at(&[Record::Entry(entry)], NOON + day * DAY).unwrap();
    }
    // More than was ever earned here: of a ledger that was put away in between.
    for (tx, paid) in [(1, 120), (2, 500)] {
        ledger.settled(&cash_out(7, tx, paid)).unwrap();
    }
    for by in [By::Nothing, By::Torrent, By::Peer, By::Day] {
        let lines = ledger.earned(by, &Filter::default()).unwrap();
        let sum = |part: fn(&Sums) -> u128| lines.iter().map(|line| part(&line.sums)).sum::<u128>();
        assert_eq!((sum(|it| it.settled), sum(Sums::pending)), (175, 0), "{by:?}");
        assert_eq!((sum(|it| it.fee_wei), sum(|it| it.fee_token)), (2000, 20), "{by:?}");
    }
}

#[test]
fn another_channel_side_or_account_is_not_settled_along() {
    let (_folder, ledger) = fresh();
    let sale = entry(Side::Selling, 1, 7, 100);
    let others = [
        Entry { channel: 8, ..sale },
        Entry { side: Side::Buying, ..sale },
        Entry { counterparty: Address::repeat_byte(8), ..sale },
    ];
    let all: Vec<_> = [sale].into_iter().chain(others).map(Record::Entry).collect();
    ledger.write_at(&all, NOON).unwrap();
    ledger.settled(&cash_out(7, 1, 100)).unwrap();
    let settled: Vec<_> = [Side::Selling, Side::Buying]
        .into_iter()
        .flat_map(|side| ledger.rows(side, &Filter::default()).unwrap())
        .filter(|row| row.settled > 0)
        .map(|row| (row.side, row.channel, row.counterparty))
        .collect();
    assert_eq!(settled, [(Side::Selling, 7, Address::repeat_byte(9))]);
}
