//! One exchange with a tracker: a question over HTTP or UDP and its answer.
//!
//! Owns the limits of an answer. Knows no order and no torrent: which exchange goes first is the client's.

use super::{AnnounceError, Scraped};
use crate::binding::Binding;
use piecework_tracker::{
    Announce, AnnounceAnswer, Event, Family, Host, SCRAPE_MAX, TrackerFault, TrackerUrl,
    http::{announce_url, decode_announce, decode_scrape, scrape_url},
    udp::{PACKET_BYTES_MAX, UdpAnswer, UdpExchange, UdpPolicy, UdpQuery},
};
use piecework_types::{InfoHash, Rng, Time};
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;

/// Longest answer read, bytes: [`piecework_tracker::PEERS_MAX`] peers as dictionaries fit well.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// Time for a whole HTTP exchange, name look-up included.
const HTTP_AFTER: Duration = Duration::from_secs(30);

/// The same for the last announce of a torrent: somebody waits for the program to end.
const STOPPED_AFTER: Duration = Duration::from_secs(2);

/// How to reach a tracker.
pub(super) enum Way {
    /// Over HTTP or HTTPS.
    Http(reqwest::Client),
    /// Over UDP, with the randomness of its transaction ids, and what its socket is tied to.
    Udp(Rng, Binding),
}

pub(super) async fn announce(
    way: Way,
    url: &TrackerUrl,
    announce: Announce,
) -> Result<AnnounceAnswer, AnnounceError> {
    let is_last = announce.event == Event::Stopped;
    match way {
        Way::Http(client) => {
            let patience = if is_last { STOPPED_AFTER } else { HTTP_AFTER };
            let (status, body) = get(&client, announce_url(url, &announce), patience).await?;
            read(status, decode_announce(&body))
        }
        Way::Udp(rng, binding) => {
            let url_data = url.path_and_query().as_bytes().to_vec();
            let exchange = over_udp(url, UdpQuery::Announce { announce, url_data }, rng, &binding);
            let answer = if is_last {
                let ended = tokio::time::timeout(STOPPED_AFTER, exchange).await;
                ended.map_err(|_| AnnounceError::Transport("no answer in time".into()))??
            } else {
                exchange.await?
            };
            match answer {
                UdpAnswer::Announce(answer) => Ok(answer),
                UdpAnswer::Scrape(_) => {
                    Err(AnnounceError::Transport("a scrape answered an announce".into()))
                }
            }
        }
    }
}

/// Asks for as many torrents at once as a question may name, until all are asked for.
pub(super) async fn scrape(way: Way, url: &TrackerUrl, info_hashes: &[InfoHash]) -> Scraped {
    let mut counts = Vec::with_capacity(info_hashes.len());
    match way {
        Way::Http(client) => {
            for wanted in info_hashes.chunks(SCRAPE_MAX) {
                let from = scrape_url(url, wanted).ok_or(TrackerFault::NoScrape)?;
                let (status, body) = get(&client, from, HTTP_AFTER).await?;
                counts.extend(read(status, decode_scrape(&body, wanted))?);
            }
        }
        Way::Udp(mut rng, binding) => {
            for wanted in info_hashes.chunks(SCRAPE_MAX) {
                let query = UdpQuery::Scrape(wanted.to_vec());
                let answer = over_udp(url, query, Rng::new(rng.next_u64()), &binding).await?;
                let UdpAnswer::Scrape(told) = answer else {
                    let text = "an announce answered a scrape";
                    return Err(AnnounceError::Transport(text.into()));
                };
                let told = told.into_iter().map(Some).chain(std::iter::repeat(None));
                counts.extend(told.take(wanted.len()));
            }
        }
    }
    Ok(counts)
}

async fn get(
    client: &reqwest::Client,
    url: String,
    patience: Duration,
) -> Result<(reqwest::StatusCode, Vec<u8>), AnnounceError> {
    let transport = |error: reqwest::Error| AnnounceError::Transport(describe(&error));
    let mut response = client.get(url).timeout(patience).send().await.map_err(transport)?;
    let status = response.status();
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(transport)? {
        if body.len() + part.len() > ANSWER_BYTES_MAX {
            let got_bytes = body.len() + part.len();
            return Err(TrackerFault::TooLong { most_bytes: ANSWER_BYTES_MAX, got_bytes }.into());
        }
        body.extend_from_slice(&part);
    }
    Ok((status, body))
}

/// Some trackers explain a refusal in the body of a 4xx answer; else the status says more.
fn read<T>(
    status: reqwest::StatusCode,
    decoded: Result<T, TrackerFault>,
) -> Result<T, AnnounceError> {
    match decoded {
        Err(TrackerFault::Bencode { .. }) if !status.is_success() => {
            Err(AnnounceError::Transport(format!("it answered with HTTP status {status}")))
        }
        decoded => Ok(decoded?),
    }
}

/// The error and its causes on one line, without the URL, which may hold a secret.
pub(crate) fn describe(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() { "no answer in time".to_owned() } else { String::new() };
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&next.to_string());
        cause = next.source();
    }
    if text.is_empty() { "the request could not be made".into() } else { text }
}

async fn over_udp(
    url: &TrackerUrl,
    query: UdpQuery,
    rng: Rng,
    binding: &Binding,
) -> Result<UdpAnswer, AnnounceError> {
    let transport = |error: io::Error| AnnounceError::Transport(error.to_string());
    let (socket, address) = udp_socket(url, binding).await.map_err(transport)?;
    let family = Family::of(address.ip());
    let mut exchange = UdpExchange::new(query, family, UdpPolicy::default(), None, rng);
    let epoch = Instant::now();
    let now = || Time::from_micros(u64::try_from(epoch.elapsed().as_micros()).unwrap_or(u64::MAX));
    let mut packet = vec![0; PACKET_BYTES_MAX];
    loop {
        while let Some(bytes) = exchange.poll_transmit(now()) {
            socket.send(&bytes).await.map_err(transport)?;
        }
        if let Some(outcome) = exchange.take_outcome() {
            return Ok(outcome?);
        }
        let wait = exchange.poll_timeout().map_or(Duration::ZERO, |at| at.since(now()));
        match tokio::time::timeout(wait, socket.recv(&mut packet)).await {
            Ok(Ok(bytes)) => exchange.handle(&packet[..bytes], now()),
            Ok(Err(error)) => return Err(transport(error)),
            Err(_) => {}
        }
    }
}

/// A socket connected to the tracker, so that packets from elsewhere never reach us.
async fn udp_socket(url: &TrackerUrl, binding: &Binding) -> io::Result<(UdpSocket, SocketAddr)> {
    let port = url.port();
    let addresses: Vec<SocketAddr> = match url.host() {
        Host::V4(ip) => vec![(*ip, port).into()],
        Host::V6(ip) => vec![(*ip, port).into()],
        Host::Name(name) => tokio::net::lookup_host((name.as_str(), port)).await?.collect(),
    };
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match binding.datagrams(address) {
            Ok(socket) => return Ok((socket, address)),
            Err(error) => last = error,
        }
    }
    Err(last)
}
