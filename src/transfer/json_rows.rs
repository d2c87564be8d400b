//! One JSON object a line.
use std::io::BufRead;

use serde_json::{Map, Value};

use super::model::{Refused, Row};
use super::rows::{Found, Line, Lines, MAX_ROW_BYTES, unreadable};
use crate::base::{Error, Result};

/// The rows of a file of JSON lines.
pub(super) struct JsonRows<R> {
    lines: Lines<R>,
    line: Vec<u8>,
    is_empty: bool,
}

impl<R: BufRead> JsonRows<R> {
    pub(super) fn new(lines: Lines<R>) -> Self {
        Self { lines, line: Vec::new(), is_empty: true }
    }

    /// The next line that is not blank.
    pub(super) fn next_row(&mut self, field: &'static str) -> Result<Option<Found>> {
        loop {
            let read = self.lines.next_line(&mut self.line).map_err(|cause| unreadable(field, &cause))?;
            let number = self.lines.number;
            let found = match read {
                Line::End if self.is_empty => return Err(Error::invalid(field, "is empty")),
                Line::End => return Ok(None),
                Line::TooLong => {
                    Err(Refused::unread(number, format!("is longer than {MAX_ROW_BYTES} bytes")))
                }
                Line::Whole if self.line.iter().all(u8::is_ascii_whitespace) => continue,
                Line::Whole => row(number, &self.line),
            };
            self.is_empty = false;
            return Ok(Some(found));
        }
    }
}

fn row(number: u64, line: &[u8]) -> Found {
    match serde_json::from_slice(line) {
        Ok(Value::Object(mut fields)) => {
            let username = fields.get("username").and_then(Value::as_str).map(str::to_owned);
            fill(number, &mut fields).map_err(|error| Refused::by(&error, number, username.as_deref()))
        }
        Ok(_) => Err(Refused::unread(number, "must be a JSON object")),
        // The place alone: the text may be somebody's password hash.
        Err(cause) => Err(Refused::unread(number, format!("is not valid JSON (column {})", cause.column()))),
    }
}

fn fill(number: u64, fields: &mut Map<String, Value>) -> Result<Row> {
    Ok(Row {
        number,
        username: text(fields, "username")?,
        email: text(fields, "email")?,
        first_name: text(fields, "first_name")?,
        last_name: text(fields, "last_name")?,
        password_hash: text(fields, "password_hash")?,
        is_active: match fields.remove("is_active") {
            None | Some(Value::Null) => None,
            Some(Value::Bool(is_active)) => Some(is_active),
            Some(_) => return Err(Error::invalid("is_active", "must be true or false")),
        },
        roles: texts(fields, "roles")?,
    })
}

fn text(fields: &mut Map<String, Value>, field: &'static str) -> Result<Option<String>> {
    match fields.remove(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Error::invalid(field, "must be a string")),
    }
}

fn texts(fields: &mut Map<String, Value>, field: &'static str) -> Result<Vec<String>> {
    let wrong = || Error::invalid(field, "must be an array of strings");
    let text = |item| if let Value::String(text) = item { Ok(text) } else { Err(wrong()) };
    match fields.remove(field) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(items)) => items.into_iter().map(text).collect(),
        Some(_) => Err(wrong()),
    }
}
