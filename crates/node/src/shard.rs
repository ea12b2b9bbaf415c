//! A shard: one thread, one poll loop, all sockets of its torrents.
//!
//! Owns connections and torrents and decides nothing: it carries events into the machines and does what
//! they say. The numbers in the comments are those of the run loop in `piecework_swarm`.
//! It must not block: files are touched by workers, or read without waiting.

mod chores;
mod complete;
mod dial;
mod inbound;
mod outputs;
mod upload;

use crate::clock::Clock;
use crate::connection::Connection;
use crate::engine::Shared;
use crate::event::TorrentKey;
use crate::slots::Slots;
use crate::torrent::{NewTorrent, Torrent};
use mio::{Events, Poll, Token, Waker};
use piecework_disk::{Chunk, Completion, Mailbox};
use piecework_net::{Arrival, FramePool, SCRATCH_BYTES};
use piecework_swarm::Input;
use piecework_types::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

pub(crate) use inbound::Ending;

pub(crate) const WAKE: Token = Token(usize::MAX);

/// Commands a shard has not taken yet; beyond it an arrival is dropped and other senders wait.
const COMMANDS_MAX: usize = 4096;

/// Longest sleep, so that limits and figures stay fresh even if a timer is lost.
const SLEEP_MAX: Duration = Duration::from_secs(60);

/// What other threads ask of a shard.
pub(crate) enum Command {
    Add(Box<NewTorrent>),
    Arrival { arrival: Arrival, key: TorrentKey },
    Announced { key: TorrentKey, answer: crate::announce::Announced },
    Stop { key: TorrentKey },
    Shutdown,
}

/// The way to a shard from other threads.
#[derive(Clone)]
pub(crate) struct ShardHandle {
    commands: SyncSender<Command>,
    waker: Arc<Waker>,
}

impl ShardHandle {
    /// Hands over a command; waits while the shard has too many. A shard that has ended takes none.
    pub(crate) fn send(&self, command: Command) {
        if self.commands.send(command).is_ok() {
            self.wake();
        }
    }

    /// Hands over a command unless the shard is too busy, as for strangers' connections.
    pub(crate) fn offer(&self, command: Command) {
        if self.commands.try_send(command).is_ok() {
            self.wake();
        }
    }

    pub(crate) fn wake(&self) {
        // A failed wake-up means that the poll is gone, and with it everything that could be told.
        drop(self.waker.wake());
    }
}

pub(crate) struct Shard {
    pub(crate) poll: Poll,
    pub(crate) clock: Clock,
    pub(crate) shared: Arc<Shared>,
    commands: Receiver<Command>,
    pub(crate) handle: ShardHandle,
    pub(crate) mailbox: Mailbox,
    completions: Vec<Completion>,
    pub(crate) torrents: BTreeMap<TorrentKey, Torrent>,
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
    /// Torrents whose machine has been given something in this turn.
    pub(crate) touched: Vec<TorrentKey>,
    pub(crate) scratch: Box<[u8]>,
    pub(crate) frames: FramePool,
    /// Chunks that hold payload the machine has not decided about yet.
    pub(crate) arrived: Slots<Chunk>,
    /// Empty chunks taken from the pool in advance.
    pub(crate) spare: Vec<Chunk>,
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
        let handle = ShardHandle { commands: sender, waker: Arc::clone(&waker) };
        let mailbox = shared.disk.mailbox(Arc::new(move || drop(waker.wake())));
        let mut shard = Self {
            poll,
            clock,
            shared,
            commands,
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
            touched: Vec::new(),
            scratch: vec![0; SCRATCH_BYTES].into_boxed_slice(),
            frames: FramePool::default(),
            arrived: Slots::default(),
            spare: Vec::new(),
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
            if let Err(error) = self.poll.poll(&mut events, Some(self.sleep()))
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(%error, "a network thread stopped; restart the program");
                return;
            }
            let now = self.clock.now();
            self.take_events(&events);
            self.take_commands(now);
            self.take_completions(now);
            self.unstall(now);
            self.read_ready(now);
            self.expire(now);
            self.run_timers(now);
            self.settle(now);
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
        timer.min(deadline).min(stalled).since(self.clock.now()).min(SLEEP_MAX)
    }

    fn take_events(&mut self, events: &Events) {
        for event in events {
            if event.token() == WAKE {
                continue;
            }
            let Ok(id) = u32::try_from(event.token().0) else { continue };
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
        loop {
            match self.commands.try_recv() {
                Ok(Command::Add(new)) => self.add(*new, now),
                Ok(Command::Arrival { arrival, key }) => self.arrive(arrival, key, now),
                Ok(Command::Announced { key, answer }) => self.announced(key, answer, now),
                Ok(Command::Stop { key }) => self.stop(key, now),
                Ok(Command::Shutdown) => {
                    self.is_stopping = true;
                    let keys: Vec<_> = self.torrents.keys().copied().collect();
                    keys.into_iter().for_each(|key| self.stop(key, now));
                }
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return,
            }
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
            if let Some(torrent) = self.torrents.get_mut(&key) {
                torrent.is_touched = false;
                self.pump(key, now);
                self.dial(key, now);
                self.keep_up(key, now);
                self.set_timer(key);
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
