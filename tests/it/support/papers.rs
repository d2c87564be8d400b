//! What the papers beside the code say, and whether it is there.
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// A file of the project.
pub fn read(path: &str) -> Option<String> {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).ok()
}

/// The cells of every line of a table whose first cell a function takes.
pub fn lines_of(text: &str, is_one: impl Fn(&str) -> bool) -> Vec<Vec<String>> {
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let all = text.lines().filter(|line| line.starts_with("| ")).map(cells);
    all.filter(|cells| is_one(&cells[1])).collect()
}

/// What stands between backquotes.
pub fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The tests that a text names and that are not there, as `file.rs::test`; it names at least so many.
pub fn missing_tests(text: &str, at_least: usize) -> Vec<String> {
    let named: BTreeSet<_> = quoted(text).filter_map(|quoted| quoted.split_once(".rs::")).collect();
    assert!(named.len() >= at_least, "{} tests are named", named.len());
    named
        .into_iter()
        .filter(|(file, test)| !has_test(file, test))
        .map(|(file, test)| format!("{file}.rs::{test}"))
        .collect()
}

fn has_test(file: &str, test: &str) -> bool {
    let source = read(&format!("{file}.rs")).unwrap_or_default();
    let lines: Vec<_> = source.lines().map(str::trim).collect();
    let is_test = |at: usize| {
        lines[..at].iter().rev().take(3).any(|line| line.starts_with("#[") && line.contains("test"))
    };
    let head = format!("fn {test}(");
    lines.iter().enumerate().any(|(at, line)| line.contains(&head) && is_test(at))
}
