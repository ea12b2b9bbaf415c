//! Waiting for transactions, for those who have nothing else to do.

use super::{Outbox, Progress};
use crate::client::Client;
use crate::error::SettleError;
use crate::plan::Plan;
use crate::receipt::Receipt;
use piecework_pay::Signer;
use std::time::{Duration, Instant};

/// How to wait for a transaction.
#[derive(Clone, Copy, Debug)]
pub struct Waiting {
    /// Between two looks.
    pub pause: Duration,
    /// In no block for so long: a higher price, as far as the plan has room for it.
    pub replace_after: Duration,
    /// The whole wait.
    pub most: Duration,
}

impl Default for Waiting {
    fn default() -> Self {
        Self {
            pause: Duration::from_millis(500),
            replace_after: Duration::from_secs(60),
            most: Duration::from_secs(600),
        }
    }
}

impl Outbox {
    /// Carries a plan out, one step after the other, and waits for each. `told` hears how far the step of
    /// this index is.
    ///
    /// # Errors
    /// When a step is refused, fails, or does not come into a block in time; those before it are done.
    pub fn execute(
        &mut self,
        client: &Client,
        signer: &dyn Signer,
        plan: &Plan,
        waiting: Waiting,
        told: &mut dyn FnMut(usize, &Progress),
    ) -> Result<Vec<Receipt>, SettleError> {
        let mut receipts = Vec::with_capacity(plan.steps.len());
        for index in 0..plan.steps.len() {
            let told = &mut |progress: &Progress| told(index, progress);
            match self.carry_out(client, signer, (plan, index), waiting, told) {
                Ok(receipt) => receipts.push(receipt),
                Err(error) if index == 0 => return Err(error),
                Err(error) => {
                    let done = plan.steps[..index].iter().map(|step| step.call.what.clone());
                    let (done, error) = (done.collect(), Box::new(error));
                    return Err(SettleError::Stopped { done, error });
                }
            }
        }
        Ok(receipts)
    }

    /// One step: it is sent, and counts.
    fn carry_out(
        &mut self,
        client: &Client,
        signer: &dyn Signer,
        (plan, index): (&Plan, usize),
        waiting: Waiting,
        told: &mut dyn FnMut(&Progress),
    ) -> Result<Receipt, SettleError> {
        let mut step = plan.steps[index].clone();
        if index > 0 {
            // What could not be estimated before can be now; what was agreed to is the most.
            step.gas = client.gas(self.account(), &step.call)?.min(step.gas);
        }
        let nonce = self.submit(client, signer, (step.clone(), plan.fees))?;
        let receipt = self.wait(client, signer, nonce, waiting, told)?;
        if receipt.is_success { Ok(receipt) } else { Err(self.failed(client, &step, &receipt)) }
    }

    /// Waits until a transaction is done. Servers that cannot be reached meanwhile are waited for too.
    fn wait(
        &mut self,
        client: &Client,
        signer: &dyn Signer,
        nonce: u64,
        waiting: Waiting,
        told: &mut dyn FnMut(&Progress),
    ) -> Result<Receipt, SettleError> {
        let start = Instant::now();
        let mut raised = start;
        loop {
            let progress = match self.poll(client, nonce) {
                Ok(progress) => progress,
                Err(SettleError::Rpc(error)) if error.fault.may_pass() => Progress::Waiting,
                Err(error) => return Err(error),
            };
            told(&progress);
            if let Progress::Done(receipt) = progress {
                return Ok(*receipt);
            }
            if start.elapsed() >= waiting.most {
                let hash = self.hash(nonce).unwrap_or_default();
                return Err(SettleError::NotMined { hash, after: waiting.most });
            }
            if progress == Progress::Waiting && raised.elapsed() >= waiting.replace_after {
                self.replace(client, signer, nonce)?;
                raised = Instant::now();
            }
            std::thread::sleep(waiting.pause);
        }
    }
}
