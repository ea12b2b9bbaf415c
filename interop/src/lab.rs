//! What the cells of one run share: the client under test, the judge, the payloads, and a folder
//! for everything.

use std::cell::{Cell as Counter, OnceCell};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use piecework_types::Rng;
use tempfile::TempDir;

use crate::failure::{Context as _, Failure, Outcome};
use crate::payload::{MIB, Payload};
use crate::peers::libtorrent::{self, Libtorrent};
use crate::peers::ours::Ours;
use crate::peers::{Client, Family, Job};
use crate::process::Deadline;
use crate::torrent::{Recipe, Torrent};

/// Every payload of every run is the same; what varies between runs is timing alone.
const SEED: u64 = 0x7069_6563_6577_6f72;

/// Who takes our side of every cell.
#[derive(Debug)]
pub(crate) enum Subject {
    /// The binary under test.
    Ours(Ours),
    /// A second libtorrent, to test the harness.
    StandIn,
}

impl Subject {
    /// As one of the clients.
    pub(crate) fn client(&self) -> &dyn Client {
        match self {
            Self::Ours(ours) => ours,
            Self::StandIn => &Libtorrent::STAND_IN,
        }
    }

    /// Name and version for the head of the matrix.
    pub(crate) fn version(&self) -> Outcome<String> {
        match self {
            Self::Ours(ours) => ours.version(),
            Self::StandIn => Ok(format!("stand-in libtorrent {}", libtorrent::version()?)),
        }
    }
}

/// Who makes a torrent file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Maker {
    /// Our `create`.
    Subject,
    /// libtorrent, or our `create` in a run without libtorrent.
    Libtorrent,
}

/// Everything the cells of one run share.
#[derive(Debug)]
pub(crate) struct Lab {
    folder: TempDir,
    subject: Subject,
    judge: bool,
    single: OnceCell<Payload>,
    many: OnceCell<Payload>,
    halves: OnceCell<Payload>,
    large: OnceCell<Payload>,
}

impl Lab {
    /// Set up for `subject`; with `judge`, libtorrent rechecks what the subject has downloaded.
    pub(crate) fn new(subject: Subject, judge: bool) -> Outcome<Self> {
        let folder = tempfile::Builder::new()
            .prefix("piecework-interop-")
            // opentracker runs as nobody and has to get at its folder.
            .permissions(fs::Permissions::from_mode(0o755))
            .tempdir()
            .context(|| "cannot make a temporary folder")?;
        Ok(Self {
            folder,
            subject,
            judge,
            single: OnceCell::new(),
            many: OnceCell::new(),
            halves: OnceCell::new(),
            large: OnceCell::new(),
        })
    }

    /// The client under test.
    pub(crate) const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Opens a folder for one cell.
    pub(crate) fn room(&self, number: usize, deadline: Deadline) -> Outcome<Room<'_>> {
        let folder = self.folder.path().join(format!("cell-{number}"));
        fs::create_dir_all(&folder).context(|| "cannot make a folder for a cell")?;
        Ok(Room { lab: self, folder, deadline, homes: Counter::new(0) })
    }

    fn payload<'a>(
        &self,
        slot: &'a OnceCell<Payload>,
        make: impl FnOnce(&Path, &mut Rng) -> Outcome<Payload>,
    ) -> Outcome<&'a Payload> {
        if slot.get().is_none() {
            let made = make(&self.folder.path().join("origin"), &mut Rng::new(SEED))?;
            slot.set(made).map_err(|_| Failure::new("one payload was made twice"))?;
        }
        slot.get().ok_or_else(|| Failure::new("a payload that was just made is gone"))
    }

    /// One file of a little over 32 MiB, its last piece and block cut short.
    pub(crate) fn single(&self) -> Outcome<&Payload> {
        self.payload(&self.single, |dir, rng| {
            Payload::single(dir, "single file.bin", 32 * MIB + 12_345, rng)
        })
    }

    /// 300 files of odd sizes and names, 32 MiB together.
    pub(crate) fn many(&self) -> Outcome<&Payload> {
        self.payload(&self.many, |dir, rng| {
            Payload::many(dir, "many filés 名前", 300, 32 * MIB + 1, rng)
        })
    }

    /// 8 files, of which half are selected: 32 MiB and a little.
    pub(crate) fn halves(&self) -> Outcome<&Payload> {
        self.payload(&self.halves, |dir, rng| Payload::halves(dir, "halves", 8, 8 * MIB + 77, rng))
    }

    /// A file over 4 GiB, mostly a hole.
    pub(crate) fn large(&self) -> Outcome<&Payload> {
        self.payload(&self.large, |dir, rng| {
            let bytes = (1 << 32) + 64 * MIB + 5;
            let filled = [0..4 * MIB, large_missing()[0].clone(), large_missing()[1].clone()];
            Payload::sparse(dir, "large.bin", bytes, &filled, rng)
        })
    }
}

