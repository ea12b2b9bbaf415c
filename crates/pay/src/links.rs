//! The hash chain behind a cheque: link `i`, hashed `i` times, is the root.
//!
//! The buyer makes the chain from its far end, a secret seed, and reveals it towards the seed. Who holds
//! link `i` can make every earlier one and none of the later.

use crate::{LINKS_MAX, PayFault};
use alloy_primitives::{B256, keccak256};
use std::{fmt, iter};
use zeroize::Zeroize;

/// A buyer keeps every so manieth link, at most 64 of them, and those from one to the next while it reveals
/// them: 4 KiB, and about one hash a link that is revealed.
pub const CHECKPOINT_LINKS: u32 = 64;

const _: () = assert!(LINKS_MAX.is_multiple_of(CHECKPOINT_LINKS), "the last stretch is whole");

/// The link `count` places nearer to the root: `count` times hashed.
#[must_use]
pub fn fold_links(link: B256, count: u32) -> B256 {
    (0..count).fold(link, |link, _| keccak256(link))
}

/// The buyer's side of a chain. Its links are money: they are wiped from memory, and not shown.
pub struct Links {
    /// From the seed on, every [`CHECKPOINT_LINKS`] links towards the root.
    checkpoints: Vec<B256>,
    /// The links from a checkpoint on up to the next.
    stretch: Vec<B256>,
    /// The number of that checkpoint.
    stretch_at: u32,
    links: u32,
    root: B256,
}

impl Links {
    /// The chain of `links` links that ends in `seed`, which is the last of them. It hashes `links` times.
    ///
    /// The seed must be drawn anew for each cheque and be known to nobody.
    ///
    /// # Errors
    /// When there are more than [`LINKS_MAX`].
    pub fn new(seed: B256, links: u32) -> Result<Self, PayFault> {
        if links > LINKS_MAX {
            return Err(PayFault::TooManyLinks { got: links });
        }
        let mut checkpoints = Vec::with_capacity(links.div_ceil(CHECKPOINT_LINKS) as usize);
        let (mut link, mut left) = (seed, links);
        while left > 0 {
            checkpoints.push(link);
            let stretch = left.min(CHECKPOINT_LINKS);
            link = fold_links(link, stretch);
            left -= stretch;
        }
        Ok(Self { checkpoints, stretch: Vec::new(), stretch_at: 0, links, root: link })
    }

    /// What the cheque commits to.
    #[must_use]
    pub fn root(&self) -> B256 {
        self.root
    }

    /// How many links there are.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.links
    }

    /// Link `number`, from 1: to show it pays for all up to it. It hashes fewer than [`CHECKPOINT_LINKS`]
    /// times. There is none at 0 and behind the last.
    #[must_use]
    pub fn link(&self, number: u32) -> Option<B256> {
        let (at, step) = self.place_of(number)?;
        Some(fold_links(*self.checkpoints.get(at as usize)?, step))
    }

    /// The same for who asks for one after the other: it hashes fewer than [`CHECKPOINT_LINKS`] times for as
    /// many links.
    pub fn reveal(&mut self, number: u32) -> Option<B256> {
        let (at, step) = self.place_of(number)?;
        if self.stretch.is_empty() || self.stretch_at != at {
            let first = *self.checkpoints.get(at as usize)?;
            wipe(&mut self.stretch);
            // At once: what outgrows its place leaves a copy there.
            self.stretch.reserve_exact(CHECKPOINT_LINKS as usize);
            let stretch = iter::successors(Some(first), |link| Some(keccak256(link)));
            self.stretch.extend(stretch.take(CHECKPOINT_LINKS as usize));
            self.stretch_at = at;
        }
        self.stretch.get(step as usize).copied()
    }

    /// The checkpoint before a link on the way from the seed, and how far behind that the link is.
    fn place_of(&self, number: u32) -> Option<(u32, u32)> {
        let from_seed = self.links.checked_sub(number).filter(|_| number > 0)?;
        Some((from_seed / CHECKPOINT_LINKS, from_seed % CHECKPOINT_LINKS))
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        wipe(&mut self.checkpoints);
        wipe(&mut self.stretch);
    }
}

fn wipe(links: &mut Vec<B256>) {
    links.iter_mut().for_each(|link| link.0.zeroize());
    links.clear();
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { links, root, .. } = self;
        f.debug_struct("Links").field("links", links).field("root", root).finish_non_exhaustive()
    }
}

/// The seller's side of a chain: the best link so far. New ones are followed to it, never to the root.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Held {
    number: u32,
    link: B256,
    links: u32,
}

impl Held {
    /// Nothing yet of the chain of a cheque with this root.
    ///
    /// # Errors
    /// When there are more than [`LINKS_MAX`].
    pub fn new(root: B256, links: u32) -> Result<Self, PayFault> {
        if links > LINKS_MAX {
            return Err(PayFault::TooManyLinks { got: links });
        }
        Ok(Self { number: 0, link: root, links })
    }

    /// What was held when it was written down. It is not checked again.
    #[must_use]
    pub fn resume(number: u32, link: B256, links: u32) -> Self {
        Self { number, link, links }
    }

    /// How many links have come.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The last of them; the root while there is none.
    #[must_use]
    pub fn link(&self) -> B256 {
        self.link
    }

    /// Takes link `number` and answers how many links it pays for: 0 for one that is no news, at which it
    /// does not look. Any number may be skipped; each costs one hash, at most [`LINKS_MAX`] in one call.
    ///
    /// # Errors
    /// When the link lies behind the last, or does not lead to the one held. What is held stays.
    pub fn take(&mut self, number: u32, link: B256) -> Result<u32, PayFault> {
        if number > self.links {
            return Err(PayFault::LinkBeyondEnd { got: number, links: self.links });
        }
        let news = number.saturating_sub(self.number);
        if news == 0 {
            return Ok(0);
        }
        if fold_links(link, news) != self.link {
            return Err(PayFault::BrokenLink { got: number });
        }
        (self.number, self.link) = (number, link);
        Ok(news)
    }
}
