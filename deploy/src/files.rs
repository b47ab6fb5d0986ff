//! The YAML files of `az ml online-endpoint` and `az ml online-deployment`, read and checked.
//!
//! A file becomes an [`EndpointSpec`](crate::spec::EndpointSpec) or a
//! [`DeploymentSpec`](crate::spec::DeploymentSpec), or a list of everything that is wrong with it.
//! The rules are those of the command line and of the service behind it, so that what is accepted
//! here is accepted there. One key is ours: `synthetic`, which serves drawn service times instead
//! of a model. What this machine cannot do is kept in the spec for Azure, or refused at its key;
//! nothing is dropped in silence.
//!
//! Reading looks at the disk: paths are resolved against the file's folder, have to exist, and the
//! conda file is read.

mod asset;
mod collector;
mod deployment;
mod endpoint;
mod environment;
mod kind;
mod model;
mod names;
mod reader;
mod resources;
mod settings;
mod size;
mod synthetic;
mod values;

pub use asset::{read_environment, read_model};
pub use deployment::read_deployment;
pub use endpoint::read_endpoint;
pub use kind::{FileKind, contradiction, kind_of};
pub use size::read_size;

/// The JSON Schema of an endpoint file, for editors.
pub fn endpoint_schema() -> serde_json::Value {
    schemars::schema_for!(endpoint::Raw).to_value()
}

/// The JSON Schema of a deployment file, for editors.
pub fn deployment_schema() -> serde_json::Value {
    schemars::schema_for!(deployment::Raw).to_value()
}

#[cfg(test)]
mod tests;
