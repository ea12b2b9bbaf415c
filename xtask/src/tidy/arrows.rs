//! Which crate may depend on which: pure <- effects <- node <- faces, with proof beside them.
//!
//! Reads what `cargo metadata` says, so a dependency is one however it is declared, and for pure crates what
//! `cargo tree` says they link: metadata has optional dependencies that nobody switched on. A crate that is
//! not in the tables below is refused: a new crate is given its place before its first line.

use super::Violation;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Layers from left to right; an arrow may stay in its layer or point left.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Layer {
    Pure,
    Effect,
    Node,
    Face,
    Proof,
    Tool,
}

const LAYERS: &[(Layer, &[&str])] = &[
    (
        Layer::Pure,
        &[
            "types", "bencode", "metainfo", "wire", "tracker", "hash", "filter", "mse", "gateway",
            "swarm", "dht", "utp", "pay", "catalog", "settings", "access", "feeds", "profiles",
        ],
    ),
    (Layer::Effect, &["disk", "net", "wallet", "chain", "rpc", "settle", "ledger"]),
    (Layer::Node, &["node", "daemon", "cashier"]),
    (Layer::Face, &["api", "qbittorrent", "transmission", "web", "piecework"]),
    (Layer::Proof, &["sim", "testkit", "interop", "bench"]),
    (Layer::Tool, &["xtask"]),
];

/// What an effect crate may use of ours. Only `node` joins the swarm with disk and net.
const EFFECTS: &[(&str, &[&str])] = &[
    ("disk", &["types", "bencode", "hash", "metainfo"]),
    ("net", &["types", "bencode", "wire", "tracker", "mse", "gateway", "utp"]),
    ("wallet", &["types", "pay"]),
    ("chain", &["types", "pay"]),
    ("rpc", &["types", "chain"]),
    ("settle", &["types", "pay", "wallet", "chain"]),
    ("ledger", &["pay"]),
];

/// What no pure crate may reach, not even through somebody else's crate.
const IMPURE: &[&str] = &[
    "async-std",
    "chrono",
    "fastrand",
    "futures-core",
    "getrandom",
    "hyper",
    "mio",
    "nix",
    "rand",
    "rayon",
    "reqwest",
    "rustix",
    "signal-hook",
    "socket2",
    "tempfile",
    "time",
    "tokio",
    "tracing-subscriber",
];

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Normal,
    Dev,
    Build,
}

/// The part of cargo's answers that the rules look at, by package name.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    /// Workspace members without the `piecework-` prefix, with what they declare.
    members: BTreeMap<String, Vec<(String, Kind)>>,
    /// For each pure one, and each of its dependencies, what that brings along.
    linked: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
}

impl Graph {
    /// Reads the output of `cargo metadata --format-version 1`.
    ///
    /// # Errors
    /// When a field that cargo promises is absent.
    pub(crate) fn parse(metadata: &Value) -> Result<Self, String> {
        let workspace: BTreeSet<&str> =
            array(metadata, "workspace_members")?.iter().filter_map(Value::as_str).collect();
        let mut graph = Self::default();
        for package in array(metadata, "packages")?
            .iter()
            .filter(|p| p["id"].as_str().is_some_and(|id| workspace.contains(id)))
        {
            let declared = array(package, "dependencies")?.iter().filter_map(declared).collect();
            graph.members.insert(short(text(package, "name")?).to_owned(), declared);
        }
        Ok(graph)
    }

    /// The members of which [`Self::link`] wants to know more.
    pub(crate) fn pure_members(&self) -> Vec<String> {
        self.members.keys().filter(|name| is_pure(name)).cloned().collect()
    }

    /// Reads the output of `cargo tree --prefix depth --format {p}` for one member: lines such as
    /// `2bytes v1.12.1`, each below the one that links it.
    pub(crate) fn link(&mut self, member: &str, tree: &str) {
        let linked = self.linked.entry(member.to_owned()).or_default();
        let mut through = None;
        for line in tree.lines() {
            let name_at = line.find(|c: char| !c.is_ascii_digit()).unwrap_or(line.len());
            let (depth, name) = line.split_at(name_at);
            let name = name.split_whitespace().next().unwrap_or_default().to_owned();
            if depth == "1" {
                through = Some(linked.entry(name).or_default());
            } else if let Some(through) = &mut through {
                through.insert(name);
            }
        }
    }

    /// Every arrow that points the wrong way.
    pub(crate) fn check(&self) -> Vec<Violation> {
        let wrong = |(name, dependencies): (&String, &Vec<_>)| {
            let reasons = self.wrong_with(name, dependencies);
            reasons.into_iter().map(|why| Violation::of_crate(name, why)).collect::<Vec<_>>()
        };
        self.members.iter().flat_map(wrong).collect()
    }

    fn wrong_with(&self, name: &str, dependencies: &[(String, Kind)]) -> Vec<String> {
        let Some(from) = layer(name) else {
            return vec!["has no layer: give it one in xtask's tidy/arrows.rs".into()];
        };
        let arrows = dependencies.iter();
        let mut wrong: Vec<_> =
            arrows.filter_map(|(to, kind)| self.wrong_arrow((name, from), to, *kind)).collect();
        let uses = |wanted: &str| dependencies.contains(&(wanted.to_owned(), Kind::Normal));
        if from == Layer::Face && uses("swarm") && (uses("disk") || uses("net")) {
            wrong.push("joins swarm with disk or net: only node may".into());
        }
        wrong
    }

