//! Payments of an engine: the machines of `piecework_pay` on a thread of their own, between the shards and a
//! [`PayHost`].
//!
//! Shards tell the thread once a turn who speaks of payments, what was said and what was counted; it answers
//! with orders for their machines. It decides nothing: prices, credit and budgets are the machines', the
//! drive and the chain are the host's. Its invariant: nothing leaves that depends on a record which the host
//! has not written.

mod handle;
mod host;
mod inbox;
mod lanes;
mod thread;
mod times;
mod view;
mod wishes;
mod writes;

pub use handle::{PayHandle, SellRefused};
pub use host::{PaidTime, PayConfig, PayError, PayHost, PayNews, PayWish};
pub use view::{PayBuyer, PaySeller, PayTorrent, PayView};

pub(crate) use inbox::{Inbox, Meet, Note};
pub(crate) use thread::{Driver, PayOrder, Start};
