//! The cells of the matrix: which there are, what each needs, and how each is run.

use std::fmt;
use std::time::Duration;

use crate::failure::Outcome;
use crate::lab::{Lab, Room};
use crate::matrix::{Measure, Row, Verdict};
use crate::peers::Foreign;
use crate::process::{Deadline, last_lines};

mod bound;
mod commands;
mod dht;
mod dialects;
mod encryption;
mod finding;
mod import;
mod items;
mod lanes;
mod large;
mod pacing;
mod reach;
mod readme;
mod swarm;
mod transfer;
mod web_seed;

/// How long a cell may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Transmission makes its first connection up to 10 s after an announce, and retries late.
const PATIENCE_TRANSMISSION: Duration = Duration::from_secs(90);
/// Lines of each log that the report of a failed cell shows.
const LOG_LINES_MAX: usize = 25;

type Run = Box<dyn Fn(&Room<'_>) -> Outcome<Measure>>;

/// One line of the matrix, before it has been run.
pub(crate) struct Cell {
    /// What is tried.
    pub(crate) name: String,
    /// Who has the data, and who gets it.
    pub(crate) direction: String,
    /// The foreign programs it takes.
    pub(crate) needs: Vec<Foreign>,
    patience: Duration,
    run: Run,
}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cell").field("id", &self.id()).finish_non_exhaustive()
    }
}

impl Cell {
    fn new(
        name: impl Into<String>,
        direction: impl Into<String>,
        needs: &[Foreign],
        run: impl Fn(&Room<'_>) -> Outcome<Measure> + 'static,
    ) -> Self {
        let slow = needs.contains(&Foreign::Transmission);
        let patience = if slow { PATIENCE_TRANSMISSION } else { PATIENCE };
        let (name, direction, needs) = (name.into(), direction.into(), needs.to_vec());
        Self { name, direction, needs, patience, run: Box::new(run) }
    }

    /// The same, with more time.
    fn patient(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// What `--only` is compared with.
    pub(crate) fn id(&self) -> String {
        format!("{}: {}", self.name, self.direction)
    }

    /// Runs the cell; a failure brings the ends of all logs with it.
    pub(crate) fn run(&self, lab: &Lab, number: usize, peers: String) -> Row {
        let mut logs = String::new();
        let outcome = lab.room(number, Deadline::after(self.patience)).and_then(|room| {
            let outcome = (self.run)(&room);
            if outcome.is_err() {
                logs = last_lines(room.folder(), LOG_LINES_MAX);
            }
            room.clear();
            outcome
        });
        let verdict = match outcome {
            Ok(measure) => Verdict::Passed(measure),
            Err(failure) => Verdict::Failed { reason: failure.to_string(), logs },
        };
        self.row(peers, verdict)
    }

    /// The line of the matrix for `verdict`.
    pub(crate) fn row(&self, peers: String, verdict: Verdict) -> Row {
        let (cell, direction) = (self.name.clone(), self.direction.clone());
        Row { cell, direction, peers, verdict, before: None }
    }
}

/// Every cell for the subject of `lab`, in the order of the matrix.
pub(crate) fn all(lab: &Lab) -> Vec<Cell> {
    let subject = lab.subject().client().name();
    let mut cells = transfer::cells(subject);
    cells.extend(transfer::filter_cells(lab.subject()));
    cells.extend(swarm::cells(subject));
    cells.extend(swarm::kept_by_ours(lab.subject()));
    cells.extend(finding::cells(lab.subject()));
    cells.extend(large::cells(subject));
    cells.extend(pacing::cells(subject));
    cells.extend(encryption::cells(subject));
    cells.extend(web_seed::cells(subject));
    cells.extend(dht::cells(subject));
    cells.extend(items::cells(lab.subject()));
    cells.extend(commands::cells(lab.subject()));
    cells.extend(reach::cells(lab.subject()));
    cells.extend(import::cells(lab.subject()));
    cells.extend(dialects::cells(lab.subject()));
    cells.extend(lanes::cells(lab.subject()));
    cells.extend(readme::cells(lab.subject()));
    cells
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeSet;

    use super::*;
    use crate::lab::Subject;

    #[test]
    fn every_cell_has_a_name_of_its_own_and_needs_a_peer() {
        let lab = Lab::new(Subject::StandIn, true).unwrap();
        let cells = all(&lab);
        let names: BTreeSet<String> = cells.iter().map(Cell::id).collect();
        assert_eq!(names.len(), cells.len());
        assert!(cells.iter().all(|cell| !cell.needs.is_empty() || cell.name == bound::NAME));
    }
}
