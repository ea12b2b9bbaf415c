//! Sums over entries: in all, by torrent, by peer, by day.

use crate::ledger::Fault;
use crate::{Ledger, LedgerError, Row, lines};
use piecework_pay::{Address, Network, PRICE_BYTES, Price, Side, TorrentKey};
use rusqlite::Transaction;
use std::collections::BTreeMap;

/// Lines of one report at most.
pub const GROUPS_MAX: usize = 100_000;

/// Rows of one answer at most.
pub const ROWS_MAX: usize = 100_000;

/// What a report is about. Without any bound, everything.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Filter {
    /// The first day (UTC), counted from 1970.
    pub since: Option<u64>,
    /// The last day, which is in it.
    pub until: Option<u64>,
    /// Of one torrent alone.
    pub torrent: Option<TorrentKey>,
}

impl Filter {
    fn takes(&self, torrent: &TorrentKey, day: u64) -> bool {
        self.since.is_none_or(|since| since <= day)
            && self.until.is_none_or(|until| day <= until)
            && self.torrent.is_none_or(|wanted| wanted == *torrent)
    }
}

/// What a line of a report is about.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum By {
    /// One line in all.
    #[default]
    Nothing,
    /// A line a torrent.
    Torrent,
    /// A line an account of others.
    Peer,
    /// A line a day.
    Day,
}

/// Of what a line is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Group {
    /// Everything.
    All,
    /// A torrent.
    Torrent(TorrentKey),
    /// An account.
    Peer(Address),
    /// A day (UTC), counted from 1970.
    Day(u64),
}

/// Sums in one network: amounts of two tokens do not add up.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Sums {
    /// Billable bytes.
    pub bytes: u64,
    /// Earned or spent, in the token's smallest unit.
    pub amount: u128,
    /// Of it, what the vault has paid.
    pub settled: u128,
    /// What cashing has cost us in the chain's coin, in wei.
    pub fee_wei: u128,
    /// The same in the token.
    pub fee_token: u128,
    /// The last price.
    pub price: Price,
    /// When the first of it was written down, seconds since 1970.
    pub first: u64,
    /// When the last of it was.
    pub last: u64,
}

impl Sums {
    /// What the vault has not paid yet.
    #[must_use]
    pub fn pending(&self) -> u128 {
        self.amount.saturating_sub(self.settled)
    }

    /// The mean price of a MiB, rounded down; none without bytes.
    #[must_use]
    pub fn price_mean(&self) -> Option<u128> {
        let bytes = u128::from(self.bytes);
        match self.amount.checked_mul(PRICE_BYTES) {
            Some(worth) => worth.checked_div(bytes),
            // So much money that the rest below one unit a byte is nothing.
            None => Some(self.amount.checked_div(bytes)?.saturating_mul(PRICE_BYTES)),
        }
    }

    fn add(&mut self, row: &Row) -> Option<()> {
        self.bytes = self.bytes.checked_add(row.bytes)?;
        self.amount = self.amount.checked_add(row.amount)?;
        self.settled = self.settled.checked_add(row.settled)?;
        self.fee_wei = self.fee_wei.checked_add(row.fee_wei)?;
        self.fee_token = self.fee_token.checked_add(row.fee_token)?;
        if row.last >= self.last {
            (self.last, self.price) = (row.last, row.price);
        }
        self.first = self.first.min(row.first);
        Some(())
    }
}

/// One line of a report.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Line {
    /// In which money.
    pub network: Network,
    /// Of what.
    pub group: Group,
    /// How much.
    pub sums: Sums,
    /// Seconds that paying has saved, as far as there was a free rate to compare with; none without, for
    /// sales, and by peer. It is of the group, whatever the network.
    pub saved_seconds: Option<u64>,
}

impl Ledger {
    /// What was earned, in the order of networks and groups.
    ///
    /// # Errors
    /// When the file cannot be read, or the report has over [`GROUPS_MAX`] lines.
    pub fn earned(&self, by: By, filter: &Filter) -> Result<Vec<Line>, LedgerError> {
        self.report(Side::Selling, &[by], filter)
    }

    /// What was spent, in the order of networks and groups.
    ///
    /// # Errors
    /// As for [`Self::earned`].
    pub fn spent(&self, by: By, filter: &Filter) -> Result<Vec<Line>, LedgerError> {
        self.report(Side::Buying, &[by], filter)
    }

    /// Several reports at once, of the same moment: their lines tell themselves apart by [`Group`].
    ///
    /// # Errors
    /// As for [`Self::earned`].
    pub fn report(&self, side: Side, by: &[By], filter: &Filter) -> Result<Vec<Line>, LedgerError> {
        self.read(|view| {
            let mut groups: BTreeMap<(Network, Group), Sums> = BTreeMap::new();
            lines::visit(view, side, |row| {
                if !filter.takes(&row.torrent, row.day) {
                    return Ok(());
                }
                for by in by {
                    let key = (row.network, group(*by, &row));
                    if !groups.contains_key(&key) {
                        bounded(groups.len(), GROUPS_MAX, "lines")?;
                    }
                    let begun = Sums { first: row.first, ..Sums::default() };
                    let sums = groups.entry(key).or_insert(begun);
                    sums.add(&row).ok_or(LedgerError::Overflow)?;
                }
                Ok(())
            })?;
            let saved = match side {
                Side::Buying => saved(view, filter)?,
                Side::Selling => BTreeMap::new(),
            };
            let lines = groups.into_iter().map(|((network, group), sums)| Line {
                network,
                group,
                sums,
                saved_seconds: saved.get(&group).copied(),
            });
            Ok(lines.collect())
        })
    }

    /// All rows of one side, by day.
    ///
    /// # Errors
    /// When the file cannot be read, or there are more than [`ROWS_MAX`].
    pub fn rows(&self, side: Side, filter: &Filter) -> Result<Vec<Row>, LedgerError> {
        let mut rows = Vec::new();
        self.read(|view| {
            lines::visit(view, side, |row| {
                if filter.takes(&row.torrent, row.day) {
                    bounded(rows.len(), ROWS_MAX, "rows")?;
                    rows.push(row);
                }
                Ok(())
            })
        })?;
        rows.sort_by_key(|row| (row.day, row.first));
        Ok(rows)
    }
}

fn bounded(len: usize, max: usize, what: &'static str) -> Result<(), Fault> {
    if len < max { Ok(()) } else { Err(LedgerError::TooMany { what, max }.into()) }
}

fn group(by: By, row: &Row) -> Group {
    match by {
        By::Nothing => Group::All,
        By::Torrent => Group::Torrent(row.torrent),
        By::Peer => Group::Peer(row.counterparty),
        By::Day => Group::Day(row.day),
    }
}

/// Seconds saved. A day without a free rate adds nothing: what is shown was saved at least.
fn saved(view: &Transaction<'_>, filter: &Filter) -> Result<BTreeMap<Group, u64>, Fault> {
    let mut statement =
        view.prepare("SELECT torrent, day, seconds, paid_bytes, free_bytes FROM lane_times")?;
    let mut rows = statement.query([])?;
    let mut saved: BTreeMap<Group, u64> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let (torrent, day, time) = lines::lane_time(row)?;
        let Some(seconds) = time.saved_seconds().filter(|_| filter.takes(&torrent, day)) else {
            continue;
        };
        for group in [Group::All, Group::Torrent(torrent), Group::Day(day)] {
            let sum = saved.entry(group).or_default();
            *sum = sum.saturating_add(seconds);
        }
    }
    Ok(saved)
}
