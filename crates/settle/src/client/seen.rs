//! What was seen of a chain, so that another history under the same first block is noticed.

use super::Client;
use crate::error::SettleError;
use crate::eth::At;
use alloy_primitives::B256;

/// A block that counted: whoever serves the same chain has it for ever.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Seen {
    /// Its height.
    pub height: u64,
    /// Its hash.
    pub hash: B256,
}

impl Client {
    /// The newest block that has the network's confirmations on top, as agreed.
    ///
    /// # Errors
    /// When the servers do not tell, or not the same.
    pub fn seen(&self) -> Result<Seen, SettleError> {
        let height = self.height()?.saturating_sub(self.network().confirmations);
        let hash = self
            .block_hash(height)?
            .ok_or_else(|| self.servers[0].error("eth_getBlockByNumber", super::missing_block()))?;
        Ok(Seen { height, hash })
    }

    /// That a block which was seen before is still in the chain.
    ///
    /// # Errors
    /// When a server has another block in its place, none has come so far, or none tells.
    pub fn demand_still_there(&self, seen: &Seen) -> Result<(), SettleError> {
        let (Seen { height, hash }, mut is_there, mut last) = (*seen, false, None);
        for server in &self.servers {
            match server.block(At::Block(height)) {
                Ok(Some(block)) if block.hash == hash => is_there = true,
                Ok(Some(block)) => {
                    let (server, expected, got) = (server.name().to_owned(), hash, block.hash);
                    return Err(SettleError::Forked { server, height, expected, got });
                }
                Ok(None) => {}
                Err(error) => last = Some(error),
            }
        }
        match last {
            _ if is_there => Ok(()),
            Some(error) => Err(error.into()),
            None => Err(SettleError::Behind { height }),
        }
    }
}
