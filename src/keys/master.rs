//! The master key's file.
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::base::{Entropy, Error, Result, entropy};
use crate::crypto::{MasterKey, seal::KEY_BYTES};

/// Reads the file; makes one of 256 random bits if there is none and `may_create`.
///
/// # Errors
/// `Error::Unavailable` naming the file: it is missing though the store needs it, is no key, or cannot be read.
pub fn load_or_create(path: &Path, rng: &dyn Entropy, may_create: bool) -> Result<MasterKey> {
    let describe = |cause: &dyn std::fmt::Display| Error::unavailable(format!("{}: {cause}", path.display()));
    match fs::read_to_string(path).map(Zeroizing::new) {
        Ok(text) => {
            warn_if_readable_by_others(path);
            let bytes = Zeroizing::new(STANDARD.decode(text.trim()).unwrap_or_default());
            let key: &[u8; KEY_BYTES] = bytes
                .as_slice()
                .try_into()
                .map_err(|_| describe(&"is not a master key (32 bytes in base64)"))?;
            Ok(MasterKey::new(key))
        }
        Err(cause) if cause.kind() == io::ErrorKind::NotFound && may_create => {
            let key: Zeroizing<[u8; KEY_BYTES]> = Zeroizing::new(entropy::bytes(rng));
            create(path, &key).map_err(|cause| describe(&cause))?;
            Ok(MasterKey::new(&key))
        }
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Err(describe(
            &"the master key is missing, and the store's keys are encrypted under it; bring it back",
        )),
        Err(cause) => Err(describe(&cause)),
    }
}

/// Durable before anything is encrypted under it, and never half there.
fn create(path: &Path, key: &[u8; KEY_BYTES]) -> io::Result<()> {
    let partial = path.with_extension("partial");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&partial)?;
    writeln!(file, "{}", *Zeroizing::new(STANDARD.encode(key)))?;
    file.sync_all()?;
    fs::rename(&partial, path)?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

fn warn_if_readable_by_others(path: &Path) {
    let mode = fs::metadata(path).map_or(0, |meta| meta.permissions().mode());
    if mode & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "others can read the master key; `chmod 600` it");
    }
}
