//! What clients get: access tokens (RFC 9068), ID tokens (OpenID Connect Core section 2) and refresh tokens. Made here, and
//! never written.
use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::model::Grant;
use crate::base::{Env, Id, Result, Secret, entropy};
use crate::crypto::jwt::acr_of;
use crate::crypto::refresh_token::Holder;
use crate::crypto::{Algorithm, MasterKey, RefreshToken, Thumbprint, hash};
use crate::keys::Keys;
use crate::oauth::client::Client;
use crate::oauth::client::model::SubjectType;
use crate::oauth::custom::{CustomScopes, Place};
use crate::oauth::scope::{OPENID, Scopes};

const ID_BYTES: usize = 24;

/// How long things last, in seconds.
#[derive(Debug, Clone, Copy)]
pub struct Lifetimes {
    pub access: i64,
    pub id_token: i64,
    /// A grant that is not refreshed for so long ends.
    pub refresh: i64,
    /// A grant lasts so long at most, refreshed or not.
    pub grant: i64,
    /// How long a refresh token that was given up gets the same answer again.
    pub replay: i64,
}

/// The id of an access token: the grant that it came of (zeros: of none), and random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenId(pub [u8; ID_BYTES]);

/// What an access token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    pub iss: String,
    pub sub: String,
    pub aud: Audience,
    pub client_id: String,
    /// Seconds since the epoch, as are `iat` and `auth_time`.
    pub exp: i64,
    pub iat: i64,
    pub jti: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scope: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<String>,
    /// What the client may do by itself, or in its user's name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub permissions: Vec<String>,
    /// Whose alone it is, if it is bound to a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Confirmation>,
    /// What scopes of one's own tell of the user.
    #[serde(flatten)]
    pub told: Map<String, Value>,
    /// Who acts in the user's name, if somebody else does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Acting>,
}

/// Who acts, and for whom that one has acted (RFC 8693 section 4.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acting {
    /// A client, or one of its users.
    pub sub: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Box<Self>>,
}

/// What an access token is not good for, though its grant would be.
pub struct Limits {
    pub acting: Option<Acting>,
    /// Seconds since the epoch.
    pub ends: i64,
}

/// The key that a token is bound to (RFC 7800, RFC 9449 section 6.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    /// Its thumbprint.
    pub jkt: String,
}

/// What an access token is good for, of all that it could be.
#[derive(Clone, Copy)]
pub struct Terms<'t> {
    pub scopes: &'t Scopes,
    pub resources: &'t [String],
    /// The key that it is bound to.
    pub key: Option<Thumbprint>,
}

impl Acting {
    /// How many there are.
    #[must_use]
    pub fn depth(&self) -> usize {
        std::iter::successors(Some(self), |one| one.act.as_deref()).count()
    }
}

impl Terms<'_> {
    /// How such a token is sent (RFC 6749 section 7.1).
    #[must_use]
    pub const fn token_type(&self) -> &'static str {
        if self.key.is_some() { "DPoP" } else { "Bearer" }
    }
}

/// One, or several (RFC 7519 section 4.1.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    One(String),
    Several(Vec<String>),
}

/// Makes tokens.
#[derive(Clone)]
pub struct Minter {
    env: Env,
    keys: Keys,
    issuer: String,
    pub lifetimes: Lifetimes,
    refresh_mac: Arc<hmac::Key>,
    pairwise: Arc<hmac::Key>,
    pub custom: CustomScopes,
}

impl TokenId {
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut raw = [0; ID_BYTES];
        let len = URL_SAFE_NO_PAD.decode_slice(text, &mut raw).ok()?;
        (len == ID_BYTES).then_some(Self(raw))
    }

    /// The grant that it came of, if of one.
    #[must_use]
    pub fn grant(&self) -> Option<Id<Grant>> {
        let id: [u8; 16] = self.0.first_chunk().copied()?;
        (id != [0; 16]).then(|| Id::from_bytes(id))
    }
}

impl Audience {
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        match self {
            Self::One(one) => one == name,
            Self::Several(all) => all.iter().any(|one| one == name),
        }
    }

    /// All of them.
    #[must_use]
    pub fn names(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Several(all) => all,
        }
    }

    /// # Returns
    /// `itself` where none is named.
    #[must_use]
    pub fn of(named: &[String], itself: &str) -> Self {
        match named {
            [] => Self::One(itself.to_owned()),
            [one] => Self::One(one.clone()),
            several => Self::Several(several.to_vec()),
        }
    }
}

