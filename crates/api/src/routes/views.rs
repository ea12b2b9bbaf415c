//! What answers are made of, where they are no torrents.

use piecework_access::Key;
use piecework_daemon::{Level, News, NodeFigures};
use piecework_node::{
    MappingStatus, PeerSource, PeerStatus, TrackerState, TrackerStatus, WebSeedStatus,
};
use serde::Serialize;
use utoipa::ToSchema;

/// Figures of the whole node.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Node)]
pub(crate) struct NodeView {
    /// The program's version.
    version: &'static str,
    /// Unix seconds at its start.
    started_at: u64,
    /// Payload received in this run.
    down_bytes: u64,
    /// Payload sent in this run.
    up_bytes: u64,
    /// Payload received in all runs.
    all_down_bytes: u64,
    /// Payload sent in all runs.
    all_up_bytes: u64,
    /// Payload received a second.
    down_rate: u64,
    /// Payload sent a second.
    up_rate: u64,
    /// Limit in force of what is received, bytes a second.
    down_limit: Option<u64>,
    /// Limit in force of what is sent, bytes a second.
    up_limit: Option<u64>,
    /// The alternative limits hold.
    is_alternative: bool,
    /// Connected peers.
    peers: u32,
    /// Nodes in the tables of the DHT; absent without one.
    dht_nodes: Option<u32>,
    /// The port that peers reach us on.
    port: u16,
    /// A peer has come to us by itself.
    is_reachable: bool,
    /// Our addresses as most peers, trackers and nodes see them; at most one of IPv4 and one of IPv6.
    seen_at: Vec<String>,
    /// The port at which we are reached there: that of the gateway, if it maps ours.
    outside_port: u16,
    /// How the port is mapped at the gateway: none was asked, there is none, it is being asked, it maps
    /// ours, or it does not.
    #[schema(pattern = "^(off|absent|asking|mapped|failed)$")]
    mapping: &'static str,
    /// The same in words, with the reason.
    mapping_text: String,
    /// Free bytes where new torrents are saved.
    free_space: u64,
}

pub(crate) fn node(node: &NodeFigures) -> NodeView {
    NodeView {
        version: env!("CARGO_PKG_VERSION"),
        started_at: node.started_at,
        down_bytes: node.down_bytes,
        up_bytes: node.up_bytes,
        all_down_bytes: node.all_down_bytes,
        all_up_bytes: node.all_up_bytes,
        down_rate: node.down_rate,
        up_rate: node.up_rate,
        down_limit: node.down_limit,
        up_limit: node.up_limit,
        is_alternative: node.is_alternative,
        peers: node.peers,
        dht_nodes: node.dht_nodes,
        port: node.port,
        is_reachable: node.is_reachable,
        seen_at: node.seen_at.iter().map(ToString::to_string).collect(),
        outside_port: node.outside_port,
        mapping: node.mapping.as_ref().map_or("off", MappingStatus::word),
        mapping_text: match &node.mapping {
            Some(status) => status.to_string(),
            None => "off: no gateway was asked".to_owned(),
        },
        free_space: node.free_space,
    }
}

/// Something that happened.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = News)]
pub(crate) struct NewsView {
    /// Grows by one each time.
    number: u64,
    /// Milliseconds since 1970.
    at_ms: u64,
    /// How serious it is.
    #[schema(pattern = "^(info|warning|error)$")]
    level: &'static str,
    /// Which torrent it is about.
    torrent: Option<String>,
    /// A stable word for scripts.
    code: &'static str,
    /// Cause and remedy on one line.
    text: String,
}

pub(crate) fn news(news: &News) -> NewsView {
    NewsView {
        number: news.number,
        at_ms: news.at_ms,
        level: match news.level {
            Level::Info => "info",
            Level::Warning => "warning",
            Level::Error => "error",
        },
        torrent: news.torrent.map(|id| id.to_string()),
        code: news.code,
        text: news.text.clone(),
    }
}

