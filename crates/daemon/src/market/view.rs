//! What faces see of the market, and what they make of people's words.

use super::room::pay_key;
use alloy_primitives::{Address, U256};
use piecework_cashier::{ChainState, Status, Trust};
use piecework_catalog::{Refusal, RefusalKind};
use piecework_ledger::KeptWish;
use piecework_node::{PayTorrent, PayView, TorrentKey};
use piecework_pay::{Lane, Price, TorrentKey as PayKey};
use piecework_settle::{
    AmountFault, COIN_DECIMALS, Network, TokenEntry, format_amount, format_price, parse_amount,
    parse_price,
};
use piecework_types::InfoHash;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The market at one moment. Every amount in it is in the smallest unit of its token.
#[derive(Clone, Debug)]
pub struct Market {
    /// What is paid in.
    pub token: TokenEntry,
    /// The network file.
    pub network: Network,
    /// Whose account buys, and whom buyers pay.
    pub account: Address,
    /// The chain, what there is for fees, what waits to be cashed.
    pub status: Status,
    /// What the node was entrusted with.
    pub trust: Option<Trust>,
    /// What is sold and bought.
    pub pay: Arc<PayView>,
    /// Loaded torrents by what the node calls them.
    pub ids: BTreeMap<TorrentKey, InfoHash>,
    /// What was spent for each torrent ever, as the ledger says.
    pub(crate) spent: BTreeMap<PayKey, u128>,
    /// What is wanted of torrents, loaded or not.
    pub(crate) wishes: BTreeMap<PayKey, KeptWish>,
}

/// A lane that costs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LaneWord {
    /// Up to 1.25 times the median ask.
    Medium,
    /// Up to 3 times the median ask.
    Fast,
}

/// A lane with what it may cost.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LaneWish(pub(crate) KeptWish);

impl LaneWish {
    /// How fast.
    pub fn lane(&self) -> Lane {
        self.0.lane
    }

    /// What it may cost in all.
    pub fn budget(&self) -> u128 {
        self.0.budget
    }

    /// The highest price.
    pub fn price_max(&self) -> Price {
        self.0.price_max
    }
}

impl Market {
    /// Whether the chain answers, and how that stands in words.
    pub fn chain(&self) -> (bool, String) {
        match &self.status.chain {
            ChainState::Starting => (false, "it was not asked yet".to_owned()),
            ChainState::Good => (true, "it answers".to_owned()),
            ChainState::Down { why, .. } => (false, why.clone()),
        }
    }

    /// Coin, for people.
    pub fn coin(&self, wei: u128) -> String {
        format_amount(U256::from(wei), COIN_DECIMALS)
    }

    /// Whole tokens, for people.
    pub fn amount(&self, amount: u128) -> String {
        format_amount(U256::from(amount), self.token.decimals)
    }

    /// Whole tokens a GiB, for people.
    pub fn price(&self, price: Price) -> String {
        format_price(price, self.token.decimals)
    }

    /// A lane as a person asked for it; see [`lane_wish`].
    ///
    /// # Errors
    /// As [`lane_wish`].
    pub fn wish(
        &self,
        lane: LaneWord,
        budget: &str,
        price_max: Option<&str>,
        size_bytes: Option<u64>,
    ) -> Result<LaneWish, Refusal> {
        lane_wish(self.token.decimals, lane, (budget, price_max), size_bytes)
    }

    /// What was spent for a torrent ever.
    pub fn spent(&self, id: InfoHash) -> u128 {
        self.spent.get(&pay_key(id)).copied().unwrap_or(0)
    }

    /// The lane of a torrent that costs.
    pub fn lane(&self, id: InfoHash) -> Option<LaneWish> {
        self.wishes.get(&pay_key(id)).copied().map(LaneWish)
    }

    /// What is bought for a torrent that is loaded.
    pub fn purchase(&self, id: InfoHash) -> Option<&PayTorrent> {
        self.pay.torrents.iter().find(|it| self.ids.get(&it.torrent) == Some(&id))
    }
}

/// A lane as a person asked for it, in whole tokens of so many decimals. Without a highest price it is the
/// budget over `size_bytes`.
///
/// # Errors
/// When an amount is none, the budget is nothing, or the highest price is missing and the size too.
pub fn lane_wish(
    decimals: u8,
    lane: LaneWord,
    (budget, price_max): (&str, Option<&str>),
    size_bytes: Option<u64>,
) -> Result<LaneWish, Refusal> {
    let wrong = |what: &'static str| {
        move |fault: AmountFault| Refusal::new(RefusalKind::Invalid, format!("{what}: {fault}"))
    };
    let refuse = |text: &str| Refusal::new(RefusalKind::Invalid, text);
    let budget = parse_amount(budget, decimals).map_err(wrong("budget"))?;
    if budget == 0 {
        return Err(refuse("a lane that costs has a budget above 0"));
    }
    let price_max = match (price_max, size_bytes) {
        (Some(price), _) => parse_price(price, decimals).map_err(wrong("highest price"))?,
        (None, Some(bytes @ 1..)) => over(budget, bytes),
        (None, _) => {
            return Err(refuse(
                "the torrent's size is not known yet: say the highest price of a GiB too",
            ));
        }
    };
    if price_max.per_mib() == 0 {
        return Err(refuse("the highest price is below the token's smallest unit a MiB"));
    }
    let lane = match lane {
        LaneWord::Medium => Lane::Medium,
        LaneWord::Fast => Lane::Fast,
    };
    Ok(LaneWish(KeptWish { lane, budget, price_max }))
}

/// The price at which `bytes` cost `budget`.
fn over(budget: u128, bytes: u64) -> Price {
    let per_mib = U256::from(budget) * U256::from(1_u64 << 20) / U256::from(bytes);
    let per_mib = u128::try_from(per_mib).unwrap_or(u128::MAX).min(piecework_pay::PRICE_MAX);
    Price::new(per_mib).unwrap_or_default()
}
