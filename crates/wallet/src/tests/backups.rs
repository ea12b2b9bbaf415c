//! Records and the encrypted backup.

use super::*;
use piecework_pay::{Cheque, Links, Signature, Typed};

fn domain() -> Domain {
    Domain { chain_id: 1 << 40, verifying_contract: Address::new([9; 20]) }
}

fn cheque() -> Cheque {
    Cheque {
        payer: key(1).address(),
        payee: key(2).address(),
        token: Address::new([3; 20]),
        epoch: 1_795_000_000,
        cumulative: 5_000_000,
        root: Links::new(B256::new([0x5a; 32]), 3).unwrap().root(),
        unit: 1250,
        links: 3,
        channel: 7,
    }
}

fn delegation() -> (Delegate, Signature) {
    let delegate = Delegate {
        owner: key(1).address(),
        session: key(5).address(),
        token: Address::new([3; 20]),
        max_amount: u128::MAX,
        bond_at_risk: 1,
        valid_until: 1_795_604_800,
    };
    (delegate, key(1).sign(&delegate.digest(&domain().separator())))
}

pub(super) fn session() -> Session {
    let (delegate, word) = delegation();
    Session { domain: domain(), delegate, word, key: key(5) }
}

pub(super) fn seed() -> Seed {
    Seed { domain: domain(), cheque: cheque(), seed: B256::new([0x5a; 32]) }
}

fn uncashed(delegation: Option<(Delegate, Signature)>) -> Uncashed {
    Uncashed {
        domain: domain(),
        cheque: cheque(),
        signature: key(5).sign(&cheque().digest(&domain().separator())),
        number: 2,
        link: B256::new([6; 32]),
        delegation,
    }
}

fn records() -> Vec<Record> {
    vec![
        Record::Keystore("{ a keystore }".into()),
        Record::Session(session()),
        Record::Seed(seed()),
        Record::Uncashed(Box::new(uncashed(None))),
        Record::Uncashed(Box::new(uncashed(Some(delegation())))),
    ]
}

fn backup() -> Vec<u8> {
    Backup::encrypt(&records(), &password("hush"), Cost::LIGHT).unwrap()
}

fn opened(file: &[u8]) -> Result<Vec<Record>, BackupFault> {
    Backup::decrypt(file, &password("hush"))
}

#[test]
fn all_that_is_backed_up_comes_back() {
    let back = opened(&backup()).unwrap();
    // Their bytes hold the secrets that their `Debug` leaves out.
    assert_eq!(Record::encode_all(&back), Record::encode_all(&records()));
    let [Record::Keystore(text), Record::Session(session), Record::Seed(seed), plain, delegated] =
        back.as_slice()
    else {
        panic!("{back:?}")
    };
    assert_eq!(text, "{ a keystore }");
    assert_eq!((session.key.secret(), session.delegate), (key(5).secret(), delegation().0));
    assert_eq!((seed.seed, seed.cheque), (B256::new([0x5a; 32]), cheque()));
    assert!(matches!(plain, Record::Uncashed(it) if **it == uncashed(None)));
    assert!(matches!(delegated, Record::Uncashed(it) if **it == uncashed(Some(delegation()))));
    assert_eq!(Record::decode_all(&Record::encode_all(&[])).unwrap().len(), 0);
}

#[test]
fn a_backup_shows_nothing_and_no_byte_of_it_can_be_changed() {
    let file = backup();
    let shows = |secret: &[u8]| file.windows(secret.len()).any(|window| window == secret);
    assert!(!shows(b"keystore }") && !shows(&[5; 8]) && !shows(&[0x5a; 8]));
    let wrong = Backup::decrypt(&file, &password("Hush")).unwrap_err();
    assert_eq!(wrong, BackupFault::WrongPassword);
    // Each byte of the header, and some behind it.
    let header = 17 + 2 + 8 + 4 + 4 + 32 + 12;
    for at in (0..header).chain([header, file.len() / 2, file.len() - 1]) {
        let mut changed = file.clone();
        changed[at] ^= 1;
        let fault = opened(&changed).unwrap_err();
        let expected = match at {
            0..17 => matches!(fault, BackupFault::Foreign),
            17..19 => matches!(fault, BackupFault::Newer { .. } | BackupFault::Foreign),
            19..35 => matches!(fault, BackupFault::Cost(_) | BackupFault::WrongPassword),
            _ => fault == BackupFault::WrongPassword,
        };
        assert!(expected, "{at}: {fault}");
    }
}

#[test]
fn a_backup_that_is_cut_off_newer_or_something_else_says_so() {
    let file = backup();
    for end in 17..95 {
        assert_eq!(opened(&file[..end]).unwrap_err(), BackupFault::Truncated, "{end}");
    }
    assert_eq!(opened(&file[..file.len() - 1]).unwrap_err(), BackupFault::WrongPassword);
    for foreign in [&file[..16], b"", b"{}"] {
        assert_eq!(opened(foreign).unwrap_err(), BackupFault::Foreign);
    }
    let mut newer = file;
    newer[18] = 2;
    let fault = opened(&newer).unwrap_err();
    assert_eq!(fault, BackupFault::Newer { got: 2 });
    assert!(fault.to_string().contains("update Piecework"));
}

#[test]
fn records_that_are_cut_off_damaged_or_unknown_are_named_by_their_place() {
    let bytes = Record::encode_all(&records());
    let first = 18 + 2 + 5 + "{ a keystore }".len();
    let decoded = |bytes: &[u8]| Record::decode_all(bytes).unwrap_err();
    assert_eq!(decoded(&bytes[..18]), RecordFault::Truncated { at: 1 });
    assert_eq!(decoded(&bytes[..first - 1]), RecordFault::Truncated { at: 1 });
    assert_eq!(decoded(&bytes[..first + 3]), RecordFault::Truncated { at: 2 });
    assert_eq!(Record::decode_all(&bytes[..first]).unwrap().len(), 1);
    let with = |at: usize, byte| {
        let mut changed = bytes.to_vec();
        changed[at] = byte;
        decoded(&changed)
    };
    assert_eq!(with(19, 9), RecordFault::Newer { got: 9 });
    assert_eq!(with(first, 4), RecordFault::Newer { got: 4 });
    assert_eq!(with(first + 4, 1), RecordFault::Damaged { at: 2 });
    assert_eq!(with(0, b'P'), RecordFault::Foreign);
    // A session key that is not the one of its delegation.
    let key_at = first + 5 + 28 + 60 + 16 + 16 + 8 + 65;
    assert_eq!(with(key_at + 31, 6), RecordFault::Damaged { at: 2 });
}

proptest! {
    #[test]
    fn whatever_is_read_as_records_is_written_the_same_way(
        at in 0..1200_usize, byte: u8, cut in 0..1500_usize,
    ) {
        let mut bytes = Record::encode_all(&records()).to_vec();
        let at = at % bytes.len();
        bytes[at] = byte;
        bytes.truncate(cut);
        if let Ok(records) = Record::decode_all(&bytes) {
            prop_assert_eq!(Record::encode_all(&records).to_vec(), bytes);
        }
    }
}
