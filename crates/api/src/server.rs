//! Sockets: so many connections, so many of one address, and none that can be held open by doing nothing.

use crate::front::{Front, Outside};
use crate::gate::AccessGate;
use crate::patience::Patience;
use axum::Router;
use axum::body::Body;
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
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
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
                        connections.spawn(connection(stream, peer, front.clone(), place, is_ending.clone()));
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
) {
    let _place = place;
    // Events are small and wanted at once.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let front = front.clone();
        async move { Ok::<_, Infallible>(front.answer(request.map(Body::new), peer.ip()).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_MAX)
        .max_buf_size(BUFFER_BYTES_MAX)
        .serve_connection(TokioIo::new(Patience::new(stream)), service);
    let mut connection = std::pin::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = ended(&mut is_ending) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(cause) = result {
        tracing::debug!(%peer, %cause, "a connection ended early");
    }
}

async fn ended(is_ending: &mut watch::Receiver<bool>) {
    let _ = is_ending.wait_for(|is| *is).await;
}

/// Who has how many connections.
#[derive(Clone, Default)]
struct Counts(Arc<Mutex<BTreeMap<Sender, usize>>>);

/// A connection's place among those that may be open; free again when it is dropped.
struct Place {
    counts: Counts,
    sender: Sender,
}

impl Counts {
    fn admit(&self, ip: IpAddr, is_trusted: bool) -> Option<Place> {
        let sender = Sender::of(ip.to_canonical());
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (all, own) =
            (counts.values().sum::<usize>(), counts.get(&sender).copied().unwrap_or(0));
        let each_max = if is_trusted { CONNECTIONS_MAX } else { CONNECTIONS_EACH_MAX };
        if all >= CONNECTIONS_MAX || own >= each_max {
            return None;
        }
        counts.insert(sender, own + 1);
        Some(Place { counts: self.clone(), sender })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.counts.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.sender) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.sender);
            }
        }
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
        assert_eq!(one.len() + proxy.len(), CONNECTIONS_MAX);
        assert!(counts.admit([192, 0, 2, 2].into(), false).is_none());
        drop(one);
        assert!(counts.admit([192, 0, 2, 2].into(), false).is_some());
        drop(proxy);
        assert!(counts.0.lock().unwrap().is_empty());
    }

    #[test]
    fn the_refusal_says_its_length() {
        let text = std::str::from_utf8(FULL).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{}", body.len());
    }
}
