//! Paid lanes of a daemon: which torrents want one, and what faces see of the market.
//!
//! Owns the merchant, who trades for the whole node, and passes on what settings and people say. It decides
//! nothing about money; a daemon without a wallet or a network does without all of this.

mod room;
mod told;
mod view;

pub(crate) use room::MarketRoom;
pub use told::{Told, hold_text};
pub use view::{LaneWish, LaneWord, Market, lane_wish};

use crate::handle::Handle;
use crate::shared::Shared;
use piecework_catalog::Refusal;
use piecework_types::InfoHash;
use std::sync::Arc;

impl Handle {
    /// What the node sells and buys.
    ///
    /// # Errors
    /// When it cannot trade: why, and what to do.
    pub async fn market(&self) -> Result<Market, Refusal> {
        let shared = Arc::clone(self.shared());
        self.shared().aside(move || shared.market.look(&shared)).await?
    }

    /// How fast a torrent is wanted from now on, and what that may cost; `None` for the free lane.
    ///
    /// # Errors
    /// When the node cannot trade, or it cannot be written down.
    pub async fn set_lane(&self, id: InfoHash, wish: Option<LaneWish>) -> Result<(), Refusal> {
        let shared = Arc::clone(self.shared());
        self.shared().aside(move || shared.market.set_lane(&shared, id, wish)).await?
    }
}

impl Shared {
    /// A torrent takes part: its lane counts from now on.
    pub(crate) fn lane_counts(&self, id: InfoHash) {
        self.market.want(self, id);
    }
}
