//! `plimsoll endpoint invoke`

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use plimsoll_deploy::arm::ArmDriver;
use plimsoll_document::read_text;
use plimsoll_domain::json_words;
use serde_json::Value;

use super::Which;
use crate::commands::azure::{self, Failure};
use crate::exit::Exit;
use crate::view;

/// `plimsoll endpoint invoke`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which.
    #[command(flatten)]
    pub which: Which,
    /// Send it to this deployment, past the traffic
    #[arg(short, long, value_name = "NAME", value_parser = azure::name)]
    pub deployment_name: Option<String>,
    /// The request's body: a JSON file
    #[arg(short, long, value_name = "FILE")]
    pub request_file: PathBuf,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    azure::drive_at(&args.which.place, async |view| {
        if args.which.place.is_dry() {
            let wrong = "--dry-run is about the control plane; `invoke` sends one request to the endpoint itself";
            return Err(Failure::Usage(wrong.to_owned()));
        }
        let body = body(&args.request_file)?;
        let driver = args.which.place.driver().await?;
        let name = &args.which.name;
        let endpoint = driver.endpoint(name).await?;
        check_deployment(&driver, name, args.deployment_name.as_deref()).await?;
        let secret = driver.secret(name, endpoint.properties.auth_mode).await?;
        let url = endpoint.properties.scoring_uri.unwrap_or_default();
        view.step(&format!("invoking endpoint {name}"), "");
        let scored = driver.score(&url, &secret, args.deployment_name.as_deref(), body).await;
        let scored = scored.map_err(anyhow::Error::from)?;
        view.clear();
        let text = String::from_utf8_lossy(&scored.body);
        if !matches!(scored.status, 200 | 201) {
            let model = scored.model_status.map_or_else(String::new, |status| {
                format!(", the model {status}; `plimsoll deployment get-logs` tells more")
            });
            let status = scored.status;
            return Err(anyhow!("endpoint `{name}` answered {status}{model}\n{text}").into());
        }
        view::output(&text);
        Ok(())
    })
}

/// JSON, as `az` reads and writes it again.
fn body(file: &std::path::Path) -> Result<Vec<u8>, Failure> {
    let text = read_text(file)
        .map_err(|problem| Failure::Usage(format!("{}: {}", file.display(), problem.message())))?;
    let value: Value = serde_json::from_str(&text).map_err(|error| {
        Failure::Usage(format!("{} is no JSON: {}", file.display(), json_words(&error)))
    })?;
    Ok(serde_json::to_vec(&value).context("it was JSON")?)
}

async fn check_deployment(
    driver: &ArmDriver,
    endpoint: &str,
    wanted: Option<&str>,
) -> Result<(), Failure> {
    let deployments = driver.deployments(endpoint).await?;
    if deployments.is_empty() {
        return Err(anyhow!(
            "No deployment exists for this endpoint; `plimsoll deployment create` makes one"
        )
        .into());
    }
    match wanted {
        Some(wanted) if !deployments.iter().any(|each| each.name.as_deref() == Some(wanted)) => {
            let names: Vec<_> = deployments.into_iter().filter_map(|each| each.name).collect();
            let names = names.join(", ");
            Err(anyhow!("Deployment name {wanted} not found for this endpoint; it has {names}")
                .into())
        }
        _ => Ok(()),
    }
}
