//! The distributed hash table.

mod bloom;
mod contact;
mod id;
mod item;
pub mod krpc;

pub use bloom::BloomFilter;
pub use contact::{AddressPolicy, Contact, Family};
pub use id::{Distance, NodeId};
pub use item::{
    ImmutableItem, Item, ItemFault, MutableItem, MutableName, PublicKey, Signature, SigningKey,
    torrent_pointer,
};
