//! Speeds and limits of the whole node.

use crate::call::Call;
use crate::json::whole;
use crate::reply::{Answer, Fault, Reply};
use crate::serve::Server;
use piecework_catalog::Command;
use piecework_daemon::NodeFigures;
use serde_json::json;
use std::net::{IpAddr, SocketAddr};

/// Addresses of one ban.
const BANNED_MAX: usize = 1_000;

/// How well peers reach us, in this dialect's words.
pub(crate) const fn connection(node: &NodeFigures) -> &'static str {
    if node.is_reachable {
        "connected"
    } else if node.port > 0 {
        "firewalled"
    } else {
        "disconnected"
    }
}

/// `transfer/info`.
pub(crate) async fn info(server: &Server, _: &Call) -> Answer {
    let node = server.daemon.node();
    Ok(Reply::json(&json!({
        "connection_status": connection(&node),
        "dht_nodes": node.dht_nodes.unwrap_or(0),
        "dl_info_data": whole(node.down_bytes),
        "dl_info_speed": whole(node.down_rate),
        "dl_rate_limit": whole(node.down_limit.unwrap_or(0)),
        "up_info_data": whole(node.up_bytes),
        "up_info_speed": whole(node.up_rate),
        "up_rate_limit": whole(node.up_limit.unwrap_or(0)),
    })))
}

/// `transfer/speedLimitsMode`: 1 while the alternative speeds hold.
pub(crate) async fn mode(server: &Server, _: &Call) -> Answer {
    Ok(Reply::text(if server.daemon.catalog().is_alternative() { "1" } else { "0" }))
}

/// `transfer/setSpeedLimitsMode`.
pub(crate) async fn set_mode(server: &Server, call: &Call) -> Answer {
    let mode = call.required("mode")?;
    let is_alternative = match mode {
        "0" => false,
        "1" => true,
        _ => return Err(Fault::bad("mode is 0 or 1")),
    };
    server.daemon.command(Command::SetAlternative(is_alternative)).await?;
    Ok(Reply::Empty)
}

/// `transfer/toggleSpeedLimitsMode`.
pub(crate) async fn toggle_mode(server: &Server, _: &Call) -> Answer {
    let is_alternative = server.daemon.catalog().is_alternative();
    server.daemon.command(Command::SetAlternative(!is_alternative)).await?;
    Ok(Reply::Empty)
}

/// `transfer/downloadLimit`: bytes a second, 0 for none.
pub(crate) async fn down_limit(server: &Server, _: &Call) -> Answer {
    Ok(Reply::text(server.daemon.node().down_limit.unwrap_or(0).to_string()))
}

/// `transfer/uploadLimit`: bytes a second, 0 for none.
pub(crate) async fn up_limit(server: &Server, _: &Call) -> Answer {
    Ok(Reply::text(server.daemon.node().up_limit.unwrap_or(0).to_string()))
}

/// `transfer/setDownloadLimit`.
pub(crate) async fn set_down_limit(server: &Server, call: &Call) -> Answer {
    set_limit(server, call, ["speed.down", "speed.alternative_down"]).await
}

/// `transfer/setUploadLimit`.
pub(crate) async fn set_up_limit(server: &Server, call: &Call) -> Answer {
    set_limit(server, call, ["speed.up", "speed.alternative_up"]).await
}

/// The limit that holds now is set: the first setting, or the second while the alternative speeds hold.
async fn set_limit(server: &Server, call: &Call, settings: [&str; 2]) -> Answer {
    call.required("limit")?;
    let limit = call.number("limit").ok_or_else(|| Fault::bad("limit is a number"))?;
    let setting = settings[usize::from(server.daemon.catalog().is_alternative())];
    let value = if limit > 0 { limit.to_string() } else { "none".into() };
    server.daemon.set(vec![(setting.to_owned(), value)]).await?;
    Ok(Reply::Empty)
}

/// `transfer/banPeers`: addresses with ports, between bars. What is no address is left out.
pub(crate) async fn ban_peers(server: &Server, call: &Call) -> Answer {
    call.required("peers")?;
    let peers = call.list("peers", '|');
    let addresses: Vec<IpAddr> = peers
        .into_iter()
        .filter_map(|peer| peer.parse::<SocketAddr>().ok())
        .map(|peer| peer.ip())
        .take(BANNED_MAX)
        .collect();
    server.daemon.change_bans(move |bans| bans.extend(addresses)).await?;
    Ok(Reply::Empty)
}
