//! A DNS server that answers questions for TXT records as it is told, over UDP and TCP on one port.
//!
//! Owns two threads and their loopback sockets. Has a codec of its own, so that it shares no misreading with
//! the code under test.

use crate::patience::{PATIENCE, Watched};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread::JoinHandle;

/// Questions remembered; more would mean that somebody asks in a loop.
const QUESTIONS_MAX: usize = 1000;
/// Longest packet read.
const PACKET_BYTES: usize = 2048;

const HEADER_BYTES: usize = 12;
const ANSWERED: u16 = 0x8180;
const TRUNCATED: u16 = 0x0200;
const SERVER_FAILURE: u16 = 2;

/// What to answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum DnsAnswer {
    /// These texts, each a record; none for a name that has none.
    Texts(Vec<String>),
    /// The same, but over TCP only: over UDP the answer is cut.
    Long(Vec<String>),
    /// That the server cannot.
    Failure,
    /// Another question's answer, then the right one.
    Forged(Vec<String>),
    /// Nothing at all.
    Silence,
}

#[derive(Debug)]
struct State {
    answer: DnsAnswer,
    questions: Vec<String>,
    is_over: bool,
}

/// A server under the test's control. Ends its threads on drop.
#[derive(Debug)]
pub struct FakeDns {
    address: SocketAddr,
    state: Watched<State>,
    threads: Vec<JoinHandle<()>>,
}

impl FakeDns {
    /// A server that answers so.
    ///
    /// # Panics
    /// When loopback has no free port.
    pub fn start(answer: DnsAnswer) -> Self {
        let (udp, tcp) = (0..20)
            .find_map(|_| {
                let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
                Some((TcpListener::bind(udp.local_addr().ok()?).ok()?, udp))
            })
            .map(|(tcp, udp)| (udp, tcp))
            .expect("a port that is free for both protocols");
        let address = udp.local_addr().expect("a bound socket has an address");
        let state = Watched::new(State { answer, questions: Vec::new(), is_over: false });
        let (over_udp, over_tcp) = (state.clone(), state.clone());
        let threads = vec![
            std::thread::spawn(move || serve_udp(&udp, &over_udp)),
            std::thread::spawn(move || serve_tcp(&tcp, &over_tcp)),
        ];
        Self { address, state, threads }
    }

    /// Where it is.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers differently from now on.
    pub fn set_answer(&self, answer: DnsAnswer) {
        self.state.change(|state| state.answer = answer);
    }

    /// The names that were asked for, in order.
    pub fn questions(&self) -> Vec<String> {
        self.state.look(|state| state.questions.clone())
    }
}

impl Drop for FakeDns {
    fn drop(&mut self) {
        self.state.change(|state| state.is_over = true);
        drop(TcpStream::connect_timeout(&self.address, PATIENCE));
        if let Ok(socket) = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)) {
            drop(socket.send_to(&[], self.address));
        }
        for thread in self.threads.drain(..) {
            // A panic there has been printed; a second one here would abort the test.
            drop(thread.join());
        }
    }
}

fn serve_udp(socket: &UdpSocket, state: &Watched<State>) {
    let mut packet = [0; PACKET_BYTES];
    while let Ok((bytes, from)) = socket.recv_from(&mut packet) {
        if state.look(|state| state.is_over) {
            return;
        }
        let Some(name) = name_asked(&packet[..bytes]) else { continue };
        let question = &packet[..bytes];
        let answers = match take(state, name) {
            DnsAnswer::Texts(texts) => vec![reply(question, ANSWERED, &texts)],
            DnsAnswer::Long(_) => vec![reply(question, ANSWERED | TRUNCATED, &[])],
            DnsAnswer::Failure => vec![reply(question, ANSWERED | SERVER_FAILURE, &[])],
            DnsAnswer::Forged(texts) => {
                let mut forged = reply(question, ANSWERED, &["BITTORRENT".to_owned()]);
                forged[0] ^= 0xff;
                vec![vec![0xa5; 7], forged, reply(question, ANSWERED, &texts)]
            }
            DnsAnswer::Silence => Vec::new(),
        };
        for answer in answers {
            // A client that went away is no concern of a server.
            drop(socket.send_to(&answer, from));
        }
    }
}

fn serve_tcp(listener: &TcpListener, state: &Watched<State>) {
    while let Ok((mut stream, _)) = listener.accept() {
        if state.look(|state| state.is_over) {
            return;
        }
        drop(stream.set_read_timeout(Some(PATIENCE)));
        let mut length = [0; 2];
        if stream.read_exact(&mut length).is_err() {
            continue;
        }
        let mut question = vec![0; u16::from_be_bytes(length).into()];
        let asked = stream.read_exact(&mut question).ok().and_then(|()| name_asked(&question));
        let Some(name) = asked else { continue };
        if let DnsAnswer::Texts(texts) | DnsAnswer::Long(texts) = take(state, name) {
            let answer = reply(&question, ANSWERED, &texts);
            let length = u16::try_from(answer.len()).unwrap_or(u16::MAX).to_be_bytes();
            drop(stream.write_all(&[&length[..], &answer].concat()));
        }
    }
}

fn take(state: &Watched<State>, name: String) -> DnsAnswer {
    state.change(|state| {
        if state.questions.len() < QUESTIONS_MAX {
            state.questions.push(name);
        }
        state.answer.clone()
    })
}

/// The name of the first question, whose kind has to be TXT.
fn name_asked(packet: &[u8]) -> Option<String> {
    let mut rest = packet.get(HEADER_BYTES..)?;
    let mut labels = Vec::new();
    loop {
        let (&length, more) = rest.split_first()?;
        if length == 0 {
            return (more.get(..4)? == [0, 16, 0, 1]).then(|| labels.join("."));
        }
        let (label, more) = more.split_at_checked(length.into())?;
        labels.push(String::from_utf8_lossy(label).into_owned());
        rest = more;
    }
}

/// The question with these texts as records of its name, each good for an hour.
fn reply(question: &[u8], flags: u16, texts: &[String]) -> Vec<u8> {
    let name_bytes = question[HEADER_BYTES..].iter().position(|&byte| byte == 0).unwrap_or(0) + 5;
    let mut packet = question[..2].to_vec();
    for number in [flags, 1, u16::try_from(texts.len()).unwrap_or(0), 0, 0] {
        packet.extend(number.to_be_bytes());
    }
    packet.extend(&question[HEADER_BYTES..HEADER_BYTES + name_bytes]);
    for text in texts {
        packet.extend(b"\xc0\x0c\0\x10\0\x01\0\0\x0e\x10");
        let parts = text.as_bytes().chunks(255);
        let data: Vec<u8> = parts.flat_map(|part| [&[part.len() as u8], part].concat()).collect();
        packet.extend(u16::try_from(data.len()).unwrap_or(0).to_be_bytes());
        packet.extend(data);
    }
    packet
}
