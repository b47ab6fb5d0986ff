//! `plimsoll completions`: what a shell needs to complete the command line.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::exit::Exit;
use crate::view;

/// `plimsoll completions`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell
    pub shell: Shell,
}

pub(crate) fn run(args: &Args) -> Exit {
    view::script(&script(args.shell));
    Exit::Success
}

fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "plimsoll", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn every_shell_completes_every_command_that_is_shown() {
        let command = Cli::command();
        for shell in Shell::value_variants() {
            let script = script(*shell);
            for each in command.get_subcommands().filter(|each| !each.is_hide_set()) {
                assert!(script.contains(each.get_name()), "{shell}: {}", each.get_name());
            }
        }
    }
}
