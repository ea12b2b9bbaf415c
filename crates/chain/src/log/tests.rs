use super::*;
use std::sync::{Arc, Mutex};

/// A file in memory whose disk has so much room, and of which a crash may keep what it likes.
#[derive(Clone, Debug, Default)]
pub(crate) struct FakeFile {
    pub(crate) bytes: Arc<Mutex<Vec<u8>>>,
    /// Bytes the disk holds.
    pub(crate) room: Option<usize>,
    pub(crate) flush_fails: bool,
}

impl FakeFile {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self { bytes: Arc::new(Mutex::new(bytes.to_vec())), ..Self::default() }
    }

    pub(crate) fn image(&self) -> Vec<u8> {
        self.bytes.lock().unwrap().clone()
    }
}

impl LogFile for FakeFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.bytes.lock().unwrap().len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let (bytes, offset) = (self.bytes.lock().unwrap(), offset as usize);
        let found = bytes.get(offset..offset + buffer.len());
        buffer.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&mut self, new: &[u8], offset: u64) -> io::Result<()> {
        let mut bytes = self.bytes.lock().unwrap();
        let end = offset as usize + new.len();
        let fits = self.room.unwrap_or(end).min(end);
        bytes.truncate(offset as usize);
        bytes.extend_from_slice(&new[..fits.saturating_sub(offset as usize)]);
        if fits < end { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.flush_fails { Err(io::Error::other("the disk is gone")) } else { Ok(()) }
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.bytes.lock().unwrap().truncate(length as usize);
        Ok(())
    }
}

fn all(log: &BlockLog<FakeFile>) -> Result<(Vec<Vec<u8>>, u64), LogError> {
    let (mut found, mut at) = (Vec::new(), FIRST_FRAME);
    while let Some((place, payload)) = log.read(at)? {
        found.push(payload);
        at = place.end();
    }
    Ok((found, at))
}

/// A log of a few frames, and where each ends.
fn sample() -> (Vec<u8>, Vec<u64>) {
    let file = FakeFile::default();
    let mut log = BlockLog::create(file.clone(), b"genesis").unwrap();
    let mut ends = vec![log.end()];
    for payload in [&b"one"[..], &[0; 40], b"FRME of a kind", b""] {
        ends.push(log.append(payload).unwrap().end());
    }
    (file.image(), ends)
}

#[test]
fn cut_at_every_byte_the_log_keeps_every_whole_frame_and_takes_new_ones() {
    let (image, ends) = sample();
    for length in FIRST_FRAME as usize..=image.len() {
        let file = FakeFile::of(&image[..length]);
        let mut log = BlockLog::open(file.clone()).unwrap();
        let (found, end) = all(&log).unwrap();
        let whole = ends.iter().filter(|end| **end <= length as u64).count();
        assert_eq!(found.len(), whole, "cut at {length}");
        log.cut(end).unwrap();
        log.append(b"next").unwrap();
        let again = all(&BlockLog::open(file).unwrap()).unwrap().0;
        assert_eq!(again.last().unwrap(), b"next");
        assert_eq!(again.len(), whole + 1);
    }
}

#[test]
fn a_last_frame_of_which_any_part_did_not_reach_the_disk_is_cut() {
    let (image, ends) = sample();
    let last = ends[2] as usize..ends[3] as usize;
    for start in last.clone() {
        for end in start + 1..=last.end {
            let mut torn = image[..last.end].to_vec();
            torn[start..end].fill(0);
            if torn == image[..last.end] {
                continue;
            }
            let (found, cut) = all(&BlockLog::open(FakeFile::of(&torn)).unwrap()).unwrap();
            assert_eq!((found.len(), cut), (3, ends[2]), "zeros from {start} to {end}");
        }
    }
}

#[test]
fn damage_before_the_last_frame_is_told_and_never_cut() {
    let (image, ends) = sample();
    for at in FIRST_FRAME as usize..ends[2] as usize {
        let mut damaged = image.clone();
        damaged[at] ^= 0x10;
        let told = all(&BlockLog::open(FakeFile::of(&damaged)).unwrap());
        assert!(matches!(told, Err(LogError::Damaged(_))), "byte {at}: {told:?}");
    }
}

#[test]
fn a_frame_inside_a_payload_does_not_make_a_torn_end_damage() {
    let (image, _) = sample();
    let inner = image[FIRST_FRAME as usize..].to_vec();
    let file = FakeFile::default();
    let mut log = BlockLog::create(file.clone(), b"genesis").unwrap();
    let end = log.end();
    log.append(&inner).unwrap();
    let mut torn = file.image();
    let length = torn.len();
    torn.truncate(length - 1);
    let (found, cut) = all(&BlockLog::open(FakeFile::of(&torn)).unwrap()).unwrap();
    assert_eq!((found.len(), cut), (1, end));
}

#[test]
fn a_full_disk_is_an_error_that_leaves_the_log_as_it_was() {
    let payload = [7; 100];
    for room in 0..payload.len() + FRAME_HEAD {
        let mut file = FakeFile::default();
        let log = BlockLog::create(file.clone(), b"genesis").unwrap();
        let before = file.image();
        file.room = Some(before.len() + room);
        let mut full = BlockLog { file: file.clone(), end: log.end() };
        let told = full.append(&payload).unwrap_err();
        assert!(matches!(&told, LogError::Io(e) if e.kind() == io::ErrorKind::StorageFull));
        assert_eq!(file.image(), before);
    }
}

#[test]
fn what_could_not_be_flushed_does_not_count() {
    let file = FakeFile::default();
    let log = BlockLog::create(file.clone(), b"genesis").unwrap();
    let failing = FakeFile { flush_fails: true, ..file.clone() };
    let mut failing = BlockLog { file: failing, end: log.end() };
    assert!(failing.append(b"lost").is_err());
    assert_eq!(all(&BlockLog::open(file).unwrap()).unwrap().0, [b"genesis"]);
}

#[test]
fn other_files_and_later_formats_are_refused() {
    let (mut image, _) = sample();
    image[12] = 2;
    assert!(matches!(BlockLog::open(FakeFile::of(&image)), Err(LogError::Version(2))));
    image[0] = 0;
    assert!(matches!(BlockLog::open(FakeFile::of(&image)), Err(LogError::Magic)));
    assert!(matches!(BlockLog::open(FakeFile::of(&[])), Err(LogError::Magic)));
}
