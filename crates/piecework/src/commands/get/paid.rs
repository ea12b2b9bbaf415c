//! A download in a lane that costs.

use crate::args::Common;
use crate::args::market::{LaneArg, LaneArgs};
use crate::failure::Failure;
use crate::out::{Out, note};
use crate::purse::pinned;
use crate::session::state_dir;
use alloy_primitives::U256;
use piecework_cashier::{Merchant, MerchantConfig, WallClock};
use piecework_daemon::{LaneWish, LaneWord, Told, lane_wish};
use piecework_ledger::{By, Filter};
use piecework_node::{Engine, PayWish, TorrentKey};
use piecework_pay::Price;
use piecework_settle::{Network, TokenEntry, format_amount};
use piecework_types::InfoHashes;
use serde_json::json;

/// What pays for a download, and up to what.
pub(super) struct Paid {
    merchant: Merchant,
    token: TokenEntry,
    is_test_money: bool,
    wish: LaneWish,
    torrent: [u8; 20],
    /// Spent for it by earlier runs.
    before: u128,
}

impl Paid {
    /// Opens what is needed to pay, if a lane that costs is asked for. `size_bytes` is none of a magnet.
    pub(super) fn open(
        engine: &Engine,
        args: &LaneArgs,
        (info_hashes, size_bytes): (InfoHashes, Option<u64>),
        common: &Common,
        out: Out,
    ) -> Result<Option<Self>, Failure> {
        let lane = match args.lane {
            None | Some(LaneArg::Slow) => return Ok(None),
            Some(LaneArg::Medium) => LaneWord::Medium,
            Some(LaneArg::Fast) => LaneWord::Fast,
        };
        let state = state_dir(common)?;
        let none = "no network: `piecework chain init` makes one, `piecework chain join` joins one";
        let network: Network = pinned(&state)?.ok_or_else(|| Failure::new(none))?;
        let none = "the network file has no token: `piecework token issue` makes one";
        let token = network.tokens.first().cloned().ok_or_else(|| Failure::new(none))?;
        let budget = args.budget.as_deref().unwrap_or_default();
        let wish = lane_wish(token.decimals, lane, (budget, args.max_price.as_deref()), size_bytes);
        let wish = wish.map_err(Failure::usage)?;
        let is_test_money = network.is_test_money();
        let config = MerchantConfig {
            state,
            network,
            token: token.address,
            may_sell: false,
            floor: Price::default(),
            free_permille: 1000,
            day_max: u128::MAX,
            coin_price: None,
            wall: WallClock::default(),
            news: Box::new(move |news| {
                if let Some(told) = Told::of(&news) {
                    out.event(&json!({ "event": "market", "text": told.text }));
                    note(&told.text);
                }
            }),
        };
        let merchant = Merchant::open(engine, config).map_err(Failure::new)?;
        let none = "the node has no session key to pay with: `piecework vault delegate AMOUNT --bond-at-risk \
                    AMOUNT` makes one";
        merchant.renew().map_err(Failure::new)?.ok_or_else(|| Failure::new(none))?;
        let torrent = info_hashes.primary().0;
        let mut paid = Self { merchant, token, is_test_money, wish, torrent, before: 0 };
        paid.before = paid.spent()?;
        Ok(Some(paid))
    }

    /// Begins to buy.
    pub(super) fn begin(&self, key: TorrentKey) {
        let (lane, budget, price_max) =
            (self.wish.lane(), self.wish.budget(), self.wish.price_max());
        self.merchant.pay().want(key, PayWish { lane, budget, price_max });
        self.merchant.pay().buy(true);
    }

    /// Tells what it has cost, once the engine has ended and everything is written.
    pub(super) fn tell(&self, out: Out) -> Result<(), Failure> {
        let spent = self.spent()?.saturating_sub(self.before);
        let amount = format_amount(U256::from(spent), self.token.decimals);
        let mark = if self.is_test_money { " (test money)" } else { "" };
        out.say(
            &format!("PAID {amount} {}{mark}", self.token.symbol),
            &json!({
                "event": "paid", "amount": amount, "token": self.token.symbol,
                "is_test_money": self.is_test_money,
            }),
        );
        Ok(())
    }

    fn spent(&self) -> Result<u128, Failure> {
        let filter = Filter { torrent: Some(self.torrent), ..Filter::default() };
        let lines = self.merchant.ledger().spent(By::Nothing, &filter).map_err(Failure::new)?;
        let own = lines.iter().filter(|line| line.network == *self.merchant.network());
        Ok(own.fold(0, |sum, line| sum.saturating_add(line.sums.amount)))
    }
}
