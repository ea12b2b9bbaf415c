//! A tracker that answers as it is told and remembers every announce and scrape.
//!
//! Owns one thread and one loopback socket. The codecs of UDP are the tracker crate's; HTTP is so
//! little of it that it stands in [`http`].

mod http;
mod udp;

use crate::patience::{PATIENCE, Watched};
use piecework_tracker::{Announce, Event, ScrapeCounts};
use piecework_types::InfoHash;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread::JoinHandle;

/// Announces and scrapes remembered; more would mean that somebody announces in a loop.
const ANNOUNCES_MAX: usize = 10_000;

/// What to answer.
#[derive(Clone, Debug)]
pub enum TrackerAnswer {
    /// These peers, and when to come back, in seconds. Any number is possible, as on the net.
    Peers(Vec<SocketAddr>, u32),
    /// A refusal with this reason.
    Failure(String),
    /// Bytes that are no answer.
    Noise,
    /// Nothing at all.
    Silence,
}

#[derive(Debug)]
struct State {
    answer: TrackerAnswer,
    announces: Vec<Announce>,
    counts: BTreeMap<InfoHash, ScrapeCounts>,
    scrapes: Vec<Vec<InfoHash>>,
    is_over: bool,
    /// Connections that wait in vain.
    silent: Vec<TcpStream>,
}

impl State {
    fn take(&mut self, announce: Announce) -> TrackerAnswer {
        if self.announces.len() < ANNOUNCES_MAX {
            self.announces.push(announce);
        }
        self.answer.clone()
    }

    /// What to answer to a scrape of these torrents, and their counts as far as it knows them.
    fn take_scrape(
        &mut self,
        info_hashes: Vec<InfoHash>,
    ) -> (TrackerAnswer, Vec<(InfoHash, Option<ScrapeCounts>)>) {
        let count = |hash: &InfoHash| (*hash, self.counts.get(hash).copied());
        let counts = info_hashes.iter().map(count).collect();
        if self.scrapes.len() < ANNOUNCES_MAX {
            self.scrapes.push(info_hashes);
        }
        (self.answer.clone(), counts)
    }
}

/// A tracker under the test's control. Ends its thread on drop.
#[derive(Debug)]
pub struct FakeTracker {
    url: String,
    address: SocketAddr,
    is_http: bool,
    state: Watched<State>,
    thread: Option<JoinHandle<()>>,
}

impl FakeTracker {
    /// A tracker that speaks HTTP.
    ///
    /// # Panics
    /// When loopback has no free port.
    pub fn http(answer: TrackerAnswer) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free loopback port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let url = format!("http://{address}/announce");
        Self::start(url, address, true, answer, move |state| http::serve(&listener, state))
    }

    /// A tracker that speaks UDP.
    ///
    /// # Panics
    /// When loopback has no free port.
    pub fn udp(answer: TrackerAnswer) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free loopback port");
        let address = socket.local_addr().expect("a bound socket has an address");
        let url = format!("udp://{address}/announce");
        Self::start(url, address, false, answer, move |state| udp::serve(&socket, state))
    }

    fn start(
        url: String,
        address: SocketAddr,
        is_http: bool,
        answer: TrackerAnswer,
        serve: impl FnOnce(&Watched<State>) + Send + 'static,
    ) -> Self {
        let state = Watched::new(State {
            answer,
            announces: Vec::new(),
            counts: BTreeMap::new(),
            scrapes: Vec::new(),
            is_over: false,
            silent: Vec::new(),
        });
        let served = state.clone();
        let thread = Some(std::thread::spawn(move || serve(&served)));
        Self { url, address, is_http, state, thread }
    }

    /// Its announce address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Answers differently from now on.
    pub fn set_answer(&self, answer: TrackerAnswer) {
        self.state.change(|state| state.answer = answer);
    }

    /// Answers scrapes of this torrent so from now on, as long as it answers with peers at all.
    pub fn set_counts(&self, info_hash: InfoHash, counts: ScrapeCounts) {
        self.state.change(|state| state.counts.insert(info_hash, counts));
    }

    /// The torrents of every scrape so far, in order.
    pub fn scrapes(&self) -> Vec<Vec<InfoHash>> {
        self.state.look(|state| state.scrapes.clone())
    }

    /// Every announce so far, in order.
    pub fn announces(&self) -> Vec<Announce> {
        self.state.look(|state| state.announces.clone())
    }

    /// Waits for an announce with this event and gives it.
    ///
    /// # Panics
    /// After [`PATIENCE`], with what came instead.
    pub fn wait(&self, event: Event) -> Announce {
        let is_it = |announce: &&Announce| announce.event == event;
        let found =
            self.state.wait(PATIENCE, |state| state.announces.iter().find(|it| is_it(it)).cloned());
        found.unwrap_or_else(|| panic!("waited in vain for {event:?}: {:?}", self.announces()))
    }
}

impl Drop for FakeTracker {
    fn drop(&mut self) {
        let silent = self.state.change(|state| {
            state.is_over = true;
            std::mem::take(&mut state.silent)
        });
        for socket in silent {
            // It may have been closed by the other side.
            drop(socket.shutdown(Shutdown::Both));
        }
        // Wakes the thread, whichever kind of packet it waits for.
        if self.is_http {
            drop(TcpStream::connect_timeout(&self.address, PATIENCE));
        } else if let Ok(socket) = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)) {
            drop(socket.send_to(&[], self.address));
        }
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed; a second one here would abort the test.
            drop(thread.join());
        }
    }
}

#[cfg(test)]
mod tests;
