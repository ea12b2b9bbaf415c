//! Figures for Prometheus, in its text form. Few enough that no library is needed to write them.

use crate::state::Api;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use piecework_catalog::Catalog;
use piecework_daemon::NodeFigures;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Fetch figures for Prometheus
#[utoipa::path(get, path = "/metrics", tag = "node",
    responses((status = 200, description = "Text of version 0.0.4.", body = String,
        content_type = "text/plain")))]
pub(crate) async fn metrics(State(api): State<Api>) -> Response {
    let mut text = node(&api.daemon.node());
    torrents(&mut text, &api.daemon.catalog());
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

fn node(node: &NodeFigures) -> String {
    let mut text = String::new();
    let mut put = |name: &str, kind: &str, help: &str, value: u64| {
        head(&mut text, name, kind, help);
        // Writing to a text never fails.
        let _ = writeln!(text, "piecework_{name} {value}");
    };
    put("start_time_seconds", "gauge", "Unix time of the start.", node.started_at);
    put("received_bytes_total", "counter", "Payload received in this run.", node.down_bytes);
    put("sent_bytes_total", "counter", "Payload sent in this run.", node.up_bytes);
    put(
        "received_all_bytes_total",
        "counter",
        "Payload received in all runs.",
        node.all_down_bytes,
    );
    put("sent_all_bytes_total", "counter", "Payload sent in all runs.", node.all_up_bytes);
    put("receive_rate_bytes", "gauge", "Payload received a second.", node.down_rate);
    put("send_rate_bytes", "gauge", "Payload sent a second.", node.up_rate);
    put("receive_limit_bytes", "gauge", "Its limit; 0: none.", node.down_limit.unwrap_or(0));
    put("send_limit_bytes", "gauge", "Its limit; 0: none.", node.up_limit.unwrap_or(0));
    put("peers", "gauge", "Connected peers.", node.peers.into());
    put("dht_nodes", "gauge", "Nodes in the tables.", node.dht_nodes.unwrap_or(0).into());
    put("reachable", "gauge", "1 once a peer came by itself.", node.is_reachable.into());
    put("free_space_bytes", "gauge", "Free where torrents are saved.", node.free_space);
    text
}

fn torrents(text: &mut String, catalog: &Catalog) {
    let mut stages = BTreeMap::<_, u64>::new();
    let (mut size, mut down, mut up, mut errors) = (0_u64, 0_u64, 0_u64, 0_u64);
    for torrent in catalog.torrents() {
        *stages.entry(torrent.stage()).or_default() += 1;
        size = size.saturating_add(torrent.record().size_bytes);
        down = down.saturating_add(torrent.down_bytes());
        up = up.saturating_add(torrent.up_bytes());
        errors += u64::from(torrent.record().error.is_some());
    }
    head(text, "torrents", "gauge", "Torrents by what they are doing.");
    for (stage, count) in stages {
        let _ = writeln!(text, "piecework_torrents{{stage=\"{}\"}} {count}", stage.word());
    }
    for (name, help, value) in [
        ("torrents_size_bytes", "Bytes of all files.", size),
        ("torrents_received_bytes", "Received by the torrents that are here.", down),
        ("torrents_sent_bytes", "Sent by the torrents that are here.", up),
        ("torrents_errors", "Torrents that cannot go on.", errors),
        ("revision", "Grows with every change.", catalog.revision()),
    ] {
        head(text, name, "gauge", help);
        let _ = writeln!(text, "piecework_{name} {value}");
    }
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = write!(text, "# HELP piecework_{name} {help}\n# TYPE piecework_{name} {kind}\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use piecework_catalog::Rules;

    #[test]
    fn each_figure_has_its_kind_before_it_and_a_name_of_ours() {
        let mut text = node(&NodeFigures { peers: 7, ..NodeFigures::default() });
        torrents(&mut text, &Catalog::new(Rules::default(), 5));
        let mut named = String::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                named = rest.split(' ').next().unwrap_or_default().to_owned();
            } else if !line.starts_with('#') {
                let name = line.split([' ', '{']).next().unwrap_or_default();
                assert_eq!(name, named, "{line}");
                assert!(name.starts_with("piecework_"), "{line}");
            }
        }
        assert!(
            text.contains("\npiecework_peers 7\n") && text.contains("\npiecework_revision 5\n")
        );
    }

    #[test]
    fn the_dashboard_asks_for_figures_that_there_are() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/grafana.json");
        let board: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let mut text = node(&NodeFigures::default());
        torrents(&mut text, &Catalog::new(Rules::default(), 5));
        let known: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
            .collect();
        let mut asked = 0;
        for panel in board["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().unwrap() {
                let words = target["expr"].as_str().unwrap();
                let words = words.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
                for word in words.filter(|word| word.starts_with("piecework_")) {
                    assert!(known.contains(&word), "{word}");
                    asked += 1;
                }
            }
        }
        assert!(asked >= 10, "{asked}");
    }
}
