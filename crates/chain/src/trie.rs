//! Ethereum's Merkle-Patricia trie over hashed keys, in memory and incremental: what is touched is hashed
//! again.
//!
//! Owns: the shape of the trie and the hashes of what has not changed since. Invariant: a node without a
//! cached reference has no ancestor with one. Must not know: what the values mean.

use alloy_primitives::{B256, keccak256};
use alloy_trie::nodes::{BranchNodeRef, ExtensionNodeRef, LeafNodeRef, RlpNode};
use alloy_trie::{EMPTY_ROOT_HASH, Nibbles, TrieMask};

/// Nibbles of a key; all keys have the same length, so no branch carries a value.
const KEY_NIBBLES: usize = 64;

/// A trie from 32-byte keys, which the caller has hashed, to values in RLP.
#[derive(Debug, Default)]
pub struct Trie {
    root: Option<Box<Node>>,
}

#[derive(Debug)]
struct Node {
    kind: Kind,
    /// How the parent names this node; `None` since something below changed. It depends on the node's depth.
    reference: Option<RlpNode>,
}

#[derive(Debug)]
enum Kind {
    Leaf {
        key: B256,
        value: Box<[u8]>,
    },
    /// From the node's depth to `end` all keys below agree with `key`; the child is a branch.
    Extension {
        key: B256,
        end: usize,
        child: Box<Node>,
    },
    /// At least two children.
    Branch {
        children: [Option<Box<Node>>; 16],
    },
}

impl Trie {
    /// Sets the value of a key; an empty value removes the key, as absent and empty are one in a trie.
    pub fn set(&mut self, key: B256, value: &[u8]) {
        self.root = if value.is_empty() {
            self.root.take().and_then(|root| remove(root, 0, &key))
        } else {
            Some(match self.root.take() {
                Some(root) => insert(root, 0, key, value),
                None => Node::leaf(key, value),
            })
        };
    }

    /// The root hash, [`EMPTY_ROOT_HASH`] of an empty trie. Costs what changed since the last call.
    pub fn root(&mut self) -> B256 {
        let Some(root) = &mut self.root else {
            return EMPTY_ROOT_HASH;
        };
        let mut buffer = Vec::with_capacity(600);
        let reference = root.reference(0, &mut buffer);
        reference.as_hash().unwrap_or_else(|| keccak256(&reference[..]))
    }

    /// Whether no key has a value.
    pub fn is_empty(&self) -> bool {
        self.root.is_none()
    }
}

impl Node {
    fn new(kind: Kind) -> Box<Self> {
        Box::new(Self { kind, reference: None })
    }

    fn leaf(key: B256, value: &[u8]) -> Box<Self> {
        Self::new(Kind::Leaf { key, value: value.into() })
    }

    /// `child` below the nibbles of `key` from `start` to `end`, without an extension where there are none.
    fn extension(key: B256, start: usize, end: usize, child: Box<Self>) -> Box<Self> {
        if start == end { child } else { Self::new(Kind::Extension { key, end, child }) }
    }

    fn reference(&mut self, depth: usize, buffer: &mut Vec<u8>) -> RlpNode {
        if let Some(reference) = &self.reference {
            return reference.clone();
        }
        let reference = match &mut self.kind {
            Kind::Leaf { key, value } => {
                buffer.clear();
                LeafNodeRef::new(&path(key, depth, KEY_NIBBLES), value).rlp(buffer)
            }
            Kind::Extension { key, end, child } => {
                let child = child.reference(*end, buffer);
                buffer.clear();
                ExtensionNodeRef::new(&path(key, depth, *end), &child).rlp(buffer)
            }
            Kind::Branch { children } => {
                let mut stack = Vec::with_capacity(16);
                let mut mask = TrieMask::default();
                for (index, child) in (0_u8..).zip(children.iter_mut()) {
                    if let Some(child) = child {
                        stack.push(child.reference(depth + 1, buffer));
                        mask.set_bit(index);
                    }
                }
                buffer.clear();
                BranchNodeRef::new(&stack, mask).rlp(buffer)
            }
        };
        self.reference = Some(reference.clone());
        reference
    }
}

fn insert(mut node: Box<Node>, depth: usize, key: B256, value: &[u8]) -> Box<Node> {
    node.reference = None;
    match &mut node.kind {
        Kind::Leaf { key: there, value: old } => {
            let Some(fork) = first_difference(there, &key, depth, KEY_NIBBLES) else {
                *old = value.into();
                return node;
            };
            let there = *there;
            let branch = fork_at(fork, (&there, node), (&key, Node::leaf(key, value)));
            Node::extension(key, depth, fork, branch)
        }
        Kind::Extension { key: there, end, child } => {
            let Some(fork) = first_difference(there, &key, depth, *end) else {
                let end = *end;
                replace(child, |child| insert(child, end, key, value));
                return node;
            };
            let (there, end) = (*there, *end);
            let Kind::Extension { child, .. } = node.kind else {
                unreachable!("the node was matched as an extension above")
            };
            let below = Node::extension(there, fork + 1, end, child);
            let branch = fork_at(fork, (&there, below), (&key, Node::leaf(key, value)));
            Node::extension(key, depth, fork, branch)
        }
        Kind::Branch { children } => {
            let child = &mut children[nibble(&key, depth)];
            *child = Some(match child.take() {
                Some(child) => insert(child, depth + 1, key, value),
                None => Node::leaf(key, value),
            });
            node
        }
    }
}

