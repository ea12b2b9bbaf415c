//! Blocks made and replayed without files or threads: what holds whatever the transactions are.

use crate::block::{Mismatch, Tries, replay};
use crate::call::{CallRequest, NoEstimate, call as call_only, estimate_gas};
use crate::execute::{Outcome, Refused};
use crate::genesis::{FACTORY, Genesis, GenesisCall, GenesisError, created_at};
use crate::quota::Quota;
use crate::state::{State, StateRead as _};
use crate::testing::{Bare, CHAIN_ID, Wish, address, coin, genesis, legacy, wish};
use crate::transaction::{Malformed, Transaction};
use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, bytes, keccak256};
use proptest::prelude::*;

/// Runtime: stores calldata word 0 at slot 0, logs it, and reverts if the word is 13.
const KEEPER: Bytes = bytes!("600035806000558060005260206000a0600d14601757005b60006000fd");

/// Creation: writes a slot, then destroys itself in favour of the caller (EIP-6780 lets it: it is new).
const PASSING: Bytes = bytes!("600160005533ff");

fn init_of(runtime: &Bytes) -> Vec<u8> {
    // PUSH1 len, DUP1, PUSH1 11, PUSH1 0, CODECOPY, PUSH1 0, RETURN
    let mut code =
        vec![0x60, runtime.len() as u8, 0x80, 0x60, 0x0b, 0x60, 0x00, 0x39, 0x60, 0x00, 0xf3];
    code.extend_from_slice(runtime);
    code
}

fn word(value: u64) -> Bytes {
    U256::from(value).to_be_bytes::<32>().to_vec().into()
}

/// A genesis with the keeper in it, and where.
fn with_keeper() -> (Genesis, Address) {
    let mut genesis = genesis();
    let (salt, code) = (genesis.salt, init_of(&KEEPER));
    genesis.calls.push(GenesisCall::create(salt, &code));
    (genesis, created_at(salt, &code))
}

fn call(sender: u8, nonce: u64, to: Address, value: u64) -> Wish {
    Wish { to: TxKind::Call(to), data: word(value), gas: 100_000, ..wish(sender, nonce) }
}

#[test]
fn genesis_creates_contracts_where_salt_and_code_say() {
    let (genesis, keeper) = with_keeper();
    let chain = Bare::new(&genesis);
    let account = chain.state.account(keeper).unwrap().unwrap();
    assert_eq!(account.code_hash, keccak256(&KEEPER));
    assert_eq!(chain.state.code(account.code_hash).unwrap().original_bytes(), KEEPER);
    // The code that tools of others check for at this address.
    let expected: B256 =
        "0x2fa86add0aed31f33a762c9d88e807c475bd51d0f52bd0955754b2608f7e4989".parse().unwrap();
    assert_eq!(chain.state.account(FACTORY).unwrap().unwrap().code_hash, expected);
}

#[test]
fn whatever_differs_in_a_genesis_changes_its_hash() {
    let hash = |genesis: &Genesis| genesis.build().unwrap().0.hash;
    let one = genesis();
    let mut others = vec![one.clone(); 6];
    others[0].chain_id += 1;
    others[1].salt = B256::ZERO;
    others[2].base_fee_floor = 0;
    others[2].base_fee = 1;
    others[3].quota = Quota { gas_per_day: 1, balance_min: U256::from(1) };
    others[4].faucet = address(1);
    others[5].accounts[0].balance += U256::from(1);
    let mut hashes: Vec<_> = others.iter().map(hash).collect();
    hashes.push(hash(&one));
    hashes.sort();
    hashes.dedup();
    assert_eq!(hashes.len(), 7);
    assert_eq!(hash(&one), hash(&genesis()));
    assert_eq!(one.build().unwrap().0.header.extra_data, one.salt.to_vec());
}

#[test]
fn a_genesis_that_makes_no_chain_is_refused_with_its_reason() {
    let refused = |change: fn(&mut Genesis)| {
        let mut genesis = genesis();
        change(&mut genesis);
        genesis.build().unwrap_err()
    };
    assert!(matches!(refused(|g| g.chain_id = 1), GenesisError::ChainId(1)));
    assert!(matches!(refused(|g| g.transaction_gas_max = 20_999), GenesisError::Gas { .. }));
    assert!(matches!(refused(|g| g.base_fee_floor = 1), GenesisError::BaseFee { .. }));
    assert!(matches!(refused(|g| g.accounts[0].balance = U256::MAX), GenesisError::Supply));
    let twice = refused(|g| g.accounts.push(g.accounts[0].clone()));
    assert!(matches!(twice, GenesisError::Account(_)));
    let failing = refused(|g| g.calls.push(GenesisCall::create(B256::ZERO, &[0xfe])));
    assert!(matches!(failing, GenesisError::Call { index: 0, .. }));
}

