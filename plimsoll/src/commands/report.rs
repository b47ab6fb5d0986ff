//! `plimsoll report`: the report again, from the files of a results folder.

use crate::cli::ReportArgs;
use crate::exit::Exit;
use crate::{report, view};

pub(super) fn run(args: &ReportArgs) -> Exit {
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
