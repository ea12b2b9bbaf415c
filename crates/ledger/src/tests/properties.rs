//! Any sequence of records: what is loaded is the last of each name, and sums are those of the entries.

use super::{NOON, entry, fresh, purchase, sale, standing};
use crate::{By, Filter};
use piecework_pay::{Entry, Record, Side};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn record() -> impl Strategy<Value = Record> {
    let side = prop_oneof![Just(Side::Buying), Just(Side::Selling)];
    let entries = (side, 1..4_u8, 0..3_u64, 0..=(u128::MAX >> 8), 0..(1_u64 << 40));
    prop_oneof![
        (0..4_u64, any::<u8>()).prop_map(|(channel, number)| purchase(channel, number)),
        (0..4_u64, any::<u8>()).prop_map(|(channel, number)| sale(channel, number)),
        (0..4_u8, any::<u8>()).prop_map(|(account, number)| standing(account, number)),
        entries.prop_map(|(side, torrent, channel, amount, bytes)| {
            Record::Entry(Entry { bytes, ..entry(side, torrent, channel, amount) })
        }),
    ]
}

/// What tells a record from others that are not replaced by it.
fn name(record: &Record) -> Option<(u8, u64)> {
    match record {
        Record::Purchase(purchase) => Some((0, purchase.signed.cheque.channel)),
        Record::Sale(sale) => Some((1, sale.last.signed.cheque.channel)),
        Record::Standing(standing) => Some((2, u64::from(standing.account[0]))),
        Record::Entry(_) => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_loaded_is_the_last_of_each_name_and_sums_are_those_of_entries(
        batches in prop::collection::vec((prop::collection::vec(record(), 0..12), 0..4_u64), 0..12)
    ) {
        let (_folder, ledger) = fresh();
        let mut last = BTreeMap::new();
        let mut sums: BTreeMap<(Side, [u8; 20]), (u64, u128)> = BTreeMap::new();
        for (batch, day) in &batches {
            ledger.write_at(batch, NOON + day * 86_400).unwrap();
            for record in batch {
                if let Some(name) = name(record) {
                    last.insert(name, record.clone());
                }
                if let Record::Entry(entry) = record {
                    let sum = sums.entry((entry.side, entry.torrent)).or_default();
                    *sum = (sum.0 + entry.bytes, sum.1 + entry.amount);
                }
            }
        }
        let loaded: BTreeMap<_, _> =
            ledger.load().unwrap().into_iter().map(|it| (name(&it).unwrap(), it)).collect();
        prop_assert_eq!(loaded, last);
        for side in [Side::Buying, Side::Selling] {
            let expected: Vec<_> = sums.range((side, [0; 20])..=(side, [u8::MAX; 20])).collect();
            let report = |by| match side {
                Side::Buying => ledger.spent(by, &Filter::default()).unwrap(),
                Side::Selling => ledger.earned(by, &Filter::default()).unwrap(),
            };
            let torrents: Vec<_> =
                report(By::Torrent).iter().map(|line| (line.sums.bytes, line.sums.amount)).collect();
            let wanted: Vec<_> = expected.iter().map(|(_, sum)| **sum).collect();
            prop_assert_eq!(&torrents, &wanted);
            for by in [By::Nothing, By::Peer, By::Day] {
                let lines = report(by);
                let bytes: u64 = lines.iter().map(|line| line.sums.bytes).sum();
                let amount: u128 = lines.iter().map(|line| line.sums.amount).sum();
                prop_assert_eq!(bytes, wanted.iter().map(|(bytes, _)| bytes).sum::<u64>());
                prop_assert_eq!(amount, wanted.iter().map(|(_, amount)| amount).sum::<u128>());
            }
            let rows = ledger.rows(side, &Filter::default()).unwrap();
            let amount: u128 = rows.iter().map(|row| row.amount).sum();
            prop_assert_eq!(amount, wanted.iter().map(|(_, amount)| amount).sum::<u128>());
        }
    }
}
