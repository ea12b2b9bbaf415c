//! Multicast on local networks (BEP 14): one thread that sleeps until a datagram or an announce is due.
//!
//! Owns one socket for each family. What to say when, and what to believe, is decided by
//! [`LocalAnnouncer`]. Interfaces are looked at before each announce, as machines change networks. A
//! flood is left to the kernel, which drops what is not read.

mod interfaces;

use crate::binding::Binding;
use interfaces::Interface;
use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token, Waker};
use piecework_tracker::local::{
    DATAGRAM_BYTES_MAX, GROUPS, LocalAnnouncer, LocalInput, LocalMessage, LocalOutput,
};
use piecework_types::{InfoHash, Time};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockRef, Socket, Type};
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Inputs that the thread has not taken; beyond them they are forgotten, and the torrent with them.
const INPUTS_MAX: usize = 64 * 1024;

/// Datagrams read at once; after so many the socket is left alone for a second.
const READS_MAX: usize = 64;
const FLOOD_PAUSE: Duration = Duration::from_secs(1);

const WAKE: Token = Token(usize::MAX);

/// How far announces go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reach {
    /// To other programs of this machine, over its loopback interface.
    Machine,
    /// To the networks the machine is on; over loopback if it is on none.
    Networks,
}

/// Tells the thread which torrents take part, from anywhere.
#[derive(Clone, Debug)]
pub struct LocalHandle {
    inputs: Arc<Mutex<VecDeque<LocalInput>>>,
    waker: Arc<Waker>,
}

impl LocalHandle {
    /// A torrent joins or leaves.
    pub fn tell(&self, input: LocalInput) {
        let mut inputs = self.inputs.lock().unwrap_or_else(PoisonError::into_inner);
        if inputs.len() < INPUTS_MAX {
            inputs.push_back(input);
        }
        drop(inputs);
        // A thread that cannot be woken looks again at its next announce.
        drop(self.waker.wake());
    }
}

