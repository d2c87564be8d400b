//! Comma-separated values (RFC 4180), as spreadsheets write them.
use std::io::{self, BufRead, Read};

use csv::{ByteRecord, Reader, ReaderBuilder};

use super::model::{FIELDS, Refused, Row};
use super::rows::{Found, Line, Lines, MAX_ROW_BYTES, unreadable};
use crate::base::{Error, Result};

const NEEDED: [&str; 2] = ["username", "email"];

/// The rows of a CSV file below its line of column names.
pub(super) struct CsvRows<R: BufRead> {
    reader: Reader<Feed<R>>,
    record: ByteRecord,
    /// In which column each of [`FIELDS`] stands.
    columns: [Option<usize>; FIELDS.len()],
    width: usize,
}

impl<R: BufRead> CsvRows<R> {
    /// Reads the column names.
    pub(super) fn open(lines: Lines<R>, field: &'static str) -> Result<Self> {
        let feed =
            Feed { lines, line: Vec::new(), at: 0, row_bytes: 0, is_too_long: false, is_at_end: false };
        let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(feed);
        let mut record = ByteRecord::new();
        let found = reader.read_byte_record(&mut record).map_err(|cause| unreadable(field, &cause.into()))?;
        if !found {
            return Err(Error::invalid(field, "is empty"));
        }
        let columns = columns(&record, field)?;
        Ok(Self { reader, width: record.len(), record, columns })
    }

    /// The next record.
    pub(super) fn next_row(&mut self, field: &'static str) -> Result<Option<Found>> {
        self.reader.get_mut().row_bytes = 0;
        let begin = self.reader.position().line();
        match self.reader.read_byte_record(&mut self.record) {
            Ok(true) => Ok(Some(self.row())),
            Ok(false) => Ok(None),
            // There is no telling where the next row begins: the reader is at its end now.
            Err(_) if self.reader.get_ref().is_too_long => {
                let reason = format!(
                    "is longer than {MAX_ROW_BYTES} bytes (is a quote not closed?); nothing after it was read"
                );
                Ok(Some(Err(Refused::unread(begin, reason))))
            }
            Err(cause) => Err(unreadable(field, &cause.into())),
        }
    }

    fn row(&self) -> Found {
        let breaks = self.record.as_slice().split(|byte| *byte == b'\n').skip(1).count() as u64;
        // The reader stands on the line after the record. Where it stood before is no good: blank lines follow.
        let after = self.reader.position().line();
        // Every line has an end, so that a row has none only in an open quote.
        if self.reader.get_ref().is_at_end {
            let reason = format!("has a quote that is not closed, and takes {breaks} lines for one");
            return Err(Refused::unread(after.saturating_sub(breaks), reason));
        }
        let number = after.saturating_sub(1 + breaks);
        if self.record.len() != self.width {
            let (fields, width) = (self.record.len(), self.width);
            let reason = format!("has {fields} fields where the first line has {width}");
            return Err(Refused::unread(number, reason));
        }
        let texts = self.texts().ok_or_else(|| Refused::unread(number, "is not text in UTF-8"))?;
        let username = texts[0];
        fill(number, texts).map_err(|error| Refused::by(&error, number, username))
    }

    /// What stands in the columns of [`FIELDS`]; nothing is the same as no column.
    fn texts(&self) -> Option<[Option<&str>; FIELDS.len()]> {
        let mut texts = [None; FIELDS.len()];
        for (text, column) in texts.iter_mut().zip(self.columns) {
            let bytes = column.and_then(|column| self.record.get(column)).unwrap_or_default();
            *text = Some(std::str::from_utf8(bytes).ok()?.trim()).filter(|text| !text.is_empty());
        }
        Some(texts)
    }
}

fn columns(header: &ByteRecord, field: &'static str) -> Result<[Option<usize>; FIELDS.len()]> {
    let name = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_lowercase();
    let names: Vec<_> = header.iter().map(name).collect();
    let mut columns = [None; FIELDS.len()];
    for (column, known) in columns.iter_mut().zip(FIELDS) {
        let mut places = names.iter().enumerate().filter(|(_, name)| *name == known).map(|(at, _)| at);
        *column = places.next();
        if places.next().is_some() {
            return Err(Error::invalid(field, format!("has the column `{known}` twice")));
        }
        if column.is_none() && NEEDED.contains(&known) {
            let reason = format!("must name its columns in the first line; there is no `{known}`");
            return Err(Error::invalid(field, reason));
        }
    }
    Ok(columns)
}

fn fill(number: u64, texts: [Option<&str>; FIELDS.len()]) -> Result<Row> {
    let [username, email, first_name, last_name, password_hash, is_active, roles] = texts;
    let own = |text: Option<&str>| text.map(str::to_owned);
    let separated = |text: &str| {
        let names = text.split(|c: char| c == ';' || c.is_whitespace());
        names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
    };
    Ok(Row {
        number,
        username: own(username),
        email: own(email),
        first_name: own(first_name),
        last_name: own(last_name),
        password_hash: own(password_hash),
        is_active: is_active.map(truth).transpose()?,
        roles: roles.map(separated).unwrap_or_default(),
    })
}

fn truth(text: &str) -> Result<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(Error::invalid("is_active", "must be true or false")),
    }
}

/// Gives the reader of CSV a file line by line: with plain line ends, because it counts lines by them, and never more
/// for one row than a row may have.
struct Feed<R> {
    lines: Lines<R>,
    line: Vec<u8>,
    at: usize,
    row_bytes: usize,
    is_too_long: bool,
    is_at_end: bool,
}

impl<R: BufRead> Read for Feed<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.at == self.line.len() {
            self.at = 0;
            match self.lines.next_line(&mut self.line)? {
                Line::End => {
                    self.is_at_end = true;
                    return Ok(0);
                }
                Line::Whole => self.line.push(b'\n'),
                Line::TooLong => self.row_bytes = MAX_ROW_BYTES,
            }
            self.row_bytes += self.line.len();
            self.is_too_long = self.row_bytes > MAX_ROW_BYTES;
            if self.is_too_long {
                return Err(io::Error::other("a row is too long"));
            }
        }
        let given = (&self.line[self.at..]).read(to)?;
        self.at += given;
        Ok(given)
    }
}
