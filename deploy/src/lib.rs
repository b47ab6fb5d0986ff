//! Endpoints, deployments, instances and quota: the deployment driver.

pub mod files;
pub mod quota;
pub mod runtime;
pub mod sku;
pub mod spec;
