//! The cashier of a node: joins its payments to the ledger and to a chain.
//!
//! `node` has a thread of payments that never waits. What it wants of the outside it says to a
//! [`PayHost`](piecework_node::PayHost): here that is [`Cashier::host`], which writes to the ledger at once
//! and hands everything else to a thread of its own. There a *clerk* asks the chain for facts, sends what is
//! to be cashed and looks after it, and watches the vault. A chain that is silent, or not the one that was
//! seen, gets no questions for a while; everybody who asks meanwhile hears that there is no answer.
//!
//! A restart: what the ledger has of sales is cashed by the till's rules, after the chain was asked what it
//! has of them already; what happened meanwhile is found where an earlier run stopped watching.
//!
//! The order in which to read: `cashier` (threads), `clerk` with `clerk/cashing` and `clerk/watching`, then
//! `facts` (what a till reckons with) and [`payers()`] (what a purse pays from).
//!
//! Beside it stands the [`Treasury`]: what the owner of the wallet does with it on the chain, by whichever
//! face. It asks and sends for itself.
//!
//! This crate must not know sockets, pieces, settings or what people are shown.

mod cashier;
mod clerk;
mod cursor;
mod desk;
mod facts;
mod fee_key;
mod link;
mod merchant;
mod payers;
mod status;
mod treasury;
mod wall;

pub use cashier::{Cashier, CashierConfig, CashierFault, networks};
pub use desk::OwnAccount;
pub use fee_key::{FEE_KEY_FILE, FeeKeyFault, fee_key};
pub use link::is_down;
pub use merchant::{Merchant, MerchantConfig, MerchantFault, Trust};
pub use payers::{PayersFault, payers};
pub use status::{ChainState, Status, WAITING_MAX, WaitingSale};
pub use treasury::{Taking, Treasury, TreasuryFault, WRITTEN_MAX, Written, owner};
pub use wall::WallClock;

#[cfg(test)]
mod tests;
