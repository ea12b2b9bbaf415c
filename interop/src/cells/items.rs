//! Cells about items of the DHT: kept for others (BEP 44), and pointing to torrents (BEP 46).

use std::time::Instant;

use mainline::{MutableItem, SigningKey};

use super::Cell;
use super::dht::must_know;
use super::transfer::Side;
use crate::failure::{Failure, Outcome};
use crate::lab::{Maker, Room, Subject};
use crate::matrix::Measure;
use crate::payload::Payload;
use crate::peers::bittorrent_dht;
use crate::peers::libtorrent::{self, Libtorrent};
use crate::peers::mainline::Mainline;
use crate::peers::nodes::{LibtorrentNodes, OurNodes};
use crate::peers::{Client, Family, Foreign, Job, Peer};
use crate::torrent::{Format, Recipe, Torrent};

/// The largest value there may be: 1000 bytes in bencode, of which four are its length.
const VALUE_BYTES_MAX: usize = 996;
/// A signed value that our nodes give to whoever asks, larger than one that points to a torrent: their
/// answers have three times the bytes of the query at most, and mainline asks with a hundred. Longer ones
/// come from the others alone.
const VALUE_BYTES_GIVEN: usize = 40;

/// Nodes that have to store an item, of twenty that are asked and of eight in the smaller network.
const STORED_MIN: u32 = 6;

/// The cells about items; a stand-in has no node of its own.
pub(super) fn cells(subject: &Subject) -> Vec<Cell> {
    let Subject::Ours(_) = subject else { return Vec::new() };
    let mainline = Foreign::Mainline.name();
    let both = [Foreign::Mainline, Foreign::Libtorrent];
    let publisher = [Foreign::BittorrentDht, Foreign::Libtorrent];
    let direction = Side::Leeches.direction("ours", Foreign::BittorrentDht.name());
    vec![
        Cell::new(
            "items, our nodes alone",
            format!("{mainline} -> ours -> {mainline}"),
            &both,
            |room| items(room, false),
        ),
        Cell::new(
            "items, our nodes among libtorrent's",
            format!("{mainline} -> all -> {mainline}"),
            &both,
            |room| items(room, true),
        ),
        Cell::new("follow a publisher, once", &direction, &publisher, follow_once),
        Cell::new("follow a publisher to a new version", &direction, &publisher, follow_on),
    ]
}

