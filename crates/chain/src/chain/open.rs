//! Making a chain's folder, and coming back to it after whatever ended the last run.
//!
//! Owns: the names in the folder, and the order: lock, log, store, replay, cut. Invariant: what is opened is
//! what the block log says; the store only spares work, and is made anew where it does not fit.

use super::recent::Recent;
use super::sealing::{Bench, guarded, seal_blocks, write_checkpoints};
use super::subscribe::Subscribers;
use super::{Chain, Clock, Pending, Shared, in_parallel};
use crate::block::{Block, Mismatch, Tries, next_base_fee, replay};
use crate::genesis::{Genesis, GenesisError, Rules};
use crate::log::{BlockLog, FIRST_FRAME, FramePlace, LogError, LogFile, read_payload};
use crate::pool::{Pool, PoolLimits};
use crate::record::{BadRecord, decode_block, decode_genesis, encode_genesis};
use crate::sealer::{Sealer, Solo};
use crate::state::{BLOCK_HASHES, Changes, State, StateRead as _};
use crate::store::{Batch, BlockEntry, Store, StoreError};
use crate::transaction::Transaction;
use alloy_primitives::B256;
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex, OnceLock, RwLock};

const LOCK: &str = "lock";
pub(super) const LOG: &str = "blocks.log";
const STORE: &str = "state.redb";

/// Transactions replayed before a checkpoint, so that a long replay that is broken off does not begin anew.
const REPLAYED_MAX: usize = 100_000;

/// Why a folder cannot be made or opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("{0} is in use by another process: stop that one, or use another folder")]
    Locked(PathBuf),
    /// There is a chain already.
    #[error("{0} has a chain: open it, or use another folder")]
    Exists(PathBuf),
    /// There is no chain.
    #[error("{0} has no chain: make one with `chain init`, or restore a backup")]
    Missing(PathBuf),
    /// The system says no.
    #[error("{path}: {error}")]
    Io {
        /// What it is about.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The genesis makes no chain.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// The block log cannot be used.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A record of it is none.
    #[error(transparent)]
    Record(#[from] BadRecord),
    /// A block is not what execution makes of it: damaged, or written by a program with other rules.
    #[error("{0}: restore the folder from a backup, or use the program that wrote it")]
    Mismatch(#[from] Mismatch),
    /// A block does not continue the one before it, or is signed by others than it says.
    #[error("block {0} does not continue the chain: restore the folder from a backup")]
    Broken(u64),
    /// The store knows of a block that was acknowledged and that the log no longer has.
    #[error(
        "the block log lacks block {0}, which was acknowledged: restore the folder from a backup. \
         Only to go on without what is missing, delete state.redb"
    )]
    Lost(u64),
    /// The store cannot be made.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Chain {
    /// Makes a chain in `folder`, which may exist but not have one, and opens it.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn init(folder: &Path, genesis: &Genesis) -> Result<Self, OpenError> {
        Self::init_with(folder, genesis, || Ok(()))
    }

    /// The same, with what belongs to the chain: `beside` writes it when the folder is this process's and has
    /// no chain yet. So it is there whenever the chain is, wherever a crash comes in between.
    ///
    /// # Errors
    /// See [`OpenError`]; if `beside` fails there is no chain.
    pub fn init_with(
        folder: &Path,
        genesis: &Genesis,
        beside: impl FnOnce() -> io::Result<()>,
    ) -> Result<Self, OpenError> {
        genesis.build()?;
        fs::create_dir_all(folder).map_err(|error| io_at(folder, error))?;
        let lock = take_lock(folder)?;
        let path = folder.join(LOG);
        if path.exists() {
            return Err(OpenError::Exists(folder.into()));
        }
        // Under another name until it is whole, so that there is a chain or there is none.
        let unfinished = folder.join("blocks.log.new");
        let file = open_file(&unfinished, true)?;
        file.set_len(0).map_err(|error| io_at(&unfinished, error))?;
        BlockLog::create(file, &encode_genesis(genesis))?;
        beside().map_err(|error| io_at(folder, error))?;
        fs::rename(&unfinished, &path).map_err(|error| io_at(&path, error))?;
        sync_folder(folder)?;
        drop(lock);
        Self::open(folder)
    }

    /// Whether there is a chain in `folder`.
    pub fn is_in(folder: &Path) -> bool {
        folder.join(LOG).exists()
    }

    /// Opens the chain in `folder`, with [`Solo`] to seal.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        Self::open_with(folder, Box::new(Solo::default()), PoolLimits::default())
    }

    /// The same; `told` hears how many bytes of the block log are executed of how many, after each block that
    /// the last checkpoint has not.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open_telling(folder: &Path, told: &mut dyn FnMut(u64, u64)) -> Result<Self, OpenError> {
        let (sealer, limits) = (Box::new(Solo::default()), PoolLimits::default());
        Self::open_over(folder, sealer, limits, told, |file| Box::new(file))
    }

    /// Opens the chain in `folder` with an engine and limits of the caller's.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open_with(
        folder: &Path,
        sealer: Box<dyn Sealer>,
        limits: PoolLimits,
    ) -> Result<Self, OpenError> {
        Self::open_over(folder, sealer, limits, &mut |_, _| {}, |file| Box::new(file))
    }

    /// `under` puts something between the log and its file: tests have a disk that is full.
    pub(super) fn open_over(
        folder: &Path,
        sealer: Box<dyn Sealer>,
        limits: PoolLimits,
        told: &mut dyn FnMut(u64, u64),
        under: impl FnOnce(File) -> Box<dyn LogFile>,
    ) -> Result<Self, OpenError> {
        if !Self::is_in(folder) {
            return Err(OpenError::Missing(folder.into()));
        }
        let lock = take_lock(folder)?;
        let path = folder.join(LOG);
        let log = BlockLog::open(under(open_file(&path, false)?))?;
        let (place, payload) = log.read(FIRST_FRAME)?.ok_or(LogError::Damaged(FIRST_FRAME))?;
        let genesis = decode_genesis(&payload)?;
        let (genesis_block, at_genesis) = genesis.build()?;
        let begin = Begin {
            rules: genesis.rules(),
            block: Arc::new(genesis_block),
            changes: at_genesis,
            place,
        };
        let reader = open_file(&path, false)?;
        let (store, resumed) = resume(folder, &begin, &reader)?;
        let mut opening = Opening { log, store, rules: begin.rules.clone(), at: resumed };
        opening.replay_rest(told)?;
        let Opening { log, store, at, .. } = opening;
        let Resumed { state, tries, head, .. } = at;
        let pool = Pool::new(limits, &begin.rules, next_base_fee(&head.header, &begin.rules));
        let checkpointed = head.number();
        let shared = Arc::new(Shared {
            folder: folder.into(),
            genesis,
            rules: begin.rules,
            genesis_block: begin.block,
            clock: Clock::new(),
            pool: Mutex::new(pool),
            work: Condvar::new(),
            state: RwLock::new(state),
            recent: RwLock::new(Recent::new(head)),
            pending: Mutex::new(Pending { checkpointed, ..Pending::default() }),
            checkpoint: Condvar::new(),
            store,
            log: reader,
            reread: Mutex::default(),
            subscribers: Mutex::new(Subscribers::default()),
            halted: OnceLock::new(),
            is_closing: AtomicBool::new(false),
        });
        start(shared, Bench { sealer, tries, log }, lock).map_err(|error| io_at(folder, error))
    }
}

