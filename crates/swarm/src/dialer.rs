//! Which address to connect to next.
//!
//! Owns the addresses of one torrent's peers: candidates, connections, failures, bans. Invariants: an
//! address is connected or dialled at most once at a time; never more than the connection limit
//! allows; never a banned address or ourselves; at most [`DialerConfig::candidates_max`] remembered.
//! It must not know sockets, trackers, peer exchange messages, or the torrent.
//!
//! Connects a second and half-open connections are limits of the whole node: its driver asks
//! [`Dialer::wanted`] of each torrent and hands out [`DialerInput::Granted`].

use piecework_filter::IpFilter;
use piecework_types::{Rng, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

pub(crate) mod address;
mod admission;
mod learning;
mod policy;
mod priority;
#[cfg(test)]
mod tests;

pub use address::BanKey;
pub use admission::Admission;
pub use policy::{AddressPolicy, Refusal};
pub use priority::peer_priority;

/// Addresses banned at most; beyond it the lowest one is forgotten.
pub const BANS_MAX: usize = 10_000;

/// Waits after the first, second, ... failure of an address that others told us.
const RETRY: [Duration; 5] = [
    Duration::from_secs(5),
    Duration::from_secs(20),
    Duration::from_secs(60),
    Duration::from_secs(300),
    Duration::from_secs(900),
];

/// Waits for an address that the user gave: that peer may start later than we do, and somebody waits.
const RETRY_GIVEN: [Duration; 5] = [
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
];

/// Before a peer is dialled again that had nothing for us, nor we for it.
const RETRY_USELESS: Duration = Duration::from_secs(600);

/// Limits of one torrent's connections.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DialerConfig {
    /// Connections, half-open ones and incoming ones included.
    pub connections_max: usize,
    /// Addresses remembered.
    pub candidates_max: usize,
    /// What others may make us dial.
    pub policy: AddressPolicy,
}

impl DialerConfig {
    /// Addresses of one teller that nobody answered at yet: its share of the memory.
    const fn told_max(&self) -> usize {
        self.candidates_max.div_ceil(8)
    }
}

impl Default for DialerConfig {
    fn default() -> Self {
        Self { connections_max: 200, candidates_max: 2_000, policy: AddressPolicy::default() }
    }
}

/// Who told us an address.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Source {
    /// The user: tried first and for ever.
    Given,
    /// A tracker.
    Tracker,
    /// Another peer (BEP 11).
    Exchange {
        /// That one.
        from: IpAddr,
    },
    /// The DHT (BEP 5). All its nodes count as one stranger: a lookup hears of a peer from many.
    Dht {
        /// It is one of our own network, so that addresses in there are no surprise.
        is_local: bool,
    },
    /// A peer of the same network, by multicast (BEP 14).
    Nearby {
        /// That one itself.
        from: IpAddr,
    },
    /// A peer that connected to us and told its listening port (BEP 10).
    Incoming,
}

/// The ways to hear of an address, for display.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum SourceKind {
    /// See [`Source::Given`].
    Given,
    /// See [`Source::Tracker`].
    Tracker,
    /// See [`Source::Exchange`].
    Exchange,
    /// See [`Source::Dht`].
    Dht,
    /// See [`Source::Nearby`].
    Nearby,
    /// See [`Source::Incoming`].
    Incoming,
}

/// Stands for all nodes of the public DHT. Nobody has this address (RFC 5737).
const ANY_NODE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

impl Source {
    /// The stranger that told it, whose word counts for little.
    pub const fn teller(self) -> Option<IpAddr> {
        match self {
            Self::Exchange { from } | Self::Nearby { from } => Some(from),
            Self::Dht { is_local: true } => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            Self::Dht { is_local: false } => Some(ANY_NODE),
            Self::Given | Self::Tracker | Self::Incoming => None,
        }
    }

