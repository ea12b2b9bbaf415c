//! Answers that are longer than their questions, and refusals.
//!
//! Metadata and hashes leave only as fast as the peer reads: what it asks beyond that waits, a bounded
//! number of questions, so that an honest peer is not rejected for being fast and a hostile one that
//! never reads costs little. Refusals are short and leave at once; a flood of them ends the connection.

use super::Swarm;
use crate::drop_reason::DropReason;
use piecework_types::PeerSlot;
use piecework_wire::extension::{Extension, MetadataMessage};
use piecework_wire::{HashSpan, Message, Request};

/// Questions of one peer that wait; beyond them they are rejected. Clients in use ask for a few at once.
const QUESTIONS_MAX: usize = 64;
/// Bytes answered to one peer before its connection has taken them.
const ANSWERED_BYTES_MAX: usize = 256 * 1024;
/// Refusals sent to one peer in a second: twice the requests it may have queued with us, all of which
/// may be on their way when we choke it.
const REFUSED_MAX: u32 = 4096;

/// What a peer wants to know.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Question {
    /// A block of the metadata (BEP 9).
    Metadata { block: u32 },
    /// Hashes of a v2 file's tree (BEP 52).
    Hashes(HashSpan),
}

impl Swarm {
    pub(super) fn questioned(
        &mut self,
        slot: PeerSlot,
        question: Question,
    ) -> Result<(), DropReason> {
        let Some(peer) = self.peers.get_mut(slot) else { return Ok(()) };
        if peer.questions.len() >= QUESTIONS_MAX {
            return self.reject(slot, question);
        }
        peer.questions.push_back(question);
        self.answer(slot)
    }

    /// Its connection has taken what was answered.
    pub(super) fn answers_left(&mut self, slot: PeerSlot) {
        if let Some(peer) = self.peers.get_mut(slot) {
            peer.answered_bytes = 0;
            self.answer_or_drop(slot);
        }
    }

    pub(super) fn answer_or_drop(&mut self, slot: PeerSlot) {
        if let Err(reason) = self.answer(slot) {
            self.drop_peer(slot, reason);
        }
    }

    /// Answers what waits, as far as the peer reads and its share of this second goes.
    fn answer(&mut self, slot: PeerSlot) -> Result<(), DropReason> {
        loop {
            let Some(peer) = self.peers.get_mut(slot) else { return Ok(()) };
            let Some(&question) = peer.questions.front() else { return Ok(()) };
            let has_share = match question {
                Question::Metadata { .. } => self.metadata.has_share(slot, self.now),
                Question::Hashes(_) => {
                    let hashes = self.hashes.as_mut();
                    hashes.is_none_or(|hashes| hashes.has_share(slot, self.now))
                }
            };
            if !has_share || peer.answered_bytes >= ANSWERED_BYTES_MAX {
                return Ok(());
            }
            peer.questions.pop_front();
            match question {
                Question::Metadata { block } => self.answer_metadata(slot, block)?,
                Question::Hashes(span) => self.answer_hashes(slot, span)?,
            }
        }
    }

    fn answer_metadata(&mut self, slot: PeerSlot, block: u32) -> Result<(), DropReason> {
        let Some(answer) = self.metadata.serve(slot, block) else {
            return self.reject(slot, Question::Metadata { block });
        };
        let answer = answer.encode();
        self.note_answered(slot, answer.len());
        self.send_extension(slot, Extension::Metadata, answer);
        Ok(())
    }

    fn answer_hashes(&mut self, slot: PeerSlot, span: HashSpan) -> Result<(), DropReason> {
        let answer = self.hashes.as_mut().and_then(|hashes| hashes.serve(slot, &span));
        let Some(digests) = answer else { return self.reject(slot, Question::Hashes(span)) };
        self.note_answered(slot, size_of_val(digests.as_slice()));
        self.send(slot, Message::Hashes(span, digests));
        Ok(())
    }

    fn note_answered(&mut self, slot: PeerSlot, bytes: usize) {
        if let Some(peer) = self.peers.get_mut(slot) {
            peer.answered_bytes += bytes;
        }
    }

    fn reject(&mut self, slot: PeerSlot, question: Question) -> Result<(), DropReason> {
        match question {
            Question::Metadata { block } => {
                let answer = MetadataMessage::Reject { block }.encode();
                self.send_extension(slot, Extension::Metadata, answer);
            }
            Question::Hashes(span) => self.send(slot, Message::HashReject(span)),
        }
        self.note_refusal(slot)
    }

    /// Refuses what the peer asked of its own accord.
    pub(super) fn refuse(&mut self, slot: PeerSlot, request: Request) -> Result<(), DropReason> {
        self.send_reject(slot, request);
        self.note_refusal(slot)
    }

    /// Without BEP 6 a request that is not served gets no answer.
    pub(super) fn send_reject(&mut self, slot: PeerSlot, request: Request) {
        if self.is_fast(slot) {
            self.send(slot, Message::Reject(request));
        }
    }

    fn note_refusal(&mut self, slot: PeerSlot) -> Result<(), DropReason> {
        let Some(peer) = self.peers.get_mut(slot) else { return Ok(()) };
        let second = self.now.as_micros() / 1_000_000;
        if peer.refused_in != second {
            (peer.refused_in, peer.refused) = (second, 0);
        }
        peer.refused += 1;
        if peer.refused > REFUSED_MAX { Err(DropReason::RequestFlood) } else { Ok(()) }
    }
}
