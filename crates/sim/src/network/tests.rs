#![allow(clippy::unwrap_used)]

use super::*;
use piecework_types::{BLOCK_BYTES, Rng};
use proptest::prelude::*;

const fn link(up_bytes: u64, down_bytes: u64) -> Link {
    Link { up_bytes, down_bytes, latency: Duration::from_millis(20), loss_ppm: 0 }
}

fn network(links: &[Link]) -> Network {
    let mut network = Network::new(Rng::new(1));
    for link in links {
        network.add_link(*link);
    }
    network
}

fn block() -> Frame {
    let request = Request { piece: 0, begin: 0, length: BLOCK_BYTES };
    Frame::Block { request, tag: Tag(0) }
}

fn busy_flow(network: &mut Network, from: u32, to: u32, blocks: usize) -> EndId {
    let flow = network.open(NodeId(from), NodeId(to), Time::ZERO);
    for _ in 0..blocks {
        assert!(network.send(flow, block(), Time::ZERO, Time::ZERO).is_none());
    }
    flow
}

/// Ticks until nothing moves; every arrival.
fn run(network: &mut Network, from: Time) -> Vec<Arrival> {
    let (mut arrivals, mut roomy, mut now) = (Vec::new(), Vec::new(), from);
    while network.is_busy() {
        network.tick(now, &mut arrivals, &mut roomy);
        now += TICK;
    }
    arrivals
}

#[test]
fn two_flows_share_an_uplink_and_the_rest_goes_where_it_can() {
    // 0 sends to 1 and 2; 2 can only take 100 kB/s of its 500 kB/s share.
    let links = [link(1_000_000, 1), link(1, 10_000_000), link(1, 100_000)];
    let mut network = network(&links);
    let fast = busy_flow(&mut network, 0, 1, 9);
    let slow = busy_flow(&mut network, 0, 2, 9);
    network.tick(Time::ZERO, &mut Vec::new(), &mut Vec::new());
    assert_eq!(network.flows[fast.0 as usize].rate, 900_000);
    assert_eq!(network.flows[slow.0 as usize].rate, 100_000);
}

#[test]
fn a_block_takes_its_length_over_the_rate_and_the_latency() {
    let mut network = network(&[link(163_970, 1), link(1, 1_000_000)]);
    busy_flow(&mut network, 0, 1, 2);
    let arrivals = run(&mut network, Time::ZERO);
    let at: Vec<_> = arrivals.iter().map(|arrival| arrival.at.as_micros()).collect();
    assert_eq!(at, [100_000 + 40_000, 200_000 + 40_000]);
}

#[test]
fn rates_are_left_alone_while_no_flow_begins_or_stops() {
    let mut network = network(&[link(100_000, 1), link(1, 100_000)]);
    busy_flow(&mut network, 0, 1, 20);
    run(&mut network, Time::ZERO);
    assert_eq!(network.solved, 2, "once for the begin, once for the end");
}

#[test]
fn small_messages_are_free_but_never_overtake_a_block() {
    let mut network = network(&[link(100_000, 1), link(1, 100_000)]);
    let flow = busy_flow(&mut network, 0, 1, 1);
    let message = Frame::Message(Message::Choke);
    assert!(network.send(flow, message.clone(), Time::ZERO, Time::ZERO).is_none());
    let arrivals = run(&mut network, Time::ZERO);
    assert!(matches!(arrivals[0].frame, Frame::Block { .. }));
    assert!(matches!(arrivals[1].frame, Frame::Message(Message::Choke)));
    assert_eq!(arrivals[0].at, arrivals[1].at);
    assert!(network.send(flow, message, Time::ZERO, Time::ZERO).is_some());
}

#[test]
fn a_block_the_disk_has_not_read_waits_for_it() {
    let mut network = network(&[link(1 << 30, 1), link(1, 1 << 30)]);
    let flow = network.open(NodeId(0), NodeId(1), Time::ZERO);
    let ready = Time::from_micros(500_000);
    assert!(network.send(flow, block(), ready, Time::ZERO).is_none());
    let arrivals = run(&mut network, Time::ZERO);
    assert!(arrivals[0].at >= ready + Duration::from_millis(40));
}

#[test]
fn loss_slows_a_flow_and_delays_frames_without_reordering_them() {
    let lossy = Link { loss_ppm: 10_000, ..link(10_000_000, 10_000_000) };
    let mut network = network(&[lossy, link(1, 10_000_000)]);
    let flow = busy_flow(&mut network, 0, 1, 200);
    let arrivals = run(&mut network, Time::ZERO);
    assert!(arrivals.is_sorted_by_key(|arrival| arrival.at));
    // 1.22 * 1,400 bytes / (80 ms * sqrt(0.01)) is 213 kB/s.
    assert!((190_000..230_000).contains(&loss_cap(Duration::from_millis(80), 10_000)));
    assert!(network.flows[flow.0 as usize].cap < 10_000_000);
}

proptest! {
    #[test]
    fn every_flow_is_held_back_by_a_full_link_on_which_nobody_is_faster(
        links in prop::collection::vec((1_000_u64..10_000_000, 1_000_u64..10_000_000), 2..8),
        pairs in prop::collection::vec((0_usize..8, 0_usize..8), 1..20),
    ) {
        let links: Vec<_> = links.into_iter().map(|(up, down)| link(up, down)).collect();
        let mut network = network(&links);
        for (from, to) in pairs {
            let (from, to) = (from % links.len(), to % links.len());
            if from != to {
                busy_flow(&mut network, from as u32, to as u32, 1);
            }
        }
        network.tick(Time::ZERO, &mut Vec::new(), &mut Vec::new());
        let rates = |node: NodeId, up: bool| -> Vec<u64> {
            let ends = |flow: &&Flow| if up { flow.from == node } else { flow.to == node };
            network.flows.iter().filter(|f| f.active).filter(ends).map(|f| f.rate).collect()
        };
        for flow in network.flows.iter().filter(|flow| flow.active) {
            let bottleneck = [(flow.from, true), (flow.to, false)].into_iter().any(|(node, up)| {
                let link = &links[node.0 as usize];
                let capacity = if up { link.up_bytes } else { link.down_bytes };
                let rates = rates(node, up);
                let sum: u64 = rates.iter().sum();
                assert!(sum <= capacity);
                // Integer shares leave less than one byte a second a flow.
                capacity - sum <= 2 * rates.len() as u64
                    && rates.iter().all(|rate| *rate <= flow.rate + 2)
            });
            prop_assert!(bottleneck, "rate {} could grow", flow.rate);
        }
    }
}
