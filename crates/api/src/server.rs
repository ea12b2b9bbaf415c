//! Sockets: so many connections, so many of one address, and none that can be held open by doing nothing.
//!
//! Invariant: nobody who asks for nothing keeps anybody out. While all places are taken, one that is idle
//! makes room for whoever comes.

use crate::front::{Front, Outside};
use crate::gate::AccessGate;
use crate::patience::Patience;
use axum::Router;
use axum::body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use piecework_types::Sender;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

/// Connections at once.
const CONNECTIONS_MAX: usize = 1000;
/// Connections of one sender at once; trusted proxies have all of them.
const CONNECTIONS_EACH_MAX: usize = 250;
/// Until the head of the next request has come whole: slow ones and idle ones end alike.
const HEAD_MAX: Duration = Duration::from_secs(30);
/// Bytes of a request's head, and of what waits to be sent.
const BUFFER_BYTES_MAX: usize = 64 << 10;
/// How long answers may take to end once the server is to end.
const END_MAX: Duration = Duration::from_secs(2);
/// After an error of `accept`, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nRetry-After: 30\r\n\
    Connection: close\r\nContent-Length: 45\r\n\r\ntoo many connections: close some, then retry\n";

/// How patient a server is with its connections.
#[derive(Clone, Copy, Debug)]
pub struct Manners {
    /// Until the head of the next request has come whole.
    pub head_max: Duration,
}

impl Default for Manners {
    fn default() -> Self {
        Self { head_max: HEAD_MAX }
    }
}

/// Serves all faces on all listeners until `end` comes.
///
/// # Errors
/// When a listener cannot be used.
pub async fn serve(
    listeners: Vec<TcpListener>,
    router: Router,
    gate: Arc<AccessGate>,
    outside: Outside,
    end: impl Future<Output = ()>,
) -> io::Result<()> {
    serve_with(Manners::default(), listeners, router, gate, outside, end).await
}

/// The same with other manners.
///
/// # Errors
/// As [`serve`].
pub async fn serve_with(
    manners: Manners,
    listeners: Vec<TcpListener>,
    router: Router,
    gate: Arc<AccessGate>,
    outside: Outside,
    end: impl Future<Output = ()>,
) -> io::Result<()> {
    let front = Front::new(router, gate, outside);
    let (accepted_to, mut accepted) = mpsc::channel(1);
    let mut acceptors = JoinSet::new();
    for listener in listeners {
        listener.local_addr()?;
        acceptors.spawn(accept(listener, accepted_to.clone()));
    }
    drop(accepted_to);
    let (ending, is_ending) = watch::channel(false);
    let (counts, mut connections) = (Counts::default(), JoinSet::new());
    let mut end = std::pin::pin!(end);
    loop {
        tokio::select! {
            () = &mut end => break,
            _ = connections.join_next(), if !connections.is_empty() => {}
            next = accepted.recv() => {
                let Some((stream, peer)) = next else { break };
                let is_trusted = front.trusts(peer.ip());
                match counts.admit(peer.ip(), is_trusted) {
                    Some(place) => {
                        let (front, is_ending) = (front.clone(), is_ending.clone());
                        connections.spawn(connection(stream, peer, front, place, is_ending, manners));
                    }
                    None => refuse(stream).await,
                }
            }
        }
    }
    acceptors.abort_all();
    let _ = ending.send(true);
    let all = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(END_MAX, all).await;
    connections.abort_all();
    Ok(())
}

