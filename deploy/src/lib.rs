//! Endpoints, deployments, instances and quota: the deployment driver.

pub mod admission;
pub mod arm;
pub mod files;
pub mod quota;
pub mod sku;
pub mod spec;
pub mod workspace;
