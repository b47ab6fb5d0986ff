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
    let goes_on = report::goes_on(&args.folder);
    match report::rebuild(&args.folder) {
        Ok(page) => {
            if goes_on {
                view::note(&"note: the run goes on; this is what it has measured until now");
            }
            view::print(&page.display());
            Exit::Success
        }
        Err(error) => {
            view::note(&format!("error: {error}"));
            Exit::Usage
        }
    }
}