    /// Which way it is.
    pub const fn kind(self) -> SourceKind {
        match self {
            Self::Given => SourceKind::Given,
            Self::Tracker => SourceKind::Tracker,
            Self::Exchange { .. } => SourceKind::Exchange,
            Self::Dht { .. } => SourceKind::Dht,
            Self::Nearby { .. } => SourceKind::Nearby,
            Self::Incoming => SourceKind::Incoming,
        }
    }
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum CloseReason {
    /// The network or the remote side closed it.
    Lost,
    /// Neither has anything for the other (both seeds, idle): not again soon.
    Useless,
    /// The peer broke the protocol: counts as a failure.
    Fault,
    /// It was ourselves: never again.
    Ourselves,
    /// Another connection to the same peer stays: not again while that one stands.
    Duplicate {
        /// That one, as dialled or accepted.
        kept: SocketAddr,
    },
    /// Another peer got its place: not again soon.
    Displaced,
}

/// What happened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DialerInput {
    /// An address to try.
    Learned {
        /// Where the peer listens.
        address: SocketAddr,
        /// Who says so.
        source: Source,
    },
    /// We listen here ourselves.
    Own(SocketAddr),
    /// The world sees us here: priorities are counted from this address (BEP 40), and it is ours.
    External(SocketAddr),
    /// So many connects more may be started.
    Granted {
        /// Connects.
        dials: u32,
    },
    /// A dialled peer's handshake is done.
    Connected {
        /// As dialled.
        address: SocketAddr,
    },
    /// A dialled peer did not answer, or not with a valid handshake.
    Failed {
        /// As dialled.
        address: SocketAddr,
    },
    /// A peer connected to us and its handshake is done; see [`Dialer::accepts`].
    Accepted {
        /// Its side of the connection, which is not where it listens.
        address: SocketAddr,
    },
    /// A connection, dialled or accepted, is gone.
    Closed {
        /// As dialled or accepted.
        address: SocketAddr,
        /// Why.
        reason: CloseReason,
    },
    /// Refuse this address from now on.
    Banned {
        /// As dialled or accepted.
        address: SocketAddr,
    },
    /// Refuse no port of this address any longer, whatever it was banned for.
    Lifted {
        /// The address.
        ip: IpAddr,
    },
    /// Whether the torrent wants to connect by itself; a stopped torrent does not. True again means
    /// that there is something to gain again, even from peers that were useless before.
    Active(bool),
    /// The moment of [`Dialer::poll_timeout`] has come.
    Timeout,
}

/// Start a connect.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Dial {
    /// To whom.
    pub address: SocketAddr,
}

/// The order in which idle candidates are dialled: the smallest first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Turn {
    not_given: bool,
    failures: u32,
    tried: bool,
    /// Highest priority first (BEP 40); 0 while our own address is unknown.
    rank: u32,
    /// Chance among equals, so that not everybody dials the first peer of a tracker's list.
    shuffle: u64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// Stands in `ready`.
    Ready,
    /// Stands in `waiting` until then.
    Waiting(Time),
    Dialing,
    Connected,
    /// Its peer is connected by another address; stands in `doubles` under that one.
    Double(SocketAddr),
}

impl State {
    const fn is_open(self) -> bool {
        matches!(self, Self::Dialing | Self::Connected)
    }
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    turn: Turn,
    state: State,
    /// The stranger in whose share it counts, until somebody answered there.
    teller: Option<IpAddr>,
    source: SourceKind,
}

/// Decides whom to dial. See the module documentation.
#[derive(Debug)]
pub struct Dialer {
    config: DialerConfig,
    rng: Rng,
    candidates: BTreeMap<SocketAddr, Candidate>,
    ready: BTreeSet<(Turn, SocketAddr)>,
    waiting: BTreeSet<(Time, SocketAddr)>,
    /// The address of a connection, and one more of the same peer.
    doubles: BTreeSet<(SocketAddr, SocketAddr)>,
    accepted: BTreeSet<SocketAddr>,
    /// Candidates that are dialling or connected.
    dialled: usize,
    own: BTreeSet<SocketAddr>,
    /// How the world sees us, IPv4 and IPv6.
    external: [Option<SocketAddr>; 2],
    displaced_at: Option<Time>,
    bans: BTreeSet<BanKey>,
    filter: Arc<IpFilter>,
    /// Candidates in the share of each teller.
    told: BTreeMap<IpAddr, usize>,
    /// Addresses refused, by [`Refusal`].
    refused: [u64; Refusal::ALL.len()],
    granted: u32,
    active: bool,
    now: Time,
}

impl Dialer {
    /// A dialer without candidates that wants to connect.
    pub fn new(config: DialerConfig, rng: Rng, now: Time) -> Self {
        Self::filtered(config, Arc::default(), rng, now)
    }

    /// The same, but it connects to nobody on this filter and lets nobody of it in.
    pub const fn filtered(
        config: DialerConfig,
        filter: Arc<IpFilter>,
        rng: Rng,
        now: Time,
    ) -> Self {
        Self {
            config,
            rng,
            candidates: BTreeMap::new(),
            ready: BTreeSet::new(),
            waiting: BTreeSet::new(),
            doubles: BTreeSet::new(),
            accepted: BTreeSet::new(),
            dialled: 0,
            own: BTreeSet::new(),
            external: [None; 2],
            displaced_at: None,
            bans: BTreeSet::new(),
            filter,
            told: BTreeMap::new(),
            refused: [0; Refusal::ALL.len()],
            granted: 0,
            active: true,
            now,
        }
    }

