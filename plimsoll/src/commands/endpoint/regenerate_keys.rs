//! `plimsoll endpoint regenerate-keys`

use anyhow::{Result, anyhow};
use clap::ValueEnum;
use plimsoll_deploy::arm;
use plimsoll_deploy::spec::AuthMode;

use super::Which;
use crate::commands::azure::{self, Waiting};
use crate::exit::Exit;

/// `plimsoll endpoint regenerate-keys`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which.
    #[command(flatten)]
    pub which: Which,
    /// Which of the two keys
    #[arg(long, value_enum, ignore_case = true, default_value_t)]
    pub key_type: KeyType,
    /// Whether its end is waited for.
    #[command(flatten)]
    pub waiting: Waiting,
}

/// Which of the two keys of an endpoint.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub enum KeyType {
    /// The one to use
    #[default]
    Primary,
    /// The one to change to
    Secondary,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    azure::drive_at(&args.which.place, async |view| {
        let (driver, name) = (args.which.place.driver().await?, &args.which.name);
        if driver.endpoint(name).await?.properties.auth_mode != AuthMode::Key {
            return Err(anyhow!("endpoint `{name}` has no keys: its auth_mode is not key").into());
        }
        let key = match args.key_type {
            KeyType::Primary => arm::KeyType::Primary,
            KeyType::Secondary => arm::KeyType::Secondary,
        };
        view.step(&format!("making up a key of endpoint {name}"), "");
        Ok(driver.regenerate_key(name, key, args.waiting.until()).await?)
    })
}
