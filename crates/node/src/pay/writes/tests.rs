use super::*;
use crate::pay::host::PayNews;
use piecework_pay::{FactsKey, Price, Sale, Standing, TorrentKey};

/// A drive that works or not.
struct Host {
    is_broken: bool,
    transactions: Vec<Vec<Record>>,
}

impl PayHost for Host {
    fn write(&mut self, records: &[Record]) -> Result<(), String> {
        if self.is_broken {
            return Err("the drive is full".into());
        }
        self.transactions.push(records.to_vec());
        Ok(())
    }
    fn ask_facts(&mut self, _: FactsKey) {}
    fn ask_funds(&mut self, _: Network) {}
    fn cash(&mut self, _: Sale) {}
    fn paid_time(&mut self, _: TorrentKey, _: crate::pay::PaidTime) {}
    fn tell(&mut self, _: PayNews) {}
    fn wall(&self) -> u64 {
        0
    }
}

const NETWORK: Network = Network {
    chain_id: 1,
    vault: Address::new([1; 20]),
    token: Address::new([2; 20]),
    genesis: [3; 8],
};

fn entry(amount: u128, price: u128) -> Record {
    Record::Entry(Entry {
        side: Side::Buying,
        torrent: [1; 20],
        network: NETWORK,
        counterparty: Address::new([4; 20]),
        channel: 7,
        bytes: 10,
        amount,
        price: Price::new(price).expect("a price"),
    })
}

fn standing(defaults: u32) -> Record {
    let account = Address::new([5; 20]);
    Record::Standing(Standing { network: NETWORK, account, defaults, banned_until: 0 })
}

fn write(id: u64, at_once: bool, record: Record) -> Write {
    Write { id: WriteId(id), at_once, record }
}

#[test]
fn what_nobody_waits_for_is_written_together_with_what_somebody_does() {
    let (mut writes, now) = (Writes::default(), Time::ZERO + Duration::from_secs(1));
    let mut host = Host { is_broken: false, transactions: Vec::new() };
    writes.add(Author::Purse, write(1, false, entry(1, 1)), now);
    assert_eq!(writes.at(), now + TOGETHER);
    writes.add(Author::Till, write(9, true, standing(1)), now);
    assert_eq!(writes.at(), now);
    let written = Written { till: Some(WriteId(9)), purse: Some(WriteId(1)) };
    assert_eq!(writes.attempt(&mut host, now), Attempt::Written(written));
    assert_eq!(host.transactions, [[entry(1, 1), standing(1)]]);
    assert_eq!(writes.at(), Time::NEVER);
}

#[test]
fn a_failing_write_is_news_once_and_tried_each_second_with_what_came_meanwhile() {
    let (mut writes, now) = (Writes::default(), Time::ZERO);
    let mut host = Host { is_broken: true, transactions: Vec::new() };
    writes.add(Author::Purse, write(1, true, entry(1, 1)), now);
    let why = Some("the drive is full".to_owned());
    assert_eq!(writes.attempt(&mut host, now), Attempt::Failed(why));
    assert_eq!(writes.at(), now + AGAIN);
    writes.add(Author::Purse, write(2, true, standing(1)), now);
    assert_eq!(writes.at(), now + AGAIN);
    assert_eq!(writes.attempt(&mut host, now + AGAIN), Attempt::Failed(None));
    host.is_broken = false;
    let written = Written { till: None, purse: Some(WriteId(2)) };
    assert_eq!(writes.attempt(&mut host, now + AGAIN * 2), Attempt::Written(written));
    assert_eq!(host.transactions, [[entry(1, 1), standing(1)]]);
    assert_eq!(writes.fault(), None);
}

#[test]
fn what_cannot_be_written_for_long_takes_no_more_room_and_loses_no_money() {
    let (mut writes, now) = (Writes::default(), Time::ZERO);
    let mut host = Host { is_broken: true, transactions: Vec::new() };
    for number in 0..10_000 {
        writes.add(Author::Purse, write(2 * number, true, entry(3, number.into())), now);
        let standing = standing(number as u32);
        writes.add(Author::Purse, write(2 * number + 1, true, standing), now);
        assert!(writes.records.len() <= RECORDS_MAX);
    }
    host.is_broken = false;
    let written = Written { till: None, purse: Some(WriteId(19_999)) };
    assert_eq!(writes.attempt(&mut host, now), Attempt::Written(written));
    let mut amounts = 0;
    for record in &host.transactions[0] {
        if let Record::Entry(entry) = record {
            amounts += entry.amount;
        }
    }
    assert_eq!(amounts, 30_000);
    assert_eq!(host.transactions[0].last(), Some(&standing(9999)));
}
