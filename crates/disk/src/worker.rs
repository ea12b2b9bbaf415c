//! The threads that hash, write and read.
//!
//! Each takes what is most due from the one queue: a batch of runs, a read, a step of a check. It must
//! not know peers; it learns what a piece should be from the metainfo alone.

mod gaps;
mod piece;
mod queue;
mod reads;
mod runs;

use piecework_hash::Hasher;

use crate::disk::Disk;
use crate::mailbox::{Completion, MailSender, StoreEvent};
use crate::store::StoreShared;

pub(crate) use piece::{PieceWork, Step};
pub(crate) use queue::{Queue, Task};
pub(crate) use reads::ReadTask;
pub(crate) use runs::{Pending, lose};

use queue::Turn;

/// The body of a worker's thread.
pub(crate) fn work(disk: &Disk) {
    let hasher = Hasher::detect();
    let mut outbox = Outbox::default();
    let mut prefers_runs = true;
    loop {
        match disk.queue().next(prefers_runs) {
            Turn::Runs(pieces) => runs::run(disk, hasher, pieces, &mut outbox),
            Turn::Task(task, turn) => {
                carry_out(disk, hasher, task, &mut outbox);
                drop(turn);
                // Those who wait for this drive may go on.
                disk.queue().turn_ended();
            }
            Turn::Quit => return,
        }
        outbox.flush();
        prefers_runs = !prefers_runs;
    }
}

fn carry_out(disk: &Disk, hasher: &Hasher, task: Task, outbox: &mut Outbox) {
    match task {
        Task::Read(read) => read.run(disk, outbox),
        Task::Retry(pending) => runs::retry(disk, pending, outbox),
        // What can be made without data shows whether anything can.
        Task::Unblock(store) => match store.storage.create_empty() {
            Ok(()) => store.unblock(outbox),
            Err(fault) => tracing::debug!(%fault, "still nothing can be written"),
        },
        Task::CreateEmpty(store) => {
            if let Err(fault) = store.storage.create_empty() {
                store.block(&fault, outbox);
            }
            store.work_ended();
        }
        Task::SetWanted(store, wanted) => {
            runs::set_wanted(&store, &wanted, outbox);
            store.work_ended();
        }
        Task::Look(store) => store.look(outbox),
        Task::Revisit(store, pieces) => {
            store.revisit(&pieces, outbox);
            store.work_ended();
        }
        Task::Check(step) => {
            if let Some(more) = step.run(hasher, outbox) {
                disk.queue().push_background(Task::Check(more));
            }
        }
    }
}

/// Completions of one turn, posted together.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    sender: Option<MailSender>,
    batch: Vec<Completion>,
}

impl Outbox {
    pub(crate) fn push(&mut self, store: &StoreShared, event: StoreEvent) {
        if store.is_closed() {
            return;
        }
        if !self.sender.as_ref().is_some_and(|sender| sender.is_same(&store.sender)) {
            self.flush();
            self.sender = Some(store.sender.clone());
        }
        self.batch.push(Completion { key: store.key, event });
    }

    pub(crate) fn flush(&mut self) {
        if let Some(sender) = &self.sender {
            sender.post(&mut self.batch);
        }
    }
}