    /// Takes notice; O(log n), but O(n) for an address that arrives when the memory is full.
    pub fn handle(&mut self, input: DialerInput, now: Time) {
        self.now = self.now.max(now);
        self.wake();
        match input {
            DialerInput::Learned { address, source } => self.learn(address, source),
            DialerInput::Own(address) => {
                self.own.insert(address::canonical(address));
                self.forget(address::canonical(address));
            }
            DialerInput::External(address) => self.set_external(address::canonical(address)),
            DialerInput::Granted { dials } => self.granted = self.granted.saturating_add(dials),
            DialerInput::Connected { address } => self.connected(address::canonical(address)),
            DialerInput::Failed { address } => self.failed(address::canonical(address)),
            DialerInput::Accepted { address } => {
                self.accepted.insert(address::canonical(address));
            }
            DialerInput::Closed { address, reason } => {
                self.closed(address::canonical(address), reason);
            }
            DialerInput::Banned { address } => self.ban(address::canonical(address)),
            DialerInput::Lifted { ip } => {
                let ip = ip.to_canonical();
                self.bans.retain(|ban| ban.ip() != ip);
            }
            DialerInput::Active(active) => {
                self.active = active;
                if active {
                    self.reconsider_useless();
                }
            }
            // Every input wakes those whose wait is over.
            DialerInput::Timeout => {}
        }
    }

    /// The next connect to start: never more than were granted.
    pub fn poll(&mut self) -> Option<Dial> {
        if self.granted == 0 || !self.has_room() {
            return None;
        }
        let (_, address) = self.ready.pop_first()?;
        let candidate = self.candidates.get_mut(&address).expect("ready ones are candidates");
        candidate.state = State::Dialing;
        candidate.turn.tried = true;
        self.dialled += 1;
        self.granted -= 1;
        Some(Dial { address })
    }

    /// Connects that would be started at once if they were granted beyond what is granted already.
    pub fn wanted(&self) -> usize {
        if !self.has_room() {
            return 0;
        }
        let room = self.config.connections_max - self.connections();
        room.min(self.ready.len()).saturating_sub(self.granted as usize)
    }

    /// Takes back grants that are not needed at the moment, for other torrents.
    pub const fn return_grants(&mut self) -> u32 {
        std::mem::replace(&mut self.granted, 0)
    }

    /// When the next address may be tried again.
    pub fn poll_timeout(&self) -> Option<Time> {
        if !self.has_room() {
            return None;
        }
        self.waiting.first().map(|(at, _)| *at)
    }

    /// Whether an incoming connection may stay: it is not banned and there is room.
    pub fn accepts(&self, address: SocketAddr) -> bool {
        self.admission(address) == Admission::Welcome
    }

    /// Whether the address must not be connected to nor accepted.
    pub fn is_banned(&self, address: SocketAddr) -> bool {
        self.bans.contains(&BanKey::of(address))
    }

    /// Connections of this torrent, half-open ones included.
    pub fn connections(&self) -> usize {
        self.dialled + self.accepted.len()
    }

    /// Addresses remembered.
    pub fn candidate_count(&self) -> usize {
        self.candidates.len()
    }

    /// Who told the address first; the user, if the user told it at all. `None` if it is not remembered.
    pub fn source_of(&self, address: SocketAddr) -> Option<SourceKind> {
        let candidate = self.candidates.get(&address::canonical(address))?;
        Some(if candidate.turn.not_given { candidate.source } else { SourceKind::Given })
    }

    /// The addresses remembered of this host, whatever the port.
    pub fn known_at(&self, ip: IpAddr) -> Vec<SocketAddr> {
        let ip = ip.to_canonical();
        let ports = SocketAddr::new(ip, 0)..=SocketAddr::new(ip, u16::MAX);
        self.candidates.range(ports).map(|(address, _)| *address).collect()
    }

    fn has_room(&self) -> bool {
        self.active && self.connections() < self.config.connections_max
    }

    fn connected(&mut self, address: SocketAddr) {
        if let Some(candidate) = self.candidates.get_mut(&address)
            && candidate.state == State::Dialing
        {
            candidate.state = State::Connected;
            candidate.turn.failures = 0;
            let teller = candidate.teller.take();
            self.answer_for(teller);
        }
    }

    fn remove(&mut self, address: SocketAddr) {
        let removed = self.candidates.remove(&address);
        self.answer_for(removed.and_then(|candidate| candidate.teller));
    }

    fn failed(&mut self, address: SocketAddr) {
        let Some(candidate) = self.candidates.get(&address).copied() else { return };
        if candidate.state == State::Dialing {
            self.dialled -= 1;
            self.retry_after_failure(address, candidate.turn);
        }
    }

