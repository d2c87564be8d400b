//! `auth-service user export`
use super::ask::Backend;
use super::output;
use crate::admin::{Answer, Command, TransferCommand};
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
