//! The floors of the workspace: who may import whom.
//!
//! Read from `cargo metadata`, not from the text of the manifests, so that a dependency by path,
//! under another name or for one platform is seen as well. Cargo refuses cycles by itself; this
//! refuses the edges that Cargo would allow. A crate that is missing in [`FLOORS`] is an error:
//! a further crate is a decision (docs/decisions/0001-workspace-on-floors.md).

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use super::{Finding, TextFile};
use crate::process::{self, cargo};

struct Floor {
    name: &'static str,
    /// What the crate may import.
    may: &'static [&'static str],
    /// What its tests may import besides.
    tests_may: &'static [&'static str],
}

/// Lowest first. A crate never gets onto the line of a lower floor.
const FLOORS: [Floor; 11] = [
    Floor { name: "primitives", may: &[], tests_may: &[] },
    Floor { name: "contracts", may: &["primitives"], tests_may: &[] },
    Floor { name: "ledger", may: &["primitives", "contracts"], tests_may: &["client"] },
    Floor { name: "client", may: &["primitives", "contracts"], tests_may: &["ledger"] },
    Floor { name: "node", may: &["primitives", "contracts", "ledger"], tests_may: &["client"] },
    Floor { name: "api", may: &["primitives", "contracts", "ledger"], tests_may: &["client"] },
    Floor {
        name: "simulator",
        may: &["primitives", "contracts", "ledger", "client", "node", "api"],
        tests_may: &[],
    },
    Floor {
        name: "consensus-bft",
        may: &["primitives", "contracts", "ledger", "node"],
        tests_may: &["client"],
    },
    Floor {
        name: "network-simulator",
        may: &["primitives", "contracts", "ledger", "client", "node", "consensus-bft"],
        tests_may: &[],
    },
    Floor {
        name: "gridtally",
        may: &[
            "primitives",
            "contracts",
            "ledger",
            "client",
            "node",
            "api",
            "simulator",
            "consensus-bft",
            "network-simulator",
        ],
        tests_may: &[],
    },
    // Aside from the floors: reads the tables of the rules, and nobody imports it.
    Floor { name: "xtask", may: &["primitives", "contracts"], tests_may: &[] },
];

/// Foreign crates that belong to a few of ours, and why. Tests are free of it.
const FOREIGN: [(&[&str], &[&str], &str); 6] = [
    (&["anyhow", "eyre"], &["gridtally", "xtask"], "errors below the programs are typed"),
    (&["fjall", "redb", "sled", "rocksdb"], &["ledger"], "only ledger touches the disk"),
    // The read model is a copy for queries, outside consensus, dropped and made again at will.
    (&["rusqlite"], &["api"], "only the read model speaks SQL"),
    (
        &[
            "commonware-consensus",
            "commonware-cryptography",
            "commonware-p2p",
            "commonware-runtime",
            "commonware-storage",
        ],
        &["consensus-bft", "network-simulator"],
        "only consensus-bft knows the engine",
    ),
    (&["axum", "hyper", "utoipa"], &["api", "gridtally"], "only api knows HTTP"),
    (
        &["tokio"],
        &["node", "api", "client", "simulator", "gridtally"],
        "rules and ledger are synchronous",
    ),
];

/// The register of foreign crates: one row each, the crate's name in backquotes first.
const REGISTER: &str = "docs/decisions/0002-dependencies.md";

pub fn check(root: &Path, files: &[TextFile]) -> Result<Vec<Finding>> {
    let mut metadata = cargo(root, &["metadata", "--format-version", "1", "--no-deps"]);
    let text = process::output(&mut metadata)?;
    let value: Value = serde_json::from_str(&text).context("failed to read cargo metadata")?;
    let packages = value["packages"].as_array().context("cargo metadata lists no packages")?;
    let edges = edges(packages);
    let mut findings: Vec<_> = edges.iter().filter_map(finding).collect();
    if let Some(register) = files.iter().find(|file| file.path == REGISTER) {
        findings.extend(unregistered(&edges, &register.text));
    }
    Ok(findings)
}

/// Foreign crates without a row in the register, and rows without a crate.
fn unregistered(edges: &[Edge], register: &str) -> Vec<Finding> {
    let used: BTreeSet<&str> =
        edges.iter().filter(|edge| !edge.ours).map(|edge| edge.to.as_str()).collect();
    let row = |line| -> Option<&str> { str::strip_prefix(line, "| `")?.split('`').next() };
    let rows: BTreeSet<&str> = register.lines().filter_map(row).collect();
    let missing = used.difference(&rows).map(|name| format!("no row for `{name}`"));
    let stale = rows.difference(&used).map(|name| format!("`{name}` is used nowhere"));
    missing.chain(stale).map(|message| Finding::new(REGISTER, 0, message)).collect()
}

