//! The plain hash of what is random enough, or no secret.
use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA512, digest};

/// SHA-256 over some parts, one after the other.
#[must_use]
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = [0; 32];
    // Most are of one part, for which the library needs no state of its own.
    if let [whole] = parts {
        hash.copy_from_slice(digest(&SHA256, whole).as_ref());
        return hash;
    }
    let mut context = Context::new(&SHA256);
    parts.iter().for_each(|part| context.update(part));
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// SHA-512 over some parts, one after the other.
#[must_use]
pub fn sha512(parts: &[&[u8]]) -> [u8; 64] {
    let mut context = Context::new(&SHA512);
    parts.iter().for_each(|part| context.update(part));
    let mut hash = [0; 64];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// SHA-1, in which lists of leaked passwords are published. It is good for nothing else.
#[must_use]
pub fn sha1(bytes: &[u8]) -> [u8; 20] {
    let mut hash = [0; 20];
    hash.copy_from_slice(digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref());
    hash
}