    fn closed(&mut self, address: SocketAddr, reason: CloseReason) {
        if reason == CloseReason::Displaced {
            self.displaced_at = Some(self.now);
        }
        if !self.accepted.remove(&address) {
            let Some(candidate) = self.candidates.get(&address).copied() else { return };
            if !candidate.state.is_open() {
                return;
            }
            self.dialled -= 1;
            self.ended(address, candidate.turn, reason);
        }
        // What is true of the connection is true of the peer's other addresses.
        let from = SocketAddr::from(([0, 0, 0, 0], 0));
        let doubles =
            self.doubles.range((address, from)..).take_while(|(kept, _)| *kept == address);
        for (_, double) in doubles.copied().collect::<Vec<_>>() {
            let turn = self.candidates[&double].turn;
            self.ended(double, turn, reason);
        }
    }

    /// Finds the next state of an address whose connection ended so.
    fn ended(&mut self, address: SocketAddr, turn: Turn, reason: CloseReason) {
        match reason {
            CloseReason::Duplicate { kept } if self.is_connected(address::canonical(kept)) => {
                self.place(address, turn, State::Double(address::canonical(kept)));
            }
            // The connection that was to stay is gone already.
            CloseReason::Duplicate { .. } | CloseReason::Lost | CloseReason::Fault => {
                self.retry_after_failure(address, turn);
            }
            CloseReason::Useless | CloseReason::Displaced => {
                self.place(address, turn, State::Waiting(self.now + RETRY_USELESS));
            }
            CloseReason::Ourselves => {
                self.doubles.retain(|(_, double)| *double != address);
                self.remove(address);
                self.own.insert(address);
            }
        }
    }

    fn is_connected(&self, address: SocketAddr) -> bool {
        let is_connected = |candidate: &Candidate| candidate.state == State::Connected;
        self.accepted.contains(&address) || self.candidates.get(&address).is_some_and(is_connected)
    }

    /// Those that wait and did not fail were useless.
    fn reconsider_useless(&mut self) {
        let waiting = self.waiting.iter().map(|&(_, address)| address);
        let useless: Vec<_> =
            waiting.filter(|address| self.candidates[address].turn.failures == 0).collect();
        for address in useless {
            let turn = self.candidates[&address].turn;
            self.place(address, turn, State::Ready);
        }
    }

    fn retry_after_failure(&mut self, address: SocketAddr, turn: Turn) {
        let waits = if turn.not_given { RETRY } else { RETRY_GIVEN };
        let wait = waits[(turn.failures as usize).min(waits.len() - 1)];
        let turn = Turn { failures: turn.failures.saturating_add(1), ..turn };
        self.place(address, turn, State::Waiting(self.now + wait));
    }

    fn ban(&mut self, address: SocketAddr) {
        let key = BanKey::of(address);
        if self.bans.len() >= BANS_MAX && !self.bans.contains(&key) {
            self.bans.pop_first();
        }
        self.bans.insert(key);
        let banned = self.candidates.iter().filter(|(address, candidate)| {
            BanKey::of(**address) == key && !candidate.state.is_open()
        });
        for address in banned.map(|(address, _)| *address).collect::<Vec<_>>() {
            self.forget(address);
        }
    }

    /// Drops an idle candidate.
    fn forget(&mut self, address: SocketAddr) {
        let Some(candidate) = self.candidates.get(&address).copied() else { return };
        match candidate.state {
            State::Ready => self.ready.remove(&(candidate.turn, address)),
            State::Waiting(at) => self.waiting.remove(&(at, address)),
            State::Double(kept) => self.doubles.remove(&(kept, address)),
            State::Dialing | State::Connected => return,
        };
        self.remove(address);
    }

    /// Writes a candidate and the index its state belongs to.
    fn place(&mut self, address: SocketAddr, turn: Turn, state: State) {
        let known = self.candidates.get(&address);
        let teller = known.and_then(|candidate| candidate.teller);
        let source = known.map_or(SourceKind::Given, |candidate| candidate.source);
        let old = self.candidates.insert(address, Candidate { turn, state, teller, source });
        match old.map(|old| (old.state, old.turn)) {
            Some((State::Ready, turn)) => self.ready.remove(&(turn, address)),
            Some((State::Waiting(at), _)) => self.waiting.remove(&(at, address)),
            Some((State::Double(kept), _)) => self.doubles.remove(&(kept, address)),
            Some((State::Dialing | State::Connected, _)) | None => false,
        };
        // A banned peer's connection may end after its ban.
        if self.is_banned(address) && !state.is_open() {
            self.remove(address);
            return;
        }
        match state {
            State::Ready => self.ready.insert((turn, address)),
            State::Waiting(at) => self.waiting.insert((at, address)),
            State::Double(kept) => self.doubles.insert((kept, address)),
            State::Dialing | State::Connected => false,
        };
    }

    fn wake(&mut self) {
        while let Some(&(at, address)) = self.waiting.first()
            && at <= self.now
        {
            let turn = self.candidates[&address].turn;
            self.place(address, turn, State::Ready);
        }
    }
}
