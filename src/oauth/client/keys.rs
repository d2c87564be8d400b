//! Where the keys are that a client signs with (RFC 7591 section 2). Pure.
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::{Error, Result};
use crate::crypto::{VerifyingKey, jwk, sha256};

/// Of a set; a key of 4096 bits has less than one of these.
const MAX_BYTES: usize = 64 * 1024;

/// The keys of a client.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ClientKeys {
    #[default]
    None,
    /// The set itself, as JSON.
    Value(String),
    /// Where the client publishes them.
    Uri(String),
}

impl ClientKeys {
    /// # Errors
    /// `Error::Invalid` naming `jwks` for what is no set of public keys that can be used.
    pub fn parse(set: &Value) -> Result<Self> {
        jwk::parse_set("jwks", set)?;
        let text = set.to_string();
        if text.len() > MAX_BYTES {
            return Err(Error::invalid("jwks", format!("must have at most {MAX_BYTES} bytes")));
        }
        Ok(Self::Value(text))
    }

    /// The set, if it is here.
    #[must_use]
    pub fn value(&self) -> Option<Value> {
        match self {
            Self::Value(text) => serde_json::from_str(text).ok(),
            _ => None,
        }
    }

    /// Where the set is, if it is elsewhere.
    #[must_use]
    pub fn uri(&self) -> Option<&str> {
        match self {
            Self::Uri(uri) => Some(uri),
            _ => None,
        }
    }

    /// The keys that are here.
    #[must_use]
    pub fn parsed(&self) -> Vec<VerifyingKey> {
        match self {
            Self::Value(text) => jwk::read_set(text.as_bytes()).unwrap_or_default(),
            _ => Vec::new(),
        }
    }

    /// What tells them from others, for the audit trail.
    #[must_use]
    pub fn told(&self) -> String {
        match self {
            Self::None => String::new(),
            Self::Value(text) => {
                let hash = sha256(&[text.as_bytes()]);
                format!("sha256:{}", hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
            }
            Self::Uri(uri) => uri.clone(),
        }
    }
}
