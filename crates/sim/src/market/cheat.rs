//! A node that cheats: real machines, and a script between them and the wire.

use super::plan::Cheat;
use piecework_pay::{
    Address, Ask, B256, Cheque, Connection, Heard, Key, Meeting, Message, Met, Network,
    PaymentsInput, PaymentsOutput, PeerKey, Price, Purse, PurseInput, PurseOutput, SignedCheque,
    Start, Talk, Till, TillInput, TillOutput, Typed,
};
use piecework_types::{Rng, Time};
use std::collections::{BTreeMap, VecDeque};

/// It has the inputs and outputs of `Payments`.
pub(super) struct Cheater {
    cheat: Cheat,
    till: Option<Till>,
    purse: Option<Purse>,
    talks: BTreeMap<PeerKey, (Talk, Connection, Option<Met>)>,
    out: VecDeque<PaymentsOutput>,
    rng: Rng,
    opening: Vec<Message>,
    opened_at: Option<PeerKey>,
    ask: Option<Ask>,
    /// Of the account, and the root that was shown honestly.
    key: Option<Key>,
    root: Option<B256>,
}

impl Cheater {
    pub(super) fn new(
        cheat: Cheat,
        (till, purse): (Option<Till>, Option<Purse>),
        key: Option<Key>,
        seed: u64,
    ) -> Self {
        Self {
            cheat,
            till,
            purse,
            talks: BTreeMap::new(),
            out: VecDeque::new(),
            rng: Rng::new(seed),
            opening: Vec::new(),
            opened_at: None,
            ask: None,
            key,
            root: None,
        }
    }

    pub(super) fn handle(&mut self, now: Time, wall: u64, input: PaymentsInput) {
        match input {
            PaymentsInput::Connected(connection) => self.connect(now, connection),
            PaymentsInput::Payload { peer, bytes } => self.hear(now, wall, peer, &bytes),
            PaymentsInput::Counted { peer, served, came } => {
                self.sell(now, wall, TillInput::Served { peer, counts: served });
                self.buy(now, wall, PurseInput::Came { peer, counts: came });
            }
            PaymentsInput::Corrupt { peer } => self.buy(now, wall, PurseInput::Corrupt { peer }),
            PaymentsInput::Disconnected { peer } => {
                self.talks.remove(&peer);
                self.sell(now, wall, TillInput::Left { peer });
                self.buy(now, wall, PurseInput::Left { peer });
            }
            PaymentsInput::Till(input) => self.sell(now, wall, input),
            PaymentsInput::Purse(input) => self.buy(now, wall, input),
            PaymentsInput::Timeout => {
                self.sell(now, wall, TillInput::Timeout);
                self.buy(now, wall, PurseInput::Timeout);
            }
        }
    }

    pub(super) fn poll(&mut self) -> Option<PaymentsOutput> {
        self.out.pop_front()
    }

    pub(super) fn poll_timeout(&self) -> Time {
        let till = self.till.as_ref().map_or(Time::NEVER, Till::poll_timeout);
        till.min(self.purse.as_ref().map_or(Time::NEVER, Purse::poll_timeout))
    }

    fn connect(&mut self, now: Time, connection: Connection) {
        let mut secret = [0; 32];
        secret.iter_mut().for_each(|byte| *byte = self.rng.next_u64() as u8);
        let Connection { peer, info_hash, is_initiator, .. } = connection;
        let (buys, sells) = (self.purse.is_some(), self.till.is_some());
        let secret = secret.into();
        let (offsets, is_again) = (false, false);
        let start = Start { is_initiator, info_hash, secret, buys, sells, offsets, is_again };
        let talk = Talk::new(start, now);
        self.out.push_back(PaymentsOutput::SendPayload { peer, bytes: talk.hello() });
        self.talks.insert(peer, (talk, connection, None));
    }

    fn hear(&mut self, now: Time, wall: u64, peer: PeerKey, bytes: &[u8]) {
        let Some((talk, connection, met)) = self.talks.get_mut(&peer) else { return };
        match talk.receive(bytes, now) {
            Ok(Heard::Met(heard)) => {
                *met = Some(heard);
                let meeting = Meeting {
                    peer,
                    torrent: connection.torrent,
                    info_hash: connection.info_hash,
                    verified_bytes: connection.verified_bytes,
                    initiator: heard.initiator,
                    responder: heard.responder,
                    offsets: heard.offsets,
                };
                if heard.we_sell {
                    self.sell(now, wall, TillInput::Met(meeting));
                }
                if heard.we_buy {
                    self.buy(now, wall, PurseInput::Met(meeting));
                }
            }
            Ok(Heard::Terms { terms, said }) => {
                self.buy(now, wall, PurseInput::Terms { peer, terms, said });
            }
            Ok(Heard::Message(message)) => {
                let message = *message;
                self.sell(now, wall, TillInput::Heard { peer, message: message.clone() });
                // It does as if it had not been refused.
                if !matches!(message, Message::Refused(_)) {
                    self.buy(now, wall, PurseInput::Heard { peer, message });
                }
            }
            Ok(Heard::Nothing) | Err(_) => {}
        }
    }

    fn sell(&mut self, now: Time, wall: u64, input: TillInput) {
        let Some(till) = &mut self.till else { return };
        till.handle(now, wall, input);
        while let Some(output) = self.till.as_mut().and_then(Till::poll) {
            match output {
                TillOutput::Send { peer, message } => self.say(peer, message),
                other => self.out.push_back(PaymentsOutput::Till(other)),
            }
        }
    }

