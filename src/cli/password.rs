//! Reads a password: from a terminal without showing it, or from standard input when told to. Never from an
//! argument, which every user of the machine could see.
use std::io::{BufRead, ErrorKind, IsTerminal, Read, Write};

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

use crate::base::{Error, Result};

/// What Ctrl-C sends.
const CTRL_C: u8 = 3;

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
        ErrorKind::InvalidData => not_text(),
        _ => Error::unavailable(cause),
    })?;
    if read == 0 {
        return Err(Error::invalid("password", "is missing on standard input"));
    }
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

fn not_text() -> Error {
    Error::invalid("password", "must be text in UTF-8")
}

/// Asks with the echo off; it is on again whatever is typed. Ctrl-C ends a line instead of the process, which
/// would leave a terminal behind that shows nothing any more.
fn prompt(text: &str) -> Result<String> {
    let mut terminal = std::io::stderr();
    terminal.write_all(text.as_bytes()).map_err(Error::unavailable)?;
    let before = tcgetattr(std::io::stdin()).map_err(Error::unavailable)?;
    let restore = Restore(before.clone());
    let mut silent = before;
    silent.local_modes.remove(LocalModes::ECHO | LocalModes::ISIG);
    silent.special_codes[SpecialCodeIndex::VEOL] = CTRL_C;
    tcsetattr(std::io::stdin(), OptionalActions::Flush, &silent).map_err(Error::unavailable)?;
    let password = typed();
    drop(restore);
    terminal.write_all(b"\n").map_err(Error::unavailable)?;
    password
}

fn typed() -> Result<String> {
    let mut bytes = Vec::new();
    for byte in std::io::stdin().lock().bytes() {
        match byte.map_err(Error::unavailable)? {
            b'\n' => return String::from_utf8(bytes).map_err(|_| not_text()),
            CTRL_C => break,
            byte => bytes.push(byte),
        }
    }
    Err(Error::invalid("password", "was not given"))
}

struct Restore(Termios);

impl Drop for Restore {
    fn drop(&mut self) {
        // The terminal took these modes before; if it is gone there is nothing to restore.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
    }
}
