//! Endpoints, deployments, instances and quota: the deployment driver.

pub mod admission;
pub mod arm;
pub mod files;
mod iso8601;
pub mod limits;
pub mod naming;
pub mod quota;
pub mod rollout;
pub mod service_time;
pub mod shift;
pub mod sku;
pub mod spec;
pub mod workspace;
