//! Reads and writes of many slices at one place of a file, carried through to the end.
//!
//! Invariant: either all bytes moved or an error says why not. Knows no torrent.

use rustix::io::Errno;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::AsFd;

/// Slices that one system call takes (`IOV_MAX` of Linux).
const SLICES_MAX: usize = 1024;

/// Writes all of `slices`, whose contents it uses up, from `offset` on.
pub(crate) fn write_all_at(
    fd: impl AsFd,
    mut slices: &mut [IoSlice<'_>],
    mut offset: u64,
) -> io::Result<()> {
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        let batch = slices.len().min(SLICES_MAX);
        match rustix::io::pwritev(&fd, &slices[..batch], offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                offset += written as u64;
                IoSlice::advance_slices(&mut slices, written);
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Fills all of `slices`, which it uses up, from `offset` on. A file that ends before is
/// [`io::ErrorKind::UnexpectedEof`].
pub(crate) fn read_exact_at(
    fd: impl AsFd,
    mut slices: &mut [IoSliceMut<'_>],
    mut offset: u64,
) -> io::Result<()> {
    IoSliceMut::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        let batch = slices.len().min(SLICES_MAX);
        match rustix::io::preadv(&fd, &mut slices[..batch], offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                offset += read as u64;
                IoSliceMut::advance_slices(&mut slices, read);
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// What a read that must not wait achieved.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Cached {
    /// All slices are filled.
    Whole,
    /// At least a part is not in memory, or behind the end of the file.
    Partly,
    /// This file system cannot tell.
    Unsupported,
}

/// Fills `slices` from `offset` on with what the page cache has.
#[cfg(target_os = "linux")]
pub(crate) fn read_cached_at(
    fd: impl AsFd,
    slices: &mut [IoSliceMut<'_>],
    offset: u64,
) -> io::Result<Cached> {
    use rustix::io::{ReadWriteFlags, preadv2};

    if slices.len() > SLICES_MAX {
        return Ok(Cached::Partly);
    }
    let expected: usize = slices.iter().map(|slice| slice.len()).sum();
    match preadv2(fd, slices, offset, ReadWriteFlags::NOWAIT) {
        Ok(read) if read == expected => Ok(Cached::Whole),
        Ok(_) | Err(Errno::AGAIN | Errno::INTR) => Ok(Cached::Partly),
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(Cached::Unsupported),
        Err(error) => Err(error.into()),
    }
}

/// Only Linux can read without waiting.
#[cfg(not(target_os = "linux"))]
pub(crate) fn read_cached_at(_: impl AsFd, _: &mut [IoSliceMut<'_>], _: u64) -> io::Result<Cached> {
    Ok(Cached::Unsupported)
}

/// Cuts a list of slices at byte borders that are not theirs.
pub(crate) struct Cutter<'a> {
    rest: &'a [&'a [u8]],
    /// Bytes of the first slice that are gone already.
    used: usize,
}

impl<'a> Cutter<'a> {
    pub(crate) const fn new(slices: &'a [&'a [u8]]) -> Self {
        Self { rest: slices, used: 0 }
    }

    /// The next `bytes`, or fewer at the end.
    pub(crate) fn take(&mut self, mut bytes: usize) -> Vec<IoSlice<'a>> {
        let mut part = Vec::new();
        while bytes > 0
            && let Some((first, behind)) = self.rest.split_first()
        {
            let left = &first[self.used..];
            let length = left.len().min(bytes);
            part.push(IoSlice::new(&left[..length]));
            bytes -= length;
            if length == left.len() {
                (self.rest, self.used) = (behind, 0);
            } else {
                self.used += length;
            }
        }
        part
    }
}

/// Splits the first `bytes` off a list of places; the last may be cut in two.
pub(crate) fn split_places<'a>(
    places: &mut Vec<&'a mut [u8]>,
    mut bytes: usize,
) -> Vec<IoSliceMut<'a>> {
    let mut part = Vec::new();
    let mut used = 0;
    while bytes > 0 && used < places.len() {
        let place = std::mem::take(&mut places[used]);
        let (now, later) = place.split_at_mut(place.len().min(bytes));
        bytes -= now.len();
        part.push(IoSliceMut::new(now));
        if later.is_empty() {
            used += 1;
        } else {
            places[used] = later;
        }
    }
    places.drain(..used);
    part
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_list_of_slices_is_cut_at_any_byte() {
        let slices: [&[u8]; 3] = [b"abc", b"", b"defgh"];
        let mut cutter = Cutter::new(&slices);
        let mut texts = Vec::new();
        for bytes in [2, 3, 9] {
            let part = cutter.take(bytes);
            texts.push(part.iter().flat_map(|slice| slice.to_vec()).collect::<Vec<_>>());
        }
        assert_eq!(texts, [&b"ab"[..], b"cde", b"fgh"]);
        assert!(cutter.take(1).is_empty());
    }

    #[test]
    fn what_was_written_is_read_and_the_end_of_the_file_is_an_error() {
        let file = tempfile::tempfile().unwrap();
        let mut slices = [IoSlice::new(b""), IoSlice::new(b"hello"), IoSlice::new(b" world")];
        write_all_at(&file, &mut slices, 3).unwrap();
        let (mut first, mut second) = ([0; 4], [0; 7]);
        let mut places: Vec<&mut [u8]> = vec![&mut first, &mut second];
        let mut part = split_places(&mut places, 6);
        read_exact_at(&file, &mut part, 3).unwrap();
        assert_eq!((&first, &second), (b"hell", b"o \0\0\0\0\0"));
        let mut places = [IoSliceMut::new(&mut second)];
        let fault = read_exact_at(&file, &mut places, 8).unwrap_err();
        assert_eq!(fault.kind(), io::ErrorKind::UnexpectedEof);
    }
}
