//! The market as JSON. Amounts are whole tokens as decimal text, prices are for a GiB.

use super::LaneName;
use crate::state::Api;
use piecework_daemon::{Market, hold_text};
use piecework_node::{PayBuyer, PaySeller, PayTorrent, TorrentKey};
use piecework_pay::{Hold, Lane};
use piecework_types::InfoHash;
use serde::Serialize;
use utoipa::ToSchema;

/// What the node sells and buys.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = Market)]
pub(crate) struct MarketView {
    /// Why it cannot trade, with a remedy; all else is `null` then.
    problem: Option<String>,
    /// Where money is.
    network: Option<NetworkView>,
    /// What is paid in.
    token: Option<TokenView>,
    /// Whose account buys, and whom buyers pay.
    account: Option<String>,
    /// Whether the chain answers.
    chain: Option<ChainView>,
    /// What is sold.
    selling: Option<SellingView>,
    /// What is bought.
    buying: Option<BuyingView>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MarketNetwork)]
struct NetworkView {
    name: String,
    chain_id: u64,
    /// The short name of the coin that fees are paid in.
    coin: String,
    /// Amounts are worth nothing outside of it.
    is_test_money: bool,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MarketToken)]
struct TokenView {
    symbol: String,
    address: String,
    decimals: u8,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MarketChain)]
struct ChainView {
    is_reachable: bool,
    /// In words.
    text: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Selling)]
struct SellingView {
    is_on: bool,
    /// What is asked for a GiB.
    ask: String,
    /// What all buyers pay for a GiB since the last allocation.
    price: String,
    /// The lowest ask.
    price_floor: String,
    /// The uplink, bytes a second; `null` without a limit.
    capacity: Option<u64>,
    /// Hundredths of it for those who do not pay.
    free_percent: u32,
    /// Thousandths of the paid capacity that are sold.
    load_permille: u16,
    /// What was earned and is not cashed.
    uncashed: String,
    /// The account that pays the fees of cashing.
    fee_account: Option<String>,
    /// Coin that it has; `null` while the chain has not said.
    fee_coin: Option<String>,
    /// Why nothing can be cashed, with a remedy.
    waiting: Option<String>,
    /// What was cashed and lies in the vault for the wallet to take out.
    credit: String,
    /// What may be lost, in words.
    risk: String,
    buyers: Vec<BuyerView>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Buyer)]
struct BuyerView {
    address: String,
    account: String,
    torrent: Option<String>,
    is_paid: bool,
    price: String,
    /// What it was allocated, bytes a second.
    rate: u64,
    served_bytes: u64,
    paid: String,
    owed: String,
    window_bytes: u64,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Buying)]
struct BuyingView {
    is_on: bool,
    /// What may be spent in a day (UTC); `null` for no limit.
    day_max: Option<String>,
    spent_today: String,
    /// What the node was entrusted with, in words.
    trust: String,
    torrents: Vec<BoughtView>,
    sellers: Vec<SellerView>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Bought)]
struct BoughtView {
    torrent: Option<String>,
    name: String,
    lane: LaneName,
    spent: String,
    budget: String,
    max_price: String,
    /// What the dearest seller gets for a GiB.
    price: String,
    sellers: usize,
    paid_sellers: usize,
    /// Why nothing is bought, with a remedy.
    hold: Option<&'static str>,
    /// The same for programs.
    hold_reason: Option<HoldName>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Seller)]
struct SellerView {
    address: String,
    account: Option<String>,
    torrent: Option<String>,
    is_paid: bool,
    price: String,
    bid: String,
    /// Bytes a second that come.
    rate: u64,
    /// Bytes a second that it said it would send.
    promised: u64,
    paid: String,
    owed: String,
}

/// Why nothing is bought.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum HoldName {
    /// The torrent's budget is used up.
    Budget,
    /// What may be spent in a day is used up.
    Day,
    /// The session key or the vault has too little.
    Funds,
    /// Every seller asks more than the highest price.
    Price,
    /// The chain does not answer.
    Chain,
}

impl From<Hold> for HoldName {
    fn from(hold: Hold) -> Self {
        match hold {
            Hold::Budget => Self::Budget,
            Hold::Day => Self::Day,
            Hold::Funds => Self::Funds,
            Hold::Price => Self::Price,
            Hold::Chain => Self::Chain,
        }
    }
}

/// The lane of a torrent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Lane)]
pub(crate) struct LaneView {
    lane: LaneName,
    token: TokenView,
    network: NetworkView,
    /// `null` in the free lane.
    budget: Option<String>,
    max_price: Option<String>,
    /// What was spent for it ever.
    spent: String,
    /// Why nothing is bought, with a remedy.
    hold: Option<&'static str>,
    /// The same for programs.
    hold_reason: Option<HoldName>,
}

impl MarketView {
    /// Of a node that cannot trade.
    pub(super) fn closed(problem: String) -> Self {
        Self { problem: Some(problem), ..Self::default() }
    }
}

pub(super) fn market(api: &Api, market: &Market) -> MarketView {
    let (is_reachable, text) = market.chain();
    MarketView {
        problem: None,
        network: Some(network(market)),
        token: Some(token(market)),
        account: Some(market.account.to_string()),
        chain: Some(ChainView { is_reachable, text }),
        selling: Some(selling(api, market)),
        buying: Some(buying(api, market)),
    }
}

fn network(market: &Market) -> NetworkView {
    let network = &market.network;
    NetworkView {
        name: network.name.clone(),
        chain_id: network.chain_id,
        coin: network.coin.symbol.clone(),
        is_test_money: network.is_test_money(),
    }
}

