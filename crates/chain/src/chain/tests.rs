use super::*;
use crate::call::CallRequest;
use crate::log::LogFile;
use crate::pool::PoolLimits;
use crate::sealer::{Sealer, Solo, Turn, Work};
use crate::state::Account;
use crate::testing::{CHAIN_ID, Wish, address, coin, genesis, wish};
use alloy_primitives::U256;
use std::io;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

/// Blocks from `heads` until `count` transactions are in them.
fn until(heads: &Subscription, count: usize) -> Vec<Arc<Block>> {
    let mut blocks: Vec<Arc<Block>> = Vec::new();
    while blocks.iter().map(|block| block.transactions.len()).sum::<usize>() < count {
        let Next::Block(block) = heads.next(LONG) else {
            panic!("blocks end after {}", blocks.len());
        };
        blocks.push(block);
    }
    blocks
}

#[test]
fn what_is_in_a_block_is_found_again_after_a_restart_and_without_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let chain = Chain::init(folder.path(), &genesis()).unwrap();
    let heads = chain.subscribe(64);
    let raw: Vec<_> = (0..40).map(|n| Wish { value: coin(1), ..wish(0, n) }.raw()).collect();
    let hashes: Vec<_> = chain.submit_many(&raw).into_iter().map(Result::unwrap).collect();
    until(&heads, 40);
    let (head, root) = (chain.head(), chain.head().header.state_root);
    chain.close();
    for remove in [false, true] {
        if remove {
            std::fs::remove_file(folder.path().join("state.redb")).unwrap();
        }
        let chain = Chain::open(folder.path()).unwrap();
        assert_eq!(chain.head().hash, head.hash);
        assert_eq!(chain.head().header.state_root, root);
        for hash in &hashes {
            let found = chain.transaction(*hash).unwrap().unwrap();
            assert!(found.block.receipts[found.index].envelope.status());
            assert_eq!(found.block.transactions[found.index].hash(), *hash);
        }
        assert_eq!(chain.nonce(address(0), At::Latest).unwrap(), 40);
        assert_eq!(chain.account(address(0), At::Latest).unwrap().balance, coin(60));
        assert_eq!(chain.status().checkpointed, head.number());
    }
}

#[test]
fn a_folder_is_held_by_one_process_and_has_one_chain() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Chain::open(folder.path()), Err(OpenError::Missing(_))));
    let chain = Chain::init(folder.path(), &genesis()).unwrap();
    assert!(matches!(Chain::open(folder.path()), Err(OpenError::Locked(_))));
    assert!(matches!(Chain::init(folder.path(), &genesis()), Err(OpenError::Locked(_))));
    chain.close();
    assert!(matches!(Chain::init(folder.path(), &genesis()), Err(OpenError::Exists(_))));
    assert!(Chain::open(folder.path()).is_ok());
}

#[test]
fn what_belongs_to_a_chain_is_there_before_it_is_and_without_it_there_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let full = || Err(io::Error::other("no space left"));
    let failed = Chain::init_with(folder.path(), &genesis(), full).unwrap_err();
    assert!(failed.to_string().contains("no space left"), "{failed}");
    assert!(!Chain::is_in(folder.path()));

    let note = folder.path().join("note");
    let beside = || {
        assert!(!Chain::is_in(folder.path()));
        std::fs::write(&note, "first")
    };
    let chain = Chain::init_with(folder.path(), &genesis(), beside).unwrap();
    assert!(Chain::is_in(folder.path()) && note.exists());
    drop(chain);
    let again = Chain::init_with(folder.path(), &genesis(), || std::fs::write(&note, "second"));
    assert!(matches!(again, Err(OpenError::Exists(_))));
    assert_eq!(std::fs::read_to_string(&note).unwrap(), "first");
}

#[test]
fn a_store_that_does_not_fit_the_log_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let chain = Chain::init(folder.path(), &genesis()).unwrap();
    let heads = chain.subscribe(8);
    chain.submit(&wish(0, 0).raw()).unwrap();
    until(&heads, 1);
    chain.close();
    let store = folder.path().join("state.redb");
    let good = std::fs::read(&store).unwrap();
    let other = tempfile::tempdir().unwrap();
    let mut another = genesis();
    another.chain_id += 1;
    Chain::init(other.path(), &another).unwrap().close();
    let foreign = std::fs::read(other.path().join("state.redb")).unwrap();
    for bytes in [&good[..good.len() / 2], &[0; 4096], b"", &foreign] {
        std::fs::write(&store, bytes).unwrap();
        let chain = Chain::open(folder.path()).unwrap();
        assert_eq!(chain.head().number(), 1);
        assert_eq!(chain.nonce(address(0), At::Latest).unwrap(), 1);
    }
}