    fn buy(&mut self, now: Time, wall: u64, input: PurseInput) {
        let Some(purse) = &mut self.purse else { return };
        purse.handle(now, wall, input);
        while let Some(output) = self.purse.as_mut().and_then(Purse::poll) {
            match output {
                PurseOutput::Send { peer, message } => self.say(peer, message),
                other => self.out.push_back(PaymentsOutput::Purse(other)),
            }
        }
    }

    fn say(&mut self, peer: PeerKey, message: Message) {
        for message in self.twist(peer, message) {
            let Some((talk, ..)) = self.talks.get_mut(&peer) else { return };
            if let Some(bytes) = talk.send(&message) {
                self.out.push_back(PaymentsOutput::SendPayload { peer, bytes });
            }
        }
    }

    /// What is said in place of a message.
    fn twist(&mut self, peer: PeerKey, message: Message) -> Vec<Message> {
        let is_more = matches!(&message, Message::Cheque(it) if it.cheque.cumulative > 0);
        match (self.cheat, &message) {
            (Cheat::NeverPays, Message::Link { .. }) => vec![],
            (
                Cheat::NeverPays
                | Cheat::HalfPays
                | Cheat::WrongLink
                | Cheat::SkippedLink
                | Cheat::LinkBeyondEnd,
                Message::Cheque(_),
            ) if is_more => vec![],
            (Cheat::HalfPays, Message::Link { number, link }) => {
                let half = number.div_ceil(2);
                let link = piecework_pay::fold_links(*link, number - half);
                vec![Message::Link { number: half, link }]
            }
            (Cheat::WrongLink, Message::Link { number, link }) => {
                vec![Message::Link { number: *number, link: piecework_pay::keccak256(link) }]
            }
            (Cheat::SkippedLink, Message::Link { number, link }) => {
                vec![Message::Link { number: number + 1, link: *link }]
            }
            (Cheat::LinkBeyondEnd, Message::Link { number, link }) => {
                vec![Message::Link { number: number + 4096, link: *link }]
            }
            (Cheat::LowersCheques, Message::Cheque(signed)) if is_more => {
                let (cheque, separator) = (signed.cheque, super::network().domain().separator());
                let lower = Cheque { cumulative: cheque.cumulative / 2, ..cheque };
                let signature = self.key.as_ref().map(|key| key.sign(&lower.digest(&separator)));
                let lower = signature.map(|signature| SignedCheque { cheque: lower, signature });
                lower.map(Message::Cheque).into_iter().collect()
            }
            (Cheat::ReplaysOpen, _) => self.replay(peer, message),
            (Cheat::ReplaysCheques, Message::Cheque(signed)) => {
                let replayed = self.replay_cheque(peer, *signed);
                replayed.map(Message::Cheque).into_iter().collect()
            }
            (Cheat::InflatesStat, Message::Stat { bytes, due }) => {
                vec![Message::Stat { bytes: bytes + bytes / 2, due: *due }]
            }
            (Cheat::RetroactiveAsk, Message::Ask(ask)) => {
                self.ask = Some(*ask).filter(|ask| ask.paid);
                vec![message]
            }
            (Cheat::RetroactiveAsk, Message::Stat { .. }) => {
                let dear = |ask: Ask| Ask { price: Price::percent(ask.price, 120), from: 0, ..ask };
                vec![Some(message), self.ask.map(|ask| Message::Ask(dear(ask)))]
                    .into_iter()
                    .flatten()
                    .collect()
            }
            _ => vec![message],
        }
    }

    /// On the first line honest, on each other one worth something elsewhere only.
    fn replay_cheque(&mut self, peer: PeerKey, signed: SignedCheque) -> Option<SignedCheque> {
        let (cheque, own) = (signed.cheque, super::network());
        let other_vault = Network { vault: Address::new([8; 20]), ..own };
        let (network, cheque) = match peer.0 & 0xffff_ffff {
            0 => {
                self.root = Some(cheque.root);
                return Some(signed);
            }
            1 => (Network { chain_id: own.chain_id + 1, ..own }, cheque),
            2 => (other_vault, cheque),
            // Signed for the channel that it names no more.
            3 => {
                let cheque = Cheque { channel: cheque.channel ^ 1, ..cheque };
                return Some(SignedCheque { cheque, ..signed });
            }
            // Of the account's life on a chain that was wiped since.
            4 => (own, Cheque { epoch: cheque.epoch - 1, ..cheque }),
            _ => (own, Cheque { root: self.root?, ..cheque }),
        };
        let digest = cheque.digest(&network.domain().separator());
        Some(SignedCheque { cheque, signature: self.key.as_ref()?.sign(&digest) })
    }

    fn replay(&mut self, peer: PeerKey, message: Message) -> Vec<Message> {
        let is_first = *self.opened_at.get_or_insert(peer) == peer;
        match message {
            Message::Open(_) if !is_first => self.opening.clone(),
            Message::Cheque(_) | Message::Bid(_) if !is_first => vec![],
            message => {
                let opens =
                    matches!(message, Message::Open(_) | Message::Cheque(_) | Message::Bid(_));
                if opens && self.opening.len() < 3 {
                    self.opening.push(message.clone());
                }
                vec![message]
            }
        }
    }
}
