//! Bugs on purpose: a wrapper that changes what a machine hears or says.
//!
//! Owns the mutations. Invariant: without a plant the wrapper is transparent. They prove that the
//! checkers can fail; the machine's own code has no switch for them.

use piecework_swarm::{Input, Output, Part, Reason, Reserve, Swarm};
use piecework_types::{PeerSlot, PieceGrid, PieceIndex, Time};
use piecework_wire::{Message, Request};
use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// A bug that can be planted.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Plant {
    /// Every eighth request is made to a second peer too.
    DuplicateRequest,
    /// One peer is never unchoked.
    SkippedTurn,
    /// Cancels are not sent.
    AbsentCancel,
    /// Cancels are sent a second late.
    LateCancel,
    /// A verified piece's first block is asked for again.
    AsksForHeldPiece,
    /// Every peer is unchoked when it connects.
    UnchokesBeforeInterest,
    /// Every grant of upload quota counts twice.
    ExceedsUploadLimit,
    /// Half of what those without a reserve are granted is lost.
    StarvesOthers,
    /// A reserve is served at twice its rate.
    ExceedsReserve,
    /// What nobody wants is given to nobody.
    WastesSpare,
    /// A failed hash counts as passed.
    AcceptsBadPiece,
    /// A choke goes unnoticed.
    AsksWhileChoked,
    /// Every fiftieth chunk is forgotten.
    LosesChunk,
    /// A send buffer counts four times.
    IgnoresRoom,
    /// Every address that peers tell is dialled.
    TrustsGossip,
    /// A DHT node's answers are 300 bytes longer than they should be.
    Amplifies,
    /// A DHT node asks everybody twice.
    AsksTwice,
    /// A DHT node sends some of its queries to an address of its own network too.
    KnocksAtHome,
    /// A DHT node grants what it refuses.
    AcceptsReplays,
    /// A DHT node answers every query, however many there are.
    AnswersFloods,
    /// A DHT node talks to whom unasked answers name.
    BelievesStrangers,
    /// The vault pays every claim twice.
    VaultPaysTwice,
    /// A buyer pays for what it has not verified.
    PaysUnverified,
    /// A drive says that everything is written, and writes nothing of the ledger.
    LosesEntries,
}

impl Plant {
    /// Every bug.
    pub const ALL: [Self; 24] = [
        Self::DuplicateRequest,
        Self::SkippedTurn,
        Self::AbsentCancel,
        Self::LateCancel,
        Self::AsksForHeldPiece,
        Self::UnchokesBeforeInterest,
        Self::ExceedsUploadLimit,
        Self::StarvesOthers,
        Self::ExceedsReserve,
        Self::WastesSpare,
        Self::AcceptsBadPiece,
        Self::AsksWhileChoked,
        Self::LosesChunk,
        Self::IgnoresRoom,
        Self::TrustsGossip,
        Self::Amplifies,
        Self::AsksTwice,
        Self::KnocksAtHome,
        Self::AcceptsReplays,
        Self::AnswersFloods,
        Self::BelievesStrangers,
        Self::VaultPaysTwice,
        Self::PaysUnverified,
        Self::LosesEntries,
    ];
}

impl fmt::Display for Plant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::DuplicateRequest => "duplicate request",
            Self::SkippedTurn => "skipped optimistic turn",
            Self::AbsentCancel => "absent cancel",
            Self::LateCancel => "late cancel",
            Self::AsksForHeldPiece => "asks for a held piece",
            Self::UnchokesBeforeInterest => "unchokes before interest",
            Self::ExceedsUploadLimit => "exceeds its upload limit",
            Self::StarvesOthers => "starves those without a reserve",
            Self::ExceedsReserve => "serves a reserve too fast",
            Self::WastesSpare => "wastes what is to spare",
            Self::AcceptsBadPiece => "accepts a bad piece",
            Self::AsksWhileChoked => "asks while choked",
            Self::LosesChunk => "loses a chunk",
            Self::IgnoresRoom => "ignores a full send buffer",
            Self::TrustsGossip => "dials whatever it is told",
            Self::Amplifies => "amplifies",
            Self::AsksTwice => "asks twice",
            Self::KnocksAtHome => "knocks at home",
            Self::AcceptsReplays => "accepts replayed tokens",
            Self::AnswersFloods => "answers floods",
            Self::BelievesStrangers => "believes strangers",
            Self::VaultPaysTwice => "pays a claim twice",
            Self::PaysUnverified => "pays for unverified data",
            Self::LosesEntries => "loses lines of the ledger",
        })
    }
}

const LATE: Duration = Duration::from_secs(1);

/// The machine as the driver sees it.
pub(crate) struct Machine {
    swarm: Swarm,
    plant: Option<Plant>,
    grid: PieceGrid,
    extra: VecDeque<Output>,
    late: VecDeque<(Time, Output)>,
    count: u64,
    /// Peers that unchoked us, and the one that is never unchoked.
    open: BTreeSet<PeerSlot>,
    victim: Option<(PeerSlot, SocketAddr)>,
}

impl Machine {
    pub(crate) fn new(swarm: Swarm, plant: Option<Plant>, grid: PieceGrid) -> Self {
        Self {
            swarm,
            plant,
            grid,
            extra: VecDeque::new(),
            late: VecDeque::new(),
            count: 0,
            open: BTreeSet::new(),
            victim: None,
        }
    }

    pub(crate) const fn swarm(&self) -> &Swarm {
        &self.swarm
    }