impl Minter {
    /// # Errors
    /// `Error::Internal` if no keys can be derived.
    pub fn new(
        (env, keys): (Env, Keys),
        (issuer, custom): (String, CustomScopes),
        lifetimes: Lifetimes,
        master: &MasterKey,
    ) -> Result<Self> {
        let (refresh_mac, pairwise) = (master.mac("oauth refresh tokens")?, master.mac("pairwise subjects")?);
        let (refresh_mac, pairwise) = (Arc::new(refresh_mac), Arc::new(pairwise));
        Ok(Self { env, keys, issuer, lifetimes, refresh_mac, pairwise, custom })
    }

    /// Whose tokens these are.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// What a user is called towards a client (OpenID Connect Core section 8.1): the same at every login, and where it is
    /// pairwise nothing that another sector's clients could recognise.
    #[must_use]
    pub fn subject(&self, client: &Client, user: u64) -> String {
        match client.metadata.subject_type {
            SubjectType::Public => user.to_string(),
            SubjectType::Pairwise => {
                let message = [client.metadata.sector.as_bytes(), &[0], &user.to_be_bytes()].concat();
                URL_SAFE_NO_PAD.encode(hmac::sign(&self.pairwise, &message))
            }
        }
    }

    /// An access token of a grant, on some terms.
    ///
    /// # Errors
    /// `Error::Internal` if the library refuses.
    pub fn access_token(&self, client: &Client, grant: &Grant, terms: Terms<'_>) -> Result<Secret> {
        self.keys.sign(&self.claims_of_grant(client, grant, terms)?)
    }

    /// An access token of a grant for a client that acts in the name of its user, and how many seconds it lasts.
    ///
    /// # Errors
    /// As [`Minter::access_token`].
    pub fn exchanged_token(
        &self,
        client: &Client,
        grant: &Grant,
        terms: Terms<'_>,
        limits: Limits,
    ) -> Result<(Secret, i64)> {
        let claims = self.claims_of_grant(client, grant, terms)?;
        let claims = AccessClaims { act: limits.acting, exp: claims.exp.min(limits.ends), ..claims };
        Ok((self.keys.sign(&claims)?, claims.exp.saturating_sub(claims.iat)))
    }

    fn claims_of_grant(&self, client: &Client, grant: &Grant, terms: Terms<'_>) -> Result<AccessClaims> {
        let Terms { scopes, resources, key } = terms;
        // Who may ask about the user asks this server, whatever else the token is for.
        let also_here = scopes.has(OPENID) && !resources.is_empty();
        let resources =
            [resources, if also_here { std::slice::from_ref(&self.issuer) } else { &[] }].concat();
        Ok(AccessClaims {
            sub: self.subject(client, grant.user),
            scope: scopes.to_string(),
            auth_time: Some(grant.proof.auth_time.secs()),
            acr: Some(acr_of(&grant.proof.amr).to_owned()),
            amr: grant.proof.amr.clone(),
            permissions: self.custom.permissions(grant.user, scopes.iter())?,
            told: self.custom.claims(grant.user, scopes.iter(), Place::AccessToken)?,
            ..self.claims(client, Some(grant.id), (&resources, key))
        })
    }

    /// An access token of a client that acts for itself.
    ///
    /// # Errors
    /// As [`Minter::access_token`].
    pub fn client_token(&self, client: &Client, terms: Terms<'_>) -> Result<Secret> {
        let Terms { scopes, resources, key } = terms;
        let claims = AccessClaims {
            scope: scopes.to_string(),
            permissions: client.rules.permissions.iter().map(|one| one.as_str().to_owned()).collect(),
            ..self.claims(client, None, (resources, key))
        };
        self.keys.sign(&claims)
    }

    fn claims(
        &self,
        client: &Client,
        grant: Option<Id<Grant>>,
        (resources, key): (&[String], Option<Thumbprint>),
    ) -> AccessClaims {
        let mut id: [u8; ID_BYTES] = entropy::bytes(self.env.entropy.as_ref());
        id[..16].copy_from_slice(&grant.map_or([0; 16], |grant| *grant.as_bytes()));
        let iat = self.env.now().secs();
        AccessClaims {
            iss: self.issuer.clone(),
            sub: client.id.to_string(),
            aud: Audience::of(resources, &self.issuer),
            client_id: client.id.to_string(),
            exp: iat.saturating_add(self.lifetimes.access),
            iat,
            jti: URL_SAFE_NO_PAD.encode(id),
            scope: String::new(),
            auth_time: None,
            acr: None,
            amr: Vec::new(),
            permissions: Vec::new(),
            cnf: key.map(|key| Confirmation { jkt: key.to_string() }),
            told: Map::new(),
            act: None,
        }
    }

