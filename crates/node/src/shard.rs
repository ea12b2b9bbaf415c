//! A shard: one thread, one poll loop, all sockets of its torrents.
//!
//! Owns connections and torrents and decides nothing: it carries events into the machines and does what
//! they say. The numbers in the comments are those of the run loop in `piecework_swarm`.
//! It must not block: files are touched by workers, or read without waiting. The one pause it takes is for a
//! crowd of strangers, while no payload moves.

mod chores;
mod complete;
mod control;
mod dial;
mod inbound;
mod outputs;
mod pay;
mod rest;
mod upload;
mod web;

use crate::announce::Announced;
use crate::clock::Clock;
use crate::config::Playback;
use crate::connection::Connection;
use crate::control::Control;
use crate::engine::Shared;
use crate::event::TorrentKey;
use crate::pay::{Inbox, PayOrder};
use crate::prepare::Outcome;
use crate::slots::Slots;
use crate::torrent::{NewTorrent, Torrent};
use crate::web_seeds::WebNews;
use mio::{Events, Poll, Token, Waker};
use pay::PayDesk;
use piecework_disk::{Chunk, Completion, Mailbox, PieceStore};
use piecework_net::{Arrival, FramePool, SCRATCH_BYTES};
use piecework_swarm::{Input, Source as Gossip};
use piecework_types::Time;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{
    Receiver, Sender, SyncSender, TryRecvError, TrySendError, channel, sync_channel,
};
use std::thread::JoinHandle;
use std::time::Duration;

pub(crate) use chores::PEERS_ENOUGH;
pub(crate) use inbound::Ending;
pub(crate) use pay::{PEER_KEY_BITS, PayLine};

pub(crate) const WAKE: Token = Token(usize::MAX);

/// Commands a shard has not taken yet; beyond it an arrival is dropped and other senders wait.
const COMMANDS_MAX: usize = 4096;

/// Blocks of web seeds that a shard has not taken yet.
const WEB_NEWS_MAX: usize = 256;

/// Pause until sockets that wait for memory look again: workers free it and tell nobody.
const PRESSURE_PAUSE: Duration = Duration::from_millis(5);

/// Time for which workers alone may free memory; then what waits for its neighbours is written.
const RELIEVE_AFTER: Duration = Duration::from_millis(50);

/// Strangers who come or go in one turn and make a crowd. Each would wake the thread for some microseconds
/// of work.
const CROWD_MIN: usize = 4;

/// Pause between two looks at a crowd, so that each look finds several.
const CROWD_PAUSE: Duration = Duration::from_millis(2);

/// A crowd is no reason to pause until no payload has moved for so long.
const CROWD_AFTER: Duration = Duration::from_millis(100);

/// Longest sleep, so that limits and figures stay fresh even if a timer is lost.
const SLEEP_MAX: Duration = Duration::from_secs(60);

/// What other threads ask of a shard.
pub(crate) enum Command {
    Add(Box<NewTorrent>),
    Arrival {
        arrival: Arrival,
        key: TorrentKey,
    },
    /// What became of a magnet's metadata.
    Prepared {
        key: TorrentKey,
        outcome: Outcome,
    },
    /// A peer of the same network has the torrent.
    Nearby {
        key: TorrentKey,
        address: SocketAddr,
    },
    Stream {
        key: TorrentKey,
        playback: Option<Playback>,
    },
    Stop {
        key: TorrentKey,
    },
    /// Something about the torrent changes, or is asked.
    Control {
        key: TorrentKey,
        control: Control,
    },
    /// The node's limits changed.
    LimitsChanged,
    /// Payments are spoken of from now on, to this thread; or no longer.
    CarryPay(Option<Arc<Inbox>>),
    /// What payments want done with peers.
    Pay(Vec<PayOrder>),
    /// Close all connections to this address: nobody there is a peer any more.
    Ban {
        ip: IpAddr,
    },
    /// Peers may be at this address again.
    LiftBan {
        ip: IpAddr,
    },
    /// Close all connections: the way that they took is gone.
    CutOff,
    /// Stop all torrents politely, then end.
    Shutdown,
    /// End at once.
    Quit,
}

/// What others found out for a torrent.
enum News {
    Announced(Announced),
    Found { peers: Vec<SocketAddr>, source: Gossip },
}

