//! What of a client has a word in a registry. Pure.
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::base::{Error, Result};

/// How a client proves who it is (RFC 7591 section 2, `token_endpoint_auth_method`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Authentication {
    /// It cannot keep a secret: a program on its user's machine, or in a browser.
    None,
    SecretBasic,
    SecretPost,
    /// It signs who it is with its secret (OpenID Connect Core section 9).
    SecretJwt,
    /// It signs who it is with a key that nobody else has.
    PrivateKeyJwt,
}

/// How a client may come by tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum GrantType {
    AuthorizationCode,
    RefreshToken,
    ClientCredentials,
    /// RFC 8628.
    DeviceCode,
    TokenExchange,
}

/// What a user is called towards a client (OpenID Connect Core section 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SubjectType {
    Public,
    /// By another name for each sector.
    Pairwise,
}

/// Where a client runs (OpenID Connect Registration section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ApplicationType {
    /// On a server of its own, or in a browser.
    Web,
    /// On its user's machine.
    Native,
}

/// Enums with the words of a registry.
macro_rules! registered {
    ($name:ident, $field:literal { $( $variant:ident = $word:literal, )+ }) => {
        impl $name {
            /// All there are.
            pub const ALL: &[Self] = &[ $( Self::$variant, )+ ];

            /// The word of the registry.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Self::$variant => $word, )+ }
            }
        }

        impl FromStr for $name {
            type Err = Error;

            /// # Errors
            #[doc = concat!("`Error::Invalid` naming `", $field, "` for another word.")]
            fn from_str(text: &str) -> Result<Self> {
                let words = || [ $( $word, )+ ].join(", ");
                let found = Self::ALL.iter().copied().find(|known| known.name() == text);
                found.ok_or_else(|| Error::invalid($field, format!("must be one of {}", words())))
            }
        }
    };
}

registered! { Authentication, "token_endpoint_auth_method" {
    None = "none",
    SecretBasic = "client_secret_basic",
    SecretPost = "client_secret_post",
    SecretJwt = "client_secret_jwt",
    PrivateKeyJwt = "private_key_jwt",
} }
registered! { GrantType, "grant_types" {
    AuthorizationCode = "authorization_code",
    RefreshToken = "refresh_token",
    ClientCredentials = "client_credentials",
    DeviceCode = "urn:ietf:params:oauth:grant-type:device_code",
    TokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange",
} }
registered! { ApplicationType, "application_type" { Web = "web", Native = "native", } }
registered! { SubjectType, "subject_type" { Public = "public", Pairwise = "pairwise", } }

impl Authentication {
    /// Whether a client that proves itself so has a secret of ours.
    #[must_use]
    pub const fn has_secret(self) -> bool {
        matches!(self, Self::SecretBasic | Self::SecretPost | Self::SecretJwt)
    }

    /// Whether it signs who it is, and sends nothing that others could use again.
    #[must_use]
    pub const fn signs(self) -> bool {
        matches!(self, Self::SecretJwt | Self::PrivateKeyJwt)
    }
}
