//! Reads the rows of a file one by one, however long the file is.
use std::io::{self, BufRead, Read};

use super::csv_rows::CsvRows;
use super::json_rows::JsonRows;
use super::model::{Format, Refused, Row};
use crate::base::{Error, Result};

/// Bytes of one row. A quote that nothing closes makes a row of all that follows: that must not fill the memory.
pub const MAX_ROW_BYTES: usize = 64 * 1024;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The rows of a file.
pub struct Rows<R: BufRead> {
    source: Source<R>,
    field: &'static str,
}

enum Source<R: BufRead> {
    Json(JsonRows<R>),
    Csv(Box<CsvRows<R>>),
}

/// A row, or why it is none.
pub type Found = Result<Row, Refused>;

impl<R: BufRead> Rows<R> {
    /// `field`: what an error names that is about the file as a whole.
    ///
    /// # Errors
    /// `Error::Invalid` for CSV without the columns that are needed.
    pub fn open(reader: R, format: Format, field: &'static str) -> Result<Self> {
        let lines = Lines::new(reader);
        let source = match format {
            Format::Jsonl => Source::Json(JsonRows::new(lines)),
            Format::Csv => Source::Csv(Box::new(CsvRows::open(lines, field)?)),
        };
        Ok(Self { source, field })
    }

    /// The next row; `None` when there is none.
    ///
    /// # Errors
    /// `Error::Invalid` when the file is empty or cannot be read.
    pub fn next_row(&mut self) -> Result<Option<Found>> {
        match &mut self.source {
            Source::Json(rows) => rows.next_row(self.field),
            Source::Csv(rows) => rows.next_row(self.field),
        }
    }
}

/// A file that the system does not let us read to its end.
pub(super) fn unreadable(field: &'static str, cause: &io::Error) -> Error {
    Error::invalid(field, format!("cannot be read: {cause}"))
}

/// The lines of a file, none of them kept longer than it may be.
pub(super) struct Lines<R> {
    reader: R,
    /// How many lines were read.
    pub(super) number: u64,
}

/// What came of reading a line.
pub(super) enum Line {
    Whole,
    /// Longer than a row may be; what is left of it was passed over.
    TooLong,
    End,
}

impl<R: BufRead> Lines<R> {
    fn new(reader: R) -> Self {
        Self { reader, number: 0 }
    }

