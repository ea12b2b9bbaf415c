//! The folder of a wallet on a real disk.

use super::backups::session;
use super::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn keystore(byte: u8) -> Keystore {
    Keystore::encrypt(&key(byte), &password("hush"), Cost::LIGHT).unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_wallet_is_written_where_only_its_owner_reads_and_never_over_another() {
    let state = tempfile::tempdir().unwrap();
    let folder = WalletFolder::of(&state.path().join("deep/state"));
    assert!(matches!(folder.keystore(), Err(FolderFault::NoWallet { .. })) && !folder.is_taken());
    folder.create(&keystore(1)).unwrap();
    assert_eq!(folder.keystore().unwrap().address(), Some(key(1).address()));
    let file = folder.keystore_file();
    let wallet = file.parent().unwrap();
    assert_eq!((mode(wallet), mode(&file)), (0o700, 0o600));
    assert!(folder.is_taken());
    let other = folder.create(&keystore(2)).unwrap_err();
    assert!(matches!(other, FolderFault::Exists { .. }), "{other}");
    assert_eq!(folder.keystore().unwrap().address(), Some(key(1).address()));
    assert_eq!(names(wallet), ["keystore.json"]);
}

#[test]
fn a_folder_that_others_could_enter_is_shut() {
    let state = tempfile::tempdir().unwrap();
    let wallet = state.path().join("wallet");
    fs::create_dir(&wallet).unwrap();
    fs::set_permissions(&wallet, fs::Permissions::from_mode(0o755)).unwrap();
    WalletFolder::of(state.path()).create(&keystore(1)).unwrap();
    assert_eq!(mode(&wallet), 0o700);
}

#[test]
fn a_keystore_that_is_cut_off_or_huge_is_an_error_that_names_the_file() {
    let state = tempfile::tempdir().unwrap();
    let folder = WalletFolder::of(state.path());
    folder.create(&keystore(1)).unwrap();
    let file = folder.keystore_file();
    let text = fs::read(&file).unwrap();
    fs::write(&file, &text[..text.len() / 2]).unwrap();
    let fault = folder.keystore().unwrap_err();
    assert!(matches!(&fault, FolderFault::Keystore { fault: KeystoreFault::Truncated, .. }));
    let shown = fault.to_string();
    assert!(shown.contains("keystore.json") && shown.contains("cut off"), "{shown}");
    fs::write(&file, vec![b' '; 70_000]).unwrap();
    assert!(matches!(folder.keystore(), Err(FolderFault::Large { .. })));
    // A file that is there but broken is still in the way.
    assert!(matches!(folder.create(&keystore(2)), Err(FolderFault::Exists { .. })));
}

#[test]
fn session_keys_are_kept_and_replaced() {
    let state = tempfile::tempdir().unwrap();
    let folder = WalletFolder::of(state.path());
    assert_eq!(folder.sessions().unwrap().len(), 0);
    folder.write_sessions(vec![session(), session()]).unwrap();
    let sessions = folder.sessions().unwrap();
    assert_eq!(sessions.len(), 2);
    assert_eq!(sessions[1].key.secret(), session().key.secret());
    assert_eq!(mode(&folder.sessions_file()), 0o600);
    folder.write_sessions(vec![session()]).unwrap();
    assert_eq!(folder.sessions().unwrap().len(), 1);
    assert_eq!(names(folder.sessions_file().parent().unwrap()), ["sessions"]);
    fs::write(folder.sessions_file(), "junk").unwrap();
    let fault = folder.sessions().unwrap_err();
    assert!(matches!(fault, FolderFault::Records { fault: RecordFault::Foreign, .. }));
}

#[test]
fn what_a_crash_left_behind_is_in_nobodys_way() {
    let state = tempfile::tempdir().unwrap();
    let file = state.path().join("backup");
    // Of a process that had this one's number before, for one.
    for number in 0..1000 {
        let left = state.path().join(format!(".backup.{}.{number}", std::process::id()));
        fs::write(&left, "half of").unwrap();
    }
    write_new(&file, b"whole").unwrap();
    assert_eq!(fs::read(&file).unwrap(), b"whole");
    let missing = write_new(&state.path().join("absent/backup"), b"").unwrap_err();
    assert!(matches!(missing, FolderFault::Io { .. }));
}

#[test]
fn threads_that_write_one_file_at_a_time_each_leave_a_whole_one() {
    let state = tempfile::tempdir().unwrap();
    let file = state.path().join("note");
    let texts: Vec<Vec<u8>> = (0..8_u8).map(|of| vec![of; 100 * (usize::from(of) + 1)]).collect();
    for _ in 0..20 {
        std::thread::scope(|scope| {
            for text in &texts {
                scope.spawn(|| write_over(&file, text).unwrap());
            }
        });
        assert!(texts.contains(&fs::read(&file).unwrap()));
    }
    assert_eq!(names(state.path()), ["note"], "nothing is left behind");
}
