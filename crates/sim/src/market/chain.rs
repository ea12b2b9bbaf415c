//! The vault by its rules, as far as a market needs them: accounts, claims and what they are paid.

use super::plan::Fund;
use piecework_pay::{Address, B256, Delegate, Facts, FactsKey, Sale, Typed};
use std::collections::{BTreeMap, BTreeSet};

/// What it costs to cash a cheque at first; it is told, and nobody is charged.
const FEE: u128 = 100;

/// In seconds.
const MONTH: u64 = 30 * 24 * 3600;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Account {
    pub(super) free: u128,
    pub(super) bond: u128,
    exit: u128,
    epoch: u64,
    bounces: u64,
    owed: u128,
    is_final: bool,
}

/// What cheques under one delegation have claimed, and what burned for them.
#[derive(Clone, Copy, Debug, Default)]
struct Delegated {
    spent: u128,
    burnt: u128,
}

/// One vault and one token.
#[derive(Debug, Default)]
pub(super) struct Chain {
    accounts: BTreeMap<Address, Account>,
    /// By payer, payee and channel: claimed and paid.
    channels: BTreeMap<(Address, Address, u64), (u128, u128)>,
    /// By payer and payee: what is reserved.
    locks: BTreeMap<(Address, Address), u128>,
    delegations: BTreeMap<B256, Delegated>,
    revoked: BTreeSet<Address>,
    wallets: BTreeMap<Address, u128>,
    pub(super) burned: u128,
    /// Transactions that cashed something.
    pub(super) cashes: u32,
    /// What a transaction costs beyond what it did at first.
    pub(super) fee_more: u128,
    /// It answers no question.
    pub(super) is_silent: bool,
    minted: u128,
    /// Pays every claim twice: a bug on purpose.
    pub(super) pays_twice: bool,
}

impl Chain {
    pub(super) fn fund(&mut self, account: Address, fund: Fund, wall: u64) {
        let Fund { free, bond, is_final } = fund;
        let epoch = if free > 0 || bond > 0 { wall } else { 0 };
        self.minted += free + bond;
        let account = self.accounts.entry(account).or_default();
        *account = Account { free, bond, epoch, is_final, ..Account::default() };
    }

    /// What a seller may trust an account with, by the rule of the design and not by the code under test.
    pub(super) fn exposure(&self, account: &Address) -> u128 {
        let known = self.accounts.get(account).copied().unwrap_or_default();
        let locks = self.locks.iter().filter(|((payer, _), _)| payer == account);
        let lock = locks.map(|(_, amount)| *amount).max().unwrap_or(0);
        lock + (known.bond / 256).min(known.free.saturating_sub(known.exit) * 5 / 100)
    }

    /// Reserves what an account has besides for one payee.
    pub(super) fn lock(&mut self, payer: Address, payee: Address, amount: u128) {
        self.minted += amount;
        *self.locks.entry((payer, payee)).or_default() += amount;
    }

    /// Delegations of an account end after a day; until then they are paid.
    pub(super) fn revoke(&mut self, account: Address) {
        self.revoked.insert(account);
    }

    pub(super) fn facts(&self, payer: Address, key: Option<&FactsKey>, wall: u64) -> Facts {
        let Account { free, bond, exit, epoch, bounces, owed, is_final } =
            self.accounts.get(&payer).copied().unwrap_or_default();
        let channel = key.and_then(|key| self.channels.get(&(payer, key.payee, key.channel)));
        let (claimed, paid) = channel.copied().unwrap_or_default();
        let (chain_time, fee) = (wall, FEE + self.fee_more);
        let facts = Facts { free, bond, exit, epoch, bounces, owed, is_final, ..Facts::default() };
        let facts = Facts { claimed, paid, chain_time, fee, ..facts };
        let Some(key) = key else { return facts };
        let lock = self.locks.get(&(payer, key.payee)).copied().unwrap_or(0);
        let delegated = key.delegation.and_then(|digest| self.delegations.get(&digest));
        let spent = delegated.map_or(0, |delegated| delegated.spent);
        let revoked = key.delegation.is_some() && self.revoked.contains(&payer);
        Facts { lock, lock_until: wall + MONTH, spent, revoked, ..facts }
    }