/// The way to a shard from other threads.
#[derive(Clone)]
pub(crate) struct ShardHandle {
    commands: SyncSender<Command>,
    /// At most one for each tracker and each node of a lookup. A way of its own, so that neither the
    /// threads that ask them nor the shard itself ever wait for room.
    answers: Sender<(TorrentKey, News)>,
    /// Blocks from web seeds; the fetch that finds no room waits.
    web_news: SyncSender<(TorrentKey, WebNews)>,
    waker: Arc<Waker>,
    /// The shard was woken and has not looked yet: who hands over many torrents wakes it once.
    is_woken: Arc<AtomicBool>,
}

impl ShardHandle {
    /// Hands over a command; waits while the shard has too many. A shard that has ended takes none.
    pub(crate) fn send(&self, command: Command) {
        if self.commands.send(command).is_ok() {
            self.wake();
        }
    }

    /// Hands over a command unless the shard is too busy, as for strangers' connections. It has to be woken
    /// then.
    pub(crate) fn offer(&self, command: Command) -> bool {
        self.commands.try_send(command).is_ok()
    }

    /// The same for one that comes alone.
    pub(crate) fn offer_and_wake(&self, command: Command) {
        if self.offer(command) {
            self.wake();
        }
    }

    /// Hands over the answer to an announce.
    pub(crate) fn answer(&self, key: TorrentKey, answer: Announced) {
        self.news(key, News::Announced(answer));
    }

    /// Hands over peers that were found.
    pub(crate) fn found(&self, key: TorrentKey, peers: Vec<SocketAddr>, source: Gossip) {
        self.news(key, News::Found { peers, source });
    }

    fn news(&self, key: TorrentKey, news: News) {
        if self.answers.send((key, news)).is_ok() {
            self.wake();
        }
    }

    /// Hands over news of a web seed; gives it back while there is no room. A shard that has ended takes all.
    pub(crate) fn tell_of_web_seeds(&self, key: TorrentKey, news: WebNews) -> Result<(), WebNews> {
        match self.web_news.try_send((key, news)) {
            Err(TrySendError::Full((_, news))) => Err(news),
            Ok(()) | Err(TrySendError::Disconnected(_)) => {
                self.wake();
                Ok(())
            }
        }
    }

    pub(crate) fn wake(&self) {
        if !self.is_woken.swap(true, Ordering::AcqRel) {
            // A failed wake-up means that the poll is gone, and with it everything that could be told.
            drop(self.waker.wake());
        }
    }
}

pub(crate) struct Shard {
    pub(crate) poll: Poll,
    pub(crate) clock: Clock,
    pub(crate) shared: Arc<Shared>,
    commands: Receiver<Command>,
    answers: Receiver<(TorrentKey, News)>,
    pub(crate) web_news: Receiver<(TorrentKey, WebNews)>,
    pub(crate) handle: ShardHandle,
    pub(crate) mailbox: Mailbox,
    completions: Vec<Completion>,
    pub(crate) torrents: BTreeMap<TorrentKey, Box<Torrent>>,
    pub(crate) connections: Slots<Connection>,
    /// When each torrent wants to be called, nearest first.
    pub(crate) timers: BTreeSet<(Time, TorrentKey)>,
    /// When each unfinished handshake must be complete.
    pub(crate) deadlines: BTreeSet<(Time, u32)>,
    /// Connections that may have bytes for us.
    pub(crate) ready: Vec<u32>,
    /// Connections that wait until the chunk pool or a limit lets them be read.
    pub(crate) stalled: Vec<u32>,
    pub(crate) stalled_until: Time,
    /// When to write what waits in memory, if the pool is still under pressure.
    relieve_at: Time,
    /// Torrents that wait for the upload limits, who waits longest first.
    pub(crate) hungry: VecDeque<TorrentKey>,
    pub(crate) hungry_until: Time,
    /// Torrents whose machine has been given something in this turn.
    pub(crate) touched: Vec<TorrentKey>,
    /// Connections that are to be written to once their torrent's machine has nothing more to say.
    pub(crate) dirty: Vec<u32>,
    /// Strangers who have come in this turn, and peers who had come and have gone in it.
    pub(crate) comings: usize,
    /// When a block was last sent or stored.
    pub(crate) payload_at: Time,
    pub(crate) scratch: Box<[u8]>,
    pub(crate) frames: FramePool,
    /// Chunks that hold payload the machine has not decided about yet.
    pub(crate) arrived: Slots<Chunk>,
    /// Empty chunks taken from the pool in advance.
    pub(crate) spare: Vec<Chunk>,
    pay: PayDesk,
    is_stopping: bool,
}

