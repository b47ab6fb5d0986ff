//! `plimsoll quota`: what deployments need of a subscription's quota, and whether it fits.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use plimsoll_deploy::files::{FileKind, kind_of, read_size};
use plimsoll_deploy::quota::{Assessment, Fit, QuotaPlan, Usages, Wanted};
use plimsoll_deploy::sku::Sku;
use plimsoll_deploy::spec::{DeploymentSpec, Platform};
use plimsoll_document::{Document, Problems, read_text};

use super::check::unknown;
use super::given::Given;
use super::{azure, place};
use crate::exit::Exit;
use crate::scenario::{self, Quota};
use crate::view;

/// `plimsoll quota -f FILE…`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Deployment files, or scenarios whose deployments are taken
    #[arg(short, long = "file", required = true, num_args = 1.., value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Keys given beside the file.
    #[command(flatten)]
    pub given: Given,

    /// What the subscription uses and may use: the JSON that Azure's usages call answers
    /// [default: what a given scenario names]
    #[arg(long, value_name = "FILE")]
    pub limits: Option<PathBuf>,

    /// Ask Azure what the subscription uses and may use in --region, as whoever `az login` or the variables of a service principal say
    #[arg(long, conflicts_with = "limits", requires = "region")]
    pub live: bool,

    /// The region that the plan is for [default: a given scenario's, else local]
    #[arg(long)]
    pub region: Option<String>,

    /// The subscription that messages name, and that --live asks about [default there: `AZURE_SUBSCRIPTION_ID`, or the one of `az account show`]
    #[arg(long, value_name = "ID")]
    pub subscription: Option<String>,

    /// Instances that run already, to plan the scaling of one deployment
    #[arg(long, value_name = "COUNT")]
    pub running: Option<u32>,

    /// Print JSON instead of a table
    #[arg(long)]
    pub json: bool,
}

/// The subscription in messages, where nobody names one.
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

pub(crate) fn run(args: Args) -> Result<Exit> {
    let Args { mut files, mut given, limits, live, region, subscription, running, json } = args;
    given.files_after_set(&mut files);
    if let Some(wrong) = given.ambiguous(files.len()) {
        view::note(&format!("error: {wrong}"));
        return Ok(Exit::Usage);
    }
    let Asked { deployments, quotas } = match asked(&files, &given) {
        Ok(asked) => asked,
        Err(problems) => {
            view::problems(&problems);
            return Ok(Exit::Usage);
        }
    };
    let named = quotas.iter().find(|quota| quota.limits.is_some()).or(quotas.first());
    let region = region.or(named.map(|quota| quota.region.clone()));
    let region = region.unwrap_or_else(|| "local".to_owned());
    let plan = match (running, deployments.as_slice()) {
        (None, all) => QuotaPlan::for_deployments(all, &region),
        (Some(running), [one]) => QuotaPlan::for_scaling(one, running, &region),
        (Some(_), all) => {
            let count = all.len();
            view::note(&format!("error: --running is for one deployment, and {count} are given"));
            return Ok(Exit::Usage);
        }
    };
    let mut subscription = subscription;
    let limits = if live {
        let mut found = None;
        let asked = azure::drive(async |_| {
            let (usages, of) = place::usages(subscription.as_deref(), &region).await?;
            found = Some((usages, of));
            Ok(())
        })?;
        let Some((usages, of)) = found else { return Ok(asked) };
        subscription = Some(of);
        Ok(Some(usages))
    } else {
        limits.as_deref().map(usages).transpose()
    };
    let usages = match limits {
        Ok(given) => given.or(named.and_then(|quota| quota.limits.clone())),
        Err(error) => {
            view::error(&error);
            return Ok(Exit::Usage);
        }
    };
    let Some(usages) = usages else {
        show(&plan, json)?;
        return Ok(if plan.unknown.is_empty() { Exit::Success } else { Exit::Usage });
    };
    let fits = fits(&deployments, running, &usages);
    let assessment = plan.assess(&usages, subscription.as_deref().unwrap_or(NOBODY));
    if json {
        view::json(&Assessed { assessment: &assessment, now: &fits })?;
    } else {
        show(&assessment, false)?;
        for fit in &fits {
            view::print(&format!("now: {fit}"));
        }
    }
    Ok(if assessment.fits { Exit::Success } else { Exit::Deployment })
}

/// An assessment, with what fits now of each machine size.
#[derive(serde::Serialize)]
struct Assessed<'a> {
    #[serde(flatten)]
    assessment: &'a Assessment,
    now: &'a [Fit],
}

