//! Things known by their fields, as text for people.
use serde_json::Value;

/// Columns that a name has at least, so that short ones stand as they do elsewhere.
const MIN_WIDTH: usize = 20;

/// A line for each field; what is empty is left out, and what is inside stands by itself.
#[must_use]
pub fn fields(thing: &Value) -> String {
    let Some(fields) = thing.as_object() else { return String::new() };
    let shown = || fields.iter().filter(|(_, value)| !value.is_null());
    let width = shown().map(|(name, _)| name.len() + 2).fold(MIN_WIDTH, usize::max);
    let line = |(name, value): (&String, &Value)| match value {
        Value::Object(_) => self::fields(value),
        value => format!("{:<width$}{}\n", name.replace('_', " "), word(value)),
    };
    shown().map(line).collect()
}

/// A line for each thing, with a head over the columns.
#[must_use]
pub fn table(columns: &[String], things: &[Value]) -> String {
    let head: Vec<String> = columns.iter().map(|column| column.replace('_', " ")).collect();
    let rows: Vec<Vec<String>> = things
        .iter()
        .map(|thing| columns.iter().map(|column| word(&thing[column.as_str()])).collect())
        .collect();
    let width = |n: usize| rows.iter().chain([&head]).map(|row| row[n].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    [&head].into_iter().chain(&rows).map(line).collect()
}

/// Who did what, to whom and from where, in one line.
#[must_use]
pub fn event(event: &Value) -> String {
    let party = |party: &Value| {
        let kind = party["type"].as_str().unwrap_or_default();
        match party["name"].as_str() {
            Some(name) => format!("{kind} {name}"),
            None => kind.to_owned(),
        }
    };
    let is_other = |subject: &&Value| !subject.is_null() && subject["id"] != event["actor"]["id"];
    let subject = Some(&event["subject"]).filter(is_other);
    let whom = subject.map(|subject| format!(" -> {}", party(subject))).unwrap_or_default();
    let from = event["address"].as_str().filter(|address| !address.is_empty());
    let from = from.map(|address| format!(" from {address}")).unwrap_or_default();
    let failed = if event["outcome"] == "failure" { " FAILED" } else { "" };
    let times = event["count"].as_u64().filter(|count| *count > 1);
    let times = times.map(|count| format!(" x{count}")).unwrap_or_default();
    let details = event["details"].as_object().into_iter().flatten();
    let details: String = details.map(|(name, value)| format!(" {name}={}", word(value))).collect();
    let line = format!(
        "{:>6}  {}  {}{failed}{times}  {}{whom}{from} {details}",
        word(&event["seq"]),
        word(&event["at"]),
        word(&event["action"]),
        party(&event["actor"]),
    );
    line.trim_end().to_owned() + "\n"
}

fn word(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) if text.is_empty() => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "-".to_owned(),
        Value::Array(items) => items.iter().map(word).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}
