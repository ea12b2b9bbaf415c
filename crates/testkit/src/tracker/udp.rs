//! A tracker's side of BEP 15.

use super::{State, TrackerAnswer};
use crate::patience::Watched;
use piecework_tracker::Family;
use piecework_tracker::udp::{UdpRequest, UdpResponse};
use std::net::UdpSocket;

/// Given to everybody and asked for again.
const CONNECTION: u64 = 0x0123_4567_89ab_cdef;

/// Longest packet read; longer ones are no requests.
const PACKET_BYTES: usize = 4096;

pub(super) fn serve(socket: &UdpSocket, state: &Watched<State>) {
    let mut buf = [0; PACKET_BYTES];
    while let Ok((length, from)) = socket.recv_from(&mut buf) {
        if state.look(|state| state.is_over) {
            return;
        }
        let Ok(request) = UdpRequest::decode(&buf[..length]) else { continue };
        if let Some(packet) = answer(request, state) {
            // A client that went away is no concern of a tracker.
            drop(socket.send_to(&packet, from));
        }
    }
}

fn answer(request: UdpRequest, state: &Watched<State>) -> Option<Vec<u8>> {
    let transaction = request.transaction();
    let response = match request {
        UdpRequest::Connect { .. } => {
            if state.look(|state| matches!(state.answer, TrackerAnswer::Silence)) {
                return None;
            }
            UdpResponse::Connect { transaction, connection: CONNECTION }
        }
        UdpRequest::Announce { connection, announce, .. } if connection == CONNECTION => {
            match state.change(|state| state.take(announce)) {
                TrackerAnswer::Peers(peers, interval) => UdpResponse::Announce {
                    transaction,
                    interval,
                    incomplete: 0,
                    complete: 0,
                    peers,
                },
                TrackerAnswer::Failure(reason) => UdpResponse::Error { transaction, reason },
                TrackerAnswer::Noise => return Some(vec![0xa5; 100]),
                TrackerAnswer::Silence => return None,
            }
        }
        UdpRequest::Scrape { connection, info_hashes, .. } if connection == CONNECTION => {
            let (answer, counts) = state.change(|state| state.take_scrape(info_hashes));
            match answer {
                TrackerAnswer::Peers(..) => {
                    // Unknown torrents count zero, for the answer has no keys.
                    let counts = counts.into_iter().map(|(_, counts)| counts.unwrap_or_default());
                    UdpResponse::Scrape { transaction, counts: counts.collect() }
                }
                TrackerAnswer::Failure(reason) => UdpResponse::Error { transaction, reason },
                TrackerAnswer::Noise => return Some(vec![0xa5; 100]),
                TrackerAnswer::Silence => return None,
            }
        }
        UdpRequest::Announce { .. } | UdpRequest::Scrape { .. } => {
            UdpResponse::Error { transaction, reason: "connection id expected".to_owned() }
        }
    };
    Some(response.encode(Family::V4))
}
