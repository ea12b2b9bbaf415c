//! One connection to a seller: what it offers, how far the trade is, and what waits to be said.

use super::deal::Deal;
use crate::{
    Counts, LINK_BYTES_MAX, LINK_BYTES_MIN, LINKS_MAX, Meeting, Message, PeerKey, Price,
    PurseOutput, Refused, RefusedCode, Terms, WriteId,
};
use alloy_primitives::Address;
use piecework_types::Time;
use std::collections::VecDeque;

/// Messages to one seller that wait for the drive, at most: then only what replaces one is added.
const POSTS_MAX: usize = 64;

/// Channels that are opened on one connection at most: sellers need not listen to more.
const OPENINGS_MAX: usize = 8;

/// What waits to be said, or to be told the swarm, until a write is on the drive.
#[derive(Debug)]
enum Post {
    Message(Box<Message>),
    Buying(bool),
}

impl Post {
    fn is(&self, which: impl Fn(&Message) -> bool) -> bool {
        match self {
            Self::Message(message) => which(message),
            Self::Buying(_) => false,
        }
    }
}

/// What a seller offers, of which we have an account for one network.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) terms: Terms,
    pub(super) said: Vec<u8>,
    /// The account's place among ours, and the network's among the seller's.
    pub(super) account: usize,
    pub(super) network: u8,
    /// What it asks for a MiB at least, as it said last: in its terms, and with each free lane.
    pub(super) ask: Price,
}

/// How far a trade is.
#[derive(Debug)]
pub(super) enum Stage {
    /// Nothing was opened.
    Met,
    /// A channel is open, be it that nothing is bought at the moment.
    Open(Box<Deal>),
    /// Nothing more is bought on this connection.
    Ended,
}

/// A connection to a seller.
#[derive(Debug)]
pub(super) struct Trade {
    pub(super) meeting: Meeting,
    pub(super) offer: Option<Offer>,
    pub(super) stage: Stage,
    pub(super) counts: Counts,
    /// Bytes a second in the last round, and what had come before it.
    pub(super) rate: u64,
    pub(super) counted: u64,
    /// Rounds in a row in which under a quarter of what was promised came.
    pub(super) slow_rounds: u8,
    /// Nothing is bid before.
    pub(super) barred_until: Time,
    /// It could not ask the chain about us when it was last opened or served.
    pub(super) is_chain_away: bool,
    /// Openings that it has turned down for that.
    pub(super) turned_down: usize,
    /// Channels that were closed here: nothing more is bought on them on this connection.
    pub(super) closed: Vec<u64>,
    /// The seller may say its terms: at first, and after it has stopped to sell.
    pub(super) awaits_terms: bool,
    /// The number of the last bid that was said on this connection.
    pub(super) bids: u32,
    posts: VecDeque<(WriteId, Post)>,
}

impl Trade {
    pub(super) fn new(meeting: Meeting) -> Self {
        Self {
            meeting,
            offer: None,
            stage: Stage::Met,
            counts: Counts::default(),
            rate: 0,
            counted: 0,
            slow_rounds: 0,
            barred_until: Time::ZERO,
            is_chain_away: false,
            turned_down: 0,
            closed: Vec::new(),
            awaits_terms: true,
            bids: 0,
            posts: VecDeque::new(),
        }
    }

    /// A channel was closed: the next opening has another.
    pub(super) fn close(&mut self, channel: u64) {
        self.closed.push(channel);
        self.reopen();
    }

    /// An opening was turned down for now. Nothing behind it leaves any more.
    pub(super) fn turn_down(&mut self) {
        self.hush();
        self.tell(false);
        self.turned_down += 1;
        self.reopen();
    }

    /// Opens anew some time, unless that was the last time.
    fn reopen(&mut self) {
        let is_last = self.closed.len() + self.turned_down >= OPENINGS_MAX;
        self.stage = if is_last { Stage::Ended } else { Stage::Met };
    }

    pub(super) fn deal(&self) -> Option<&Deal> {
        if let Stage::Open(deal) = &self.stage { Some(deal) } else { None }
    }

    pub(super) fn deal_mut(&mut self) -> Option<&mut Deal> {
        if let Stage::Open(deal) = &mut self.stage { Some(deal) } else { None }
    }

    /// Whether something is being bought of it.
    pub(super) fn is_engaged(&self) -> bool {
        self.deal().is_some_and(Deal::is_bidding)
    }

