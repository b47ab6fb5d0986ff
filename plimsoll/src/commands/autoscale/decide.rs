//! `plimsoll autoscale decide`: one evaluation of rules, with every intermediate value.

use std::path::PathBuf;

use anyhow::Result;
use plimsoll_autoscale::{Rules, RulesFile, State, carry_on, read_states};
use plimsoll_document::Problems;

use super::{Assumed, means_nothing, rows, text};
use crate::exit::Exit;
use crate::view;

/// `plimsoll autoscale decide --rules FILE --state FILE`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The rules: what `az monitor autoscale show` prints, a REST body, an ARM template, or a script
    /// with `az monitor autoscale` commands
    #[arg(long, value_name = "FILE")]
    pub rules: PathBuf,

    /// The state as JSON (`plimsoll schema autoscale-state`), or several as JSON lines, of which each
    /// is asked with what the one before left; `-` for standard input
    #[arg(long, value_name = "FILE")]
    pub state: PathBuf,

    /// What is assumed.
    #[command(flatten)]
    pub assumed: Assumed,

    /// Print JSON instead of a table: one decision, or a list of them
    #[arg(long)]
    pub json: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    let parameters = match args.assumed.parameters() {
        Ok(parameters) => parameters,
        Err(wrong) => {
            view::note(&format!("error: {wrong}"));
            return Ok(Exit::Usage);
        }
    };
    let (file, states) = match read(args) {
        Ok(read) => read,
        Err(problems) => {
            view::problems(&problems);
            return Ok(Exit::Usage);
        }
    };
    if means_nothing(!args.assumed.assume.is_empty(), "--assume", file.rules.kind()) {
        return Ok(Exit::Usage);
    }
    let decided = carry_on(states, |state| file.rules.decide(parameters, state));
    let all = match decided {
        Ok(all) => all,
        Err(index) => {
            let message = format!(
                "error: time goes back at state {}: states come in the order of their `now`",
                index + 1
            );
            view::note(&message);
            return Ok(Exit::Usage);
        }
    };
    for (state, _) in &all {
        for metric in unseen(&file.rules, state) {
            view::note(&format!("note: {}: the state has no metric `{metric}`", state.now));
        }
    }
    match (args.json, all.as_slice()) {
        (true, [(_, decision)]) => view::json(decision)?,
        (true, _) => view::json(&all.iter().map(|(_, decision)| decision).collect::<Vec<_>>())?,
        (false, _) => {
            let texts: Vec<_> =
                all.iter().map(|(state, decision)| rows::decision(state, decision)).collect();
            view::print(&texts.join("\n\n"));
        }
    }
    Ok(Exit::Success)
}

fn read(args: &Args) -> Result<(RulesFile, Vec<plimsoll_autoscale::Given>), Problems> {
    let mut problems = Problems::new();
    let rules = RulesFile::open(&args.rules).map_err(|found| problems.append(found)).ok();
    let states = text(&args.state)
        .and_then(|(name, text)| read_states(&name, &text, rules.as_ref().map(|file| &file.rules)));
    let states = states.map_err(|found| problems.append(found)).ok();
    problems.or(rules.zip(states))
}

/// Metrics that Azure's rules look at and the state does not have; other engines say in their steps what they miss.
fn unseen(rules: &Rules, state: &State) -> Vec<String> {
    let Rules::Azure(setting) = rules else { return Vec::new() };
    let mut names: Vec<String> = Vec::new();
    for rule in setting.profiles.iter().flat_map(|profile| &profile.rules) {
        let same = |name: &String| name.eq_ignore_ascii_case(&rule.metric);
        let seen = state.metrics.iter().any(|metric| same(&metric.name))
            || state.instances.iter().any(|instance| instance.metrics.keys().any(same));
        if !seen && !names.iter().any(same) {
            names.push(rule.metric.clone());
        }
    }
    names
}