    fn wrong_arrow(&self, from: (&str, Layer), to: &str, kind: Kind) -> Option<String> {
        if self.members.contains_key(to) {
            let why = refused_arrow(from, (to, layer(to)?), kind)?;
            return Some(format!("must not depend on {to}: {why}"));
        }
        let linked = from.1 == Layer::Pure && kind != Kind::Dev;
        let impure = if linked { self.impure_below(from.0, to)? } else { return None };
        Some(format!("reaches {impure} through {to}: a pure crate may not"))
    }

    fn impure_below<'a>(&'a self, from: &str, to: &'a str) -> Option<&'a str> {
        let below = self.linked.get(from).and_then(|linked| linked.get(to));
        let below = below.into_iter().flatten().map(String::as_str);
        [to].into_iter().chain(below).find(|name| IMPURE.contains(name))
    }
}

fn refused_arrow(from: (&str, Layer), to: (&str, Layer), kind: Kind) -> Option<&'static str> {
    let ((from, from_layer), (to, to_layer)) = (from, to);
    let effects = EFFECTS.iter().find(|(name, _)| *name == from);
    if from_layer == Layer::Tool || to_layer == Layer::Tool {
        Some("the project's commands link no product crate, and nothing links them")
    } else if to_layer == Layer::Proof && from_layer != Layer::Proof {
        (kind != Kind::Dev || to != "testkit")
            .then_some("only tests, and only with testkit, may use proof")
    } else if from == "types" {
        Some("it is the lowest crate")
    } else if from_layer < to_layer {
        Some("the arrow points right")
    } else if kind == Kind::Normal && effects.is_some_and(|(_, allowed)| !allowed.contains(&to)) {
        Some("only node joins machines and effects")
    } else {
        None
    }
}

fn layer(name: &str) -> Option<Layer> {
    LAYERS.iter().find(|(_, names)| names.contains(&name)).map(|(layer, _)| *layer)
}

/// The folders, below `crates`, of the crates that may not ask the machine they run on.
pub(crate) fn is_pure(name: &str) -> bool {
    layer(name) == Some(Layer::Pure)
}

fn short(name: &str) -> &str {
    name.strip_prefix("piecework-").unwrap_or(name)
}

fn declared(dependency: &Value) -> Option<(String, Kind)> {
    let kind = match dependency["kind"].as_str() {
        None => Kind::Normal,
        Some("build") => Kind::Build,
        Some(_) => Kind::Dev,
    };
    Some((short(dependency["name"].as_str()?).to_owned(), kind))
}

fn array<'a>(value: &'a Value, key: &str) -> Result<&'a Vec<Value>, String> {
    value[key].as_array().ok_or_else(|| format!("cargo metadata has no list `{key}`"))
}

fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str, String> {
    value[key].as_str().ok_or_else(|| format!("cargo metadata has no text `{key}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A workspace of the given arrows; `log`, `other` and `tokio` are somebody else's, `log` links `tokio`.
    fn refused(arrows: &[(&str, &str, Option<&str>)]) -> Vec<String> {
        let ours: BTreeSet<&str> = arrows
            .iter()
            .flat_map(|(from, to, _)| [*from, *to])
            .filter(|n| !["log", "other", "tokio"].contains(n))
            .collect();
        let packages: Vec<Value> = ours
            .iter()
            .map(|name| {
                let from_here = arrows.iter().filter(|(from, _, _)| from == name);
                let dependencies: Vec<Value> =
                    from_here.map(|(_, to, kind)| json!({ "name": to, "kind": kind })).collect();
                json!({ "id": name, "name": name, "dependencies": dependencies })
            })
            .collect();
        let metadata = json!({ "packages": packages, "workspace_members": ours });
        let mut graph = Graph::parse(&metadata).expect("the test's own metadata is whole");
        for member in graph.pure_members() {
            let tree =
                format!("0{member} v0.1.0 (/a)\n1log v1.0.0\n2tokio v1.0.0 (*)\n1other v1.0.0\n");
            graph.link(&member, &tree);
        }
        graph.check().into_iter().map(|violation| violation.to_string()).collect()
    }

    #[test]
    fn arrows_to_the_left_are_allowed() {
        let good = [
            ("swarm", "types", None),
            ("disk", "hash", None),
            ("node", "swarm", None),
            ("node", "disk", None),
            ("node", "tokio", None),
            ("piecework", "node", None),
            ("sim", "swarm", None),
            ("sim", "testkit", None),
            ("node", "testkit", Some("dev")),
            ("swarm", "tokio", Some("dev")),
            ("swarm", "log", Some("dev")),
            ("swarm", "other", None),
        ];
        assert_eq!(refused(&good), [""; 0]);
    }

    #[test]
    fn each_wrong_arrow_is_refused() {
        let bad = [
            ("swarm", "disk", None),
            ("types", "bencode", None),
            ("disk", "swarm", None),
            ("disk", "net", None),
            ("node", "piecework", None),
            ("node", "sim", None),
            ("node", "sim", Some("dev")),
            ("node", "testkit", None),
            ("wire", "tokio", None),
            ("wire", "log", None),
            ("wire", "log", Some("build")),
            ("wire", "tokio", Some("build")),
            ("xtask", "types", None),
        ];
        for arrow in bad {
            assert_eq!(refused(&[arrow]).len(), 1, "{arrow:?}");
        }
    }

    #[test]
    fn a_face_does_not_join_what_node_joins() {
        assert_eq!(refused(&[("piecework", "swarm", None), ("piecework", "net", None)]).len(), 1);
    }

    #[test]
    fn a_crate_without_a_layer_is_refused() {
        assert!(refused(&[("misc", "types", None)])[0].contains("has no layer"));
    }
}