/// What fits now of each machine size that is asked for, with all its deployments together. What runs
/// already has its quota.
fn fits(deployments: &[DeploymentSpec], running: Option<u32>, usages: &Usages) -> Vec<Fit> {
    let mut wanted: Vec<(&'static Sku, Wanted)> = Vec::new();
    let managed = deployments.iter().filter(|spec| matches!(spec.platform, Platform::Managed));
    for spec in managed {
        let Some(sku) = Sku::find(&spec.instance_type) else { continue };
        let count = spec.instance_count.get();
        let one = Wanted::deployment(sku, count, running.unwrap_or(0).min(count));
        match wanted.iter_mut().find(|(known, _)| known.name == sku.name) {
            Some((_, sum)) => *sum = sum.and(one),
            None => wanted.push((sku, one)),
        }
    }
    wanted.into_iter().map(|(sku, all)| Fit::of(sku, all, usages)).collect()
}

fn show<T: std::fmt::Display + serde::Serialize>(what: &T, json: bool) -> Result<()> {
    if json {
        view::json(what)?;
    } else {
        view::print(&what.to_string().trim_end());
    }
    Ok(())
}

fn usages(path: &Path) -> Result<Usages> {
    let text = read_text(path).map_err(|problem| {
        anyhow::anyhow!("{} cannot be used as limits: {}", path.display(), problem.message())
    })?;
    Usages::read(&text).with_context(|| format!("{} cannot be used as limits", path.display()))
}

/// What the files ask for.
#[derive(Debug, Default)]
struct Asked {
    deployments: Vec<DeploymentSpec>,
    /// Of the scenarios among them.
    quotas: Vec<Quota>,
}

/// All that all files ask for, or all problems of all files.
fn asked(paths: &[PathBuf], given: &Given) -> Result<Asked, Problems> {
    let (mut all, mut problems) = (Asked::default(), Problems::new());
    for path in paths {
        match asked_by(path, given) {
            Ok(Asked { deployments, quotas }) => {
                all.deployments.extend(deployments);
                all.quotas.extend(quotas);
            }
            Err(found) => problems.append(found),
        }
    }
    problems.or(Some(all))
}

fn asked_by(path: &Path, given: &Given) -> Result<Asked, Problems> {
    if path.is_dir() {
        return of_scenario(path);
    }
    let mut document = Document::open(path)?;
    let kind = kind_of(&document);
    given.put(&mut document, kind)?;
    match kind {
        FileKind::Scenario => of_scenario(path),
        FileKind::Deployment => {
            let mut problems = Problems::new();
            let spec = read_size(&document, &mut problems);
            problems.or(spec.map(|spec| Asked { deployments: vec![spec], quotas: Vec::new() }))
        }
        FileKind::Endpoint => {
            let mut problems = Problems::new();
            let problem = document.problem_at("", "an endpoint needs no quota; its deployments do");
            problems.push(problem.hint("give the deployment files"));
            Err(problems)
        }
        FileKind::Other(_) | FileKind::Unknown => Err(unknown(&document, kind)),
    }
}

fn of_scenario(path: &Path) -> Result<Asked, Problems> {
    let (deployments, quota) = scenario::sizes(path)?;
    let quotas = if deployments.is_empty() { Vec::new() } else { vec![quota] };
    Ok(Asked { deployments, quotas })
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
        let (region, subscription) = (Some("westeurope".to_owned()), Some("s".to_owned()));
        let args = Args {
            files: vec![file],
            given: Given::default(),
            limits,
            live: false,
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
        assert_eq!(exit("name: blue\nendpoint_name: e\n", None), Exit::Usage);
        assert_eq!(exit(BLUE, Some("{}")), Exit::Usage);
    }

    #[test]
    fn a_scenario_brings_its_region_and_limits() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text);
        write("blue.yml", BLUE).unwrap();
        write("endpoint.yml", "name: my-endpoint\n").unwrap();
        write("usages.json", TRIAL).unwrap();
        write(
            "scenario.yml",
            "name: s\nendpoint: endpoint.yml\ndeployments: [blue.yml]\nrequest: {method: GET}\n\
             load: {stages: [{duration: 1s, rps: 1}]}\nquota: {region: x, limits: usages.json}\n",
        )
        .unwrap();
        let asked = asked(&[folder.path().to_owned()], &Given::default()).unwrap();
        assert_eq!((asked.deployments.len(), asked.quotas[0].region.as_str()), (1, "x"));
        let args = Args {
            files: vec![folder.path().to_owned()],
            given: Given::default(),
            limits: None,
            live: false,
            region: None,
            subscription: Some("s".to_owned()),
            running: None,
            json: true,
        };
        assert_eq!(run(args).unwrap(), Exit::Deployment, "6 are allowed, and 8 needed");
    }
}
