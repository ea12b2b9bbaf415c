//! What goes into and comes out of the two machines of payments: `Till` of a seller and
//! `Purse` of a buyer. Both are asked by `Payments`, which joins them to connections.

use crate::{Facts, Lane, Message, Network, Price, Sale, Terms, TorrentKey, Write};
use alloy_primitives::{Address, B256};

/// A connection, by a number that is never given twice.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PeerKey(pub u64);

/// What is known of a connection when both sides have said hello.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Meeting {
    /// Which.
    pub peer: PeerKey,
    /// About which torrent.
    pub torrent: TorrentKey,
    /// The info-hash of its handshake, which is part of what is said ([`crate::Bind::new`]).
    pub info_hash: [u8; 20],
    /// Bytes of a piece; blocks of a v2 or hybrid torrent are verified one by one, then it is 16 KiB.
    pub verified_bytes: u32,
    /// What both have said, but for the terms ([`crate::Bind::new`]).
    pub initiator: [u8; 32],
    /// The other side's.
    pub responder: [u8; 32],
    /// Between two that download from each other the imbalance is billed.
    pub offsets: bool,
}

/// Billable payload of one connection, counted since its start. Blocks of the allowed-fast set, and blocks
/// that were cancelled in time, are not in it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Bytes from the seller to the buyer. The seller counts what it has sent, the buyer what came.
    pub bytes: u64,
    /// Of them, verified: only the buyer knows.
    pub verified: u64,
    /// Bytes the other way, while both download.
    pub back: u64,
}

/// What account facts are wanted of: all that one answer of the chain is about.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct FactsKey {
    /// In which money.
    pub network: Network,
    /// Whose account.
    pub payer: Address,
    /// For which payee: locks and channels are between two.
    pub payee: Address,
    /// Which delegation, by its digest.
    pub delegation: Option<B256>,
    /// Its last second, since 1970, as an owner may revoke all that end up to a time; 0 without one.
    pub valid_until: u64,
    /// Which channel.
    pub channel: u64,
}

/// How a seller serves a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Service {
    /// By the choker alone, as everybody.
    Free,
    /// Unchoked, at this rate, until so many billable bytes were sent in all; there it waits.
    Paid {
        /// Bytes a second: its weight among the paid.
        rate: u64,
        /// Bytes a second that the bid is for at this price: it may have so many while nobody else wants
        /// them.
        most: u64,
        /// Count of [`Counts::bytes`] at which the credit ends.
        limit: u64,
    },
}

/// What a seller's machine is told.
#[derive(Clone, Debug, PartialEq)]
pub enum TillInput {
    /// A peer that buys has said hello.
    Met(Meeting),
    /// It has sent a message.
    Heard {
        /// Who.
        peer: PeerKey,
        /// What.
        message: Message,
    },
    /// What was sent to it.
    Served {
        /// To whom.
        peer: PeerKey,
        /// In all.
        counts: Counts,
    },
    /// The answer to [`TillOutput::CountWanted`]: what was sent to a peer is as it was told last, and no more
    /// leaves before what is said to it now.
    Counted {
        /// Who.
        peer: PeerKey,
    },
    /// The connection is gone.
    Left {
        /// Which.
        peer: PeerKey,
    },
    /// The answer to [`TillOutput::FactsWanted`].
    Facts {
        /// What was asked.
        key: FactsKey,
        /// None: the chain does not answer.
        facts: Option<Facts>,
    },
    /// Everything written up to this number is on the drive.
    Written(crate::WriteId),
    /// A cash-out has ended: what the vault has paid on the channel in all, or that it failed.
    Cashed {
        /// The payer.
        payer: Address,
        /// In which money.
        network: Network,
        /// The channel.
        channel: u64,
        /// None: try again later.
        paid: Option<u128>,
    },
    /// What the whole uplink can carry, bytes a second, and what of it free peers took of late.
    Capacity {
        /// All of it.
        bytes_per_second: u64,
    },
    /// Which part of the last week the node was up, in thousandths: who is often away cashes sooner.
    Uptime {
        /// 1000 for all of it.
        permille: u16,
    },
    /// The user has set the lowest ask.
    Floor(Price),
    /// The user has set what is for those who do not pay, in thousandths of the uplink, at least
    /// [`crate::FREE_PERMILLE_MIN`]. It counts from the next allocation on, and in terms from now on.
    FreePermille(u16),
    /// The chain told of an exit, a bond exit or a revocation of this account: cash at once.
    Exiting {
        /// In which money.
        network: Network,
        /// Whose.
        payer: Address,
    },
    /// Sell, or stop. Credit that was given is still collected.
    Sell(bool),
    /// The moment of `poll_timeout`.
    Timeout,
}

