//! Outgoing connections: doing what the dialer says, within the node's limits.

use super::Shard;
use super::inbound::{Ending, HANDSHAKE_AFTER};
use crate::connection::{Connection, Stage};
use crate::event::{Problem, TorrentKey, What};
use piecework_mse::{Call, Encryption, Initiator, KeyPair};
use piecework_swarm::DialerInput;
use piecework_types::{Blame, Time};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// Time until a torrent that found the node's places taken tries again.
const DIAL_AGAIN_AFTER: Duration = Duration::from_secs(1);

impl Shard {
    /// Starts the connects that the torrent wants and the node allows.
    pub(super) fn dial(&mut self, key: TorrentKey, now: Time) {
        loop {
            let Some(torrent) = self.torrents.get_mut(&key) else { return };
            torrent.look_at_ourselves(&self.shared.external, now);
            if !torrent.wants_to_dial(now) {
                return;
            }
            if !torrent.is_awake() {
                return self.wake(key);
            }
            if !self.shared.network.is_up() {
                torrent.dial_at = now + DIAL_AGAIN_AFTER;
                return;
            }
            let (Some(peer), Some(half_open)) =
                (self.shared.limits.peer(), self.shared.limits.half_open())
            else {
                // Nobody tells when another torrent leaves a place.
                torrent.dial_at = now + DIAL_AGAIN_AFTER;
                return;
            };
            if let Err(at) = self.shared.limits.connect(now) {
                torrent.dial_at = at;
                return;
            }
            torrent.dialer.handle(DialerInput::Granted { dials: 1 }, now);
            let Some(dial) = torrent.dialer.poll() else { return };
            if self.shared.bans.contains(dial.address.ip()) {
                let address = dial.address;
                torrent.dialer.handle(DialerInput::Banned { address }, now);
                torrent.dialer.handle(DialerInput::Failed { address }, now);
                continue;
            }
            let started = self.connect(key, dial.address, now, |connection| {
                connection.permit = Some(peer);
                connection.half_open = Some(half_open);
            });
            if let Err(error) = started
                && lacks_resources(&error)
                && let Some(torrent) = self.torrents.get_mut(&key)
            {
                // Other addresses would fail as well, for no fault of theirs.
                tracing::warn!(%error, "cannot connect to peers; is `ulimit -n` too low?");
                torrent.dial_at = now + DIAL_AGAIN_AFTER;
                return;
            }
        }
    }

    fn connect(
        &mut self,
        key: TorrentKey,
        address: SocketAddr,
        now: Time,
        permits: impl FnOnce(&mut Connection),
    ) -> io::Result<()> {
        let deadline = now + HANDSHAKE_AFTER;
        let encryption = self.shared.encryption;
        let torrent = self.torrents.get(&key);
        let is_encrypted =
            torrent.is_some_and(|torrent| torrent.greetings.encrypts(address, encryption));
        let started = self.shared.network.binding.connect(address).and_then(|stream| {
            let mut connection = Connection::new(stream, address, key, deadline);
            connection.is_encrypted = is_encrypted;
            permits(&mut connection);
            self.register(connection)
        });
        match started {
            Ok(id) => {
                self.deadlines.insert((deadline, id));
            }
            Err(_) => {
                if let Some(torrent) = self.torrents.get_mut(&key) {
                    torrent.dialer.handle(DialerInput::Failed { address }, now);
                }
            }
        }
        started.map(drop)
    }

    /// The socket reports something: is the connection there, refused, or still under way?
    pub(super) fn finish_connect(&mut self, id: u32, now: Time) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let error = match connection.stream.take_error() {
            Ok(None) => connection.stream.peer_addr().err(),
            Ok(Some(error)) | Err(error) => Some(error),
        };
        match error {
            None => self.greet(id, now),
            // Not connected yet: a spurious event.
            Some(error) if error.kind() == io::ErrorKind::NotConnected => {}
            Some(error) => {
                tracing::debug!(peer = %connection.address, %error, "cannot connect");
                self.close(id, Ending::Lost { is_fault: false }, now);
            }
        }
    }

    fn greet(&mut self, id: u32, now: Time) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let Some(torrent) = self.torrents.get(&connection.torrent) else { return };
        let ours = torrent.handshake(torrent.info_hashes.primary());
        if connection.is_encrypted {
            let call = Call { info_hash: ours.info_hash, payload: ours.encode().to_vec() };
            let (pair, seed) = (KeyPair::new(&self.shared.secret()), self.shared.random());
            let (encryption, mut out) = (self.shared.encryption, Vec::new());
            let initiator = Initiator::start(call, pair, encryption, seed, &mut out);
            connection.sender.message(|first| first.append(&mut out));
            connection.stage = Stage::Encrypting(Box::new(initiator));
        } else {
            connection.sender.message(|out| out.extend_from_slice(&ours.encode()));
            connection.stage = Stage::Handshake { received: Vec::new(), cipher: None };
        }
        // Connecting had its time; the handshake gets as much again.
        self.deadlines.remove(&(connection.deadline, id));
        connection.deadline = now + HANDSHAKE_AFTER;
        self.deadlines.insert((connection.deadline, id));
        self.flush(id, now);
        self.mark_ready(id);
    }

    /// Goes on with a connection of ours whose peer has not answered our handshake: whether it lives on as
    /// another one, in plaintext, with the same places among the node's connections.
    pub(super) fn greet_otherwise(&mut self, connection: &mut Connection, now: Time) -> bool {
        let (key, address) = (connection.torrent, connection.address);
        let Some(torrent) = self.torrents.get_mut(&key) else { return false };
        let was_encrypted = match connection.stage {
            Stage::Encrypting(_) => true,
            Stage::Handshake { .. } if connection.is_outgoing && !connection.is_encrypted => false,
            Stage::Connecting | Stage::Handshake { .. } | Stage::Open(_) => return false,
        };
        if !torrent.takes_peers() || self.shared.bans.contains(address.ip()) {
            return false;
        }
        torrent.greetings.failed(address, was_encrypted);
        if !was_encrypted {
            return false;
        }
        if self.shared.encryption == Encryption::Require {
            self.tell_refusal(key, address);
            return false;
        }
        if self.shared.limits.connect(now).is_err() {
            return false;
        }
        tracing::debug!(peer = %address, "no answer to the encrypted handshake: in plaintext then");
        let (permit, half_open) = (connection.permit.take(), connection.half_open.take());
        let started = self.connect(key, address, now, |connection| {
            connection.permit = permit;
            connection.half_open = half_open;
        });
        started.is_ok()
    }

    /// Tells the user that a peer is refused because it does not encrypt. Once for a torrent: there may be
    /// hundreds.
    pub(super) fn tell_refusal(&mut self, key: TorrentKey, peer: SocketAddr) {
        tracing::debug!(%peer, "refused: it does not encrypt");
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        if std::mem::replace(&mut torrent.greetings.is_refusal_told, true) {
            return;
        }
        let text = format!(
            "refused peer {peer}, which did not complete an encrypted handshake, as encryption is required; \
             so will others be: --encryption prefer takes them"
        );
        self.tell(key, What::Problem(Problem { blame: Blame::Policy, is_fatal: false, text }));
    }
}

/// Whether the system has no descriptors or memory left (connect(2), socket(2)).
fn lacks_resources(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let errno = Errno::from_io_error(error);
    errno.is_some_and(|it| [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM].contains(&it))
}