/// One crate of ours needs another crate.
#[derive(Debug)]
struct Edge {
    from: String,
    /// Empty for the crate itself, so that one without dependencies is seen too.
    to: String,
    /// Lies in this workspace.
    ours: bool,
    only_tests: bool,
}

fn edges(packages: &[Value]) -> Vec<Edge> {
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let names: Vec<String> = packages.iter().map(|package| text(package, "name")).collect();
    let mut edges = Vec::new();
    for package in packages {
        let from = text(package, "name");
        edges.push(Edge { from: from.clone(), to: String::new(), ours: true, only_tests: false });
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            // `name` is the package's own name, also when the manifest renames it.
            let to = text(dependency, "name");
            let ours = names.contains(&to) || dependency["path"].is_string();
            let only_tests = dependency["kind"] == "dev";
            edges.push(Edge { from: from.clone(), to, ours, only_tests });
        }
    }
    edges
}

fn finding(edge: &Edge) -> Option<Finding> {
    let manifest = format!("crates/{}/Cargo.toml", edge.from);
    let Some(floor) = FLOORS.iter().find(|floor| floor.name == edge.from) else {
        let message = format!("`{}` stands on no floor: see docs/decisions", edge.from);
        return edge.to.is_empty().then(|| Finding::new(&manifest, 0, message));
    };
    let to = edge.to.as_str();
    if edge.ours {
        let allowed = to.is_empty()
            || floor.may.contains(&to)
            || (edge.only_tests && (floor.tests_may.contains(&to) || to == floor.name));
        let message =
            format!("`{}` may not import `{to}`: a floor knows only those below", edge.from);
        return (!allowed).then(|| Finding::new(&manifest, 0, message));
    }
    let (_, users, why) = FOREIGN.iter().find(|(crates, ..)| crates.contains(&to))?;
    let allowed = edge.only_tests || users.contains(&edge.from.as_str());
    let message = format!("`{to}` does not belong into `{}`: {why}", edge.from);
    (!allowed).then(|| Finding::new(&manifest, 0, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(packages: &Value) -> Vec<String> {
        let edges = edges(packages.as_array().expect("a list"));
        edges.iter().filter_map(finding).map(|finding| finding.message).collect()
    }

    fn package(name: &str, dependencies: &Value) -> Value {
        serde_json::json!([{ "name": name, "dependencies": dependencies }])
    }

    #[test]
    fn allowed_edges_pass() {
        let dependencies = serde_json::json!([
            { "name": "primitives", "path": "crates/primitives", "kind": null },
            { "name": "client", "path": "crates/client", "kind": "dev" },
            { "name": "fjall", "kind": null },
        ]);
        assert!(messages(&package("ledger", &dependencies)).is_empty());
    }

    #[test]
    fn forbidden_edges_are_named() {
        for (from, dependency, expected) in [
            ("api", serde_json::json!({ "name": "node", "path": "x" }), "may not import `node`"),
            (
                "api",
                serde_json::json!({ "name": "node", "path": "x", "kind": "dev" }),
                "may not import `node`",
            ),
            (
                "ledger",
                serde_json::json!({ "name": "client", "path": "x" }),
                "may not import `client`",
            ),
            (
                "contracts",
                serde_json::json!({ "name": "elsewhere", "path": "../x" }),
                "may not import `elsewhere`",
            ),
            (
                "contracts",
                serde_json::json!({ "name": "tokio" }),
                "does not belong into `contracts`",
            ),
            ("node", serde_json::json!({ "name": "anyhow" }), "does not belong into `node`"),
        ] {
            let found = messages(&package(from, &serde_json::json!([dependency])));
            assert!(matches!(&found[..], [one] if one.contains(expected)), "{from}: {found:?}");
        }
    }

    #[test]
    fn the_register_has_a_row_for_each_foreign_crate_and_no_other() {
        let dependencies = serde_json::json!([
            { "name": "primitives", "path": "x" }, { "name": "fjall" }, { "name": "sha2" },
        ]);
        let packages = package("ledger", &dependencies);
        let edges = edges(packages.as_array().expect("a list"));
        let register = "| crate | what |\n|---|---|\n| `fjall` | x |\n| `redb` | y |\n";
        let messages: Vec<_> =
            unregistered(&edges, register).into_iter().map(|finding| finding.message).collect();
        assert_eq!(messages, ["no row for `sha2`", "`redb` is used nowhere"]);
    }

    #[test]
    fn an_unknown_crate_is_an_error_once() {
        let dependencies = serde_json::json!([{ "name": "primitives", "path": "x" }]);
        assert_eq!(messages(&package("helpers", &dependencies)).len(), 1);
    }
}
