//! `plimsoll endpoint get-credentials`: the one command that prints secrets.

use anyhow::Result;
use plimsoll_deploy::spec::AuthMode;
use secrecy::ExposeSecret;
use serde_json::json;

use super::Which;
use crate::commands::azure::{self, Printed};
use crate::exit::Exit;

/// `plimsoll endpoint get-credentials`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which.
    #[command(flatten)]
    pub which: Which,
    /// How they are printed.
    #[command(flatten)]
    pub printed: Printed,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    azure::drive_at(&args.which.place, async |view| {
        let (driver, name) = (args.which.place.driver().await?, &args.which.name);
        let credentials = match driver.endpoint(name).await?.properties.auth_mode {
            AuthMode::Key => {
                let keys = driver.credentials(name).await?;
                json!({
                    "primaryKey": keys.primary.expose_secret(),
                    "secondaryKey": keys.secondary.expose_secret(),
                })
            }
            AuthMode::AadToken if args.which.place.is_azure() => {
                let how = "its callers show their own token of Entra: `az account get-access-token \
                           --resource https://ml.azure.com` prints one";
                return Err(anyhow::anyhow!("endpoint `{name}` has no credentials: {how}").into());
            }
            AuthMode::AmlToken | AuthMode::AadToken => json!(driver.token(name).await?),
        };
        args.printed.print_at(&args.which.place, view, credentials)
    })
}
