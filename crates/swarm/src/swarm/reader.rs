//! A reader that comes or jumps: what stands in front of what it needs is taken back.
//!
//! Peers answer in the order in which they are asked, so that a reader would wait for everything that was
//! asked before it came, half a minute of a peer that has become slow. Invariants: what a peer will have
//! sent before it knows of a cancel is not taken back, for where a lane is paid that is owed
//! (docs/spec/pw_pay.md); nor is what a peer that lacks the needed piece was asked for; and no peer hears of
//! more cancels in a second than it bears.

use super::Swarm;
use super::download::ask_for;
use crate::machine::Output;
use crate::peer::Peer;
use crate::picker::{Picker, StreamWindow};
use crate::requests::Standing;
use piecework_types::Block;
use piecework_wire::Message;
use std::time::Duration;

/// Requests taken back of one peer at a time; where that is too few the rest waits for a tick. Peers like us
/// take 4096 in a second for a flood, and two ticks may fall into a second of theirs.
const TAKEN_BACK_MAX: u32 = 3072;

/// So many of them each tick makes room for: a reader that jumps again at once finds some left.
const TAKEN_BACK_A_TICK: u32 = 512;

/// What a reader needs next may be so far back in a queue before what is in front of it is taken back.
const WAIT_MAX: Duration = Duration::from_secs(1);

impl Swarm {
    /// A reader plays from here, or has ended.
    pub(super) fn read_from(&mut self, window: Option<StreamWindow>) {
        self.stream = window;
        if let Some(picker) = &mut self.picker {
            picker.set_now(self.now);
            let needed = picker.needed_first();
            picker.set_stream(window);
            // A reader that goes on needs what it has needed.
            if picker.needed_first() != needed {
                self.clear_the_way();
            }
        }
        self.ask_everybody();
    }

    /// The tick: peers of whom too much was taken back already are caught up with, and those that have become
    /// slow since they were asked.
    pub(super) fn catch_up_with_reader(&mut self) {
        for (_, peer) in self.peers.iter_mut() {
            peer.taken_back = peer.taken_back.saturating_sub(TAKEN_BACK_A_TICK);
        }
        if std::mem::take(&mut self.is_way_barred) || self.is_way_long() {
            self.clear_the_way();
            self.ask_everybody();
        }
    }

    fn is_way_long(&self) -> bool {
        let needed = self.picker.as_deref().and_then(Picker::needed_first);
        let is_needed = |block: Block| Some(block.piece) == needed;
        let wait = |peer: &Peer| peer.requests.wait_for(self.now, is_needed);
        needed.is_some() && self.peers.iter().any(|(_, peer)| wait(peer) > Some(WAIT_MAX))
    }

    fn clear_the_way(&mut self) {
        let Some(picker) = &mut self.picker else { return };
        let Some(needed) = picker.needed_first() else { return };
        for (slot, peer) in self.peers.iter_mut() {
            peer.work.forget_urgent();
            if peer.is_choking || peer.requests.is_snubbed() || !peer.have.contains(needed) {
                continue;
            }
            if peer.taken_back > 0 && peer.taken_back + peer.requests.len() > TAKEN_BACK_MAX {
                self.is_way_barred = true;
                continue;
            }
            peer.requests.take_back(
                self.now,
                |block| block.piece == needed,
                |block, standing| {
                    if standing == Standing::Counted {
                        picker.release(block);
                    }
                    peer.taken_back += 1;
                    peer.sent_at = self.now;
                    let message = Message::Cancel(ask_for(block));
                    self.outputs.push_back(Output::Send { slot, message });
                },
            );
        }
    }
}
