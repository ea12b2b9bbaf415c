//! Transactions that wait for a block.
//!
//! Owns: who waits, in which order they go, and what is not let in. Invariant: every transaction here is
//! affordable together with those before it of its sender, as of when it came; each is found by hash and by
//! (sender, nonce).
//! Must not know: execution, sealing, real time.

mod ready;

use crate::block::BLOCK_TRANSACTIONS_MAX;
use crate::genesis::Rules;
use crate::state::Account;
use crate::transaction::Transaction;
use alloy_consensus::Transaction as _;
use alloy_primitives::map::HashMap;
use alloy_primitives::{Address, B256, U256};
use piecework_types::Time;
use ready::{Candidate, Ready};
use std::collections::BTreeMap;
use std::time::Duration;

/// Bytes of transactions that are put into one block.
pub const BLOCK_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What the pool holds at most.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PoolLimits {
    /// Transactions in all.
    pub transactions_max: usize,
    /// Bytes of their encodings.
    pub bytes_max: usize,
    /// How far a nonce may be ahead, and so how many may wait of one sender.
    pub sender_max: usize,
    /// How long one is held that cannot go: behind a missing nonce, or below the base fee.
    pub held_max: Duration,
}

impl Default for PoolLimits {
    fn default() -> Self {
        Self {
            transactions_max: 32_768,
            bytes_max: 64 * 1024 * 1024,
            sender_max: 4096,
            held_max: Duration::from_secs(600),
        }
    }
}

const _: () = assert!(32_768 >= 4 * BLOCK_TRANSACTIONS_MAX, "the pool feeds several blocks");

/// Why a transaction is not let in. Texts begin as those of other Ethereum nodes, which clients look for.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unfit {
    /// It waits already.
    #[error("already known")]
    Known,
    /// It, or another of its sender with that nonce, is in a block.
    #[error("nonce too low: next nonce {next}, tx nonce {nonce}")]
    NonceTooLow {
        /// What the sender's next transaction has.
        next: u64,
        /// What this one has.
        nonce: u64,
    },
    /// Further ahead than is waited for.
    #[error("nonce too high: next nonce {next}, tx nonce {nonce}; send those between first")]
    NonceTooHigh {
        /// What the sender's next transaction has.
        next: u64,
        /// What this one has.
        nonce: u64,
    },
    /// Value and fee of it, and of what waits before it, exceed the balance.
    #[error(
        "insufficient funds for gas * price + value: balance {balance}, tx cost {cost}, queued {queued}"
    )]
    Funds {
        /// What the sender has.
        balance: U256,
        /// What this one may take.
        cost: U256,
        /// What its others may take.
        queued: U256,
    },
    /// It offers less than the base fee can ever be.
    #[error("max fee per gas less than block base fee: maxFeePerGas {offered}, at least {floor}")]
    FeeTooLow {
        /// Its highest price.
        offered: u128,
        /// The floor.
        floor: u64,
    },
    /// It promises the sealer more than it would pay in all.
    #[error("max priority fee per gas higher than max fee per gas")]
    TipAboveFee,
    /// It asks for more gas than a transaction may.
    #[error("exceeds block gas limit: {asked} gas, a transaction may ask for {limit}")]
    Gas {
        /// What it asks for.
        asked: u64,
        /// The most it may.
        limit: u64,
    },
    /// It asks for less gas than it takes before the first instruction, or creates with too much code.
    #[error("{0}")]
    Intrinsic(String),
    /// Another with this nonce waits, and this one does not pay enough more.
    #[error("replacement transaction underpriced: raise both fees by at least 10 %")]
    Underpriced,
    /// No room, and nothing in it that cannot go anyway.
    #[error("txpool is full: try again in a second")]
    Full,
}

/// What the chain knows of a sender when its transaction comes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sender {
    /// Its account at the newest block.
    pub account: Account,
    /// Free gas it has left.
    pub free_gas: u64,
}

