//! What the Vault tells: for those who watch their payers, and for who wants to know what a call did.

use crate::abi::Vault;
use crate::client::Client;
use crate::error::SettleError;
use crate::reason::cheque_fault;
use crate::receipt::{Log, Receipt};
use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::SolEventInterface;

/// What happened to an account. Amounts are smallest units, times seconds since 1970.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum VaultEvent {
    /// An account got funds, by deposit, bond or credit.
    Funded {
        /// Whose.
        payer: Address,
        /// In which token.
        token: Address,
    },
    /// A cheque was paid, or a debt.
    Paid {
        /// Who paid.
        payer: Address,
        /// Who got it.
        payee: Address,
        /// In which token.
        token: Address,
        /// On which channel.
        channel: u64,
        /// What.
        amount: u128,
        /// The delegation that allowed it, if one did.
        delegation: Option<B256>,
    },
    /// A cheque could not be paid whole.
    Bounced {
        /// Who owes.
        payer: Address,
        /// Whom.
        payee: Address,
        /// In which token.
        token: Address,
        /// What is missing.
        missing: u128,
        /// What burnt of the bond.
        burnt: u128,
        /// The delegation that it came from, if one.
        delegation: Option<B256>,
    },
    /// Something was credited.
    Credited {
        /// To whom.
        payee: Address,
        /// In which token.
        token: Address,
        /// What.
        amount: U256,
    },
    /// A cheque of many was invalid.
    Skipped {
        /// Its place in the call.
        index: U256,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Free money was asked back: cash before `time`.
    ExitRequested {
        /// By whom.
        payer: Address,
        /// In which token.
        token: Address,
        /// How much; 0 cancels.
        amount: u128,
        /// When it can be taken.
        time: u64,
    },
    /// A bond was asked back: it counts as 0 from now on.
    BondExitRequested {
        /// By whom.
        payer: Address,
        /// In which token.
        token: Address,
        /// When it can be taken; 0 cancels.
        time: u64,
    },
    /// Money was reserved for a payee.
    Locked {
        /// By whom.
        payer: Address,
        /// For whom.
        payee: Address,
        /// In which token.
        token: Address,
        /// All that is locked now.
        amount: u128,
        /// Until when.
        until: u64,
    },
    /// A lock was given back.
    LockClosed {
        /// Whose.
        payer: Address,
        /// It was for whom.
        payee: Address,
        /// In which token.
        token: Address,
    },
    /// A delegation ends: cash before `time`.
    Revoked {
        /// Whose.
        owner: Address,
        /// Its digest.
        delegation: B256,
        /// When.
        time: u64,
    },
    /// All delegations of an owner end: cash before `time`.
    RevokedAll {
        /// Whose.
        owner: Address,
        /// In which token.
        token: Address,
        /// When.
        time: u64,
    },
    /// Money left the vault.
    Left {
        /// Whose.
        owner: Address,
        /// In which token.
        token: Address,
    },
}

/// An event with its place on the chain.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Happened {
    /// What.
    pub event: VaultEvent,
    /// The block's height.
    pub block: u64,
    /// The transaction.
    pub transaction: B256,
}

/// What a call that cashes did.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Cashed {
    /// Paid, smallest units, over all its cheques.
    pub paid: u128,
    /// What could not be paid, over all.
    pub missing: u128,
    /// What burnt of bonds, over all.
    pub burnt: u128,
    /// Cheques that were invalid: their place in the call, and why.
    pub skipped: Vec<(u64, &'static str)>,
}

