//! `plimsoll schema`: JSON Schemas, for editors that complete YAML.

use anyhow::Result;

use crate::cli::{SchemaArgs, SchemaKind};
use crate::exit::Exit;
use crate::results::Summary;
use crate::scenario::RawScenario;
use crate::view;

pub(super) fn run(args: &SchemaArgs) -> Result<Exit> {
    let schema = match args.kind {
        SchemaKind::Scenario => schemars::schema_for!(RawScenario).to_value(),
        SchemaKind::Endpoint => plimsoll_deploy::files::endpoint_schema(),
        SchemaKind::Deployment => plimsoll_deploy::files::deployment_schema(),
        SchemaKind::Summary => schemars::schema_for!(Summary).to_value(),
    };
    view::print(&serde_json::to_string_pretty(&schema)?);
    Ok(Exit::Success)
}