/// Where transactions wait.
#[derive(Debug)]
pub struct Pool {
    limits: PoolLimits,
    floor: u64,
    transaction_gas_max: u64,
    base_fee: u64,
    queues: HashMap<Address, Queue>,
    by_hash: HashMap<B256, (Address, u64)>,
    ready: Ready,
    bytes: usize,
    arrivals: u64,
    /// No queue has anything to expire before.
    next_expiry: Time,
}

/// What waits of one sender.
#[derive(Debug, Default)]
struct Queue {
    /// The nonce of the sender's next transaction in a block.
    next: u64,
    waiting: BTreeMap<u64, Waiting>,
    cost: U256,
}

#[derive(Clone, Debug)]
struct Waiting {
    transaction: Transaction,
    arrival: u64,
    since: Time,
    /// The quota may pay for it.
    may_be_free: bool,
}

impl Pool {
    /// An empty pool for blocks at `base_fee`.
    pub fn new(limits: PoolLimits, rules: &Rules, base_fee: u64) -> Self {
        Self {
            limits,
            floor: rules.base_fee_floor,
            transaction_gas_max: rules.transaction_gas_max,
            base_fee,
            queues: HashMap::default(),
            by_hash: HashMap::default(),
            ready: Ready::default(),
            bytes: 0,
            arrivals: 0,
            next_expiry: Time::NEVER,
        }
    }

    /// Lets a transaction wait.
    ///
    /// # Errors
    /// Why not; then nothing changed.
    pub fn insert(
        &mut self,
        transaction: Transaction,
        sender: Sender,
        now: Time,
    ) -> Result<(), Unfit> {
        let may_be_free = transaction.envelope().gas_limit() <= sender.free_gas;
        self.check(&transaction, sender, may_be_free)?;
        self.make_room(&transaction)?;
        self.arrivals += 1;
        let waiting = Waiting { arrival: self.arrivals, since: now, may_be_free, transaction };
        let (address, nonce) =
            (waiting.transaction.sender(), waiting.transaction.envelope().nonce());
        self.remove(address, nonce);
        self.bytes += waiting.transaction.raw().len();
        self.by_hash.insert(waiting.transaction.hash(), (address, nonce));
        let queue = self.queues.entry(address).or_default();
        queue.next = queue.next.max(sender.account.nonce);
        queue.cost = queue.cost.saturating_add(waiting.transaction.cost_max());
        queue.waiting.insert(nonce, waiting);
        self.next_expiry = self.next_expiry.min(now + self.limits.held_max);
        self.refresh(address);
        Ok(())
    }

    fn check(
        &self,
        transaction: &Transaction,
        sender: Sender,
        may_be_free: bool,
    ) -> Result<(), Unfit> {
        let envelope = transaction.envelope();
        let queue = self.queues.get(&transaction.sender());
        if self.by_hash.contains_key(&transaction.hash()) {
            return Err(Unfit::Known);
        }
        let (asked, limit) = (envelope.gas_limit(), self.transaction_gas_max);
        if asked > limit {
            return Err(Unfit::Gas { asked, limit });
        }
        let fee = envelope.max_fee_per_gas();
        if envelope.max_priority_fee_per_gas().is_some_and(|tip| tip > fee) {
            return Err(Unfit::TipAboveFee);
        }
        if fee < u128::from(self.floor) && !may_be_free {
            return Err(Unfit::FeeTooLow { offered: fee, floor: self.floor });
        }
        crate::execute::check_intrinsic(transaction).map_err(Unfit::Intrinsic)?;
        let (nonce, next) = (envelope.nonce(), sender.account.nonce);
        if nonce < next {
            return Err(Unfit::NonceTooLow { next, nonce });
        }
        if nonce - next >= self.limits.sender_max as u64 {
            return Err(Unfit::NonceTooHigh { next, nonce });
        }
        let old = queue.and_then(|queue| queue.waiting.get(&nonce)).map(|old| &old.transaction);
        if old.is_some_and(|old| !outbids(transaction, old)) {
            return Err(Unfit::Underpriced);
        }
        let (balance, cost) = (sender.account.balance, transaction.cost_max());
        let queued = queue.map_or(U256::ZERO, |queue| queue.cost);
        let queued = queued.saturating_sub(old.map_or(U256::ZERO, Transaction::cost_max));
        if queued.saturating_add(cost) > balance {
            return Err(Unfit::Funds { balance, cost, queued });
        }
        Ok(())
    }

