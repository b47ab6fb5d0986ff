//! Where a command that mirrors `az ml` happens: on this machine, or in an Azure ML workspace.

mod defaults;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use clap::{Args, ValueEnum};
use plimsoll_deploy::arm::ArmDriver;
use plimsoll_deploy::arm::cloud::Cloud;
use plimsoll_deploy::arm::credential::{Credential, Source};
use plimsoll_deploy::arm::dry::Reads;
use plimsoll_deploy::arm::transport::Transport;
use plimsoll_deploy::quota::Usages;
use plimsoll_deploy::workspace::Workspace;

use super::azure::Failure;
use crate::standing;
use crate::view::{self, View};
use defaults::Defaults;

/// Where it happens.
#[derive(Debug, Args)]
pub struct Place {
    /// Taken as az takes it: this machine is where everything happens, with and without it
    #[arg(long, conflicts_with_all = ["target", "dry_run"])]
    pub local: bool,
    /// Where it happens: on this machine, or in a workspace of Azure ML
    #[arg(long, value_enum, default_value_t, value_name = "WHERE", help_heading = "Azure")]
    pub target: Target,
    /// The subscription's id [default: `AZURE_SUBSCRIPTION_ID`, or the one of `az account show`]
    #[arg(long, value_name = "ID", help_heading = "Azure")]
    pub subscription: Option<String>,
    /// The resource group [default: the one of `az configure`]
    #[arg(short = 'g', long, value_name = "NAME", help_heading = "Azure")]
    pub resource_group: Option<String>,
    /// The workspace [default: the one of `az configure`]
    #[arg(short, long, alias = "workspace-name", value_name = "NAME", help_heading = "Azure")]
    pub workspace: Option<String>,
    /// Certificates to trust besides this machine's, as PEM [default: `REQUESTS_CA_BUNDLE`]
    #[arg(long, value_name = "FILE", help_heading = "Azure")]
    pub ca_file: Option<PathBuf>,
    /// Print the requests instead of sending them, secrets hidden; `offline` reads nothing either
    #[arg(long, value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "online", value_name = "HOW", help_heading = "Azure")]
    pub dry_run: Option<DryRun>,
    #[arg(skip)]
    driver: OnceLock<Arc<ArmDriver>>,
}

/// Where a command happens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Target {
    /// This machine
    #[default]
    Local,
    /// A workspace of Azure ML
    Azure,
}

/// What a dry run reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DryRun {
    /// What is there, to start from it
    Online,
    /// Nothing: the workspace is taken to be empty
    Offline,
}

impl Place {
    /// Whether it is Azure.
    pub(super) fn is_azure(&self) -> bool {
        self.target == Target::Azure
    }

    /// Whether nothing is to be done.
    pub(super) fn is_dry(&self) -> bool {
        self.dry_run.is_some()
    }

    /// The driver of Azure, or of the host that runs.
    pub(super) async fn driver(&self) -> Result<Arc<ArmDriver>, Failure> {
        if self.is_azure() {
            return self.azure().await;
        }
        self.nothing_of_azure()?;
        Ok(Arc::new(standing::get()?.driver()?))
    }

    /// The same with a host that is started for it if none runs.
    pub(super) async fn ensured(&self, view: &View) -> Result<Arc<ArmDriver>, Failure> {
        if self.is_azure() {
            return self.azure().await;
        }
        self.nothing_of_azure()?;
        Ok(Arc::new(standing::ensure(view).await?.driver()?))
    }

    /// The driver of the host that runs, if one does; or of Azure.
    pub(super) async fn found(&self) -> Result<Option<Arc<ArmDriver>>, Failure> {
        if self.is_azure() {
            return self.azure().await.map(Some);
        }
        self.nothing_of_azure()?;
        Ok(standing::find()?.map(|standing| standing.driver()).transpose()?.map(Arc::new))
    }

    /// Prints what a dry run would have sent.
    pub(super) fn tell_dry_run(&self) {
        let Some(driver) = self.driver.get().filter(|_| self.is_dry()) else { return };
        let requests = driver.rehearsed();
        let texts: Vec<_> = requests.iter().map(ToString::to_string).collect();
        view::output(&texts.join("\n\n"));
    }

    /// Refuses what says where in Azure, where nothing is done there.
    fn nothing_of_azure(&self) -> Result<(), Failure> {
        let given = [
            ("--subscription", self.subscription.is_some()),
            ("--resource-group", self.resource_group.is_some()),
            ("--workspace", self.workspace.is_some()),
            ("--ca-file", self.ca_file.is_some()),
            ("--dry-run", self.is_dry()),
        ];
        match given.into_iter().find(|(_, is_given)| *is_given) {
            Some((flag, _)) => {
                Err(Failure::Usage(format!("{flag} is about Azure; give --target azure with it")))
            }
            None => Ok(()),
        }
    }

