//! The block log: what is in it is acknowledged, and what is acknowledged is in it.
//!
//! Owns: the file, its frames and its end. A frame is `FRME`, length, CRC-32, payload, numbers little-endian;
//! the file begins with a magic and the version of this format. Invariant: a frame is appended only behind
//! one that was flushed, so only the last can be torn by a crash. Must not know: what payloads mean.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

/// What a log of ours begins with.
const FILE_MAGIC: &[u8; 12] = b"PIECEWORKBLK";
/// The version of the format. A file of a later one is refused.
const VERSION: u32 = 1;
/// Bytes before the first frame.
pub(crate) const FIRST_FRAME: u64 = 16;
const FRAME_MAGIC: &[u8; 4] = b"FRME";
const FRAME_HEAD: usize = 12;

/// Bytes of the longest payload: a block of 16 MiB of transactions and all the logs its gas pays for is
/// below.
pub const FRAME_BYTES_MAX: usize = 128 * 1024 * 1024;

/// The file below a log; tests have others.
pub trait LogFile: Send {
    /// Bytes in it.
    ///
    /// # Errors
    /// The system's.
    fn length(&self) -> io::Result<u64>;
    /// Fills `buffer` from `offset`.
    ///
    /// # Errors
    /// The system's, and an unexpected end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
    /// Writes all of `bytes` at `offset`, which is its end.
    ///
    /// # Errors
    /// The system's; some of the bytes may have been written.
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Returns when all that was written would survive a loss of power.
    ///
    /// # Errors
    /// The system's; it is then unknown what would survive.
    fn flush(&mut self) -> io::Result<()>;
    /// Makes it end at `length`.
    ///
    /// # Errors
    /// The system's.
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

impl LogFile for File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_exact_at(buffer, offset)
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}

impl LogFile for Box<dyn LogFile> {
    fn length(&self) -> io::Result<u64> {
        (**self).length()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        (**self).read_at(buffer, offset)
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        (**self).write_at(bytes, offset)
    }

    fn flush(&mut self) -> io::Result<()> {
        (**self).flush()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        (**self).cut(length)
    }
}

/// Where a frame stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FramePlace {
    /// Its first byte.
    pub offset: u64,
    /// Bytes of its payload.
    pub length: u32,
}

impl FramePlace {
    /// The first byte behind it.
    pub fn end(self) -> u64 {
        self.offset + FRAME_HEAD as u64 + u64::from(self.length)
    }
}

/// Why a log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The system says no.
    #[error("the block log: {0}")]
    Io(#[from] io::Error),
    /// Another file.
    #[error("this is no block log: restore the folder from a backup")]
    Magic,
    /// Written by a program that knows more.
    #[error("the block log has format {0}, this program knows up to {VERSION}: update piecework")]
    Version(u32),
    /// Something other than a torn end: a block that was acknowledged is no longer what it was.
    #[error(
        "the block log is damaged at byte {0}, and blocks follow: restore the folder from a backup"
    )]
    Damaged(u64),
    /// More than [`FRAME_BYTES_MAX`].
    #[error("a record of {0} bytes is longer than the block log takes")]
    TooLong(usize),
}

/// A log that is appended to.
pub struct BlockLog<F> {
    file: F,
    end: u64,
}

impl<F: LogFile> BlockLog<F> {
    /// Makes an empty file a log with one frame.
    ///
    /// # Errors
    /// The system's.
    pub fn create(mut file: F, first: &[u8]) -> Result<Self, LogError> {
        let mut head = FILE_MAGIC.to_vec();
        head.extend_from_slice(&VERSION.to_le_bytes());
        file.write_at(&head, 0)?;
        let mut log = Self { file, end: FIRST_FRAME };
        log.append(first)?;
        Ok(log)
    }

    /// Looks at the beginning of a log. Its end is not known before [`Self::read`] came to it and
    /// [`Self::cut`] was told.
    ///
    /// # Errors
    /// When it is another file or from a later version.
    pub fn open(file: F) -> Result<Self, LogError> {
        let mut head = [0; FIRST_FRAME as usize];
        if file.length()? < FIRST_FRAME {
            return Err(LogError::Magic);
        }
        file.read_at(&mut head, 0)?;
        let (magic, version) = head.split_at(FILE_MAGIC.len());
        if magic != FILE_MAGIC {
            return Err(LogError::Magic);
        }
        let version = u32::from_le_bytes(version.try_into().expect("four bytes are left"));
        if version > VERSION {
            return Err(LogError::Version(version));
        }
        let end = file.length()?;
        Ok(Self { file, end })
    }

