#![allow(clippy::unwrap_used)]

use super::frame::{REPLY_BYTES, REQUEST_BYTES, Reply, Request};
use super::serve::{Surroundings, answer};
use super::{Agent, AgentFault, AgentSocket, place, system};
use crate::{Unlocked, WalletFolder};
use piecework_pay::{Address, B256, Key, Signature, Signer};
use piecework_types::Time;
use proptest::prelude::*;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

fn key(byte: u8) -> Key {
    Key::new(&[byte; 32]).unwrap()
}

fn digest() -> B256 {
    B256::repeat_byte(7)
}

fn wallet() -> (tempfile::TempDir, WalletFolder) {
    let state = tempfile::tempdir().unwrap();
    let folder = WalletFolder::of(state.path());
    (state, folder)
}

/// Serves the key of this byte for a minute by a clock that stands at `micros`, while `then` runs; `then`
/// has to lock the wallet, or to move the clock.
fn while_serving(folder: &WalletFolder, user: u32, then: impl FnOnce(&AtomicU64)) {
    let micros = AtomicU64::new(0);
    let socket = AgentSocket::open(folder).unwrap();
    let clock = &micros;
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut unlocked = Unlocked::new(key(1), Time::ZERO, MINUTE);
            let now = || Time::from_micros(clock.load(Ordering::Relaxed));
            socket.serve_with(&mut unlocked, &Surroundings { now: &now, user }).unwrap();
            assert!(unlocked.key(Time::ZERO).is_none(), "the key is wiped");
        });
        then(&micros);
    });
}

#[test]
fn an_agent_signs_until_it_is_told_to_lock_and_then_nothing_is_left_of_it() {
    let (_state, folder) = wallet();
    assert_eq!(Agent::find(&folder).unwrap(), None);
    assert!(!Agent::lock(&folder).unwrap());
    while_serving(&folder, system::user(), |_| {
        let mode = |file| fs::metadata(file).unwrap().permissions().mode() & 0o777;
        let file = folder.agent_file();
        assert_eq!((mode(file.parent().unwrap()), mode(&file)), (0o700, 0o600));
        let agent = Agent::find(&folder).unwrap().unwrap();
        assert_eq!((agent.address(), agent.left()), (key(1).address(), MINUTE));
        assert_eq!(agent.sign(&digest()).unwrap(), key(1).sign(&digest()));
        assert!(Agent::lock(&folder).unwrap());
        assert!(agent.sign(&digest()).unwrap_err().contains("wallet is locked"));
    });
    assert_eq!(Agent::find(&folder).unwrap(), None);
    assert!(!Agent::lock(&folder).unwrap());
}

#[test]
fn an_agent_whose_time_is_over_signs_nothing_more_and_ends() {
    let (_state, folder) = wallet();
    while_serving(&folder, system::user(), |micros| {
        let second = Duration::from_secs(1).as_micros() as u64;
        micros.store(59 * second, Ordering::Relaxed);
        let agent = Agent::find(&folder).unwrap().unwrap();
        assert_eq!(agent.left(), Duration::from_secs(1));
        micros.store(60 * second, Ordering::Relaxed);
        assert!(agent.sign(&digest()).unwrap_err().contains("wallet unlock"));
    });
    assert_eq!(Agent::find(&folder).unwrap(), None);
}

#[test]
fn what_is_asked_is_answered_by_the_clock() {
    let (unlocked, later) = (|| Unlocked::new(key(1), Time::ZERO, MINUTE), Time::ZERO + MINUTE);
    let early = later - Duration::from_micros(1);
    let (address, left) = (key(1).address(), Duration::from_micros(1));
    let says = |request, now| answer(request, &mut unlocked(), now);
    assert_eq!(says(Some(Request::Status), early), Reply::Unlocked { address, left });
    let signed = Reply::Signed(key(1).sign(&digest()));
    assert_eq!(says(Some(Request::Sign(digest())), early), signed);
    for request in [Request::Status, Request::Sign(digest()), Request::Lock] {
        assert_eq!(says(Some(request), later), Reply::Locked, "{request:?}");
    }
    assert_eq!(says(None, early), Reply::Foreign);
    // Time that runs backwards brings no key back.
    let mut unlocked = unlocked();
    assert_eq!(answer(Some(Request::Status), &mut unlocked, later), Reply::Locked);
    assert_eq!(answer(Some(Request::Status), &mut unlocked, early), Reply::Locked);
}

