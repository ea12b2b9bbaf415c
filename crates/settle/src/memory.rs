//! Money that exists in memory alone, by the Vault's rules: for tests of those who are paid.
//!
//! Everybody's books are one [`Books`], shared by the handles of all accounts; what is done counts at once.
//! Time stands still until it is moved. That the rules are the contract's is tested: the same random
//! operations are done to both.

use crate::error::SettleError;
use crate::settlement::{Cost, Funds, Info, Means, Settlement, Ticket};
use crate::vault::{
    Answer, Cashed, ChannelState, Claim, DelegationState, Happened, Question, Statement,
};
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

    /// Nobody's: there are no fees.
    fn account(&self) -> Address {
        Address::ZERO
    }

    fn now(&self) -> Result<u64, SettleError> {
        Ok(self.books().now)
    }

    fn statements(&self, questions: &[Question]) -> Result<Vec<Answer>, SettleError> {
        let books = self.books();
        let answer = |question: &Question| {
            let Question { payer, payee, token, channel, delegation } = *question;
            let account = books.account(payer, token);
            let statement = Statement {
                account,
                lock: books.lock_of(payer, payee, token),
                channel: books.channel_of((payer, payee, token, account.epoch, channel)),
                delegation: delegation
                    .map_or_else(Default::default, |it| books.delegation(payer, it)),
            };
            Answer { settled: statement, newest: statement }
        };
        Ok(questions.iter().map(answer).collect())
    }

    fn means(&self) -> Result<Means, SettleError> {
        Ok(Means { coin: U256::ZERO, cheque_fee: U256::ZERO })
    }

    fn cost(&self, _: &Happened) -> Result<Cost, SettleError> {
        Ok(Cost { fee: U256::ZERO, at: self.books().now })
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

    fn hurry(&mut self, Ticket(ticket): Ticket) -> Result<bool, SettleError> {
        Err(SettleError::NotSent(ticket))
    }

    fn is_busy(&self) -> Result<bool, SettleError> {
        Ok(false)
    }

    fn watch(&mut self) -> Result<Vec<Happened>, SettleError> {
        let heard = self.heard;
        let events = self.books().events().get(heard..).unwrap_or_default().to_vec();
        self.heard += events.len();
        let happened = (heard as u64..).zip(events).map(|(block, event)| Happened {
            event,
            block,
            transaction: B256::from(U256::from(block + 1)),
        });
        Ok(happened.collect())
    }

    fn watched(&self) -> u64 {
        self.heard as u64
    }

    fn watch_from(&mut self, place: u64) {
        self.heard = usize::try_from(place).unwrap_or(usize::MAX);
    }
}

#[cfg(test)]
mod tests;