fn start(shared: Arc<Shared>, bench: Bench, lock: File) -> io::Result<Chain> {
    let mut chain = Chain { shared, sealing: None, checkpointing: None, _lock: lock };
    let shared = Arc::clone(&chain.shared);
    let thread = std::thread::Builder::new().name("checkpoint".into());
    chain.checkpointing =
        Some(thread.spawn(move || guarded(&shared, || write_checkpoints(&shared)))?);
    let shared = Arc::clone(&chain.shared);
    let thread = std::thread::Builder::new().name("seal".into());
    chain.sealing = Some(thread.spawn(move || guarded(&shared, || seal_blocks(&shared, bench)))?);
    Ok(chain)
}

/// What block 0 is and does.
struct Begin {
    rules: Rules,
    block: Arc<Block>,
    changes: Changes,
    place: FramePlace,
}

/// A state with all that belongs to it, after some block.
struct Resumed {
    state: State,
    tries: Tries,
    head: Arc<Block>,
    /// Where the log goes on.
    next: u64,
}

struct Opening {
    log: BlockLog<Box<dyn LogFile>>,
    store: Store,
    rules: Rules,
    at: Resumed,
}

/// The store and what it says; a new one and genesis, where there is none or it does not fit.
fn resume(folder: &Path, begin: &Begin, log: &File) -> Result<(Store, Resumed), OpenError> {
    let path = folder.join(STORE);
    // redb has its own beliefs about its pages, and panics where a damaged file proves one wrong.
    let tried = catch_unwind(AssertUnwindSafe(|| from_store(&path, begin, log)));
    match tried.unwrap_or(Err(OpenError::Store(StoreError::Unfit("it cannot be read")))) {
        Ok(Some(resumed)) => return Ok(resumed),
        Ok(None) => {}
        Err(OpenError::Store(error)) => {
            tracing::warn!(%error, "the state is made anew from the block log");
        }
        Err(other) => return Err(other),
    }
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_at(&path, error)),
        Ok(()) | Err(_) => {}
    }
    from_genesis(Store::open(&path)?, begin)
}

