//! Terms, and what comes before a trade: an opening that is taken, refused, or has crossed other terms.

use super::Till;
use super::trade::{Said, Stage, Trade};
use crate::{
    Bind, CloseReason, Meeting, Message, Open, PeerKey, RefusedCode, TillOutput, first_window,
};

/// Openings on one connection at most: each costs up to three signatures to check.
const OPENS_MAX: u8 = 8;

impl Till {
    pub(super) fn meet(&mut self, meeting: Meeting) {
        if self.trades.len() >= super::PEERS_MAX || self.trades.contains_key(&meeting.peer) {
            return;
        }
        let first_window = first_window(self.config.link_bytes, meeting.verified_bytes);
        let trade = Trade {
            meeting,
            first_window,
            said: None,
            before: None,
            stage: Stage::Met,
            is_refused: false,
            counts: crate::Counts::default(),
            opens: 0,
            faults: 0,
        };
        self.trades.insert(meeting.peer, trade);
        self.tell_terms(meeting.peer);
    }

    /// Says the terms, once on a connection: what an opening signs names them.
    pub(super) fn tell_terms(&mut self, peer: PeerKey) {
        let Some(trade) = self.trades.get(&peer).filter(|trade| trade.said.is_none()) else {
            return;
        };
        if !self.sells {
            return;
        }
        let Meeting { initiator, responder, info_hash, .. } = trade.meeting;
        let terms = self.terms(trade.first_window);
        let message = Message::Terms(terms.clone());
        let bind = Bind::new(&initiator, &responder, info_hash, &message.encode());
        if let Some(trade) = self.trades.get_mut(&peer) {
            trade.said = Some(Box::new(Said { terms, bind }));
        }
        self.outbox.push(TillOutput::Send { peer, message });
    }

    /// An opening is answered once: the cheque and the bid behind one that was refused are passed over, but
    /// for a cheque of the trade that is open all the same.
    pub(super) fn passes_over(&mut self, peer: PeerKey, message: &Message) -> bool {
        let Some(trade) = self.trades.get_mut(&peer).filter(|trade| trade.is_refused) else {
            return false;
        };
        let open = trade.deal().map(|deal| deal.channel);
        let (is_behind, goes_on) = match message {
            Message::Cheque(signed) => {
                let is_other = open != Some(signed.cheque.channel);
                (is_other, is_other)
            }
            Message::Bid(_) => (true, false),
            _ => (false, false),
        };
        trade.is_refused = goes_on;
        if let Message::Cheque(signed) = message
            && is_behind
            && !self.sells
        {
            // So it hears that nothing is sold, and is told the terms when something is again.
            trade.retire_terms();
            let (channel, reason) = (signed.cheque.channel, CloseReason::Off);
            self.say(peer, Message::Close { channel, reason });
        }
        is_behind
    }

    pub(super) fn hear_open(&mut self, peer: PeerKey, open: &Open) {
        if self.deal_mut(peer).is_some_and(|deal| deal.is_closed || deal.is_offered) {
            // The trade before has ended, or not begun; the next one may on the same connection.
            self.end_deal(peer);
        }
        let Some(trade) = self.trades.get_mut(&peer) else { return };
        trade.opens = trade.opens.saturating_add(1);
        trade.is_refused = true;
        if matches!(trade.stage, Stage::Open(_)) || trade.opens > OPENS_MAX {
            self.refuse(peer, RefusedCode::RateLimited, "opened already, or too often");
            return;
        }
        trade.stage = Stage::Met;
        let said = trade.said.as_ref().filter(|_| self.sells);
        let Some(bind) = said.map(|said| said.bind) else { return };
        let before = trade.before;
        match self.check_open(open, &bind) {
            Ok(opening) => {
                let channel = opening.open.last.map(|last| last.signed.cheque.channel);
                if let Some(trade) = self.trades.get_mut(&peer) {
                    (trade.before, trade.is_refused) = (None, false);
                }
                self.stage(peer, Stage::Opening(Box::new(opening)));
                if let Some(channel) = channel {
                    self.ask_chain_first(peer, channel);
                }
            }
            // It left before our terms came there: then they are the answer, as they were said.
            Err(_) if before.is_some_and(|bind| self.check_open(open, &bind).is_ok()) => {
                let said = self.trades.get(&peer).and_then(|trade| trade.said.as_ref());
                if let Some(terms) = said.map(|said| said.terms.clone()) {
                    self.say(peer, Message::Terms(terms));
                }
            }
            Err((code, text)) => self.fault(peer, code, text),
        }
    }

    /// What a buyer says against us.
    pub(super) fn hear_refused(&mut self, peer: PeerKey, code: RefusedCode) {
        match code {
            // Nothing can be sold here: the place is for another one.
            RefusedCode::NoNetwork => self.left(peer),
            // It pays no more than it has bid, or nothing more at all.
            RefusedCode::AskOverBid | RefusedCode::Disagree => self.leave_lane(peer),
            // A seller's words.
            _ => {}
        }
    }
}
