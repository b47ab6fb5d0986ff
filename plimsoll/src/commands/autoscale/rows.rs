//! Decisions as tables of text.

use plimsoll_autoscale::{Decision, State, Step};

/// Rows as columns of equal width, the last one as it is.
pub(super) fn columns(rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..count).map(width).collect();
    let line = |row: &Vec<String>| {
        let mut text = String::new();
        for (index, cell) in row.iter().enumerate() {
            text += cell;
            if index + 1 < row.len() {
                text += &" ".repeat(widths[index] - cell.chars().count() + 2);
            }
        }
        text.trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A decision with its steps.
pub(super) fn decision(state: &State, decision: &Decision) -> String {
    let held = decision.held.map_or_else(String::new, |held| format!("  ({})", held.words()));
    let alone = match decision.unguarded {
        same if same == decision.replicas => String::new(),
        other => format!("  the rules alone: {other}"),
    };
    let title =
        format!("{}  {}{held}{alone}", state.now, change(state.replicas, decision.replicas));
    let header = ["step", "value", "against", "count", "result"].map(str::to_owned).to_vec();
    let rows: Vec<_> = std::iter::once(header).chain(decision.steps.iter().map(step)).collect();
    let table = columns(&rows);
    let table: Vec<String> = table.lines().map(|line| format!("  {line}")).collect();
    format!("{title}\n{}", table.join("\n"))
}

fn step(step: &Step) -> Vec<String> {
    let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), number);
    vec![
        step.what.clone(),
        number(step.value),
        number(step.against),
        step.replicas.map_or_else(|| "–".to_owned(), |count| count.to_string()),
        step.result.clone(),
    ]
}

/// With three decimals at most.
pub(super) fn number(value: f64) -> String {
    ((value * 1000.0).round() / 1000.0).to_string()
}

/// `4 → 5`, or `4` if nothing changes.
pub(super) fn change(from: u32, to: u32) -> String {
    if from == to { format!("{from}") } else { format!("{from} → {to}") }
}
