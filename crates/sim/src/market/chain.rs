//! The vault by its rules, as far as a market needs them: accounts, claims and what they are paid.

use super::plan::Fund;
use piecework_pay::{Address, Facts, FactsKey, Sale, Typed};
use std::collections::BTreeMap;

/// What it costs to cash a cheque; it is told, and nobody is charged.
pub(super) const FEE: u128 = 100;

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

/// One vault and one token.
#[derive(Debug, Default)]
pub(super) struct Chain {
    accounts: BTreeMap<Address, Account>,
    /// By payer, payee and channel: claimed and paid.
    channels: BTreeMap<(Address, Address, u64), (u128, u128)>,
    wallets: BTreeMap<Address, u128>,
    pub(super) burned: u128,
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
        (known.bond / 256).min(known.free.saturating_sub(known.exit) * 5 / 100)
    }

    pub(super) fn facts(&self, payer: Address, key: Option<&FactsKey>, wall: u64) -> Facts {
        let Account { free, bond, exit, epoch, bounces, owed, is_final } =
            self.accounts.get(&payer).copied().unwrap_or_default();
        let channel = key.and_then(|key| self.channels.get(&(payer, key.payee, key.channel)));
        let (claimed, paid) = channel.copied().unwrap_or_default();
        let (chain_time, fee) = (wall, FEE);
        let facts = Facts { free, bond, exit, epoch, bounces, owed, is_final, ..Facts::default() };
        Facts { claimed, paid, chain_time, fee, ..facts }
    }

    /// Cashes a channel; answers what it was paid in all. Invalid cheques change nothing.
    pub(super) fn cash(&mut self, sale: &Sale) -> Option<u128> {
        let cheque = &sale.last.signed.cheque;
        let value = cheque.value(sale.last.number, sale.last.link).ok()?;
        let digest = cheque.digest(&sale.network.domain().separator());
        sale.last.signed.signature.check(&digest, cheque.payer).ok()?;
        let account = self.accounts.get_mut(&cheque.payer)?;
        if account.epoch == 0 || cheque.epoch != account.epoch {
            return None;
        }
        let place = (cheque.payer, cheque.payee, cheque.channel);
        let (claimed, paid) = self.channels.entry(place).or_default();
        let is_higher = value > *claimed;
        if is_higher {
            account.owed += value - *claimed;
            *claimed = value;
        }
        let payment = (*claimed - *paid).min(account.free);
        account.free -= payment;
        account.owed -= payment;
        *paid += payment;
        let wallet = self.wallets.entry(cheque.payee).or_default();
        *wallet += if self.pays_twice { 2 * payment } else { payment };
        if is_higher && paid < claimed {
            account.bounces += 1;
            self.burned += std::mem::take(&mut account.bond);
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
        let all = held + self.wallets.values().sum::<u128>() + self.burned;
        if all == self.minted { Ok(()) } else { Err(format!("{all} of {} are there", self.minted)) }
    }
}
