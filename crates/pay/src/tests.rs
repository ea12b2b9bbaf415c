#![allow(clippy::unwrap_used)]

mod conversation;
mod trade;
mod vectors;

use super::*;
use proptest::prelude::*;

const PAYEE: Address = Address::new([2; 20]);

fn key(byte: u8) -> Key {
    Key::new(&[byte; 32]).unwrap()
}

fn cheque(links: &Links) -> Cheque {
    Cheque {
        payer: key(1).address(),
        payee: PAYEE,
        token: Address::new([3; 20]),
        epoch: 1,
        cumulative: 1_000,
        root: links.root(),
        unit: 7,
        links: links.count(),
        channel: 9,
    }
}

fn delegate() -> Delegate {
    Delegate {
        owner: key(1).address(),
        session: key(5).address(),
        token: Address::new([3; 20]),
        max_amount: 10_000,
        bond_at_risk: 1_000,
        valid_until: 2_000_000_000,
    }
}

fn separator() -> B256 {
    Domain { chain_id: 1, verifying_contract: Address::new([4; 20]) }.separator()
}

#[test]
fn a_cheque_is_worth_its_sum_and_a_unit_for_each_link() {
    let links = Links::new(B256::new([6; 32]), 3).unwrap();
    let cheque = cheque(&links);
    let value = |count| cheque.value(count, links.link(count).unwrap());
    assert_eq!((1..=3).map(value).collect::<Vec<_>>(), [Ok(1_007), Ok(1_014), Ok(1_021)]);
    // With no link whatever stands there is not looked at.
    assert_eq!(cheque.value(0, B256::new([0xee; 32])), Ok(1_000));
}

#[test]
fn a_link_that_is_wrong_at_its_number_or_behind_the_last_is_worth_nothing() {
    let links = Links::new(B256::new([6; 32]), 3).unwrap();
    let cheque = cheque(&links);
    let second = links.link(2).unwrap();
    assert_eq!(cheque.value(1, second), Err(PayFault::BrokenLink { got: 1 }));
    assert_eq!(cheque.value(3, second), Err(PayFault::BrokenLink { got: 3 }));
    // The root itself is no link: it is link 0.
    assert_eq!(cheque.value(1, cheque.root), Err(PayFault::BrokenLink { got: 1 }));
    let beyond = PayFault::LinkBeyondEnd { got: 4, links: 3 };
    assert_eq!(cheque.value(4, second), Err(beyond));
    let long = Cheque { links: LINKS_MAX + 1, ..cheque };
    assert_eq!(long.value(2, second), Err(PayFault::TooManyLinks { got: 4097 }));
    assert_eq!(long.value(0, second), Err(PayFault::TooManyLinks { got: 4097 }));
}

#[test]
fn a_cheque_is_refused_at_receipt_for_what_the_contract_would_refuse_later() {
    let good = cheque(&Links::new(B256::new([6; 32]), 4096).unwrap());
    assert_eq!(good.check(PAYEE), Ok(()));
    let other = Address::new([9; 20]);
    let foreign = PayFault::ForeignPayee { expected: other, got: PAYEE };
    assert_eq!(good.check(other), Err(foreign));
    assert_eq!(Cheque { epoch: 0, ..good }.check(PAYEE), Err(PayFault::NoEpoch));
    let long = Cheque { links: 4097, ..good };
    assert_eq!(long.check(PAYEE), Err(PayFault::TooManyLinks { got: 4097 }));
    // The last value that fits, and the first that does not, by either number.
    let most = Cheque { cumulative: u128::MAX - 4096 * 7, ..good };
    assert_eq!((most.check(PAYEE), most.worth(4096)), (Ok(()), Ok(u128::MAX)));
    let over = Cheque { cumulative: most.cumulative + 1, ..most };
    assert_eq!(over.check(PAYEE), Err(PayFault::Overflow));
    assert_eq!((over.worth(4095), over.worth(4096)), (Ok(u128::MAX - 6), Err(PayFault::Overflow)));
    let dear = Cheque { unit: u128::MAX / 4096 + 1, ..good };
    assert_eq!(dear.check(PAYEE), Err(PayFault::Overflow));
}

#[test]
fn a_seller_takes_links_in_any_steps_but_only_forward() {
    let links = Links::new(B256::new([6; 32]), 200).unwrap();
    let mut held = Held::new(links.root(), 200).unwrap();
    let link = |number| links.link(number).unwrap();
    assert_eq!(held.take(1, link(1)), Ok(1));
    assert_eq!(held.take(150, link(150)), Ok(149));
    // Sent again, or late: no news, and not looked at.
    assert_eq!((held.take(150, link(150)), held.take(3, B256::ZERO)), (Ok(0), Ok(0)));
    let before = held;
    assert_eq!(held.take(151, link(152)), Err(PayFault::BrokenLink { got: 151 }));
    assert_eq!(held.take(201, link(200)), Err(PayFault::LinkBeyondEnd { got: 201, links: 200 }));
    assert_eq!(held, before);
    assert_eq!((held.take(200, link(200)), held.number(), held.link()), (Ok(50), 200, link(200)));
    assert_eq!(cheque(&links).value(held.number(), held.link()), Ok(1_000 + 7 * 200));
}