#[test]
fn bytes_that_are_no_transaction_of_this_chain_are_told_why() {
    let decode = |raw: &[u8]| Transaction::decode(raw, CHAIN_ID).unwrap_err();
    let good = wish(0, 0).raw();
    assert_eq!(Transaction::decode(&good, CHAIN_ID).unwrap().sender(), address(0));
    assert_eq!(decode(&legacy(0, None)), Malformed::NoChainId);
    assert!(Transaction::decode(&legacy(0, Some(CHAIN_ID)), CHAIN_ID).is_ok());
    let other = Transaction::decode(&good, CHAIN_ID + 1).unwrap_err();
    assert_eq!(other, Malformed::ChainId { have: CHAIN_ID, want: CHAIN_ID + 1 });
    assert!(matches!(decode(&[&good[..], &[0]].concat()), Malformed::Encoding(_)));
    assert!(matches!(decode(&vec![0; 200_000]), Malformed::TooLong(200_000)));
    for end in 0..good.len() {
        assert!(Transaction::decode(&good[..end], CHAIN_ID).is_err());
    }
}

#[test]
fn the_other_form_of_a_signature_is_refused() {
    let signed = wish(0, 0).signed();
    let envelope = signed.envelope();
    let (r, s, parity) = {
        let signature = envelope.signature();
        (signature.r(), signature.s(), signature.v())
    };
    let order: U256 =
        "0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141".parse().unwrap();
    let high = alloy_primitives::Signature::new(r, order - s, !parity);
    let inner = envelope.as_eip1559().unwrap().tx().clone();
    let again = alloy_consensus::SignableTransaction::into_signed(inner, high);
    let raw =
        alloy_eips::eip2718::Encodable2718::encoded_2718(&alloy_consensus::TxEnvelope::from(again));
    assert_eq!(Transaction::decode(&raw, CHAIN_ID).unwrap_err(), Malformed::Signature);
}

#[test]
fn a_call_that_reverts_keeps_its_nonce_and_nothing_else() {
    let (genesis, keeper) = with_keeper();
    let mut chain = Bare::new(&genesis);
    let wishes = [call(0, 0, keeper, 5), call(0, 1, keeper, 13)];
    let built = chain.block(1_700_000_001, wishes.iter().map(Wish::signed).collect());
    let (block, _) = built.block.unwrap();
    let statuses: Vec<_> = block.receipts.iter().map(|r| r.envelope.status()).collect();
    assert_eq!(statuses, [true, false]);
    assert_eq!(block.logs().count(), 1);
    assert_eq!(chain.state.storage(keeper, U256::ZERO).unwrap(), U256::from(5));
    assert_eq!(chain.nonce(address(0)), 2);
    assert_ne!(block.header.logs_bloom, alloy_primitives::Bloom::ZERO);
}

#[test]
fn a_contract_that_destroys_itself_while_it_is_made_leaves_nothing() {
    let mut chain = Bare::new(&genesis());
    let before = chain.state.accounts().count();
    let passing =
        Wish { to: TxKind::Create, data: PASSING, gas: 100_000, value: coin(3), ..wish(0, 0) };
    let (block, _) = chain.block(0, vec![passing.signed()]).block.unwrap();
    assert!(block.receipts[0].envelope.status());
    let made = block.receipts[0].created.unwrap();
    assert_eq!(chain.state.account(made).unwrap(), None);
    assert_eq!(chain.state.slots(made).count(), 0);
    assert_eq!(chain.state.accounts().count(), before);
    assert_eq!(chain.balance(address(0)), coin(100));
    assert_eq!(rebuilt_root(&chain.state), block.header.state_root);
}

