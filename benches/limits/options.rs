//! What the caller asked for.

use std::time::Duration;

use crate::limits;
use crate::load::Window;

/// The command line, parsed.
pub struct Options {
    /// Short measuring times: good for trying the benchmark, too noisy to judge by.
    pub quick: bool,
    /// The name of the row that is wanted, or part of several; all when absent.
    only: Option<String>,
    /// Users in the full store.
    pub users: u64,
}

impl Options {
    /// Reads the arguments; the error is a text for the caller.
    pub fn parse(arguments: &[String]) -> Result<Self, String> {
        Self::read(arguments).ok_or_else(usage)
    }

    /// Reads the arguments; `--bench`, which cargo adds, means nothing here.
    fn read(arguments: &[String]) -> Option<Self> {
        let mut options = Self { quick: false, only: None, users: 0 };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match argument.as_str() {
                "--bench" => {}
                "--quick" => options.quick = true,
                "--only" => {
                    let part = rest.next().filter(|part| names().any(|name| name.contains(*part)))?;
                    options.only = Some(part.clone());
                }
                "--users" => options.users = rest.next()?.parse().ok().filter(|users| *users > 0)?,
                _ => return None,
            }
        }
        if options.users == 0 {
            options.users = if options.quick { 20_000 } else { 1_000_000 };
        }
        Some(options)
    }

    /// Whether the row of this name is wanted: a whole name means that row alone.
    pub fn wants(&self, name: &str) -> bool {
        let Some(part) = &self.only else { return true };
        if names().any(|name| name == part) { name == part } else { name.contains(part.as_str()) }
    }

    /// Alternations between ours and the raw limit; the median of them counts.
    pub fn rounds(&self) -> usize {
        if self.quick { 3 } else { 7 }
    }

    /// Starts of a process of which the median counts.
    pub fn starts(&self) -> usize {
        if self.quick { 5 } else { 11 }
    }

    /// Logins after which the resident memory is read.
    pub fn logins(&self) -> u64 {
        if self.quick { 500 } else { 10_000 }
    }

    /// One round of requests.
    pub fn window(&self) -> Window {
        let measured = Duration::from_millis(if self.quick { 500 } else { 2000 });
        Window { warm: Duration::from_millis(200), measured }
    }

    /// One round of something that takes milliseconds, like a login.
    pub fn long_window(&self) -> Window {
        Window { measured: self.window().measured * 2, ..self.window() }
    }
}

fn names() -> impl Iterator<Item = &'static str> {
    limits::ALL.iter().map(|limit| limit.name)
}

fn usage() -> String {
    format!(
        "usage: scripts/bench [--quick] [--only NAME] [--users N]\n  \
           --quick      short measuring times, and 20,000 users instead of 1,000,000\n  \
           --only NAME  measure only the row NAME, or those whose names hold it:\n               {}\n  \
           --users N    users in the full store",
        names().collect::<Vec<_>>().join(", ")
    )
}
