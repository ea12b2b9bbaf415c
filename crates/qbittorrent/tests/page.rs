//! The page about this dialect, held against the table that is served.

use piecework_qbittorrent::{API_VERSION, APP_VERSION, ENDPOINTS, Kind};
use std::collections::BTreeSet;

const PAGE: &str = include_str!("../../../docs/qbittorrent-api.md");

/// The first two cells of each row of the table of endpoints.
fn told() -> Vec<(String, String)> {
    let table = PAGE.split("## Endpoints").nth(1).and_then(|rest| rest.split("\n## ").next());
    let rows = table.expect("the page has a table of endpoints").lines();
    let rows = rows.filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let mut cells = row.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`'));
        let cell = |cell: Option<&str>| cell.expect("a row has cells").to_owned();
        (cell(cells.next()), cell(cells.next()))
    })
    .collect()
}

#[test]
fn the_page_lists_each_endpoint_once_and_no_other() {
    let served = ENDPOINTS.iter().map(|endpoint| {
        let kind = if endpoint.kind == Kind::Write { "write" } else { "read" };
        (format!("{}/{}", endpoint.scope, endpoint.action), kind.to_owned())
    });
    let served: BTreeSet<_> = served.collect();
    let told = told();
    assert_eq!(told.len(), ENDPOINTS.len());
    assert_eq!(told.into_iter().collect::<BTreeSet<_>>(), served);
}

#[test]
fn the_page_says_which_versions_are_claimed() {
    assert!(PAGE.contains(&format!("`{APP_VERSION}` with API version `{API_VERSION}`")));
}