    /// The frame at `offset`; `None` where the log ends, or ends in a frame that a crash tore.
    ///
    /// # Errors
    /// When there is something else than a frame or a torn end.
    pub fn read(&self, offset: u64) -> Result<Option<(FramePlace, Vec<u8>)>, LogError> {
        let length = self.file.length()?;
        if offset > length {
            return Err(LogError::Damaged(length));
        }
        if let Some(frame) = read_frame(&self.file, offset, length)? {
            return Ok(Some(frame));
        }
        if self.frame_follows(offset, length)? {
            return Err(LogError::Damaged(offset));
        }
        Ok(None)
    }

    /// Ends the log at `offset`, where [`Self::read`] found nothing more.
    ///
    /// # Errors
    /// The system's.
    pub fn cut(&mut self, offset: u64) -> Result<(), LogError> {
        if self.file.length()? > offset {
            self.file.cut(offset)?;
            self.file.flush()?;
        }
        self.end = offset;
        Ok(())
    }

    /// Appends a frame and returns when it is durable.
    ///
    /// # Errors
    /// The system's. The frame does not count then, and what of it reached the file is taken back as far as
    /// the system lets us; the log is not to be appended to again before it was opened anew.
    pub fn append(&mut self, payload: &[u8]) -> Result<FramePlace, LogError> {
        let length = u32::try_from(payload.len())
            .ok()
            .filter(|_| payload.len() <= FRAME_BYTES_MAX)
            .ok_or(LogError::TooLong(payload.len()))?;
        let mut frame = Vec::with_capacity(FRAME_HEAD + payload.len());
        frame.extend_from_slice(FRAME_MAGIC);
        frame.extend_from_slice(&length.to_le_bytes());
        frame.extend_from_slice(&checksum(self.end, payload).to_le_bytes());
        frame.extend_from_slice(payload);
        let place = FramePlace { offset: self.end, length };
        if let Err(error) = self.file.write_at(&frame, self.end).and_then(|()| self.file.flush()) {
            // If this fails too, the next opening finds a torn end and cuts it.
            let _ = self.file.cut(self.end);
            return Err(error.into());
        }
        self.end = place.end();
        Ok(place)
    }

    /// The first byte behind the last frame.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Whether any whole frame stands behind the bad one at `offset`: then it was once flushed, and is not
    /// torn.
    fn frame_follows(&self, offset: u64, length: u64) -> Result<bool, LogError> {
        let rest = length - offset;
        if rest > (2 * FRAME_HEAD + FRAME_BYTES_MAX) as u64 {
            return Ok(true);
        }
        let mut bytes = vec![0; usize::try_from(rest).unwrap_or_default()];
        self.file.read_at(&mut bytes, offset)?;
        for at in 1..bytes.len().saturating_sub(FRAME_HEAD) {
            if bytes[at..].starts_with(FRAME_MAGIC)
                && read_frame(&self.file, offset + at as u64, length)?.is_some()
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The payload of a frame whose place is known.
///
/// # Errors
/// When it is not there any more.
pub fn read_payload<F: LogFile>(file: &F, place: FramePlace) -> Result<Vec<u8>, LogError> {
    match read_frame(file, place.offset, place.end())? {
        Some((found, payload)) if found == place => Ok(payload),
        Some(_) | None => Err(LogError::Damaged(place.offset)),
    }
}

/// The frame at `offset` of a file of `length` bytes, if a whole one is there.
fn read_frame<F: LogFile>(
    file: &F,
    offset: u64,
    length: u64,
) -> Result<Option<(FramePlace, Vec<u8>)>, LogError> {
    if length.saturating_sub(offset) < FRAME_HEAD as u64 {
        return Ok(None);
    }
    let mut head = [0; FRAME_HEAD];
    file.read_at(&mut head, offset)?;
    let number =
        |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let place = FramePlace { offset, length: number(4) };
    let bytes = place.length as usize;
    if !head.starts_with(FRAME_MAGIC) || bytes > FRAME_BYTES_MAX || place.end() > length {
        return Ok(None);
    }
    let mut payload = vec![0; bytes];
    file.read_at(&mut payload, offset + FRAME_HEAD as u64)?;
    Ok((checksum(offset, &payload) == number(8)).then_some((place, payload)))
}

/// Over the place as well, so that a copy of a frame elsewhere, in somebody's calldata, is none.
fn checksum(offset: u64, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&offset.to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}

#[cfg(test)]
pub(crate) mod tests;