#[test]
fn garbage_floods_and_half_requests_get_nothing_and_hold_nobody_up() {
    let (_state, folder) = wallet();
    while_serving(&folder, system::user(), |_| {
        let say = |bytes: &[u8]| {
            let mut stream = place::connect(&folder.agent_file()).unwrap();
            // The agent reads one request and closes; what comes behind it meets nobody.
            drop(stream.write_all(bytes));
            drop(stream.shutdown(std::net::Shutdown::Write));
            let mut reply = Vec::new();
            drop(stream.read_to_end(&mut reply));
            reply
        };
        let foreign = Reply::Foreign.encode().to_vec();
        assert_eq!(say(&[0xff; REQUEST_BYTES]), foreign);
        let mut newer = Request::Status.encode();
        newer[0] += 1;
        assert_eq!(say(&newer), foreign);
        let mut unknown = Request::Status.encode();
        unknown[1] = 99;
        assert_eq!(say(&unknown), foreign);
        for half in [&b""[..], b"GET / HTTP/1.1\r\n\r\n", &Request::Status.encode()[..33]] {
            assert_eq!(say(half), b"", "{half:?}");
        }
        let flood = say(&vec![0xff; 4 << 20]);
        assert!(flood.is_empty() || flood == foreign, "{} bytes", flood.len());
        // Nobody has to be finished: this one stays while others are served.
        let idle = place::connect(&folder.agent_file()).unwrap();
        let agent = Agent::find(&folder).unwrap().unwrap();
        assert_eq!(agent.sign(&digest()).unwrap(), key(1).sign(&digest()));
        drop(idle);
        // An agent of any version is ended by a program of any version.
        let mut lock = Request::Lock.encode();
        lock[0] += 1;
        assert_eq!(say(&lock), Reply::Locked.encode());
    });
}

#[test]
fn another_user_is_told_nothing() {
    let (_state, folder) = wallet();
    // Everybody here is somebody else to this agent.
    while_serving(&folder, system::user() + 1, |micros| {
        for request in [Request::Status, Request::Sign(digest()), Request::Lock] {
            let mut stream = place::connect(&folder.agent_file()).unwrap();
            drop(stream.write_all(&request.encode()));
            let mut reply = Vec::new();
            drop(stream.read_to_end(&mut reply));
            assert!(reply.is_empty(), "{request:?}: {reply:?}");
        }
        assert_eq!(Agent::find(&folder).unwrap(), None);
        micros.store(u64::MAX, Ordering::Relaxed);
        drop(place::connect(&folder.agent_file()));
    });
}