#[test]
fn a_transaction_that_cannot_stand_leaves_the_block_to_the_others() {
    let mut chain = Bare::new(&genesis());
    let poor = Wish { value: coin(1000), ..wish(1, 0) };
    let wishes = [wish(0, 0), wish(0, 2), poor, wish(2, 0)];
    let built = chain.block(0, wishes.iter().map(Wish::signed).collect());
    assert_eq!(built.refused.len(), 2);
    assert!(built.refused.iter().all(|(_, reason)| matches!(reason, Refused::Invalid(_))));
    let (block, _) = built.block.unwrap();
    assert_eq!(block.transactions.len(), 2);
    // Time does not run backwards, whatever the clock says.
    assert_eq!(block.header.timestamp, 1_700_000_000);
    let none = chain.block(0, vec![wish(0, 0).signed()]);
    assert!(none.block.is_none());
    assert_eq!(none.refused.len(), 1);
}

#[test]
fn a_replayed_block_that_was_tampered_with_is_refused() {
    let mut chain = Bare::new(&genesis());
    let (parent, fresh) = (chain.head.clone(), genesis());
    let (block, _) = chain.block(1_700_000_009, vec![wish(0, 0).signed()]).block.unwrap();
    let again = |block| {
        let mut chain = Bare::new(&fresh);
        replay(&chain.rules, &parent, block, (&chain.state, &mut chain.tries))
    };
    assert!(again(&block).is_ok());
    let mut later = block.clone();
    later.header.timestamp += 1;
    assert!(matches!(again(&later), Err(Mismatch::Header { number: 1, .. })));
    let mut other = block.clone();
    other.transactions = vec![wish(0, 1).signed()];
    assert!(matches!(again(&other), Err(Mismatch::Refused { index: 0, .. })));
}

#[test]
fn a_base_fee_rises_with_full_blocks_and_falls_to_its_floor_and_zero_stays_zero() {
    let mut genesis = genesis();
    (genesis.base_fee, genesis.base_fee_floor, genesis.gas_limit) = (1000, 900, 42_000);
    genesis.transaction_gas_max = 42_000;
    let mut chain = Bare::new(&genesis);
    let paying = |sender, nonce| Wish { fee: 1_000_000, ..wish(sender, nonce) };
    chain.block(0, vec![paying(0, 0).signed(), paying(0, 1).signed()]);
    // EIP-1559 looks at the parent: genesis was empty.
    assert_eq!(chain.head.base_fee(), 900);
    chain.block(0, vec![paying(0, 2).signed(), paying(0, 3).signed()]);
    assert_eq!(chain.head.base_fee(), 900 + 900 / 8);
    let cheap = Wish { fee: 899, ..wish(1, 0) }.signed();
    assert!(chain.block(0, vec![cheap]).block.is_none());
    let mut free = Bare::new(&self::genesis());
    for nonce in 0..3 {
        free.block(0, vec![wish(0, nonce).signed()]);
        assert_eq!(free.head.base_fee(), 0);
    }
}

#[test]
fn free_gas_goes_to_who_held_the_balance_overnight_and_no_further_than_the_quota() {
    let day = 86_400;
    let mut genesis = genesis();
    (genesis.base_fee, genesis.base_fee_floor) = (10, 10);
    genesis.quota = Quota { gas_per_day: 50_000, balance_min: coin(50) };
    genesis.timestamp = 1_700_000_000 / day * day;
    let morning = genesis.timestamp;
    let mut chain = Bare::new(&genesis);
    let prices = |chain: &mut Bare, time, wishes: &[Wish]| -> Vec<u128> {
        let built = chain.block(time, wishes.iter().map(Wish::signed).collect());
        built.block.map_or_else(Vec::new, |(b, _)| b.receipts.iter().map(|r| r.gas_price).collect())
    };
    let paying = |sender, nonce| Wish { fee: 10, ..wish(sender, nonce) };
    // The day it began to hold, it pays.
    assert_eq!(prices(&mut chain, morning + 5, &[paying(0, 0)]), [10]);
    let before = chain.balance(address(0));
    // The next day two transactions fit into the quota, the third pays, and one that offers nothing waits.
    let next = [paying(0, 1), wish(0, 2), paying(0, 3), wish(0, 4)];
    assert_eq!(prices(&mut chain, morning + day, &next), [0, 0, 10]);
    assert_eq!(chain.balance(address(0)), before - U256::from(210_000));
    // A new day, a new quota; but not for one whose balance fell below in between.
    let away = Wish { value: coin(60), ..paying(1, 0) };
    assert_eq!(prices(&mut chain, morning + day + 9, &[away]), [0]);
    assert_eq!(prices(&mut chain, morning + 2 * day, &[wish(0, 4), paying(1, 1)]), [0, 10]);
    let roots = chain.head.header.state_root;
    assert_eq!(rebuilt_root(&chain.state), roots);
}

