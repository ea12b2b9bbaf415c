//! Fills chunks with what comes, block by block, and hands them over.
//!
//! Owns the patience with a server: it runs only while the server is waited for, never while there is no
//! memory or a limit holds us back.

use super::{HAND_OVER_AGAIN, Intake, WebFault};
use std::time::Duration;
use tokio::time::Instant;

/// Time in which a server must send a block: slower is no help to anybody.
const BLOCK_AFTER: Duration = Duration::from_secs(60);

/// The blocks of one fetch.
pub(super) struct Filler<'a, I: Intake> {
    intake: &'a mut I,
    /// Bytes of the blocks that are not complete, the one being filled first.
    blocks: std::slice::Iter<'a, u32>,
    chunk: Option<(I::Chunk, usize)>,
    filled: usize,
    patience: Duration,
}

impl<'a, I: Intake> Filler<'a, I> {
    pub(super) fn new(blocks: &'a [u32], intake: &'a mut I) -> Self {
        Self { intake, blocks: blocks.iter(), chunk: None, filled: 0, patience: BLOCK_AFTER }
    }

    /// Waits for the server, as long as it has time.
    pub(super) async fn wait_for<T>(
        &mut self,
        next: impl Future<Output = T>,
    ) -> Result<T, WebFault> {
        let began = Instant::now();
        let came = tokio::time::timeout(self.patience, next).await;
        self.patience = self.patience.saturating_sub(began.elapsed());
        came.map_err(|_| WebFault::Stalled)
    }

    /// Takes bytes that belong to the blocks.
    pub(super) async fn take(&mut self, mut bytes: &[u8]) -> Result<(), WebFault> {
        while !bytes.is_empty() {
            let (mut chunk, length) = self.current().await?;
            let (now, later) = bytes.split_at(bytes.len().min(length - self.filled));
            chunk[self.filled..][..now.len()].copy_from_slice(now);
            self.filled += now.len();
            self.chunk = Some((chunk, length));
            bytes = later;
            self.hand_over().await;
        }
        Ok(())
    }

    /// Takes so many zeros.
    pub(super) async fn take_zeros(&mut self, mut count: u64) -> Result<(), WebFault> {
        while count > 0 {
            let (mut chunk, length) = self.current().await?;
            let room = length - self.filled;
            let now = usize::try_from(count).unwrap_or(usize::MAX).min(room);
            chunk[self.filled..][..now].fill(0);
            self.filled += now;
            self.chunk = Some((chunk, length));
            count -= now as u64;
            self.hand_over().await;
        }
        Ok(())
    }

    /// The chunk that is being filled; waits for one.
    async fn current(&mut self) -> Result<(I::Chunk, usize), WebFault> {
        if let Some(chunk) = self.chunk.take() {
            return Ok(chunk);
        }
        // The parts were made from the blocks.
        let too_much = || WebFault::Failed("more bytes came than were asked for".into());
        let &bytes = self.blocks.next().ok_or_else(too_much)?;
        loop {
            match self.intake.chunk(bytes) {
                Ok(chunk) => return Ok((chunk, bytes as usize)),
                Err(wait) => tokio::time::sleep(wait).await,
            }
        }
    }

    /// Hands the block over if it is complete; waits for room.
    async fn hand_over(&mut self) {
        let Some((mut chunk, _)) = self.chunk.take_if(|(_, length)| *length == self.filled) else {
            return;
        };
        (self.filled, self.patience) = (0, BLOCK_AFTER);
        while let Err(back) = self.intake.block(chunk) {
            chunk = back;
            tokio::time::sleep(HAND_OVER_AGAIN).await;
        }
    }
}
