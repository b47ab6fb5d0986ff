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
    azure::drive(async |view| {
        let (driver, name) = (azure::host()?, &args.which.name);
        let credentials = match driver.endpoint(name).await?.properties.auth_mode {
            AuthMode::Key => {
                let keys = driver.credentials(name).await?;
                json!({
                    "primaryKey": keys.primary.expose_secret(),
                    "secondaryKey": keys.secondary.expose_secret(),
                })
            }
            AuthMode::AmlToken | AuthMode::AadToken => json!(driver.token(name).await?),
        };
        args.printed.print(view, credentials)
    })
}
