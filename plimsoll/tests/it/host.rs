//! `plimsoll host`, started by hand.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use plimsoll_deploy::arm::ArmDriver;
use plimsoll_deploy::workspace::Workspace;

use crate::started::{SOON, Started, nothing_is_left};

#[test]
fn it_says_where_it_is_and_ends_on_sigterm() {
    let mut host = Started::with(|command, _| command.arg("host"));
    host.until_printed("Press Ctrl-C");
    let printed = host.printed();
    let url = after(&printed, "The control plane is at ");
    let token_file = Path::new(after(&printed, "Its bearer token is in "));
    let token = std::fs::read_to_string(token_file).expect("the token");
    let mode = token_file.metadata().expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "nobody else reads it");
    assert!(!printed.contains(token.trim()), "the token is not printed");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let list = |token: &str| {
        let driver = ArmDriver::new(url, Workspace::local(), &token.into()).expect("its address");
        runtime.block_on(driver.list_endpoints())
    };
    assert_eq!(list(token.trim()).expect("it answers").len(), 0);
    let refused = list("wrong").expect_err("the token counts");
    assert!(refused.to_string().contains("401"), "{refused}");
    host.terminate();
    let ran = host.ended(SOON).must_exit(0);
    nothing_is_left(&ran);
}

#[test]
fn a_closed_terminal_ends_it_in_order() {
    let mut host = Started::with(|command, _| command.arg("host"));
    host.until_printed("Press Ctrl-C");
    host.signal(nix::sys::signal::Signal::SIGHUP);
    let ran = host.ended(SOON).must_exit(0);
    nothing_is_left(&ran);
}

fn after<'a>(text: &'a str, words: &str) -> &'a str {
    let (_, rest) = text.split_once(words).unwrap_or_else(|| panic!("no `{words}` in {text}"));
    rest.lines().next().expect("the rest of the line")
}
