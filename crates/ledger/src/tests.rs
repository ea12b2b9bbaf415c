//! Fixtures, and what the ledger promises: all or nothing, the last of each name, sums that add up.

mod files;
mod properties;
mod reports;

use crate::{By, CashOut, Filter, Ledger, Line};
use piecework_pay::{
    Address, B256, Cheque, Delegation, Entry, Key, LastCheque, Network, Price, Purchase, Record,
    Sale, Seed, Side, Signature, SignedCheque, Standing,
};
use tempfile::TempDir;

pub(crate) const NOON: u64 = 20_000 * 86_400 + 43_200;

pub(crate) fn network(number: u64) -> Network {
    let token = Address::repeat_byte(2);
    Network { chain_id: number, vault: Address::repeat_byte(1), token, genesis: [3; 8] }
}

fn signature(number: u8) -> Signature {
    let key = Key::new(&[number.clamp(1, 0xfe); 32]).unwrap();
    key.sign(&B256::repeat_byte(number))
}

fn signed(channel: u64, number: u8) -> SignedCheque {
    let cheque = Cheque {
        payer: Address::repeat_byte(4),
        payee: Address::repeat_byte(5),
        token: Address::repeat_byte(2),
        epoch: u64::MAX,
        cumulative: u128::MAX - u128::from(number),
        root: B256::repeat_byte(number),
        unit: 0,
        links: 4096,
        channel,
    };
    SignedCheque { cheque, signature: signature(number) }
}

pub(crate) fn purchase(channel: u64, number: u8) -> Record {
    Record::Purchase(Box::new(Purchase {
        network: network(1),
        torrent: [number; 20],
        signed: signed(channel, number),
        seed: Seed([number; 32]),
        revealed: u32::from(number),
        at_most: u128::MAX,
        delegation: number.is_multiple_of(2).then(|| B256::repeat_byte(number)),
        day: u64::from(number),
        before: u128::from(number),
    }))
}

pub(crate) fn sale(channel: u64, number: u8) -> Record {
    let delegation = Delegation {
        session: Address::repeat_byte(number),
        max_amount: u128::MAX,
        bond_at_risk: u128::from(number),
        valid_until: u64::MAX - u64::from(number),
        signature: signature(number),
    };
    Record::Sale(Box::new(Sale {
        network: network(1),
        torrent: [number; 20],
        delegation: number.is_multiple_of(2).then_some(delegation),
        last: LastCheque {
            signed: signed(channel, number),
            number: 4096,
            link: B256::repeat_byte(number),
        },
        paid: u128::MAX,
        since: u64::from(number) << 40,
    }))
}

pub(crate) fn standing(account: u8, number: u8) -> Record {
    Record::Standing(Standing {
        network: network(1),
        account: Address::repeat_byte(account),
        defaults: u32::from(number),
        banned_until: u64::MAX,
    })
}

pub(crate) fn entry(side: Side, torrent: u8, channel: u64, amount: u128) -> Entry {
    Entry {
        side,
        torrent: [torrent; 20],
        network: network(1),
        counterparty: Address::repeat_byte(9),
        channel,
        bytes: 1 << 20,
        amount,
        price: Price::new(amount.min(1 << 60)).unwrap(),
    }
}

pub(crate) fn cash_out(channel: u64, tx: u8, paid: u128) -> CashOut {
    CashOut {
        side: Side::Selling,
        network: network(1),
        counterparty: Address::repeat_byte(9),
        channel,
        paid,
        fee_wei: 1000,
        fee_token: 10,
        tx: B256::repeat_byte(tx),
        at: NOON,
    }
}

pub(crate) fn fresh() -> (TempDir, Ledger) {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&folder.path().join("ledger.db")).unwrap();
    (folder, ledger)
}

fn total(lines: &[Line]) -> u128 {
    lines.iter().map(|line| line.sums.amount).sum()
}

#[test]
fn the_last_record_of_each_name_is_loaded() {
    let (folder, ledger) = fresh();
    ledger.write(&[purchase(1, 1), sale(1, 1), standing(1, 1), purchase(u64::MAX, 3)]).unwrap();
    ledger.write(&[purchase(1, 2), sale(1, 2), standing(1, 2)]).unwrap();
    let expected = [purchase(u64::MAX, 3), purchase(1, 2), sale(1, 2), standing(1, 2)];
    assert_eq!(ledger.load().unwrap(), expected);
    drop(ledger);
    let again = Ledger::open(&folder.path().join("ledger.db")).unwrap();
    assert_eq!(again.load().unwrap(), expected);
}

#[test]
fn entries_of_a_day_add_up_and_a_new_day_begins_a_row() {
    let (_folder, ledger) = fresh();
    for (wall, amount) in [(NOON, 5), (NOON + 60, 7), (NOON + 86_400, 11)] {
        ledger.write_at(&[Record::Entry(entry(Side::Buying, 1, 1, amount))], wall).unwrap();
    }
    let rows = ledger.rows(Side::Buying, &Filter::default()).unwrap();
    let shown: Vec<_> = rows.iter().map(|row| (row.day, row.amount, row.first, row.last)).collect();
    assert_eq!(shown, [(20_000, 12, NOON, NOON + 60), (20_001, 11, NOON + 86_400, NOON + 86_400)]);
    for by in [By::Nothing, By::Torrent, By::Peer, By::Day] {
        assert_eq!(total(&ledger.spent(by, &Filter::default()).unwrap()), 23);
        assert_eq!(ledger.earned(by, &Filter::default()).unwrap(), []);
    }
}

#[test]
fn a_cash_out_settles_the_oldest_entries_first_and_once() {
    let (_folder, ledger) = fresh();
    for (torrent, wall) in [(1, NOON), (2, NOON + 86_400)] {
        ledger.write_at(&[Record::Entry(entry(Side::Selling, torrent, 7, 100))], wall).unwrap();
    }
    ledger.settled(&cash_out(7, 1, 60)).unwrap();
    ledger.settled(&cash_out(7, 1, 60)).unwrap();
    ledger.settled(&cash_out(7, 2, 130)).unwrap();
    let lines = ledger.earned(By::Torrent, &Filter::default()).unwrap();
    let shown: Vec<_> = lines
        .iter()
        .map(|line| (line.sums.settled, line.sums.pending(), line.sums.fee_wei))
        .collect();
    assert_eq!(shown, [(100, 0, 1000), (30, 70, 1000)]);
}
