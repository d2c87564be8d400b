//! SECURITY.md: what it names is there, and what it has to answer it answers.
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::giving_tokens;
use crate::support::TestApp;
use crate::support::papers::{lines_of, missing_tests, quoted, read};

/// The rows of the chapters on authentication and sessions.
const ROWS: [(&str, &[u8]); 15] = [
    ("6.1", &[1, 2, 3]),
    ("6.2", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
    ("6.3", &[1, 2, 3, 4, 5, 6, 7, 8]),
    ("6.4", &[1, 2, 3, 4, 5, 6]),
    ("6.5", &[1, 2, 3, 4, 5, 6, 7, 8]),
    ("6.6", &[1, 2, 3, 4]),
    ("6.7", &[1, 2]),
    ("6.8", &[1, 2, 3, 4]),
    ("7.1", &[1, 2, 3]),
    ("7.2", &[1, 2, 3, 4]),
    ("7.3", &[1, 2]),
    ("7.4", &[1, 2, 3, 4, 5]),
    ("7.5", &[1, 2, 3]),
    ("7.6", &[1, 2]),
    ("11.1", &[1, 2, 3, 4]),
];
/// How an answer begins that is no promise.
const NO_PROMISE: [&str; 3] = ["**Not met", "**Partly", "Does not apply"];

fn document() -> String {
    read("SECURITY.md").unwrap()
}

fn is_row(cell: &str) -> bool {
    let parts: Vec<_> = cell.split('.').collect();
    parts.len() == 3 && parts.iter().all(|part| part.parse::<u8>().is_ok())
}

#[test]
fn every_test_that_it_names_is_there() {
    assert_eq!(missing_tests(&document(), 100), Vec::<String>::new());
}

#[test]
fn every_file_and_script_that_it_names_is_there() {
    let text = document();
    let paths = quoted(&text).filter(|quoted| {
        ["src/", "tests/", "scripts/", "data/"].iter().any(|folder| quoted.starts_with(folder))
    });
    let paths: BTreeSet<_> = paths.filter(|path| !path.contains("::")).collect();
    assert!(paths.len() >= 4, "{paths:?}");
    for path in paths {
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(path).exists(), "{path}");
    }
}

#[test]
fn every_row_is_answered_once() {
    let mut found = BTreeMap::<String, usize>::new();
    for line in lines_of(&document(), is_row) {
        let [_, row, answer, held, _] = line.as_slice() else { panic!("{line:?} has not three cells") };
        *found.entry(row.clone()).or_default() += 1;
        assert!(answer.len() > 20, "{row} says nothing: {answer}");
        let is_promise = !NO_PROMISE.iter().any(|begin| answer.starts_with(begin));
        assert!(!is_promise || !held.is_empty(), "nothing holds what {row} promises");
    }
    let twice: Vec<_> = found.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    let asked =
        ROWS.iter().flat_map(|(section, rows)| rows.iter().map(move |row| format!("{section}.{row}")));
    let missing: Vec<_> = asked.filter(|row| !found.contains_key(row)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_setting_that_it_names_has_the_default_that_it_says() {
    let example = read("data/config.example.toml").unwrap();
    let (mut section, mut defaults) = (String::new(), BTreeMap::new());
    for line in example.lines().filter(|line| !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[') {
            section = format!("{}.", name.trim_end_matches(']'));
        } else if let Some((key, value)) = line.split_once(" = ") {
            defaults.insert(format!("{section}{key}"), value.trim_matches('"').to_owned());
        }
    }
    let is_setting = |cell: &str| cell.starts_with('`') && defaults.contains_key(cell.trim_matches('`'));
    let text = document();
    let lines = lines_of(&text, is_setting);
    assert!(lines.len() >= 15, "{lines:?}");
    for line in lines {
        let [_, key, default, ..] = line.as_slice() else { panic!("{line:?}") };
        let (key, default) = (key.trim_matches('`'), default.trim_matches('`'));
        assert_eq!(default, defaults[key], "{key}");
    }
    // Those that are named elsewhere are there at all.
    let sections: BTreeSet<_> = defaults.keys().filter_map(|key| Some(key.split_once('.')?.0)).collect();
    for named in quoted(&text).map(|quoted| quoted.split(" = ").next().unwrap_or_default()) {
        let is_key = |part: &str| part.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        if let Some((section, key)) = named.split_once('.')
            && sections.contains(section)
            && is_key(key)
        {
            assert!(defaults.contains_key(named), "{named} is no setting");
        }
    }
}

#[tokio::test]
async fn every_way_in_is_in_it() {
    let app = TestApp::start().await;
    let text = document();
    let ways = text.split("## The ways in").nth(1).unwrap().split("\n## ").next().unwrap();
    for operation in giving_tokens(&app) {
        let named = format!("`{} {}`", operation.method, operation.path);
        assert!(ways.contains(&named), "{named} ({}) is a way in that it does not tell", operation.id);
    }
}

#[test]
fn the_readme_shows_the_way_to_it() {
    assert!(read("README.md").unwrap().contains("(SECURITY.md)"));
}
