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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Takes blocks; says so often that there is no memory before each.
    #[derive(Default)]
    struct Blocks {
        came: Vec<Vec<u8>>,
        pauses: u32,
        paused: u32,
    }

    impl Intake for Blocks {
        type Chunk = Vec<u8>;

        fn chunk(&mut self, bytes: u32) -> Result<Vec<u8>, Duration> {
            if self.paused < self.pauses {
                self.paused += 1;
                return Err(Duration::from_millis(2));
            }
            self.paused = 0;
            Ok(vec![0xff; bytes as usize])
        }

        fn block(&mut self, chunk: Vec<u8>) -> Result<(), Vec<u8>> {
            self.came.push(chunk);
            Ok(())
        }

        fn failed(&mut self, _: &WebFault) -> bool {
            true
        }
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(future)
    }

    #[test]
    fn portions_of_any_size_and_padding_become_blocks() {
        let mut blocks = Blocks::default();
        let mut filler = Filler::new(&[4, 4, 1], &mut blocks);
        run(async {
            filler.take(&[1]).await.unwrap();
            filler.take(&[2, 3, 4, 5]).await.unwrap();
            filler.take_zeros(2).await.unwrap();
            filler.take(&[6, 7]).await.unwrap();
            assert!(filler.take(&[8]).await.is_err(), "nobody asked for more");
        });
        assert_eq!(blocks.came, [vec![1, 2, 3, 4], vec![5, 0, 0, 6], vec![7]]);
    }

    #[test]
    fn a_server_that_sends_nothing_stalls_and_a_block_gives_it_new_time() {
        let mut blocks = Blocks::default();
        let mut filler = Filler::new(&[2, 2], &mut blocks);
        filler.patience = Duration::from_millis(1);
        let waited = run(filler.wait_for(std::future::pending::<()>()));
        assert_eq!((waited, filler.patience), (Err(WebFault::Stalled), Duration::ZERO));
        run(filler.take(&[1])).unwrap();
        assert_eq!(filler.patience, Duration::ZERO);
        run(filler.take(&[2])).unwrap();
        assert_eq!(filler.patience, BLOCK_AFTER);
    }

    #[test]
    fn a_server_is_not_blamed_while_we_have_no_memory() {
        let mut blocks = Blocks { pauses: 5, ..Blocks::default() };
        let mut filler = Filler::new(&[2, 2], &mut blocks);
        filler.patience = Duration::from_millis(1);
        run(filler.take(&[1, 2, 3])).unwrap();
        assert_eq!(blocks.came, [[1, 2]]);
    }
}
