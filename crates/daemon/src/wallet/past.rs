//! What came in and went out of tokens, from their own logs, newest first and a page at a time.

use super::fault::WalletFault;
use crate::shared::Shared;
use alloy_primitives::Address;
use piecework_settle::{LOG_BLOCKS, Movement, TokenEntry};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Movements of one page at most; those of one block stay together.
pub const PAST_MAX: usize = 100;
/// Stretches of blocks that one page looks through at most.
const STRETCHES_MAX: usize = 8;

/// A page.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// Newest first.
    pub items: Vec<PastItem>,
    /// The block before which there may be more.
    pub next: Option<u64>,
    /// Whose they are.
    pub owner: Address,
}

/// An amount of a token that moved.
#[derive(Clone, Debug)]
pub struct PastItem {
    /// What moved, and where.
    pub movement: Movement,
    /// The token.
    pub token: TokenEntry,
    /// When, seconds since 1970, if the chain says.
    pub at: Option<u64>,
}

pub(super) fn past(
    shared: &Arc<Shared>,
    token: Option<Address>,
    before: Option<u64>,
    most: usize,
) -> Result<Past, WalletFault> {
    let room = &shared.wallet;
    room.folder()?.keystore()?;
    let found = room.treasury().and_then(|treasury| {
        let (client, owner) = (&treasury.client, treasury.owner()?);
        let network = client.network();
        let tokens = match token {
            Some(address) => vec![client.token(address)?],
            None => network.tokens.clone(),
        };
        let height = client.height()?;
        let mut past = Past { owner, ..Past::default() };
        let mut to = before.map_or(height, |before| height.min(before.saturating_sub(1)));
        for _ in 0..STRETCHES_MAX {
            let from = to.saturating_sub(LOG_BLOCKS - 1).max(network.first_block);
            let mut moved = Vec::new();
            for token in &tokens {
                let its = client.history(token.address, owner, (from, to))?;
                moved.extend(its.into_iter().map(|movement| (movement, token)));
            }
            // Stable: those of a block stay in the order of their token's logs.
            moved.sort_by_key(|(movement, _)| movement.block);
            let item = |(movement, token): (Movement, &TokenEntry)| PastItem {
                movement,
                token: token.clone(),
                at: None,
            };
            past.items.extend(moved.into_iter().rev().map(item));
            past.next = (from > network.first_block).then_some(from);
            if past.next.is_none() || past.items.len() >= most {
                break;
            }
            to = from - 1;
        }
        cut(&mut past, most);
        let mut times = BTreeMap::new();
        for item in &mut past.items {
            let block = item.movement.block;
            item.at = *times.entry(block).or_insert_with(|| client.block_time(block).ok());
        }
        Ok(past)
    });
    found.inspect_err(|fault| room.note(fault))
}

/// Ends a page behind a whole block.
fn cut(past: &mut Past, most: usize) {
    let Some(last) = most.checked_sub(1).and_then(|last| past.items.get(last)) else { return };
    let block = last.movement.block;
    let end = past.items.iter().position(|item| item.movement.block < block);
    if let Some(end) = end {
        past.items.truncate(end);
        past.next = Some(block);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{B256, U256};

    fn page(blocks: &[u64]) -> Past {
        let item = |block: &u64| PastItem {
            movement: Movement {
                from: Address::ZERO,
                to: Address::ZERO,
                amount: U256::ZERO,
                block: *block,
                transaction: B256::ZERO,
            },
            token: TokenEntry {
                address: Address::ZERO,
                code_hash: B256::ZERO,
                name: "T".into(),
                symbol: "T".into(),
                decimals: 0,
            },
            at: None,
        };
        Past { items: blocks.iter().map(item).collect(), next: None, owner: Address::ZERO }
    }

    #[test]
    fn a_page_ends_behind_a_whole_block_and_says_where_to_go_on() {
        for (blocks, most, kept, next) in [
            (&[9, 8, 7, 7, 7, 6][..], 3, 5, Some(7)),
            (&[9, 8, 7], 3, 3, None),
            (&[9, 9, 9], 1, 3, None),
            (&[9, 8], 1, 1, Some(9)),
            (&[], 5, 0, None),
        ] {
            let mut past = page(blocks);
            cut(&mut past, most);
            assert_eq!((past.items.len(), past.next), (kept, next), "{blocks:?} {most}");
        }
    }
}
