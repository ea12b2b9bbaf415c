//! Reads that the page cache could not answer.

use piecework_types::Block;
use std::sync::Arc;

use super::Outbox;
use crate::chunk::CHUNK_BYTES;
use crate::disk::Disk;
use crate::drive::Drive;
use crate::fault::{Action, FaultKind, LocalFault};
use crate::mailbox::StoreEvent;
use crate::store::{StoreShared, joined};

/// Adjacent blocks to be read for a peer.
#[derive(Debug)]
pub(crate) struct ReadTask {
    pub(crate) store: Arc<StoreShared>,
    pub(crate) token: u64,
    pub(crate) blocks: Vec<Block>,
}

impl ReadTask {
    pub(super) fn drive(&self) -> &Arc<Drive> {
        &self.store.storage.drive
    }

    pub(super) fn run(self, disk: &Disk, outbox: &mut Outbox) {
        let Self { store, token, blocks } = self;
        if store.is_closed() {
            return;
        }
        let mut chunks = Vec::new();
        let result = match joined(&blocks).filter(|span| store.verified.contains(span.piece)) {
            None => {
                let path = store.storage.dir();
                Err(LocalFault::of_kind(Action::Read, path, FaultKind::Missing))
            }
            Some(span) => {
                let needed = blocks.iter().map(|block| chunks_of(*block)).sum();
                // Beyond the maximum if need be: what waits for it is bounded by the send queues.
                disk.pool().take_beyond_max(needed, &mut chunks);
                let mut free = chunks.iter_mut();
                let mut places: Vec<&mut [u8]> = Vec::with_capacity(needed);
                for block in &blocks {
                    let mut left = block.length as usize;
                    for chunk in free.by_ref().take(chunks_of(*block)) {
                        places.push(&mut chunk[..left.min(CHUNK_BYTES)]);
                        left = left.saturating_sub(CHUNK_BYTES);
                    }
                }
                store.storage.read(span, places).map_err(|failed| {
                    store.file_failed(failed.file, &failed.fault, outbox);
                    store.doubt([span.piece]);
                    failed.fault
                })
            }
        };
        let result = result.map(|()| std::mem::take(&mut chunks));
        outbox.push(&store, StoreEvent::Read { token, result });
        disk.pool().give_back(&mut chunks);
    }
}

fn chunks_of(block: Block) -> usize {
    (block.length as usize).div_ceil(CHUNK_BYTES)
}
