//! Servers of one chain, with one first block, that went different ways.

use crate::chain::{Chain, Home, Ours, QUICK, person};
use crate::proxy::{Fault, Proxy};
use piecework_settle::{Client, Network, RpcFault, SettleError};

fn client(network: &Network, servers: &[String]) -> Client {
    let network = Network { rpc: servers.to_vec(), ..network.clone() };
    Client::connect(network, QUICK).unwrap().0
}

/// Two servers with the same blocks so far, and clients of either.
struct Branches {
    one: Ours,
    other: Ours,
    home: Home,
    of_other: Client,
}

impl Branches {
    fn new() -> Self {
        let one = Ours::start();
        let home = Home::new(&one);
        let other = one.copy();
        let of_other = client(home.client.network(), &[other.url()]);
        Self { one, other, home, of_other }
    }

    fn of_both(&self) -> Client {
        client(self.home.client.network(), &[self.one.url(), self.other.url()])
    }

    /// The other chain goes on, with another block than the first has.
    fn part(&self) {
        let rich = &self.home.rich;
        let plan = self.of_other.send_coin(rich.address(), person(8).address(), 5).unwrap();
        crate::chain::carry_out(&self.of_other, rich, &plan).unwrap();
    }
}

#[test]
fn a_chain_that_went_another_way_than_was_seen_is_named_with_its_server() {
    let it = Branches::new();
    let both = it.of_both();
    it.home.give(&person(7), 0);
    let seen = it.home.client.seen().unwrap();
    it.home.client.demand_still_there(&seen).unwrap();
    both.demand_still_there(&seen).unwrap();

    it.part();
    for client in [&it.of_other, &both] {
        let error = client.demand_still_there(&seen).unwrap_err();
        let SettleError::Forked { server, height, expected, .. } = &error else {
            panic!("{error}")
        };
        assert_eq!((server, *height, *expected), (&it.other.url(), seen.height, seen.hash));
        assert!(error.to_string().contains("forget this network and join it again"), "{error}");
    }
    it.home.client.demand_still_there(&seen).unwrap();
}

#[test]
fn two_branches_are_not_believed_even_by_who_has_seen_neither() {
    let it = Branches::new();
    let both = it.of_both();
    assert_eq!(both.seen().unwrap(), it.home.client.seen().unwrap());
    it.home.give(&person(7), 0);
    it.part();
    let says = |error: SettleError, wanted: &str| match &error {
        SettleError::Disagree { what, servers } => {
            assert_eq!((*what, servers), (wanted, &vec![it.one.url(), it.other.url()]));
            assert!(error.to_string().contains("ask their operators"), "{error}");
        }
        other => panic!("{other}"),
    };
    says(both.seen().unwrap_err(), "a block");
    says(both.coin(person(7).address()).unwrap_err(), "a balance");
}

#[test]
fn a_chain_put_back_to_an_older_copy_is_told_from_one_that_cannot_be_asked() {
    let it = Branches::new();
    it.home.give(&person(7), 0);
    let seen = it.home.client.seen().unwrap();
    let error = it.of_other.demand_still_there(&seen).unwrap_err();
    assert!(matches!(error, SettleError::Behind { height } if height == seen.height), "{error}");
    assert!(error.to_string().contains("older copy"), "{error}");

    let proxy = Proxy::before(&it.one.url());
    let client = client(it.home.client.network(), &[proxy.url()]);
    client.demand_still_there(&seen).unwrap();
    proxy.fail_at("eth_getBlockByNumber", Fault::Body("<html>".into()));
    let error = client.demand_still_there(&seen).unwrap_err();
    assert!(matches!(&error, SettleError::Rpc(it) if it.fault == RpcFault::WebPage), "{error}");
}
