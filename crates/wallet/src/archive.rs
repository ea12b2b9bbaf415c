//! Files under a password, in one file of any size: the backup of a whole node.
//!
//! A text that says what it is, the format's version, scrypt's parameters, salt and the beginning of all
//! nonces; then a stream of entries (length of the name, name, length, contents; a name of no bytes ends
//! it) in pieces under ChaCha20-Poly1305, with all before them as associated data. The nonce of a piece has
//! its number, and whether it is the last (Hoang, Reyhanitabar, Rogaway and Vizar: "Online
//! Authenticated-Encryption", 2015): none can be changed, left out, cut off or put elsewhere unseen.

use crate::{Cost, CostFault, Password, RandomFault, random};
use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use std::io::{self, Read, Write};
use thiserror::Error;
use zeroize::Zeroizing;

const MAGIC: &[u8] = b"piecework archive\n";
/// The version that this program writes and knows.
const FORMAT: u16 = 1;
const SALT_BYTES: usize = 32;
const PREFIX_BYTES: usize = 7;
const TAG_BYTES: usize = 16;
/// Version, scrypt's n, r and p, salt, and the beginning of nonces.
const PARAMETER_BYTES: usize = 2 + 8 + 4 + 4 + SALT_BYTES + PREFIX_BYTES;
const HEADER_BYTES: usize = MAGIC.len() + PARAMETER_BYTES;
/// Bytes of a piece, before its tag.
const PIECE_BYTES: usize = 64 * 1024;

/// Bytes of the name of an entry.
pub const ENTRY_NAME_BYTES_MAX: usize = 4096;