#[test]
fn a_socket_that_a_killed_agent_left_behind_is_told_of_and_replaced() {
    let (_state, folder) = wallet();
    folder.make().unwrap();
    let file = folder.agent_file();
    let leave = || drop(UnixListener::bind(&file).unwrap());
    leave();
    let gone = Agent::find(&folder).unwrap_err();
    assert!(matches!(gone, AgentFault::Gone), "{gone}");
    assert!(gone.to_string().contains("`piecework wallet unlock`"), "{gone}");
    assert!(!Agent::lock(&folder).unwrap());
    assert!(!file.exists());

    leave();
    while_serving(&folder, system::user(), |_| {
        assert_eq!(Agent::find(&folder).unwrap().unwrap().address(), key(1).address());
        assert!(Agent::lock(&folder).unwrap());
    });

    fs::write(&file, "mine").unwrap();
    let refused = AgentSocket::open(&folder).unwrap_err().to_string();
    assert!(refused.contains("agent.socket") && refused.contains("move it away"), "{refused}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
}

#[test]
fn of_two_agents_the_later_one_has_the_wallet_and_the_earlier_one_ends() {
    let (_state, folder) = wallet();
    while_serving(&folder, system::user(), |_| {
        let second = AgentSocket::open(&folder).unwrap();
        thread::scope(|scope| {
            scope.spawn(move || {
                let mut unlocked = Unlocked::new(key(2), Time::ZERO, MINUTE);
                let around = Surroundings { now: &|| Time::ZERO, user: system::user() };
                second.serve_with(&mut unlocked, &around).unwrap();
            });
            assert_eq!(Agent::find(&folder).unwrap().unwrap().address(), key(2).address());
            assert!(Agent::lock(&folder).unwrap());
        });
    });
}

#[test]
fn a_wallet_deep_below_many_folders_has_an_agent_too() {
    let (state, _) = wallet();
    let deep = state.path().join(format!("{0}/{0}/{0}", "a".repeat(80)));
    let folder = WalletFolder::of(&deep);
    while_serving(&folder, system::user(), |_| {
        let agent = Agent::find(&folder).unwrap().unwrap();
        assert_eq!(agent.sign(&digest()).unwrap(), key(1).sign(&digest()));
        assert!(Agent::lock(&folder).unwrap());
    });
}

#[test]
fn an_agent_that_answers_nonsense_is_not_believed() {
    let (_state, folder) = wallet();
    folder.make().unwrap();
    let listener = UnixListener::bind(folder.agent_file()).unwrap();
    let says = |reply: [u8; REPLY_BYTES], ask: &dyn Fn() -> String| {
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut stream = listener.accept().unwrap().0;
                stream.read_exact(&mut [0; REQUEST_BYTES]).unwrap();
                stream.write_all(&reply).unwrap();
            });
            ask()
        })
    };
    let find = || format!("{:?}", Agent::find(&folder));
    assert_eq!(says([9; REPLY_BYTES], &find), "Err(Version)");
    assert_eq!(says(Reply::Signed(key(2).sign(&digest())).encode(), &find), "Err(Version)");
    assert_eq!(says(Reply::Locked.encode(), &find), "Ok(None)");
    let mut agent = None;
    let address = key(1).address();
    says(Reply::Unlocked { address, left: MINUTE }.encode(), &|| {
        format!("{:?}", Agent::find(&folder))
    });
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut stream = listener.accept().unwrap().0;
            stream.read_exact(&mut [0; REQUEST_BYTES]).unwrap();
            stream.write_all(&Reply::Unlocked { address, left: MINUTE }.encode()).unwrap();
        });
        agent = Agent::find(&folder).unwrap();
    });
    let agent = agent.unwrap();
    let sign = || agent.sign(&digest()).unwrap_err();
    // Somebody else's signature, and one of another digest.
    let others = Reply::Signed(key(2).sign(&digest())).encode();
    assert!(says(others, &sign).contains("worth nothing"));
    let another = Reply::Signed(key(1).sign(&B256::ZERO)).encode();
    assert!(says(another, &sign).contains("worth nothing"));
    let mut none = another;
    none[2..].fill(0xff);
    assert!(says(none, &sign).contains("another version"));
}

fn requests() -> impl Strategy<Value = Request> {
    prop_oneof![
        Just(Request::Status),
        Just(Request::Lock),
        any::<[u8; 32]>().prop_map(|digest| Request::Sign(B256::new(digest))),
    ]
}

fn replies() -> impl Strategy<Value = Reply> {
    let signed = any::<[u8; 32]>().prop_map(|digest| -> Signature {
        let digest = B256::new(digest);
        key(1).sign(&digest)
    });
    prop_oneof![
        Just(Reply::Locked),
        Just(Reply::Foreign),
        signed.prop_map(Reply::Signed),
        (any::<[u8; 20]>(), any::<u64>()).prop_map(|(address, left)| Reply::Unlocked {
            address: Address::new(address),
            left: Duration::from_millis(left),
        }),
    ]
}

proptest! {
    #[test]
    fn what_is_encoded_is_read_back(request in requests(), reply in replies()) {
        prop_assert_eq!(Request::decode(&request.encode()), Some(request));
        prop_assert_eq!(Reply::decode(&reply.encode()), reply);
    }

    #[test]
    fn any_bytes_are_read_without_harm(
        request in any::<[u8; REQUEST_BYTES]>(),
        start in any::<[u8; 4]>(),
        byte in any::<u8>(),
    ) {
        let _ = Request::decode(&request);
        let mut reply = [byte; REPLY_BYTES];
        reply[..4].copy_from_slice(&start);
        let _ = Reply::decode(&reply);
    }
}