/// A connected peer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Peer)]
pub(crate) struct PeerView {
    /// Its side of the connection.
    address: String,
    /// Its program, as it calls itself.
    client: String,
    is_outgoing: bool,
    is_encrypted: bool,
    /// We do not answer its requests.
    am_choking: bool,
    /// It has something that we want.
    am_interested: bool,
    /// It does not answer our requests.
    is_choking: bool,
    /// We have something that it wants.
    is_interested: bool,
    /// It unchoked us and sends nothing.
    is_snubbed: bool,
    /// It took over twice what it says it has and 64 MiB more: while we seed it is served last.
    is_free_rider: bool,
    /// What it has, in thousandths.
    progress_milli: u32,
    /// Payload received from it, bytes a second.
    down_rate: u64,
    /// Payload sent to it, bytes a second.
    up_rate: u64,
    /// Payload received from it.
    down_bytes: u64,
    /// Payload sent to it.
    up_bytes: u64,
    /// How it was heard of.
    #[schema(pattern = "^(given|tracker|exchange|dht|nearby|incoming)$")]
    source: &'static str,
    /// How long it has been connected.
    connected_seconds: u64,
}

pub(crate) fn peer(peer: &PeerStatus) -> PeerView {
    PeerView {
        address: peer.address.to_string(),
        client: peer.client.clone(),
        is_outgoing: peer.is_outgoing,
        is_encrypted: peer.is_encrypted,
        am_choking: peer.am_choking,
        am_interested: peer.am_interested,
        is_choking: peer.is_choking,
        is_interested: peer.is_interested,
        is_snubbed: peer.is_snubbed,
        is_free_rider: peer.is_free_rider,
        progress_milli: peer.progress_milli,
        down_rate: peer.down_rate,
        up_rate: peer.up_rate,
        down_bytes: peer.down_bytes,
        up_bytes: peer.up_bytes,
        source: match peer.source {
            PeerSource::Given => "given",
            PeerSource::Tracker => "tracker",
            PeerSource::Exchange => "exchange",
            PeerSource::Dht => "dht",
            PeerSource::Nearby => "nearby",
            PeerSource::Incoming => "incoming",
        },
        connected_seconds: peer.connected_for.as_secs(),
    }
}

/// A tracker of a torrent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Tracker)]
pub(crate) struct TrackerView {
    /// Its host.
    host: String,
    /// Its whole address, which may hold a passkey; told to whoever may change it.
    url: Option<String>,
    /// From 0 on.
    tier: u32,
    #[schema(pattern = "^(not_contacted|updating|working|failing)$")]
    state: &'static str,
    /// Its last answer, or why there was none.
    message: String,
    /// Seeds as it last said.
    seeds: Option<u32>,
    /// Peers that are no seeds, as it last said.
    peers: Option<u32>,
    /// Downloads ever completed, as it last said.
    downloaded: Option<u32>,
    /// Until the next announce.
    next_seconds: Option<u64>,
}

pub(crate) fn tracker(tracker: &TrackerStatus, is_whole: bool) -> TrackerView {
    TrackerView {
        host: tracker.host.clone(),
        url: is_whole.then(|| tracker.url.as_str().to_owned()),
        tier: tracker.tier,
        state: match tracker.state {
            TrackerState::NotContacted => "not_contacted",
            TrackerState::Updating => "updating",
            TrackerState::Working => "working",
            TrackerState::Failing => "failing",
        },
        message: tracker.message.clone(),
        seeds: tracker.seeds,
        peers: tracker.leechers,
        downloaded: tracker.downloaded,
        next_seconds: tracker.next_in.map(|wait| wait.as_secs()),
    }
}

/// An HTTP server that has the files.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebSeed)]
pub(crate) struct WebSeedView {
    /// Its address, without secrets.
    url: String,
    /// Why its last fetch failed, if one did.
    message: String,
    /// It is asked for nothing any more.
    is_dropped: bool,
}

pub(crate) fn web_seed(seed: &WebSeedStatus) -> WebSeedView {
    WebSeedView {
        url: seed.url.clone(),
        message: seed.message.clone(),
        is_dropped: seed.is_dropped,
    }
}

/// An API key without its secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Key)]
pub(crate) struct KeyView {
    id: u32,
    /// What it is for.
    name: String,
    /// What it is answered: `read`, `control`, `spend`.
    scopes: Vec<&'static str>,
    /// Unix seconds.
    created_at: u64,
}

pub(crate) fn key(key: &Key) -> KeyView {
    KeyView {
        id: key.id.0,
        name: key.name.clone(),
        scopes: key.scopes.words(),
        created_at: key.created_at,
    }
}