/// The bytes of [`Lab::large`] that a leecher starts without: around 2^32, and the end.
pub(crate) const fn large_missing() -> [std::ops::Range<u64>; 2] {
    let edge = 1 << 32;
    [edge - 12 * MIB..edge + 12 * MIB, edge + 48 * MIB..edge + 64 * MIB + 5]
}

/// The folder and the deadline of one cell.
#[derive(Debug)]
pub(crate) struct Room<'a> {
    /// What all cells share.
    pub(crate) lab: &'a Lab,
    /// When the cell gives up.
    pub(crate) deadline: Deadline,
    folder: PathBuf,
    homes: Counter<usize>,
}

impl<'a> Room<'a> {
    /// The folder of the cell.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Removes what the cell has downloaded; the disk is not to hold every copy of a run at once.
    pub(crate) fn clear(&self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("{} is left behind: {error}", self.folder.display());
        }
    }

    /// The client under test.
    pub(crate) fn subject(&self) -> &'a dyn Client {
        self.lab.subject.client()
    }

    /// The binary under test, for cells that are about its own commands.
    pub(crate) fn ours(&self) -> Outcome<&'a Ours> {
        match &self.lab.subject {
            Subject::Ours(ours) => Ok(ours),
            Subject::StandIn => Err(Failure::new("the stand-in has no such command")),
        }
    }

    /// A new folder for a process, its name and number in it.
    pub(crate) fn home(&self, name: &str) -> Outcome<PathBuf> {
        self.homes.set(self.homes.get() + 1);
        self.sub(&format!("{}-{name}", self.homes.get()))
    }

    /// The folder that `name` downloads into.
    pub(crate) fn dir(&self, name: &str) -> Outcome<PathBuf> {
        self.sub(&format!("data-{name}"))
    }

    fn sub(&self, name: &str) -> Outcome<PathBuf> {
        let folder = self.folder.join(name);
        fs::create_dir_all(&folder).context(|| "cannot make a folder in a cell")?;
        Ok(folder)
    }

    /// Makes a torrent file.
    pub(crate) fn torrent(&self, recipe: &Recipe<'_>, maker: Maker) -> Outcome<Torrent> {
        let home = self.home("make")?;
        let out = home.join("made.torrent");
        match &self.lab.subject {
            Subject::Ours(ours) if maker == Maker::Subject || !self.lab.judge => {
                ours.create(recipe, &out, &home)?;
                let description = if self.lab.judge {
                    libtorrent::describe(&out, &home)?
                } else {
                    ours.show(&out, &home)?
                };
                Torrent::described(out, &description)
            }
            Subject::Ours(_) | Subject::StandIn => libtorrent::make(recipe, out, &home),
        }
    }

    /// Compares a finished copy with its origin; with `recheck`, libtorrent looks at it as well.
    pub(crate) fn verify(
        &self,
        payload: &Payload,
        torrent: &Torrent,
        dir: &Path,
        recheck: bool,
    ) -> Outcome<()> {
        payload.compare(dir)?;
        if recheck && self.lab.judge {
            libtorrent::recheck(torrent, dir, &self.home("recheck")?)?;
        }
        Ok(())
    }

    /// Whether data that `client` has downloaded is ours to answer for.
    pub(crate) fn is_subject(&self, client: &dyn Client) -> bool {
        client.name() == self.subject().name()
    }

    /// A job over `family`.
    pub(crate) fn job<'j>(
        &self,
        torrent: &'j Torrent,
        dir: &'j Path,
        home: &'j Path,
        family: Family,
    ) -> Job<'j> {
        Job { family, ..Job::new(torrent, dir, home) }
    }
}
