//! `auth-service config …`
use super::args::ConfigGroup;
use super::{describe, output};
use crate::config::{InForce, example};

/// Prints the example file, or the settings in force. None of them is a secret: those are in files of their own.
pub fn run(command: &ConfigGroup, in_force: &[InForce], json: bool) -> u8 {
    let text = match command {
        ConfigGroup::Example => example(),
        ConfigGroup::Show if json => serde_json::to_string_pretty(in_force).unwrap_or_default() + "\n",
        ConfigGroup::Show => describe(in_force),
    };
    output::write(&text)
}
