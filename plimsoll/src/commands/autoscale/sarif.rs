//! Findings as SARIF.
//!
//! Source: OASIS, *Static Analysis Results Interchange Format* 2.1.0.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::lint::Placed;

/// The log of one run of the linter.
pub(super) fn log(found: &[Placed]) -> Value {
    let mut rules: BTreeMap<&str, Value> = BTreeMap::new();
    for finding in found {
        rules.entry(finding.id).or_insert_with(|| {
            json!({
                "id": finding.id,
                "shortDescription": {"text": finding.id.replace('-', " ")},
                "fullDescription": {"text": format!("{} ({})", finding.why, finding.source)},
            })
        });
    }
    let result = |finding: &Placed| {
        let Placed { message, why, source, fix, .. } = finding;
        json!({
            "ruleId": finding.id,
            "level": finding.severity,
            "message": {"text": format!("{message}. {why} ({source}). {fix}")},
            "locations": [{"physicalLocation": {
                "artifactLocation": {"uri": finding.file.replace('\\', "/").replace(' ', "%20")},
                "region": {"startLine": finding.line, "startColumn": finding.column},
            }}],
        })
    };
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "plimsoll",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules.into_values().collect::<Vec<_>>(),
            }},
            "results": found.iter().map(result).collect::<Vec<_>>(),
        }],
    })
}
