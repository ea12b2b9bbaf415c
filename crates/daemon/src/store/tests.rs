#![allow(clippy::unwrap_used)]

use super::*;
use redb::StorageBackend;
use std::io;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

/// A drive in memory that fails after so many writes; it goes on existing when the file is closed.
#[derive(Clone, Debug, Default)]
struct Drive {
    bytes: Arc<Mutex<Vec<u8>>>,
    /// Writes until it is full; below 0 for a drive without end.
    left: Arc<AtomicI64>,
}

impl Drive {
    fn new() -> Self {
        let drive = Self::default();
        drive.fail_after(-1);
        drive
    }

    fn fail_after(&self, writes: i64) {
        self.left.store(writes, Ordering::Relaxed);
    }

    fn open(&self) -> Result<Store, StoreError> {
        let drive = self.clone();
        Store::open_with(Box::new(move || Database::builder().create_with_backend(drive.clone())))
    }

    fn spend(&self) -> io::Result<()> {
        match self.left.load(Ordering::Relaxed) {
            0 => Err(io::ErrorKind::StorageFull.into()),
            left if left > 0 => {
                self.left.fetch_sub(1, Ordering::Relaxed);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl StorageBackend for Drive {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes.lock().unwrap().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let bytes = self.bytes.lock().unwrap();
        let found = bytes.get(offset as usize..).and_then(|rest| rest.get(..out.len()));
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.spend()?;
        self.bytes.lock().unwrap().resize(len as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.spend()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.spend()?;
        self.bytes.lock().unwrap()[offset as usize..][..data.len()].copy_from_slice(data);
        Ok(())
    }
}

fn id(number: u32) -> InfoHash {
    let mut id = InfoHash([0; 20]);
    id.0[..4].copy_from_slice(&number.to_be_bytes());
    id
}

/// One torrent that is added, with metainfo of some pages.
fn adding(number: u32) -> Changes {
    let record = Record { name: number.to_string(), ..Record::default() };
    let mut changes = Changes::default();
    changes.records.insert(id(number), record);
    changes.metainfo.insert(id(number), Kept::Torrent(vec![number as u8; 9_000]));
    changes.bytes = (number.into(), 0);
    changes
}

fn names(store: &Store) -> Vec<String> {
    let mut names: Vec<_> = store.load().unwrap().records.into_iter().map(|it| it.name).collect();
    names.sort_by_key(|name| name.parse::<u32>().unwrap());
    names
}

fn numbers(count: u32) -> Vec<String> {
    (0..count).map(|number| number.to_string()).collect()
}

#[test]
fn a_record_comes_back_as_it_was_and_what_is_as_in_a_new_one_is_not_written() {
    let (name, trackers) = ("a".to_owned(), Some(Vec::new()));
    let record = Record { name, trackers, is_complete: true, queue: 7, ..Record::default() };
    let bytes = encode(&record).unwrap();
    let text = r#"{"v1":null,"name":"a","is_complete":true,"queue":7,"trackers":[]}"#;
    assert_eq!(std::str::from_utf8(&bytes).unwrap(), text);
    assert_eq!(decode::<Record>(&bytes).unwrap(), record);
}

#[test]
fn what_was_committed_is_there_after_any_failed_write_and_what_failed_is_not() {
    // One more write is let through each time, until nothing fails any more.
    for writes in 0..10_000 {
        let drive = Drive::new();
        let store = drive.open().unwrap();
        (0..3).for_each(|number| store.commit(&adding(number)).unwrap());
        drive.fail_after(writes);
        let result = store.commit(&adding(3));
        drive.fail_after(-1);
        let is_whole = result.is_ok();
        // As after a kill: from what is on the drive alone.
        drop(store);
        let store = drive.open().unwrap();
        let found = names(&store);
        let kept = store.metainfo(id(3)).unwrap();
        assert_eq!(found.len() == 4, kept.is_some(), "a torrent and its record have parted");
        assert_eq!(found[..3], numbers(3));
        if is_whole {
            assert_eq!(found, numbers(4));
            assert!(writes > 2, "the drive has not failed at all");
            return;
        }
    }
    panic!("the drive has failed each time");
}

#[test]
fn a_store_goes_on_once_the_drive_has_room_again() {
    let drive = Drive::new();
    let store = drive.open().unwrap();
    store.commit(&adding(0)).unwrap();
    for writes in [0, 1, 2, 3, 5] {
        drive.fail_after(writes);
        assert!(matches!(store.commit(&adding(1)), Err(StoreError::Redb(_))));
        drive.fail_after(0);
        assert!(matches!(store.commit(&adding(1)), Err(StoreError::Redb(_))));
        drive.fail_after(-1);
        store.commit(&Changes::default()).unwrap();
        assert_eq!(names(&store)[0], "0");
    }
    store.commit(&adding(1)).unwrap();
    assert_eq!(names(&store), numbers(2));
}

#[test]
fn a_removed_torrent_is_remembered_with_its_metainfo_until_it_is_forgotten() {
    let drive = Drive::new();
    let store = drive.open().unwrap();
    (0..2).for_each(|number| store.commit(&adding(number)).unwrap());
    let removing = Changes { removed: [(id(0), true)].into(), ..Changes::default() };
    store.commit(&removing).unwrap();
    let gone = store.load().unwrap().gone;
    assert_eq!((gone.len(), gone[0].0, gone[0].1.deletes_files), (1, id(0), true));
    assert_eq!(gone[0].1.record.name, "0");
    assert!(store.metainfo(id(0)).unwrap().is_some());
    let forgetting = Changes { forgotten: [id(0)].into(), ..Changes::default() };
    store.commit(&forgetting).unwrap();
    assert!(store.load().unwrap().gone.is_empty());
    assert_eq!(store.metainfo(id(0)).unwrap(), None);
    assert_eq!(names(&store), ["1"]);
}

#[test]
fn a_torrent_that_came_back_before_it_was_forgotten_keeps_its_metainfo() {
    let drive = Drive::new();
    let store = drive.open().unwrap();
    store.commit(&adding(0)).unwrap();
    let removing = Changes { removed: [(id(0), false)].into(), ..Changes::default() };
    store.commit(&removing).unwrap();
    store.commit(&adding(0)).unwrap();
    let forgetting = Changes { forgotten: [id(0)].into(), ..Changes::default() };
    store.commit(&forgetting).unwrap();
    assert!(store.metainfo(id(0)).unwrap().is_some());
    assert_eq!(names(&store), ["0"]);
}

#[test]
fn the_file_of_a_newer_program_is_left_alone() {
    let drive = Drive::new();
    drop(drive.open().unwrap());
    let database = Database::builder().create_with_backend(drive.clone()).unwrap();
    let write = database.begin_write().unwrap();
    write.open_table(META).unwrap().insert("format", FORMAT + 1).unwrap();
    write.commit().unwrap();
    drop(database);
    assert!(matches!(drive.open(), Err(StoreError::Newer { found }) if found == FORMAT + 1));
    let database = Database::builder().create_with_backend(drive.clone()).unwrap();
    let meta = database.begin_read().unwrap().open_table(META).unwrap();
    assert_eq!(meta.get("format").unwrap().unwrap().value(), FORMAT + 1);
}

#[test]
fn counts_and_lists_come_back() {
    let drive = Drive::new();
    let store = drive.open().unwrap();
    let category = Category { save_path: "films".into(), incomplete_path: None };
    let lists = Lists {
        categories: [("films".to_owned(), category)].into(),
        tags: ["one".to_owned()].into(),
        is_alternative: true,
    };
    let changes =
        Changes { lists: Some(lists.clone()), bytes: (u64::MAX, 7), ..Changes::default() };
    store.commit(&changes).unwrap();
    store.close();
    let saved = drive.open().unwrap().load().unwrap();
    assert_eq!((saved.lists, saved.bytes), (lists, (u64::MAX, 7)));
}
