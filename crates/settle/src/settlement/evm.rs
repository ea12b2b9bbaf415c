//! Money on a chain, through its servers.

use super::{Cost, Funds, Info, Means, Settlement, Ticket};
use crate::client::Client;
use crate::error::SettleError;
use crate::outbox::{Outbox, Progress};
use crate::plan::{Plan, Step};
use crate::seen::SeenFile;
use crate::vault::{Answer, Cashed, ChannelState, Claim, DelegationState, Happened, Question};
use alloy_primitives::{Address, B256, U256};
use piecework_pay::{Cheque, Signer};
use std::collections::BTreeMap;

/// Blocks that one call of [`Settlement::watch`] looks at.
const WATCHED_MAX: u64 = 50_000;

/// Gas of a session key's first cheque on a channel, and of the links of half a cheque of usual length: what
/// was measured of the contract, rounded up.
const CHEQUE_GAS: u64 = 140_000 + 512 * 100;

/// One account on a chain. Nothing is believed of the chain or sent to it unless it still has the block that
/// was seen last.
pub struct Evm {
    client: Client,
    seen: SeenFile,
    signer: Box<dyn Signer + Send>,
    outbox: Outbox,
    /// What is under way; as many as the outbox holds.
    steps: BTreeMap<u64, Step>,
    /// The next block to look at.
    next_block: u64,
    fee_most: U256,
}

impl Evm {
    /// The account of `signer` on a chain, watched from its present on. No transaction is sent whose fee
    /// could be over `fee_most`, wei.
    ///
    /// # Errors
    /// When the chain is not the one that was seen before, or the servers do not tell.
    pub fn new(
        client: Client,
        seen: SeenFile,
        signer: Box<dyn Signer + Send>,
        fee_most: U256,
    ) -> Result<Self, SettleError> {
        seen.look(&client)?;
        let next_block = counted(&client)?.saturating_add(1);
        let outbox = Outbox::new(signer.address());
        Ok(Self { client, seen, signer, outbox, steps: BTreeMap::new(), next_block, fee_most })
    }

    /// The chain.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The chain, if it is still the one that was seen.
    fn chain(&self) -> Result<&Client, SettleError> {
        self.seen.look(&self.client)?;
        Ok(&self.client)
    }

    fn submit(&mut self, plan: Plan) -> Result<Vec<Ticket>, SettleError> {
        if let Some(step) = plan.steps.iter().find(|step| step.fee_most > self.fee_most) {
            let whole = |wei| crate::format_amount(wei, crate::COIN_DECIMALS);
            let (fee, most) = (whole(step.fee_most), whole(self.fee_most));
            let reason = format!("its fee may be {fee}, over the {most} that are set as the most");
            return Err(SettleError::Refused { what: step.call.what.clone(), reason });
        }
        let mut tickets = Vec::with_capacity(plan.steps.len());
        for step in plan.steps {
            let sent = (step.clone(), plan.fees);
            let nonce = self.outbox.submit(&self.client, self.signer.as_ref(), sent)?;
            self.steps.insert(nonce, step);
            tickets.push(Ticket(nonce));
        }
        Ok(tickets)
    }
}

/// The newest block that counts.
fn counted(client: &Client) -> Result<u64, SettleError> {
    Ok(client.height()?.saturating_sub(client.network().confirmations))
}

impl Settlement for Evm {
    fn info(&self) -> Info {
        let network = self.client.network();
        let (genesis, confirmations) = (network.genesis, network.confirmations);
        Info { domain: self.client.domain(), genesis, confirmations }
    }

    fn account(&self) -> Address {
        self.signer.address()
    }

    fn now(&self) -> Result<u64, SettleError> {
        self.client.now()
    }

    fn statements(&self, questions: &[Question]) -> Result<Vec<Answer>, SettleError> {
        self.chain()?.statements(questions)
    }

