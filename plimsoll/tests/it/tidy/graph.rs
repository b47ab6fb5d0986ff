//! Rules about crates: who may depend on whom, what is never linked in, and that all share the lints.

use std::process::Command;

use super::repository::{self, has_extension};
use super::{Finding, assert_tidy};

const PREFIX: &str = "plimsoll";

/// Our own crates that each of our crates may depend on. The three parts never depend on each other, so that each can be
/// understood, tested and replaced alone; only the binary puts them together. The host is the other side of the deployment
/// driver's wire: it shares what travels with it, and the driver knows nothing of it. It takes autoscale settings as resources,
/// and has them checked by those who evaluate them.
const MAY_USE: &[(&str, &[&str])] = &[
    ("plimsoll-domain", &[]),
    ("plimsoll-document", &[]),
    ("plimsoll-deploy", &["plimsoll-domain", "plimsoll-document"]),
    (
        "plimsoll-host",
        &["plimsoll-domain", "plimsoll-document", "plimsoll-deploy", "plimsoll-autoscale"],
    ),
    ("plimsoll-loadgen", &["plimsoll-domain"]),
    ("plimsoll-monitor", &["plimsoll-domain"]),
    ("plimsoll-autoscale", &["plimsoll-domain", "plimsoll-document"]),
    ("plimsoll-study", &["plimsoll-domain", "plimsoll-monitor"]),
    ("plimsoll-simulate", &["plimsoll-domain", "plimsoll-deploy"]),
    (
        "plimsoll",
        &[
            "plimsoll-domain",
            "plimsoll-document",
            "plimsoll-deploy",
            "plimsoll-host",
            "plimsoll-loadgen",
            "plimsoll-monitor",
            "plimsoll-autoscale",
            "plimsoll-study",
            "plimsoll-simulate",
        ],
    ),
    (
        "plimsoll-benches",
        &[
            "plimsoll-domain",
            "plimsoll-deploy",
            "plimsoll-loadgen",
            "plimsoll-monitor",
            "plimsoll-autoscale",
            "plimsoll-study",
            "plimsoll-simulate",
            "plimsoll",
        ],
    ),
];

/// Crates that are never built, with the reason.
const BANNED: &[(&str, &str)] = &[
    ("ring", "one cryptography provider: aws-lc-rs"),
    ("openssl-sys", "TLS is rustls: the binary needs no system library"),
    ("native-tls", "TLS is rustls: the binary needs no system library"),
    ("reqwest", "hyper is used directly: the generator must see each step of a request"),
    ("serde_yaml", "unmaintained: YAML is read by granit-parser, which keeps positions"),
    ("serde_yml", "unmaintained and unsound: YAML is read by granit-parser"),
];

/// One crate of the workspace and ours that it depends on.
struct Member {
    name: String,
    manifest: String,
    uses: Vec<String>,
}

fn members() -> Vec<Member> {
    let text = cargo(&["metadata", "--no-deps", "--offline", "--format-version", "1"]);
    let metadata: serde_json::Value =
        serde_json::from_str(&text).expect("cargo metadata writes JSON");
    let root = repository::root();
    let packages = metadata["packages"].as_array().expect("cargo metadata lists packages");
    let member = |package: &serde_json::Value| {
        let manifest = package["manifest_path"].as_str().expect("a package has a manifest");
        let dependencies =
            package["dependencies"].as_array().expect("a package lists its dependencies");
        let names = dependencies.iter().filter_map(|dependency| dependency["name"].as_str());
        Member {
            name: package["name"].as_str().expect("a package has a name").to_owned(),
            manifest: manifest
                .trim_start_matches(&*root.to_string_lossy())
                .trim_start_matches('/')
                .to_owned(),
            uses: names.filter(|name| name.starts_with(PREFIX)).map(str::to_owned).collect(),
        }
    };
    packages.iter().map(member).collect()
}

fn check_edges(members: &[Member]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for member in members {
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == member.name) else {
            let rule = format!("`{}` is not in the crate graph", member.name);
            findings.push(Finding::new(
                &member.manifest,
                1,
                rule,
                "a new crate is entered in tidy/graph.rs",
            ));
            continue;
        };
        for name in member.uses.iter().filter(|name| !allowed.contains(&name.as_str())) {
            let rule = format!("`{}` never depends on `{name}`", member.name);
            findings.push(Finding::new(
                &member.manifest,
                1,
                rule,
                "the parts meet only in `plimsoll`",
            ));
        }
    }
    findings
}

