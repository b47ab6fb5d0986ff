//! `plimsoll endpoint update`
//!
//! The whole endpoint is sent again. With a file it becomes what the file says; what goes where stays
//! as it is unless the file or a flag says otherwise. Without one, it is the endpoint as it is with
//! what the flags change.

use std::path::PathBuf;

use anyhow::Result;
use plimsoll_deploy::files::{FileKind, read_endpoint};
use plimsoll_document::Document;
use serde_json::{Map, Value};

use super::shown;
use crate::commands::azure::{self, Failure, Printed, Waiting};
use crate::commands::given::Given;
use crate::commands::place::Place;
use crate::exit::Exit;
use crate::view::View;
use crate::{files, shape};

/// `plimsoll endpoint update`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the endpoint, over the one in the file
    #[arg(short, long, value_parser = azure::name, required_unless_present = "file")]
    pub name: Option<String>,
    /// The endpoint file
    #[arg(short, long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Percent of the requests per deployment, all of them, such as "blue=90 green=10"
    #[arg(short = 'r', long, num_args = 1.., value_name = "NAME=PERCENT")]
    pub traffic: Vec<String>,
    /// Percent of the requests that are copied to one deployment, such as "green=10"
    #[arg(long, num_args = 1.., value_name = "NAME=PERCENT")]
    pub mirror_traffic: Vec<String>,
    /// Set keys, such as `tags.team=prices`
    #[arg(long, num_args = 1.., value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Where it is.
    #[command(flatten)]
    pub place: Place,
    /// Whether its end is waited for.
    #[command(flatten)]
    pub waiting: Waiting,
    /// How it is printed.
    #[command(flatten)]
    pub printed: Printed,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    azure::drive_at(&args.place, async |view| update(args, view).await)
}

async fn update(args: &Args, view: &mut View) -> Result<(), Failure> {
    let flags = [&args.traffic, &args.mirror_traffic, &args.set];
    if args.file.is_none() && flags.iter().all(|flag| flag.is_empty()) {
        let wrong = "nothing says what to change; give --traffic, --set or --file";
        return Err(Failure::Usage(wrong.to_owned()));
    }
    let given = Given { name: args.name.clone(), endpoint_name: None, set: args.set.clone() };
    let file = args.file.as_deref();
    let from_file = file.map(|file| azure::document(Some(file), FileKind::Endpoint, &given));
    let from_file = from_file.transpose()?;
    let named = from_file.as_ref().and_then(|document| document.root().child("name")?.text());
    let name = args.name.as_deref().or(named).ok_or_else(|| {
        Failure::Usage("the file has no `name`; add it, or give --name".to_owned())
    })?;
    let driver = args.place.driver().await?;
    let current = shape::endpoint_file(&driver.endpoint(name).await?);
    let what = format!("endpoint `{name}`");
    let is_from_file = from_file.is_some();
    let mut document = match from_file {
        Some(mut document) => {
            keep_traffic(&mut document, &current)?;
            document
        }
        None => azure::as_it_is(&what, &current, FileKind::Endpoint, &given)?,
    };
    for (flag, key, shares) in [
        ("--traffic", "traffic", &args.traffic),
        ("--mirror-traffic", "mirror_traffic", &args.mirror_traffic),
    ] {
        if !shares.is_empty() {
            set(&mut document, flag, key, &percents(flag, shares)?)?;
        }
    }
    let is_for_host = is_from_file && !args.place.is_azure();
    let read = if is_for_host { files::endpoint } else { read_endpoint };
    let spec = azure::read(|problems| read(&document, problems))?;
    let what = format!("updating {what}");
    view.step(&what, "");
    let mut progress = |line: String| view.step(&what, &line);
    let updated = driver.update_endpoint(&spec, args.waiting.until(), &mut progress).await?;
    args.printed.print_at(&args.place, view, shown(&driver, &updated).await?)
}

/// A file without traffic does not mean that requests should go nowhere.
fn keep_traffic(document: &mut Document, current: &Value) -> Result<(), Failure> {
    for key in ["traffic", "mirror_traffic"] {
        if !document.has(&format!("/{key}")) {
            set(document, "the endpoint as it is", key, &current[key])?;
        }
    }
    Ok(())
}

fn set(document: &mut Document, flag: &str, key: &str, value: &Value) -> Result<(), Failure> {
    let text = value.to_string();
    document.set(flag, key, &text).map_err(|problem| {
        let mut problems = plimsoll_document::Problems::new();
        problems.push(problem);
        Failure::Problems(problems)
    })
}

/// `blue=90 green=10`, in one word or several.
fn percents(flag: &str, words: &[String]) -> Result<Value, Failure> {
    let mut shares = Map::new();
    let words = words.iter().flat_map(|words| words.split([' ', ','])).filter(|w| !w.is_empty());
    for word in words {
        let share = word.split_once('=').and_then(|(name, share)| {
            Some((name, share.trim_end_matches('%').parse::<u8>().ok()?))
        });
        let Some((name, share)) = share else {
            let wrong = format!(
                "{flag} takes NAME=PERCENT, such as \"blue=90 green=10\", and `{word}` is none"
            );
            return Err(Failure::Usage(wrong));
        };
        shares.insert(name.to_owned(), Value::from(share));
    }
    Ok(Value::Object(shares))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn percents_come_in_one_word_or_several() {
        let percents = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            percents("--traffic", &words).ok()
        };
        let both = Some(json!({"blue": 90, "green": 10}));
        assert_eq!(percents(&["blue=90 green=10"]), both);
        assert_eq!(percents(&["blue=90", "green=10"]), both);
        assert_eq!(percents(&["blue=90%,green=10"]), both);
        assert_eq!(percents(&["blue"]), None);
        assert_eq!(percents(&["blue=many"]), None);
    }
}
