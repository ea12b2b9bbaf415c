//! A network is looked at, and joined.

use super::WalletView;
use crate::extract::Json;
use crate::problem::Problem;
use crate::state::{Api, Who};
use axum::Extension;
use axum::extract::State;
use piecework_access::Scope;
use piecework_daemon::NetworkLook;
use piecework_settle::{Money, Trust};
use piecework_wallet::hex_address;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A network file.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NetworkFile {
    /// Its text, as `piecework chain share` writes it.
    file: String,
}

/// What a network file says, which its servers have confirmed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NetworkLook)]
pub(crate) struct NetworkLookView {
    name: String,
    chain_id: u64,
    /// The hash of its first block: by it two people see that they mean the same chain.
    genesis: String,
    /// Amounts are worth nothing outside of it.
    is_test_money: bool,
    /// The short name of its coin.
    coin: String,
    tokens: Vec<NetworkToken>,
    /// Who confirms it.
    servers: Vec<String>,
    /// One operator alone confirms it, who can make up all that it says.
    is_one_operator: bool,
    /// Why others of its servers do not.
    failed: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct NetworkToken {
    address: String,
    name: String,
    symbol: String,
    decimals: u8,
}

fn view(look: NetworkLook) -> NetworkLookView {
    let NetworkLook { network, trust, failed } = look;
    let (servers, is_one_operator) = match trust {
        Trust::OneOperator { server } => (vec![server], true),
        Trust::Witnesses { servers } => (servers, false),
    };
    let tokens = network.tokens.into_iter().map(|token| NetworkToken {
        address: hex_address(&token.address),
        name: token.name,
        symbol: token.symbol,
        decimals: token.decimals,
    });
    NetworkLookView {
        name: network.name,
        chain_id: network.chain_id,
        genesis: network.genesis.to_string(),
        is_test_money: network.money == Money::Test,
        coin: network.coin.symbol,
        tokens: tokens.collect(),
        servers,
        is_one_operator,
        failed: failed.iter().map(ToString::to_string).collect(),
    }
}

/// Look at a network file
///
/// Its servers are asked whether it is true: the chain, the code of its contracts, what its tokens say of
/// themselves. Nothing is kept. Needs the scope `spend`, for the node asks whom the file names.
#[utoipa::path(post, path = "/wallet/network:look", tag = "wallet", request_body = NetworkFile,
    responses((status = 200, description = "What it says.", body = NetworkLookView)))]
pub(crate) async fn look(
    State(api): State<Api>,
    Extension(who): Extension<Who>,
    Json(asked): Json<NetworkFile>,
) -> Result<Json<NetworkLookView>, Problem> {
    who.needs(Scope::Spend)?;
    Ok(Json(view(api.daemon.look_at_network(asked.file).await?)))
}

/// Join a network
///
/// Its servers are asked as when it is looked at. From then on the wallet signs for this network and no
/// other, and the node can trade on it without a restart. Needs the scope `spend`.
#[utoipa::path(post, path = "/wallet/network", tag = "wallet", request_body = NetworkFile,
    responses((status = 200, description = "The wallet.", body = WalletView)))]
pub(crate) async fn join(
    State(api): State<Api>,
    Extension(who): Extension<Who>,
    Json(asked): Json<NetworkFile>,
) -> Result<Json<WalletView>, Problem> {
    who.needs(Scope::Spend)?;
    api.daemon.join_network(asked.file).await?;
    super::wallet(State(api)).await
}
