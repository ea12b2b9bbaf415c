//! One daemon for each data folder.

use crate::failure::{Context, Failure};
use crate::folders::Folders;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};

/// Held while a daemon runs; the system lets go of it when the process ends, however it does.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the data folder, or says who has it.
    pub(crate) fn take(folders: &Folders) -> Result<Self, Failure> {
        let path = folders.lock();
        let doing = format!("cannot use {}", path.display());
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = file.context(&doing)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(taken(&mut file, folders)),
            Err(TryLockError::Error(error)) => {
                return Err(Failure::new(format!("{doing}: {error}")));
            }
        }
        file.set_len(0).and_then(|()| file.rewind()).context(&doing)?;
        writeln!(file, "{}", std::process::id()).context(&doing)?;
        Ok(Self { _file: file })
    }
}

fn taken(file: &mut File, folders: &Folders) -> Failure {
    let mut process = String::new();
    let _ = file.take(20).read_to_string(&mut process);
    let who = match process.trim() {
        "" => String::new(),
        process => format!(", process {process}"),
    };
    Failure::new(format!(
        "a daemon runs already on {}{who}; end it, or give this one another folder with --data-dir",
        folders.data.display(),
    ))
}
