//! The command line: the table of commands, and nothing else.
//!
//! Each command is a file of [`commands`](crate::commands) with its own `Args` and `run`; what is
//! said here of one is the sentence that `plimsoll --help` shows.

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::commands::{
    aa, ab, autoscale, capacity, check, compare, completions, deployment, endpoint, environment,
    environments, guard, help, history, host, import, init, instance, load, model, plan, quota,
    report, run, schema,
};
use crate::exit::Exit;
use crate::view;

/// Finds how much load a real-time scoring endpoint carries before it breaks its SLA.
#[derive(Debug, Parser)]
#[command(name = "plimsoll", version, about, max_term_width = 100)]
#[command(after_help = help::EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a scenario: bring the endpoint up, load it, judge it, remove it
    #[command(after_help = help::RUN)]
    Run(run::Args),
    /// Load an endpoint that exists already, without a scenario file
    #[command(after_help = help::LOAD)]
    Load(load::Args),
    /// Write a first scenario, from endpoint and deployment files or from a URL
    #[command(after_help = help::INIT)]
    Init(init::Args),
    /// Write a first scenario from what vegeta, k6, a browser or Azure Load Testing have
    #[command(after_help = help::IMPORT)]
    Import(import::Args),
    /// Check scenario, endpoint and deployment files, and report every problem
    #[command(after_help = help::CHECK)]
    Check(check::Args),
    /// Size instances, quota and cost for a forecast, and check the plan by a simulation
    #[command(after_help = help::PLAN)]
    Plan(plan::Args),
    /// Size the quota of deployments, with the 20 % reserve
    #[command(after_help = help::QUOTA)]
    Quota(quota::Args),
    /// Ask, check and replay autoscale rules
    Autoscale(autoscale::Args),
    /// Print the JSON Schema of a kind of file, for editors
    Schema(schema::Args),
    /// Write the report again from a results folder, also after a run that was killed
    Report(report::Args),
    /// Show the Python environments that are kept between runs, and remove those not in use
    Environments(environments::Args),
    /// Print what a shell needs to complete the command line
    #[command(after_help = help::COMPLETIONS)]
    Completions(completions::Args),
    /// Create, show, change, delete and invoke endpoints, as `az ml online-endpoint` does
    #[command(subcommand, after_help = help::ENDPOINT)]
    Endpoint(endpoint::Command),
    /// Create, show, change and delete deployments, as `az ml online-deployment` does
    #[command(subcommand, after_help = help::DEPLOYMENT)]
    Deployment(deployment::Command),
    /// Register models and show them, as `az ml model` does
    #[command(subcommand, after_help = help::MODEL)]
    Model(model::Command),
    /// Register environments and show them, as `az ml environment` does
    #[command(subcommand, after_help = help::ENVIRONMENT)]
    Environment(environment::Command),
    /// Find the highest rate at which the objectives hold, as an interval
    #[command(after_help = help::CAPACITY)]
    Capacity(capacity::Args),
    /// Say whether runs got slower, with statistics and an exit code
    #[command(after_help = help::COMPARE)]
    Compare(compare::Args),
    /// Load two deployments in turns, at once on this machine, and say whether the new one is slower
    #[command(after_help = help::AB)]
    Ab(ab::Args),
    /// Keep what nightly runs measured, and tell since when it is another
    #[command(subcommand, after_help = help::HISTORY)]
    History(history::Command),
    /// Compare a deployment with itself, and say how often this machine cries wolf and what it sees
    #[command(after_help = help::AA)]
    Aa(aa::Args),
    /// Serve the local host: Azure ML's control plane and gateway on this machine
    #[command(after_help = help::HOST)]
    Host(host::Args),
    /// What an objective can say
    #[command(after_help = help::OBJECTIVES)]
    Objectives,
    /// One instance of the builtin runtime; the local host starts these
    #[command(hide = true)]
    Instance(instance::Args),
    /// Replace this process by a program that ends when its parent does
    #[command(hide = true)]
    Guard(guard::Args),
}

impl Command {
    /// Carries out the command.
    pub(crate) fn run(self) -> Result<Exit> {
        match self {
            Self::Run(args) => run::run(args),
            Self::Load(args) => load::run(args),
            Self::Init(args) => Ok(init::run(&args)),
            Self::Import(args) => Ok(import::run(&args)),
            Self::Environments(args) => environments::run(args),
            Self::Completions(args) => Ok(completions::run(&args)),
            Self::Check(args) => Ok(check::run(args)),
            Self::Plan(args) => plan::run(&args),
            Self::Quota(args) => quota::run(args),
            Self::Autoscale(args) => autoscale::run(args),
            Self::Schema(args) => schema::run(&args),
            Self::Report(args) => Ok(report::run(&args)),
            Self::Endpoint(command) => endpoint::run(command),
            Self::Deployment(command) => deployment::run(command),
            Self::Model(command) => model::run(command),
            Self::Environment(command) => environment::run(command),
            Self::Capacity(args) => capacity::run(&args),
            Self::Compare(args) => compare::run(&args),
            Self::Aa(args) => aa::run(&args),
            Self::Ab(args) => ab::run(args),
            Self::History(command) => history::run(command),
            Self::Host(args) => host::run(args),
            Self::Objectives => {
                view::print(&help::OBJECTIVES);
                Ok(Exit::Success)
            }
            Self::Instance(args) => instance::run(&args),
            Self::Guard(args) => guard::run(args),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn no_secret_is_in_the_debug_form_of_a_command() {
        let lines = [
            "plimsoll load https://u:s3cret@h/score?code=s3cret -r 1 -d 1s -H x-key:s3cret \
             --otlp http://s3cret@h",
            "plimsoll run s.yml --otlp http://u:s3cret@h:4317/?key=s3cret",
            "plimsoll check blue.yml --set environment_variables.KEY=s3cret",
            "plimsoll quota -f blue.yml --set environment_variables.KEY=s3cret",
            "plimsoll init https://h/score?code=s3cret --key-env KEY",
        ];
        for line in lines {
            let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
            let text = format!("{cli:?}");
            assert!(!text.contains("s3cret"), "{text}");
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
