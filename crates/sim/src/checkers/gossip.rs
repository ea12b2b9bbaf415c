//! What gossip may make a node do, and what it must not bear.

use super::{Checker, Expected};
use crate::client::{address_of, node_of};
use crate::facts::Facts;
use crate::seen::{EndId, Scene, Seen};
use piecework_types::Time;
use piecework_wire::Message;
use piecework_wire::extension::{Extension, HANDSHAKE_ID};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Ports of one host that strangers may make a node dial, and addresses on the word of each of them:
/// an eighth of the 500 that a node of the simulator remembers.
const PORTS_MAX: usize = 4;
const TOLD_MAX: usize = 63;

/// Nobody is dialled where no peer of the internet can be, nor for the sake of a port scan, and each liar
/// costs a bounded number of connects.
pub(super) struct Dials {
    liars: usize,
    /// Invented addresses that each node dialled.
    invented: Vec<BTreeMap<IpAddr, BTreeSet<u16>>>,
}

impl Dials {
    pub(super) fn new(expected: &[Expected]) -> Self {
        let liars = expected.iter().filter(|node| !node.honest).count();
        Self { liars, invented: vec![BTreeMap::new(); expected.len()] }
    }
}

impl Checker for Dials {
    const NAME: &'static str = "gossip sends nobody where it must not";

    fn see(&mut self, _: &Facts, scene: &Scene, seen: &Seen<'_>) -> Result<(), String> {
        let Seen::Dialled { address } = *seen else { return Ok(()) };
        if node_of(address).is_some_and(|node| address_of(node) == address) {
            return Ok(());
        }
        if is_out_of_bounds(address) {
            return Err(format!("dials {address}"));
        }
        let invented = &mut self.invented[scene.node.0 as usize];
        let ports = invented.entry(address.ip()).or_default();
        ports.insert(address.port());
        if ports.len() > PORTS_MAX {
            return Err(format!("scans the ports of {}", address.ip()));
        }
        let dialled: usize = invented.values().map(BTreeSet::len).sum();
        if dialled > self.liars * TOLD_MAX {
            return Err(format!("dials {dialled} addresses that {} liars invented", self.liars));
        }
        Ok(())
    }
}

/// Loopback, private, link-local, multicast, or a port of system services.
fn is_out_of_bounds(address: SocketAddr) -> bool {
    let is_bad_ip = match address.ip() {
        IpAddr::V4(ip) => {
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_multicast()
        }
        IpAddr::V6(ip) => ip.segments()[0] == 0xfe80 || ip.is_multicast() || ip.is_loopback(),
    };
    is_bad_ip || address.port() < 1024
}

/// A peer that sends lists of peers without pause is let go before the fifteenth in ten seconds, and what
/// a node sends itself keeps to one a minute.
#[derive(Default)]
pub(super) struct Lists {
    heard: BTreeMap<EndId, VecDeque<Time>>,
    told: BTreeMap<EndId, Time>,
    /// The id each peer wants to receive them under.
    ids: BTreeMap<EndId, u8>,
}

const FLOOD: usize = 15;
const FLOOD_SPAN: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_secs(60);

impl Checker for Lists {
    const NAME: &'static str = "lists of peers keep their pace";

    fn see(&mut self, _: &Facts, scene: &Scene, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Received { end, message: Message::Extended { id: HANDSHAKE_ID, payload } } => {
                let shake = piecework_wire::extension::ExtensionHandshake::decode(payload);
                if let Some(id) = shake.ok().and_then(|shake| shake.ids.get(Extension::Pex)) {
                    self.ids.insert(*end, id);
                }
            }
            Seen::Received { end, message: Message::Extended { id, .. } }
                if *id == Extension::Pex.our_id() =>
            {
                let heard = self.heard.entry(*end).or_default();
                heard.push_back(scene.now);
                heard.retain(|at| scene.now.since(*at) <= FLOOD_SPAN);
                if heard.len() >= FLOOD {
                    return Err(format!("bears {FLOOD} lists in ten seconds"));
                }
            }
            Seen::Sent { end, message: Message::Extended { id, .. } }
                if self.ids.get(end) == Some(id) =>
            {
                let before = self.told.insert(*end, scene.now);
                if before.is_some_and(|at| scene.now.since(at) < PAUSE) {
                    return Err("sends two lists within a minute".into());
                }
            }
            Seen::Closed { end } | Seen::Dropped { end, .. } => {
                self.heard.remove(end);
                self.told.remove(end);
                self.ids.remove(end);
            }
            _ => {}
        }
        Ok(())
    }
}
