//! `plimsoll endpoint list`

use anyhow::Result;
use serde_json::Value;

use super::shown;
use crate::commands::azure::{self, Local, Printed};
use crate::exit::Exit;
use crate::standing;
use crate::view;

/// `plimsoll endpoint list`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where they are.
    #[command(flatten)]
    pub local: Local,
    /// How they are printed.
    #[command(flatten)]
    pub printed: Printed,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    azure::drive(async |view| {
        let mut all = Vec::new();
        match standing::find()? {
            Some(standing) => {
                let driver = standing.driver()?;
                for endpoint in driver.endpoints().await? {
                    all.push(shown(&driver, &endpoint).await?);
                }
            }
            None => view::note(&"note: no local host is running"),
        }
        args.printed.print(view, Value::Array(all))
    })
}
