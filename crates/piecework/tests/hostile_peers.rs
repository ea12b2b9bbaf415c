//! Beside each kind of byzantine peer a download completes and memory stays bounded.

use piecework_metainfo::Version;
use piecework_testkit::{
    Behaviour, FakePeer, Fixture, FixtureBuilder, PATIENCE, PeerStream, Run, Sandbox, Signal,
    download,
};
use piecework_types::{BLOCK_BYTES, InfoHash, PeerId};
use std::time::Duration;

const BINARY: &str = env!("CARGO_BIN_EXE_piecework");

/// Most resident memory that hostile peers may bring a process to.
const MEMORY_BYTES_MAX: u64 = 200 << 20;

/// 4 MiB in 64 pieces.
fn fixture() -> Fixture {
    FixtureBuilder::file("payload", 4 << 20).piece_length(4 * BLOCK_BYTES).build()
}

/// Downloads from a byzantine peer and from an honest one that waits for the other's misdeed.
fn survives(behaviour: Behaviour) {
    let (fixture, sandbox) = (fixture(), Sandbox::new(BINARY));
    let byzantine = FakePeer::builder(&fixture, behaviour).start();
    let honest = FakePeer::builder(&fixture, Behaviour::Honest).hold_after(1 << 20);
    let honest = honest.hold_metadata().start();
    let source = match behaviour {
        Behaviour::FalseMetadata | Behaviour::HugeMetadata => fixture.magnet(&[]).to_string(),
        _ => sandbox.torrent(&fixture).display().to_string(),
    };
    let mut command = sandbox.get(source, &[byzantine.address(), honest.address()]);
    command.arg("--stay");
    let mut run = Run::start(command);
    byzantine.wait("a misdeed", |stats| stats.misdeeds > 0);
    honest.release();
    run.wait_stdout("DONE ");
    let peak = run.peak_memory_bytes();
    assert!(peak < MEMORY_BYTES_MAX, "{} MiB", peak >> 20);
    assert_eq!(run.end(Signal::TERM, Duration::from_secs(3)), 0, "{}", run.stderr());
    assert_eq!(fixture.faults(&sandbox.dir()), [""; 0]);
}

/// One test for each behaviour, so that they run side by side and fail by name.
macro_rules! beside {
    ($($name:ident: $behaviour:ident,)*) => {
        $(#[test]
        fn $name() {
            survives(Behaviour::$behaviour);
        })*

        #[test]
        fn no_behaviour_is_left_out() {
            let tested = [$(Behaviour::$behaviour),*];
            assert_eq!(tested, Behaviour::BYZANTINE);
        }
    };
}

beside! {
    beside_wrong_blocks: CorruptBlocks,
    beside_a_false_bitfield: FalseBitfield,
    beside_one_who_rejects_everything: RejectsAll,
    beside_one_who_never_unchokes: NeverUnchokes,
    beside_a_flood_of_requests: FloodsRequests,
    beside_a_flood_of_haves: FloodsHaves,
    beside_a_slow_handshake: SlowHandshake,
    beside_silence: Silent,
    beside_noise_instead_of_a_handshake: NoiseFirst,
    beside_noise_after_the_handshake: NoiseLater,
    beside_frames_of_gigabytes: OversizeFrame,
    beside_blocks_nobody_asked_for: UnaskedBlocks,
    beside_numbers_out_of_range: OutOfRange,
    beside_another_info_hash: OtherInfoHash,
    beside_false_metadata: FalseMetadata,
    beside_huge_metadata: HugeMetadata,
    beside_connections_that_end_often: ClosesOften,
}

#[test]
fn one_honest_peer_wins_against_all_byzantine_ones_together() {
    let builder = FixtureBuilder::file("payload", 4 << 20).version(Version::Hybrid);
    let (fixture, sandbox) = (builder.piece_length(4 * BLOCK_BYTES).build(), Sandbox::new(BINARY));
    let start = |behaviour| FakePeer::builder(&fixture, behaviour).start();
    let mut peers: Vec<FakePeer> = Behaviour::BYZANTINE.into_iter().map(start).collect();
    peers.push(FakePeer::seed(&fixture));
    let addresses: Vec<_> = peers.iter().map(FakePeer::address).collect();
    let mut command = sandbox.get(fixture.magnet(&[]).to_string(), &addresses);
    command.arg("--stay");
    let run = Run::start(command);
    run.wait_stdout("DONE ");
    let peak = run.peak_memory_bytes();
    assert!(peak < MEMORY_BYTES_MAX, "{} MiB", peak >> 20);
    assert_eq!(fixture.faults(&sandbox.dir()), [""; 0]);
}

#[test]
fn floods_from_many_sides_do_not_add_up() {
    let (fixture, sandbox) = (fixture(), Sandbox::new(BINARY));
    fixture.write_payload(&sandbox.dir()).expect("a folder that can be written");
    let run = Run::start(sandbox.seed(sandbox.torrent(&fixture), &[]));
    let address = run.wait_ready();
    let flood = FakePeer::builder(&fixture, Behaviour::FloodsRequests).pieces([]).start();
    for _ in 0..10 {
        flood.dial(address).expect("the seed listens");
    }
    flood.wait("ten floods", |stats| stats.misdeeds >= 10 * 20 || stats.ended == 10);
    let downloaded = download(&fixture, address).expect("a download");
    assert_eq!(downloaded.bytes, 4 << 20);
    let peak = run.peak_memory_bytes();
    assert!(peak < MEMORY_BYTES_MAX, "{} MiB", peak >> 20);
}

#[test]
fn a_seed_serves_others_while_byzantine_peers_dial_it() {
    let (fixture, sandbox) = (fixture(), Sandbox::new(BINARY));
    fixture.write_payload(&sandbox.dir()).expect("a folder that can be written");
    let run = Run::start(sandbox.seed(sandbox.torrent(&fixture), &[]));
    let address = run.wait_ready();
    let start = |behaviour| {
        let peer = FakePeer::builder(&fixture, behaviour).pieces([]).start();
        peer.dial(address).expect("the seed listens");
        peer
    };
    let peers: Vec<FakePeer> = Behaviour::BYZANTINE.into_iter().map(start).collect();
    let downloaded = download(&fixture, address).expect("a download");
    assert_eq!(downloaded.bytes, 4 << 20);
    let peak = run.peak_memory_bytes();
    assert!(peak < MEMORY_BYTES_MAX, "{} MiB", peak >> 20);
    drop(peers);
}

#[test]
fn a_stranger_is_turned_away() {
    let (fixture, sandbox) = (fixture(), Sandbox::new(BINARY));
    let run = Run::start(sandbox.get(sandbox.torrent(&fixture), &[]));
    let mut stream = PeerStream::connect(run.wait_ready()).expect("it listens");
    stream.send_handshake(InfoHash([9; 20]), PeerId([9; 20])).expect("a connection");
    assert!(stream.is_closed_within(PATIENCE));
}