fn from_genesis(store: Store, begin: &Begin) -> Result<(Store, Resumed), OpenError> {
    let (mut state, mut tries) = (State::default(), Tries::default());
    state.apply(0, begin.block.hash, &begin.changes);
    tries.update(&begin.changes);
    let mut batch = Batch::default();
    batch.add(Arc::clone(&begin.block), begin.place, &begin.changes);
    store.checkpoint(&batch)?;
    let head = Arc::clone(&begin.block);
    Ok((store, Resumed { state, tries, head, next: begin.place.end() }))
}

/// The newest block of a store; `None` of an empty one.
fn newest(store: &Store, begin: &Begin) -> Result<Option<(u64, BlockEntry)>, StoreError> {
    let Some(height) = store.height()? else {
        return Ok(None);
    };
    if store.block(0)?.is_none_or(|entry| entry.hash != begin.block.hash) {
        return Err(StoreError::Unfit("it is of another chain"));
    }
    let entry = store.block(height)?.ok_or(StoreError::Unfit("a block has no entry"))?;
    Ok(Some((height, entry)))
}

/// What the store knows was durable in the log before the store heard of it.
fn head_in_log(
    (height, entry): (u64, BlockEntry),
    begin: &Begin,
    log: &File,
) -> Result<Arc<Block>, OpenError> {
    if height == 0 {
        return Ok(Arc::clone(&begin.block));
    }
    let block = read_payload(log, entry.place).ok().and_then(|bytes| decode_block(&bytes).ok());
    let block = block.filter(|block| block.hash == entry.hash);
    block.map(Arc::new).ok_or(OpenError::Lost(height))
}

/// The state that the store has; `None` of a new one.
fn from_store(
    path: &Path,
    begin: &Begin,
    log: &File,
) -> Result<Option<(Store, Resumed)>, OpenError> {
    let store = Store::open(path)?;
    let Some((height, entry)) = newest(&store, begin)? else {
        return Ok(None);
    };
    let head = head_in_log((height, entry), begin, log)?;
    let mut hashes: Vec<B256> = Vec::with_capacity(BLOCK_HASHES);
    for number in (0..=height).rev().take(BLOCK_HASHES) {
        let entry = store.block(number)?;
        hashes.push(entry.ok_or(StoreError::Unfit("a block has no entry"))?.hash);
    }
    let all = store.state()?;
    let mut tries = Tries::default();
    if tries.update(&all) != head.header.state_root {
        return Err(StoreError::Unfit("its state has another root").into());
    }
    let state = State::restored(height, hashes, all);
    let next = entry.place.end();
    Ok(Some((store, Resumed { state, tries, head, next })))
}

impl Opening {
    /// Executes what the log has beyond the checkpoint, and cuts what a crash left torn.
    fn replay_rest(&mut self, told: &mut dyn FnMut(u64, u64)) -> Result<(), OpenError> {
        let all = self.log.end();
        let (mut batch, mut transactions) = (Batch::default(), 0);
        while let Some((place, payload)) = self.log.read(self.at.next)? {
            let block = decode_block(&payload)?;
            let changes = self.replay_one(&block)?;
            transactions += block.transactions.len();
            let block = Arc::new(block);
            batch.add(Arc::clone(&block), place, &changes);
            self.at.head = block;
            self.at.next = place.end();
            told(self.at.next, all);
            if transactions > REPLAYED_MAX {
                self.store.checkpoint(&batch)?;
                (batch, transactions) = (Batch::default(), 0);
            }
        }
        self.log.cut(self.at.next)?;
        if !batch.blocks.is_empty() {
            self.store.checkpoint(&batch)?;
        }
        Ok(())
    }

    fn replay_one(&mut self, block: &Block) -> Result<Changes, OpenError> {
        let number = block.number();
        let Resumed { state, tries, head, .. } = &mut self.at;
        if block.header.parent_hash != head.hash || number != head.number() + 1 {
            return Err(OpenError::Broken(number));
        }
        let valid = in_parallel(&block.transactions, Transaction::is_signed_by_sender);
        if valid.contains(&false) {
            return Err(OpenError::Broken(number));
        }
        let changes = replay(&self.rules, head, block, (&*state, tries))?;
        state.apply(number, block.hash, &changes);
        debug_assert!(state.block_hash(number).is_ok_and(|hash| hash == block.hash));
        Ok(changes)
    }
}

fn take_lock(folder: &Path) -> Result<File, OpenError> {
    let path = folder.join(LOCK);
    let file = open_file(&path, true)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(OpenError::Locked(folder.into())),
        Err(error) => Err(io_at(&path, error.into())),
    }
}

fn open_file(path: &Path, create: bool) -> Result<File, OpenError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(create).truncate(false);
    options.open(path).map_err(|error| io_at(path, error))
}

/// A new name survives a loss of power once the folder was flushed.
pub(super) fn sync_folder(folder: &Path) -> Result<(), OpenError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| io_at(folder, error))
}

pub(super) fn io_at(path: &Path, error: io::Error) -> OpenError {
    OpenError::Io { path: path.into(), error }
}
