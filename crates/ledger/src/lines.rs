//! Entries with what was settled of them.
//!
//! A cash-out says what a channel was paid in all. It settles the oldest entries of its channel first, and
//! its fee stands with the last entry that it reaches, so that sums over any entries add up.

use crate::cell::{Cells, of_network};
use crate::ledger::Fault;
use crate::{LaneTime, LedgerError};
use piecework_pay::{Address, Network, Price, Side, TorrentKey};
use rusqlite::{Statement, Transaction, params};

/// What one trade has come to on one day.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Row {
    /// Which side we are.
    pub side: Side,
    /// In which money.
    pub network: Network,
    /// The other's account.
    pub counterparty: Address,
    /// The channel.
    pub channel: u64,
    /// The day (UTC), counted from 1970.
    pub day: u64,
    /// Of which torrent.
    pub torrent: TorrentKey,
    /// Billable bytes.
    pub bytes: u64,
    /// Earned or spent, in the token's smallest unit.
    pub amount: u128,
    /// Of it, what the vault has paid.
    pub settled: u128,
    /// What cashing it has cost us in the chain's coin, in wei.
    pub fee_wei: u128,
    /// The same in the token.
    pub fee_token: u128,
    /// The last price.
    pub price: Price,
    /// When the first and the last of it was written down, seconds since 1970.
    pub first: u64,
    /// See [`Self::first`].
    pub last: u64,
}

/// What the vault has paid on a channel in all, and what we paid for that.
struct Paid {
    paid: u128,
    fee_wei: u128,
    fee_token: u128,
}

pub(crate) fn of_side(side: Side) -> u8 {
    match side {
        Side::Buying => 0,
        Side::Selling => 1,
    }
}

/// The bytes, amount and first time of a row.
pub(crate) fn before(row: &rusqlite::Row<'_>) -> rusqlite::Result<(u64, u128, u64)> {
    let mut cells = Cells::of(row);
    Ok((cells.number()?, cells.amount()?, cells.number()?))
}

/// The torrent, day and rest of a row of lane times.
pub(crate) fn lane_time(row: &rusqlite::Row<'_>) -> rusqlite::Result<(TorrentKey, u64, LaneTime)> {
    let mut cells = Cells::of(row);
    let (torrent, day) = (cells.bytes()?, cells.number()?);
    let [seconds, paid_bytes, free_bytes] = [cells.number()?, cells.number()?, cells.number()?];
    Ok((torrent, day, LaneTime { seconds, paid_bytes, free_bytes }))
}

/// Shows all rows of one side, channel by channel.
pub(crate) fn visit(
    view: &Transaction<'_>,
    side: Side,
    mut each: impl FnMut(Row) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut cash_outs = view.prepare(
        "SELECT paid, fee_wei, fee_token FROM cash_outs WHERE side = ?1 AND network = ?2 \
         AND counterparty = ?3 AND channel = ?4 ORDER BY paid, at",
    )?;
    let mut entries = view.prepare(
        "SELECT network, counterparty, channel, day, torrent, bytes, amount, price, first, last \
         FROM entries WHERE side = ?1 ORDER BY side, network, counterparty, channel, day",
    )?;
    let mut rows = entries.query([of_side(side)])?;
    let mut channel: Vec<Row> = Vec::new();
    while let Some(row) = rows.next()? {
        let row = entry(side, row)?;
        if channel.first().is_some_and(|first| name(first) != name(&row)) {
            settle(&mut channel, &mut cash_outs)?;
            channel.drain(..).try_for_each(&mut each)?;
        }
        channel.push(row);
    }
    settle(&mut channel, &mut cash_outs)?;
    channel.into_iter().try_for_each(each)
}

fn name(row: &Row) -> (Network, Address, u64) {
    (row.network, row.counterparty, row.channel)
}

fn entry(side: Side, row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    let mut cells = Cells::of(row);
    Ok(Row {
        side,
        network: cells.network()?,
        counterparty: cells.address()?,
        channel: cells.number()?,
        day: cells.number()?,
        torrent: cells.bytes()?,
        bytes: cells.number()?,
        amount: cells.amount()?,
        price: cells.price()?,
        first: cells.number()?,
        last: cells.number()?,
        settled: 0,
        fee_wei: 0,
        fee_token: 0,
    })
}

fn settle(channel: &mut [Row], cash_outs: &mut Statement<'_>) -> Result<(), Fault> {
    let Some(first) = channel.first() else { return Ok(()) };
    let key = params![
        of_side(first.side),
        of_network(&first.network),
        first.counterparty.0.0,
        first.channel.cast_signed(),
    ];
    let paid = cash_outs.query_map(key, |row| {
        let mut cells = Cells::of(row);
        Ok(Paid { paid: cells.amount()?, fee_wei: cells.amount()?, fee_token: cells.amount()? })
    })?;
    channel.sort_by_key(|row| (row.day, row.first));
    let (mut at, mut before) = (0, 0);
    for paid in paid {
        let paid = paid?;
        let mut rest = paid.paid.saturating_sub(before);
        before = before.max(paid.paid);
        while rest > 0 {
            let part = rest.min(channel[at].amount - channel[at].settled);
            channel[at].settled += part;
            rest -= part;
            if rest == 0 || at + 1 == channel.len() {
                // What is over was earned before this ledger began, or after it was put away.
                break;
            }
            at += 1;
        }
        let row = &mut channel[at];
        row.fee_wei = row.fee_wei.checked_add(paid.fee_wei).ok_or(LedgerError::Overflow)?;
        let fee_token = row.fee_token.checked_add(paid.fee_token);
        row.fee_token = fee_token.ok_or(LedgerError::Overflow)?;
    }
    Ok(())
}
