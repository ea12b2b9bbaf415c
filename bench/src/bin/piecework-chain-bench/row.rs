//! What is measured: the load of each row, and the gate on ours.

use crate::node::{Kind, Node, Places};
use crate::report;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Transfers a second that latency is measured at.
const LATENCY_RATE: &str = "2500";

/// One kind of load.
pub(crate) struct Row {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    /// Transfers signed beforehand, for each second of load.
    prepared_a_second: u32,
    options: &'static [&'static str],
    pub(crate) figure: Figure,
}

/// What of a run is judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Figure {
    /// Transfers a second: at least `gate` and more than anvil's; `goal` is hoped for.
    Rate { gate: f64, goal: f64 },
    /// Milliseconds from sending to the announcement of the block, at the median: less than `gate`.
    Latency { gate: f64 },
}

pub(crate) const ROWS: [Row; 3] = [
    Row {
        id: "single",
        title: "one transfer a request",
        prepared_a_second: 18_000,
        options: &[],
        figure: Figure::Rate { gate: 5_000.0, goal: 8_000.0 },
    },
    Row {
        id: "batch",
        title: "100 transfers a request",
        prepared_a_second: 26_000,
        options: &["--batch", "100", "--connections", "8"],
        figure: Figure::Rate { gate: 5_000.0, goal: 12_000.0 },
    },
    Row {
        id: "latency",
        title: "2,500 transfers a second, from sending to newHeads",
        prepared_a_second: 2_500,
        options: &["--rate", LATENCY_RATE, "--latency"],
        figure: Figure::Latency { gate: 60.0 },
    },
];

/// What one node did.
#[derive(Deserialize, Serialize)]
pub(crate) struct Measured {
    /// What the load's program says.
    pub(crate) told: Value,
    /// CPU time of the node, seconds.
    pub(crate) node_cpu: f64,
    /// Transfers with status 1 that a node started anew still has; `None` where it keeps nothing.
    pub(crate) kept: Option<u64>,
    /// How busy the machine was before.
    pub(crate) load_average: String,
}

impl Row {
    /// Loads a new chain of `kind`.
    pub(crate) fn run(
        &self,
        kind: Kind,
        places: &Places,
        seconds: u32,
        senders: u32,
    ) -> Result<Measured, String> {
        let load_average = report::load_average();
        let folder = places.work.join(format!("{}-{kind}", self.id));
        let node = Node::begin(kind, places, &folder)?;
        let (address, prepared) = (node.address.to_string(), self.prepared_a_second * seconds);
        let (lasts, senders) = (seconds.to_string(), senders.to_string());
        let prepared = prepared.to_string();
        let mut arguments =
            vec!["run", "--rpc", &address, "--seconds", &lasts, "--senders", &senders];
        arguments.extend(["--prepared", &prepared]);
        arguments.extend(self.options);
        let before = node.cpu_seconds();
        let told = places.load(&arguments)?;
        let node_cpu = node.cpu_seconds() - before;
        let kept = match kind {
            Kind::Anvil => None,
            Kind::Ours => {
                node.end()?;
                let again = Node::start(kind, places, &folder)?;
                let (address, last) = (again.address.to_string(), told["last_block"].to_string());
                let counted = places.load(&["count", "--rpc", &address, "--last", &last])?;
                again.end()?;
                counted["included"].as_u64()
            }
        };
        Ok(Measured { told, node_cpu, kept, load_average })
    }
}

impl Measured {
    /// What is judged, or why there is none.
    pub(crate) fn figure(&self, figure: Figure) -> Result<f64, String> {
        let value = match figure {
            Figure::Rate { .. } => &self.told["transfers_per_second"],
            Figure::Latency { .. } => &self.told["latency"]["p50_ms"],
        };
        let included = self.told["included"].as_u64();
        if self.kept.is_some() && self.kept != included {
            return Err(format!(
                "{included:?} transfers were in blocks, {:?} after a restart",
                self.kept
            ));
        }
        value.as_f64().ok_or_else(|| format!("nothing was measured: {}", self.told))
    }
}
