//! The directory of everything that a server keeps.
use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use crate::base::{Error, Result};

/// For its owner alone.
const MODE: u32 = 0o700;

/// Makes the directory if it is not there, and closes it to others.
///
/// # Errors
/// `Error::Unavailable` naming the directory.
pub fn prepare(path: &Path) -> Result<()> {
    let describe = |cause| Error::unavailable(format!("data directory {}: {cause}", path.display()));
    DirBuilder::new().recursive(true).mode(MODE).create(path).map_err(describe)?;
    let mode = fs::metadata(path).map_err(describe)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        fs::set_permissions(path, Permissions::from_mode(MODE)).map_err(describe)?;
        tracing::info!(path = %path.display(), "the data directory was open to others; now it is not");
    }
    Ok(())
}