    /// Drops what cannot go, oldest first, until `transaction` fits.
    fn make_room(&mut self, transaction: &Transaction) -> Result<(), Unfit> {
        let fits = |pool: &Self| {
            pool.by_hash.len() < pool.limits.transactions_max
                && pool.bytes + transaction.raw().len() <= pool.limits.bytes_max
        };
        if fits(self) {
            return Ok(());
        }
        let mut stuck: Vec<_> = self
            .queues
            .iter()
            .flat_map(|(address, queue)| {
                queue
                    .stuck(self.base_fee)
                    .map(|(nonce, waiting)| (waiting.arrival, *address, nonce))
            })
            .filter(|(_, address, _)| *address != transaction.sender())
            .collect();
        stuck.sort_unstable();
        for (_, address, nonce) in stuck {
            if fits(self) {
                break;
            }
            self.remove(address, nonce);
        }
        if fits(self) { Ok(()) } else { Err(Unfit::Full) }
    }

    /// The best that can go, in the order they would go in: by what they pay, then by arrival, nonces in
    /// order.
    pub fn candidates(&self) -> Vec<Transaction> {
        let mut successors = std::collections::BinaryHeap::new();
        let mut heads = self.ready.iter().peekable();
        let (mut chosen, mut bytes) = (Vec::new(), 0);
        while chosen.len() < BLOCK_TRANSACTIONS_MAX {
            let best = match (heads.peek(), successors.peek()) {
                (Some(head), Some(successor)) if **head >= *successor => heads.next().copied(),
                (Some(_), None) => heads.next().copied(),
                (_, Some(_)) => successors.pop(),
                (None, None) => None,
            };
            let Some(Candidate { sender, nonce, .. }) = best else {
                break;
            };
            let Some(queue) = self.queues.get(&sender) else {
                continue;
            };
            if let Some(waiting) = queue.waiting.get(&nonce) {
                bytes += waiting.transaction.raw().len();
                if bytes > BLOCK_BYTES_MAX {
                    break;
                }
                chosen.push(waiting.transaction.clone());
            }
            successors.extend(queue.candidate(sender, nonce + 1, self.base_fee));
        }
        chosen
    }

    /// A block was sealed: `accounts` gives each of its senders' next nonce, and the next one is at
    /// `base_fee`.
    pub fn sealed(&mut self, next_nonces: impl IntoIterator<Item = (Address, u64)>, base_fee: u64) {
        for (address, next) in next_nonces {
            let Some(queue) = self.queues.get_mut(&address) else {
                continue;
            };
            queue.next = next;
            let gone: Vec<_> = queue.waiting.range(..next).map(|(nonce, _)| *nonce).collect();
            for nonce in gone {
                self.remove(address, nonce);
            }
            self.refresh(address);
        }
        if base_fee != self.base_fee {
            self.base_fee = base_fee;
            let all: Vec<_> = self.queues.keys().copied().collect();
            for address in all {
                self.refresh(address);
            }
        }
    }

    /// A transaction can never stand in a block, as execution found.
    pub fn drop_unfit(&mut self, hash: B256) {
        if let Some((address, nonce)) = self.by_hash.get(&hash).copied() {
            self.remove(address, nonce);
            self.refresh(address);
        }
    }

    /// The quota does not pay for a transaction after all: it waits until it can pay itself.
    pub fn not_free(&mut self, hash: B256) {
        if let Some((address, nonce)) = self.by_hash.get(&hash).copied() {
            let queue = self.queues.get_mut(&address);
            if let Some(waiting) = queue.and_then(|queue| queue.waiting.get_mut(&nonce)) {
                waiting.may_be_free = false;
            }
            self.refresh(address);
        }
    }

