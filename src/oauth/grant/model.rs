//! What a code and a grant are. Pure.
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::{Id, Timestamp};
use crate::crypto::Thumbprint;
use crate::oauth::client::{Client, ClientId};
use crate::oauth::scope::{Scopes, scope_of};
use crate::session::Session;

/// How long a code can be redeemed (RFC 9700 asks for short, FAPI 2.0 for at most this).
pub const CODE_SECS: i64 = 60;
/// How long a code that was redeemed is known yet: whoever presents it again shows that there is a copy.
pub const CODE_KNOWN_SECS: i64 = 3600;

/// What a user has let a client have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consented {
    pub scopes: Scopes,
    /// What the tokens are for (RFC 8707).
    pub resources: Vec<String>,
    /// Claims that were asked for one by one (OpenID Connect Core section 5.5).
    pub id_token_claims: Vec<String>,
    pub userinfo_claims: Vec<String>,
}

impl Consented {
    /// The scopes, and those that the claims belong to that were asked for one by one: a user agrees to either in the same
    /// words.
    #[must_use]
    pub fn all_scopes(&self) -> Scopes {
        let claims = self.id_token_claims.iter().chain(&self.userinfo_claims);
        let names: Vec<_> = claims.filter_map(|claim| scope_of(claim)).collect();
        // They are ours, and have no character that is not allowed.
        self.scopes.and(&Scopes::parse("scope", &names.join(" ")).unwrap_or_default())
    }
}

/// How and when a user has proven who it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// The session that it ends with.
    pub session: Id<Session>,
    /// What that is called towards clients: it stays when the user signs in anew in the same browser.
    pub sid: Id<Session>,
    pub auth_time: Timestamp,
    /// In the words of RFC 8176.
    pub amr: Vec<String>,
}

/// An authorization code, as it is stored: under the hash of its text.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    pub client: ClientId,
    pub user: u64,
    pub proof: Proof,
    pub consented: Consented,
    /// As it stood in the request; whoever redeems the code says it again (RFC 6749 section 4.1.3).
    pub redirect_uri: String,
    pub nonce: Option<String>,
    /// The SHA-256 of the verifier, in base64url (RFC 7636 section 4.2).
    pub challenge: Option<String>,
    /// The key that whoever redeems it has to hold (RFC 9449 section 10).
    pub bound_to: Option<Thumbprint>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    /// What came of it. A code is redeemed once.
    pub redeemed: Option<Id<Grant>>,
}

/// What a client may do in a user's name, from one authorization on.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    pub id: Id<Grant>,
    pub client: ClientId,
    pub user: u64,
    pub proof: Proof,
    /// Whether it goes on when the session ends (OpenID Connect Core section 11).
    pub is_offline: bool,
    pub consented: Consented,
    pub nonce: Option<String>,
    pub created_at: Timestamp,
    pub refreshed_at: Timestamp,
    pub expires_at: Timestamp,
    /// The key that whoever refreshes it has to hold (RFC 9449 section 5). Only clients that cannot prove otherwise who they
    /// are have one.
    pub bound_to: Option<Thumbprint>,
    /// The generation and the hash of the refresh token that is good, if there is one.
    pub refresh: Option<(u32, [u8; 32])>,
}

impl Grant {
    /// Whether a client is the one that it was given to: one that was deleted and made anew is another.
    #[must_use]
    pub fn is_of(&self, client: &Client) -> bool {
        self.client == client.id && self.created_at >= client.created_at
    }

    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        now >= self.expires_at
    }
}

/// Everything but the hash.
impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant")
            .field("id", &self.id)
            .field("client", &self.client)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// Neither what it is bound to nor what it is good for.
impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Code").field("client", &self.client).field("user", &self.user).finish_non_exhaustive()
    }
}
