//! What the faces change while a torrent runs, and what they ask.

use super::Shard;
use super::inbound::Ending;
use crate::config::FilePriorities;
use crate::control::{Control, PeerStatus};
use crate::event::{Phase, TorrentKey};
use crate::torrent::Rest;
use piecework_swarm::{DialerInput, PeerView, Source as Gossip};
use piecework_tracker::Input as ScheduleInput;
use piecework_types::{Rng, Time};
use std::net::IpAddr;

impl Shard {
    pub(super) fn control(&mut self, key: TorrentKey, control: Control, now: Time) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        match control {
            Control::Limits { down, up } => {
                torrent.set_limits(down, up, &self.shared.limits, now);
                self.look_at_limits_now(now);
            }
            Control::Priorities(choose) => self.prioritise(key, choose, now),
            Control::Sequential(is_sequential) => torrent.set_sequential(is_sequential, now),
            Control::SuperSeed(is_super_seed) => torrent.set_super_seed(is_super_seed, now),
            Control::EdgesFirst(edges_first) => torrent.set_edges_first(edges_first, now),
            Control::Reannounce => {
                torrent.announcer.tell(ScheduleInput::Requested, now);
                self.poll_announcer(key);
                self.publish(key, now);
            }
            Control::Recheck => self.recheck(key, now),
            Control::Trackers(tiers) => {
                if torrent.phase != Phase::Stopping {
                    let mut rng = Rng::new(self.shared.random());
                    torrent.announcer.replace(&torrent.info_hashes, &tiers, &mut rng, now);
                    self.poll_announcer(key);
                    self.publish(key, now);
                }
            }
            Control::AddPeers(peers) => {
                torrent.learn(peers, Gossip::Given, now);
                torrent.publish(now);
            }
            Control::Peers(reply) => reply(self.peer_statuses(key, now)),
            Control::PieceStates(reply) => reply(torrent.piece_states()),
        }
        self.touch(key);
    }

    fn publish(&self, key: TorrentKey, now: Time) {
        if let Some(torrent) = self.torrents.get(&key) {
            torrent.publish(now);
        }
    }

    /// The node's limits are others.
    pub(super) fn limits_changed(&mut self, now: Time) {
        for torrent in self.torrents.values_mut() {
            torrent.look_at_limits(&self.shared.limits, now);
        }
        let keys: Vec<TorrentKey> = self.torrents.keys().copied().collect();
        keys.into_iter().for_each(|key| self.touch(key));
        self.look_at_limits_now(now);
    }

    /// Whoever waits for a limit asks again.
    const fn look_at_limits_now(&mut self, now: Time) {
        (self.stalled_until, self.hungry_until) = (now, now);
    }

    /// Other files are wanted. A torrent that rests wakes to find out what it lacks of them.
    fn prioritise(&mut self, key: TorrentKey, choose: FilePriorities, now: Time) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        torrent.choose(choose);
        match torrent.rest {
            Rest::Awake | Rest::Keeping => torrent.apply_priorities(now),
            // What it is made of anew is chosen when it is ready.
            Rest::Waking => {}
            Rest::LyingDown => torrent.wakes_at_once = true,
            Rest::Asleep => self.wake(key),
        }
    }

    /// Hashes everything again, as soon as the torrent is there for it.
    pub(super) fn recheck(&mut self, key: TorrentKey, now: Time) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        match (torrent.rest, torrent.phase) {
            (_, Phase::Stopping) => {}
            (Rest::Awake | Rest::Keeping, Phase::Active | Phase::Checking) => {
                self.close_all_of(key, now);
                self.check_anew(key, now);
            }
            (rest, _) => {
                torrent.is_recheck_due = true;
                torrent.wakes_at_once |= rest == Rest::LyingDown;
                self.wake(key);
            }
        }
    }

    fn check_anew(&mut self, key: TorrentKey, now: Time) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        if torrent.store.is_none() {
            return;
        }
        torrent.is_known_complete |= torrent.swarm.view().is_complete;
        torrent.forget_machine(&self.shared, now);
        torrent.rest = Rest::Awake;
        torrent.phase = Phase::Checking;
        let Some(store) = &mut torrent.store else { return };
        store.check_anew();
        torrent.checks_due += 1;
        torrent.is_rechecking = true;
        torrent.checked = (0, store.have().len());
        torrent.publish(now);
    }

    /// Nobody at this address is a peer any more.
    pub(super) fn ban(&mut self, ip: IpAddr, now: Time) {
        let there =
            self.connections.iter().filter(|(_, connection)| connection.remote().ip() == ip);
        for id in there.map(|(id, _)| id).collect::<Vec<_>>() {
            self.close(id, Ending::Lost { is_fault: false }, now);
        }
        for torrent in self.torrents.values_mut() {
            let known = torrent.dialer.known_at(ip);
            for &address in &known {
                torrent.dialer.handle(DialerInput::Banned { address }, now);
            }
            if !known.is_empty() {
                torrent.publish(now);
            }
        }
    }

    /// Nobody is refused any longer for being at this address.
    pub(super) fn lift_ban(&mut self, ip: IpAddr, now: Time) {
        for torrent in self.torrents.values_mut() {
            torrent.dialer.handle(DialerInput::Lifted { ip }, now);
        }
    }

    fn peer_statuses(&self, key: TorrentKey, now: Time) -> Vec<PeerStatus> {
        let Some(torrent) = self.torrents.get(&key) else { return Vec::new() };
        let status = |view: PeerView<'_>| {
            let connection = self.connections.get(torrent.connection(view.slot)?)?;
            Some(torrent.peer_status(&view, connection, now))
        };
        torrent.swarm.peer_views().filter_map(status).collect()
    }
}