/// `tree` is what `cargo tree --prefix none -f {p}` prints: name, version and more on each line.
fn check_banned(tree: &str) -> Vec<Finding> {
    let mut names: Vec<&str> =
        tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    names.sort_unstable();
    names.dedup();
    let banned = BANNED.iter().filter(|(name, _)| names.binary_search(name).is_ok());
    banned
        .map(|(name, why)| {
            Finding::new("Cargo.toml", 1, format!("`{name}` is never built in"), *why)
        })
        .collect()
}

fn check_lints(path: &str, manifest: &str) -> Option<Finding> {
    let mut lines = manifest.lines().map(str::trim).skip_while(|line| *line != "[lints]").skip(1);
    let shared = lines.next() == Some("workspace = true");
    let why = "one set of lints holds everywhere";
    (!shared).then(|| Finding::new(path, 1, "`[lints]` has `workspace = true`", why))
}

fn cargo(arguments: &[&str]) -> String {
    let program = std::env::var_os("CARGO").expect("cargo names itself when it runs a test");
    let output = Command::new(program)
        .args(arguments)
        .current_dir(repository::root())
        .output()
        .expect("cargo starts");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo {} failed: {complaint}", arguments.join(" "));
    String::from_utf8(output.stdout).expect("cargo writes UTF-8")
}

#[test]
fn the_parts_meet_only_in_the_binary() {
    let members = members();
    assert!(members.len() >= MAY_USE.len(), "cargo metadata shows only {} crates", members.len());
    assert_tidy(&check_edges(&members));
}

#[test]
fn no_banned_crate_is_built() {
    // Cargo.lock also lists optional crates that nothing turns on, so the resolved and activated graph is asked.
    let tree = cargo(&[
        "tree",
        "--workspace",
        "--offline",
        "--locked",
        "-e",
        "normal,build,dev",
        "--prefix",
        "none",
        "-f",
        "{p}",
    ]);
    assert!(
        tree.lines().any(|line| line.starts_with("tokio v")),
        "cargo tree shows no tokio: not our graph"
    );
    assert_tidy(&check_banned(&tree));
}

#[test]
fn every_crate_shares_the_lints() {
    let files = repository::text_files();
    let manifests: Vec<_> = files
        .iter()
        .filter(|file| has_extension(&file.path, "toml") && file.path.ends_with("/Cargo.toml"))
        .collect();
    assert!(manifests.len() >= MAY_USE.len());
    let findings: Vec<Finding> =
        manifests.iter().filter_map(|file| check_lints(&file.path, &file.text)).collect();
    assert_tidy(&findings);
}

#[test]
fn bad_graphs_are_found() {
    let member = |name: &str, uses: &[&str]| Member {
        name: name.to_owned(),
        manifest: "x/Cargo.toml".to_owned(),
        uses: uses.iter().map(ToString::to_string).collect(),
    };
    let members = [
        member("plimsoll-monitor", &["plimsoll-domain", "plimsoll-loadgen"]),
        member("plimsoll-domain", &["plimsoll-deploy"]),
        member("plimsoll", &["plimsoll-domain", "plimsoll-benches"]),
        member("plimsoll-extra", &[]),
        member("plimsoll-deploy", &["plimsoll-domain", "plimsoll-host"]),
    ];
    let rules: Vec<String> =
        check_edges(&members).into_iter().map(|finding| finding.rule).collect();
    let expected = [
        "`plimsoll-monitor` never depends on `plimsoll-loadgen`",
        "`plimsoll-domain` never depends on `plimsoll-deploy`",
        "`plimsoll` never depends on `plimsoll-benches`",
        "`plimsoll-extra` is not in the crate graph",
        "`plimsoll-deploy` never depends on `plimsoll-host`",
    ];
    assert_eq!(rules, expected);
}

#[test]
fn banned_crates_and_missing_lints_are_found() {
    let found = check_banned(
        "tokio v1.53.0\nring v0.17.14\nserde_yaml v0.9.34+deprecated\nstring v1.0.0 (*)\n",
    );
    let rules: Vec<&str> = found.iter().map(|finding| finding.rule.as_str()).collect();
    assert_eq!(rules, ["`ring` is never built in", "`serde_yaml` is never built in"]);

    assert!(check_lints("a/Cargo.toml", "[package]\nname = \"a\"\n").is_some());
    assert!(check_lints("a/Cargo.toml", "[lints]\nworkspace = false\n").is_some());
    assert!(check_lints("a/Cargo.toml", "[package]\n\n[lints]\nworkspace = true\n").is_none());
}
