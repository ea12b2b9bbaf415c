//! What a node may pay from: the session keys that its wallet has drawn, and what else is promised.

use crate::treasury::{WRITTEN, WRITTEN_MAX};
use piecework_ledger::Ledger;
use piecework_pay::{
    Address, B256, DELEGATION_SECONDS_MIN, Delegate, Delegation, Network, Payer, Record, Typed,
};
use piecework_settle::{CHEQUE_FILE_BYTES_MAX, ChequeFile};
use piecework_wallet::{FolderFault, Session, WalletFolder};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};

/// The accounts that the session keys of a wallet let a node pay from, one a network at most: of several keys
/// the one that lasts longest. `now` counts seconds since 1970.
///
/// What else is promised out of an account stays set aside for it: all that other keys could still claim, as
/// far as this node has used them or cannot know, and cheques written by hand. No chain is asked, so what of
/// that was cashed since is set aside too.
///
/// # Errors
/// When the wallet's files or the ledger cannot be read.
pub fn payers(
    wallet: &WalletFolder,
    ledger: &Ledger,
    networks: &[Network],
    now: u64,
) -> Result<Vec<Payer>, PayersFault> {
    let promised = promised(&ledger.load()?);
    let quiet_until = ledger.quiet_until();
    let mut sessions = wallet.sessions()?;
    sessions.retain(|session| session.delegate.valid_until > now);
    let restored = wallet.restored()?.into_iter().filter_map(|record| match record {
        piecework_wallet::Record::Session(session) => Some(session),
        piecework_wallet::Record::Keystore(_)
        | piecework_wallet::Record::Seed(_)
        | piecework_wallet::Record::Uncashed(_) => None,
    });
    let restored: Vec<_> = restored.filter(|it| it.delegate.valid_until > now).collect();
    let mut payers = Vec::new();
    for network in networks {
        let is_its = |session: &Session| {
            session.domain == network.domain() && session.delegate.token == network.token
        };
        let usable = |session: &Session| {
            is_its(session)
                && session.delegate.valid_until.saturating_sub(now) >= DELEGATION_SECONDS_MIN
        };
        let best = (0..sessions.len()).filter(|&place| usable(&sessions[place]));
        let best = best.max_by_key(|&place| sessions[place].delegate.valid_until);
        let Some(best) = best else { continue };
        let session = sessions.remove(best);
        let owner = session.delegate.owner;
        let same = |other: &&Session| is_its(other) && other.delegate.owner == owner;
        let used = sessions.iter().filter(same).map(|other| {
            let known = promised.get(&digest(other)).copied().unwrap_or(0);
            known.min(other.delegate.max_amount)
        });
        let unknown = restored.iter().filter(same).map(|other| other.delegate.max_amount);
        let elsewhere =
            used.chain(unknown).fold(written(wallet, network, owner), u128::saturating_add);
        payers.push(payer(session, *network, elsewhere, quiet_until));
    }
    Ok(payers)
}

/// Why it is not known what a node may pay from.
#[derive(Debug, thiserror::Error)]
pub enum PayersFault {
    /// The wallet's files.
    #[error(transparent)]
    Wallet(#[from] FolderFault),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] piecework_ledger::LedgerError),
}

/// A delegation as it was signed.
pub(crate) fn delegate(word: &Delegation, owner: Address, token: Address) -> Delegate {
    Delegate {
        owner,
        session: word.session,
        token,
        max_amount: word.max_amount,
        bond_at_risk: word.bond_at_risk,
        valid_until: word.valid_until,
    }
}

fn payer(session: Session, network: Network, elsewhere: u128, quiet_until: u64) -> Payer {
    let Session { delegate, word, key, .. } = session;
    let delegation = Delegation {
        session: delegate.session,
        max_amount: delegate.max_amount,
        bond_at_risk: delegate.bond_at_risk,
        valid_until: delegate.valid_until,
        signature: word,
    };
    let (account, delegation) = (delegate.owner, Some(delegation));
    Payer { network, account, key, delegation, elsewhere, quiet_until }
}

fn digest(session: &Session) -> B256 {
    session.delegate.digest(&session.domain.separator())
}

/// What was promised under each delegation, with every link that may have been revealed.
fn promised(records: &[Record]) -> BTreeMap<B256, u128> {
    let mut promised = BTreeMap::new();
    for record in records {
        let Record::Purchase(purchase) = record else { continue };
        let Some(digest) = purchase.delegation else { continue };
        let sum: &mut u128 = promised.entry(digest).or_default();
        *sum = sum.saturating_add(purchase.at_most.max(purchase.value()));
    }
    promised
}

/// What cheques that were written by hand promise.
fn written(wallet: &WalletFolder, network: &Network, owner: Address) -> u128 {
    let Ok(file) = File::open(wallet.keystore_file().with_file_name(WRITTEN)) else { return 0 };
    let most = (WRITTEN_MAX * CHEQUE_FILE_BYTES_MAX) as u64;
    let lines = BufReader::new(file.take(most)).lines().map_while(Result::ok).take(WRITTEN_MAX);
    let cheques = lines.filter_map(|line| ChequeFile::parse(&line).ok());
    let its = cheques.filter(|it| {
        let cheque = &it.claim.cheque;
        it.domain == network.domain() && (cheque.payer, cheque.token) == (owner, network.token)
    });
    its.fold(0, |sum, it| sum.saturating_add(it.claim.cheque.cumulative))
}

#[cfg(test)]
mod tests {
    use super::*;
    use piecework_pay::{
        Cheque, DELEGATION_SECONDS_MAX, Domain, Key, Purchase, Seed, SignedCheque,
    };
    use piecework_wallet::Allowance;

