//! Answering others, and keeping what they bring.
//!
//! Invariant: an answer has at most [`AMPLIFICATION_MAX`] times the bytes of its query and fits a packet.
//! What does not fit is left out: peers and nodes in part, an item or a filter as a whole.

use super::{Dht, wanted};
use crate::config::{
    AMPLIFICATION_MAX, EndpointIndex, ITEM_SENT_BYTES_MAX, Output, SENT_BYTES_MAX,
};
use crate::krpc::{
    Body, ErrorAnswer, ErrorCode, Message, Method, Query, Response, Signed, TransactionId, Want,
};
use crate::peer_store::{Announce, Wish};
use crate::strangers::Stranger;
use crate::table::BUCKET_NODES_MAX;
use crate::token::{Purpose, TOKEN_BYTES};
use crate::{Contact, Family, ImmutableItem, Item, MutableItem, MutableName, NodeId};
use piecework_types::Time;
use std::net::SocketAddr;

/// Peers that one answer names.
const VALUES_OF_ANSWER_MAX: usize = 50;
/// Nodes that an answer with peers names before peers take the rest of its room.
const NODES_BESIDE_VALUES: usize = 4;
/// Both filters with their keys: `4:BFpe256:` and `4:BFsd256:`.
const FILTERS_BYTES: usize = 2 * (256 + 10);

/// Transaction id and length of the packet that is answered.
type Asked<'a> = (&'a TransactionId, usize);

/// Who asked what, and how much may be said.
#[derive(Clone, Copy, Debug)]
struct Caller {
    endpoint: EndpointIndex,
    from: SocketAddr,
    family: Family,
    want: Want,
}

/// The bytes that are left of an answer's limit.
#[derive(Clone, Copy, Debug)]
struct Room(usize);

impl Room {
    /// Takes so many, if there are so many.
    fn take(&mut self, bytes: usize) -> bool {
        let left = self.0.checked_sub(bytes);
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }

    /// Takes a part of a list: how many items of `each` bytes fit beside `frame` bytes around them.
    fn take_list(&mut self, frame: usize, each: usize, most: usize) -> usize {
        let count = (self.0.saturating_sub(frame) / each).min(most);
        if count > 0 {
            self.0 -= frame + count * each;
        }
        count
    }
}

impl Dht {
    /// A query came.
    pub(super) fn handle_query(
        &mut self,
        endpoint: EndpointIndex,
        from: SocketAddr,
        asked: Asked<'_>,
        query: Query,
        now: Time,
    ) {
        if self.config.is_read_only {
            return;
        }
        if !self.budgets.take_query(&self.config, from, now) {
            self.counters.over_budget += 1;
            return;
        }
        let family = self.here(endpoint).family;
        if !query.read_only {
            self.meet(endpoint, Contact { id: query.id, address: from }, now);
        }
        let caller = Caller { endpoint, from, family, want: wanted(query.want, family) };
        let body = match self.reply(caller, asked, query.method, now) {
            Ok(response) => Body::Response(Box::new(response)),
            Err(error) => Body::Error(error),
        };
        self.send_answer(caller, asked, body);
    }

    /// A query lacks something: says so.
    pub(super) fn refuse_malformed(
        &mut self,
        endpoint: EndpointIndex,
        from: SocketAddr,
        asked: Asked<'_>,
        error: ErrorAnswer,
        now: Time,
    ) {
        if self.config.is_read_only || !self.budgets.take_query(&self.config, from, now) {
            return;
        }
        let family = self.here(endpoint).family;
        let caller = Caller { endpoint, from, family, want: wanted(None, family) };
        self.send_answer(caller, asked, Body::Error(error));
    }

    /// Somebody who is not read-only asked: it may belong in the table.
    fn meet(&mut self, endpoint: EndpointIndex, contact: Contact, now: Time) {
        let here = self.here_mut(endpoint);
        here.table.heard(contact, now);
        if here.table.wants(contact) {
            let stranger = Stranger { address: contact.address, was_prompted: true };
            here.strangers.add(stranger, now);
        }
    }

