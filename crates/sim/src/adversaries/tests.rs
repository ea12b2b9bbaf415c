#![allow(clippy::unwrap_used)]

use super::*;
use std::fs;
use std::path::PathBuf;

fn repository(path: &str) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn rows() -> impl Iterator<Item = &'static Row> {
    FAILURES.iter().chain(&ADVERSARIES)
}

#[test]
fn every_scenario_and_test_that_the_table_names_exists() {
    for row in rows() {
        assert!(by_name(row.scenario).is_some(), "{}", row.scenario);
        if let Test(path, name) = row.proof {
            let text = repository(path);
            let is_there =
                [format!("def {name}("), format!("fn {name}("), format!("= \"{name}\";")];
            assert!(is_there.iter().any(|it| text.contains(it)), "{name} in {path}");
        }
    }
}

#[test]
fn every_market_that_is_about_cheating_is_in_the_table() {
    let others = ["paid_lanes", "first_bytes"];
    let markets = crate::ALL.into_iter().filter(|it| matches!(it.plan, crate::Build::Market(_)));
    for market in markets.filter(|it| !others.contains(&it.name)) {
        assert!(rows().any(|row| row.scenario == market.name), "{}", market.name);
    }
}

/// Each line without the third cell of a row, which a run has measured.
fn structure(text: &str) -> Vec<String> {
    let cells = |line: &str| {
        let mut cells: Vec<_> = line.split(" | ").map(str::to_owned).collect();
        if cells.len() == 4 && line.contains('`') {
            cells.remove(2);
        }
        cells.join(" | ")
    };
    text.lines().map(cells).collect()
}

#[test]
fn the_document_has_the_rows_of_the_table_and_a_figure_in_each() {
    let written = repository("docs/ADVERSARIES.md");
    assert_eq!(structure(&written), structure(&document(|_| "0".to_owned())));
    let figures = written.lines().filter(|line| line.starts_with("| ") && line.contains('`'));
    let figures: Vec<_> = figures.map(|line| line.split(" | ").nth(2).unwrap()).collect();
    assert_eq!(figures.len(), rows().count());
    for figure in figures {
        let is_figure = figure.split(' ').next_back().is_some_and(|it| it.parse::<u128>().is_ok());
        assert!(is_figure || figure == "no money", "{figure}");
    }
}