/// Why an archive cannot be written or read.
#[derive(Debug, Error)]
pub enum ArchiveFault {
    /// Something else.
    #[error("this is no backup that `piecework backup` wrote")]
    Foreign,
    /// The backup of a wallet.
    #[error("this is the backup of a wallet alone: give it to `piecework wallet restore --backup`")]
    Wallet,
    /// Written by a program that knows more than this one.
    #[error(
        "a newer Piecework wrote this backup (format {got}, this one knows {FORMAT}): update Piecework"
    )]
    Newer {
        /// The format's version.
        got: u16,
    },
    /// A password that costs more than anybody asks.
    #[error("the backup cannot be opened: {0}")]
    Cost(#[from] CostFault),
    /// The password, or the beginning of the file, is wrong; nothing tells which.
    #[error("wrong password (or the backup is damaged or cut off)")]
    WrongPassword,
    /// The password was right.
    #[error("the backup is damaged or cut off: take another copy of it")]
    Damaged,
    /// A name that no entry can have.
    #[error("{0:?} cannot be the name of an entry")]
    Name(String),
    /// Nothing to draw a salt from.
    #[error(transparent)]
    Random(#[from] RandomFault),
    /// The drive.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What encrypts or decrypts one piece after the other.
struct Pieces {
    key: LessSafeKey,
    header: Vec<u8>,
    prefix: [u8; PREFIX_BYTES],
    next: u32,
}

impl Pieces {
    fn new(header: Vec<u8>, cost: Cost, password: &Password) -> Self {
        let (rest, prefix) = header.split_last_chunk().expect("a header ends with the prefix");
        let (_, salt) = rest.split_last_chunk::<SALT_BYTES>().expect("before it comes the salt");
        let key = UnboundKey::new(&CHACHA20_POLY1305, &*cost.derive(password, salt));
        let key = LessSafeKey::new(key.expect("32 bytes are a key of ChaCha20"));
        Self { key, prefix: *prefix, header, next: 0 }
    }

    /// The nonce of the next piece; each is used once. `None` after 256 TiB.
    fn nonce(&mut self, is_last: bool) -> Option<Nonce> {
        let mut nonce = [0; 12];
        nonce[..PREFIX_BYTES].copy_from_slice(&self.prefix);
        nonce[PREFIX_BYTES..11].copy_from_slice(&self.next.to_be_bytes());
        nonce[11] = u8::from(is_last);
        self.next = self.next.checked_add(1)?;
        Some(Nonce::assume_unique_for_key(nonce))
    }
}

/// Writes an archive.
pub struct ArchiveWriter<W> {
    file: W,
    pieces: Pieces,
    /// Of the next piece.
    plain: Zeroizing<Vec<u8>>,
}

impl<W: Write> ArchiveWriter<W> {
    /// Begins one.
    ///
    /// # Errors
    /// When the operating system gives no random bytes, or the file cannot be written.
    pub fn new(mut file: W, password: &Password, cost: Cost) -> Result<Self, ArchiveFault> {
        let (salt, prefix) = (random::<SALT_BYTES>()?, random::<PREFIX_BYTES>()?);
        let (r, p) = cost.r_and_p();
        let mut header = [MAGIC, &FORMAT.to_be_bytes()].concat();
        header.extend(cost.n().to_be_bytes());
        header.extend(r.to_be_bytes());
        header.extend(p.to_be_bytes());
        header.extend(salt.iter().chain(prefix.iter()));
        file.write_all(&header)?;
        let pieces = Pieces::new(header, cost, password);
        let plain = Zeroizing::new(Vec::with_capacity(PIECE_BYTES + TAG_BYTES));
        Ok(Self { file, pieces, plain })
    }

    /// Adds an entry of so many bytes.
    ///
    /// # Errors
    /// When `contents` ends before, a name is empty or too long, or something cannot be read or written.
    pub fn entry(
        &mut self,
        name: &str,
        bytes: u64,
        contents: &mut impl Read,
    ) -> Result<(), ArchiveFault> {
        let length = u16::try_from(name.len())
            .ok()
            .filter(|length| *length > 0 && usize::from(*length) <= ENTRY_NAME_BYTES_MAX);
        let length = length.ok_or_else(|| ArchiveFault::Name(name.to_owned()))?;
        self.write(&length.to_be_bytes())?;
        self.write(name.as_bytes())?;
        self.write(&bytes.to_be_bytes())?;
        let mut buffer = Zeroizing::new(vec![0; PIECE_BYTES]);
        let mut contents = contents.take(bytes);
        let mut left = bytes;
        while left > 0 {
            let count = contents.read(&mut buffer)?;
            if count == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            self.write(&buffer[..count])?;
            left -= count as u64;
        }
        Ok(())
    }

    /// Ends it, and gives the file back.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> Result<W, ArchiveFault> {
        self.write(&0_u16.to_be_bytes())?;
        self.seal(true)?;
        self.file.flush()?;
        Ok(self.file)
    }

    fn write(&mut self, mut bytes: &[u8]) -> Result<(), ArchiveFault> {
        while !bytes.is_empty() {
            // Only once more is to come: the last piece has to know that it is.
            if self.plain.len() == PIECE_BYTES {
                self.seal(false)?;
            }
            let (now, later) = bytes.split_at(bytes.len().min(PIECE_BYTES - self.plain.len()));
            self.plain.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    fn seal(&mut self, is_last: bool) -> Result<(), ArchiveFault> {
        let nonce = self.pieces.nonce(is_last).ok_or(io::ErrorKind::FileTooLarge);
        let nonce = nonce.map_err(io::Error::from)?;
        let aad = Aad::from(&self.pieces.header);
        let tag = self.pieces.key.seal_in_place_separate_tag(nonce, aad, &mut self.plain);
        let tag = tag.expect("a piece is far smaller than what one nonce encrypts");
        self.file.write_all(&self.plain)?;
        self.file.write_all(tag.as_ref())?;
        self.plain.clear();
        Ok(())
    }
}

/// Reads an archive, entry by entry.
pub struct ArchiveReader<R> {
    file: R,
    pieces: Pieces,
    /// The byte behind the last piece, which tells that another one follows.
    ahead: Option<u8>,
    plain: Zeroizing<Vec<u8>>,
    /// Bytes of `plain` that were given out.
    given: usize,
    is_last: bool,
    /// Bytes of the entry that were not asked for yet.
    left: u64,
}

impl<R: Read> ArchiveReader<R> {
    /// Opens one.
    ///
    /// # Errors
    /// When it is none, newer than this program or cut off, or the password is wrong.
    pub fn open(mut file: R, password: &Password) -> Result<Self, ArchiveFault> {
        let mut header = Vec::with_capacity(HEADER_BYTES);
        (&mut file).take(HEADER_BYTES as u64).read_to_end(&mut header)?;
        if header.starts_with(b"piecework backup\n") {
            return Err(ArchiveFault::Wallet);
        }
        let mut fields = header.strip_prefix(MAGIC).ok_or(ArchiveFault::Foreign)?;
        let got = u16::from_be_bytes(take(&mut fields)?);
        if got > FORMAT {
            return Err(ArchiveFault::Newer { got });
        }
        if got != FORMAT {
            return Err(ArchiveFault::Foreign);
        }
        let n = u64::from_be_bytes(take(&mut fields)?);
        let (r, p) =
            (u32::from_be_bytes(take(&mut fields)?), u32::from_be_bytes(take(&mut fields)?));
        if fields.len() < SALT_BYTES + PREFIX_BYTES {
            return Err(ArchiveFault::Damaged);
        }
        let pieces = Pieces::new(header, Cost::new(n, r, p)?, password);
        let plain = Zeroizing::new(Vec::with_capacity(PIECE_BYTES + TAG_BYTES + 1));
        let mut reader =
            Self { file, pieces, ahead: None, plain, given: 0, is_last: false, left: 0 };
        reader.fill().map_err(|fault| match fault {
            ArchiveFault::Damaged => ArchiveFault::WrongPassword,
            fault => fault,
        })?;
        Ok(reader)
    }

    /// The next entry: its name and how many bytes it has, which this reader gives next. What was not read of
    /// the one before is passed over.
    ///
    /// # Errors
    /// When the archive is damaged or cannot be read.
    pub fn next_entry(&mut self) -> Result<Option<(String, u64)>, ArchiveFault> {
        io::copy(&mut *self, &mut io::sink()).map_err(fault)?;
        let length = usize::from(u16::from_be_bytes(self.field()?));
        if length == 0 {
            let is_end = self.is_last && self.given == self.plain.len();
            return if is_end { Ok(None) } else { Err(ArchiveFault::Damaged) };
        }
        if length > ENTRY_NAME_BYTES_MAX {
            return Err(ArchiveFault::Damaged);
        }
        let mut name = vec![0; length];
        self.exactly(&mut name)?;
        let name = String::from_utf8(name).map_err(|_| ArchiveFault::Damaged)?;
        self.left = u64::from_be_bytes(self.field()?);
        Ok(Some((name, self.left)))
    }

    fn field<const BYTES: usize>(&mut self) -> Result<[u8; BYTES], ArchiveFault> {
        let mut field = [0; BYTES];
        self.exactly(&mut field)?;
        Ok(field)
    }

    fn exactly(&mut self, mut buffer: &mut [u8]) -> Result<(), ArchiveFault> {
        while !buffer.is_empty() {
            let count = self.some(buffer)?;
            buffer = &mut buffer[count..];
        }
        Ok(())
    }

    /// At least one byte.
    fn some(&mut self, buffer: &mut [u8]) -> Result<usize, ArchiveFault> {
        while self.given == self.plain.len() {
            if self.is_last {
                return Err(ArchiveFault::Damaged);
            }
            self.fill()?;
        }
        let there = &self.plain[self.given..];
        let count = there.len().min(buffer.len());
        buffer[..count].copy_from_slice(&there[..count]);
        self.given += count;
        Ok(count)
    }

    /// Opens the next piece.
    fn fill(&mut self) -> Result<(), ArchiveFault> {
        self.plain.clear();
        self.given = 0;
        self.plain.extend(self.ahead.take());
        let wanted = PIECE_BYTES + TAG_BYTES + 1 - self.plain.len();
        (&mut self.file).take(wanted as u64).read_to_end(&mut self.plain)?;
        if self.plain.len() > PIECE_BYTES + TAG_BYTES {
            self.ahead = self.plain.pop();
        }
        self.is_last = self.ahead.is_none();
        let nonce = self.pieces.nonce(self.is_last).ok_or(ArchiveFault::Damaged)?;
        let aad = Aad::from(&self.pieces.header);
        let opened = self.pieces.key.open_in_place(nonce, aad, &mut self.plain);
        let count = opened.map_err(|_| ArchiveFault::Damaged)?.len();
        self.plain.truncate(count);
        Ok(())
    }
}

/// The contents of the entry that [`ArchiveReader::next_entry`] named last.
impl<R: Read> Read for ArchiveReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if count == 0 {
            return Ok(0);
        }
        let count = self.some(&mut buffer[..count]).map_err(|fault| match fault {
            ArchiveFault::Io(error) => error,
            fault => io::Error::new(io::ErrorKind::InvalidData, fault),
        })?;
        self.left -= count as u64;
        Ok(count)
    }
}

/// What is wrong, from an error of the [`Read`] above.
fn fault(error: io::Error) -> ArchiveFault {
    if error.kind() == io::ErrorKind::InvalidData { ArchiveFault::Damaged } else { error.into() }
}

fn take<const BYTES: usize>(rest: &mut &[u8]) -> Result<[u8; BYTES], ArchiveFault> {
    let (field, after) = rest.split_first_chunk().ok_or(ArchiveFault::Damaged)?;
    *rest = after;
    Ok(*field)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn password(text: &str) -> Password {
        Password::new(text.to_owned())
    }

    fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let cost = Cost::new(2, 1, 1).unwrap();
        let mut writer = ArchiveWriter::new(Vec::new(), &password("secret"), cost).unwrap();
        for (name, bytes) in entries {
            writer.entry(name, bytes.len() as u64, &mut &**bytes).unwrap();
        }
        writer.finish().unwrap()
    }

    type Entries = Vec<(String, Vec<u8>)>;

    fn read(archive: &[u8], text: &str) -> Result<Entries, ArchiveFault> {
        let mut reader = ArchiveReader::open(archive, &password(text))?;
        let mut entries = Vec::new();
        while let Some((name, bytes)) = reader.next_entry()? {
            let mut contents = Vec::new();
            reader.read_to_end(&mut contents).map_err(fault)?;
            if contents.len() as u64 != bytes {
                return Err(ArchiveFault::Damaged);
            }
            entries.push((name, contents));
        }
        Ok(entries)
    }

    #[test]
    fn entries_of_any_size_come_back() {
        for bytes in [0, 1, PIECE_BYTES - 30, PIECE_BYTES - 15, PIECE_BYTES - 14, 3 * PIECE_BYTES] {
            let long: Vec<u8> = (0..bytes).map(|at| (at % 251) as u8).collect();
            let file = archive(&[("a", &long), ("b/c", b"short")]);
            let read = read(&file, "secret").unwrap();
            assert_eq!(read, [("a".into(), long), ("b/c".into(), b"short".to_vec())]);
        }
        assert_eq!(read(&archive(&[]), "secret").unwrap(), []);
    }

    #[test]
    fn what_was_not_read_of_an_entry_is_passed_over() {
        let file = archive(&[("a", &[7; 200_000]), ("b", b"x")]);
        let mut reader = ArchiveReader::open(&*file, &password("secret")).unwrap();
        assert_eq!(reader.next_entry().unwrap(), Some(("a".into(), 200_000)));
        reader.read_exact(&mut [0; 5]).unwrap();
        assert_eq!(reader.next_entry().unwrap(), Some(("b".into(), 1)));
        assert_eq!(reader.next_entry().unwrap(), None);
    }

    #[test]
    fn a_byte_changed_anywhere_and_an_end_anywhere_are_seen() {
        let file = archive(&[("name", b"contents"), ("empty", b"")]);
        for at in 0..file.len() {
            let mut changed = file.clone();
            changed[at] ^= 1;
            assert!(read(&changed, "secret").is_err(), "byte {at}");
            assert!(read(&file[..at], "secret").is_err(), "cut at {at}");
        }
        assert!(read(&[&*file, b"x"].concat(), "secret").is_err());
    }

    #[test]
    fn pieces_cannot_be_left_out_or_change_places() {
        let file = archive(&[("long", &[7; 3 * PIECE_BYTES])]);
        let (header, body) = file.split_at(HEADER_BYTES);
        let pieces: Vec<&[u8]> = body.chunks(PIECE_BYTES + TAG_BYTES).collect();
        assert_eq!(pieces.len(), 4);
        let put = |order: &[usize]| {
            let body = order.iter().flat_map(|at| pieces[*at]);
            read(&header.iter().chain(body).copied().collect::<Vec<u8>>(), "secret")
        };
        assert!(put(&[0, 1, 2, 3]).is_ok());
        for order in [&[0, 2, 1, 3][..], &[0, 1, 3], &[0, 1, 2], &[1, 2, 3], &[0, 0, 1, 2, 3]] {
            assert!(put(order).is_err(), "{order:?}");
        }
    }

    #[test]
    fn a_wrong_password_a_newer_format_and_other_files_are_told_apart() {
        let file = archive(&[("a", b"b")]);
        assert!(matches!(read(&file, "other"), Err(ArchiveFault::WrongPassword)));
        let mut newer = file;
        newer[MAGIC.len() + 1] = 2;
        assert!(matches!(read(&newer, "secret"), Err(ArchiveFault::Newer { got: 2 })));
        assert!(matches!(read(b"junk", "secret"), Err(ArchiveFault::Foreign)));
        assert!(matches!(read(b"piecework backup\n\0\x01", "secret"), Err(ArchiveFault::Wallet)));
    }

    #[test]
    fn contents_shorter_than_they_were_said_to_be_are_an_error() {
        let cost = Cost::new(2, 1, 1).unwrap();
        let mut writer = ArchiveWriter::new(Vec::new(), &password("secret"), cost).unwrap();
        assert!(writer.entry("a", 2, &mut &b"x"[..]).is_err());
        assert!(matches!(writer.entry("", 0, &mut io::empty()), Err(ArchiveFault::Name(_))));
    }
}