    /// Whether it could be bought of at `now`, and what a MiB costs as far as is known.
    pub(super) fn candidate(&self, now: Time) -> Option<Price> {
        if matches!(self.stage, Stage::Ended) || self.barred_until > now || self.is_engaged() {
            return None;
        }
        self.price()
    }

    /// What it asks at least. What is paid in its paid lane says nothing of it: that is what bids, our own
    /// among them, have made of it.
    pub(super) fn ask(&self) -> Option<Price> {
        self.offer.as_ref().map(|offer| offer.ask)
    }

    /// What a MiB of it costs, as it said last.
    pub(super) fn price(&self) -> Option<Price> {
        let terms = self.offer.as_ref().map(|offer| offer.terms.ask);
        let told = self.deal().and_then(|deal| deal.ask).map(|ask| ask.price);
        told.filter(|price| *price > Price::default()).or(terms)
    }

    /// Says something when `after` is on the drive, and not before all that was said earlier.
    pub(super) fn say(&mut self, after: WriteId, message: Message) {
        // A later link or bid of a run replaces one that has not left.
        if let Some((waits, Post::Message(last))) = self.posts.back_mut()
            && is_same_run(last, &message)
        {
            *waits = after.max(*waits);
            **last = message;
            return;
        }
        if self.posts.len() < POSTS_MAX {
            self.posts.push_back((after, Post::Message(Box::new(message))));
        }
    }

    /// Tells the swarm whether this seller is paid, in turn with what is said.
    pub(super) fn tell(&mut self, is_paid: bool) {
        self.posts.retain(|(_, post)| !matches!(post, Post::Buying(_)));
        self.posts.push_back((WriteId::default(), Post::Buying(is_paid)));
    }

    pub(super) fn refuse(&mut self, code: RefusedCode, text: &str) {
        let text = text.to_owned();
        self.say(WriteId::default(), Message::Refused(Refused { code, text }));
    }

    /// A new cheque follows: the one before and its links need not leave any more.
    pub(super) fn supersede(&mut self) {
        self.posts.retain(|(_, post)| {
            !post.is(|it| matches!(it, Message::Cheque(_) | Message::Link { .. }))
        });
    }

    /// Whether these terms are to be read: those that were awaited, and others than an opening was made
    /// under which has no answer. They have crossed it, and it is worth nothing.
    pub(super) fn reads(&self, said: &[u8]) -> bool {
        match &self.stage {
            Stage::Met => self.awaits_terms,
            Stage::Open(deal) => {
                let is_unanswered = !deal.is_accepted && deal.ask.is_none();
                is_unanswered && self.offer.as_ref().is_some_and(|offer| offer.said != said)
            }
            Stage::Ended => false,
        }
    }

    /// No bid leaves that has not left; nothing at all if the opening has not. Answers whether that is so.
    pub(super) fn hush(&mut self) -> bool {
        let mut posts = self.posts.iter();
        let is_unopened = posts.any(|(_, post)| post.is(|it| matches!(it, Message::Open(_))));
        let is_bid = |post: &Post| post.is(|it| matches!(it, Message::Bid(_)));
        self.posts.retain(|(_, post)| !is_unopened && !is_bid(post));
        is_unopened
    }

    /// What may leave now.
    pub(super) fn next_output(&mut self, written: WriteId) -> Option<PurseOutput> {
        let (_, post) = self.posts.pop_front_if(|(after, _)| *after <= written)?;
        let peer = self.meeting.peer;
        Some(match post {
            Post::Message(message) => PurseOutput::Send { peer, message: *message },
            Post::Buying(is_paid) => PurseOutput::Buying { peer, is_paid },
        })
    }

    pub(super) fn is_silent(&self) -> bool {
        self.posts.is_empty()
    }

    pub(super) fn peer(&self) -> PeerKey {
        self.meeting.peer
    }
}

fn is_same_run(last: &Message, next: &Message) -> bool {
    matches!(
        (last, next),
        (Message::Link { .. }, Message::Link { .. }) | (Message::Bid(_), Message::Bid(_))
    )
}

/// That terms can be bought under by an account that is not the payee's.
pub(super) fn is_sane(terms: &Terms, account: Address) -> bool {
    terms.payee != Address::ZERO
        && terms.payee != account
        && (LINK_BYTES_MIN..=LINK_BYTES_MAX).contains(&terms.link_bytes)
        && (1..=LINKS_MAX).contains(&terms.links_max)
        && terms.window >= terms.link_bytes
}
