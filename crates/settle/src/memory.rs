//! Money that exists in memory alone, by the Vault's rules: for tests of those who are paid.
//!
//! Everybody's books are one [`Books`], shared by the handles of all accounts; what is done counts at once.
//! Time stands still until it is moved. That the rules are the contract's is tested: the same random
//! operations are done to both.

use crate::error::SettleError;
use crate::settlement::{Funds, Info, Settlement, Ticket};
use crate::vault::{Cashed, ChannelState, Claim, DelegationState, VaultEvent};
use alloy_primitives::{Address, B256, U256};
use piecework_pay::Cheque;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

mod books;
mod cashing;

pub use books::Books;

/// Outcomes that nobody has asked for are kept up to here; older ones go.
const OUTCOMES_MAX: usize = 1024;

/// One account's view of shared books.
pub struct Memory {
    books: Arc<Mutex<Books>>,
    heard: usize,
    next: u64,
    outcomes: BTreeMap<u64, Cashed>,
}

impl Memory {
    /// A view of books, told of what happens from now on.
    #[must_use]
    pub fn new(books: Arc<Mutex<Books>>) -> Self {
        let heard = lock(&books).events().len();
        Self { books, heard, next: 0, outcomes: BTreeMap::new() }
    }

    /// The books, to do what owners do.
    pub fn books(&self) -> MutexGuard<'_, Books> {
        lock(&self.books)
    }

    fn keep(&mut self, cashed: Cashed) -> Ticket {
        let ticket = self.next;
        self.next += 1;
        self.outcomes.insert(ticket, cashed);
        if self.outcomes.len() > OUTCOMES_MAX {
            self.outcomes.pop_first();
        }
        Ticket(ticket)
    }
}

fn lock(books: &Mutex<Books>) -> MutexGuard<'_, Books> {
    books.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Settlement for Memory {
    fn info(&self) -> Info {
        Info { domain: self.books().domain(), genesis: B256::ZERO, confirmations: 0 }
    }

    fn now(&self) -> Result<u64, SettleError> {
        Ok(self.books().now)
    }

    fn verify_funds(
        &self,
        payer: Address,
        payee: Address,
        token: Address,
    ) -> Result<Funds, SettleError> {
        let books = self.books();
        let account = books.account(payer, token);
        Ok(Funds { account, lock: books.lock_of(payer, payee, token) })
    }

    fn channel(&self, cheque: &Cheque) -> Result<ChannelState, SettleError> {
        Ok(self.books().channel(cheque))
    }

    fn delegation(&self, owner: Address, digest: B256) -> Result<DelegationState, SettleError> {
        Ok(self.books().delegation(owner, digest))
    }

    fn credit(&self, payee: Address, token: Address) -> Result<U256, SettleError> {
        Ok(self.books().credit(payee, token))
    }

    fn cash(&mut self, claim: &Claim) -> Result<Ticket, SettleError> {
        let cashed = self.books().cash(claim)?;
        Ok(self.keep(cashed))
    }

    fn cash_many(&mut self, claims: &[Claim]) -> Result<Vec<Ticket>, SettleError> {
        let cashed = self.books().cash_many(claims)?;
        Ok(vec![self.keep(cashed)])
    }

    fn outcome(&mut self, Ticket(ticket): Ticket) -> Result<Option<Cashed>, SettleError> {
        self.outcomes.remove(&ticket).map(Some).ok_or(SettleError::NotSent(ticket))
    }

    fn watch(&mut self) -> Result<Vec<VaultEvent>, SettleError> {
        let events = self.books().events()[self.heard..].to_vec();
        self.heard += events.len();
        Ok(events)
    }
}

#[cfg(test)]
mod tests;
