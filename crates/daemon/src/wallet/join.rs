//! A network is joined: its file is believed only after its servers were asked.

use super::fault::WalletFault;
use super::room::patience;
use crate::market::MarketRoom;
use crate::shared::Shared;
use piecework_settle::{CheckFault, Client, Network, Trust};
use std::sync::Arc;

/// What a network file says, and what its servers say of it.
#[derive(Clone, Debug)]
pub struct NetworkLook {
    /// The file. Its contracts and tokens are on the chain as it says.
    pub network: Network,
    /// Whom that rests on.
    pub trust: Trust,
    /// Why others of its servers do not confirm it.
    pub failed: Vec<CheckFault>,
}

/// Nothing is kept of it.
pub(super) fn look(shared: &Arc<Shared>, file: &str) -> Result<NetworkLook, WalletFault> {
    // That the one before cannot be read is no fault of this file.
    shared.wallet.network()?;
    let network = Network::parse(file)?;
    network.demand_free(shared.wallet.state()?)?;
    let (client, checked) = Client::connect(network, patience())?;
    let network = client.network().clone();
    Ok(NetworkLook { network, trust: checked.trust, failed: checked.failed })
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