async fn accept(listener: TcpListener, to: mpsc::Sender<(TcpStream, SocketAddr)>) {
    loop {
        match listener.accept().await {
            Ok(accepted) => {
                if to.send(accepted).await.is_err() {
                    return;
                }
            }
            Err(cause) => {
                tracing::warn!(%cause, "no connection can be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Says why, as far as the socket takes it at once.
async fn refuse(mut stream: TcpStream) {
    let _ = tokio::time::timeout(PAUSE, stream.write_all(FULL)).await;
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    front: Front,
    place: Place,
    mut is_ending: watch::Receiver<bool>,
    manners: Manners,
) {
    // Events are small and wanted at once.
    let _ = stream.set_nodelay(true);
    let busy = Arc::clone(&place.busy);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let (front, busy) = (front.clone(), Busy::new(&busy));
        async move {
            let response = front.answer(request.map(Body::new), peer.ip()).await;
            // Until the last byte of the answer: a stream of events is no idle connection.
            Ok::<_, Infallible>(response.map(|body| {
                Body::new(body.map_frame(move |frame| {
                    let _still = &busy;
                    frame
                }))
            }))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(manners.head_max)
        .max_buf_size(BUFFER_BYTES_MAX)
        .serve_connection(TokioIo::new(Patience::new(stream)), service);
    let mut connection = std::pin::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = ended(&mut is_ending) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
        () = place.leave.notified() => {
            tracing::debug!(%peer, "an idle connection makes room for another");
            return;
        }
    };
    if let Err(cause) = result {
        tracing::debug!(%peer, %cause, "a connection ended early");
    }
}

async fn ended(is_ending: &mut watch::Receiver<bool>) {
    let _ = is_ending.wait_for(|is| *is).await;
}

/// An answer on its way; counted until it is dropped.
struct Busy(Arc<AtomicUsize>);

impl Busy {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(count))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Who has which connections.
#[derive(Clone, Default)]
struct Counts(Arc<Mutex<Places>>);

/// By sender and by number: the oldest first.
#[derive(Default)]
struct Places {
    next: u64,
    taken: BTreeMap<Sender, BTreeMap<u64, Taken>>,
}

struct Taken {
    /// Answers on their way.
    busy: Arc<AtomicUsize>,
    leave: Arc<Notify>,
}

/// A connection's place among those that may be open; free again when it is dropped.
struct Place {
    counts: Counts,
    sender: Sender,
    number: u64,
    busy: Arc<AtomicUsize>,
    /// Somebody else gets the place.
    leave: Arc<Notify>,
}

impl Counts {
    fn admit(&self, ip: IpAddr, is_trusted: bool) -> Option<Place> {
        let sender = Sender::of(ip.to_canonical());
        let mut places = self.lock();
        let own = places.taken.get(&sender).map_or(0, BTreeMap::len);
        let each_max = if is_trusted { CONNECTIONS_MAX } else { CONNECTIONS_EACH_MAX };
        let is_full = places.taken.values().map(BTreeMap::len).sum::<usize>() >= CONNECTIONS_MAX;
        if own >= each_max || (is_full && !places.make_room()) {
            return None;
        }
        places.next += 1;
        let (busy, leave) = (Arc::default(), Arc::default());
        let taken = Taken { busy: Arc::clone(&busy), leave: Arc::clone(&leave) };
        let number = places.next;
        places.taken.entry(sender).or_default().insert(number, taken);
        Some(Place { counts: self.clone(), sender, number, busy, leave })
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Places {
    /// Ends the oldest idle connection of whoever has most of them; false if none is idle.
    fn make_room(&mut self) -> bool {
        let is_idle = |taken: &Taken| taken.busy.load(Ordering::Acquire) == 0;
        let oldest = |own: &BTreeMap<u64, Taken>| {
            own.iter().find(|(_, taken)| is_idle(taken)).map(|(number, _)| *number)
        };
        let idle = self.taken.iter().filter_map(|(sender, own)| Some((sender, own, oldest(own)?)));
        let most = idle.max_by_key(|(_, own, _)| own.len());
        let Some((sender, number)) = most.map(|(sender, _, number)| (*sender, number)) else {
            return false;
        };
        if let Some(taken) = self.remove(sender, number) {
            taken.leave.notify_one();
        }
        true
    }

    fn remove(&mut self, sender: Sender, number: u64) -> Option<Taken> {
        let own = self.taken.get_mut(&sender)?;
        let taken = own.remove(&number);
        if own.is_empty() {
            self.taken.remove(&sender);
        }
        taken
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(self.counts.lock().remove(self.sender, self.number));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sender_has_a_part_of_the_places_and_all_together_all() {
        let counts = Counts::default();
        let one: Vec<_> =
            (0..300).filter_map(|_| counts.admit([192, 0, 2, 1].into(), false)).collect();
        assert_eq!(one.len(), CONNECTIONS_EACH_MAX);
        let proxy: Vec<_> =
            (0..2000).filter_map(|_| counts.admit([10, 0, 0, 1].into(), true)).collect();
        // All places of both are taken, and idle: each newcomer gets the oldest of whoever has most.
        assert_eq!(proxy.len(), 2000);
        assert_eq!(counts.lock().taken[&Sender::of([10, 0, 0, 1].into())].len(), 750);
        let answers: Vec<_> =
            one.iter().chain(&proxy).map(|place| Busy::new(&place.busy)).collect();
        assert!(counts.admit([192, 0, 2, 2].into(), false).is_none(), "nobody is idle");
        drop(answers);
        let newcomer = counts.admit([192, 0, 2, 2].into(), false);
        assert!(newcomer.is_some());
        assert_eq!(counts.lock().taken[&Sender::of([10, 0, 0, 1].into())].len(), 749);
        drop((one, proxy, newcomer));
        assert!(counts.lock().taken.is_empty());
    }

    #[test]
    fn the_refusal_says_its_length() {
        let text = std::str::from_utf8(FULL).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{}", body.len());
    }
}
