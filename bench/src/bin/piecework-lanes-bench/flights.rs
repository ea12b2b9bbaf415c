//! How long a buyer waits for its first byte of the paid lane, in round trips.

use crate::market::{FLOOR, MIB, Node, Torrent, wait_until};
use crate::proxy::{Proxy, What};
use crate::report::Row;
use piecework_pay::Lane;
use piecework_testkit::FixtureBuilder;
use std::thread;
use std::time::Duration;

/// One way. So long that what the machine does meanwhile is nothing.
const DELAY: Duration = Duration::from_millis(500);

const UPLINK: u64 = 8 * MIB;
const CALLS: u8 = 5;

/// Round trips at most.
const GATE: f64 = 3.0;

/// What a seller seals until the paid lane is given: its terms, that it takes the opening, and its ask.
const SEALED: usize = 3;

/// For a buyer's wishes to reach the thread of payments.
const SETTLES: Duration = Duration::from_secs(2);

/// The longest of several calls.
pub(crate) fn measure() -> Result<Row, String> {
    let scratch = tempfile::tempdir().map_err(|error| error.to_string())?;
    let fixture = FixtureBuilder::file("payload", 32 * MIB as usize).piece_length(1 << 20).build();
    let folder = scratch.path().join("seller/data");
    fixture.write_payload(&folder).map_err(|error| error.to_string())?;
    let torrent = Torrent { metainfo: fixture.metainfo().clone(), folder };
    let seller = Node::seed(&torrent, &scratch.path().join("seller"), UPLINK)?;
    let till = seller.sells()?;
    let mut trips = Vec::new();
    for number in 2..2 + CALLS {
        let proxy = Proxy::open(seller.address(), DELAY)?;
        let state = scratch.path().join(format!("buyer {number}"));
        let buyer = Node::idle(&torrent, &state)?;
        let purse = buyer.buys(number, Lane::Fast)?;
        thread::sleep(SETTLES);
        buyer.engine.add_peers(buyer.key, vec![proxy.address]);
        trips.push(call(&proxy)?);
        let is_given = || till.pay.view().buyers.iter().any(|it| it.trade.payer == purse.own);
        wait_until("a paid lane", is_given)?;
    }
    let longest = trips.iter().copied().fold(0.0, f64::max);
    let each: Vec<String> = trips.iter().map(|trips| format!("{trips:.2}")).collect();
    Ok(Row {
        what: "from the BEP 10 handshake to the first paid byte, what the chain says being known"
            .into(),
        measured: format!("{longest:.2} round trips"),
        gate: format!("at most {GATE}"),
        is_met: longest <= GATE,
        notes: format!("each of {CALLS} calls: {}; a MiB costs {FLOOR}", each.join(", ")),
    })
}

/// Round trips from the first handshake to the first block that left after the ask, and is there.
fn call(proxy: &Proxy) -> Result<f64, String> {
    let (mut began, mut sealed) = (None, 0);
    loop {
        let note = proxy.next()?;
        match note.what {
            What::Extensions => {
                began.get_or_insert(note.at);
            }
            What::Sealed if !note.is_callers => sealed += 1,
            What::Block if !note.is_callers && sealed >= SEALED => {
                let began = began.ok_or("no BEP 10 handshake")?;
                let took = note.at.duration_since(began) + DELAY;
                return Ok(took.as_secs_f64() / (2.0 * DELAY.as_secs_f64()));
            }
            What::Sealed | What::Block => {}
        }
    }
}
