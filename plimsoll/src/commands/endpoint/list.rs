//! `plimsoll endpoint list`

use anyhow::Result;
use serde_json::Value;

use super::shown;
use crate::commands::azure::{self, Printed};
use crate::commands::place::Place;
use crate::exit::Exit;
use crate::view;

/// `plimsoll endpoint list`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where they are.
    #[command(flatten)]
    pub place: Place,
    /// How they are printed.
    #[command(flatten)]
    pub printed: Printed,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    azure::drive_at(&args.place, async |view| {
        let mut all = Vec::new();
        match args.place.found().await? {
            Some(driver) => {
                for endpoint in driver.endpoints().await? {
                    all.push(shown(&driver, &endpoint).await?);
                }
            }
            None => view::note(&"note: no local host is running"),
        }
        args.printed.print_at(&args.place, view, Value::Array(all))
    })
}
