//! `auth-service user import`
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal, Write};
use std::path::Path;

use super::args::ImportArgs;
use super::ask::Backend;
use super::output;
use crate::admin::{Answer, Command, TransferCommand};
use crate::base::{Error, Result, Tick};
use crate::config::Config;
use crate::transfer::model::ROWS_AT_ONCE;
use crate::transfer::{Arrival, Format, Outcome, Refused, Row, Rows, Seen, Totals};

/// Bytes of the rows of one command, well below what a line on the socket may have.
const BYTES_AT_ONCE: usize = 512 * 1024;
const STANDARD_INPUT: &str = "-";

/// Brings the accounts of a file in, part by part, and says what became of them.
///
/// # Errors
/// `Error::Invalid` naming `file`, `format` or `report` when one of them cannot be used.
///
/// # Returns
/// The exit code: that of a refusal when some rows were refused.
pub fn run(config: Config, args: &ImportArgs, json: bool) -> Result<u8> {
    let mut rows = open(args)?;
    let mut import = Import {
        backend: Backend::new(config),
        totals: Totals { dry_run: args.dry_run, ..Totals::default() },
        seen: Seen::default(),
        report: args.report.as_deref().map(|path| create(path, &args.file)).transpose()?,
        progress: Progress::new(args.progress || !json && io::stderr().is_terminal()),
        prints_rows: !json,
    };
    let ended = import.drive(&mut rows);
    let code = import.conclude(matches!(ended, Ok(None)), json);
    Ok(match ended? {
        None => code,
        Some(refusal) => output::print(refusal, json),
    })
}

fn open(args: &ImportArgs) -> Result<Rows<Box<dyn BufRead>>> {
    let named = args.format.as_deref().and_then(Format::of_name);
    let format = named.or_else(|| Format::of_file(&args.file)).ok_or_else(|| {
        Error::invalid("format", "does not follow from the file's name; use --format jsonl or --format csv")
    })?;
    let reader: Box<dyn BufRead> = if args.file == Path::new(STANDARD_INPUT) {
        Box::new(io::stdin().lock())
    } else {
        let failed = |cause| Error::invalid("file", format!("cannot be read: {cause}"));
        Box::new(BufReader::new(File::open(&args.file).map_err(failed)?))
    };
    Rows::open(reader, format, "file")
}

/// Makes the file of the report; never over the file that is to be read.
fn create(path: &Path, input: &Path) -> Result<BufWriter<File>> {
    if fs::canonicalize(path).is_ok_and(|path| fs::canonicalize(input).is_ok_and(|input| input == path)) {
        return Err(Error::invalid("report", "is the file that is imported"));
    }
    let failed = |cause| Error::invalid("report", format!("cannot be written: {cause}"));
    File::create(path).map(BufWriter::new).map_err(failed)
}

/// An import that is under way.
struct Import {
    backend: Backend,
    totals: Totals,
    /// What a dry run has met: whoever does the parts of it keeps nothing in mind.
    seen: Seen,
    report: Option<BufWriter<File>>,
    progress: Progress,
    prints_rows: bool,
}

impl Import {
    /// Takes one part of the file after another.
    ///
    /// # Returns
    /// What the server answered if it would not go on.
    fn drive(&mut self, rows: &mut Rows<Box<dyn BufRead>>) -> Result<Option<Answer>> {
        loop {
            let part = Part::read(rows)?;
            if part.is_empty() {
                return Ok(None);
            }
            let is_last = part.is_last;
            match self.take(part)? {
                Ok(outcomes) => self.account_for(&outcomes)?,
                Err(refusal) => return Ok(Some(refusal)),
            }
            if is_last {
                return Ok(None);
            }
        }
    }

