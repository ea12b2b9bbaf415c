//! The two threads of a chain: one seals blocks, one writes checkpoints behind it.

use super::{Halted, Pending, Shared, lock};
use crate::block::{Block, Built, Tries, build};
use crate::execute::Refused;
use crate::log::{BlockLog, LogFile};
use crate::pool::Pool;
use crate::record::encode_block;
use crate::sealer::{Sealer, Turn, Work};
use crate::state::Changes;
use crate::transaction::Transaction;
use alloy_consensus::Transaction as _;
use alloy_primitives::Address;
use alloy_primitives::map::HashMap;
use piecework_types::Time;
use revm::context::result::InvalidTransaction;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

/// How long blocks are gathered before a checkpoint: with the time to write it, less than a second.
const CHECKPOINT_AFTER: Duration = Duration::from_millis(500);

/// Blocks that may wait for a checkpoint; then sealing waits for the store.
const UNCHECKPOINTED_MAX: usize = 64;

/// What only the sealing thread has.
pub(super) struct Bench {
    pub(super) sealer: Box<dyn Sealer>,
    pub(super) tries: Tries,
    pub(super) log: BlockLog<Box<dyn LogFile>>,
}

/// Runs a thread of the chain; one that panics stops the chain instead of leaving it without a hand.
pub(super) fn guarded(shared: &Shared, thread: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(thread)).is_err() {
        let cause = "a fault of this program, told in its log".to_owned();
        shared.halt(Halted { cause, remedy: "Report it".to_owned() });
        shared.checkpoint.notify_all();
        lock(&shared.subscribers).end();
    }
}

/// Seals blocks until the chain closes or cannot go on.
pub(super) fn seal_blocks(shared: &Shared, mut bench: Bench) {
    while let Some(candidates) = wait_for_work(shared, bench.sealer.as_mut()) {
        if let Err(cause) = seal(shared, &mut bench, candidates) {
            shared.halt_for_disk(cause);
            break;
        }
    }
    lock(&shared.subscribers).end();
}

/// Waits for the sealer's word; `None` when the chain closes.
fn wait_for_work(shared: &Shared, sealer: &mut dyn Sealer) -> Option<Vec<Transaction>> {
    let mut pool = lock(&shared.pool);
    loop {
        if shared.is_over() {
            return None;
        }
        let now = shared.clock.now();
        pool.expire(now);
        let until = match sealer.turn(Work { ready: pool.ready() }, now) {
            Turn::Seal => {
                sealer.tried(now);
                return Some(pool.candidates());
            }
            Turn::Wait(until) => until.min(pool.next_expiry()),
            Turn::Rest => pool.next_expiry(),
        };
        pool = wait(shared, pool, until, now);
    }
}

fn wait<'a>(
    shared: &'a Shared,
    pool: MutexGuard<'a, Pool>,
    until: Time,
    now: Time,
) -> MutexGuard<'a, Pool> {
    if until == Time::NEVER {
        return shared.work.wait(pool).unwrap_or_else(PoisonError::into_inner);
    }
    let timeout = until.since(now);
    shared.work.wait_timeout(pool, timeout).unwrap_or_else(PoisonError::into_inner).0
}

/// Makes a block, makes it durable, and only then lets it be seen. The error is a reason to stop.
fn seal(shared: &Shared, bench: &mut Bench, candidates: Vec<Transaction>) -> Result<(), String> {
    let parent = shared.head();
    let built = {
        let state = shared.state.read().unwrap_or_else(PoisonError::into_inner);
        let over = (&*state, &mut bench.tries);
        build(&shared.rules, &parent, shared.clock.unix(), over, candidates)
            .map_err(|gone| gone.to_string())?
    };
    let Built { block, refused } = built;
    if let Some((block, changes)) = block {
        let place = bench.log.append(&encode_block(&block)).map_err(|error| error.to_string())?;
        let block = Arc::new(block);
        enter_state(shared, &block, &changes);
        let mut pending = wait_for_checkpoint(shared);
        pending.batch.add(Arc::clone(&block), place, &changes);
        let checkpointed = pending.checkpointed;
        drop(pending);
        shared.checkpoint.notify_all();
        {
            let mut recent = shared.recent.write().unwrap_or_else(PoisonError::into_inner);
            recent.push(Arc::clone(&block), checkpointed);
        }
        lock(&shared.subscribers).tell(&block);
    }
    turn_away(shared, refused);
    Ok(())
}