/// One mainline stores items, another reads them back: what is in between has kept them.
fn items(room: &Room<'_>, among_others: bool) -> Outcome<Measure> {
    let payload = room.lab.single()?;
    let torrent = room.torrent(&Recipe::new(payload, Format::V1), Maker::Subject)?;
    let others = if among_others { Some(LibtorrentNodes::start(room, Family::V4)?) } else { None };
    let entry = others.as_ref().map(LibtorrentNodes::router);
    let ours = OurNodes::start(room, &torrent, entry)?;
    // Once libtorrent gets to know them by asking, they know one another.
    let (home, patience) = (room.home("find")?, room.deadline.left());
    let hash = torrent.printed_hash();
    libtorrent::find_nodes(ours.router(), hash, STORED_MIN.into(), patience, &home)?;
    let began = Instant::now();
    let signer = || SigningKey::from_bytes(&[7; 32]);
    let long = vec![b'p'; if among_others { VALUE_BYTES_MAX } else { VALUE_BYTES_GIVEN }];
    let first = MutableItem::new(signer(), b"first", 1, Some(b"salt"));
    let second = MutableItem::new(signer(), &long, 2, Some(b"salt"));
    let other = MutableItem::new(signer(), b"without salt", 1, None);
    let writer = Mainline::start(ours.router(), room.deadline)?;
    let name = writer.put_immutable(&long)?;
    for (item, over) in [(&first, None), (&second, Some(1)), (&other, None)] {
        let stored = writer.put_mutable(item, over)?;
        if stored < STORED_MIN {
            return Err(Failure::new(format!("an item was stored at {stored} nodes")));
        }
    }
    if writer.put_mutable(&first, None).is_ok() {
        return Err(Failure::new("an older version was stored over a newer one"));
    }
    drop(writer);
    let reader = Mainline::start(ours.router(), room.deadline)?;
    if reader.immutable(name)?.as_ref() != Some(&long) {
        return Err(Failure::new("the immutable item does not come back"));
    }
    for item in [&second, &other] {
        let got = reader.mutable(item)?;
        if got.as_ref() != Some(item) {
            return Err(Failure::new(format!("stored {item:?}, got back {got:?}")));
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    ours.stop()?;
    let bytes = 2 * long.len() + b"first".len() + b"without salt".len();
    Ok(Measure::new(bytes as u64, seconds))
}

/// A torrent of libtorrent's that others find through the DHT.
struct Offer<'a> {
    payload: &'a Payload,
    torrent: Torrent,
    seeding: Box<dyn Peer>,
}

impl<'a> Offer<'a> {
    fn start(room: &Room<'_>, nodes: &LibtorrentNodes, payload: &'a Payload) -> Outcome<Self> {
        let torrent = room.torrent(&Recipe::new(payload, Format::V1), Maker::Libtorrent)?;
        let home = room.home("offer")?;
        let mut seed = Job::new(&torrent, payload.parent(), &home);
        seed.dht_router = Some(nodes.router());
        let seeding = Libtorrent::PEER.seed(&seed, room.deadline)?;
        must_know(room, nodes.router(), &torrent, seeding.as_ref())?;
        Ok(Self { payload, torrent, seeding })
    }

    /// The publisher says that this is the version `sequence`; hands back its key.
    fn publish(&self, room: &Room<'_>, nodes: &LibtorrentNodes, sequence: i64) -> Outcome<String> {
        let home = room.home("publisher")?;
        let hash = self.torrent.printed_hash();
        let published =
            bittorrent_dht::publish(nodes.router(), hash, sequence, &home, room.deadline)?;
        if published.stored == 0 {
            return Err(Failure::new("no node has stored the publisher's item"));
        }
        Ok(published.key)
    }
}

/// What a publisher points to is fetched, and that is all.
fn follow_once(room: &Room<'_>) -> Outcome<Measure> {
    let nodes = LibtorrentNodes::start(room, Family::V4)?;
    let mut offer = Offer::start(room, &nodes, room.lab.single()?)?;
    let key = offer.publish(room, &nodes, 1)?;
    let (dir, home) = (room.dir("ours")?, room.home("ours")?);
    let mut job = Job::new(&offer.torrent, &dir, &home);
    job.dht_router = Some(nodes.router());
    let began = Instant::now();
    let mut following = room.ours()?.follow(&job, &key, &["--once"])?;
    following.wait_version(1, &offer.torrent, room.deadline)?;
    following.wait_end(room.deadline)?;
    let seconds = began.elapsed().as_secs_f64();
    offer.seeding.stop()?;
    room.verify(offer.payload, &offer.torrent, &dir, true)?;
    Ok(Measure::new(offer.payload.bytes(), seconds))
}

/// While it is followed, the publisher points to another torrent: that is fetched too.
fn follow_on(room: &Room<'_>) -> Outcome<Measure> {
    let nodes = LibtorrentNodes::start(room, Family::V4)?;
    let mut old = Offer::start(room, &nodes, room.lab.single()?)?;
    let key = old.publish(room, &nodes, 1)?;
    let (dir, home) = (room.dir("ours")?, room.home("ours")?);
    let mut job = Job::new(&old.torrent, &dir, &home);
    job.dht_router = Some(nodes.router());
    let began = Instant::now();
    let mut following = room.ours()?.follow(&job, &key, &["--every", "30"])?;
    following.wait_version(1, &old.torrent, room.deadline)?;
    let mut new = Offer::start(room, &nodes, room.lab.halves()?)?;
    new.publish(room, &nodes, 2)?;
    following.wait_version(2, &new.torrent, room.deadline)?;
    following.stop()?;
    let seconds = began.elapsed().as_secs_f64();
    for offer in [&mut old, &mut new] {
        offer.seeding.stop()?;
        room.verify(offer.payload, &offer.torrent, &dir, true)?;
    }
    Ok(Measure::new(old.payload.bytes() + new.payload.bytes(), seconds))
}
