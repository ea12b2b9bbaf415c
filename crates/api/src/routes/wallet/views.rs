//! The wallet as JSON.

use alloy_primitives::U256;
use piecework_daemon::{
    Holdings, SessionView as Session, VaultView as Vault, WalletView as Wallet,
};
use piecework_pay::Delegate;
use piecework_settle::{COIN_DECIMALS, Network, TokenEntry, format_amount};
use piecework_wallet::{hex_address, tron_address};
use serde::Serialize;
use std::time::{SystemTime, UNIX_EPOCH};
use utoipa::ToSchema;

/// An amount, exactly.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Amount)]
pub(crate) struct AmountView {
    /// Whole coins or tokens, as people write them.
    #[schema(example = "1.5")]
    whole: String,
    /// The integer of smallest units.
    #[schema(example = "1500000")]
    units: String,
}

pub(super) fn amount(units: impl Into<U256>, decimals: u8) -> AmountView {
    let units = units.into();
    AmountView { whole: format_amount(units, decimals), units: units.to_string() }
}

pub(super) fn coin(wei: U256) -> AmountView {
    amount(wei, COIN_DECIMALS)
}

/// The wallet at one moment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Wallet)]
pub(crate) struct WalletView {
    exists: bool,
    /// Its key lies under its password alone: nothing can be signed.
    is_locked: bool,
    /// When it locks itself again.
    unlocked_until: Option<u64>,
    address: Option<String>,
    /// The same as TRON writes it.
    tron_address: Option<String>,
    /// The network it signs for.
    network: Option<WalletNetwork>,
    /// Why something of this is missing, with a remedy.
    problem: Option<String>,
    /// Of the chain's coin, which fees are paid in.
    coin: Option<AmountView>,
    /// Of the tokens of the network file.
    tokens: Vec<HeldToken>,
    /// What the vault has of it, of the token that is paid in.
    vault: Option<VaultView>,
    /// The newest key that the node can buy with while the wallet is locked.
    session_key: Option<SessionKeyView>,
    /// The account that pays the fees of cashing what is sold.
    fee_key: Option<FeeKeyView>,
    /// Orders that are not over.
    orders_under_way: usize,
}

#[derive(Debug, Serialize, ToSchema)]
struct WalletNetwork {
    name: String,
    chain_id: u64,
    /// Amounts are worth nothing outside of it.
    is_test_money: bool,
    /// The short name of its coin.
    coin: String,
    /// It has answered just now.
    is_reachable: bool,
    /// Its newest block.
    block: Option<u64>,
}

#[derive(Debug, Serialize, ToSchema)]
struct HeldToken {
    address: String,
    name: String,
    symbol: String,
    decimals: u8,
    /// `null` where the chain does not tell.
    balance: Option<AmountView>,
    /// Lanes are paid in it.
    is_payment_token: bool,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Vault)]
struct VaultView {
    /// The token's contract.
    token: String,
    symbol: String,
    /// What cheques are paid from.
    free: AmountView,
    /// What written cheques and session keys can take of it.
    promised: AmountView,
    /// What burns if a cheque bounces.
    bond: AmountView,
    /// What was asked back, and when it can be taken.
    exit: Option<ExitView>,
    /// When the bond can be taken, if it was asked back.
    bond_exit_at: Option<u64>,
    /// What accepted cheques still have to get.
    owed: AmountView,
    /// What was earned and cashed, and not taken out.
    credit: AmountView,
    /// Cheques that could not be paid whole: sellers refuse accounts that owe.
    bounces: u16,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VaultExit)]
struct ExitView {
    amount: AmountView,
    at: u64,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SessionKey)]
struct SessionKeyView {
    address: String,
    /// Until when it counts; sellers take its cheques until two days before.
    valid_until: u64,
    max: AmountView,
    /// As far as cheques were cashed.
    spent: AmountView,
    /// When its revocation counts.
    revoked_at: Option<u64>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FeeKey)]
struct FeeKeyView {
    address: String,
    /// `null` where the chain does not tell.
    coin: Option<AmountView>,
}