#[test]
fn a_store_with_any_page_lost_opens_with_the_chain_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let chain = Chain::init(folder.path(), &genesis()).unwrap();
    let heads = chain.subscribe(8);
    chain.submit(&wish(0, 0).raw()).unwrap();
    until(&heads, 1);
    let head = chain.head();
    chain.close();
    let store = folder.path().join("state.redb");
    let good = std::fs::read(&store).unwrap();
    let used = good.chunks(4096).enumerate().filter(|(_, page)| page.iter().any(|byte| *byte != 0));
    for (page, _) in used {
        let mut torn = good.clone();
        torn[page * 4096..(page + 1) * 4096].fill(0);
        std::fs::write(&store, &torn).unwrap();
        let chain = Chain::open(folder.path()).unwrap();
        assert_eq!(chain.head().hash, head.hash, "page {page}");
        assert_eq!(chain.nonce(address(0), At::Latest).unwrap(), 1, "page {page}");
        let found = chain.transaction(head.transactions[0].hash()).unwrap();
        assert_eq!(found.map(|found| found.index), Some(0), "page {page}");
    }
}

#[test]
fn a_log_cut_anywhere_in_its_last_block_opens_with_the_blocks_before() {
    let folder = tempfile::tempdir().unwrap();
    let chain = Chain::init(folder.path(), &genesis()).unwrap();
    let heads = chain.subscribe(8);
    for nonce in 0..2 {
        chain.submit(&wish(0, nonce).raw()).unwrap();
        until(&heads, 1);
    }
    chain.close();
    let (log, store) = (folder.path().join("blocks.log"), folder.path().join("state.redb"));
    let whole = std::fs::read(&log).unwrap();
    let last = whole.windows(4).rposition(|at| at == b"FRME").unwrap();
    // The checkpoint as it was before the last block came.
    std::fs::write(&log, &whole[..last]).unwrap();
    std::fs::remove_file(&store).unwrap();
    Chain::open(folder.path()).unwrap().close();
    let behind = std::fs::read(&store).unwrap();
    for length in (last..whole.len()).step_by(37).chain([last + 1, whole.len() - 1]) {
        std::fs::write(&log, &whole[..length]).unwrap();
        std::fs::write(&store, &behind).unwrap();
        let chain = Chain::open(folder.path()).unwrap();
        assert_eq!(chain.head().number(), 1, "cut at {length}");
        let heads = chain.subscribe(8);
        chain.submit(&wish(0, 1).raw()).unwrap();
        assert_eq!(until(&heads, 1)[0].number(), 2);
    }
    // The store has block 2 now: a log without it has lost what was acknowledged.
    std::fs::write(&log, &whole[..last]).unwrap();
    assert!(matches!(Chain::open(folder.path()), Err(OpenError::Lost(2))));
    std::fs::remove_file(&store).unwrap();
    assert_eq!(Chain::open(folder.path()).unwrap().head().number(), 1);
}

#[test]
fn calls_see_time_go_on_and_pending_sees_what_waits() {
    let folder = tempfile::tempdir().unwrap();
    let chain = Chain::init(folder.path(), &genesis()).unwrap();
    assert_eq!(chain.genesis_hash(), genesis().build().unwrap().0.hash);
    // Runtime of a creation is what it returns: the TIMESTAMP.
    let data = alloy_primitives::bytes!("4260005260206000f3");
    let request = CallRequest { from: address(0), data, ..CallRequest::default() };
    let crate::execute::Outcome::Success { output, .. } =
        chain.call(&request, At::Latest).unwrap().outcome
    else {
        panic!("the call fails");
    };
    assert!(U256::from_be_slice(&output) > U256::from(genesis().timestamp + 1_000_000));
    chain.submit(&wish(0, 1).raw()).unwrap();
    assert_eq!(chain.nonce(address(0), At::Pending).unwrap(), 0);
    assert_eq!(chain.status().waiting, 1);
    assert_eq!(chain.account(address(7), At::Latest).unwrap(), Account::default());
}

#[test]
fn what_is_not_taken_is_told_why_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let chain = Chain::init(folder.path(), &genesis()).unwrap();
    let (good, poor) = (wish(0, 0).raw(), Wish { value: coin(101), ..wish(1, 0) }.raw());
    let told = chain.submit_many(&[&good[..], &[1, 2], &poor, &good]);
    assert_eq!(told[0], Ok(Transaction::decode(&good, CHAIN_ID).unwrap().hash()));
    assert!(matches!(told[1], Err(Reject::Malformed(_))));
    assert!(matches!(told[2], Err(Reject::Unfit(Unfit::Funds { .. }))));
    assert_eq!(told[3], Err(Reject::Unfit(Unfit::Known)));
}

