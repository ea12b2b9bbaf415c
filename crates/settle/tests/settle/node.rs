//! A node's money on a chain that is put back, or goes another way, while the node runs and between two runs.

use crate::check::{network, served};
use crate::proxy::Proxy;
use alloy_primitives::{Address, B256, U256};
use piecework_pay::{Cheque, Domain, Key, Signature, Signer, Typed};
use piecework_settle::{
    Books, Claim, Client, Evm, Memory, Patience, SeenFile, SettleError, Settlement, Ticket,
};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Hashes of the blocks behind the first one.
type Blocks = Arc<Mutex<Vec<u8>>>;

fn serve(blocks: &Blocks) -> Proxy {
    let blocks = Arc::clone(blocks);
    Proxy::stub(move |method, params| {
        let mut hashes = vec![7];
        hashes.extend(blocks.lock().unwrap().iter());
        let newest = hashes.len() - 1;
        match method {
            "eth_blockNumber" => Ok(json!(format!("{newest:#x}"))),
            "eth_getLogs" => Ok(json!([])),
            "eth_getBlockByNumber" => {
                let asked = params[0].as_str().unwrap();
                let number = asked
                    .strip_prefix("0x")
                    .map_or(newest, |digits| usize::from_str_radix(digits, 16).unwrap());
                Ok(hashes.get(number).map_or(Value::Null, |hash| {
                    let hash = B256::repeat_byte(*hash);
                    json!({ "number": format!("{number:#x}"), "hash": hash, "timestamp": "0x1" })
                }))
            }
            _ => served(method, params),
        }
    })
}

/// Counts how often it is asked to sign.
struct Counting(Key, Arc<AtomicUsize>);

impl Signer for Counting {
    fn address(&self) -> Address {
        self.0.address()
    }

    fn sign(&self, digest: &B256) -> Result<Signature, String> {
        self.1.fetch_add(1, Ordering::Relaxed);
        Ok(self.0.sign(digest))
    }
}

struct Place {
    blocks: Blocks,
    proxy: Proxy,
    state: tempfile::TempDir,
    signed: Arc<AtomicUsize>,
}

impl Place {
    fn new() -> Self {
        let blocks: Blocks = Arc::default();
        let proxy = serve(&blocks);
        Self { blocks, proxy, state: tempfile::tempdir().unwrap(), signed: Arc::default() }
    }

    fn put(&self, hashes: &[u8]) {
        *self.blocks.lock().unwrap() = hashes.to_vec();
    }

    fn seen(&self) -> SeenFile {
        SeenFile::of(self.state.path())
    }

    fn node(&self) -> Result<Evm, SettleError> {
        let mut network = network();
        network.rpc = vec![self.proxy.url()];
        let client = Client::connect(network, Patience::default()).unwrap().0;
        let signer = Counting(Key::new(&[1; 32]).unwrap(), Arc::clone(&self.signed));
        Evm::new(client, self.seen(), Box::new(signer), U256::MAX)
    }
}

fn domain() -> Domain {
    Domain { chain_id: network().chain_id, verifying_contract: network().vault.address }
}

fn claim() -> Claim {
    let payer = Key::new(&[2; 32]).unwrap();
    let cheque = Cheque {
        payer: payer.address(),
        payee: Address::repeat_byte(6),
        token: Address::repeat_byte(3),
        epoch: 1,
        cumulative: 1,
        root: B256::ZERO,
        unit: 0,
        links: 0,
        channel: 1,
    };
    let signature = payer.sign(&cheque.digest(&domain().separator()));
    Claim { cheque, count: 0, link: B256::ZERO, signature, delegation: None }
}

/// Any ticket.
fn ticket() -> Ticket {
    let (claim, mut books) = (claim(), Books::new(domain(), 1));
    let Cheque { payer, token, .. } = claim.cheque;
    books.mint(payer, token, 5).unwrap();
    books.fund(payer, token, (5, 0)).unwrap();
    Memory::new(Arc::new(Mutex::new(books))).cash(&claim).unwrap()
}

/// What becomes of all that a node may want of its money.
fn all(node: &mut Evm) -> Vec<SettleError> {
    let (one, claim) = (Address::repeat_byte(5), claim());
    vec![
        node.verify_funds(one, one, one).err().unwrap(),
        node.channel(&claim.cheque).err().unwrap(),
        node.delegation(one, B256::ZERO).err().unwrap(),
        node.credit(one, one).err().unwrap(),
        node.cash(&claim).err().unwrap(),
        node.cash_many(&[claim]).err().unwrap(),
        node.outcome(ticket()).err().unwrap(),
        node.watch().err().unwrap(),
    ]
}

#[test]
fn a_node_believes_and_signs_nothing_on_a_chain_that_went_another_way_while_it_ran() {
    let place = Place::new();
    place.put(&[1, 2]);
    let mut node = place.node().unwrap();
    place.put(&[1, 2, 3]);
    assert_eq!(node.watch().unwrap(), []);

    // As high, higher, and put back: nothing of it passes, however often it is asked.
    for (blocks, is_there) in [(&[1, 2, 9][..], true), (&[1, 8, 9, 9], true), (&[1, 2], false)] {
        place.put(blocks);
        for error in all(&mut node).into_iter().chain(all(&mut node)) {
            match error {
                SettleError::Forked { height: 3, .. } if is_there => {}
                SettleError::Behind { height: 3 } if !is_there => {}
                other => panic!("{blocks:?}: {other}"),
            }
        }
    }
    assert_eq!((place.signed.load(Ordering::Relaxed), place.proxy.count("eth_call")), (0, 4));
    assert_eq!(place.proxy.count("eth_sendRawTransaction"), 0);

    place.put(&[1, 2, 3, 4]);
    assert_eq!(node.watch().unwrap(), []);
}

#[test]
fn a_node_that_starts_again_knows_what_it_saw_until_it_is_told_to_forget_it() {
    let place = Place::new();
    place.put(&[1, 2]);
    place.node().unwrap();
    place.put(&[1, 9]);
    let error = place.node().err().unwrap();
    assert!(matches!(error, SettleError::Forked { height: 2, .. }), "{error}");
    place.seen().forget().unwrap();
    place.node().unwrap();
}
