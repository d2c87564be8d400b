//! CONFORMANCE.md: each condition is answered once, by a test that is there or by an explanation.
use std::collections::BTreeSet;

use crate::support::papers::{lines_of, missing_tests, read};

/// How many there are of each plan.
const PLANS: [(&str, usize); 7] = [("B", 45), ("C", 5), ("P", 1), ("D", 4), ("L", 5), ("K", 2), ("F", 15)];

fn document() -> String {
    read("CONFORMANCE.md").unwrap()
}

fn is_row(cell: &str) -> bool {
    let number = PLANS.iter().find_map(|(plan, _)| cell.strip_prefix(plan));
    number.is_some_and(|number| number.parse::<usize>().is_ok())
}

#[test]
fn every_test_that_it_names_is_there() {
    assert_eq!(missing_tests(&document(), 40), Vec::<String>::new());
}

#[test]
fn every_condition_is_answered_once() {
    let rows = lines_of(&document(), is_row);
    let names: BTreeSet<_> = rows.iter().map(|row| row[1].clone()).collect();
    assert_eq!(names.len(), rows.len(), "one is there twice");
    let asked =
        PLANS.iter().flat_map(|(plan, count)| (1..=*count).map(move |number| format!("{plan}{number}")));
    assert_eq!(names, asked.collect(), "one is missing, or is one too many");
    for row in rows {
        let [_, _, looked_at, answer, held, _] = row.as_slice() else { panic!("{row:?}") };
        assert!(looked_at.len() > 5 && !answer.is_empty(), "{row:?}");
        assert!(
            held.contains(".rs::") || held.starts_with("none: ") || held.starts_with("none, "),
            "{row:?}"
        );
    }
}

#[test]
fn the_readme_shows_the_way_to_it() {
    assert!(read("README.md").unwrap().contains("(CONFORMANCE.md)"));
}