    fn means(&self) -> Result<Means, SettleError> {
        let chain = self.chain()?;
        let coin = chain.coin(self.signer.address())?;
        let cheque_fee = U256::from(chain.fees()?.likely()) * U256::from(CHEQUE_GAS);
        Ok(Means { coin, cheque_fee })
    }

    fn cost(&self, happened: &Happened) -> Result<Cost, SettleError> {
        let chain = self.chain()?;
        let is_ours = chain.sender(happened.transaction)? == Some(self.signer.address());
        let receipt = if is_ours { chain.receipt(happened.transaction)? } else { None };
        let fee = receipt.map_or(U256::ZERO, |receipt| receipt.fee);
        Ok(Cost { fee, at: chain.block_time(happened.block)? })
    }

    fn verify_funds(
        &self,
        payer: Address,
        payee: Address,
        token: Address,
    ) -> Result<Funds, SettleError> {
        let chain = self.chain()?;
        let account = chain.account(payer, token)?;
        Ok(Funds { account, lock: chain.lock_of(payer, payee, token)? })
    }

    fn channel(&self, cheque: &Cheque) -> Result<ChannelState, SettleError> {
        self.chain()?.channel(cheque)
    }

    fn delegation(&self, owner: Address, digest: B256) -> Result<DelegationState, SettleError> {
        self.chain()?.delegation(owner, digest)
    }

    fn credit(&self, payee: Address, token: Address) -> Result<U256, SettleError> {
        self.chain()?.credit(payee, token)
    }

    fn cash(&mut self, claim: &Claim) -> Result<Ticket, SettleError> {
        let plan = self.chain()?.cash(self.signer.address(), claim)?;
        let tickets = self.submit(plan)?;
        tickets.first().copied().ok_or(SettleError::NotSent(0))
    }

    fn cash_many(&mut self, claims: &[Claim]) -> Result<Vec<Ticket>, SettleError> {
        let plan = self.chain()?.cash_many(self.signer.address(), claims)?;
        self.submit(plan)
    }

    fn outcome(&mut self, ticket: Ticket) -> Result<Option<Cashed>, SettleError> {
        let Ticket(nonce) = ticket;
        // Looking after a transaction may send it again.
        self.chain()?;
        let receipt = match self.outbox.poll(&self.client, nonce) {
            Ok(Progress::Done(receipt)) => receipt,
            Ok(Progress::Waiting | Progress::Confirming { .. }) => return Ok(None),
            Err(error) => {
                if self.outbox.hash(nonce).is_none() {
                    self.steps.remove(&nonce);
                }
                return Err(error);
            }
        };
        let step = self.steps.remove(&nonce).ok_or(SettleError::NotSent(nonce))?;
        if !receipt.is_success {
            return Err(self.outbox.failed(&self.client, &step, &receipt));
        }
        Ok(Some(self.client.cashed(&receipt)))
    }

    fn hurry(&mut self, ticket: Ticket) -> Result<bool, SettleError> {
        let is_in_block = match self.outbox.hash(ticket.0) {
            Some(hash) => self.chain()?.receipt(hash)?.is_some(),
            None => return Err(SettleError::NotSent(ticket.0)),
        };
        Ok(!is_in_block && self.outbox.replace(&self.client, self.signer.as_ref(), ticket.0)?)
    }

    fn is_busy(&self) -> Result<bool, SettleError> {
        let (chain, account) = (self.chain()?, self.signer.address());
        Ok(self.steps.is_empty() && chain.nonce(account, true)? > chain.nonce(account, false)?)
    }

    fn watch(&mut self) -> Result<Vec<Happened>, SettleError> {
        let last = counted(self.chain()?)?.min(self.next_block.saturating_add(WATCHED_MAX - 1));
        if last < self.next_block {
            return Ok(Vec::new());
        }
        let happened = self.client.vault_history(None, (self.next_block, last))?;
        self.next_block = last.saturating_add(1);
        Ok(happened)
    }

    fn watched(&self) -> u64 {
        self.next_block
    }

    fn watch_from(&mut self, place: u64) {
        self.next_block = place;
    }
}