/// What a seller's machine wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum TillOutput {
    /// Tell a peer.
    Send {
        /// Whom.
        peer: PeerKey,
        /// What.
        message: Message,
    },
    /// Serve a peer so from now on.
    Serve {
        /// Whom.
        peer: PeerKey,
        /// How.
        service: Service,
    },
    /// Send a peer no bytes for a moment, and tell what was sent: a price is to be said that must not hold
    /// for any of them.
    CountWanted {
        /// Whom.
        peer: PeerKey,
    },
    /// Ask the chain; at most one question of a key is under way.
    FactsWanted(FactsKey),
    /// Write down.
    Write(Write),
    /// Cash this channel.
    Cash(Box<Sale>),
}

/// What somebody wants of one torrent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Wish {
    /// Which torrent.
    pub torrent: TorrentKey,
    /// How fast.
    pub lane: Lane,
    /// What it may cost in all, in the token's smallest unit.
    pub budget: u128,
    /// The highest price.
    pub price_max: Price,
    /// Bytes that are still to come.
    pub left: u64,
    /// Bytes a second that its buyer takes at most, of all peers together, if it has limited itself.
    pub rate_max: Option<u64>,
}

/// What a buyer's machine is told.
#[derive(Clone, Debug, PartialEq)]
pub enum PurseInput {
    /// What is wanted of a torrent from now on. With a slow lane nothing more is bought.
    Want(Wish),
    /// The torrent is complete or gone.
    Forget(TorrentKey),
    /// A peer that sells has said hello.
    Met(Meeting),
    /// It has sent its terms.
    Terms {
        /// Who.
        peer: PeerKey,
        /// What it offers.
        terms: Terms,
        /// The same as it was sent, before it was sealed: that is what [`crate::Bind::new`] takes.
        said: Vec<u8>,
    },
    /// It has sent another message.
    Heard {
        /// Who.
        peer: PeerKey,
        /// What.
        message: Message,
    },
    /// What came from it.
    Came {
        /// From whom.
        peer: PeerKey,
        /// In all.
        counts: Counts,
    },
    /// A piece that it sold whole was corrupt: that is never paid, and nothing more is bought of it.
    Corrupt {
        /// Who.
        peer: PeerKey,
    },
    /// The connection is gone.
    Left {
        /// Which.
        peer: PeerKey,
    },
    /// Our own account, asked for every minute while something is bought.
    Funds {
        /// In which money.
        network: Network,
        /// None: the chain does not answer.
        facts: Option<Facts>,
    },
    /// Everything written up to this number is on the drive.
    Written(crate::WriteId),
    /// Buy, or stop everywhere at once.
    Buy(bool),
    /// What may be spent in a day (UTC), for all torrents.
    DayMax(u128),
    /// The moment of `poll_timeout`.
    Timeout,
}

/// Why nothing is bought for a torrent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hold {
    /// Its budget is used up.
    Budget,
    /// What may be spent in a day is used up.
    Day,
    /// The account, or the delegation, has not enough left.
    Funds,
    /// Every seller asks more than the highest price.
    Price,
    /// The chain does not answer.
    Chain,
}

/// What a buyer's machine wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum PurseOutput {
    /// Tell a peer.
    Send {
        /// Whom.
        peer: PeerKey,
        /// What.
        message: Message,
    },
    /// This peer is, or no longer is, one that is paid: whole v1 pieces are asked of it alone, and a block
    /// of nobody else who is paid.
    Buying {
        /// Whom.
        peer: PeerKey,
        /// Whether.
        is_paid: bool,
    },
    /// Write down.
    Write(Write),
    /// Four fifths of a budget are spent.
    NearlySpent(TorrentKey),
    /// Nothing more is bought for a torrent, or, with none, it goes on.
    Held {
        /// Which.
        torrent: TorrentKey,
        /// Why.
        hold: Option<Hold>,
    },
}