/// The running thread; ends when dropped.
#[derive(Debug)]
pub struct LocalDiscovery {
    handle: LocalHandle,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl LocalDiscovery {
    /// Starts it for a node that listens on `port`; announces leave where `binding` leads. `random` is a
    /// number nobody else has; `found` is called for each peer that is heard of, and must not block.
    ///
    /// # Errors
    /// When neither family has a socket for it, or the system gives no thread.
    pub fn start(
        port: u16,
        random: u64,
        reach: Reach,
        binding: Binding,
        found: impl FnMut(InfoHash, SocketAddr) + Send + 'static,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let mut sockets = Vec::new();
        let mut refused = None;
        for group in GROUPS {
            match bind(group) {
                Ok(socket) => sockets.push((group, socket)),
                Err(error) => refused = Some(error),
            }
        }
        if let Some(error) = refused.filter(|_| sockets.is_empty()) {
            return Err(error);
        }
        for (index, (_, socket)) in sockets.iter_mut().enumerate() {
            poll.registry().register(socket, Token(index), Interest::READABLE)?;
        }
        let inputs = Arc::new(Mutex::new(VecDeque::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let mut state = Loop {
            poll,
            sockets,
            announcer: LocalAnnouncer::new(port, random),
            reach,
            binding,
            found,
            inputs: Arc::clone(&inputs),
            stop: Arc::clone(&stop),
            began: Instant::now(),
            read_again: None,
        };
        let thread = std::thread::Builder::new().name("local".into()).spawn(move || state.run())?;
        Ok(Self { handle: LocalHandle { inputs, waker }, stop, thread: Some(thread) })
    }

    /// What tells it of torrents.
    pub const fn handle(&self) -> &LocalHandle {
        &self.handle
    }
}

impl Drop for LocalDiscovery {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if self.handle.waker.wake().is_ok()
            && let Some(thread) = self.thread.take()
        {
            drop(thread.join());
        }
    }
}

struct Loop<F> {
    poll: Poll,
    sockets: Vec<(SocketAddr, UdpSocket)>,
    announcer: LocalAnnouncer,
    reach: Reach,
    binding: Binding,
    found: F,
    inputs: Arc<Mutex<VecDeque<LocalInput>>>,
    stop: Arc<AtomicBool>,
    began: Instant,
    /// When to go on reading after a flood.
    read_again: Option<Time>,
}

impl<F: FnMut(InfoHash, SocketAddr)> Loop<F> {
    fn run(&mut self) {
        let mut events = Events::with_capacity(8);
        self.join();
        while !self.stop.load(Ordering::Acquire) {
            let now = self.now();
            let inputs =
                std::mem::take(&mut *self.inputs.lock().unwrap_or_else(PoisonError::into_inner));
            for input in inputs {
                self.announcer.handle(input, now);
            }
            while let Some(LocalOutput::Announce(message)) = self.announcer.poll(now) {
                self.announce(&message);
            }
            let due = self.announcer.poll_timeout().into_iter().chain(self.read_again).min();
            // Rounded up, or the last millisecond would be spent turning round.
            let wait = due.map(|at| at.since(self.now()) + Duration::from_millis(1));
            if let Err(error) = self.poll.poll(&mut events, wait)
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::warn!(%error, "local discovery stopped");
                return;
            }
            let mut readable: Vec<usize> =
                events.iter().map(|event| event.token().0).filter(|at| *at != WAKE.0).collect();
            if self.read_again.is_some_and(|at| at <= self.now()) {
                self.read_again = None;
                readable = (0..self.sockets.len()).collect();
            }
            if self.read_again.is_none() {
                readable.into_iter().for_each(|index| self.read(index));
            }
        }
    }

    fn now(&self) -> Time {
        Time::ZERO + self.began.elapsed()
    }

    /// Listens on every interface that is there; being on one already is no error that matters.
    fn join(&self) -> Vec<Interface> {
        let mut interfaces = interfaces::list(self.reach);
        match self.binding.place() {
            Ok(None) => {}
            Ok(Some(place)) => interfaces.retain(|interface| interface.index == place.index),
            Err(_) => interfaces.clear(),
        }
        for (group, socket) in &self.sockets {
            for interface in &interfaces {
                let socket = SockRef::from(socket);
                let index = InterfaceIndexOrAddress::Index(interface.index);
                drop(match group.ip() {
                    IpAddr::V4(group) => socket.join_multicast_v4_n(&group, &index),
                    IpAddr::V6(group) => socket.join_multicast_v6(&group, interface.index),
                });
            }
        }
        interfaces
    }

    fn announce(&self, message: &LocalMessage) {
        for interface in self.join() {
            for (group, socket) in &self.sockets {
                if let Err(error) = send(socket, *group, &interface, message) {
                    // No address of this family, no route: common, and no harm.
                    tracing::debug!(%error, %group, interface = interface.index, "no announce here");
                }
            }
        }
    }

    fn read(&mut self, index: usize) {
        // A byte more than may come, so that what is longer is seen to be.
        let mut datagram = [0; DATAGRAM_BYTES_MAX + 1];
        let now = self.now();
        for _ in 0..READS_MAX {
            match self.sockets[index].1.recv_from(&mut datagram) {
                Ok((got, from)) => {
                    // An IPv6 address of one cable cannot be dialled without its interface.
                    let ip = from.ip();
                    if matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local()) {
                        continue;
                    }
                    for (info_hash, peer) in self.announcer.hear(&datagram[..got], ip, now) {
                        tracing::debug!(%info_hash, %peer, "heard of a peer nearby");
                        (self.found)(info_hash, peer);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // An earlier announce of ours found nobody there.
                Err(_) => {}
            }
        }
        self.read_again = Some(now + FLOOD_PAUSE);
    }
}

fn send(
    socket: &UdpSocket,
    group: SocketAddr,
    interface: &Interface,
    message: &LocalMessage,
) -> io::Result<()> {
    let datagram = message.encode(group);
    match (group.ip(), interface.v4) {
        (IpAddr::V4(_), Some(ip)) => SockRef::from(socket).set_multicast_if_v4(&ip)?,
        (IpAddr::V6(_), _) if interface.has_v6 => {
            SockRef::from(socket).set_multicast_if_v6(interface.index)?;
        }
        (IpAddr::V4(_), None) | (IpAddr::V6(_), _) => return Ok(()),
    }
    socket.send_to(&datagram, group).map(drop)
}

/// A socket of the group's family on its port, which all programs of this kind share.
fn bind(group: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(group), Type::DGRAM, Some(Protocol::UDP))?;
    let any: IpAddr = match group {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => {
            socket.set_only_v6(true)?;
            Ipv6Addr::UNSPECIFIED.into()
        }
    };
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::new(any, group.port()).into())?;
    Ok(UdpSocket::from_std(socket.into()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn two_on_one_machine_hear_of_each_others_torrents_and_of_no_others() {
        if interfaces::list(Reach::Machine).is_empty() {
            eprintln!("skipped: no loopback interface");
            return;
        }
        let (sender, found) = channel();
        let name = InfoHash(*b"local discovery test");
        let start = |port: u16| {
            let sender = sender.clone();
            let (reach, binding) = (Reach::Machine, Binding::default());
            LocalDiscovery::start(port, port.into(), reach, binding, move |info_hash, peer| {
                sender.send((port, info_hash, peer)).ok();
            })
        };
        // Somebody may hold the port without sharing it.
        let (Ok(one), Ok(other)) = (start(1111), start(2222)) else {
            eprintln!("skipped: port 6771 is taken");
            return;
        };
        one.handle().tell(LocalInput::Joined(name));
        other.handle().tell(LocalInput::Joined(InfoHash([0; 20])));
        other.handle().tell(LocalInput::Joined(name));
        let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let mut heard = [(); 2].map(|()| found.recv_timeout(Duration::from_secs(20)).unwrap());
        heard.sort_unstable();
        let expected =
            [(1111, name, SocketAddr::new(ip, 2222)), (2222, name, SocketAddr::new(ip, 1111))];
        assert_eq!(heard, expected);
    }
}