    /// An ID token about a login, with claims of the user's that were asked for. It goes with an access token.
    ///
    /// # Errors
    /// As [`Minter::access_token`].
    pub fn id_token(
        &self,
        client: &Client,
        grant: &Grant,
        user: Map<String, Value>,
        access_token: &Secret,
    ) -> Result<Secret> {
        let (algorithm, iat) = (client.metadata.id_token_algorithm, self.env.now().secs());
        let mut claims = self.custom.claims(grant.user, grant.consented.scopes.iter(), Place::IdToken)?;
        claims.extend(user);
        let ours = json!({
            "iss": self.issuer,
            "sub": self.subject(client, grant.user),
            "aud": client.id.as_str(),
            "exp": iat.saturating_add(self.lifetimes.id_token),
            "iat": iat,
            "auth_time": grant.proof.auth_time.secs(),
            "acr": acr_of(&grant.proof.amr),
            "amr": grant.proof.amr,
            "sid": grant.proof.sid.to_string(),
            "at_hash": half_hash(algorithm, access_token.expose()),
        });
        if let Value::Object(ours) = ours {
            claims.extend(ours);
        }
        if let Some(nonce) = &grant.nonce {
            claims.insert("nonce".to_owned(), Value::String(nonce.clone()));
        }
        self.keys.sign_as(algorithm, "JWT", &claims)
    }

    /// A JWT that is neither an access token nor an ID token.
    ///
    /// # Errors
    /// As [`Minter::access_token`].
    pub fn sign(&self, algorithm: Algorithm, typ: &str, claims: &Value) -> Result<Secret> {
        self.keys.sign_as(algorithm, typ, claims)
    }

    /// What a JWT of a type says that this server has signed, whether its time is over or not.
    ///
    /// # Errors
    /// `Error::InvalidToken`.
    pub fn verify(&self, text: &str, typ: &str) -> Result<Value> {
        self.keys.verify_typed(text, typ)
    }

    /// A refresh token of a generation of a grant.
    #[must_use]
    pub fn refresh_token(&self, grant: Id<Grant>, generation: u32) -> RefreshToken {
        RefreshToken::generate(&self.refresh_mac, self.env.entropy.as_ref(), grant.as_bytes(), generation)
    }

    /// Reads a refresh token that a client presents.
    ///
    /// # Errors
    /// `Error::InvalidToken` for one that this server did not make.
    pub fn parse_refresh_token(&self, text: &str) -> Result<RefreshToken> {
        RefreshToken::parse(Holder::Client, &self.refresh_mac, text)
    }
}

/// The left half of a hash, by the hash of the algorithm that signs (OpenID Connect Core section 3.1.3.6; Ed25519 is of
/// SHA-512, RFC 8032 section 5.1).
fn half_hash(algorithm: Algorithm, text: &str) -> String {
    match algorithm {
        Algorithm::EdDsa => URL_SAFE_NO_PAD.encode(&hash::sha512(&[text.as_bytes()])[..32]),
        _ => URL_SAFE_NO_PAD.encode(&hash::sha256(&[text.as_bytes()])[..16]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_hashes_are_those_of_the_specification() {
        // OpenID Connect Core appendix A.3 and A.4.
        let token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
        assert_eq!(half_hash(Algorithm::Rs256, token), "77QmUPtjPfzWtF2AnpK9RQ");
        assert_eq!(half_hash(Algorithm::EdDsa, token).len(), 43);
    }

    #[test]
    fn a_token_says_which_grant_it_came_of() {
        let text = URL_SAFE_NO_PAD.encode([7; ID_BYTES]);
        assert_eq!(TokenId::parse(&text).unwrap().grant(), Some(Id::from_bytes([7; 16])));
        assert_eq!(TokenId::parse(&URL_SAFE_NO_PAD.encode([0; ID_BYTES])).unwrap().grant(), None);
        assert!(TokenId::parse(&text[1..]).is_none() && TokenId::parse("").is_none());
    }
}