    /// What became of the rows of a part, in their order.
    fn take(&mut self, mut part: Part) -> Result<Result<Vec<Outcome>, Answer>> {
        let arrivals = if self.totals.dry_run { self.hold_back(&mut part) } else { HashMap::new() };
        let mut outcomes: Vec<_> = part.refused.into_iter().map(Outcome::Refused).collect();
        if !part.rows.is_empty() {
            let what = TransferCommand::Import { rows: part.rows, dry_run: self.totals.dry_run };
            match self.backend.ask(Command::Transfer { what })? {
                Answer::Imported(settled) => outcomes.extend(settled),
                other => return Ok(Err(other)),
            }
        }
        outcomes.sort_by_key(Outcome::row);
        let good = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Imported { .. }));
        good.filter_map(|outcome| arrivals.get(&outcome.row())).for_each(|arrival| self.seen.add(arrival));
        Ok(Ok(outcomes))
    }

    /// Refuses the rows of a part whose names earlier parts have.
    ///
    /// # Returns
    /// The others, by row.
    fn hold_back(&mut self, part: &mut Part) -> HashMap<u64, Arrival> {
        let mut arrivals = HashMap::new();
        for row in std::mem::take(&mut part.rows) {
            // What is wrong with it is for the other side to say.
            let Ok(arrival) = row.clone().parse() else {
                part.rows.push(row);
                continue;
            };
            match self.seen.check(&arrival) {
                Ok(()) => {
                    arrivals.insert(row.number, arrival);
                    part.rows.push(row);
                }
                Err(error) => part.refused.push(Refused::by(&error, row.number, row.username.as_deref())),
            }
        }
        arrivals
    }

    fn account_for(&mut self, outcomes: &[Outcome]) -> Result<()> {
        self.progress.clear();
        for outcome in outcomes {
            self.totals.count(outcome);
            if let Outcome::Refused(refused) = outcome
                && self.prints_rows
            {
                // With nobody to read it the rows go in all the same.
                output::write(&output::refused_line(refused));
            }
            if let Some(report) = &mut self.report {
                let failed = |cause: io::Error| Error::unavailable(format!("the report: {cause}"));
                serde_json::to_writer(&mut *report, outcome).map_err(|cause| failed(cause.into()))?;
                report.write_all(b"\n").map_err(failed)?;
            }
        }
        self.progress.show(&self.totals);
        Ok(())
    }

    /// Prints the totals, unless it ended before there was anything.
    ///
    /// # Returns
    /// The exit code.
    fn conclude(&mut self, is_whole: bool, json: bool) -> u8 {
        self.progress.end();
        let flushed = self.report.as_mut().map_or(Ok(()), Write::flush);
        if self.totals.rows == 0 && !is_whole {
            return output::DONE;
        }
        let written = output::write(&output::totals(&self.totals, json));
        match (flushed, written, self.totals.refused) {
            (Err(cause), ..) => {
                let error = Error::unavailable(format!("the report: {cause}"));
                output::fail(&error, json, output::UNAVAILABLE)
            }
            (_, output::DONE, 1..) => output::REFUSED,
            (_, code, _) => code,
        }
    }
}

/// Some rows of the file that follow each other.
#[derive(Default)]
struct Part {
    rows: Vec<Row>,
    /// Those that cannot be read.
    refused: Vec<Refused>,
    is_last: bool,
}

impl Part {
    fn read(rows: &mut Rows<Box<dyn BufRead>>) -> Result<Self> {
        let (mut part, mut bytes) = (Self::default(), 0);
        while bytes < BYTES_AT_ONCE && part.rows.len() + part.refused.len() < ROWS_AT_ONCE {
            match rows.next_row()? {
                None => {
                    part.is_last = true;
                    break;
                }
                Some(Ok(row)) => {
                    bytes += serde_json::to_vec(&row).map_err(Error::internal)?.len();
                    part.rows.push(row);
                }
                Some(Err(refused)) => part.refused.push(refused),
            }
        }
        Ok(part)
    }

    fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.refused.is_empty()
    }
}

/// One line on standard error, written again and again.
struct Progress {
    is_shown: bool,
    begun: Tick,
}

impl Progress {
    fn new(is_shown: bool) -> Self {
        Self { is_shown, begun: Tick::now() }
    }

    fn show(&self, totals: &Totals) {
        let millis = self.begun.elapsed().as_millis().max(1);
        let speed = u128::from(totals.rows) * 1000 / millis;
        self.write(&format!("\r{} rows, {} refused, {speed} a second", totals.rows, totals.refused));
    }

    /// Makes room for what is printed on the same terminal.
    fn clear(&self) {
        self.write(&format!("\r{:60}\r", ""));
    }

    fn end(&self) {
        self.write("\n");
    }

    fn write(&self, text: &str) {
        if self.is_shown {
            // With no standard error there is nobody to tell.
            let _ = io::stderr().write_all(text.as_bytes());
        }
    }
}