    async fn azure(&self) -> Result<Arc<ArmDriver>, Failure> {
        if let Some(driver) = self.driver.get() {
            return Ok(Arc::clone(driver));
        }
        let made = Arc::new(self.connect().await?);
        Ok(Arc::clone(self.driver.get_or_init(|| made)))
    }

    async fn connect(&self) -> Result<ArmDriver, Failure> {
        let defaults = Defaults::read(&variable);
        let workspace = self.workspace_of(&defaults)?;
        let subscription = self.subscription.as_deref();
        connect(workspace, subscription, self.ca_file.as_deref(), self.dry_run).await
    }

    fn workspace_of(&self, defaults: &Defaults) -> Result<Workspace, Failure> {
        let part = |flag: &str, given: Option<&String>, default: Option<&String>| {
            let value = given.or(default).ok_or_else(|| {
                Failure::Usage(format!(
                    "nothing says which {}; give --{flag}, or make it the default: {}",
                    flag.replace('-', " "),
                    match flag {
                        "subscription" => "`az account set --subscription ID`",
                        "resource-group" => "`az configure --defaults group=NAME`",
                        _ => "`az configure --defaults workspace=NAME`",
                    }
                ))
            })?;
            let odd = |c: char| !(c.is_alphanumeric() || "-_.()".contains(c));
            if value.is_empty() || value.contains(odd) {
                return Err(Failure::Usage(format!("--{flag}: `{value}` is no name in Azure")));
            }
            Ok(value.clone())
        };
        Ok(Workspace {
            subscription: part(
                "subscription",
                self.subscription.as_ref(),
                defaults.subscription.as_ref(),
            )?,
            resource_group: part(
                "resource-group",
                self.resource_group.as_ref(),
                defaults.resource_group.as_ref(),
            )?,
            name: part("workspace", self.workspace.as_ref(), defaults.workspace.as_ref())?,
        })
    }
}

/// A variable that says something.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// A driver of a workspace in the cloud that the variables and the Azure CLI name, for whoever they say asks.
async fn connect(
    workspace: Workspace,
    subscription: Option<&str>,
    ca_file: Option<&Path>,
    dry_run: Option<DryRun>,
) -> Result<ArmDriver, Failure> {
    let bundle = variable("REQUESTS_CA_BUNDLE").map(PathBuf::from);
    let transport = Transport::new(ca_file.or(bundle.as_deref())).map_err(anyhow::Error::from)?;
    let is_offline = dry_run == Some(DryRun::Offline);
    let named = variable("AZUREML_CURRENT_CLOUD").or(Defaults::read(&variable).cloud);
    let cloud = match variable("ARM_CLOUD_METADATA_URL").filter(|_| !is_offline) {
        Some(url) => Cloud::described(&transport, &url, named.as_deref()).await,
        None => Cloud::named(named.as_deref().unwrap_or("AzureCloud")),
    };
    let mut cloud = cloud.map_err(anyhow::Error::from)?;
    let source = if is_offline {
        Source::Fixed("none".into())
    } else {
        Source::of_environment(&variable, &cloud, subscription).map_err(anyhow::Error::from)?
    };
    let scope = cloud.scope();
    if let Some(url) = variable("AZUREML_DEV_URL_MFE") {
        url.trim_end_matches('/').clone_into(&mut cloud.resource_manager);
    }
    let credential = Credential::new(source, transport.clone());
    let driver = ArmDriver::azure(&cloud, workspace, credential, transport)?.for_scope(scope);
    Ok(match dry_run {
        None => driver,
        Some(DryRun::Online) => driver.rehearsing(Reads::Sent),
        Some(DryRun::Offline) => driver.rehearsing(Reads::Empty { region: None }),
    })
}

/// What a subscription uses and may use in a region, as Azure says now; and the subscription's id.
pub(super) async fn usages(
    subscription: Option<&str>,
    region: &str,
) -> Result<(Usages, String), Failure> {
    let default = Defaults::read(&variable).subscription;
    let of = subscription.map(str::to_owned).or(default).ok_or_else(|| {
        let wrong = "nothing says which subscription; give --subscription, or make it the default: \
                     `az account set --subscription ID`";
        Failure::Usage(wrong.to_owned())
    })?;
    for (flag, value) in [("--subscription", of.as_str()), ("--region", region)] {
        if value.is_empty() || value.contains(|c: char| !(c.is_ascii_alphanumeric() || c == '-')) {
            return Err(Failure::Usage(format!("{flag}: `{value}` is none of Azure's")));
        }
    }
    let workspace = Workspace { subscription: of.clone(), ..Workspace::local() };
    let driver = connect(workspace, subscription, None, None).await?;
    Ok((driver.usages(region).await?, of))
}
