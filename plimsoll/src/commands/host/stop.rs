//! `plimsoll host stop`

use anyhow::Result;

use crate::commands::azure;
use crate::exit::Exit;
use crate::standing;
use crate::view;

pub(super) fn run() -> Result<Exit> {
    azure::drive(async |view| {
        view.step("stopping the local host", "");
        let stopped = standing::stop().await?;
        view.clear();
        match stopped {
            Some(pid) if standing::offers_state() => {
                view::print(&format!("the local host (process {pid}) is stopped"));
            }
            Some(pid) => view::print(&format!(
                "the local host (process {pid}) is stopped, and its endpoints are gone"
            )),
            None => view::print(&"no local host is running"),
        }
        Ok(())
    })
}