#[test]
fn a_chain_has_no_link_at_0_nor_behind_its_end_and_may_be_empty() {
    let links = Links::new(B256::new([6; 32]), 65).unwrap();
    assert_eq!((links.link(0), links.link(66)), (None, None));
    assert_eq!(links.link(65), Some(B256::new([6; 32])));
    let none = Links::new(B256::new([6; 32]), 0).unwrap();
    assert_eq!((none.link(0), none.link(1), none.root()), (None, None, B256::new([6; 32])));
    let long = PayFault::TooManyLinks { got: 4097 };
    assert_eq!(Links::new(B256::ZERO, 4097).unwrap_err(), long);
    assert_eq!(Held::new(B256::ZERO, 4097), Err(long));
}

#[test]
fn only_the_owner_or_its_session_key_signs_for_a_payer() {
    let (cheque, separator) = (cheque(&Links::new(B256::ZERO, 1).unwrap()), separator());
    let signed_by = |byte: u8| key(byte).sign(&cheque.digest(&separator));
    let (payer, session) = (key(1).address(), key(5).address());
    let wrong = |expected, got| Err(PayFault::WrongSigner { expected, got });

    let owner = Authority::Owner { payer };
    assert_eq!(owner.check(&cheque, &signed_by(1), &separator), Ok(()));
    let by_session = owner.check(&cheque, &signed_by(5), &separator);
    assert_eq!(by_session, wrong(payer, session));

    let word = key(1).sign(&delegate().digest(&separator));
    let authority = Authority::session(delegate(), &word, &separator).unwrap();
    assert_eq!(authority.check(&cheque, &signed_by(5), &separator), Ok(()));
    assert_eq!(authority.check(&cheque, &signed_by(1), &separator), wrong(session, payer));

    // The session key gives itself its word.
    let own = key(5).sign(&delegate().digest(&separator));
    let own = Authority::session(delegate(), &own, &separator).unwrap_err();
    assert_eq!(Err(own), wrong(payer, session));
}

#[test]
fn a_session_key_spends_neither_for_another_payer_nor_in_another_token() {
    let (good, separator) = (cheque(&Links::new(B256::ZERO, 1).unwrap()), separator());
    let word = key(1).sign(&delegate().digest(&separator));
    let authority = Authority::session(delegate(), &word, &separator).unwrap();
    let check = |cheque: Cheque| {
        authority.check(&cheque, &key(5).sign(&cheque.digest(&separator)), &separator)
    };
    let other = Address::new([8; 20]);
    let (payer, token) = (good.payer, good.token);
    let wrong = PayFault::WrongPayer { expected: payer, got: other };
    assert_eq!(check(Cheque { payer: other, ..good }), Err(wrong));
    let wrong = PayFault::ForeignToken { expected: token, got: other };
    assert_eq!(check(Cheque { token: other, ..good }), Err(wrong));
}

#[test]
fn a_signature_for_one_chain_or_contract_is_nothing_on_another() {
    let cheque = cheque(&Links::new(B256::ZERO, 1).unwrap());
    let signature = key(1).sign(&cheque.digest(&separator()));
    let here = Domain { chain_id: 1, verifying_contract: Address::new([4; 20]) };
    let elsewhere = [
        Domain { chain_id: 2, ..here },
        Domain { verifying_contract: Address::new([5; 20]), ..here },
    ];
    for domain in elsewhere {
        let got = signature.check(&cheque.digest(&domain.separator()), cheque.payer);
        assert!(matches!(got, Err(PayFault::WrongSigner { .. } | PayFault::BadSignature)));
    }
}

#[test]
fn a_signature_has_one_form_and_none_but_v_27_and_28() {
    let digest = B256::new([1; 32]);
    let good = *key(1).sign(&digest).as_bytes();
    let decoded = |change: &dyn Fn(&mut [u8; 65])| {
        let mut bytes = good;
        change(&mut bytes);
        Signature::decode(&bytes)
    };
    assert_eq!(decoded(&|_| ()).unwrap().recover(&digest), Ok(key(1).address()));
    for v in [0, 1, 26, 29, 30, 255] {
        let expected = Err(PayFault::RecoveryValue { got: v });
        assert_eq!(decoded(&|bytes| bytes[64] = v), expected, "{v}");
    }
    // The other v reads well and is somebody else's: a check by public key would have taken it.
    let other = decoded(&|bytes| bytes[64] ^= 27 ^ 28).unwrap();
    assert_ne!(other.recover(&digest), Ok(key(1).address()));
    // Half the order is the last s, one more the first that is refused.
    let half = "7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0";
    let half: B256 = half.parse().unwrap();
    assert!(decoded(&|bytes| bytes[32..64].copy_from_slice(&half.0)).is_ok());
    let above = decoded(&|bytes| {
        bytes[32..64].copy_from_slice(&half.0);
        bytes[63] += 1;
    });
    assert_eq!(above, Err(PayFault::HighS));
    for zero in [0..32, 32..64] {
        let signature = decoded(&|bytes| bytes[zero.clone()].fill(0)).unwrap();
        assert_eq!(signature.recover(&digest), Err(PayFault::BadSignature));
    }
}

