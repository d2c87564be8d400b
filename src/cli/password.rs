//! Reads a password: from a terminal without showing it, or from standard input when told to. Never from an
//! argument, which every user of the machine could see.
use std::io::{BufRead, ErrorKind, IsTerminal, Write};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::base::{Error, Result};

/// The password, without its line end.
///
/// # Errors
/// `Error::Invalid` naming `password` when there is nobody to ask, the input ends, or two entries differ.
pub fn read(from_stdin: bool) -> Result<String> {
    if from_stdin {
        return line();
    }
    if !std::io::stdin().is_terminal() {
        return Err(Error::invalid(
            "password",
            "cannot be asked for without a terminal; use --password-stdin",
        ));
    }
    let first = prompt("Password: ")?;
    if first == prompt("Once more: ")? {
        Ok(first)
    } else {
        Err(Error::invalid("password", "was not the same twice"))
    }
}

fn line() -> Result<String> {
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line).map_err(|cause| match cause.kind() {
        ErrorKind::InvalidData => Error::invalid("password", "must be text in UTF-8"),
        _ => Error::unavailable(cause),
    })?;
    if read == 0 {
        return Err(Error::invalid("password", "is missing on standard input"));
    }
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

/// Asks with the echo off; it is on again whatever happens.
fn prompt(text: &str) -> Result<String> {
    let mut terminal = std::io::stderr();
    terminal.write_all(text.as_bytes()).map_err(Error::unavailable)?;
    let before = tcgetattr(std::io::stdin()).map_err(Error::unavailable)?;
    let restore = Restore(before.clone());
    let mut silent = before;
    silent.local_modes.remove(LocalModes::ECHO);
    tcsetattr(std::io::stdin(), OptionalActions::Flush, &silent).map_err(Error::unavailable)?;
    let password = line();
    drop(restore);
    terminal.write_all(b"\n").map_err(Error::unavailable)?;
    password
}

struct Restore(Termios);

impl Drop for Restore {
    fn drop(&mut self) {
        // The terminal took these modes before; if it is gone there is nothing to restore.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
    }
}
