//! Peers of a torrent.

use crate::call::{Call, parse_hash};
use crate::json::{Datum, Object, whole};
use crate::reply::{Answer, Fault, Reply};
use crate::serve::Server;
use piecework_node::{PeerSource, PeerStatus};
use std::net::SocketAddr;

/// Addresses of one request.
const PEERS_MAX: usize = 1_000;

/// `sync/torrentPeers`: all of them each time. A torrent has tens of peers, and nearly all of their figures
/// change from one look to the next.
pub(crate) async fn peers(server: &Server, call: &Call) -> Answer {
    let id = call.torrent(&server.daemon.catalog())?;
    let peers = server.daemon.peers(id).await.unwrap_or_default();
    let mut out = Vec::with_capacity(64 + 512 * peers.len());
    let mut answer = Object::new(&mut out);
    answer.set("full_update", &Datum::Bool(true));
    let mut object = Object::new(answer.key("peers"));
    for peer in &peers {
        write_peer(object.key(&peer.address.to_string()), peer);
    }
    object.end();
    answer.number("rid", call.number("rid").unwrap_or(0).saturating_add(1));
    answer.set("show_flags", &Datum::Bool(false));
    answer.end();
    Ok(Reply::Json(out))
}

fn write_peer(out: &mut Vec<u8>, peer: &PeerStatus) {
    let flags = flags(peer);
    let letters: Vec<&str> = flags.iter().map(|(letter, _)| *letter).collect();
    let meanings: Vec<String> =
        flags.iter().map(|(letter, meaning)| format!("{letter} = {meaning}")).collect();
    let mut object = Object::new(out);
    object.text("client", &peer.client);
    object.text("connection", "BT");
    object.number("dl_speed", whole(peer.down_rate));
    object.number("downloaded", whole(peer.down_bytes));
    object.text("files", "");
    object.text("flags", &letters.join(" "));
    object.text("flags_desc", &meanings.join("\n"));
    object.text("ip", &peer.address.ip().to_string());
    object.number("port", peer.address.port().into());
    object.set("progress", &Datum::Milli(peer.progress_milli.into()));
    object.number("up_speed", whole(peer.up_rate));
    object.number("uploaded", whole(peer.up_bytes));
    object.end();
}

/// Letters with their meanings, as pages show them.
fn flags(peer: &PeerStatus) -> Vec<(&'static str, &'static str)> {
    let all = [
        (peer.am_interested && !peer.is_choking, "D", "we download from it"),
        (peer.am_interested && peer.is_choking, "d", "we want something, it does not answer"),
        (!peer.am_interested && !peer.is_choking, "K", "it would answer, we want nothing"),
        (peer.is_interested && !peer.am_choking, "U", "we upload to it"),
        (peer.is_interested && peer.am_choking, "u", "it wants something, we do not answer"),
        (!peer.is_interested && !peer.am_choking, "?", "we would answer, it wants nothing"),
        (peer.is_snubbed, "S", "it answers, but sends nothing"),
        (!peer.is_outgoing, "I", "it connected to us"),
        (peer.source == PeerSource::Dht, "H", "from the DHT"),
        (peer.source == PeerSource::Exchange, "X", "from peer exchange"),
        (peer.source == PeerSource::Nearby, "L", "from the local network"),
        (peer.is_encrypted, "e", "encrypted handshake"),
    ];
    all.into_iter().filter(|(holds, ..)| *holds).map(|(_, letter, text)| (letter, text)).collect()
}

/// `torrents/addPeers`: addresses with ports, between bars.
pub(crate) async fn add(server: &Server, call: &Call) -> Answer {
    call.required("peers")?;
    let named = call.list("peers", '|');
    let peers: Vec<SocketAddr> =
        named.iter().filter_map(|peer| peer.parse().ok()).take(PEERS_MAX).collect();
    if peers.is_empty() {
        return Err(Fault::bad("No valid peers were specified"));
    }
    call.required("hashes")?;
    let mut out = Vec::new();
    let mut object = Object::new(&mut out);
    for id in call.list("hashes", '|').into_iter().filter_map(parse_hash) {
        if server.daemon.catalog().get(id).is_none() {
            continue;
        }
        server.daemon.add_peers(id, peers.clone());
        let mut counts = Object::new(object.key(&id.to_string()));
        counts.number("added", i64::try_from(peers.len()).unwrap_or(i64::MAX));
        counts.number("failed", i64::try_from(named.len() - peers.len()).unwrap_or(i64::MAX));
        counts.end();
    }
    object.end();
    Ok(Reply::Json(out))
}
