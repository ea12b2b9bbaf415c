//! What was earned and spent, as programs and tables of others read it.
//!
//! Amounts are texts in whole tokens: a JSON number loses digits. A token that the network file does not know
//! has neither symbol nor decimals, and its amounts count its smallest unit.

use alloy_primitives::U256;
use jiff::ToSpan as _;
use jiff::civil::Date;
use piecework_ledger::{By, Filter, Group, Ledger, LedgerError, Line, Row};
use piecework_pay::{Network as Payment, Price, Side, TorrentKey};
use piecework_settle::{COIN_DECIMALS, Network, format_amount, format_price};
use serde::Serialize;
use std::fmt::Write as _;
use utoipa::ToSchema;

/// The first line of a CSV. Programs may rely on its words; new ones come behind them.
pub const COLUMNS: &str = "day,torrent,name,peer,channel,network,token,symbol,is_test_money,bytes,\
    amount,settled,pending,price_per_gib,fees,fees_coin,first_at,last_at\r\n";

/// The ledger, and the network file that names its tokens.
#[derive(Debug)]
pub struct Trades {
    /// Opened to be read.
    pub ledger: Ledger,
    /// The network of this node, if it has one.
    pub network: Option<Network>,
}

/// What was earned or spent.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = Report)]
pub struct ReportView {
    /// In all, a line for each token.
    pub totals: Vec<LineView>,
    /// By torrent.
    pub torrents: Vec<LineView>,
    /// By account of the other side.
    pub peers: Vec<LineView>,
    /// By day (UTC).
    pub days: Vec<LineView>,
}

/// Sums in one token.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReportLine)]
pub struct LineView {
    /// The torrent, of a line by torrent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub torrent: Option<String>,
    /// Its name, while the daemon has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub name: Option<String>,
    /// The account, of a line by peer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub peer: Option<String>,
    /// The day, of a line by day.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "2026-11-22")]
    pub day: Option<String>,
    /// The network's name; null for one that this node is not on.
    pub network: Option<String>,
    /// The chain's number.
    pub chain_id: u64,
    /// The token's address.
    pub token: String,
    /// Its short name; null when it is not known, then amounts count its smallest unit.
    pub symbol: Option<String>,
    /// Whether it is worth nothing, as on every network whose file does not say otherwise.
    pub is_test_money: bool,
    /// Bytes that were paid for.
    pub bytes: u64,
    /// Earned or spent, in whole tokens.
    #[schema(example = "1.5")]
    pub amount: String,
    /// Of it, what the vault has paid.
    pub settled: String,
    /// Of it, what the vault has not paid yet.
    pub pending: String,
    /// The last price of a GiB.
    pub price_per_gib: String,
    /// The mean price of a GiB; null without bytes.
    pub price_mean_per_gib: Option<String>,
    /// What cashing has cost, in the token.
    pub fees: String,
    /// The same in the chain's coin.
    pub fees_coin: String,
    /// Unix seconds of the first payment.
    pub first_at: u64,
    /// Unix seconds of the last one.
    pub last_at: u64,
    /// Seconds that paying has saved at least; null when nothing came for free meanwhile, for earnings, and
    /// by peer.
    pub saved_seconds: Option<u64>,
}

impl Trades {
    /// Sums of one side; `name` knows torrents by their info-hash.
    ///
    /// # Errors
    /// When the ledger cannot be read, or has too many lines.
    pub fn report(
        &self,
        side: Side,
        filter: &Filter,
        name: impl Fn(&TorrentKey) -> Option<String>,
    ) -> Result<ReportView, LedgerError> {
        let all = [By::Nothing, By::Torrent, By::Peer, By::Day];
        let mut report = ReportView::default();
        for line in self.ledger.report(side, &all, filter)? {
            let mut view = self.line(&line);
            let place = match line.group {
                Group::All => &mut report.totals,
                Group::Torrent(torrent) => {
                    (view.torrent, view.name) = (Some(hex(&torrent)), name(&torrent));
                    &mut report.torrents
                }
                Group::Peer(peer) => {
                    view.peer = Some(peer.to_string());
                    &mut report.peers
                }
                Group::Day(day) => {
                    view.day = Some(date(day));
                    &mut report.days
                }
            };
            place.push(view);
        }
        Ok(report)
    }

