//! The page about this dialect, held against the table that is served.

use piecework_transmission::METHODS;
use std::collections::BTreeSet;

const PAGE: &str = include_str!("../../../docs/transmission-rpc.md");

#[test]
fn the_page_lists_each_method_once_and_no_other() {
    let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let told: Vec<&str> = rows.collect();
    assert_eq!(told.len(), METHODS.len());
    let served: BTreeSet<&str> = METHODS.iter().map(|method| method.name).collect();
    assert_eq!(told.into_iter().collect::<BTreeSet<_>>(), served);
}