#[test]
fn keys_are_refused_at_both_ends_of_the_curve_and_never_shown() {
    let order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
    let order: B256 = order.parse().unwrap();
    assert_eq!(Key::new(&[0; 32]).unwrap_err(), PayFault::BadKey);
    assert_eq!(Key::new(&order.0).unwrap_err(), PayFault::BadKey);
    let shown = format!("{:?} {:?}", key(0x5a), Links::new(B256::new([0x5a; 32]), 1).unwrap());
    assert!(!shown.contains("5a5a") && !shown.contains("90, 90"), "{shown}");
}

#[test]
fn an_amount_has_one_form() {
    assert_eq!(
        (encode_amount(0), encode_amount(255), encode_amount(256)),
        (vec![], vec![255], vec![1, 0],)
    );
    assert_eq!(encode_amount(u128::MAX), [255; 16]);
    assert_eq!(decode_amount(&[0]), Err(PayFault::PaddedAmount));
    assert_eq!(decode_amount(&[0, 1]), Err(PayFault::PaddedAmount));
    assert_eq!(decode_amount(&[1; 17]), Err(PayFault::LongAmount { got_bytes: 17 }));
}

#[test]
fn a_cheque_on_the_wire_has_one_length() {
    for bytes in [0, 143, 145] {
        let fault = PayFault::Length { what: "a cheque", expected_bytes: 144, got_bytes: bytes };
        assert_eq!(Cheque::decode(&vec![0; bytes]), Err(fault));
    }
}

prop_compose! {
    fn any_cheque()(
        addresses in any::<[[u8; 20]; 3]>(),
        (epoch, cumulative, unit) in any::<(u64, u128, u128)>(),
        (root, links, channel) in any::<([u8; 32], u32, u64)>(),
    ) -> Cheque {
        let [payer, payee, token] = addresses.map(Address::new);
        let root = B256::new(root);
        Cheque { payer, payee, token, epoch, cumulative, root, unit, links, channel }
    }
}

proptest! {
    #[test]
    fn every_amount_survives_the_wire(amount: u128) {
        let bytes = encode_amount(amount);
        prop_assert_eq!(decode_amount(&bytes), Ok(amount));
    }

    #[test]
    fn every_byte_string_is_the_form_of_one_amount_or_of_none(
        bytes in prop::collection::vec(any::<u8>(), 0..18),
    ) {
        if let Ok(amount) = decode_amount(&bytes) {
            prop_assert_eq!(encode_amount(amount), bytes);
        }
    }

    #[test]
    fn every_cheque_survives_the_wire(cheque in any_cheque()) {
        prop_assert_eq!(Cheque::decode(&cheque.encode()), Ok(cheque));
    }

    #[test]
    fn each_byte_of_a_cheque_changes_its_digest(
        cheque in any_cheque(), at in 0..CHEQUE_BYTES, flip in 1_u8..,
    ) {
        let mut bytes = cheque.encode();
        bytes[at] ^= flip;
        let other = Cheque::decode(&bytes).unwrap();
        prop_assert_ne!(other.digest(&separator()), cheque.digest(&separator()));
    }

    #[test]
    fn every_cheque_with_its_links_is_worth_what_big_numbers_say(
        cheque in any_cheque(), links in 0..=80_u32, count in 0..=90_u32,
    ) {
        let chain = Links::new(B256::new([6; 32]), links).unwrap();
        let cheque = Cheque { root: chain.root(), links, ..cheque };
        let exact = alloy_primitives::U256::from(cheque.unit)
            * alloy_primitives::U256::from(count)
            + alloy_primitives::U256::from(cheque.cumulative);
        let expected = match (count <= links, u128::try_from(exact)) {
            (false, _) => Err(PayFault::LinkBeyondEnd { got: count, links }),
            (true, Err(_)) => Err(PayFault::Overflow),
            (true, Ok(value)) => Ok(value),
        };
        prop_assert_eq!(cheque.value(count, chain.link(count).unwrap_or_default()), expected);
    }

    #[test]
    fn every_link_of_a_chain_leads_to_its_root(links in 1..=300_u32, place in any::<u32>()) {
        let mut chain = Links::new(B256::new([6; 32]), links).unwrap();
        let number = 1 + place % links;
        prop_assert_eq!(fold_links(chain.link(number).unwrap(), number), chain.root());
        for number in (number..=links + 1).chain([0, 1, links]) {
            prop_assert_eq!(chain.reveal(number), chain.link(number));
        }
    }

    #[test]
    fn what_a_key_signs_is_recovered_to_it(secret in 1_u8.., digest: [u8; 32]) {
        let (key, digest) = (key(secret.min(254)), B256::new(digest));
        let signature = Signature::decode(key.sign(&digest).as_bytes()).unwrap();
        prop_assert_eq!(signature.recover(&digest), Ok(key.address()));
    }
}
