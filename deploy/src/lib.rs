//! Endpoints, deployments, instances and quota: the deployment driver.

pub mod arm;
pub mod files;
pub mod host;
pub mod local;
pub mod quota;
pub mod runtime;
pub mod sku;
pub mod spec;
pub mod workspace;
