//! A network is joined: its file is believed only after its servers were asked.

use super::fault::{WalletFault, WalletTrouble};
use crate::market::MarketRoom;
use crate::shared::Shared;
use piecework_settle::{CheckFault, Client, Network, NetworkFault, Patience, Trust};
use std::sync::Arc;

/// How often a server is asked in vain, for somebody who waits.
const TRIES: u32 = 2;

/// What a network file says, and what its servers say of it.
#[derive(Clone, Debug)]
pub struct NetworkLook {
    /// The file. Its contracts and tokens are on the chain as it says.
    pub network: Network,
    /// Whom that rests on.
    pub trust: Trust,
    /// Why others of its servers do not confirm it.
    pub failed: Vec<CheckFault>,
    /// The wallet signs for it already.
    pub is_joined: bool,
}

/// Nothing is kept of it.
pub(super) fn look(shared: &Arc<Shared>, file: &str) -> Result<NetworkLook, WalletFault> {
    let state = shared.wallet.state()?;
    let network = Network::parse(file)?;
    network.demand_free(state)?;
    let is_joined = Network::pinned(state)?.is_some();
    let patience = Patience { tries: TRIES, ..Patience::default() };
    let (client, checked) = Client::connect(network, patience)?;
    let network = client.network().clone();
    Ok(NetworkLook { network, trust: checked.trust, failed: checked.failed, is_joined })
}

pub(super) fn join(shared: &Arc<Shared>, file: &str) -> Result<(), WalletFault> {
    let looked = look(shared, file)?;
    looked.network.pin(shared.wallet.state()?)?;
    tracing::info!(network = %looked.network.name, chain = looked.network.chain_id, "joined");
    shared.wallet.forget_link();
    MarketRoom::reopen(shared);
    shared.wallet.changed();
    Ok(())
}

impl From<NetworkFault> for WalletFault {
    fn from(fault: NetworkFault) -> Self {
        let trouble = match fault {
            NetworkFault::Another { .. } => WalletTrouble::AnotherNetwork,
            NetworkFault::File { .. } | NetworkFault::Unwritten { .. } => WalletTrouble::Failed,
            NetworkFault::Form(_)
            | NetworkFault::Newer { .. }
            | NetworkFault::TooLong { .. }
            | NetworkFault::Bounds { .. } => WalletTrouble::Invalid,
        };
        Self::new(trouble, fault)
    }
}
