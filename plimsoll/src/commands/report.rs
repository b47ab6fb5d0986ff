//! `plimsoll report`: the report again, from the files of a results folder.

use std::path::PathBuf;

use crate::exit::Exit;
use crate::{report, view};

/// `plimsoll report`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The results folder of a run
    pub folder: PathBuf,
}

pub(crate) fn run(args: &Args) -> Exit {
    match report::rebuild(&args.folder) {
        Ok(page) => {
            view::print(&page.display());
            Exit::Success
        }
        Err(error) => {
            view::note(&format!("error: {error}"));
            Exit::Usage
        }
    }
}
