//! `plimsoll autoscale lint`: what is likely to be wrong with rules.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use plimsoll_autoscale::lint::{Context, Deployment, Finding, lint};
use plimsoll_autoscale::{Kind, RulesFile};
use plimsoll_deploy::files::read_deployment;
use plimsoll_deploy::quota::{QuotaPlan, Usages};
use plimsoll_deploy::spec::DeploymentSpec;
use plimsoll_document::{Document, Problem, Problems, Severity, read_text};
use plimsoll_domain::plain;
use plimsoll_domain::units::parse_duration;
use serde::Serialize;

use super::{means_nothing, sarif};
use crate::exit::Exit;
use crate::view;

/// `plimsoll autoscale lint FILE…`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files of rules
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// How findings are printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,

    /// The deployment that is scaled (`az ml online-deployment`): its admission limit, request
    /// timeout and workers bound the latencies that rules can see
    #[arg(long, value_name = "FILE")]
    pub deployment: Option<PathBuf>,

    /// What the subscription uses and may use, as Azure's usages call answers: the maximum must fit,
    /// with the reserve of 20 %
    #[arg(long, value_name = "FILE", requires = "deployment")]
    pub limits: Option<PathBuf>,

    /// How long one request takes alone
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub service_time: Option<Duration>,

    /// How long the load takes to grow from what the minimum carries to what the maximum does
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub ramp: Option<Duration>,

    /// How long a metric takes until it can be read; none is published for endpoints
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "3m")]
    pub metric_delay: Duration,
}

/// How findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people: the line with a caret, why, whose word that is
    Text,
    /// A list of findings
    Json,
    /// Annotations of GitHub Actions
    Github,
    /// SARIF 2.1.0, as code scanners print it
    Sarif,
}

/// A finding with its place.
#[derive(Debug, Serialize)]
pub(super) struct Placed {
    pub(super) file: String,
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) severity: &'static str,
    pub(super) id: &'static str,
    pub(super) message: String,
    pub(super) why: String,
    pub(super) source: &'static str,
    pub(super) fix: String,
    #[serde(skip)]
    problem: Problem,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    let mut problems = Problems::new();
    let context = match context(args, &mut problems) {
        Ok(context) => context,
        Err(error) => {
            view::error(&error);
            return Ok(Exit::Usage);
        }
    };
    let (mut found, mut kinds) = (Vec::new(), Vec::new());
    for path in &args.files {
        match RulesFile::open(path) {
            Err(wrong) => problems.append(wrong),
            Ok(file) => {
                kinds.push(file.rules.kind());
                let findings = lint(&file.rules, &context);
                found.extend(findings.into_iter().map(|finding| placed(finding, &file)));
            }
        }
    }
    let for_azure = args.deployment.is_some() || args.service_time.is_some() || args.ramp.is_some();
    if let (true, [kind, ..]) = (kinds.iter().all(|kind| *kind != Kind::Azure), &*kinds)
        && means_nothing(for_azure, "--deployment, --service-time or --ramp", *kind)
    {
        return Ok(Exit::Usage);
    }
    if !problems.is_empty() {
        view::problems(&problems);
        return Ok(Exit::Usage);
    }
    match args.format {
        Format::Text => text(&found, args.files.len()),
        Format::Json => view::json(&found)?,
        Format::Github => github(&found),
        Format::Sarif => view::json(&sarif::log(&found))?,
    }
    let errors = found.iter().any(|finding| finding.severity == "error");
    Ok(if errors { Exit::Breached } else { Exit::Success })
}

fn placed(finding: Finding, file: &RulesFile) -> Placed {
    let problem = finding.problem(file);
    Placed {
        file: problem.file().to_owned(),
        line: problem.line(),
        column: problem.column(),
        severity: match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        },
        id: finding.id,
        message: finding.message,
        why: finding.why,
        source: finding.source,
        fix: finding.fix,
        problem,
    }
}

fn text(found: &[Placed], files: usize) {
    if found.is_empty() {
        let word = if files == 1 { "file" } else { "files" };
        view::print(&format!("{files} {word}: nothing is wrong with the rules"));
        return;
    }
    let one = |finding: &Placed| {
        let mut problems = Problems::new();
        problems.push(finding.problem.clone());
        let Placed { id, why, source, .. } = finding;
        format!("{problems}\n  = why: {why}\n  = source: {source}\n  = lint: {id}")
    };
    view::print(&found.iter().map(one).collect::<Vec<_>>().join("\n\n"));
    let count = |word| found.iter().filter(|finding| finding.severity == word).count();
    view::print(&format!("\n{} errors, {} warnings", count("error"), count("warning")));
}

/// Source: GitHub, *Workflow commands*: `%`, line ends, and in properties `:` and `,` are escaped.
fn github(found: &[Placed]) {
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    for finding in found {
        let Placed { file, line, column, id, message, fix, why, source, .. } = finding;
        let level = if finding.severity == "note" { "notice" } else { finding.severity };
        let message = format!("{message}. {why} ({source}). {fix}");
        view::print(&format!(
            "::{level} file={},line={line},col={column},title={}::{}",
            property(&plain::line(file)),
            property(id),
            data(&plain::line(&message))
        ));
    }
}

fn context(args: &Args, problems: &mut Problems) -> Result<Context> {
    let seconds = |duration: Duration| u32::try_from(duration.as_secs()).unwrap_or(u32::MAX);
    let mut deployment = None;
    if let Some(path) = &args.deployment {
        deployment = match Document::open(path) {
            Ok(document) => {
                let folder = super::super::check::folder(path);
                read_deployment(&document, folder, problems)
            }
            Err(found) => {
                problems.append(found);
                None
            }
        };
    }
    let limits = args.limits.as_deref().map(usages).transpose()?;
    Ok(Context {
        metric_delay_s: Some(seconds(args.metric_delay)),
        ramp_s: args.ramp.map(seconds),
        service_time_s: args.service_time.map(|time| time.as_secs_f64()),
        deployment: deployment.map(|spec| known(&spec, limits.as_ref())),
    })
}

fn usages(path: &Path) -> Result<Usages> {
    let wrong = || format!("{} cannot be used as limits", path.display());
    let text = read_text(path).map_err(|problem| anyhow::anyhow!("{}", problem.message()));
    Usages::read(&text.with_context(wrong)?).with_context(wrong)
}

fn known(spec: &DeploymentSpec, limits: Option<&Usages>) -> Deployment {
    let settings = &spec.request_settings;
    let workers = spec.environment_variables.get("WORKER_COUNT");
    Deployment {
        max_concurrent: settings.max_concurrent_requests_per_instance.get(),
        workers: workers.and_then(|text| text.trim().parse().ok()).unwrap_or(1),
        request_timeout_s: settings.request_timeout.as_secs_f64(),
        most_by_quota: limits.and_then(|limits| most_by_quota(spec, limits)),
    }
}

/// The largest count that fits, and what the next one lacks.
fn most_by_quota(spec: &DeploymentSpec, limits: &Usages) -> Option<(u32, String)> {
    let mut most = 0;
    for count in 1..=plimsoll_autoscale::azure::MOST_INSTANCES {
        let spec = DeploymentSpec { instance_count: count.try_into().ok()?, ..spec.clone() };
        let plan = QuotaPlan::for_deployments(std::slice::from_ref(&spec), "");
        let assessment = plan.assess(limits, "");
        if !assessment.fits {
            let short = format!("{} × {} and the reserve do not fit", count, spec.instance_type);
            return Some((most, short));
        }
        most = count;
    }
    None
}
