//! `auth-service config …`
use super::args::ConfigGroup;
use super::{describe, output};
use crate::config::{Config, InForce, example};

/// Prints the example file, or the settings in force. None of them is a secret: those are in files of their own.
pub fn run(command: &ConfigGroup, (config, in_force): (&Config, &[InForce]), json: bool) -> u8 {
    let text = match command {
        ConfigGroup::Example => example(),
        ConfigGroup::Check => match crate::app::check(config) {
            Ok(()) => "The settings are good.\n".to_owned(),
            Err(error) => return output::fail(&error, json, output::USAGE),
        },
        ConfigGroup::Show if json => serde_json::to_string_pretty(in_force).unwrap_or_default() + "\n",
        ConfigGroup::Show => describe(in_force),
    };
    output::write(&text)
}