impl Shard {
    /// Starts the thread.
    pub(crate) fn start(
        index: usize,
        clock: Clock,
        shared: Arc<Shared>,
    ) -> io::Result<(ShardHandle, JoinHandle<()>)> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let (sender, commands) = sync_channel(COMMANDS_MAX);
        let (answer_sender, answers) = channel();
        let (web_sender, web_news) = sync_channel(WEB_NEWS_MAX);
        let handle = ShardHandle {
            commands: sender,
            answers: answer_sender,
            web_news: web_sender,
            waker: Arc::clone(&waker),
            is_woken: Arc::default(),
        };
        let mailbox = shared.disk.mailbox(Arc::new(move || drop(waker.wake())));
        let mut shard = Self {
            poll,
            clock,
            shared,
            commands,
            answers,
            web_news,
            handle: handle.clone(),
            mailbox,
            completions: Vec::new(),
            torrents: BTreeMap::new(),
            connections: Slots::default(),
            timers: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            ready: Vec::new(),
            stalled: Vec::new(),
            stalled_until: Time::NEVER,
            relieve_at: Time::NEVER,
            hungry: VecDeque::new(),
            hungry_until: Time::NEVER,
            touched: Vec::new(),
            dirty: Vec::new(),
            comings: 0,
            payload_at: Time::ZERO,
            scratch: vec![0; SCRATCH_BYTES].into_boxed_slice(),
            frames: FramePool::default(),
            arrived: Slots::default(),
            spare: Vec::new(),
            pay: PayDesk::new(index),
            is_stopping: false,
        };
        let thread = std::thread::Builder::new()
            .name(format!("shard-{index}"))
            .spawn(move || shard.run())?;
        Ok((handle, thread))
    }

    fn run(&mut self) {
        let mut events = Events::with_capacity(1024);
        while !(self.is_stopping && self.torrents.is_empty()) {
            self.pause_in_a_crowd();
            if let Err(error) = self.poll.poll(&mut events, Some(self.sleep()))
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(%error, "a network thread stopped; restart the program");
                return;
            }
            // What comes from now on wakes it again. Swapped, so that what came before is seen below.
            self.handle.is_woken.swap(false, Ordering::AcqRel);
            let now = self.clock.now();
            self.take_events(&events);
            self.take_commands(now);
            self.take_answers(now);
            self.take_web_news(now);
            self.take_completions(now);
            self.relieve(now);
            self.unstall(now);
            self.read_ready(now);
            self.expire(now);
            self.run_timers(now);
            self.grant_uploads(now);
            self.release_overdue(now);
            self.settle(now);
            self.hand_over_pay(now);
        }
    }

    /// Lets a crowd gather while no payload moves. For who comes to be greeted the network takes longer.
    fn pause_in_a_crowd(&mut self) {
        let comings = std::mem::take(&mut self.comings);
        if comings >= CROWD_MIN && self.payload_at + CROWD_AFTER <= self.clock.now() {
            std::thread::sleep(CROWD_PAUSE);
        }
    }

    /// Step 3: how long until something is due.
    fn sleep(&self) -> Duration {
        if !self.ready.is_empty() {
            return Duration::ZERO;
        }
        let timer = self.timers.first().map_or(Time::NEVER, |&(at, _)| at);
        let deadline = self.deadlines.first().map_or(Time::NEVER, |&(at, _)| at);
        let stalled = if self.stalled.is_empty() { Time::NEVER } else { self.stalled_until };
        timer
            .min(deadline)
            .min(stalled)
            .min(self.hungry_until)
            .min(self.pay.next_at())
            .since(self.clock.now())
            .min(SLEEP_MAX)
    }

    fn take_events(&mut self, events: &Events) {
        for event in events {
            if event.token() == WAKE {
                continue;
            }
            let Ok(id) = u32::try_from(event.token().0) else { continue };
            if (event.is_read_closed() || event.is_error())
                && let Some(connection) = self.connections.get_mut(id)
            {
                connection.is_ending = true;
            }
            if event.is_writable() {
                self.became_writable(id);
            }
            if event.is_readable() || event.is_error() || event.is_read_closed() {
                self.mark_ready(id);
            }
        }
    }

    pub(crate) fn mark_ready(&mut self, id: u32) {
        if let Some(connection) = self.connections.get_mut(id)
            && !std::mem::replace(&mut connection.is_ready, true)
        {
            self.ready.push(id);
        }
    }

    /// Remembers that the torrent's machine may have something to say.
    pub(crate) fn touch(&mut self, key: TorrentKey) {
        if let Some(torrent) = self.torrents.get_mut(&key)
            && !std::mem::replace(&mut torrent.is_touched, true)
        {
            self.touched.push(key);
        }
    }

    fn take_commands(&mut self, now: Time) {
        for _ in 0..COMMANDS_MAX {
            match self.commands.try_recv() {
                Ok(Command::Add(new)) => self.add(*new, now),
                Ok(Command::Arrival { arrival, key }) => self.arrive(arrival, key, now),
                Ok(Command::Prepared { key, outcome }) => self.outcome(key, outcome, now),
                Ok(Command::Nearby { key, address }) => self.met_nearby(key, address, now),
                Ok(Command::Stream { key, playback }) => self.stream(key, playback, now),
                Ok(Command::Stop { key }) => self.stop(key, now),
                Ok(Command::Control { key, control }) => self.control(key, control, now),
                Ok(Command::LimitsChanged) => self.limits_changed(now),
                Ok(Command::CarryPay(inbox)) => self.carry_pay(inbox, now),
                Ok(Command::Pay(orders)) => self.pay_orders(orders, now),
                Ok(Command::Ban { ip }) => self.ban(ip, now),
                Ok(Command::LiftBan { ip }) => self.lift_ban(ip, now),
                Ok(Command::CutOff) => self.cut_off(now),
                Ok(Command::Shutdown) => {
                    self.is_stopping = true;
                    let keys: Vec<_> = self.torrents.keys().copied().collect();
                    keys.into_iter().for_each(|key| self.stop(key, now));
                }
                Ok(Command::Quit) => {
                    self.is_stopping = true;
                    self.torrents.clear();
                }
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return,
            }
        }
        // There may be more: first the sockets get their turn.
        self.handle.wake();
    }

    fn take_answers(&mut self, now: Time) {
        while let Ok((key, answer)) = self.answers.try_recv() {
            match answer {
                News::Announced(answer) => self.announced(key, answer, now),
                News::Found { peers, source } => self.found(key, peers, source, now),
            }
        }
    }

    /// While the chunk pool is full nothing is read, so blocks that wait in memory for those before them
    /// would wait for ever.
    fn relieve(&mut self, now: Time) {
        if !self.shared.disk.pool().pressure() {
            self.relieve_at = Time::NEVER;
            return;
        }
        if self.relieve_at <= now {
            let stores = self.torrents.values_mut().filter_map(|torrent| torrent.store.as_mut());
            stores.for_each(PieceStore::relieve);
        }
        if self.relieve_at <= now || self.relieve_at == Time::NEVER {
            self.relieve_at = now + RELIEVE_AFTER;
        }
    }

    fn take_completions(&mut self, now: Time) {
        let mut completions = std::mem::take(&mut self.completions);
        self.mailbox.drain(&mut completions);
        for completion in completions.drain(..) {
            self.complete(completion, now);
        }
        self.completions = completions;
    }

    fn read_ready(&mut self, now: Time) {
        for id in std::mem::take(&mut self.ready) {
            if let Some(connection) = self.connections.get_mut(id) {
                connection.is_ready = false;
                self.read(id, now);
            }
        }
    }

    fn run_timers(&mut self, now: Time) {
        while let Some(&(at, key)) = self.timers.first()
            && at <= now
        {
            self.timers.pop_first();
            if let Some(torrent) = self.torrents.get_mut(&key) {
                torrent.timer = Time::NEVER;
                // Step 1, for the passing of time.
                torrent.swarm.handle(Input::Timeout, now);
                self.chores(key, now);
                self.touch(key);
            }
        }
    }

    /// Steps 2 and 3 for every torrent that was given something.
    fn settle(&mut self, now: Time) {
        while let Some(key) = self.touched.pop() {
            self.pump(key, now);
            self.dial(key, now);
            self.keep_up(key, now);
            self.rest_if_idle(key, now);
            self.set_timer(key);
            // Not before: what its own sending makes room for is the pump's business, which ends.
            if let Some(torrent) = self.torrents.get_mut(&key) {
                torrent.is_touched = false;
            }
        }
        self.shared.disk.pool().give_back(&mut self.spare);
    }

    fn set_timer(&mut self, key: TorrentKey) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let at = torrent.next_call();
        if at != torrent.timer {
            self.timers.remove(&(torrent.timer, key));
            torrent.timer = at;
            if at != Time::NEVER {
                self.timers.insert((at, key));
            }
        }
    }
}
