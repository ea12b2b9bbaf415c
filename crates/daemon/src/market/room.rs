//! The merchant of a daemon, and the lanes that its torrents want.

use super::told::Told;
use super::view::{LaneWish, Market};
use crate::news::{Level, code};
use crate::shared::Shared;
use piecework_cashier::{Merchant, MerchantConfig, Trust, WallClock};
use piecework_catalog::{Refusal, RefusalKind};
use piecework_ledger::{By, Filter, Group, KeptWish};
use piecework_node::{Engine, PayNews, PayWish, TorrentKey};
use piecework_pay::{Lane, Price, TorrentKey as PayKey};
use piecework_settings::Settings;
use piecework_settle::{AmountFault, Network, TokenEntry, parse_amount, parse_price};
use piecework_types::InfoHash;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};

/// How a torrent is called where money is counted.
pub(crate) fn pay_key(id: InfoHash) -> PayKey {
    id.0
}

/// Whether the node trades, and with what.
#[derive(Default)]
pub(crate) struct MarketRoom {
    /// `None` while the daemon starts.
    merchant: RwLock<Option<Result<Arc<Open>, String>>>,
}

struct Open {
    merchant: Merchant,
    token: TokenEntry,
    wishes: Mutex<BTreeMap<PayKey, KeptWish>>,
    trust: Mutex<Option<Trust>>,
}

impl MarketRoom {
    /// Begins to trade, if the wallet's folder has what it needs. A daemon goes on without one.
    pub(crate) fn open(shared: &Arc<Shared>, engine: &Engine) {
        let settings = Arc::clone(&shared.settings.borrow());
        let opened = match shared.wallet.state() {
            Ok(state) => Open::new(shared, engine, state, &settings).map(Arc::new),
            Err(fault) => Err(fault.text),
        };
        match &opened {
            Err(problem) if settings.pay().sells || settings.pay().buys => {
                let text = format!("no paid lanes: {problem}");
                shared.news.tell(Level::Error, None, code::MARKET_CLOSED, text);
            }
            // Most people never trade.
            Err(problem) => tracing::debug!(%problem, "no paid lanes"),
            Ok(_) => {}
        }
        *shared.market.merchant.write().unwrap_or_else(PoisonError::into_inner) = Some(opened);
        shared.market.follow(&settings);
    }

    /// Begins to trade if it did not: there is a wallet now, or a network.
    pub(crate) fn reopen(shared: &Arc<Shared>) {
        if shared.market.opened().is_ok() {
            return;
        }
        let Some(engine) = shared.engine() else { return };
        Self::open(shared, &engine);
        for id in shared.ids().values() {
            shared.market.want(shared, *id);
        }
    }

    fn opened(&self) -> Result<Arc<Open>, Refusal> {
        let closed =
            |text: &str| Refusal::new(RefusalKind::Conflict, format!("no paid lanes: {text}"));
        match &*self.merchant.read().unwrap_or_else(PoisonError::into_inner) {
            Some(Ok(open)) => Ok(Arc::clone(open)),
            Some(Err(problem)) => Err(closed(problem)),
            None => Err(closed("the daemon is starting")),
        }
    }

    /// Whether the settings make sense here: before they are written down.
    ///
    /// # Errors
    /// When the node is to trade and cannot, or an amount has more digits than the token.
    pub(crate) fn check(&self, settings: &Settings) -> Result<(), Refusal> {
        let (pay, trades) = (settings.pay(), settings.pay().sells || settings.pay().buys);
        let open = match self.opened() {
            Ok(open) => open,
            Err(refusal) if trades => return Err(refusal),
            Err(_) => return Ok(()),
        };
        terms(settings, open.token.decimals)?;
        if pay.sells && settings.speed().up.is_none() {
            let text = "to sell, say how fast the uplink is: `speed.up`, or `piecework sell on --capacity`";
            return Err(Refusal::new(RefusalKind::Conflict, text));
        }
        Ok(())
    }

    /// Trades as the settings say from now on; also to be told when the limits of speed have changed.
    pub(crate) fn follow(&self, settings: &Settings) {
        let Ok(open) = self.opened() else { return };
        let pay = settings.pay();
        let Ok(terms) = terms(settings, open.token.decimals) else { return };
        let handle = open.merchant.pay();
        handle.floor(terms.floor);
        handle.free_permille(terms.free_permille);
        handle.day_max(terms.day_max);
        if pay.buys {
            open.renew();
        }
        handle.buy(pay.buys);
        // Without a limit of what is sent nothing is sold; the change that brings one comes here again.
        let _ = handle.sell(pay.sells);
    }

    /// What a torrent that takes part wants is told to those who buy.
    pub(crate) fn want(&self, shared: &Shared, id: InfoHash) {
        let Ok(open) = self.opened() else { return };
        let Some((_, key)) = shared.loaded(id) else { return };
        let wish = open.wishes().get(&pay_key(id)).copied();
        open.tell(key, wish);
    }

    pub(crate) fn set_lane(
        &self,
        shared: &Shared,
        id: InfoHash,
        wish: Option<LaneWish>,
    ) -> Result<(), Refusal> {
        let open = self.opened()?;
        let kept = wish.map(|wish| wish.0);
        let ledger = open.merchant.ledger();
        let written = ledger.set_wish(pay_key(id), open.merchant.network(), kept.as_ref());
        written.map_err(|error| Refusal::new(RefusalKind::Failed, error.to_string()))?;
        match kept {
            Some(kept) => drop(open.wishes().insert(pay_key(id), kept)),
            None => drop(open.wishes().remove(&pay_key(id))),
        }
        self.want(shared, id);
        Ok(())
    }

