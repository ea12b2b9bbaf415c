//! The machine of one node, with a bug on purpose if the plan says so.
//!
//! Invariant: without a plant the wrapper is transparent.

use super::checkers::{Packet, private};
use crate::plant::Plant;
use piecework_dht::{Dht, EndpointIndex, Output};
use piecework_types::Time;
use std::collections::VecDeque;
use std::net::SocketAddr;

pub(super) const HERE: EndpointIndex = EndpointIndex(0);

/// A machine as the world sees it.
pub(super) struct Machine {
    pub(super) dht: Dht,
    plant: Option<Plant>,
    extra: VecDeque<Output>,
    count: u64,
}

impl Machine {
    pub(super) const fn new(dht: Dht, plant: Option<Plant>) -> Self {
        Self { dht, plant, extra: VecDeque::new(), count: 0 }
    }

    pub(super) fn handle_packet(&mut self, from: SocketAddr, bytes: &[u8], now: Time) {
        let packet = Packet::read(bytes);
        match (self.plant, &packet) {
            (Some(Plant::BelievesStrangers), Some(Packet::Answer { nodes, .. })) => {
                for node in nodes {
                    self.dht.add_node(HERE, *node, now);
                }
            }
            (Some(Plant::AnswersFloods), Some(Packet::Query { transaction, .. })) => {
                let id = "x".repeat(20);
                let mut bytes = format!("d1:rd2:id20:{id}e1:t{}:", transaction.len()).into_bytes();
                bytes.extend_from_slice(transaction);
                bytes.extend_from_slice(b"1:y1:re");
                self.extra.push_back(Output::Send { endpoint: HERE, to: from, bytes });
                return;
            }
            _ => {}
        }
        self.dht.handle_packet(HERE, from, bytes, now);
    }

    pub(super) fn poll(&mut self) -> Option<Output> {
        if let Some(output) = self.extra.pop_front() {
            return Some(output);
        }
        let output = self.dht.poll()?;
        let (Some(plant), Output::Send { to, bytes, .. }) = (self.plant, &output) else {
            return Some(output);
        };
        let (to, bytes) = (*to, bytes.clone());
        Some(self.say(plant, to, bytes))
    }

    fn say(&mut self, plant: Plant, to: SocketAddr, mut bytes: Vec<u8>) -> Output {
        let packet = Packet::read(&bytes);
        let is_query = matches!(packet, Some(Packet::Query { .. }));
        match plant {
            Plant::Amplifies if !is_query => {
                // What follows the dictionary is not read by anybody.
                bytes.extend([b'x'; 300]);
            }
            Plant::AsksTwice if is_query => {
                let bytes = bytes.clone();
                self.extra.push_back(Output::Send { endpoint: HERE, to, bytes });
            }
            Plant::KnocksAtHome if is_query => {
                self.count += 1;
                if self.count.is_multiple_of(50) {
                    let bytes = bytes.clone();
                    self.extra.push_back(Output::Send { endpoint: HERE, to: private(), bytes });
                }
            }
            Plant::AcceptsReplays => {
                if let Some(Packet::Error { transaction }) = &packet {
                    let id = "x".repeat(20);
                    bytes = format!("d1:rd2:id20:{id}e1:t{}:", transaction.len()).into_bytes();
                    bytes.extend_from_slice(transaction);
                    bytes.extend_from_slice(b"1:y1:re");
                }
            }
            _ => {}
        }
        Output::Send { endpoint: HERE, to, bytes }
    }
}
