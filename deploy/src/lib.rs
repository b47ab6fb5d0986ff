//! Endpoints, deployments, instances and quota: the deployment driver.

pub mod spec;
