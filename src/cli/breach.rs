//! `auth-service passwords build-filter`: needs neither server nor store.
use std::path::PathBuf;

use serde_json::json;

use super::output;
use crate::base::Result;
use crate::breach::build;

#[derive(Debug, clap::Args)]
pub struct BuildFilter {
    /// One hash a line, each perhaps with a colon and how often it was seen, in any order
    pub file: PathBuf,
    /// Where the filter goes [default: the name of the list, and .filter]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Leave out what was seen less often
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub min_count: u64,
}

/// Makes a filter of a list, and says what is in it.
///
/// # Errors
/// Those of [`build`].
///
/// # Returns
/// The exit code.
pub fn build_filter(args: &BuildFilter, json: bool) -> Result<u8> {
    let out = args.out.clone().unwrap_or_else(|| {
        let mut name = args.file.clone().into_os_string();
        name.push(".filter");
        name.into()
    });
    let built = build(&args.file, &out, args.min_count)?;
    let out = out.display().to_string();
    let text = if json {
        let fields =
            json!({"file": out, "hashes": built.entries, "left_out": built.left_out, "bytes": built.bytes});
        serde_json::to_string_pretty(&fields).unwrap_or_default() + "\n"
    } else {
        format!(
            "{} hashes in {out} ({} bytes); {} were seen too rarely\n\
             To refuse these passwords: breach_filter = \"{out}\" in the section [password]\n",
            built.entries, built.bytes, built.left_out
        )
    };
    Ok(output::write(&text))
}
