//! `auth-service user export` and `auth-service audit export`.
use super::ask::Backend;
use super::output;
use crate::admin::{Answer, AuditCommand, Command, EventFilter, TransferCommand};
use crate::base::Result;
use crate::config::Config;

/// Writes all accounts to standard output, one JSON object a line, part by part.
///
/// # Errors
/// `Error::Unavailable` when neither the server nor the store answers.
///
/// # Returns
/// The exit code.
pub fn run(config: Config, password_hashes: bool, json: bool) -> Result<u8> {
    let mut backend = Backend::new(config);
    let mut cursor = None;
    loop {
        let what = TransferCommand::Export { cursor, password_hashes };
        let answer = backend.ask(Command::Transfer { what })?;
        let Answer::Exported { accounts, next_cursor } = answer else {
            return Ok(output::print(answer, json));
        };
        let written = output::write(&output::account_lines(&accounts));
        if written != output::DONE || next_cursor.is_none() {
            return Ok(written);
        }
        cursor = next_cursor;
    }
}

/// Writes events to standard output as JSON lines, part by part.
///
/// # Errors
/// As [`run`].
///
/// # Returns
/// The exit code.
pub fn events(config: Config, filter: &EventFilter, mut seq: Option<u64>, json: bool) -> Result<u8> {
    let mut backend = Backend::new(config);
    loop {
        let what = AuditCommand::Export { filter: filter.clone(), seq };
        match backend.ask(Command::Audit { what })? {
            Answer::EventLines { lines, next } => {
                let code = output::write(&lines);
                if code != output::DONE || next.is_none() {
                    return Ok(code);
                }
                seq = next;
            }
            refused => return Ok(output::print(refused, json)),
        }
    }
}
