//! Quota: how many vCPUs deployments need, and whether a subscription may have them.
//!
//! Azure holds back 20 % of the instances for upgrades, so that n instances need quota for
//! `ceil(1.2·n)`, times the vCPUs of one; some large machine sizes are exempt. The pool of the
//! machine's family, the pool of the region and the count of clusters must all have room. Nothing
//! here asks Azure: a [`QuotaPlan`] comes from deployments, [`Usages`] from the answer to Azure's
//! usages call, and their comparison is arithmetic.
//!
//! Kubernetes deployments run on machines that exist already, and need none of this.

mod demand;
mod family;
mod fit;
mod plan;
mod refusal;
mod table;
mod usages;

pub use demand::{Demand, UnknownSize, reserve};
pub use fit::{Fit, Request, Wanted};
pub use plan::{Assessment, Pool, QuotaPlan};
pub use refusal::Refusal;
pub use usages::{Usage, Usages, UsagesError};

#[cfg(test)]
mod tests;
