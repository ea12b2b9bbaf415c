//! The short bench for the tests: that client and harness work together, not how fast.

use crate::harness::{self, Harness, Outcome};
use crate::install::Rivals;
use crate::kind::Kind;
use crate::work::{Payload, Work};

/// Enough to get out of slow start, little enough for a debug build.
pub(crate) const SIZE_MIB: u32 = 64;

/// Runs each work once and prints it. The last line says it all.
///
/// # Errors
/// When ours does not do its work, or files differ.
pub(crate) fn run(harness: &Harness, rivals: &Rivals) -> Result<bool, String> {
    let is_there = |kind: &Kind| rivals.absence(*kind).is_none();
    let transfer = |seed| Work::Transfer { payload: Payload::File, seed, leech: Kind::Ours };
    let mut works = vec![transfer(Kind::Ours)];
    match [Kind::Lt21, Kind::Lt20].into_iter().find(is_there) {
        Some(libtorrent) => works.push(transfer(libtorrent)),
        None => println!("libtorrent -> piecework: libtorrent is not installed"),
    }
    works.push(Work::Check(Kind::Ours));
    harness.prepare(&works)?;
    println!("{}, {} MiB", harness.version(), harness.size_mib());
    let mut rates = Vec::new();
    for work in works {
        let figures = match harness.measure(work)?.outcome {
            Outcome::Ok(figures) => figures,
            Outcome::Failed(reason) | Outcome::Differs(reason) => {
                return Err(format!("{work}: {reason}"));
            }
        };
        println!("{work}: {}", harness::line(&figures));
        let rate = figures.get("rate_mib_s").copied().unwrap_or_default();
        rates.push(format!("{work} {rate:.0} MiB/s"));
    }
    println!("files equal; {}", rates.join("; "));
    Ok(true)
}
