//! DHTs of the private network: one of libtorrent's nodes, and one of nothing but ours.

use std::net::SocketAddr;

use super::libtorrent::{driver, event};
use super::{Client, Family, Job, Peer};
use crate::failure::{Context as _, Outcome};
use crate::lab::Room;
use crate::netns::Host;
use crate::process::Process;
use crate::torrent::Torrent;

/// Nodes of a DHT of ours: as many as an item is stored at.
const OURS: usize = 8;

/// libtorrent's nodes: sessions of one process, each at an address of its own.
#[derive(Debug)]
pub(crate) struct LibtorrentNodes {
    /// Alive as long as they are wanted.
    _process: Process,
    router: SocketAddr,
}

impl LibtorrentNodes {
    /// Starts them; comes back when they know one another.
    pub(crate) fn start(room: &Room<'_>, family: Family) -> Outcome<Self> {
        let addresses = Host::DHT.map(|host| family.address(host).to_string());
        let mut process = driver(&room.home("nodes")?).arg("nodes").args(addresses).start()?;
        let router = process.wait_line("a DHT of libtorrent's", room.deadline, |line| {
            let ready = event(line)?.filter(|event| event["event"] == "ready");
            Ok(ready.and_then(|event| event["router"].as_str().map(str::to_owned)))
        })?;
        let router = router.parse().context(|| "the address of a node")?;
        Ok(Self { _process: process, router })
    }

    /// The node to enter by.
    pub(crate) const fn router(&self) -> SocketAddr {
        self.router
    }
}

/// Our nodes: seeders of one torrent, each a process with a port of its own.
pub(crate) struct OurNodes {
    peers: Vec<Box<dyn Peer>>,
    router: SocketAddr,
}

impl OurNodes {
    /// Starts them, with `entry` as the node to enter by, or as a DHT of their own.
    pub(crate) fn start(
        room: &Room<'_>,
        torrent: &Torrent,
        entry: Option<SocketAddr>,
    ) -> Outcome<Self> {
        let data = room.lab.single()?.parent();
        // Nobody is there; it only says that the DHT is one of local addresses.
        let nobody = SocketAddr::new(Host::ASKER.v4(), 9);
        let mut router = entry;
        let mut peers = Vec::new();
        for _ in 0..OURS {
            let home = room.home("node")?;
            let mut job = Job::new(torrent, data, &home);
            job.dht_router = router.or(Some(nobody));
            job.trust = true;
            let peer = room.ours()?.seed(&job, room.deadline)?;
            // The DHT has the number of the TCP port.
            router = router.or_else(|| Some(peer.address()));
            peers.push(peer);
        }
        Ok(Self { peers, router: router.unwrap_or(nobody) })
    }

    /// The node to enter by.
    pub(crate) const fn router(&self) -> SocketAddr {
        self.router
    }

    /// Ends them all.
    pub(crate) fn stop(mut self) -> Outcome<()> {
        self.peers.iter_mut().try_for_each(|peer| peer.stop())
    }
}