    const NOW: u64 = 2_000_000;
    const DAY: u64 = 24 * 3600;
    const TOKEN: Address = Address::repeat_byte(3);

    fn network() -> Network {
        let (vault, genesis) = (Address::repeat_byte(2), [0; 8]);
        Network { chain_id: 7, vault, token: TOKEN, genesis }
    }

    fn owner() -> Key {
        Key::new(&[1; 32]).unwrap()
    }

    fn session(max_amount: u128, at: u64) -> Session {
        let domain: Domain = network().domain();
        let allowance = Allowance { domain, token: TOKEN, max_amount, bond_at_risk: 1 };
        Session::draw(&owner(), &allowance, at).unwrap()
    }

    /// A channel of a session that is worth so much.
    fn purchase(session: &Session, cumulative: u128) -> Record {
        let cheque = Cheque {
            payer: owner().address(),
            payee: Address::repeat_byte(4),
            token: TOKEN,
            epoch: 1,
            cumulative,
            root: B256::ZERO,
            unit: 0,
            links: 0,
            channel: u64::try_from(cumulative).unwrap(),
        };
        let signature = session.key.sign(&cheque.digest(&session.domain.separator()));
        Record::Purchase(Box::new(Purchase {
            network: network(),
            torrent: [0; 20],
            signed: SignedCheque { cheque, signature },
            seed: Seed([0; 32]),
            revealed: 0,
            at_most: cumulative,
            delegation: Some(digest(session)),
            day: 0,
            before: 0,
        }))
    }

    struct Place {
        folder: tempfile::TempDir,
        ledger: Ledger,
    }

    impl Place {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let ledger = Ledger::open(&folder.path().join("ledger.db")).unwrap();
            Self { folder, ledger }
        }

        fn wallet(&self) -> WalletFolder {
            WalletFolder::of(self.folder.path())
        }

        fn payers(&self) -> Vec<Payer> {
            payers(&self.wallet(), &self.ledger, &[network()], NOW).unwrap()
        }
    }

    #[test]
    fn the_session_that_lasts_longest_pays_and_what_others_have_promised_is_set_aside() {
        let place = Place::new();
        let (old, new) = (session(500, NOW - 2 * DAY), session(900, NOW));
        place.ledger.write(&[purchase(&old, 120), purchase(&new, 60)]).unwrap();
        let (key, ended) = (new.key.address(), session(1, NOW - DELEGATION_SECONDS_MAX));
        place.wallet().write_sessions(vec![old, new, ended]).unwrap();
        let [payer] = &place.payers()[..] else { panic!() };
        assert_eq!((payer.network, payer.account), (network(), owner().address()));
        assert_eq!((payer.key.address(), payer.elsewhere, payer.quiet_until), (key, 120, 0));
        let own = crate::OwnAccount::of(payer);
        assert_eq!(own.delegation.unwrap().1, payer.delegation.unwrap().valid_until);
    }

    #[test]
    fn a_session_that_sellers_would_refuse_pays_nothing_and_without_one_nothing_is_paid() {
        let place = Place::new();
        assert!(place.payers().is_empty());
        place.wallet().write_sessions(vec![session(500, NOW - 6 * DAY)]).unwrap();
        assert!(place.payers().is_empty(), "it has under 49 hours");
    }

    #[test]
    fn a_session_of_a_backup_is_never_used_and_all_of_it_is_set_aside() {
        let place = Place::new();
        let wallet = place.wallet();
        let restored = piecework_wallet::Record::Session(session(500, NOW - DAY));
        wallet.write_restored(&[restored]).unwrap();
        assert!(place.payers().is_empty());
        wallet.write_sessions(vec![session(900, NOW)]).unwrap();
        assert_eq!(place.payers()[0].elsewhere, 500);
    }

    #[test]
    fn with_a_ledger_that_was_put_back_nothing_is_signed_for_a_while() {
        let place = Place::new();
        place.wallet().write_sessions(vec![session(900, NOW)]).unwrap();
        let copy = place.folder.path().join("copy.db");
        place.ledger.copy_to(&copy).unwrap();
        let ledger = Ledger::open(&copy).unwrap();
        let payers = payers(&place.wallet(), &ledger, &[network()], NOW).unwrap();
        assert!(payers[0].quiet_until > 0);
        assert_eq!(payers[0].quiet_until, ledger.quiet_until());
    }
}
