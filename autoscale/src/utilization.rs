//! Azure ML's own autoscaler of online deployments on Kubernetes (`azureml-fe`): the `scale_settings` of
//! type `target_utilization` of a deployment's YAML.
//!
//! Sources: learn.microsoft.com, "Inference router and connectivity requirements"
//! (`how-to-kubernetes-inference-routing-azureml-fe`) for the rule; "CLI (v2) Azure Arc-enabled Kubernetes
//! online deployment YAML schema" for keys and defaults. The rule looks at requests, although the
//! schema calls the target a CPU usage:
//!
//! `utilization = (busy replicas + requests queued in azureml-fe) / current replicas`, looked at every
//! `polling_interval`. Above the target, replicas are added at once; below it they are removed
//! conservatively, after about 20 intervals.
//!
//! What Microsoft does not document is a setting, with a default, as a tag of the deployment:
//!
//! | Tag | Default | |
//! |---|---|---|
//! | `plimsoll/scale-down-polls` | 20 | For how many intervals the utilization must have been below the target before replicas are removed. "About 20" is documented, whether it must be all of them is not. |
//! | `plimsoll/scale-up` | `to-target` | How far one step goes up: `to-target`, to the count at which the utilization is the target, as the documented sizing formula computes it; or `one`, by one replica. |
//! | `plimsoll/scale-down` | `to-target` | The same for the way down: `to-target` takes the largest load of those intervals. |
//!
//! What a state says: the metrics `busy_replicas` and `queued_requests` of the target; instead of the
//! first each instance may report `busy` (0 or 1).

mod decide;
mod read;

pub use decide::Memory;
pub use read::{TargetUtilization, read};