fn wait_for_checkpoint(shared: &Shared) -> MutexGuard<'_, Pending> {
    let is_full = |pending: &mut Pending| {
        pending.batch.blocks.len() >= UNCHECKPOINTED_MAX && shared.halted.get().is_none()
    };
    let waited = shared.checkpoint.wait_while(lock(&shared.pending), is_full);
    waited.unwrap_or_else(PoisonError::into_inner)
}

/// State and pool move on together: who submits sees both before the block, or both after it.
fn enter_state(shared: &Shared, block: &Block, changes: &Changes) {
    let mut next: HashMap<Address, u64> = HashMap::default();
    for transaction in &block.transactions {
        let sender = transaction.sender();
        let after = transaction.envelope().nonce().saturating_add(1);
        let account = changes.accounts.get(&sender).copied().flatten();
        next.insert(sender, account.map_or(after, |account| account.nonce));
    }
    let base_fee = shared.next_base_fee(block);
    let mut pool = lock(&shared.pool);
    let mut state = shared.state.write().unwrap_or_else(PoisonError::into_inner);
    state.apply(block.number(), block.hash, changes);
    drop(state);
    pool.sealed(next, base_fee);
}

/// Candidates that could not stand in the block leave the pool, unless a later block may take them.
fn turn_away(shared: &Shared, refused: Vec<(Transaction, Refused)>) {
    if refused.is_empty() {
        return;
    }
    let mut pool = lock(&shared.pool);
    for (transaction, reason) in refused {
        let hash = transaction.hash();
        match reason {
            Refused::BlockFull | Refused::Invalid(InvalidTransaction::NonceTooHigh { .. }) => {}
            Refused::Invalid(InvalidTransaction::GasPriceLessThanBasefee) => pool.not_free(hash),
            Refused::Invalid(_) | Refused::Gone(_) | Refused::Other(_) => {
                tracing::info!(%hash, %reason, "a waiting transaction is dropped");
                pool.drop_unfit(hash);
            }
        }
    }
}

/// Writes checkpoints until the chain closes, the last one then.
pub(super) fn write_checkpoints(shared: &Shared) {
    loop {
        let pending = lock(&shared.pending);
        let idle = |pending: &mut Pending| pending.batch.blocks.is_empty() && !pending.is_closing;
        let pending =
            shared.checkpoint.wait_while(pending, idle).unwrap_or_else(PoisonError::into_inner);
        // A block came: gather what follows it for a while.
        let gathering = |pending: &mut Pending| {
            pending.batch.blocks.len() < UNCHECKPOINTED_MAX / 2 && !pending.is_closing
        };
        let (mut pending, _) = shared
            .checkpoint
            .wait_timeout_while(pending, CHECKPOINT_AFTER, gathering)
            .unwrap_or_else(PoisonError::into_inner);
        let is_last = pending.is_closing;
        let batch = std::mem::take(&mut pending.batch);
        drop(pending);
        if !write_checkpoint(shared, &batch) || is_last {
            return;
        }
    }
}

fn write_checkpoint(shared: &Shared, batch: &crate::store::Batch) -> bool {
    let Some((last, _)) = batch.blocks.last() else {
        return true;
    };
    match shared.store.checkpoint(batch) {
        Ok(()) => lock(&shared.pending).checkpointed = last.number(),
        Err(error) => {
            shared.halt_for_disk(error.to_string());
            shared.checkpoint.notify_all();
            return false;
        }
    }
    shared.checkpoint.notify_all();
    true
}
