//! The transactions of one account that are under way: numbered, signed, sent, looked after.
//!
//! Each call does one round of questions and returns. A transaction whose answer was lost is kept: whether
//! it arrived is found out by looking, and it is only ever sent again as itself or as its replacement under
//! the same number, so it can never count twice. A receipt counts when its block is still the one at its
//! height, with the network's confirmations on top; one that vanishes puts the transaction back to waiting.

use crate::client::{Client, Delivery};
use crate::error::SettleError;
use crate::fees::Fees;
use crate::plan::Step;
use crate::receipt::Receipt;
use alloy_primitives::{Address, B256};
use piecework_pay::Signer;
use std::collections::BTreeMap;

mod attempt;
mod wait;

use attempt::Attempt;
pub use wait::Waiting;

/// Transactions under way at most.
pub const SENT_MAX: usize = 64;

/// Signed forms of one transaction at most.
const ATTEMPTS_MAX: usize = 8;

/// How often in a row another transaction has to be seen under our number: servers may lag behind.
const DISPLACED_LOOKS: u32 = 3;

/// How far a transaction is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Progress {
    /// In no block.
    Waiting,
    /// In a block, with so many on top and so many wanted.
    Confirming {
        /// Blocks on top.
        have: u64,
        /// Blocks that the network waits for.
        want: u64,
    },
    /// Done; what it did is in the receipt, also if it failed.
    Done(Box<Receipt>),
}

/// A transaction under way.
struct Sent {
    step: Step,
    fees: Fees,
    /// The first to the last form; each may still come into a block.
    attempts: Vec<Attempt>,
    displaced_looks: u32,
}

/// The transactions of one account.
pub struct Outbox {
    from: Address,
    sent: BTreeMap<u64, Sent>,
}

impl Outbox {
    /// No transactions yet.
    #[must_use]
    pub fn new(from: Address) -> Self {
        Self { from, sent: BTreeMap::new() }
    }

    /// Whose.
    #[must_use]
    pub fn account(&self) -> Address {
        self.from
    }

    /// Signs a step and sends it; answers its number in the account.
    ///
    /// When no server could be reached it is kept nevertheless, for it may have arrived: look with
    /// [`Self::poll`], which sends it again.
    ///
    /// # Errors
    /// When too many are under way, the wallet does not sign, or the servers refuse it.
    pub fn submit(
        &mut self,
        client: &Client,
        signer: &dyn Signer,
        (step, fees): (Step, Fees),
    ) -> Result<u64, SettleError> {
        if self.sent.len() >= SENT_MAX {
            return Err(SettleError::TooManySent { most: SENT_MAX });
        }
        let nonce = self.next_nonce(client)?;
        let attempt = Attempt::sign(client, signer, nonce, &step, fees)?;
        let delivery = client.send(&attempt.raw, attempt.hash);
        if let Ok(Delivery::Refused(reason)) = delivery {
            return Err(SettleError::Refused { what: step.call.what, reason });
        }
        let attempts = vec![attempt];
        self.sent.insert(nonce, Sent { step, fees, attempts, displaced_looks: 0 });
        delivery.map(|_| nonce)
    }

    /// Looks after a transaction: how far it is, or sends it again if no server knows it any more. One that
    /// is done is forgotten.
    ///
    /// # Errors
    /// When the servers do not tell, or another transaction has taken its number.
    pub fn poll(&mut self, client: &Client, nonce: u64) -> Result<Progress, SettleError> {
        let sent = self.sent.get_mut(&nonce).ok_or(SettleError::NotSent(nonce))?;
        for attempt in sent.attempts.iter().rev() {
            let Some(receipt) = client.receipt(attempt.hash)? else { continue };
            sent.displaced_looks = 0;
            // A block that was given up keeps its receipts for a while.
            if client.block_hash(receipt.block)? != Some(receipt.block_hash) {
                return Ok(Progress::Waiting);
            }
            let want = client.network().confirmations;
            let have = client.height()?.saturating_sub(receipt.block);
            if have < want {
                return Ok(Progress::Confirming { have, want });
            }
            self.sent.remove(&nonce);
            return Ok(Progress::Done(Box::new(receipt)));
        }
        if client.nonce(self.from, false)? > nonce {
            sent.displaced_looks += 1;
            if sent.displaced_looks < DISPLACED_LOOKS {
                return Ok(Progress::Waiting);
            }
            self.sent.remove(&nonce);
            return Err(SettleError::Displaced { account: self.from, nonce });
        }
        sent.displaced_looks = 0;
        if let Some(newest) = sent.attempts.last()
            && !client.knows(newest.hash)?
        {
            tracing::debug!(hash = %newest.hash, nonce, "no server knows the transaction: sent again");
            // A refusal here is the next look's business: perhaps it has come into a block meanwhile.
            client.send(&newest.raw, newest.hash)?;
        }
        Ok(Progress::Waiting)
    }

    /// Sends a transaction again at a higher price; answers whether the price had room for it.
    ///
    /// # Errors
    /// When the wallet does not sign.
    pub fn replace(
        &mut self,
        client: &Client,
        signer: &dyn Signer,
        nonce: u64,
    ) -> Result<bool, SettleError> {
        let sent = self.sent.get_mut(&nonce).ok_or(SettleError::NotSent(nonce))?;
        let fees = sent.fees.raised();
        let has_room = fees.of(sent.step.gas) <= sent.step.fee_most;
        if !has_room || sent.attempts.len() >= ATTEMPTS_MAX {
            return Ok(false);
        }
        let attempt = Attempt::sign(client, signer, nonce, &sent.step, fees)?;
        // Refused, it came into a block meanwhile, or the pool wants still more: the next look tells.
        if let Delivery::Refused(_) = client.send(&attempt.raw, attempt.hash)? {
            return Ok(false);
        }
        sent.fees = fees;
        sent.attempts.push(attempt);
        Ok(true)
    }

    /// The newest form of a transaction under way, by its hash.
    #[must_use]
    pub fn hash(&self, nonce: u64) -> Option<B256> {
        self.sent.get(&nonce).and_then(|sent| sent.attempts.last()).map(|attempt| attempt.hash)
    }

    /// Why a transaction that failed did.
    pub(crate) fn failed(&self, client: &Client, step: &Step, receipt: &Receipt) -> SettleError {
        let before = receipt.block.saturating_sub(1);
        let why = client.why(self.from, &step.call, before);
        let spent = receipt.gas >= step.gas;
        let unknown = if spent { "it ran out of gas" } else { "the contract does not say why" };
        SettleError::Failed {
            what: step.call.what.clone(),
            block: receipt.block,
            reason: why.unwrap_or_else(|| unknown.into()),
            hash: receipt.hash,
        }
    }

    /// The servers' next number, or ours if they have forgotten some that are under way.
    fn next_nonce(&self, client: &Client) -> Result<u64, SettleError> {
        let theirs = client.nonce(self.from, true)?;
        let ours = self.sent.last_key_value().map_or(0, |(last, _)| last.saturating_add(1));
        Ok(theirs.max(ours))
    }
}