    /// Drops what was held too long. Call it at [`Self::next_expiry`].
    pub fn expire(&mut self, now: Time) {
        if now < self.next_expiry {
            return;
        }
        let (held_max, base_fee) = (self.limits.held_max, self.base_fee);
        let (mut gone, mut next) = (Vec::new(), Time::NEVER);
        for (address, queue) in &self.queues {
            for (nonce, waiting) in queue.stuck(base_fee) {
                if waiting.since + held_max <= now {
                    gone.push((*address, nonce));
                }
            }
            // What can go today may be stuck tomorrow: look again when the oldest of them is due.
            let due = queue.waiting.values().map(|waiting| waiting.since + held_max);
            next = due.map(|due| due.max(now + Duration::from_secs(1))).fold(next, Time::min);
        }
        for (address, nonce) in gone {
            self.remove(address, nonce);
        }
        self.next_expiry = next;
    }

    /// When to call [`Self::expire`].
    pub fn next_expiry(&self) -> Time {
        self.next_expiry
    }

    /// Senders whose next transaction can go.
    pub fn ready(&self) -> usize {
        self.ready.len()
    }

    /// Transactions that wait.
    pub fn len(&self) -> usize {
        self.by_hash.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.by_hash.is_empty()
    }

    /// One that waits.
    pub fn get(&self, hash: B256) -> Option<Transaction> {
        let (address, nonce) = self.by_hash.get(&hash)?;
        let queue = self.queues.get(address)?;
        Some(queue.waiting.get(nonce)?.transaction.clone())
    }

    /// The nonce after all that can go of a sender whose next in a block is `next`.
    pub fn nonce_after(&self, address: Address, next: u64) -> u64 {
        let Some(queue) = self.queues.get(&address) else {
            return next;
        };
        (next..).find(|nonce| !queue.waiting.contains_key(nonce)).unwrap_or(next)
    }

    fn remove(&mut self, address: Address, nonce: u64) {
        let Some(queue) = self.queues.get_mut(&address) else {
            return;
        };
        if let Some(old) = queue.waiting.remove(&nonce) {
            queue.cost = queue.cost.saturating_sub(old.transaction.cost_max());
            self.bytes -= old.transaction.raw().len();
            self.by_hash.remove(&old.transaction.hash());
        }
        if queue.waiting.is_empty() {
            self.queues.remove(&address);
            self.ready.set(address, None);
        }
    }

    fn refresh(&mut self, address: Address) {
        let head = self
            .queues
            .get(&address)
            .and_then(|queue| queue.candidate(address, queue.next, self.base_fee));
        self.ready.set(address, head);
    }
}

impl Queue {
    fn candidate(&self, sender: Address, nonce: u64, base_fee: u64) -> Option<Candidate> {
        let waiting = self.waiting.get(&nonce)?;
        let tip = waiting.tip(base_fee)?;
        Some(Candidate { tip, arrival: std::cmp::Reverse(waiting.arrival), sender, nonce })
    }

    /// What cannot go in the next block: from the first missing nonce, or the first that pays too little, on.
    fn stuck(&self, base_fee: u64) -> impl Iterator<Item = (u64, &Waiting)> {
        let mut next = Some(self.next);
        self.waiting.iter().filter_map(move |(nonce, waiting)| {
            let goes = next == Some(*nonce) && waiting.tip(base_fee).is_some();
            next = if goes { nonce.checked_add(1) } else { None };
            (!goes).then_some((*nonce, waiting))
        })
    }
}

impl Waiting {
    fn tip(&self, base_fee: u64) -> Option<u128> {
        self.transaction.tip(base_fee).or_else(|| self.may_be_free.then_some(0))
    }
}

/// Whether `new` may take the place of `old`: both its prices are higher, by a tenth at least.
fn outbids(new: &Transaction, old: &Transaction) -> bool {
    let prices = |transaction: &Transaction| {
        let envelope = transaction.envelope();
        let fee = envelope.max_fee_per_gas();
        [fee, envelope.max_priority_fee_per_gas().unwrap_or(fee)]
    };
    let enough = |old: u128| old.saturating_add((old / 10).max(1));
    let [fee, tip] = prices(new);
    let [old_fee, old_tip] = prices(old);
    // A tip of nothing may stay nothing: then the fee alone decides.
    fee >= enough(old_fee) && (tip >= enough(old_tip) || (old_tip == 0 && tip == 0))
}

#[cfg(test)]
mod tests;