impl VaultEvent {
    /// Reads a log of the Vault; none for what is not one.
    pub(super) fn read(log: &Log) -> Option<Self> {
        use Vault::VaultEvents as Told;
        let delegation = |digest: B256| (!digest.is_zero()).then_some(digest);
        Some(match Vault::VaultEvents::decode_raw_log(&log.topics, &log.data).ok()? {
            Told::Deposited(it) => Self::Funded { payer: it.payer, token: it.token },
            Told::Bonded(it) => Self::Funded { payer: it.payer, token: it.token },
            Told::CreditMoved(it) => Self::Funded { payer: it.payee, token: it.token },
            Told::Paid(it) => {
                let Vault::Paid { payer, payee, token, channel, amount, .. } = it;
                let delegation = delegation(it.delegation);
                Self::Paid { payer, payee, token, channel, amount, delegation }
            }
            Told::Bounced(it) => {
                let Vault::Bounced { payer, payee, token, missing, burnt, .. } = it;
                let delegation = delegation(it.delegation);
                Self::Bounced { payer, payee, token, missing, burnt, delegation }
            }
            Told::Credited(it) => {
                Self::Credited { payee: it.payee, token: it.token, amount: it.amount }
            }
            Told::Skipped(it) => Self::Skipped { index: it.index, reason: cheque_fault(it.fault) },
            Told::ExitRequested(it) => {
                let Vault::ExitRequested { payer, token, amount, time } = it;
                Self::ExitRequested { payer, token, amount, time: time.to() }
            }
            Told::BondExitRequested(it) => {
                let time = it.time.to();
                Self::BondExitRequested { payer: it.payer, token: it.token, time }
            }
            Told::Locked(it) => {
                let Vault::Locked { payer, payee, token, amount, until } = it;
                Self::Locked { payer, payee, token, amount, until }
            }
            Told::LockClosed(it) => {
                Self::LockClosed { payer: it.payer, payee: it.payee, token: it.token }
            }
            Told::Revoked(it) => {
                Self::Revoked { owner: it.owner, delegation: it.delegation, time: it.time.to() }
            }
            Told::RevokedAll(it) => {
                Self::RevokedAll { owner: it.owner, token: it.token, time: it.time.to() }
            }
            Told::Withdrawn(it) => Self::Left { owner: it.payee, token: it.token },
            Told::Exited(it) => Self::Left { owner: it.payer, token: it.token },
            Told::BondExited(it) => Self::Left { owner: it.payer, token: it.token },
        })
    }
}

impl Client {
    /// What the Vault told between two blocks, both included, in the chain's order: of all accounts, or of
    /// one, which is the payer, or the payee of credit.
    ///
    /// # Errors
    /// When the servers do not tell, or not the same, or there is too much of it.
    pub fn vault_events(
        &self,
        account: Option<Address>,
        blocks: (u64, u64),
    ) -> Result<Vec<VaultEvent>, SettleError> {
        Ok(self.vault_history(account, blocks)?.into_iter().map(|it| it.event).collect())
    }

    /// The same, each with its block and its transaction.
    ///
    /// # Errors
    /// As for [`Self::vault_events`].
    pub fn vault_history(
        &self,
        account: Option<Address>,
        blocks: (u64, u64),
    ) -> Result<Vec<Happened>, SettleError> {
        let events: Vec<_> = Vault::VaultEvents::SELECTORS.iter().map(B256::from).collect();
        // A skipped cheque names no account, so it is not found by one.
        let indexed = account.map(|account| Some(account.into_word()));
        let indexed: Vec<_> = indexed.into_iter().collect();
        let logs = self.logs(self.network().vault.address, &events, &indexed, blocks)?;
        let happened = |log: &Log| {
            let event = VaultEvent::read(log)?;
            Some(Happened { event, block: log.block, transaction: log.transaction })
        };
        Ok(logs.iter().filter_map(happened).collect())
    }

    /// What the Vault told in a transaction.
    #[must_use]
    pub fn told(&self, receipt: &Receipt) -> Vec<VaultEvent> {
        let vault = self.network().vault.address;
        let logs = receipt.logs.iter().filter(|log| log.address == vault);
        logs.filter_map(VaultEvent::read).collect()
    }

    /// What a transaction that cashes did.
    #[must_use]
    pub fn cashed(&self, receipt: &Receipt) -> Cashed {
        let mut cashed = Cashed::default();
        for event in self.told(receipt) {
            match event {
                VaultEvent::Paid { amount, .. } => cashed.paid = cashed.paid.saturating_add(amount),
                VaultEvent::Bounced { missing, burnt, .. } => {
                    cashed.missing = cashed.missing.saturating_add(missing);
                    cashed.burnt = cashed.burnt.saturating_add(burnt);
                }
                VaultEvent::Skipped { index, reason } => {
                    cashed.skipped.push((index.saturating_to(), reason));
                }
                _ => {}
            }
        }
        cashed
    }
}