pub(super) fn wallet(wallet: &Wallet) -> WalletView {
    let holdings = wallet.holdings.as_ref();
    let vault = holdings.and_then(|it| it.vault.as_ref());
    let fee_key = wallet.fee_account.as_ref().map(|account| FeeKeyView {
        address: hex_address(account),
        coin: holdings.and_then(|it| it.fee_coin).map(coin),
    });
    let session = vault.and_then(|(token, vault)| Some((token, vault.session.as_ref()?)));
    WalletView {
        exists: wallet.exists,
        is_locked: wallet.unlocked.is_none(),
        unlocked_until: wallet.unlocked.map(|left| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            now.saturating_add(left).as_secs()
        }),
        address: wallet.address.as_ref().map(hex_address),
        tron_address: wallet.address.as_ref().map(tron_address),
        network: wallet.network.as_ref().map(|network| self::network(network, holdings)),
        problem: wallet.problem.clone(),
        coin: holdings.map(|it| coin(it.coin)),
        tokens: tokens(wallet),
        vault: vault.map(|(token, vault)| self::vault(token, vault)),
        session_key: session.map(|(token, session)| session_key(token, session)),
        fee_key,
        orders_under_way: wallet.orders_under_way,
    }
}

fn network(network: &Network, holdings: Option<&Holdings>) -> WalletNetwork {
    WalletNetwork {
        name: network.name.clone(),
        chain_id: network.chain_id,
        is_test_money: network.is_test_money(),
        coin: network.coin.symbol.clone(),
        is_reachable: holdings.is_some(),
        block: holdings.map(|it| it.height),
    }
}

fn tokens(wallet: &Wallet) -> Vec<HeldToken> {
    let paid_in = wallet.holdings.as_ref().and_then(|it| it.vault.as_ref());
    let held = |token: &TokenEntry, balance: Option<U256>| HeldToken {
        address: hex_address(&token.address),
        name: token.name.clone(),
        symbol: token.symbol.clone(),
        decimals: token.decimals,
        balance: balance.map(|balance| amount(balance, token.decimals)),
        is_payment_token: paid_in.is_some_and(|(paid, _)| paid.address == token.address),
    };
    match (&wallet.holdings, &wallet.network) {
        (Some(holdings), _) => {
            holdings.tokens.iter().map(|(token, balance)| held(token, Some(*balance))).collect()
        }
        (None, Some(network)) => network.tokens.iter().map(|token| held(token, None)).collect(),
        (None, None) => Vec::new(),
    }
}

fn vault(token: &TokenEntry, vault: &Vault) -> VaultView {
    let whole = |units: U256| amount(units, token.decimals);
    VaultView {
        token: hex_address(&token.address),
        symbol: token.symbol.clone(),
        free: whole(U256::from(vault.free)),
        promised: whole(vault.promised),
        bond: whole(U256::from(vault.bond)),
        exit: vault.exit.map(|it| ExitView { amount: whole(U256::from(it.amount)), at: it.at }),
        bond_exit_at: vault.bond_exit_at,
        owed: whole(vault.owed),
        credit: whole(vault.credit),
        bounces: vault.bounces,
    }
}

fn session_key(token: &TokenEntry, session: &Session) -> SessionKeyView {
    SessionKeyView {
        address: hex_address(&session.address),
        valid_until: session.valid_until,
        max: amount(U256::from(session.max), token.decimals),
        spent: amount(U256::from(session.spent), token.decimals),
        revoked_at: session.revoked_at,
    }
}

/// A session key that was drawn.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DrawnKey)]
pub(crate) struct DrawnKeyView {
    address: String,
    /// Until when it counts.
    valid_until: u64,
    max: AmountView,
    bond_at_risk: AmountView,
}

pub(super) fn drawn_key(delegate: &Delegate, decimals: u8) -> DrawnKeyView {
    DrawnKeyView {
        address: hex_address(&delegate.session),
        valid_until: delegate.valid_until,
        max: amount(U256::from(delegate.max_amount), decimals),
        bond_at_risk: amount(U256::from(delegate.bond_at_risk), decimals),
    }
}
