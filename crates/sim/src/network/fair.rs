//! Max-min fair rates by progressive filling.
//!
//! Owns no state but scratch space. Invariant: no flow could be faster without slowing down one that
//! is not faster than itself.

use super::{Flow, Link};
use crate::seen::{EndId, NodeId};

/// Scratch space, kept so that a computation allocates nothing.
#[derive(Debug, Default)]
pub(super) struct Solver {
    /// Flows of each node, as (first, count) into `members`.
    spans: Vec<(u32, u32)>,
    members: Vec<EndId>,
    /// Nodes of the component, in the order they were found.
    nodes: Vec<NodeId>,
    reached: Vec<bool>,
    /// Uplink and downlink of each node: bytes left and flows not settled.
    left: Vec<u64>,
    open: Vec<u32>,
    unsettled: Vec<EndId>,
}

impl Solver {
    /// Gives every flow of the components that `changed` nodes belong to its fair rate.
    pub(super) fn solve(
        &mut self,
        links: &[Link],
        flows: &mut [Flow],
        active: &[EndId],
        changed: &[NodeId],
    ) {
        self.index(links.len(), flows, active);
        self.reach(flows, changed);
        self.fill(links, flows);
    }

    /// Lists the active flows of each node.
    fn index(&mut self, nodes: usize, flows: &[Flow], active: &[EndId]) {
        self.spans.clear();
        self.spans.resize(nodes, (0, 0));
        for id in active {
            let flow = &flows[id.0 as usize];
            self.spans[flow.from.0 as usize].1 += 1;
            self.spans[flow.to.0 as usize].1 += 1;
        }
        let mut first = 0;
        for span in &mut self.spans {
            (span.0, first) = (first, first + span.1);
            span.1 = 0;
        }
        self.members.clear();
        self.members.resize(first as usize, EndId(0));
        for id in active {
            let flow = &flows[id.0 as usize];
            for node in [flow.from, flow.to] {
                let span = &mut self.spans[node.0 as usize];
                self.members[(span.0 + span.1) as usize] = *id;
                span.1 += 1;
            }
        }
    }

    fn members(&self, node: NodeId) -> &[EndId] {
        let (first, count) = self.spans[node.0 as usize];
        &self.members[first as usize..(first + count) as usize]
    }

    /// Finds the nodes and flows that share links, directly or through others, with changed ones.
    fn reach(&mut self, flows: &[Flow], changed: &[NodeId]) {
        self.reached.clear();
        self.reached.resize(self.spans.len(), false);
        self.nodes.clear();
        self.unsettled.clear();
        for node in changed {
            if !std::mem::replace(&mut self.reached[node.0 as usize], true) {
                self.nodes.push(*node);
            }
        }
        let mut at = 0;
        while let Some(&node) = self.nodes.get(at) {
            at += 1;
            let (first, count) = self.spans[node.0 as usize];
            for index in first..first + count {
                let id = self.members[index as usize];
                let flow = &flows[id.0 as usize];
                if flow.from == node {
                    self.unsettled.push(id);
                }
                for other in [flow.from, flow.to] {
                    if !std::mem::replace(&mut self.reached[other.0 as usize], true) {
                        self.nodes.push(other);
                    }
                }
            }
        }
    }

    /// Raises all rates together; whoever meets a full link or its own cap stays there.
    fn fill(&mut self, links: &[Link], flows: &mut [Flow]) {
        self.left.clear();
        self.left.resize(2 * links.len(), 0);
        self.open.clear();
        self.open.resize(2 * links.len(), 0);
        for node in &self.nodes {
            let link = &links[node.0 as usize];
            self.left[up(*node)] = link.up_bytes;
            self.left[down(*node)] = link.down_bytes;
        }
        for id in &self.unsettled {
            let flow = &mut flows[id.0 as usize];
            self.open[up(flow.from)] += 1;
            self.open[down(flow.to)] += 1;
            flow.rate = u64::MAX;
        }
        // By cap, so that the next capped flow is always the last.
        self.unsettled.sort_by_key(|id| (std::cmp::Reverse(flows[id.0 as usize].cap), *id));
        loop {
            while self.unsettled.last().is_some_and(|id| flows[id.0 as usize].rate != u64::MAX) {
                self.unsettled.pop();
            }
            let Some(&slowest) = self.unsettled.last() else {
                return;
            };
            let Some((share, link)) = self.bottleneck() else {
                return;
            };
            let cap = flows[slowest.0 as usize].cap;
            if cap <= share {
                self.settle(slowest, cap, flows);
                continue;
            }
            let node = NodeId((link / 2) as u32);
            for index in 0..self.members(node).len() {
                let id = self.members(node)[index];
                let flow = &flows[id.0 as usize];
                let crosses = if link % 2 == 0 { flow.from == node } else { flow.to == node };
                if crosses && flow.rate == u64::MAX {
                    self.settle(id, share, flows);
                }
            }
        }
    }

    /// The link that is full first, and the rate at which it is.
    fn bottleneck(&self) -> Option<(u64, usize)> {
        let links = self.nodes.iter().flat_map(|node| [up(*node), down(*node)]);
        let open = links.filter(|link| self.open[*link] > 0);
        open.map(|link| (self.left[link] / u64::from(self.open[link]), link)).min()
    }

    fn settle(&mut self, id: EndId, rate: u64, flows: &mut [Flow]) {
        let flow = &mut flows[id.0 as usize];
        flow.rate = rate;
        for link in [up(flow.from), down(flow.to)] {
            self.left[link] -= rate;
            self.open[link] -= 1;
        }
    }
}

const fn up(node: NodeId) -> usize {
    2 * node.0 as usize
}

const fn down(node: NodeId) -> usize {
    up(node) + 1
}