    fn reply(
        &mut self,
        caller: Caller,
        asked: Asked<'_>,
        method: Method,
        now: Time,
    ) -> Result<Response, ErrorAnswer> {
        let mut response = Response::new(self.here(caller.endpoint).id);
        let most = match method {
            Method::Get { .. } => ITEM_SENT_BYTES_MAX,
            _ => SENT_BYTES_MAX,
        };
        let mut room = self.room(caller, asked, &response, most);
        match method {
            Method::Ping => {}
            Method::FindNode { target } | Method::Unknown { target: Some(target) } => {
                self.add_nodes(caller, target, BUCKET_NODES_MAX, &mut room, &mut response);
            }
            Method::GetPeers { info_hash, no_seeds, scrape } => {
                let family = caller.family;
                let wish = Wish { info_hash, family, no_seeds, most: VALUES_OF_ANSWER_MAX };
                self.add_peers(caller, wish, scrape, (&mut room, &mut response), now);
            }
            Method::AnnouncePeer { info_hash, port, implied_port, seed, token } => {
                let port = if implied_port { caller.from.port() } else { port };
                let peer = SocketAddr::new(caller.from.ip(), port);
                let announce = Announce { info_hash, peer, is_seed: seed };
                self.keep_peer(caller, announce, &token, now)?;
            }
            Method::Get { target, newer_than } => {
                self.add_item(caller, target, newer_than, (&mut room, &mut response), now);
            }
            Method::Put { token, value, signed } => {
                self.keep_item(caller, &token, value, signed, now)?;
            }
            Method::SampleInfoHashes { target } => {
                self.add_sample(caller, target, (&mut room, &mut response), now);
            }
            Method::Unknown { target: None } => {
                return Err(error(ErrorCode::METHOD, "unknown method"));
            }
        }
        Ok(response)
    }

    /// What is left for an answer to say once it says who answers.
    fn room(&self, caller: Caller, asked: Asked<'_>, response: &Response, most: usize) -> Room {
        let body = Body::Response(Box::new(response.clone()));
        let spent = self.answer(caller, asked.0, body).len();
        Room((asked.1 * AMPLIFICATION_MAX).min(most).saturating_sub(spent))
    }

    fn add_nodes(
        &self,
        caller: Caller,
        target: NodeId,
        most: usize,
        room: &mut Room,
        response: &mut Response,
    ) {
        for family in [Family::V4, Family::V6] {
            let is_wanted = if family == Family::V4 { caller.want.v4 } else { caller.want.v6 };
            let of_family = self.endpoints.iter().find(|other| other.family == family);
            // The endpoint that was asked knows best.
            let here =
                if family == caller.family { Some(self.here(caller.endpoint)) } else { of_family };
            let Some(here) = here.filter(|_| is_wanted) else { continue };
            let mut nodes = here.table.closest(target, BUCKET_NODES_MAX + 1);
            nodes.retain(|node| node.address != caller.from);
            // `5:nodes208:` or `6:nodes6304:`
            nodes.truncate(room.take_list(12, family.node_bytes(), most));
            // Whoever asks for nodes may take an answer without a list for a broken one: `6:nodes60:`
            if nodes.is_empty() && !room.take(10) {
                continue;
            }
            match family {
                Family::V4 => response.nodes = Some(nodes),
                Family::V6 => response.nodes6 = Some(nodes),
            }
        }
    }

    fn add_peers(
        &mut self,
        caller: Caller,
        wish: Wish,
        scrape: bool,
        (room, response): (&mut Room, &mut Response),
        now: Time,
    ) {
        let target = wish.info_hash.into();
        // Without a token nobody announces here, which is what a full torrent wants (BEP 33).
        if self.peers.has_room(wish.info_hash) {
            self.add_token(caller, target, (room, response), now);
        }
        if scrape
            && room.0 >= FILTERS_BYTES
            && let Some(filters) = self.peers.filters(wish.info_hash, now)
        {
            room.take(FILTERS_BYTES);
            response.filters = Some(filters);
        }
        let mut peers = self.peers.peers(wish, now, &mut self.rng);
        let nodes = if peers.is_empty() { BUCKET_NODES_MAX } else { NODES_BESIDE_VALUES };
        self.add_nodes(caller, target, nodes, room, response);
        // `6:valueslL6:......e`
        let each = caller.family.address_bytes() + if caller.family == Family::V4 { 2 } else { 3 };
        peers.truncate(room.take_list(10, each, peers.len()));
        response.values = peers;
    }

    fn add_item(
        &mut self,
        caller: Caller,
        target: NodeId,
        newer_than: Option<i64>,
        (room, response): (&mut Room, &mut Response),
        now: Time,
    ) {
        self.add_token(caller, target, (room, response), now);
        match self.items.get(target, now) {
            // `1:v`
            Some(Item::Immutable(item)) if room.take(3 + item.value().len()) => {
                response.value = Some(item.value().to_vec());
            }
            Some(Item::Mutable(item)) => {
                // `3:seqi-9223372036854775808e`
                let has_sequence = room.take(5 + 22);
                response.sequence = has_sequence.then_some(item.sequence());
                let is_newer = newer_than.is_none_or(|known| item.sequence() > known);
                // `1:k32:`, `3:sig64:` and `1:v`
                let bytes = 6 + 32 + 8 + 64 + 3 + item.value().len();
                if has_sequence && is_newer && room.take(bytes) {
                    response.key = Some(item.name().key());
                    response.signature = Some(item.signature());
                    response.value = Some(item.value().to_vec());
                }
            }
            Some(Item::Immutable(_)) | None => {}
        }
        self.add_nodes(caller, target, BUCKET_NODES_MAX, room, response);
    }