/// What is left of `node` without `key`; untouched, with its hashes, where the key is absent.
fn remove(mut node: Box<Node>, depth: usize, key: &B256) -> Option<Box<Node>> {
    match &mut node.kind {
        Kind::Leaf { key: there, .. } => (there != key).then_some(node),
        Kind::Extension { key: there, end, .. } => {
            if first_difference(there, key, depth, *end).is_some() {
                return Some(node);
            }
            let (there, end) = (*there, *end);
            let Kind::Extension { child, .. } = node.kind else {
                unreachable!("the node was matched as an extension above")
            };
            let child = remove(child, end, key).expect("a branch holds two keys at least");
            Some(joined(there, end, child))
        }
        Kind::Branch { children } => {
            let slot = nibble(key, depth);
            let Some(child) = children[slot].take() else {
                return Some(node);
            };
            let was_clean = node.reference.take();
            children[slot] = remove(child, depth + 1, key);
            if let Some(child) = &children[slot] {
                // A child that kept its hash did not hold the key.
                if child.reference.is_some() {
                    node.reference = was_clean;
                }
                return Some(node);
            }
            let mut left = (0..16).filter(|slot| children[*slot].is_some());
            let (Some(only), None) = (left.next(), left.next()) else {
                return Some(node);
            };
            let child = children[only].take().expect("the slot was found occupied");
            Some(joined(with_nibble(key, depth, only), depth + 1, child))
        }
    }
}

/// `child`, which stood at depth `end`, moved up to wherever the nibbles of `key` before it begin.
fn joined(key: B256, end: usize, mut child: Box<Node>) -> Box<Node> {
    match child.kind {
        Kind::Branch { .. } => Node::new(Kind::Extension { key, end, child }),
        Kind::Leaf { .. } | Kind::Extension { .. } => {
            child.reference = None;
            child
        }
    }
}

fn fork_at(depth: usize, a: (&B256, Box<Node>), b: (&B256, Box<Node>)) -> Box<Node> {
    let mut children = [const { None }; 16];
    children[nibble(a.0, depth)] = Some(a.1);
    children[nibble(b.0, depth)] = Some(b.1);
    Node::new(Kind::Branch { children })
}

fn replace(place: &mut Box<Node>, with: impl FnOnce(Box<Node>) -> Box<Node>) {
    let empty =
        Box::new(Node { kind: Kind::Branch { children: Default::default() }, reference: None });
    *place = with(std::mem::replace(place, empty));
}

fn nibble(key: &B256, index: usize) -> usize {
    let byte = key[index / 2];
    usize::from(if index.is_multiple_of(2) { byte >> 4 } else { byte & 15 })
}

fn with_nibble(key: &B256, index: usize, nibble: usize) -> B256 {
    let mut key = *key;
    let nibble = (nibble & 15) as u8;
    let byte = &mut key[index / 2];
    *byte = if index.is_multiple_of(2) {
        (*byte & 15) | (nibble << 4)
    } else {
        (*byte & 0xf0) | nibble
    };
    key
}

fn first_difference(a: &B256, b: &B256, start: usize, end: usize) -> Option<usize> {
    (start..end).find(|index| nibble(a, *index) != nibble(b, *index))
}

fn path(key: &B256, start: usize, end: usize) -> Nibbles {
    Nibbles::unpack(key).slice(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_trie::HashBuilder;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn built(values: &BTreeMap<B256, Vec<u8>>) -> B256 {
        let mut builder = HashBuilder::default();
        for (key, value) in values {
            builder.add_leaf(Nibbles::unpack(key), value);
        }
        builder.root()
    }

    /// Keys that share long prefixes, so that extensions split and join, with values short enough to be
    /// inlined.
    fn keys() -> impl Strategy<Value = B256> {
        (prop::collection::vec(0_u8..3, 0..4), 0_u8..6, any::<bool>()).prop_map(
            |(head, tail, late)| {
                let mut key = B256::ZERO;
                let at = if late { 28 } else { 0 };
                key[at..at + head.len()].copy_from_slice(&head);
                key[31] = tail * 17;
                key
            },
        )
    }

    proptest! {
        #[test]
        fn any_order_of_changes_gives_the_root_that_building_anew_gives(
            changes in prop::collection::vec(
                (keys(), prop::collection::vec(1_u8.., 0..40), any::<bool>()), 1..60)
        ) {
            let (mut trie, mut values) = (Trie::default(), BTreeMap::new());
            for (key, value, look) in changes {
                trie.set(key, &value);
                if value.is_empty() {
                    values.remove(&key);
                } else {
                    values.insert(key, value);
                }
                if look {
                    prop_assert_eq!(trie.root(), built(&values));
                }
            }
            prop_assert_eq!(trie.root(), built(&values));
            prop_assert_eq!(trie.is_empty(), values.is_empty());
        }

        #[test]
        fn hashed_keys_give_the_root_that_building_anew_gives(
            changes in prop::collection::vec((0_u16..300, prop::collection::vec(1_u8.., 0..3)), 1..400)
        ) {
            let (mut trie, mut values) = (Trie::default(), BTreeMap::new());
            for (number, value) in changes {
                let key = keccak256(number.to_be_bytes());
                trie.set(key, &value);
                if value.is_empty() {
                    values.remove(&key);
                } else {
                    values.insert(key, value);
                }
            }
            prop_assert_eq!(trie.root(), built(&values));
        }
    }

    #[test]
    fn one_changed_value_changes_the_root_and_changing_it_back_restores_it() {
        let mut trie = Trie::default();
        for number in 0_u8..50 {
            trie.set(keccak256([number]), &[number + 1]);
        }
        let before = trie.root();
        trie.set(keccak256([7]), &[99]);
        assert_ne!(trie.root(), before);
        trie.set(keccak256([7]), &[8]);
        assert_eq!(trie.root(), before);
    }
}