#[test]
fn no_more_than_a_quarter_of_a_block_is_free_and_the_rest_waits_or_pays() {
    let day = 86_400;
    let mut genesis = genesis();
    (genesis.base_fee, genesis.base_fee_floor) = (10, 10);
    (genesis.gas_limit, genesis.transaction_gas_max) = (200_000, 100_000);
    genesis.quota = Quota { gas_per_day: 1_000_000, balance_min: coin(50) };
    let mut chain = Bare::new(&genesis);
    let paying = Wish { fee: 10, ..wish(1, 0) };
    let wishes = [wish(0, 0), wish(0, 1), wish(2, 0), paying];
    let built = chain.block(genesis.timestamp + day, wishes.iter().map(Wish::signed).collect());
    let (block, _) = built.block.unwrap();
    assert_eq!(block.receipts.iter().map(|r| r.gas_price).collect::<Vec<_>>(), [0, 0, 10]);
    let left: Vec<_> = built.refused.into_iter().map(|(_, reason)| reason).collect();
    assert_eq!(left, [Refused::BlockFull]);
}

/// The state root from nothing but the accounts and slots, all put into new tries.
fn rebuilt_root(state: &State) -> B256 {
    let mut changes = crate::state::Changes::default();
    for (address, account) in state.accounts() {
        changes.accounts.insert(address, Some(account));
        for (slot, value) in state.slots(address) {
            changes.storage.insert((address, slot), value);
        }
    }
    Tries::default().update(&changes)
}

proptest! {
    #[test]
    fn no_bytes_are_taken_in_two_forms(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..3), 1..4),
        is_legacy in any::<bool>(),
    ) {
        let good = if is_legacy { legacy(0, Some(CHAIN_ID)) } else { call(0, 0, FACTORY, 7).raw() };
        let mut bytes = good.to_vec();
        for (at, byte, kind) in changes {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        if let Ok(transaction) = Transaction::decode(&bytes, CHAIN_ID) {
            prop_assert_eq!(&transaction.raw()[..], &bytes[..]);
            prop_assert_eq!(transaction.hash(), keccak256(&bytes));
            prop_assert_eq!(transaction.envelope().chain_id(), Some(CHAIN_ID));
        }
    }
}

/// What random transactions do: transfers, calls, creations, with nonces and fees that may not fit.
fn wishes() -> impl Strategy<Value = Vec<(u8, u8, u64, u8)>> {
    prop::collection::vec((0_u8..4, 0_u8..7, 0_u64..40, 0_u8..8), 1..24)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn coin_is_only_moved_or_burnt_nonces_count_and_roots_follow_from_the_state(
        blocks in prop::collection::vec(wishes(), 1..4)
    ) {
        let (mut genesis, keeper) = with_keeper();
        (genesis.base_fee, genesis.base_fee_floor) = (7, 7);
        genesis.beneficiary = Address::repeat_byte(0xbe);
        let mut chain = Bare::new(&genesis);
        for (at, block) in (1..).zip(blocks) {
            let supply = chain.supply();
            let before: Vec<_> = (0..4).map(|number| chain.nonce(address(number))).collect();
            let mut next = before.clone();
            let transactions: Vec<_> = block.into_iter().map(|(sender, kind, amount, odd)| {
                let nonce = next[usize::from(sender)] + u64::from(odd == 7);
                next[usize::from(sender)] += u64::from(odd != 7);
                let plain = Wish {
                    value: coin(amount), fee: 6 + u128::from(odd.min(3)), tip: u128::from(odd % 3),
                    ..wish(sender, nonce)
                };
                match kind {
                    0 => Wish { to: TxKind::Call(address((sender + 1) % 4)), ..plain },
                    1 => plain,
                    2 => Wish { fee: plain.fee, ..call(sender, nonce, keeper, amount % 15) },
                    3 => Wish { value: coin(amount), fee: plain.fee, ..call(sender, nonce, keeper, amount) },
                    5 => Wish { to: TxKind::Create, data: PASSING, gas: 100_000, ..plain },
                    4 => {
                        let data = init_of(&KEEPER).into();
                        Wish { to: TxKind::Create, data, gas: 100_000, value: U256::ZERO, ..plain }
                    }
                    _ => Wish { gas: 30_000, ..call(sender, nonce, keeper, amount) },
                }
            }).map(|wish| Wish { tip: wish.tip.min(wish.fee), ..wish }.signed()).collect();
            let given = transactions.len();
            let parent = (chain.head.clone(), chain.state.number());
            let built = chain.block(1_700_000_000 + at, transactions);
            let included = built.block.as_ref().map_or(0, |(block, _)| block.transactions.len());
            prop_assert_eq!(included + built.refused.len(), given);
            let Some((block, _)) = built.block else {
                prop_assert_eq!(chain.state.number(), parent.1);
                continue;
            };
            let burnt = U256::from(block.header.gas_used) * U256::from(block.base_fee());
            prop_assert_eq!(chain.supply() + burnt, supply);
            for number in 0..4_u8 {
                let sender = address(number);
                let sent = block.transactions.iter().filter(|t| t.sender() == sender).count();
                prop_assert_eq!(chain.nonce(sender), before[usize::from(number)] + sent as u64);
            }
            prop_assert_eq!(rebuilt_root(&chain.state), block.header.state_root);
            let sum: u64 = block.receipts.iter().map(|r| r.gas_used).sum();
            prop_assert_eq!(sum, block.header.gas_used);
            prop_assert!(block.transactions.iter().zip(&block.receipts)
                .all(|(t, r)| r.gas_used <= t.envelope().gas_limit() && r.gas_price >= 7));
        }
    }
}

