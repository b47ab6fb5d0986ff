//! Columns, as `az -o table` and `az -o tsv` have them.

use serde_json::Value;

/// Columns under their names, of the values that are no lists and no maps.
pub(super) fn table(value: &Value) -> String {
    let rows: Vec<&Value> = match value {
        Value::Array(items) => items.iter().collect(),
        other => vec![other],
    };
    if rows.is_empty() {
        return String::new();
    }
    let mut names: Vec<&str> = Vec::new();
    for row in &rows {
        for (name, value) in row.as_object().into_iter().flatten() {
            if !value.is_object() && !value.is_array() && !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
    }
    let cell = |row: &Value, name: &str| match row.as_object() {
        Some(members) => members.get(name).map(shown).unwrap_or_default(),
        None => shown(row),
    };
    if names.is_empty() {
        names.push("result");
    }
    let mut columns: Vec<Vec<String>> = Vec::new();
    for name in names {
        let mut column = vec![capital(name)];
        column.extend(rows.iter().map(|row| cell(row, name)));
        let width = column.iter().map(|cell| cell.chars().count()).max().unwrap_or_default();
        column.insert(1, "-".repeat(width));
        columns.push(column.into_iter().map(|cell| format!("{cell:width$}")).collect());
    }
    let lines = (0..rows.len() + 2).map(|row| {
        let cells: Vec<&str> = columns.iter().map(|column| column[row].as_str()).collect();
        cells.join("  ").trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A line per item, its values separated by tabs, without names.
pub(super) fn tsv(value: &Value) -> String {
    let row = |value: &Value| match value {
        Value::Object(members) => members.values().map(field).collect::<Vec<_>>().join("\t"),
        Value::Array(items) => items.iter().map(field).collect::<Vec<_>>().join("\t"),
        Value::Bool(value) => value.to_string(),
        other => field(other),
    };
    match value {
        Value::Array(items) => items.iter().map(row).collect::<Vec<_>>().join("\n"),
        other => row(other),
    }
}

/// A value among others: of a list its length, of a map nothing, the rest as Python writes it. A
/// tab or a line's end in it would be another field or line.
fn field(value: &Value) -> String {
    match value {
        Value::Array(items) => items.len().to_string(),
        Value::Object(_) => String::new(),
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::String(text) => text.replace(['\t', '\n', '\r'], " "),
        Value::Number(number) => number.to_string(),
    }
}

fn shown(value: &Value) -> String {
    if value.is_null() { String::new() } else { field(value) }
}

fn capital(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_table_has_the_plain_values_of_each_item() {
        let value = json!([{"name": "blue", "count": 2, "tags": {}}, {"name": "g", "ok": true}]);
        let wanted = "Count  Name  Ok\n-----  ----  ----\n2      blue\n       g     True";
        assert_eq!(table(&value), wanted);
        assert_eq!(table(&json!("key")), "Result\n------\nkey");
        assert_eq!(table(&json!([])), "");
    }

    #[test]
    fn tsv_is_for_scripts() {
        assert_eq!(tsv(&json!("key")), "key");
        assert_eq!(tsv(&json!(true)), "true");
        assert_eq!(
            tsv(&json!({"a": null, "b": [1, 2], "c": {"d": 1}, "e": true})),
            "None\t2\t\tTrue"
        );
        assert_eq!(tsv(&json!([["a", 1], ["b\t", 2]])), "a\t1\nb \t2");
    }
}