#[test]
fn who_reads_too_slowly_is_let_go() {
    let folder = tempfile::tempdir().unwrap();
    let chain = Chain::init(folder.path(), &genesis()).unwrap();
    let (slow, heads) = (chain.subscribe(1), chain.subscribe(64));
    for nonce in 0..3 {
        chain.submit(&wish(0, nonce).raw()).unwrap();
        until(&heads, 1);
    }
    assert!(matches!(slow.next(LONG), Next::Block(_)));
    assert_eq!(slow.next(LONG), Next::Ended);
    chain.close();
    assert_eq!(heads.next(LONG), Next::Ended);
}

/// A file on a disk that has room for so many bytes more.
struct Crowded {
    file: File,
    room: u64,
}

impl LogFile for Crowded {
    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        LogFile::read_at(&self.file, buffer, offset)
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let fits = bytes.len().min(usize::try_from(self.room).unwrap());
        self.room -= fits as u64;
        LogFile::write_at(&mut self.file, &bytes[..fits], offset)?;
        if fits < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        LogFile::flush(&mut self.file)
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        LogFile::cut(&mut self.file, length)
    }
}

#[test]
fn a_disk_that_fills_up_in_a_block_stops_the_chain_with_a_remedy_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    Chain::init(folder.path(), &genesis()).unwrap().close();
    for room in [0, 7, 600, 1000, 1500] {
        let crowded = |file| Box::new(Crowded { file, room }) as Box<dyn LogFile>;
        let (solo, limits) = (Box::new(Solo::default()), PoolLimits::default());
        let chain = Chain::open_over(folder.path(), solo, limits, &mut |_, _| {}, crowded).unwrap();
        let heads = chain.subscribe(64);
        let mut acknowledged = chain.head();
        let mut nonce = chain.nonce(address(0), At::Latest).unwrap();
        let halted = loop {
            if let Err(told) = chain.submit(&wish(0, nonce).raw()) {
                break told;
            }
            match heads.next(LONG) {
                Next::Block(block) => acknowledged = block,
                Next::Ended => {}
                Next::Nothing => panic!("neither a block nor an end"),
            }
            nonce += 1;
        };
        let Reject::Halted(halted) = halted else {
            panic!("it is refused for another reason: {halted}");
        };
        assert!(halted.to_string().contains("free space"), "{halted}");
        // What was there can still be read.
        assert_eq!(chain.head().hash, acknowledged.hash);
        assert_eq!(chain.status().halted, Some(halted));
        chain.close();
        let again = Chain::open(folder.path()).unwrap();
        assert_eq!(again.head().hash, acknowledged.hash);
        let heads = again.subscribe(8);
        let next = again.nonce(address(0), At::Latest).unwrap();
        again.submit(&wish(0, next).raw()).unwrap();
        until(&heads, 1);
    }
}

#[test]
fn a_backup_of_a_running_chain_opens_with_all_that_was_acknowledged() {
    let (folder, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let chain = Chain::init(folder.path(), &genesis()).unwrap();
    let heads = chain.subscribe(64);
    chain.submit(&wish(0, 0).raw()).unwrap();
    until(&heads, 1);
    let mut told = (0, 0);
    let bytes =
        Chain::copy(folder.path(), copy.path(), &mut |done, all| told = (done, all)).unwrap();
    assert_eq!(told, (bytes, bytes));
    let again = Chain::copy(folder.path(), copy.path(), &mut |_, _| {});
    assert!(matches!(again, Err(OpenError::Exists(_))), "{again:?}");
    let mut told = Vec::new();
    let restored = Chain::open_telling(copy.path(), &mut |done, all| told.push((done, all)));
    assert_eq!(restored.unwrap().head().hash, chain.head().hash);
    let [(done, all)] = told[..] else { panic!("one block is executed: {told:?}") };
    assert_eq!(done, all);
}

/// An engine that seals once and is then at the end of its wits.
#[derive(Default)]
struct Fragile {
    is_used: bool,
}

impl Sealer for Fragile {
    fn turn(&mut self, work: Work, _now: Time) -> Turn {
        if work.ready == 0 {
            return Turn::Rest;
        }
        assert!(!std::mem::replace(&mut self.is_used, true), "the engine breaks");
        Turn::Seal
    }

    fn tried(&mut self, _now: Time) {}
}

#[test]
fn a_thread_that_panics_stops_the_chain_and_what_was_sealed_before_stays() {
    let folder = tempfile::tempdir().unwrap();
    Chain::init(folder.path(), &genesis()).unwrap().close();
    let (engine, limits) = (Box::new(Fragile::default()), PoolLimits::default());
    let chain = Chain::open_with(folder.path(), engine, limits).unwrap();
    let heads = chain.subscribe(8);
    chain.submit(&wish(0, 0).raw()).unwrap();
    until(&heads, 1);
    chain.submit(&wish(0, 1).raw()).unwrap();
    assert_eq!(heads.next(LONG), Next::Ended);
    assert!(matches!(chain.submit(&wish(0, 2).raw()), Err(Reject::Halted(_))));
    chain.close();
    assert_eq!(Chain::open(folder.path()).unwrap().head().number(), 1);
}