#[test]
fn a_call_reads_the_block_it_began_with_while_blocks_go_on() {
    let (genesis, keeper) = with_keeper();
    let mut chain = Bare::new(&genesis);
    for (nonce, value) in [(0, 3), (1, 0), (2, 9)] {
        chain.block(0, vec![call(0, nonce, keeper, value).signed()]);
    }
    let state = std::sync::RwLock::new(chain.state);
    let seen: Vec<_> = (0..=3)
        .map(|number| {
            let at = crate::state::StateAt::new(&state, number);
            let nonce = at.account(address(0)).unwrap().unwrap().nonce;
            (nonce, at.storage(keeper, U256::ZERO).unwrap().to::<u64>())
        })
        .collect();
    assert_eq!(seen, [(0, 0), (1, 3), (2, 0), (3, 9)]);
    let ahead = crate::state::StateAt::new(&state, 4);
    assert_eq!(ahead.account(address(0)).unwrap_err().asked, 4);
}

#[test]
fn an_outcome_says_what_a_contract_gave_back() {
    let (genesis, keeper) = with_keeper();
    let chain = Bare::new(&genesis);
    let context = chain.head.next_context(&chain.rules, 0);
    let mut executor = crate::execute::Executor::new(&chain.rules, context, &chain.state);
    let done = executor.execute(&call(0, 0, keeper, 13).signed()).unwrap();
    assert_eq!(done.outcome, Outcome::Revert { output: Bytes::new() });
    let full = Wish { gas: chain.rules.transaction_gas_max + 1, ..wish(0, 1) }.signed();
    assert!(matches!(executor.execute(&full), Err(Refused::Invalid(_))));
}

#[test]
fn an_estimate_is_enough_and_little_more_would_be_too_little() {
    let (genesis, keeper) = with_keeper();
    let chain = Bare::new(&genesis);
    let context = chain.head.next_context(&chain.rules, 0);
    let request =
        CallRequest { from: address(0), to: Some(keeper), data: word(5), ..CallRequest::default() };
    let gas = estimate_gas(&chain.rules, context, &chain.state, &request).unwrap();
    let done = |gas| {
        let request = CallRequest { gas: Some(gas), ..request.clone() };
        call_only(&chain.rules, context, &chain.state, &request).unwrap().outcome.is_success()
    };
    assert!(done(gas));
    assert!(!done(gas - gas / 32));
    let transfer = CallRequest { to: Some(address(1)), data: Bytes::new(), ..request.clone() };
    assert_eq!(estimate_gas(&chain.rules, context, &chain.state, &transfer).unwrap(), 21_000);
    let fails = CallRequest { data: word(13), ..request };
    let told = estimate_gas(&chain.rules, context, &chain.state, &fails).unwrap_err();
    assert_eq!(told, NoEstimate::Fails(Outcome::Revert { output: Bytes::new() }));
}
