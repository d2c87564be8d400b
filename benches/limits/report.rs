//! The table, the raw figures below it and the machine they come from.

use core::fmt::Write as _;
use std::collections::HashMap;
use std::fs;

use crate::bench::Bench;
use crate::limits::{self, Bound, Limit};
use crate::load::Figures;

/// What came out of one row.
enum Outcome {
    Measured { value: f64, figures: Option<Figures> },
    Failed(String),
}

/// Everything measured so far.
#[derive(Default)]
pub struct Report {
    outcomes: HashMap<&'static str, Outcome>,
    notes: Vec<String>,
}

impl Report {
    /// Enters the figure of a row that is not about requests.
    pub fn value(&mut self, name: &'static str, value: f64) {
        self.outcomes.insert(name, Outcome::Measured { value, figures: None });
    }

    /// Enters the figure of a row, with those of our requests behind it.
    pub fn ratio(&mut self, name: &'static str, value: f64, figures: Figures) {
        self.outcomes.insert(name, Outcome::Measured { value, figures: Some(figures) });
    }

    /// Enters the reason why these rows have no figure, unless they already have one.
    pub fn failed(&mut self, names: &[&'static str], reason: &str) {
        for name in names {
            self.outcomes.entry(name).or_insert_with(|| Outcome::Failed(reason.to_owned()));
        }
    }

    /// Adds a raw figure below the table.
    pub fn note(&mut self, text: String) {
        eprintln!("  {text}");
        self.notes.push(text);
    }

    /// Whether a row could not be measured.
    pub fn failures(&self) -> bool {
        self.outcomes.values().any(|outcome| matches!(outcome, Outcome::Failed(_)))
    }

    /// The whole report as Markdown.
    pub fn markdown(&self, bench: &Bench) -> String {
        let mut text = String::from(
            "\n| what | required | measured | | CPU µs/request | requests/s | p50 µs | p99 µs |\n\
             | --- | --- | --- | --- | --- | --- | --- | --- |\n",
        );
        for limit in limits::ALL.iter().filter(|limit| bench.options.wants(limit.name)) {
            text.push_str(&self.row(limit));
        }
        text.push_str("\nRaw figures (medians of the rounds):\n\n");
        for note in &self.notes {
            let _ = writeln!(text, "- {note}");
        }
        let _ = writeln!(text, "- full store: {} users", grouped(bench.options.users));
        let _ = writeln!(text, "- machine: {}", machine());
        text
    }

    fn row(&self, limit: &Limit) -> String {
        let required = match limit.bound {
            Bound::AtLeast(bound) => format!("≥ {}", limit.unit.show(bound)),
            Bound::AtMost(bound) => format!("≤ {}", limit.unit.show(bound)),
            Bound::Any => String::new(),
        };
        let (measured, verdict, figures) = match self.outcomes.get(limit.name) {
            Some(Outcome::Measured { value, figures }) => {
                let verdict = match limit.bound {
                    bound if bound.holds(*value) => "ok",
                    Bound::AtLeast(_) => "**below**",
                    Bound::AtMost(_) | Bound::Any => "**above**",
                };
                (limit.unit.show(*value), verdict, figures.as_ref())
            }
            Some(Outcome::Failed(reason)) => (reason.replace(['\n', '|'], " "), "**failed**", None),
            None => ("not measured".to_owned(), "**failed**", None),
        };
        let columns = figures.map_or(" | | | ".to_owned(), Figures::columns);
        format!("| {} | {required} | {measured} | {verdict} | {columns} |\n", limit.what)
    }
}

/// A number with commas between the thousands.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The median, which one disturbed round does not move.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_unstable_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        len if len.is_multiple_of(2) => f64::midpoint(sorted[len / 2 - 1], sorted[len / 2]),
        len => sorted[len / 2],
    }
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let field = |file, name: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once(':').map_or("unknown", |(_, value)| value.trim()).to_owned()
    };
    let (model, memory) = (field("/proc/cpuinfo", "model name"), field("/proc/meminfo", "MemTotal"));
    format!("{cores} cores ({model}), {memory} of memory, Linux {}", kernel.trim())
}