    /// Rows of one side by day, torrent and channel, as CSV (RFC 4180).
    ///
    /// # Errors
    /// When the ledger cannot be read, or has too many rows.
    pub fn csv(
        &self,
        side: Side,
        filter: &Filter,
        name: impl Fn(&TorrentKey) -> Option<String>,
    ) -> Result<String, LedgerError> {
        let mut text = String::from(COLUMNS);
        for row in self.ledger.rows(side, filter)? {
            let unit = self.unit(&row.network);
            let name = cell(&name(&row.torrent).unwrap_or_default());
            let (network, symbol) = (cell(unit.network), cell(unit.symbol.unwrap_or_default()));
            let Row { counterparty, channel, bytes, first, last, .. } = row;
            // Writing to a text never fails.
            let _ = write!(
                text,
                "{},{},{name},{counterparty},{channel},{network},{},{symbol},{},{bytes},",
                date(row.day),
                hex(&row.torrent),
                row.network.token,
                unit.is_test_money,
            );
            let pending = row.amount.saturating_sub(row.settled);
            let _ = write!(
                text,
                "{},{},{},{},{},{},{first},{last}\r\n",
                unit.amount(row.amount),
                unit.amount(row.settled),
                unit.amount(pending),
                unit.price(row.price),
                unit.amount(row.fee_token),
                coin(row.fee_wei),
            );
        }
        Ok(text)
    }

    fn line(&self, line: &Line) -> LineView {
        let (unit, sums) = (self.unit(&line.network), &line.sums);
        let mean = sums.price_mean().and_then(|mean| Price::new(mean).ok());
        LineView {
            torrent: None,
            name: None,
            peer: None,
            day: None,
            network: Some(unit.network).filter(|name| !name.is_empty()).map(str::to_owned),
            chain_id: line.network.chain_id,
            token: line.network.token.to_string(),
            symbol: unit.symbol.map(str::to_owned),
            is_test_money: unit.is_test_money,
            bytes: sums.bytes,
            amount: unit.amount(sums.amount),
            settled: unit.amount(sums.settled),
            pending: unit.amount(sums.pending()),
            price_per_gib: unit.price(sums.price),
            price_mean_per_gib: mean.map(|mean| unit.price(mean)),
            fees: unit.amount(sums.fee_token),
            fees_coin: coin(sums.fee_wei),
            first_at: sums.first,
            last_at: sums.last,
            saved_seconds: line.saved_seconds,
        }
    }

    /// How amounts of this money are written.
    fn unit(&self, money: &Payment) -> Unit<'_> {
        let known = self.network.as_ref().and_then(|it| Some((it, it.entry(money)?)));
        match known {
            Some((network, token)) => Unit {
                network: &network.name,
                symbol: Some(&token.symbol),
                decimals: token.decimals,
                is_test_money: network.is_test_money(),
            },
            None => Unit { network: "", symbol: None, decimals: 0, is_test_money: true },
        }
    }
}

struct Unit<'a> {
    network: &'a str,
    symbol: Option<&'a str>,
    decimals: u8,
    is_test_money: bool,
}

impl Unit<'_> {
    fn amount(&self, amount: u128) -> String {
        format_amount(U256::from(amount), self.decimals)
    }

    fn price(&self, price: Price) -> String {
        format_price(price, self.decimals)
    }
}

/// A day as `2026-11-22`, counted from 1970.
///
/// # Errors
/// When the text is no day, or lies before 1970.
pub fn day_of(text: &str) -> Result<u64, String> {
    let no = || {
        let shown: String = text.chars().take(40).collect();
        format!("{shown:?} is no day: write it as in 2026-11-22")
    };
    let date: Date = Date::strptime("%Y-%m-%d", text).map_err(|_| no())?;
    let since = date.since(EPOCH).map_err(|_| no())?;
    u64::try_from(since.get_days()).map_err(|_| no())
}

const EPOCH: Date = jiff::civil::date(1970, 1, 1);

/// The day; one that no calendar has as its number.
fn date(day: u64) -> String {
    let days = i32::try_from(day).ok().filter(|days| *days < 3_000_000);
    let date = days.and_then(|days| EPOCH.checked_add(days.days()).ok());
    date.map_or_else(|| day.to_string(), |date| date.to_string())
}

fn coin(wei: u128) -> String {
    format_amount(U256::from(wei), COIN_DECIMALS)
}

fn hex(torrent: &TorrentKey) -> String {
    alloy_primitives::hex::encode(torrent)
}

/// A text of strangers in a CSV: quoted, and no formula of a spreadsheet.
fn cell(text: &str) -> String {
    let text: String = text.chars().filter(|letter| !letter.is_control()).collect();
    let guard = if text.starts_with(['=', '+', '-', '@']) { "'" } else { "" };
    if guard.is_empty() && !text.contains([',', '"']) {
        return text;
    }
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests;
