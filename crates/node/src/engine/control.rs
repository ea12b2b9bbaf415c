//! What the faces may change while torrents run. Nothing here waits for a drive or a peer; a torrent that
//! does not exist any more changes nothing.

use super::Engine;
use crate::config::{FilePriorities, Playback};
use crate::control::{Control, PeerStatus};
use crate::event::TorrentKey;
#[cfg(doc)]
use crate::event::What;
use crate::shard::Command;
use piecework_swarm::PieceState;
use std::net::{IpAddr, SocketAddr};
use std::sync::PoisonError;

impl Engine {
    /// Limits of the node from now on, bytes a second; `None` for none, 0 lets nothing pass.
    pub fn set_limits(&self, down: Option<u64>, up: Option<u64>) {
        let now = self.clock.now();
        self.shared.limits.down.set(down, now);
        self.shared.limits.up.set(up, now);
        self.shards.iter().for_each(|(shard, _)| shard.send(Command::LimitsChanged));
    }

    /// Limits of a torrent from now on, bytes a second; `None` for none, 0 lets nothing pass.
    pub fn set_torrent_limits(&self, key: TorrentKey, down: Option<u64>, up: Option<u64>) {
        self.control(key, Control::Limits { down, up });
    }

    /// Which files are wanted from now on, and how much; also of a complete torrent, which then fetches what
    /// it lacks. A file that is wanted no longer stays as it is. Means nothing to a torrent that only seeds.
    pub fn set_priorities(&self, key: TorrentKey, priorities: FilePriorities) {
        self.control(key, Control::Priorities(priorities));
    }

    /// Whether pieces are asked for in order.
    pub fn set_sequential(&self, key: TorrentKey, is_sequential: bool) {
        self.control(key, Control::Sequential(is_sequential));
    }

    /// Whether a complete torrent shows each peer few pieces (BEP 16); peers that come from now on.
    pub fn set_super_seed(&self, key: TorrentKey, is_super_seed: bool) {
        self.control(key, Control::SuperSeed(is_super_seed));
    }

    /// Whether the first and the last pieces of each wanted file are asked for before all others.
    pub fn set_edges_first(&self, key: TorrentKey, edges_first: bool) {
        self.control(key, Control::EdgesFirst(edges_first));
    }

    /// Hashes everything again, whatever is known of it. Peers are let go meanwhile; [`What::Checked`]
    /// tells the end, and what is found missing is fetched again.
    pub fn recheck(&self, key: TorrentKey) {
        self.control(key, Control::Recheck);
    }

    /// Announces to the trackers as soon as the last announce is a minute old.
    pub fn reannounce(&self, key: TorrentKey) {
        self.control(key, Control::Reannounce);
    }

    /// Other trackers from now on, by tier. Those that stay go on as they were; the others are told that the
    /// torrent stops. Whether it is private does not change with them.
    pub fn set_trackers(&self, key: TorrentKey, tiers: Vec<Vec<String>>) {
        self.control(key, Control::Trackers(tiers));
    }

    /// Peers to try, as [`AddTorrent::peers`](crate::AddTorrent::peers).
    pub fn add_peers(&self, key: TorrentKey, peers: Vec<SocketAddr>) {
        self.control(key, Control::AddPeers(peers));
    }

    /// Refuses an address for all torrents until the engine ends, and closes connections to it. Beyond
    /// 10,000 the lowest one is forgotten.
    pub fn ban(&self, ip: IpAddr) {
        let ip = ip.to_canonical();
        self.shared.bans.insert(ip);
        self.shards.iter().for_each(|(shard, _)| shard.send(Command::Ban { ip }));
    }

    /// Refuses an address no longer, in any torrent and whatever it was banned for. It is connected to as
    /// soon as it is heard of again.
    pub fn lift_ban(&self, ip: IpAddr) {
        let ip = ip.to_canonical();
        self.shared.bans.remove(ip);
        self.shards.iter().for_each(|(shard, _)| shard.send(Command::LiftBan { ip }));
    }

    /// Hands the connected peers of a torrent to `reply`, on a thread that has sockets to serve: it must
    /// return at once and must not call the engine. Dropped without a call if there is no such torrent.
    pub fn peers(&self, key: TorrentKey, reply: impl FnOnce(Vec<PeerStatus>) + Send + 'static) {
        self.control(key, Control::Peers(Box::new(reply)));
    }

    /// Hands the state of each piece to `reply`, as [`Self::peers`] does; none while they are unknown.
    pub fn piece_states(
        &self,
        key: TorrentKey,
        reply: impl FnOnce(Vec<PieceState>) + Send + 'static,
    ) {
        self.control(key, Control::PieceStates(Box::new(reply)));
    }

    /// From now on what a reader needs next is fetched before anything else; `None` ends that. A new call
    /// takes the place of the last one, so call it again after a seek. May be called before the files
    /// are known. Nothing that is not wanted is fetched for it, and a file that does not exist ends it.
    pub fn stream(&self, key: TorrentKey, playback: Option<Playback>) {
        self.command(key, Command::Stream { key, playback });
    }

    fn control(&self, key: TorrentKey, control: Control) {
        self.command(key, Command::Control { key, control });
    }

    fn command(&self, key: TorrentKey, command: Command) {
        let torrents = self.torrents.lock().unwrap_or_else(PoisonError::into_inner);
        let shard = torrents.get(&key).map(|loaded| loaded.shard);
        // A shard that is busy lets its sender wait: nobody else is to wait with it.
        drop(torrents);
        if let Some(shard) = shard {
            self.shards[shard].0.send(command);
        }
    }
}