    pub(crate) fn handle(&mut self, input: Input, now: Time) {
        let input = match self.plant {
            None => Some(input),
            Some(plant) => self.hear(plant, input),
        };
        if let Some(input) = input {
            self.swarm.handle(input, now);
        }
    }

    pub(crate) fn poll(&mut self, now: Time) -> Option<Output> {
        let Some(plant) = self.plant else {
            return self.swarm.poll();
        };
        if self.late.front().is_some_and(|(at, _)| *at <= now) {
            return self.late.pop_front().map(|(_, output)| output);
        }
        if let Some(output) = self.extra.pop_front() {
            return Some(output);
        }
        loop {
            let output = self.swarm.poll()?;
            if let Some(output) = self.say(plant, output, now) {
                return Some(output);
            }
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<(Time, Reason)> {
        let late = self.late.front().map(|(at, _)| (*at, Reason::Deadline));
        self.swarm.poll_timeout().into_iter().chain(late).min()
    }

    /// The piece that the machine will believe to be verified once it has heard `input`.
    pub(crate) fn verifies(&self, input: &Input) -> Option<PieceIndex> {
        match input {
            Input::PieceVerified { piece } => Some(*piece),
            Input::PieceFailed { piece, .. } if self.plant == Some(Plant::AcceptsBadPiece) => {
                Some(*piece)
            }
            _ => None,
        }
    }

    fn hear(&mut self, plant: Plant, input: Input) -> Option<Input> {
        match &input {
            Input::Connected { slot, hello } => {
                self.victim.get_or_insert((*slot, hello.address));
                if plant == Plant::UnchokesBeforeInterest {
                    self.extra.push_back(Output::Send { slot: *slot, message: Message::Unchoke });
                }
            }
            Input::Disconnected { slot } => self.forget(*slot),
            Input::Received { slot, message: Message::Unchoke } => {
                self.open.insert(*slot);
            }
            Input::Received { slot, message: Message::Choke } => {
                self.open.remove(slot);
                if plant == Plant::AsksWhileChoked {
                    return None;
                }
            }
            Input::PieceVerified { piece } if plant == Plant::AsksForHeldPiece => {
                self.ask_again(*piece);
            }
            Input::PieceFailed { piece, .. } if plant == Plant::AcceptsBadPiece => {
                return Some(Input::PieceVerified { piece: *piece });
            }
            Input::UploadQuota { part, bytes } if plant == Plant::ExceedsUploadLimit => {
                return Some(Input::UploadQuota { part: *part, bytes: bytes * 2 });
            }
            Input::UploadQuota { part: Part::Open, bytes } if plant == Plant::StarvesOthers => {
                return Some(Input::UploadQuota { part: Part::Open, bytes: bytes / 2 });
            }
            Input::UploadQuota { part: Part::Spare, .. } if plant == Plant::WastesSpare => {
                return None;
            }
            Input::Reserve { slot, reserve: Some(reserve) } if plant == Plant::ExceedsReserve => {
                let reserve = Reserve { rate: reserve.rate * 2, ..*reserve };
                return Some(Input::Reserve { slot: *slot, reserve: Some(reserve) });
            }
            Input::Room { slot, bytes } if plant == Plant::IgnoresRoom => {
                return Some(Input::Room { slot: *slot, bytes: bytes * 4 });
            }
            _ => {}
        }
        Some(input)
    }

    fn say(&mut self, plant: Plant, output: Output, now: Time) -> Option<Output> {
        match (&output, plant) {
            (
                Output::Send { slot, message: Message::Request(request) },
                Plant::DuplicateRequest,
            ) => {
                self.count += 1;
                let (slot, request) = (*slot, *request);
                if self.count.is_multiple_of(8) {
                    self.ask_another(slot, request);
                }
            }
            (Output::Send { message: Message::Cancel(_), .. }, Plant::AbsentCancel) => return None,
            (Output::Send { message: Message::Cancel(_), .. }, Plant::LateCancel) => {
                self.late.push_back((now + LATE, output));
                return None;
            }
            (
                Output::Send { slot, message: Message::Choke | Message::Unchoke },
                Plant::SkippedTurn,
            ) if self.victim.is_some_and(|(victim, _)| victim == *slot) => return None,
            (Output::Store { .. }, Plant::LosesChunk) => {
                self.count += 1;
                if self.count.is_multiple_of(50) {
                    return None;
                }
            }
            (Output::Disconnect { slot, .. }, _) => {
                let slot = *slot;
                self.forget(slot);
            }
            _ => {}
        }
        Some(output)
    }

    fn forget(&mut self, slot: PeerSlot) {
        self.open.remove(&slot);
        let gone = |output: &Output| matches!(output, Output::Send { slot: to, .. } if *to == slot);
        self.extra.retain(|output| !gone(output));
        self.late.retain(|(_, output)| !gone(output));
    }

    fn ask_again(&mut self, piece: PieceIndex) {
        let Some(block) = self.grid.block(piece, 0) else {
            return;
        };
        let request = Request { piece: piece.get(), begin: block.begin, length: block.length };
        if let Some(slot) = self.open.first().copied() {
            let message = Message::Request(request);
            self.extra.push_back(Output::Send { slot, message });
        }
    }

    fn ask_another(&mut self, slot: PeerSlot, request: Request) {
        if let Some(other) = self.open.iter().find(|other| **other != slot) {
            let message = Message::Request(request);
            self.extra.push_back(Output::Send { slot: *other, message });
        }
    }
}
