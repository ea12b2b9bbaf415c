//! What is asked of the wallet's key, and what became of it.

use super::fault::WalletFault;
use alloy_primitives::{Address, B256, U256};
use piecework_cashier::{Taking, Treasury};
use piecework_settle::{COIN_DECIMALS, Plan, TokenEntry, parse_amount};
use serde::{Deserialize, Serialize};

/// Something that takes transactions. Amounts are whole tokens, as people write them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Errand {
    /// Send of the coin, or of a token.
    Transfer {
        /// To whom.
        to: Address,
        /// How much.
        amount: String,
        /// The token; none is the chain's coin.
        token: Option<Address>,
    },
    /// Add to what cheques are paid from.
    Deposit {
        /// How much.
        amount: String,
        /// Of what was earned, not of the wallet's balance.
        from_credit: bool,
    },
    /// Add to what burns if a cheque bounces.
    Bond {
        /// How much.
        amount: String,
        /// Of what was earned, not of the wallet's balance.
        from_credit: bool,
    },
    /// Ask free money back; 0 takes that back.
    AskExit {
        /// How much.
        amount: String,
    },
    /// Take what was asked for.
    TakeExit,
    /// Ask the bond back.
    AskBondExit,
    /// Take the bond.
    TakeBondExit,
    /// Take out what was earned and cashed.
    Withdraw,
    /// End all session keys.
    Revoke,
}

/// The kinds of errands.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrandKind {
    /// Coin or tokens are sent.
    Transfer,
    /// More is free in the vault.
    Deposit,
    /// More is bonded in the vault.
    Bond,
    /// Free money leaves the vault.
    Exit,
    /// The bond leaves the vault.
    BondExit,
    /// Credit leaves the vault.
    Withdrawal,
    /// Session keys end.
    Revocation,
}

impl Errand {
    /// Its kind.
    pub const fn kind(&self) -> ErrandKind {
        match self {
            Self::Transfer { .. } => ErrandKind::Transfer,
            Self::Deposit { .. } => ErrandKind::Deposit,
            Self::Bond { .. } => ErrandKind::Bond,
            Self::AskExit { .. } | Self::TakeExit => ErrandKind::Exit,
            Self::AskBondExit | Self::TakeBondExit => ErrandKind::BondExit,
            Self::Withdraw => ErrandKind::Withdrawal,
            Self::Revoke => ErrandKind::Revocation,
        }
    }

    /// What it takes. Of the vault it is `token` that is meant.
    pub(super) fn plan(
        &self,
        treasury: &Treasury,
        token: &TokenEntry,
    ) -> Result<Plan, WalletFault> {
        let (owner, client) = (treasury.owner()?, &treasury.client);
        let amount = |text: &str| parse_amount(text, token.decimals);
        let plan = match self {
            Self::Transfer { to, amount, token: None } => {
                client.send_coin(owner, *to, parse_amount(amount, COIN_DECIMALS)?)
            }
            Self::Transfer { to, amount, token: Some(sent) } => {
                let sent = client.token(*sent)?;
                client.send_token(owner, &sent, (*to, parse_amount(amount, sent.decimals)?))
            }
            Self::Deposit { amount: text, from_credit: false } => {
                client.deposit(owner, token, amount(text)?)
            }
            Self::Bond { amount: text, from_credit: false } => {
                client.bond(owner, token, amount(text)?)
            }
            Self::Deposit { amount: text, from_credit: true } => {
                client.credit_to_vault(owner, token, (amount(text)?, 0))
            }
            Self::Bond { amount: text, from_credit: true } => {
                client.credit_to_vault(owner, token, (0, amount(text)?))
            }
            Self::AskExit { amount: text } => {
                let asked = amount(text)?;
                treasury.demand_room(token, Taking::Exit(asked))?;
                client.request_exit(owner, token, asked)
            }
            Self::TakeExit => client.exit(owner, token),
            Self::AskBondExit => client.request_bond_exit(owner, token),
            Self::TakeBondExit => client.bond_exit(owner, token),
            Self::Withdraw => client.withdraw(owner, token),
            Self::Revoke => client.revoke_all(owner, token),
        };
        Ok(plan?)
    }
}

/// How far an order is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// Others are before it.
    Waiting,
    /// Its transactions are sent and looked after.
    UnderWay,
    /// All of them count.
    Done,
    /// It was not done, or not wholly; see its steps.
    Failed,
    /// It may have been done: nobody looked after it to the end.
    Unsure,
}

impl OrderState {
    /// Nothing more comes of it.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Unsure)
    }
}

/// How far one transaction is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Not sent.
    Waiting,
    /// Sent, and in no block.
    Sent,
    /// In a block, with too few on top.
    Confirming,
    /// It counts.
    Done,
}

/// One transaction of an order.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct OrderStep {
    /// What it does, for people.
    pub what: String,
    /// The fee at most, wei.
    pub fee_most: U256,
    /// How far it is.
    pub state: StepState,
    /// Blocks on top of its own, and how many are waited for.
    pub confirmations: Option<(u64, u64)>,
    /// Its hash, once it counts.
    pub transaction: Option<B256>,
    /// Its block.
    pub block: Option<u64>,
    /// What was paid for it, wei.
    pub fee: Option<U256>,
}

/// Something that was agreed to, written down before anything was signed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Order {
    /// Its number.
    pub id: u64,
    /// By which it is told from another; whoever asked chose it.
    pub key: String,
    /// A digest of what was asked.
    pub request: String,
    /// What it does.
    pub kind: ErrandKind,
    /// How far it is.
    pub state: OrderState,
    /// When it was agreed to, seconds since 1970.
    pub created_at: u64,
    /// When it ended.
    pub ended_at: Option<u64>,
    /// Its transactions.
    pub steps: Vec<OrderStep>,
    /// Why it failed, or is unsure, and what to do.
    pub problem: Option<String>,
}
