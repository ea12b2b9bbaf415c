//! The encrypted backup: records under a password, in one file.
//!
//! A text that says what it is, the format's version, scrypt's parameters, salt and nonce, and then the
//! records under ChaCha20-Poly1305 with all before them as associated data: no byte can be changed unseen.

use crate::{Cost, CostFault, Password, RandomFault, Record, RecordFault, random};
use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use thiserror::Error;
use zeroize::Zeroizing;

const MAGIC: &[u8] = b"piecework backup\n";
/// The version that this program writes and knows.
const FORMAT: u16 = 1;
const SALT_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
/// Version, scrypt's n, r and p, salt and nonce.
const PARAMETER_BYTES: usize = 2 + 8 + 4 + 4 + SALT_BYTES + NONCE_BYTES;
const HEADER_BYTES: usize = MAGIC.len() + PARAMETER_BYTES;

/// Bytes of a backup at most.
pub const BACKUP_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Records under a password.
pub struct Backup;

/// Why a backup gives no records.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum BackupFault {
    /// Something else.
    #[error("this is no backup of a Piecework wallet")]
    Foreign,
    /// Written by a program that knows more than this one.
    #[error(
        "a newer Piecework wrote this backup (format {got}, this one knows {FORMAT}): update Piecework"
    )]
    Newer {
        /// The format's version.
        got: u16,
    },
    /// The file ends too early to hold anything.
    #[error("the backup is cut off: take another copy of it")]
    Truncated,
    /// A password that costs more than anybody asks.
    #[error("the backup cannot be opened: {0}")]
    Cost(#[from] CostFault),
    /// The password, or the file, is wrong; nothing tells which.
    #[error("wrong password (or the backup is damaged or cut off)")]
    WrongPassword,
    /// What it holds.
    #[error("the backup was opened, but: {0}")]
    Record(#[from] RecordFault),
    /// Nothing to draw a salt from.
    #[error(transparent)]
    Random(#[from] RandomFault),
}

impl Backup {
    /// Puts records under a password: the bytes of a file.
    ///
    /// # Errors
    /// When the operating system gives no random bytes.
    pub fn encrypt(
        records: &[Record],
        password: &Password,
        cost: Cost,
    ) -> Result<Vec<u8>, BackupFault> {
        let (salt, nonce) = (random::<SALT_BYTES>()?, random::<NONCE_BYTES>()?);
        let (r, p) = cost.r_and_p();
        let mut file = [MAGIC, &FORMAT.to_be_bytes()].concat();
        file.extend(cost.n().to_be_bytes());
        file.extend(r.to_be_bytes());
        file.extend(p.to_be_bytes());
        file.extend(salt.iter().chain(nonce.iter()));
        let mut body = Record::encode_all(records);
        let tag = key(cost, password, &*salt).seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(*nonce),
            Aad::from(&file),
            &mut body,
        );
        // The key is new with each salt, so its one nonce is used once.
        let tag = tag.expect("a backup is far smaller than what one key encrypts");
        file.extend(body.iter().chain(tag.as_ref()));
        Ok(file)
    }

    /// Takes the records out.
    ///
    /// # Errors
    /// When the bytes are no backup, newer than this program, cut off or damaged, or the password is wrong.
    pub fn decrypt(file: &[u8], password: &Password) -> Result<Vec<Record>, BackupFault> {
        let parameters = file.strip_prefix(MAGIC).ok_or(BackupFault::Foreign)?;
        let (format, _) = parameters.split_first_chunk().ok_or(BackupFault::Truncated)?;
        let got = u16::from_be_bytes(*format);
        if got != FORMAT {
            return Err(if got > FORMAT {
                BackupFault::Newer { got }
            } else {
                BackupFault::Foreign
            });
        }
        if file.len() < HEADER_BYTES + TAG_BYTES {
            return Err(BackupFault::Truncated);
        }
        let (header, body) = file.split_at(HEADER_BYTES);
        let mut fields = &header[MAGIC.len() + 2..];
        let n = u64::from_be_bytes(take(&mut fields));
        let (r, p) = (u32::from_be_bytes(take(&mut fields)), u32::from_be_bytes(take(&mut fields)));
        let (salt, nonce) = (take::<SALT_BYTES>(&mut fields), take(&mut fields));
        let mut body = Zeroizing::new(body.to_vec());
        let opened = key(Cost::new(n, r, p)?, password, &salt).open_in_place(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(header),
            &mut body,
        );
        let records = opened.map_err(|_| BackupFault::WrongPassword)?;
        Ok(Record::decode_all(records)?)
    }
}

fn key(cost: Cost, password: &Password, salt: &[u8]) -> LessSafeKey {
    let key = UnboundKey::new(&CHACHA20_POLY1305, &*cost.derive(password, salt));
    LessSafeKey::new(key.expect("32 bytes are a key of ChaCha20"))
}

fn take<const BYTES: usize>(rest: &mut &[u8]) -> [u8; BYTES] {
    let (field, after) = rest.split_first_chunk().expect("HEADER_BYTES is the sum of all fields");
    *rest = after;
    *field
}