    /// Reads the next line into `line`, without its end.
    pub(super) fn next_line(&mut self, line: &mut Vec<u8>) -> io::Result<Line> {
        line.clear();
        let most = MAX_ROW_BYTES as u64 + 2;
        if self.reader.by_ref().take(most).read_until(b'\n', line)? == 0 {
            return Ok(Line::End);
        }
        self.number += 1;
        if !line.ends_with(b"\n") && line.len() as u64 == most {
            self.reader.skip_until(b'\n')?;
            return Ok(Line::TooLong);
        }
        if line.ends_with(b"\n") {
            line.pop();
            line.pop_if(|last| *last == b'\r');
        }
        if self.number == 1 && line.starts_with(BYTE_ORDER_MARK) {
            line.drain(..BYTE_ORDER_MARK.len());
        }
        Ok(Line::Whole)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All rows: line, user name and first name of the good ones, line and reason of the others.
    fn read(format: Format, text: impl AsRef<[u8]>) -> Vec<(u64, String)> {
        let mut rows = Rows::open(text.as_ref(), format, "file").unwrap();
        let mut all = Vec::new();
        while let Some(found) = rows.next_row().unwrap() {
            all.push(match found {
                Ok(row) => {
                    let part = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
                    (row.number, format!("{} {}", part(row.username), part(row.first_name)))
                }
                Err(refused) => (refused.row, refused.reason),
            });
        }
        all
    }

    fn csv(text: &str) -> Vec<(u64, String)> {
        read(Format::Csv, text)
    }

    fn good(rows: &[(u64, &str)]) -> Vec<(u64, String)> {
        rows.iter().map(|(line, text)| (*line, (*text).to_owned())).collect()
    }

    #[test]
    fn lines_are_counted_as_an_editor_counts_them() {
        let names = "username,email,first_name\n";
        let texts = [
            "ann,a@b.cd,Ann\nbob,b@b.cd,Bob\n",
            "ann,a@b.cd,Ann\n\n\nbob,b@b.cd,Bob",
            "\"ann\",a@b.cd,\"A\nn\nn\"\nbob,b@b.cd,\"Bo\"\"b\"\n",
            "\n\nann,a@b.cd,\n\n\"bob\",\"b@b.cd\",\"\"\n\n",
        ];
        let expected = [
            good(&[(2, "ann Ann"), (3, "bob Bob")]),
            good(&[(2, "ann Ann"), (5, "bob Bob")]),
            good(&[(2, "ann A\nn\nn"), (5, "bob Bo\"b")]),
            good(&[(4, "ann -"), (6, "bob -")]),
        ];
        for (text, expected) in texts.iter().zip(expected) {
            let text = format!("{names}{text}");
            for text in [text.clone(), text.replace('\n', "\r\n"), format!("\u{feff}{text}")] {
                assert_eq!(csv(&text), expected, "{text:?}");
            }
        }
        let json = "\n{\"username\": \"ann\"}\n\n  \n{\"first_name\": \"Bob\"}";
        for text in [json.to_owned(), json.replace('\n', "\r\n"), format!("\u{feff}{json}")] {
            assert_eq!(read(Format::Jsonl, text), good(&[(2, "ann -"), (5, "- Bob")]));
        }
    }

    #[test]
    fn columns_stand_in_any_order_and_some_are_not_ours() {
        let text = "x, First_Name ,EMAIL,\"username\"\n1, Ann Lee ,a@b.cd, ann \n,,,\n";
        assert_eq!(csv(text), good(&[(2, "ann Ann Lee"), (3, "- -")]));
        assert_eq!(csv("username,email\n"), []);
    }

    #[test]
    fn a_row_of_the_wrong_width_is_refused_alone() {
        let text = "username,email,first_name\nann,a@b.cd\nbob,b@b.cd,Bob,4\ncarl,c@b.cd,Carl\n";
        let expected = good(&[
            (2, "has 2 fields where the first line has 3"),
            (3, "has 4 fields where the first line has 3"),
            (4, "carl Carl"),
        ]);
        assert_eq!(csv(text), expected);
        let open = "username,email,first_name\nann,\"a@b.cd,Ann\nbob,b@b.cd,Bob\n";
        let why = "has a quote that is not closed, and takes 2 lines for one";
        assert_eq!(csv(open), good(&[(2, why)]));
    }

    #[test]
    fn no_row_fills_the_memory() {
        let row = format!("{{\"username\": \"ann\", \"x\": \"{}\"}}", "x".repeat(MAX_ROW_BYTES));
        let text = format!("{row}\n{{\"username\": \"bob\"}}\n{row}");
        let long = "is longer than 65536 bytes";
        assert_eq!(read(Format::Jsonl, text), good(&[(1, long), (2, "bob -"), (3, long)]));
        let rows = "ann,a@b.cd\n".repeat(MAX_ROW_BYTES / 10);
        let text = format!("username,email\nbob,b@b.cd\n\"carl,c@b.cd\n{rows}");
        let long = format!("{long} (is a quote not closed?); nothing after it was read");
        assert_eq!(csv(&text), good(&[(2, "bob -"), (3, &long)]));
        let text = format!("username,email\n{}\nbob,b@b.cd\n", "x".repeat(2 * MAX_ROW_BYTES));
        assert_eq!(csv(&text), good(&[(2, &long)]));
    }

    #[test]
    fn what_is_no_text_or_no_json_is_refused_alone() {
        let bytes = b"username,email\n\xff,a@b.cd\nbob,b@b.cd\n";
        assert_eq!(read(Format::Csv, bytes), good(&[(2, "is not text in UTF-8"), (3, "bob -")]));
        let bytes = b"{\"username\": \"\xff\"}\n{}\n{\"a\n1";
        let found = read(Format::Jsonl, bytes);
        assert_eq!(found[1], (2, "- -".to_owned()));
        assert_eq!(found[3], (4, "must be a JSON object".to_owned()));
        assert!(found[0].1.starts_with("is not valid JSON") && found[2].1 == "is not valid JSON (column 3)");
    }

    proptest! {
        #[test]
        fn any_bytes_are_rows_or_refused(bytes in any::<Vec<u8>>(), head in "(username,email\r?\n)?", csv in any::<bool>()) {
            let format = if csv { Format::Csv } else { Format::Jsonl };
            let text = [head.as_bytes(), &bytes].concat();
            let Ok(mut rows) = Rows::open(&text[..], format, "file") else { return Ok(()) };
            let (mut before, most) = (0, text.split(|byte| *byte == b'\n').count() as u64);
            while let Ok(Some(found)) = rows.next_row() {
                let number = found.map_or_else(|refused| refused.row, |row| row.number);
                prop_assert!((before..=most).contains(&number), "{number} after {before}");
                before = number;
            }
        }
    }
}
