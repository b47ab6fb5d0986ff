//! A value as `az` prints it: JSON, YAML, a table, or columns for a script.

mod table;
mod yaml;

use clap::ValueEnum;
use plimsoll_domain::plain;
use serde_json::Value;

/// How a value is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// As az prints it by default
    #[default]
    Json,
    /// As the files are written
    Yaml,
    /// For people: the plain values of each item, in columns
    Table,
    /// For scripts: the values of each item, separated by tabs
    Tsv,
}

/// The text of a value, without the last line's end; nothing for a value that is nothing, as after
/// a query that finds none.
pub(crate) fn render(value: &Value, format: Format) -> String {
    if value.is_null() {
        return String::new();
    }
    match format {
        Format::Json => {
            let text = serde_json::to_string_pretty(value).expect("it has string keys");
            plain::json(&text).into_owned()
        }
        Format::Yaml => yaml::render(value),
        Format::Table => table::table(value),
        Format::Tsv => table::tsv(value),
    }
}