fn token(market: &Market) -> TokenView {
    let token = &market.token;
    let (symbol, address) = (token.symbol.clone(), token.address.to_string());
    TokenView { symbol, address, decimals: token.decimals }
}

fn selling(api: &Api, market: &Market) -> SellingView {
    let (pay, settings) = (&market.pay, api.daemon.settings());
    let uncashed = pay.accounts.iter().fold(0, |sum: u128, it| sum.saturating_add(it.uncashed));
    let buyer = |buyer: &PayBuyer| BuyerView {
        address: buyer.address.to_string(),
        account: buyer.trade.payer.to_string(),
        torrent: id(market, buyer.torrent),
        is_paid: buyer.trade.is_paid,
        price: market.price(buyer.trade.price),
        rate: buyer.trade.rate,
        served_bytes: buyer.trade.served,
        paid: market.amount(buyer.trade.paid),
        owed: market.amount(buyer.trade.owed),
        window_bytes: buyer.trade.window,
    };
    let at_most = pay.accounts.iter().fold(0, |sum: u128, it| sum.saturating_add(it.exposure));
    let risk = format!(
        "{} {} are not cashed. A payer can take back what is in its account 24 hours after it asked: \
         a node that is away for longer may lose what is not cashed by then. While it runs, all payers \
         together can owe at most {}.",
        market.amount(uncashed),
        market.token.symbol,
        market.amount(at_most),
    );
    SellingView {
        is_on: pay.is_selling,
        ask: market.price(pay.ask),
        price: market.price(pay.price),
        price_floor: settings.pay().price_floor.0.clone(),
        capacity: Some(pay.capacity).filter(|capacity| *capacity > 0),
        free_percent: settings.pay().free_percent,
        load_permille: pay.load_permille,
        uncashed: market.amount(uncashed),
        fee_account: market.status.fee_account.map(|it| it.to_string()),
        fee_coin: market.status.coin_left.map(|wei| market.coin(wei)),
        waiting: market.status.dry.clone(),
        credit: market.amount(market.status.credit),
        risk,
        buyers: pay.buyers.iter().map(buyer).collect(),
    }
}

fn buying(api: &Api, market: &Market) -> BuyingView {
    let pay = &market.pay;
    let sellers = pay
        .torrents
        .iter()
        .flat_map(|torrent| torrent.sellers.iter().map(|it| seller(market, torrent.torrent, it)));
    BuyingView {
        is_on: pay.is_buying,
        day_max: api.daemon.settings().pay().day_max.as_ref().map(|most| most.0.clone()),
        spent_today: market.amount(pay.spent_today),
        trust: trust(market),
        torrents: pay.torrents.iter().map(|it| bought(api, market, it)).collect(),
        sellers: sellers.collect(),
    }
}

/// What the node was entrusted with, in words.
fn trust(market: &Market) -> String {
    let Some(trust) = market.trust else {
        return "with nothing: `piecework buy on --max AMOUNT` draws a session key".into();
    };
    format!(
        "{} {} until {} (Unix time); sellers take its cheques until two days before",
        market.amount(trust.max_amount),
        market.token.symbol,
        trust.valid_until
    )
}

fn seller(market: &Market, torrent: TorrentKey, seller: &PaySeller) -> SellerView {
    let trade = &seller.trade;
    SellerView {
        address: seller.address.to_string(),
        account: trade.payee.map(|(_, payee)| payee.to_string()),
        torrent: id(market, torrent),
        is_paid: trade.is_paid,
        price: market.price(trade.price),
        bid: market.price(trade.bid),
        rate: trade.rate,
        promised: trade.promised,
        paid: market.amount(trade.paid),
        owed: market.amount(trade.owed),
    }
}

fn bought(api: &Api, market: &Market, torrent: &PayTorrent) -> BoughtView {
    let id = market.ids.get(&torrent.torrent);
    let name = id.and_then(|id| {
        let catalog = api.daemon.catalog();
        Some(catalog.get(*id)?.record().name.clone())
    });
    let view = torrent.purchase;
    BoughtView {
        torrent: id.map(InfoHash::to_string),
        name: name.unwrap_or_default(),
        lane: lane_name(torrent.wish.lane),
        spent: market.amount(id.map_or(0, |id| market.spent(*id))),
        budget: market.amount(torrent.wish.budget),
        max_price: market.price(torrent.wish.price_max),
        price: market.price(view.map(|it| it.price).unwrap_or_default()),
        sellers: view.map_or(0, |it| it.sellers),
        paid_sellers: view.map_or(0, |it| it.paid_sellers),
        hold: view.and_then(|it| it.hold).map(hold_text),
        hold_reason: view.and_then(|it| it.hold).map(HoldName::from),
    }
}

/// The lane of a torrent.
pub(super) fn lane(market: &Market, id: InfoHash) -> LaneView {
    let wish = market.lane(id);
    let view = market.purchase(id).and_then(|it| it.purchase);
    LaneView {
        lane: wish.map_or(LaneName::Slow, |wish| lane_name(wish.lane())),
        token: token(market),
        network: network(market),
        budget: wish.map(|wish| market.amount(wish.budget())),
        max_price: wish.map(|wish| market.price(wish.price_max())),
        spent: market.amount(market.spent(id)),
        hold: view.and_then(|view| view.hold).map(hold_text),
        hold_reason: view.and_then(|view| view.hold).map(HoldName::from),
    }
}

fn id(market: &Market, torrent: TorrentKey) -> Option<String> {
    market.ids.get(&torrent).map(InfoHash::to_string)
}

const fn lane_name(lane: Lane) -> LaneName {
    match lane {
        Lane::Slow => LaneName::Slow,
        Lane::Medium => LaneName::Medium,
        Lane::Fast | Lane::Live { .. } => LaneName::Fast,
    }
}
