use super::*;
use crate::vault::VaultEvent;
use piecework_pay::{Domain, Key, Typed};

const TOKEN: Address = Address::repeat_byte(9);

fn books() -> (Arc<Mutex<Books>>, Key, Key) {
    let domain = Domain { chain_id: 7, verifying_contract: Address::repeat_byte(1) };
    let (payer, payee) = (Key::new(&[1; 32]).unwrap(), Key::new(&[2; 32]).unwrap());
    let mut books = Books::new(domain, 1_000);
    books.mint(payer.address(), TOKEN, 100).unwrap();
    books.fund(payer.address(), TOKEN, (10, 5)).unwrap();
    (Arc::new(Mutex::new(books)), payer, payee)
}

fn claim(payer: &Key, payee: &Key, domain: Domain, cumulative: u128) -> Claim {
    let cheque = Cheque {
        payer: payer.address(),
        payee: payee.address(),
        token: TOKEN,
        epoch: 1_000,
        cumulative,
        root: B256::ZERO,
        unit: 0,
        links: 0,
        channel: 1,
    };
    let signature = payer.sign(&cheque.digest(&domain.separator()));
    Claim { cheque, count: 0, link: B256::ZERO, signature, delegation: None }
}

#[test]
fn a_cheque_is_cashed_once_and_an_outcome_told_once() {
    let (books, payer, payee) = books();
    let mut money: Box<dyn Settlement> = Box::new(Memory::new(Arc::clone(&books)));
    let claim = claim(&payer, &payee, money.info().domain, 4);
    let ticket = money.cash(&claim).unwrap();
    assert_eq!(money.outcome(ticket).unwrap().unwrap().paid, 4);
    assert!(money.outcome(ticket).is_err());
    let again = money.cash(&claim).unwrap();
    assert_eq!(money.outcome(again).unwrap().unwrap(), Cashed::default());
    let funds = money.verify_funds(payer.address(), payee.address(), TOKEN).unwrap();
    assert_eq!((funds.account.free, funds.account.bond, funds.account.bounces), (6, 5, 0));
    assert_eq!(lock(&books).balance(payee.address(), TOKEN), 4);
    assert_eq!(money.channel(&claim.cheque).unwrap(), ChannelState { claimed: 4, paid: 4 });
}

#[test]
fn who_watches_hears_what_happened_since_and_not_twice() {
    let (books, payer, payee) = books();
    let mut money = Memory::new(Arc::clone(&books));
    assert_eq!(money.watch().unwrap(), [], "what was before is not told");
    let claim = claim(&payer, &payee, money.info().domain, 12);
    money.cash(&claim).unwrap();
    let heard = money.watch().unwrap();
    assert!(matches!(heard[0].event, VaultEvent::Paid { amount: 10, .. }));
    assert!(matches!(heard[1].event, VaultEvent::Bounced { missing: 2, burnt: 5, .. }));
    assert_eq!(heard.len(), 2);
    assert_eq!(money.watch().unwrap(), []);
}
