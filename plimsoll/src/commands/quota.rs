//! `plimsoll quota`: what deployments need of a subscription's quota, and whether it fits.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use plimsoll_deploy::files::{self, FileKind, kind_of};
use plimsoll_deploy::quota::{QuotaPlan, Usages};
use plimsoll_deploy::spec::DeploymentSpec;
use plimsoll_domain::Problems;

use super::check::{folder, unknown};
use crate::exit::Exit;
use crate::scenario::{self, Place, open};
use crate::view;

/// `plimsoll quota -f FILE…`
#[derive(Debug, Args)]
pub struct QuotaArgs {
    /// Deployment files, or scenarios whose deployments are taken
    #[arg(short, long = "file", required = true, num_args = 1.., value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// What the subscription uses and may use: the JSON that Azure's usages call answers
    #[arg(long, value_name = "FILE")]
    pub limits: Option<PathBuf>,

    /// The region that the plan is for
    #[arg(long, default_value = "local")]
    pub region: String,

    /// The subscription that messages name
    #[arg(long, default_value = "00000000-0000-0000-0000-000000000000", value_name = "ID")]
    pub subscription: String,

    /// Instances that run already, to plan the scaling of one deployment
    #[arg(long, value_name = "COUNT")]
    pub running: Option<u32>,

    /// Print JSON instead of a table
    #[arg(long)]
    pub json: bool,
}

pub(super) fn run(args: QuotaArgs) -> Result<Exit> {
    let QuotaArgs { files, limits, region, subscription, running, json } = args;
    let deployments = match deployments(&files) {
        Ok(deployments) => deployments,
        Err(problems) => {
            view::problems(&problems);
            return Ok(Exit::Usage);
        }
    };
    let plan = match (running, deployments.as_slice()) {
        (None, all) => QuotaPlan::for_deployments(all, &region),
        (Some(running), [one]) => QuotaPlan::for_scaling(one, running, &region),
        (Some(_), all) => {
            let count = all.len();
            view::note(&format!("error: --running is for one deployment, and {count} are given"));
            return Ok(Exit::Usage);
        }
    };
    let Some(limits) = limits else {
        show(&plan, json)?;
        return Ok(if plan.unknown.is_empty() { Exit::Success } else { Exit::Usage });
    };
    let usages = match usages(&limits) {
        Ok(usages) => usages,
        Err(error) => {
            view::error(&error);
            return Ok(Exit::Usage);
        }
    };
    let assessment = plan.assess(&usages, &subscription);
    show(&assessment, json)?;
    Ok(if assessment.fits { Exit::Success } else { Exit::Deployment })
}

fn show<T: std::fmt::Display + serde::Serialize>(what: &T, json: bool) -> Result<()> {
    if json {
        view::print(&serde_json::to_string_pretty(what)?);
    } else {
        view::print(&what.to_string().trim_end());
    }
    Ok(())
}

fn usages(path: &Path) -> Result<Usages> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("{} cannot be read", path.display()))?;
    Usages::read(&text).with_context(|| format!("{} cannot be used as limits", path.display()))
}

/// All deployments of all files, or all problems of all files.
fn deployments(paths: &[PathBuf]) -> Result<Vec<DeploymentSpec>, Problems> {
    let (mut all, mut problems) = (Vec::new(), Problems::new());
    for path in paths {
        match deployments_of(path) {
            Ok(found) => all.extend(found),
            Err(found) => problems.append(found),
        }
    }
    problems.or(Some(all))
}

fn deployments_of(path: &Path) -> Result<Vec<DeploymentSpec>, Problems> {
    if path.is_dir() {
        return of_scenario(path);
    }
    let document = open(path)?;
    match kind_of(&document) {
        FileKind::Scenario => of_scenario(path),
        FileKind::Deployment => {
            let mut problems = Problems::new();
            let spec = files::read_deployment(&document, folder(path), &mut problems);
            problems.or(spec.map(|spec| vec![spec]))
        }
        FileKind::Endpoint => {
            let mut problems = Problems::new();
            let problem = document.problem_at("", "an endpoint needs no quota; its deployments do");
            problems.push(problem.hint("give the deployment files"));
            Err(problems)
        }
        FileKind::Unknown => Err(unknown(&document)),
    }
}

fn of_scenario(path: &Path) -> Result<Vec<DeploymentSpec>, Problems> {
    Ok(match scenario::read(path)?.place {
        Place::Deployed(deployed) => deployed.deployments,
        Place::Existing(_) => Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLUE: &str = "name: blue\nendpoint_name: my-endpoint\nmodel: azureml:my-model:1\n\
                        instance_type: Standard_DS3_v2\ninstance_count: 1\n";
    const TRIAL: &str = r#"[
        {"currentValue": 0, "limit": 6, "name": {"value": "Standard DSv2 Family Cluster Dedicated vCPUs"}},
        {"currentValue": 0, "limit": 24, "name": {"value": "Total Cluster Dedicated Regional vCPUs"}}
    ]"#;

    fn exit(deployment: &str, limits: Option<&str>) -> Exit {
        let folder = tempfile::tempdir().unwrap();
        let (file, usages) = (folder.path().join("blue.yml"), folder.path().join("usages.json"));
        std::fs::write(&file, deployment).unwrap();
        let limits = limits.map(|text| {
            std::fs::write(&usages, text).unwrap();
            usages
        });
        let (region, subscription) = ("westeurope".to_owned(), "s".to_owned());
        let args = QuotaArgs {
            files: vec![file],
            limits,
            region,
            subscription,
            running: None,
            json: true,
        };
        run(args).unwrap()
    }

    #[test]
    fn what_fits_not_is_a_failed_deployment() {
        assert_eq!(exit(BLUE, None), Exit::Success);
        assert_eq!(exit(BLUE, Some(TRIAL)), Exit::Deployment);
        assert_eq!(exit(BLUE, Some(&TRIAL.replace(": 6,", ": 8,"))), Exit::Success);
    }

    #[test]
    fn wrong_files_are_wrong_usage() {
        assert_eq!(exit("name: blue\n", None), Exit::Usage);
        assert_eq!(exit(BLUE, Some("{}")), Exit::Usage);
    }
}
