//! Cells with a peer that speaks encrypted and not otherwise.

use super::Cell;
use super::swarm;
use super::transfer::{Plan, Side};
use crate::peers::{Encryption, Foreign};

/// What ours is told, in the words of its command line.
const OURS: [(Encryption, &str); 2] =
    [(Encryption::Prefer, "ours prefers"), (Encryption::Rc4, "ours requires")];

/// The cells with encryption.
pub(super) fn cells(subject: &str) -> Vec<Cell> {
    let mut cells = Vec::new();
    for peer in [Foreign::Libtorrent, Foreign::Transmission, Foreign::Aria2] {
        for side in Side::BOTH {
            let plan = |encryption| Plan::new(peer, side).encrypted(encryption);
            for (ours, told) in OURS {
                let name = format!("RC4 required, {told}");
                cells.push(plan([ours, Encryption::Rc4]).cell(name, subject));
            }
            // Transmission cannot be held to payload in the clear.
            if peer != Foreign::Transmission {
                let name = "encrypted handshake, plaintext payload";
                let encryption = [Encryption::Prefer, Encryption::Handshake];
                cells.push(plan(encryption).cell(name, subject));
            }
        }
    }
    // Above ours calls those two, as they cannot be told of a peer. Here they call.
    for peers in [&[Foreign::Transmission], &[Foreign::Aria2]] {
        for (ours, told) in OURS {
            let plan = swarm::Plan::called(peers, [ours, Encryption::Rc4]);
            cells.push(plan.cell(format!("RC4 required, called by tracker, {told}"), subject));
        }
    }
    cells
}