    /// Cashes a channel; answers what it was paid in all. Invalid cheques change nothing.
    pub(super) fn cash(&mut self, sale: &Sale) -> Option<u128> {
        let cheque = &sale.last.signed.cheque;
        let value = cheque.value(sale.last.number, sale.last.link).ok()?;
        let separator = sale.network.domain().separator();
        let delegate = delegate(sale);
        let signer = match (&delegate, &sale.delegation) {
            (Some(delegate), Some(word)) => {
                word.signature.check(&delegate.digest(&separator), cheque.payer).ok()?;
                delegate.session
            }
            _ => cheque.payer,
        };
        sale.last.signed.signature.check(&cheque.digest(&separator), signer).ok()?;
        let account = self.accounts.get_mut(&cheque.payer)?;
        if account.epoch == 0 || cheque.epoch != account.epoch {
            return None;
        }
        let place = (cheque.payer, cheque.payee, cheque.channel);
        let (claimed, paid) = self.channels.entry(place).or_default();
        let mut raise = value.saturating_sub(*claimed);
        let mut at_risk = account.bond;
        if let Some(delegate) = &delegate {
            let delegated = self.delegations.entry(delegate.digest(&separator)).or_default();
            raise = raise.min(delegate.max_amount - delegated.spent);
            delegated.spent += raise;
            at_risk = at_risk.min(delegate.bond_at_risk - delegated.burnt);
        }
        account.owed += raise;
        *claimed += raise;
        self.cashes += u32::from(*claimed > *paid);
        let lock = self.locks.entry((cheque.payer, cheque.payee)).or_default();
        let locked = (*claimed - *paid).min(*lock);
        *lock -= locked;
        let payment = locked + (*claimed - *paid - locked).min(account.free);
        account.free -= payment - locked;
        account.owed -= payment;
        *paid += payment;
        let wallet = self.wallets.entry(cheque.payee).or_default();
        *wallet += if self.pays_twice { 2 * payment } else { payment };
        if raise > 0 && paid < claimed {
            account.bounces += 1;
            account.bond -= at_risk;
            self.burned += at_risk;
            if let Some(delegate) = &delegate {
                let delegated = self.delegations.entry(delegate.digest(&separator)).or_default();
                delegated.burnt += at_risk;
            }
        }
        Some(*paid)
    }

    /// All of an account goes to its owner by a cheque to itself.
    pub(super) fn drain(&mut self, account: &Address) {
        let Some(known) = self.accounts.get_mut(account) else { return };
        let all = std::mem::take(&mut known.free);
        known.exit = 0;
        *self.wallets.entry(*account).or_default() += all;
    }

    pub(super) fn request_exit(&mut self, account: &Address) {
        if let Some(known) = self.accounts.get_mut(account) {
            known.exit = known.free;
        }
    }

    /// What was deposited and is still there never was.
    pub(super) fn reorg(&mut self, account: &Address) {
        let Some(known) = self.accounts.get_mut(account) else { return };
        self.minted -= known.free + known.bond;
        *known = Account::default();
    }

    pub(super) fn paid(&self, payer: Address, payee: Address, channel: u64) -> u128 {
        self.channels.get(&(payer, payee, channel)).map_or(0, |(_, paid)| *paid)
    }

    /// That nothing came or went but by deposits.
    pub(super) fn check(&self) -> Result<(), String> {
        let held: u128 = self.accounts.values().map(|it| it.free + it.bond).sum();
        let held = held + self.locks.values().sum::<u128>();
        let all = held + self.wallets.values().sum::<u128>() + self.burned;
        if all == self.minted { Ok(()) } else { Err(format!("{all} of {} are there", self.minted)) }
    }
}

/// Under which delegation a sale is cashed, if it is one of a session key.
fn delegate(sale: &Sale) -> Option<Delegate> {
    let (word, cheque) = (sale.delegation?, &sale.last.signed.cheque);
    Some(Delegate {
        owner: cheque.payer,
        session: word.session,
        token: cheque.token,
        max_amount: word.max_amount,
        bond_at_risk: word.bond_at_risk,
        valid_until: word.valid_until,
    })
}