    fn add_sample(
        &mut self,
        caller: Caller,
        target: NodeId,
        (room, response): (&mut Room, &mut Response),
        now: Time,
    ) {
        // `8:intervali300e`, `3:numi2000e` and `7:samples400:`
        if !room.take(20 + 16 + 14) {
            return;
        }
        let nodes =
            if room.0 < SENT_BYTES_MAX / 2 { NODES_BESIDE_VALUES } else { BUCKET_NODES_MAX };
        self.add_nodes(caller, target, nodes, room, response);
        let most = room.take_list(0, NodeId::BYTES, usize::MAX);
        response.samples = Some(self.peers.sample(most, now, &mut self.rng));
    }

    fn add_token(
        &self,
        caller: Caller,
        target: NodeId,
        (room, response): (&mut Room, &mut Response),
        now: Time,
    ) {
        // `5:token8:`
        if room.take(9 + TOKEN_BYTES) {
            response.token = Some(self.keys.token(caller.purpose(target), now).to_vec());
        }
    }

    fn keep_peer(
        &mut self,
        caller: Caller,
        announce: Announce,
        token: &[u8],
        now: Time,
    ) -> Result<(), ErrorAnswer> {
        let target: NodeId = announce.info_hash.into();
        self.check_token(caller, target, token, now)?;
        if !self.config.addresses.allows(announce.peer) {
            return Err(error(ErrorCode::PROTOCOL, "bad address"));
        }
        let is_kept = self.peers.announce(announce, now);
        if is_kept { Ok(()) } else { Err(error(ErrorCode::SERVER, "no room")) }
    }

    fn keep_item(
        &mut self,
        caller: Caller,
        token: &[u8],
        value: Vec<u8>,
        signed: Option<Signed>,
        now: Time,
    ) -> Result<(), ErrorAnswer> {
        let compare = signed.as_ref().and_then(|signed| signed.compare);
        let bad = |_| error(ErrorCode::PROTOCOL, "bad item");
        let (target, named) = match &signed {
            Some(signed) => {
                let name = MutableName::new(signed.key, &signed.salt).map_err(bad)?;
                (name.target(), Some(name))
            }
            None => (ImmutableItem::new(value.clone()).map_err(bad)?.target(), None),
        };
        self.check_token(caller, target, token, now)?;
        if !self.budgets.take_put(&self.config, caller.from, now) {
            return Err(error(ErrorCode::SERVER, "too many"));
        }
        let item = match (signed, named) {
            (Some(signed), Some(name)) => {
                let item = MutableItem::verify(name, signed.sequence, signed.signature, value);
                Item::Mutable(item.map_err(|_| error(ErrorCode::SIGNATURE, "bad signature"))?)
            }
            _ => Item::Immutable(ImmutableItem::new(value).map_err(bad)?),
        };
        let own: Vec<_> = self.endpoints.iter().map(|endpoint| endpoint.id).collect();
        let kept = self.items.put(item, compare, caller.from.ip(), &own, now);
        kept.map_err(|code| error(code, "not stored"))
    }

    fn check_token(
        &self,
        caller: Caller,
        target: NodeId,
        token: &[u8],
        now: Time,
    ) -> Result<(), ErrorAnswer> {
        let is_ours = self.keys.accepts(token, caller.purpose(target), now);
        if is_ours { Ok(()) } else { Err(error(ErrorCode::PROTOCOL, "bad token")) }
    }

    fn send_answer(&mut self, caller: Caller, asked: Asked<'_>, body: Body) {
        let bytes = self.answer(caller, asked.0, body);
        if bytes.len() > (asked.1 * AMPLIFICATION_MAX).min(ITEM_SENT_BYTES_MAX) {
            self.counters.unanswerable += 1;
            return;
        }
        self.counters.answered += 1;
        self.outputs.push_back(Output::Send { endpoint: caller.endpoint, to: caller.from, bytes });
    }

    /// The packet. Errors say no more than they must: a query that earns one may be short.
    fn answer(&self, caller: Caller, transaction: &TransactionId, body: Body) -> Vec<u8> {
        let is_response = matches!(body, Body::Response(_));
        let message = Message {
            transaction: transaction.clone(),
            version: is_response.then_some(self.config.version),
            seen_as: is_response.then_some(caller.from),
            body,
        };
        message.encode()
    }
}

impl Caller {
    const fn purpose(self, target: NodeId) -> Purpose {
        Purpose { endpoint: self.endpoint, ip: self.from.ip(), target }
    }
}

fn error(code: ErrorCode, text: &str) -> ErrorAnswer {
    ErrorAnswer { code, text: text.into() }
}