    pub(crate) fn look(&self, shared: &Shared) -> Result<Market, Refusal> {
        let open = self.opened()?;
        let wishes = open.wishes().clone();
        Ok(Market {
            spent: open.spent()?,
            token: open.token.clone(),
            network: open.merchant.file().clone(),
            account: open.merchant.account(),
            status: open.merchant.status(),
            trust: *open.trust.lock().unwrap_or_else(PoisonError::into_inner),
            pay: open.merchant.pay().view(),
            ids: shared.ids(),
            wishes,
        })
    }
}

impl Open {
    /// What was spent for each torrent in this network, as the ledger says.
    fn spent(&self) -> Result<BTreeMap<PayKey, u128>, Refusal> {
        let lines = self.merchant.ledger().spent(By::Torrent, &Filter::default());
        let lines = lines.map_err(|error| Refusal::new(RefusalKind::Failed, error.to_string()))?;
        let own = lines.iter().filter(|line| line.network == *self.merchant.network());
        let of_torrents = own.filter_map(|line| match line.group {
            Group::Torrent(torrent) => Some((torrent, line.sums.amount)),
            Group::All | Group::Peer(_) | Group::Day(_) => None,
        });
        Ok(of_torrents.collect())
    }

    fn new(
        shared: &Arc<Shared>,
        engine: &Engine,
        state: &Path,
        settings: &Settings,
    ) -> Result<Self, String> {
        let network = Network::pinned(state).map_err(|fault| fault.to_string())?;
        let network = network.ok_or(
            "there is no network: `piecework chain init` makes one, `piecework chain join` joins one",
        )?;
        let token = token(&network.tokens, settings.pay().token.as_deref())?;
        let terms = terms(settings, token.decimals).map_err(|refusal| refusal.text)?;
        let told = Arc::downgrade(shared);
        let config = MerchantConfig {
            state: state.to_owned(),
            network,
            token: token.address,
            may_sell: true,
            floor: terms.floor,
            free_permille: terms.free_permille,
            day_max: terms.day_max,
            coin_price: terms.coin_price,
            wall: WallClock::default(),
            news: Box::new(move |news| tell(&told, &news)),
        };
        let merchant = Merchant::open(engine, config).map_err(|error| error.to_string())?;
        let wishes = merchant.ledger().wishes(merchant.network());
        let wishes = Mutex::new(wishes.map_err(|error| error.to_string())?);
        Ok(Self { merchant, token, wishes, trust: Mutex::default() })
    }

    /// Pays with the newest session key from now on.
    fn renew(&self) {
        match self.merchant.renew() {
            Ok(trust) => *self.trust.lock().unwrap_or_else(PoisonError::into_inner) = trust,
            Err(fault) => tracing::error!(%fault, "the session keys cannot be read"),
        }
    }

    fn wishes(&self) -> MutexGuard<'_, BTreeMap<PayKey, KeptWish>> {
        self.wishes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, key: TorrentKey, wish: Option<KeptWish>) {
        match wish {
            Some(KeptWish { lane, budget, price_max }) if lane != Lane::Slow => {
                self.merchant.pay().want(key, PayWish { lane, budget, price_max });
            }
            _ => self.merchant.pay().forget(key),
        }
    }
}

/// What settings say about money, in the token's smallest unit.
struct Terms {
    floor: Price,
    free_permille: u16,
    day_max: u128,
    coin_price: Option<u128>,
}

fn terms(settings: &Settings, decimals: u8) -> Result<Terms, Refusal> {
    let pay = settings.pay();
    let wrong = |key: &'static str| {
        move |fault: AmountFault| Refusal::new(RefusalKind::Invalid, format!("{key}: {fault}"))
    };
    let day_max = match &pay.day_max {
        Some(most) => parse_amount(&most.0, decimals).map_err(wrong("pay.day_max"))?,
        None => u128::MAX,
    };
    let coin_price = pay.coin_price.as_ref();
    let coin_price = coin_price.map(|price| parse_amount(&price.0, decimals)).transpose();
    let coin_price = coin_price.map_err(wrong("pay.coin_price"))?;
    Ok(Terms {
        floor: parse_price(&pay.price_floor.0, decimals).map_err(wrong("pay.price_floor"))?,
        free_permille: u16::try_from(pay.free_percent * 10).unwrap_or(1000),
        day_max,
        coin_price,
    })
}

/// The token that is traded in.
fn token(tokens: &[TokenEntry], name: Option<&str>) -> Result<TokenEntry, String> {
    let named = |token: &&TokenEntry| {
        name.is_none_or(|name| {
            token.symbol == name || token.address.to_string().eq_ignore_ascii_case(name)
        })
    };
    let mut found = tokens.iter().filter(named);
    match (found.next(), found.next(), name) {
        (Some(token), None, _) | (Some(token), Some(_), None) => Ok(token.clone()),
        (Some(_), Some(_), Some(_)) => {
            Err("several tokens have the name in pay.token: set its address".into())
        }
        (None, _, Some(name)) => Err(format!("the network file has no token {name} (pay.token)")),
        (None, _, None) => {
            Err("the network file has no token: make one with `piecework token issue`".into())
        }
    }
}

/// What people should hear.
fn tell(shared: &Weak<Shared>, news: &PayNews) {
    let Some(shared) = shared.upgrade() else { return };
    let Some(told) = Told::of(news) else { return };
    let torrent = told.torrent.and_then(|key| shared.ids().remove(&key));
    let (level, code) = match told.is_problem {
        true => (Level::Warning, code::MARKET_PROBLEM),
        false => (Level::Info, code::MARKET_NEWS),
    };
    shared.news.tell(level, torrent, code, told.text);
}
